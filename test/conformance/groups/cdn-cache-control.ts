import type { Behaviour, Fields, Group } from '../behaviour.ts'
import { FRESH, inSeconds, notReused, OLD, reused, stale, TAG } from '../shapes.ts'

interface Row {
  readonly name: string
  readonly kind: 'required' | 'optimal'
  readonly fields: Fields
  readonly says: string
  readonly needs?: readonly string[]
}

const targeted = (value: string | readonly string[], cacheControl: string): Fields => ({
  'CDN-Cache-Control': value,
  'Cache-Control': cacheControl,
})

const FORBIDS: readonly Row[] = [
  {
    name: 'no-store',
    kind: 'required',
    fields: targeted('no-store', FRESH),
    says: 'no-store forbids what Cache-Control permits',
  },
  {
    name: 'private',
    kind: 'required',
    fields: targeted('private', FRESH),
    says: 'private forbids what Cache-Control permits',
  },
  {
    name: 'no-cache',
    kind: 'required',
    fields: targeted('no-cache', FRESH),
    says: 'no-cache forbids what Cache-Control permits',
  },
  {
    name: 'zero',
    kind: 'required',
    fields: targeted('max-age=0', FRESH),
    says: 'max-age=0 shortens what Cache-Control permits',
  },
  {
    name: 'short',
    kind: 'required',
    fields: { ...targeted('max-age=60', FRESH), Age: '100' },
    says: 'A shorter max-age counts',
  },
  {
    name: 'over-expires',
    kind: 'required',
    fields: { 'CDN-Cache-Control': 'max-age=60', Expires: inSeconds(3600), Age: '100' },
    says: 'A shorter max-age counts although Expires lies ahead',
    needs: ['expires-future'],
  },
  {
    name: 'age',
    kind: 'required',
    fields: { ...targeted('max-age=3600', FRESH), Age: '7200' },
    says: 'Age is held against a lifetime',
  },
  {
    name: 'string',
    kind: 'required',
    fields: targeted('max-age="3600"', 'max-age=0'),
    says: 'A string where a number belongs gives no freshness',
  },
  {
    name: 'decimal',
    kind: 'required',
    fields: targeted('max-age=3600.0', 'max-age=0'),
    says: 'A decimal where an integer belongs gives no freshness',
  },
  {
    name: 'invalid-short',
    kind: 'required',
    fields: { ...targeted('max-age=3600, &', 'max-age=60'), Age: '100' },
    says: 'What does not parse is ignored whole, so a shorter Cache-Control counts',
  },
  {
    name: 'empty-short',
    kind: 'required',
    fields: { ...targeted('', 'max-age=60'), Age: '100' },
    says: 'An empty value is ignored, so a shorter Cache-Control counts',
  },
  {
    name: 'invalid-no-store',
    kind: 'required',
    fields: targeted('max-age=3600, =', 'no-store'),
    says: 'What does not parse is ignored whole, so no-store of Cache-Control counts',
  },
]

