import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, notReusedFor, OLD, reused, reusedFor, stale, TAG } from '../shapes.ts'

const COOKIE = { fields: { Cookie: 'who=ann' } }

const KEYS: readonly (readonly [name: string, first: string, second: string, says: string])[] = [
  ['query', '?a=1', '?a=2', 'another query'],
  ['query-none', '?a=1', '', 'no query'],
  ['query-more', '?a=1', '?a=1&b=2', 'one parameter more'],
  ['query-order', '?a=1&b=2', '?b=2&a=1', 'its parameters in another order'],
  ['path', '/a', '/b', 'another path'],
  ['path-case', '/a', '/A', 'a path in another case'],
  ['path-slash', '/a', '/a/', 'a slash at the end'],
  ['path-encoded-slash', '/a/b', '/a%2Fb', 'an encoded slash'],
]

const key = ([name, first, second, says]: (typeof KEYS)[number]): Behaviour => ({
  id: `key-${name}`,
  kind: 'required',
  says: `A stored answer is not reused for a URI with ${says} (RFC 9111, 2; RFC 9110, 4.2.3).`,
  needs: ['key-query-same'],
  steps: notReusedFor({ at: first }, { at: second }, { 'Cache-Control': FRESH }),
})

/** What a reused answer says of its age, and whom it is for. */
export const ageDateKeysCookies: Group = {
  name: 'Age, Date, keys, cookies',
  behaviours: [
    {
      id: 'hit-age',
      kind: 'required',
      says: 'A reused answer has one Age (RFC 9111, 4 and 5.1).',
      steps: reused({ 'Cache-Control': FRESH }, {}, { fields: { Age: { atLeast: 0, atMost: 60 } } }),
    },
    {
      id: 'hit-age-incoming',
      kind: 'required',
      says: 'The Age that an answer arrived with is part of its Age (RFC 9111, 4.2.3).',
      steps: reused({ 'Cache-Control': FRESH, Age: '1000' }, {}, { fields: { Age: { atLeast: 1000, atMost: 1060 } } }),
    },
    {
      id: 'hit-age-grows',
      kind: 'required',
      says: 'The Age of a stored answer grows (RFC 9111, 4.2.3).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH } } },
        { wait: 2.1, expect: { from: 'cache', fields: { Age: { atLeast: 2, atMost: 60 } } } },
      ],
    },
    {
      id: 'hit-age-delay',
      kind: 'check',
      wanted: 'yes',
      says: 'The time that an answer took is part of its Age (RFC 9111, 4.2.3).',
      steps: [
        { answer: { delay: 2.2, fields: { 'Cache-Control': FRESH } } },
        { expect: { from: 'cache', fields: { Age: { atLeast: 2, atMost: 60 } } } },
      ],
    },
    {
      id: 'first-hand-age',
      kind: 'check',
      wanted: 'no',
      says: 'An answer of the origin that took long has an Age (RFC 9111, 5.1).',
      steps: [
        {
          answer: { delay: 2.2, fields: { 'Cache-Control': FRESH } },
          expect: { from: 'origin', fields: { Age: { atLeast: 1 } } },
        },
      ],
    },
    {
      id: 'first-hand-age-passed-on',
      kind: 'required',
      says: 'The Age of an answer of the origin is passed on (RFC 9111, 5.1).',
      steps: [
        {
          answer: { fields: { Age: '1000' } },
          expect: { from: 'origin', fields: { Age: { atLeast: 1000, atMost: 1060 } } },
        },
      ],
    },
    {
      id: 'hit-date',
      kind: 'required',
      says: 'A reused answer has the Date that it came with (RFC 9110, 6.6.1; RFC 9111, 4.2.3).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH } } },
        { wait: 1.2, expect: { from: 'cache', fields: { Date: { sameAs: 1 } } } },
      ],
    },
    {
      id: 'hit-date-absent',
      kind: 'required',
      says: 'An answer that came without Date has the one of its receipt from then on (RFC 9110, 6.6.1).',
      steps: [
        { answer: { fields: { Date: null, 'Cache-Control': FRESH } } },
        { wait: 1.2, expect: { from: 'cache', fields: { Date: /GMT$/ } } },
        { wait: 1.2, expect: { from: 'cache', fields: { Date: { sameAs: 2 } } } },
      ],
    },
    {
      id: 'hit-date-old',
      kind: 'required',
      says: 'A Date in the past is replayed as it came (RFC 9110, 6.6.1).',
      steps: reused({ 'Cache-Control': 'max-age=2147483647', Date: OLD }, {}, { fields: { Date: OLD } }),
    },
    {
      id: 'hit-expires',
      kind: 'check',
      wanted: 'yes',
      says: 'Expires is replayed as it came (RFC 9111, 3.1).',
      steps: reused({ 'Cache-Control': FRESH, Expires: OLD }, {}, { fields: { Expires: OLD } }),
    },
    {
      id: 'hit-collapsed',
      kind: 'check',
      wanted: 'yes',
      says: 'A request that comes while the same one is answered waits for that answer (RFC 9111, 4 permits it).',
      steps: [
        { answer: { delay: 0.5, fields: { 'Cache-Control': FRESH } } },
        { meanwhile: true, expect: { status: 200, body: 1, origin: { requests: 0 } } },
      ],
    },
    {
      id: 'hit-collapsed-not-stale',
      kind: 'required',
      says: 'A request that comes while the same one is answered does not share an answer that is stale at once (RFC 9111, 4).',
      steps: [
        { answer: { delay: 0.5, fields: { 'Cache-Control': 'max-age=0' } } },
        { meanwhile: true, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'key-query-same',
      kind: 'optimal',
      says: 'A query in the URI does not keep an answer from being reused (RFC 9111, 2).',
      steps: reusedFor({ at: '?a=1&b=2' }, { at: '?a=1&b=2' }, { 'Cache-Control': FRESH }),
    },
    ...KEYS.map(key),
    {
      id: 'key-host',
      kind: 'required',
      says: 'A stored answer is not reused for another host (RFC 9111, 2; RFC 9110, 7.1).',
      needs: ['key-host-same'],
      steps: notReusedFor(
        { fields: { Host: 'one.example' } },
        { fields: { Host: 'two.example' } },
        { 'Cache-Control': FRESH },
      ),
    },
    {
      id: 'key-host-same',
      kind: 'optimal',
      says: 'A stored answer is reused for its host in another case (RFC 9110, 4.2.3).',
      steps: reusedFor(
        { fields: { Host: 'one.example' } },
        { fields: { Host: 'ONE.example' } },
        { 'Cache-Control': FRESH },
      ),
    },
    {
      id: 'key-empty-query',
      kind: 'check',
      wanted: 'free',
      says: 'An empty query is the same as none (RFC 9110, 4.2.3 does not say so).',
      steps: reusedFor({}, { at: '?' }, { 'Cache-Control': FRESH }),
    },
    {
      id: 'cookie-ignored',
      kind: 'optimal',
      says: 'A Cookie in a request makes no difference by itself (RFC 9111, 4.1; RFC 6265, 3).',
      steps: reusedFor({}, COOKIE, { 'Cache-Control': FRESH }),
    },
    {
      id: 'cookie-first',
      kind: 'optimal',
      says: 'An answer to a request with a Cookie is reused (RFC 9111, 3; RFC 6265, 3).',
      steps: reusedFor(COOKIE, {}, { 'Cache-Control': FRESH }),
    },
    {
      id: 'cookie-varies',
      kind: 'required',
      says: 'A Cookie makes a difference where Vary says so (RFC 9111, 4.1).',
      needs: ['cookie-varies-same'],
      steps: notReusedFor(COOKIE, { fields: { Cookie: 'who=bob' } }, { 'Cache-Control': FRESH, Vary: 'Cookie' }),
    },
    {
      id: 'cookie-varies-same',
      kind: 'optimal',
      says: 'The same Cookie is a match where Vary names it (RFC 9111, 4.1).',
      steps: reusedFor(COOKIE, COOKIE, { 'Cache-Control': FRESH, Vary: 'Cookie' }),
    },
    {
      id: 'cookie-set',
      kind: 'check',
      wanted: 'yes',
      says: 'An answer with Set-Cookie is reused (RFC 9111, 7.3: it does not inhibit caching).',
      steps: reused({ 'Cache-Control': FRESH, 'Set-Cookie': 'who=ann' }),
    },
    {
      id: 'hit-stale-age',
      kind: 'optimal',
      says: 'After a validation the next answer from the store counts its Age from there (RFC 9111, 4.2.3).',
      needs: ['update-freshness'],
      steps: [
        { answer: { fields: { ...stale('', 500), ETag: TAG } } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG } },
          expect: { from: 'validated', status: 200 },
        },
        { wait: 2.1, expect: { from: 'cache', fields: { Age: { atLeast: 2, atMost: 60 } } } },
      ],
    },
  ],
}
