import type { Behaviour, Group, OriginAnswer } from '../behaviour.ts'
import { FRESH, linesWanted, notReused, reused } from '../shapes.ts'

/** Replayed as they came: one line each unless there are more. */
const KEPT: readonly (readonly [name: string, value: string | readonly string[]])[] = [
  ['Accept-Ranges', 'bytes'],
  ['Access-Control-Allow-Origin', '*'],
  ['Allow', 'GET, HEAD'],
  ['Alt-Svc', 'h3=":443"; ma=60'],
  ['Clear-Site-Data', '"cookies"'],
  ['Content-Disposition', 'attachment; filename="a b.txt"'],
  ['Content-Encoding', 'x-nothing'],
  ['Content-Language', 'de-AT'],
  ['Content-Location', '/elsewhere'],
  ['Content-MD5', 'Q2hlY2sgSW50ZWdyaXR5IQ=='],
  ['Content-Range', 'bytes 0-3/10'],
  ['Content-Security-Policy', "default-src 'self'"],
  ['Content-Type', 'text/x-example; charset=utf-8'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['ETag', '"stored"'],
  ['Expires', 'Fri, 05 Mar 2049 10:00:00 GMT'],
  ['Last-Modified', 'Wed, 09 Mar 2016 14:30:00 GMT'],
  ['Link', ['</a>; rel=preload', '</b>; rel=preload']],
  ['Location', '/elsewhere'],
  ['NEL', '{"max_age":60}'],
  ['Permissions-Policy', 'geolocation=()'],
  ['Referrer-Policy', 'no-referrer'],
  ['Retry-After', '120'],
  ['Server', 'example/1.0'],
  ['Set-Cookie', ['a=1; Path=/', 'b=2; Expires=Fri, 05 Mar 2049 10:00:00 GMT']],
  ['Strict-Transport-Security', 'max-age=60'],
  ['Timing-Allow-Origin', '*'],
  ['Via', '1.1 nearby'],
  ['WWW-Authenticate', ['Basic realm="a, b"', 'Digest realm="c"']],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Warning', '299 - "as it came"'],
  ['X-Word-Nobody-Knows', 'a, "b", c'],
  ['Content-Something', 'new'],
]

const kept = ([name, value]: (typeof KEPT)[number]): Behaviour => ({
  id: `field-${name.toLowerCase()}`,
  kind: 'required',
  says: `${name} is stored and replayed as it came (RFC 9111, 3.1).`,
  steps: reused({ 'Cache-Control': FRESH, [name]: value }, {}, { fields: { [name]: linesWanted(name, value) } }),
})

interface Dropped {
  readonly name: string
  readonly fields: Readonly<Record<string, string>>
  readonly section: string
  readonly answer?: OriginAnswer
}

const DROPPED: readonly Dropped[] = [
  { name: 'Keep-Alive', fields: { 'Keep-Alive': 'timeout=777' }, section: 'RFC 9110, 7.6.1' },
  { name: 'TE', fields: { TE: 'trailers' }, section: 'RFC 9110, 7.6.1' },
  { name: 'Trailer', fields: { Trailer: 'Word' }, section: 'RFC 9110, 6.6.2', answer: { chunked: true } },
  { name: 'Upgrade', fields: { Upgrade: 'example/1' }, section: 'RFC 9110, 7.6.1' },
  { name: 'Proxy-Connection', fields: { 'Proxy-Connection': 'keep-alive' }, section: 'RFC 9110, 7.6.1' },
  { name: 'Proxy-Authenticate', fields: { 'Proxy-Authenticate': 'Basic realm="a"' }, section: 'RFC 9111, 3.1' },
  { name: 'Proxy-Authentication-Info', fields: { 'Proxy-Authentication-Info': 'a="b"' }, section: 'RFC 9111, 3.1' },
  { name: 'Proxy-Authorization', fields: { 'Proxy-Authorization': 'Basic YTpi' }, section: 'RFC 9111, 3.1' },
  {
    name: 'what Connection names',
    fields: { Connection: 'X-Hop, x-skip', 'X-Hop': 'one', 'X-Skip': 'two' },
    section: 'RFC 9110, 7.6.1',
  },
]

const dropped = ({ name, fields, section, answer }: Dropped): Behaviour => ({
  id: `field-not-${name.toLowerCase().replaceAll(' ', '-')}`,
  kind: 'required',
  says: `An answer with ${name} is replayed without it (${section}).`,
  steps: reused({ 'Cache-Control': FRESH, 'X-Word': 'a', ...fields }, answer, {
    fields: {
      'X-Word': 'a',
      // Node's own framing may bring a field of the same name.
      ...Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, { not: value }])),
    },
  }),
})