const PERMITS: readonly Row[] = [
  {
    name: 'long',
    kind: 'optimal',
    fields: { ...targeted('max-age=3600', 'max-age=60'), Age: '100' },
    says: 'A longer max-age counts',
    needs: ['fresh-age-counts'],
  },
  {
    name: 'over-zero',
    kind: 'optimal',
    fields: targeted('max-age=3600', 'max-age=0'),
    says: 'max-age counts over max-age=0',
  },
  {
    name: 'over-no-store',
    kind: 'optimal',
    fields: targeted('max-age=3600', 'no-store'),
    says: 'max-age permits what no-store forbids',
  },
  {
    name: 'over-private',
    kind: 'optimal',
    fields: targeted('max-age=3600', 'private'),
    says: 'max-age permits what private forbids',
  },
  {
    name: 'over-no-cache',
    kind: 'optimal',
    fields: targeted('max-age=3600', 'no-cache'),
    says: 'max-age permits what no-cache forbids',
  },
  {
    name: 'over-past-expires',
    kind: 'optimal',
    fields: { 'CDN-Cache-Control': 'max-age=3600', Expires: inSeconds(-60) },
    says: 'max-age counts although Expires is past',
  },
  {
    name: 'alone',
    kind: 'optimal',
    fields: { 'CDN-Cache-Control': 'max-age=3600' },
    says: 'max-age is enough by itself',
  },
  {
    name: 'large',
    kind: 'optimal',
    fields: targeted('max-age=99999999999', 'max-age=0'),
    says: 'A very large max-age is a very long time',
  },
  {
    name: 'unknown',
    kind: 'optimal',
    fields: targeted('weather=fine, max-age=3600, sunny', 'max-age=0'),
    says: 'Keys that nobody knows are skipped',
  },
  {
    name: 'parameters',
    kind: 'optimal',
    fields: targeted('max-age=3600;weather=fine', 'max-age=0'),
    says: 'Parameters are ignored',
  },
  {
    name: 'lines',
    kind: 'optimal',
    fields: targeted(['public', 'max-age=3600'], 'max-age=0'),
    says: 'Two lines are one Dictionary',
  },
  {
    name: 'last-wins',
    kind: 'optimal',
    fields: { ...targeted('max-age=60, max-age=3600', 'max-age=0'), Age: '100' },
    says: 'The last of two equal keys counts, as in any Dictionary',
    needs: ['fresh-age-counts'],
  },
  {
    name: 'invalid-long',
    kind: 'optimal',
    fields: targeted('max-age=0, &', FRESH),
    says: 'What does not parse is ignored whole, so a longer Cache-Control counts',
    needs: ['targeted-zero'],
  },
]

const row =
  (steps: (fields: Fields) => Behaviour['steps'], always: readonly string[]) =>
  ({ name, kind, fields, says, needs = [] }: Row): Behaviour => ({
    id: `targeted-${name}`,
    kind,
    says: `${says} in CDN-Cache-Control (RFC 9213, 2.1 and 2.2).`,
    needs: [...always, ...needs],
    steps: steps(fields),
  })

