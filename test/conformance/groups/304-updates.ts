import type { Behaviour, Fields, FieldWanted, Group, Step } from '../behaviour.ts'
import { FRESH, linesWanted, STALE_TAGGED, stale, TAG } from '../shapes.ts'

const wantedOf = (fields: Fields): Readonly<Record<string, FieldWanted>> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, linesWanted(name, value)] as const))

/** Validated by a 304 with other values, which the client sees and, from the store, the next one. */
const updated = (first: Fields, second: Fields, seen: Fields = second): readonly Step[] => [
  { answer: { fields: { ...STALE_TAGGED, ...first } } },
  {
    answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG, ...second } },
    expect: { from: 'validated', status: 200, body: 1, fields: wantedOf(seen) },
  },
  { expect: { from: 'cache', status: 200, body: 1, fields: wantedOf(seen) } },
]

/** The same as a question about what is stored afterwards. */
const updatedInStore = (first: Fields, second: Fields): readonly Step[] => [
  { answer: { fields: { ...STALE_TAGGED, ...first } } },
  {
    answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG, ...second } },
    expect: { from: 'validated', status: 200, body: 1 },
  },
  { expect: { from: 'cache', status: 200, body: 1, fields: wantedOf(second) } },
]

const UPDATED: readonly (readonly [
  name: string,
  before: string | readonly string[],
  after: string | readonly string[],
])[] = [
  ['Content-Disposition', 'inline', 'attachment'],
  ['Content-Language', 'de', 'en'],
  ['Content-Location', '/a', '/b'],
  ['Content-Security-Policy', "default-src 'self'", "default-src 'none'"],
  ['Content-Something', 'a', 'b'],
  ['Last-Modified', 'Wed, 09 Mar 2016 14:30:00 GMT', 'Thu, 10 Mar 2016 14:30:00 GMT'],
  ['Link', ['</a>; rel=next', '</b>; rel=prev'], '</c>; rel=next'],
  ['Set-Cookie', ['a=1', 'b=1'], ['a=2']],
  ['Strict-Transport-Security', 'max-age=60', 'max-age=120'],
  ['X-Frame-Options', 'DENY', 'SAMEORIGIN'],
  ['X-XSS-Protection', '1', '0'],
]

const FREE: readonly (readonly [name: string, before: string, after: string])[] = [
  ['Content-Encoding', 'x-one', 'x-two'],
  ['Content-Range', 'bytes 0-3/10', 'bytes 0-4/10'],
  ['Content-Type', 'text/plain', 'text/x-example'],
]

