import type { Group } from '../behaviour.ts'
import { FRESH, notReusedFor, reusedFor, stale, TAG } from '../shapes.ts'

const asking = (cacheControl: string): { fields: { 'Cache-Control': string } } => ({
  fields: { 'Cache-Control': cacheControl },
})

/** What a client may ask of a cache. */
export const requestDirectives: Group = {
  name: 'request directives',
  behaviours: [
    {
      id: 'ask-max-age-zero',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with max-age=0 is not answered without the origin (RFC 9111, 5.2.1.1).',
      steps: notReusedFor({}, asking('max-age=0'), { 'Cache-Control': FRESH, Age: '10' }),
    },
    {
      id: 'ask-max-age-below-age',
      kind: 'check',
      wanted: 'yes',
      says: 'A request is not answered with something older than its max-age (RFC 9111, 5.2.1.1).',
      steps: notReusedFor({}, asking('max-age=60'), { 'Cache-Control': FRESH, Age: '1000' }),
    },
    {
      id: 'ask-max-age-above-age',
      kind: 'check',
      wanted: 'yes',
      says: 'A request is answered with something younger than its max-age (RFC 9111, 5.2.1.1).',
      steps: reusedFor({}, asking('max-age=2000'), { 'Cache-Control': FRESH, Age: '1000' }),
    },
    {
      id: 'ask-max-age-validates',
      kind: 'check',
      wanted: 'yes',
      says: 'What is too old for a client is validated, and a 304 makes it young enough (RFC 9111, 4.3).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, Age: '1000', ETag: TAG } } },
        {
          request: asking('max-age=60'),
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1 },
        },
      ],
    },
    {
      id: 'ask-max-stale',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with max-stale is answered with something stale (RFC 9111, 5.2.1.2).',
      steps: reusedFor({}, asking('max-stale'), stale(), { fields: { Age: { atLeast: 20 } } }),
    },
    {
      id: 'ask-max-stale-within',
      kind: 'check',
      wanted: 'yes',
      says: 'A request is answered with something stale for less than its max-stale (RFC 9111, 5.2.1.2).',
      steps: reusedFor({}, asking('max-stale=1000'), stale()),
    },
    {
      id: 'ask-max-stale-beyond',
      kind: 'check',
      wanted: 'yes',
      says: 'A request is not answered with something stale for longer than its max-stale (RFC 9111, 5.2.1.2).',
      needs: ['ask-max-stale-within'],
      steps: notReusedFor({}, asking('max-stale=60'), stale('', 100)),
    },
    {
      id: 'ask-min-fresh-left',
      kind: 'check',
      wanted: 'yes',
      says: 'A request is answered with something that stays fresh for its min-fresh (RFC 9111, 5.2.1.3).',
      steps: reusedFor({}, asking('min-fresh=60'), { 'Cache-Control': FRESH, Age: '3000' }),
    },
    {
      id: 'ask-min-fresh-short',
      kind: 'check',
      wanted: 'yes',
      says: 'A request is not answered with something that does not stay fresh for its min-fresh (RFC 9111, 5.2.1.3).',
      steps: notReusedFor({}, asking('min-fresh=1000'), { 'Cache-Control': FRESH, Age: '3000' }),
    },
    {
      id: 'ask-no-cache',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with no-cache reaches the origin (RFC 9111, 5.2.1.4).',
      steps: notReusedFor({}, asking('no-cache'), { 'Cache-Control': FRESH }),
    },
    {
      id: 'ask-no-cache-validates',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with no-cache validates what is stored (RFC 9111, 5.2.1.4).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG } } },
        {
          request: asking('no-cache'),
          answer: { status: 304, fields: { ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1, origin: { fields: { 'If-None-Match': TAG } } },
        },
      ],
    },
    {
      id: 'ask-no-cache-replaces',
      kind: 'optimal',
      says: 'The answer to a request with no-cache takes the place of what was stored (RFC 9111, 4.3.3).',
      needs: ['ask-no-cache'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH } } },
        { request: asking('no-cache'), expect: { from: 'origin' } },
        { expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'ask-no-cache-immutable',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with no-cache reaches the origin although what is stored is immutable (RFC 8246, 2).',
      steps: notReusedFor({}, asking('no-cache'), { 'Cache-Control': `immutable, ${FRESH}` }),
    },
    {
      id: 'ask-no-store-not-stored',
      kind: 'required',
      says: 'The answer to a request with no-store is not stored (RFC 9111, 5.2.1.5).',
      steps: notReusedFor(asking('no-store'), {}, { 'Cache-Control': FRESH }),
    },
    {
      id: 'ask-no-store-meanwhile',
      kind: 'required',
      says: 'The answer to a request with no-store is not stored while another request is under way (RFC 9111, 5.2.1.5).',
      steps: [
        { answer: { delay: 0.8, fields: { 'Cache-Control': 'max-age=0' } } },
        { meanwhile: true, request: asking('no-store'), answer: { fields: { 'Cache-Control': FRESH } } },
        { expect: { from: 'origin' } },
      ],
    },
    {
      id: 'ask-no-store-reuse',
      kind: 'check',
      wanted: 'free',
      says: 'A request with no-store is answered with what is stored (RFC 9111, 5.2.1.5 permits it).',
      steps: reusedFor({}, asking('no-store'), { 'Cache-Control': FRESH }),
    },
    {
      id: 'ask-no-store-keeps',
      kind: 'optimal',
      says: 'A request with no-store takes nothing away that is stored (RFC 9111, 5.2.1.5).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH } } },
        { request: asking('no-store') },
        { expect: { from: 'cache', body: 1 } },
      ],
    },
    {
      id: 'ask-only-if-cached-stored',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with only-if-cached is answered with what is stored (RFC 9111, 5.2.1.7).',
      steps: reusedFor({}, asking('only-if-cached'), { 'Cache-Control': FRESH }),
    },
    {
      id: 'ask-only-if-cached-nothing',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with only-if-cached is answered with 504 where nothing is stored (RFC 9111, 5.2.1.7).',
      needs: ['ask-only-if-cached-stored'],
      steps: [{ request: asking('only-if-cached'), answer: {}, expect: { status: 504, origin: { requests: 0 } } }],
    },
    {
      id: 'ask-only-if-cached-stale',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with only-if-cached is answered with 504 where what is stored is stale (RFC 9111, 5.2.1.7).',
      needs: ['ask-only-if-cached-stored'],
      steps: [
        { answer: { fields: { ...stale(), ETag: TAG } } },
        { request: asking('only-if-cached'), expect: { status: 504, origin: { requests: 0 } } },
      ],
    },
    {
      id: 'ask-passed-on',
      kind: 'required',
      says: 'What a client asks of caches is passed on to the origin (RFC 9111, 5.2).',
      steps: [
        {
          request: asking('no-transform, tune="a, b"'),
          answer: { fields: { 'Cache-Control': FRESH } },
          expect: { from: 'origin', origin: { fields: { 'Cache-Control': 'no-transform, tune="a, b"' } } },
        },
      ],
    },
    {
      id: 'ask-unknown',
      kind: 'optimal',
      says: 'A directive that nobody knows does not keep a request from being answered (RFC 9111, 5.2.3).',
      steps: reusedFor({}, asking('weather="fine, no-cache"'), { 'Cache-Control': FRESH }),
    },
    {
      id: 'ask-s-maxage',
      kind: 'optimal',
      says: 'A directive for answers has no meaning in a request (RFC 9111, 5.2.2).',
      steps: reusedFor({}, asking('s-maxage=0, private, must-revalidate'), { 'Cache-Control': FRESH }),
    },
  ],
}