/** A field for shared caches alone. */
export const cdnCacheControl: Group = {
  name: 'CDN-Cache-Control',
  behaviours: [
    ...FORBIDS.map(row(notReused, ['targeted-over-zero'])),
    ...PERMITS.map(row(reused, [])),
    {
      id: 'targeted-validated',
      kind: 'optimal',
      says: 'no-cache in CDN-Cache-Control makes a stored answer be validated (RFC 9213, 2.2).',
      steps: [
        { answer: { fields: { ...targeted('no-cache', FRESH), ETag: TAG } } },
        {
          answer: { status: 304, fields: { ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1 },
        },
      ],
    },
    {
      id: 'targeted-must-revalidate',
      kind: 'required',
      says: 'must-revalidate in CDN-Cache-Control forbids stale reuse (RFC 9213, 2.2).',
      needs: ['targeted-over-zero', 'stale-when-closed'],
      steps: [
        {
          answer: { fields: { 'CDN-Cache-Control': 'max-age=10, must-revalidate', 'Cache-Control': FRESH, Age: '20' } },
        },
        { answer: { closes: true }, expect: { status: [500, 502, 503, 504], bodyIsNot: 1 } },
      ],
    },
    {
      id: 'targeted-hides-must-revalidate',
      kind: 'check',
      wanted: 'yes',
      says: 'must-revalidate in Cache-Control does not count beside CDN-Cache-Control (RFC 9213, 2.2).',
      needs: ['targeted-over-zero', 'ask-max-stale'],
      steps: [
        { answer: { fields: { ...stale('must-revalidate'), 'CDN-Cache-Control': 'max-age=10' } } },
        { request: { fields: { 'Cache-Control': 'max-stale' } }, expect: { from: 'cache', body: 1 } },
      ],
    },
    {
      id: 'targeted-space',
      kind: 'check',
      wanted: 'yes',
      says: 'White space around = makes CDN-Cache-Control invalid, so Cache-Control counts (RFC 9213, 2.1).',
      needs: ['targeted-zero'],
      steps: reused(targeted('max-age = 0', FRESH)),
    },
    {
      id: 'targeted-upper-case',
      kind: 'check',
      wanted: 'no',
      says: 'A key with capitals counts in CDN-Cache-Control (RFC 9213, 2.1: it makes the field invalid).',
      needs: ['targeted-over-zero'],
      steps: reused(targeted('Max-Age=3600', 'max-age=0')),
    },
    {
      id: 'targeted-other-name',
      kind: 'required',
      says: 'Another field whose name ends in Cache-Control is not obeyed (RFC 9213, 2.4).',
      steps: notReused({ 'Example-Cache-Control': 'max-age=3600' }),
    },
    {
      id: 'targeted-passed-on',
      kind: 'check',
      wanted: 'yes',
      says: 'CDN-Cache-Control is passed on, at first and from the store (RFC 9213, 2.2).',
      needs: ['targeted-over-zero'],
      steps: [
        {
          answer: { fields: targeted('max-age=3600', 'max-age=0') },
          expect: { from: 'origin', fields: { 'CDN-Cache-Control': 'max-age=3600', 'Cache-Control': 'max-age=0' } },
        },
        {
          expect: {
            from: 'cache',
            fields: { 'CDN-Cache-Control': 'max-age=3600', 'Cache-Control': 'max-age=0' },
          },
        },
      ],
    },
    {
      id: 'targeted-hit-age',
      kind: 'check',
      wanted: 'yes',
      says: 'An answer that only CDN-Cache-Control keeps fresh has its Age (RFC 9111, 5.1; RFC 9213, 2.3).',
      needs: ['targeted-long'],
      steps: reused(
        { ...targeted('max-age=3600', 'max-age=60'), Age: '100' },
        {},
        { fields: { Age: { atLeast: 100, atMost: 160 } } },
      ),
    },
    {
      id: 'targeted-hit-date',
      kind: 'check',
      wanted: 'yes',
      says: 'An answer that only CDN-Cache-Control keeps fresh has the Date and Expires that it came with (RFC 9213, 2.3).',
      needs: ['targeted-over-past-expires'],
      steps: reused(
        { 'CDN-Cache-Control': 'max-age=3600', Expires: OLD },
        {},
        { fields: { Date: { sameAs: 1 }, Expires: OLD } },
      ),
    },
    {
      id: 'targeted-updated',
      kind: 'optimal',
      says: 'CDN-Cache-Control of a 304 decides from then on (RFC 9111, 3.2; RFC 9213, 2.2).',
      needs: ['update-freshness', 'targeted-over-zero'],
      steps: [
        { answer: { fields: { ...stale(), ETag: TAG } } },
        {
          answer: { status: 304, fields: { ...targeted('max-age=3600', 'max-age=0'), ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1 },
        },
        { expect: { from: 'cache', status: 200, body: 1 } },
      ],
    },
    {
      id: 'targeted-credentials',
      kind: 'optimal',
      says: 'public in CDN-Cache-Control permits to reuse an answer to a request with credentials (RFC 9111, 3.5).',
      needs: ['credentials-other'],
      steps: [
        {
          request: { fields: { Authorization: 'Basic YW5uOmE=' } },
          answer: { fields: { 'CDN-Cache-Control': 'public, max-age=3600' } },
        },
        { expect: { from: 'cache' } },
      ],
    },
    {
      id: 'targeted-hides-permission',
      kind: 'required',
      says: 'public in Cache-Control permits nothing beside CDN-Cache-Control (RFC 9213, 2.2; RFC 9111, 3.5).',
      needs: ['targeted-credentials'],
      steps: [
        {
          request: { fields: { Authorization: 'Basic YW5uOmE=' } },
          answer: { fields: { 'CDN-Cache-Control': 'max-age=3600', 'Cache-Control': 'public, max-age=3600' } },
        },
        { expect: { from: 'origin' } },
      ],
    },
  ],
}