/** What of an answer is stored. */
export const storedFields: Group = {
  name: 'stored fields',
  behaviours: [
    ...KEPT.map(kept),
    ...DROPPED.map(dropped),
    {
      id: 'field-content-length',
      kind: 'required',
      says: 'A replayed Content-Length fits the bytes that follow (RFC 9110, 8.6).',
      steps: reused(
        { 'Cache-Control': FRESH },
        { body: 'twelve chars' },
        { body: 'twelve chars', fields: { 'Content-Length': '12' } },
      ),
    },
    {
      id: 'field-chunked',
      kind: 'required',
      says: 'An answer that came in chunks is replayed whole (RFC 9112, 7.1).',
      steps: reused(
        { 'Cache-Control': FRESH },
        { chunked: true, pause: 0.1, body: 'in two chunks' },
        { body: 'in two chunks' },
      ),
    },
    {
      id: 'field-cache-control',
      kind: 'required',
      says: 'Cache-Control is passed on with every directive, known or not (RFC 9111, 5.2).',
      steps: [
        {
          answer: { fields: { 'Cache-Control': 'public, max-age=3600, weather="fine, dry"' } },
          expect: { from: 'origin', fields: { 'Cache-Control': 'public, max-age=3600, weather="fine, dry"' } },
        },
        { expect: { from: 'cache', fields: { 'Cache-Control': 'public, max-age=3600, weather="fine, dry"' } } },
      ],
    },
    {
      id: 'field-connection-hides-nothing',
      kind: 'required',
      says: 'no-store counts although Connection names Cache-Control (RFC 9111, 5.2.2.5).',
      needs: ['guess-200'],
      steps: notReused({
        Connection: 'Cache-Control',
        'Cache-Control': 'no-store',
        'Last-Modified': 'Wed, 09 Mar 2016 14:30:00 GMT',
      }),
    },
    {
      id: 'field-order',
      kind: 'check',
      wanted: 'yes',
      says: 'Fields are replayed in the order in which they came (RFC 9110, 5.3 demands it of one name only).',
      steps: reused(
        { 'Cache-Control': FRESH, 'X-Word-C': '1', 'X-Word-A': '2', 'X-Word-B': '3' },
        {},
        { names: ['X-Word-C', 'X-Word-A', 'X-Word-B'] },
      ),
    },
    {
      id: 'field-case',
      kind: 'check',
      wanted: 'yes',
      says: 'Names of fields are replayed in the case in which they came (RFC 9110, 5.1: it makes no difference).',
      steps: reused({ 'Cache-Control': FRESH, 'x-wORD': '1' }, {}, { names: ['x-wORD'] }),
    },
    {
      id: 'field-bytes',
      kind: 'check',
      wanted: 'yes',
      says: 'Bytes above 127 in a value are replayed as they came (RFC 9110, 5.5).',
      steps: reused(
        { 'Cache-Control': FRESH, 'X-Word': 'caf\u00e9 \u00c3\u00a9' },
        {},
        { fields: { 'X-Word': 'caf\u00e9 \u00c3\u00a9' } },
      ),
    },
    {
      id: 'field-reason',
      kind: 'check',
      wanted: 'free',
      says: 'Another reason phrase does not keep an answer from being reused (RFC 9112, 4).',
      steps: reused({ 'Cache-Control': FRESH }, { reason: 'Fine' }),
    },
    {
      id: 'field-body-large',
      kind: 'optimal',
      says: 'A body of half a megabyte is replayed to the last byte (RFC 9111, 3).',
      steps: reused({ 'Cache-Control': FRESH }, { body: 'line of text.\n'.repeat(36_000) }),
    },
    {
      id: 'field-body-bytes',
      kind: 'required',
      says: 'Every byte value in a body is replayed (RFC 9111, 3).',
      steps: reused(
        { 'Cache-Control': FRESH, 'Content-Type': 'application/octet-stream' },
        { body: String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte)) },
      ),
    },
  ],
}