/** What a 304 changes. */
export const notModifiedUpdates: Group = {
  name: '304 updates',
  behaviours: [
    {
      id: 'update-freshness',
      kind: 'required',
      says: 'A 304 with another Cache-Control makes a stored answer fresh again (RFC 9111, 4.3.4 and 3.2).',
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1, fields: { 'Cache-Control': FRESH } },
        },
        { expect: { from: 'cache', status: 200, body: 1 } },
      ],
    },
    {
      id: 'update-shortens',
      kind: 'required',
      says: 'A 304 with a shorter lifetime shortens that of the stored answer (RFC 9111, 3.2).',
      needs: ['update-freshness', 'ask-no-cache-validates'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG } } },
        {
          request: { fields: { 'Cache-Control': 'no-cache' } },
          answer: { status: 304, fields: { 'Cache-Control': 'max-age=0', ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1 },
        },
        { expect: { from: 'validated' } },
      ],
    },
    {
      id: 'update-unknown',
      kind: 'required',
      says: 'A field of a 304 that nobody knows replaces the stored one (RFC 9111, 3.2).',
      needs: ['update-freshness'],
      steps: updated({ 'X-Word': 'a' }, { 'X-Word': 'b' }),
    },
    {
      id: 'update-new',
      kind: 'required',
      says: 'A field that only the 304 has is added (RFC 9111, 3.2).',
      needs: ['update-freshness'],
      steps: updated({}, { 'X-Word': 'b' }),
    },
    {
      id: 'update-keeps',
      kind: 'required',
      says: 'A field that the 304 does not have stays (RFC 9111, 3.2).',
      needs: ['update-freshness'],
      steps: updated(
        { 'X-Word': 'a', 'Content-Type': 'text/x-example' },
        {},
        { 'X-Word': 'a', 'Content-Type': 'text/x-example' },
      ),
    },
    {
      id: 'update-not-length',
      kind: 'required',
      says: 'A 304 never changes Content-Length (RFC 9111, 3.2).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: STALE_TAGGED, body: 'eleven char' } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG, 'Content-Length': '3' } },
          expect: { from: 'validated', status: 200, body: 'eleven char', fields: { 'Content-Length': '11' } },
        },
        { expect: { from: 'cache', status: 200, body: 'eleven char', fields: { 'Content-Length': '11' } } },
      ],
    },
    {
      id: 'update-age',
      kind: 'required',
      says: 'After a 304 without Age the stored Age is over (RFC 9111, 4.2.3 and 4.3.4).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: { ...stale('', 5000), ETag: TAG } } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG } },
          expect: { from: 'validated', status: 200 },
        },
        { expect: { from: 'cache', fields: { Age: { atLeast: 0, atMost: 60 } } } },
      ],
    },
    {
      id: 'update-age-given',
      kind: 'required',
      says: 'The Age of a 304 counts against the lifetime that begins with it (RFC 9111, 4.2.3).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG, Age: '7200' } },
          expect: { from: 'validated', status: 200 },
        },
        { expect: { from: 'validated' } },
      ],
    },
    {
      id: 'update-date',
      kind: 'optimal',
      says: 'The Date of a 304 becomes that of the stored answer (RFC 9111, 3.2).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: { ...STALE_TAGGED, Date: 'Wed, 09 Mar 2016 14:30:00 GMT' } } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG } },
          expect: { from: 'validated', status: 200 },
        },
        { expect: { from: 'cache', fields: { Date: { not: 'Wed, 09 Mar 2016 14:30:00 GMT' } } } },
      ],
    },
    {
      id: 'update-mismatch',
      kind: 'required',
      says: 'A 304 whose strong tag is not that of the stored answer does not update it (RFC 9111, 4.3.4).',
      needs: ['update-unknown'],
      steps: [
        { answer: { fields: { ...STALE_TAGGED, 'X-Word': 'a' } } },
        {
          answer: {
            status: 304,
            fields: { 'Cache-Control': FRESH, ETag: '"two"', 'X-Word': 'b' },
            otherwise: { fields: { ETag: '"three"', 'X-Word': 'c' } },
          },
        },
        { answer: { fields: { ETag: '"three"', 'X-Word': 'c' } }, expect: { fields: { 'X-Word': { not: 'b' } } } },
      ],
    },
    {
      id: 'update-mismatch-whole',
      kind: 'required',
      says: 'A client that sent no condition never gets a 304, whatever tag it has (RFC 9110, 15.4.5).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          answer: {
            status: 304,
            fields: { 'Cache-Control': FRESH, ETag: '"two"' },
            otherwise: { fields: { ETag: '"two"' } },
          },
          expect: { status: 200, body: /^Answer \d/ },
        },
      ],
    },
    {
      id: 'update-no-store',
      kind: 'required',
      says: 'A 304 with no-store is answered from what is stored, for the last time (RFC 9111, 3 and 3.2).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          answer: { status: 304, fields: { 'Cache-Control': 'no-store', ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1 },
        },
        { answer: { fields: { 'Cache-Control': FRESH } }, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'update-vary',
      kind: 'optimal',
      says: 'A 304 with another Vary decides which requests the stored answer is for (RFC 9111, 3.2 and 4.1).',
      needs: ['update-freshness', 'vary-other'],
      steps: [
        { request: { fields: { Tune: 'a' } }, answer: { fields: STALE_TAGGED } },
        {
          request: { fields: { Tune: 'a' } },
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG, Vary: 'Tune' } },
          expect: { from: 'validated', status: 200 },
        },
        { request: { fields: { Tune: 'b' } }, answer: {}, expect: { from: 'origin' } },
      ],
    },
    ...UPDATED.map(
      ([name, before, after]): Behaviour => ({
        id: `update-${name.toLowerCase()}`,
        kind: 'check',
        wanted: 'yes',
        says: `${name} of a 304 replaces the stored one (RFC 9111, 3.2).`,
        needs: ['update-freshness'],
        steps: updatedInStore({ [name]: before }, { [name]: after }),
      }),
    ),
    ...FREE.map(
      ([name, before, after]): Behaviour => ({
        id: `update-${name.toLowerCase()}`,
        kind: 'check',
        wanted: 'free',
        says: `${name} of a 304 replaces the stored one (RFC 9111, 3.2).`,
        needs: ['update-freshness'],
        steps: updatedInStore({ [name]: before }, { [name]: after }),
      }),
    ),
  ],
}
