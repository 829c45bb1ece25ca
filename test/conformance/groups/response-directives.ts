import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, inSeconds, notReused, reused, reusedFor, stale, TAG } from '../shapes.ts'

const FORBIDDEN: readonly (readonly [name: string, lines: string | readonly string[], says: string])[] = [
  ['no-store', 'no-store', 'no-store forbids storing (RFC 9111, 5.2.2.5)'],
  ['no-store-fresh', 'no-store, max-age=3600', 'no-store forbids storing beside max-age (RFC 9111, 5.2.2.5)'],
  ['no-store-any-case', 'max-age=3600, No-StOrE', 'no-store is read in any case (RFC 9111, 5.2)'],
  ['no-store-line', ['max-age=3600', 'no-store'], 'no-store counts on a line of its own (RFC 9110, 5.3)'],
  ['no-store-public', 'public, no-store, s-maxage=3600', 'no-store beats public and s-maxage (RFC 9111, 3)'],
  ['private', 'private', 'private forbids a shared cache to store (RFC 9111, 5.2.2.7)'],
  ['private-fresh', 'private, max-age=3600', 'private forbids storing beside max-age (RFC 9111, 5.2.2.7)'],
  ['private-public', 'public, private, max-age=3600', 'private beats public (RFC 9111, 3)'],
  ['private-s-maxage', 's-maxage=3600, private', 'private beats s-maxage (RFC 9111, 3)'],
]

const forbidden = ([name, lines, says]: (typeof FORBIDDEN)[number]): Behaviour => ({
  id: `reply-${name}`,
  kind: 'required',
  says: `${says}.`,
  steps: notReused({ 'Cache-Control': lines }),
})

/** What the directives of an answer permit. */
export const responseDirectives: Group = {
  name: 'response directives',
  behaviours: [
    ...FORBIDDEN.map(forbidden),
    {
      id: 'reply-no-store-expires',
      kind: 'required',
      says: 'no-store forbids storing beside Expires (RFC 9111, 5.2.2.5).',
      needs: ['expires-future'],
      steps: notReused({ Expires: inSeconds(3600), 'Cache-Control': 'no-store' }),
    },
    {
      id: 'reply-no-store-leaves-stored',
      kind: 'optimal',
      says: 'An answer with no-store takes nothing from another variant that is stored and fresh (RFC 9111, 5.2.2.5).',
      needs: ['vary-two-variants'],
      steps: [
        { request: { fields: { Tune: 'a' } }, answer: { fields: { 'Cache-Control': FRESH, Vary: 'Tune' } } },
        {
          request: { fields: { Tune: 'b' } },
          answer: { fields: { 'Cache-Control': 'no-store', Vary: 'Tune' } },
          expect: { from: 'origin' },
        },
        { request: { fields: { Tune: 'a' } }, expect: { from: 'cache', body: 1 } },
      ],
    },
    {
      id: 'reply-no-store-reload',
      kind: 'check',
      wanted: 'free',
      says: 'A reload that is answered with no-store leaves the fresh stored answer usable (RFC 9111, 5.2.2.5).',
      needs: ['ask-no-cache'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH } } },
        {
          request: { fields: { 'Cache-Control': 'no-cache' } },
          answer: { fields: { 'Cache-Control': 'no-store' } },
          expect: { from: 'origin' },
        },
        { expect: { from: 'cache', body: 1 } },
      ],
    },
    {
      id: 'reply-no-cache',
      kind: 'required',
      says: 'no-cache forbids reuse without validation even beside max-age (RFC 9111, 5.2.2.4).',
      steps: notReused({ 'Cache-Control': 'no-cache, max-age=3600' }),
    },
    {
      id: 'reply-no-cache-any-case',
      kind: 'required',
      says: 'no-cache is read in any case (RFC 9111, 5.2).',
      steps: notReused({ 'Cache-Control': 'max-age=3600, NO-CACHE' }),
    },
    {
      id: 'reply-no-cache-validated',
      kind: 'optimal',
      says: 'An answer with no-cache and a tag is stored and validated (RFC 9111, 5.2.2.4).',
      steps: [
        { answer: { fields: { 'Cache-Control': 'no-cache', ETag: TAG } } },
        {
          answer: { status: 304, fields: { 'Cache-Control': 'no-cache', ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1, origin: { fields: { 'If-None-Match': TAG } } },
        },
      ],
    },
    {
      id: 'reply-no-cache-fields',
      kind: 'check',
      wanted: 'yes',
      says: 'no-cache with names of fields permits reuse without those fields (RFC 9111, 5.2.2.4).',
      steps: reused(
        { 'Cache-Control': 'max-age=3600, no-cache="Tune, x-word"', Tune: 'a', 'X-Word': 'b', 'X-Other': 'c' },
        {},
        { absent: ['Tune', 'X-Word'], fields: { 'X-Other': 'c' } },
      ),
    },
    {
      id: 'reply-no-cache-empty',
      kind: 'check',
      wanted: 'no',
      says: 'An answer whose no-cache has an empty value is reused without validation (RFC 9111, 5.2.2.4).',
      steps: reused({ 'Cache-Control': 'max-age=3600, no-cache=""' }),
    },
    {
      id: 'reply-private-fields',
      kind: 'check',
      wanted: 'yes',
      says: 'private with names of fields permits reuse without those fields (RFC 9111, 5.2.2.7).',
      steps: [
        {
          answer: { fields: { 'Cache-Control': 'max-age=3600, private="Tune"', Tune: 'a', 'X-Other': 'c' } },
          expect: { from: 'origin', fields: { Tune: 'a' } },
        },
        { expect: { from: 'cache', absent: ['Tune'], fields: { 'X-Other': 'c' } } },
      ],
    },
    ...['private', 'no-cache'].map(
      (directive): Behaviour => ({
        id: `reply-${directive}-set-cookie`,
        kind: 'check',
        wanted: 'yes',
        says: `${directive} with Set-Cookie keeps cookies from everybody but the first (RFC 9111, 5.2.2.4 and 5.2.2.7).`,
        steps: [
          {
            answer: {
              fields: { 'Cache-Control': `${FRESH}, ${directive}="set-cookie"`, 'Set-Cookie': ['a=1', 'b=2'] },
            },
            expect: { from: 'origin', fields: { 'Set-Cookie': ['a=1', 'b=2'] } },
          },
          { expect: { from: 'cache', absent: ['Set-Cookie'] } },
        ],
      }),
    ),
    {
      id: 'reply-private-meanwhile',
      kind: 'required',
      says: 'A private answer is not shared with a request that came while it was made (RFC 9111, 4 and 5.2.2.7).',
      steps: [
        { answer: { delay: 0.5, fields: { 'Cache-Control': 'private, max-age=3600' } } },
        { meanwhile: true, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'reply-must-revalidate-fresh',
      kind: 'optimal',
      says: 'must-revalidate permits reuse while the answer is fresh (RFC 9111, 5.2.2.2).',
      steps: reused({ 'Cache-Control': 'must-revalidate, max-age=3600' }),
    },
    {
      id: 'reply-proxy-revalidate-fresh',
      kind: 'optimal',
      says: 'proxy-revalidate permits reuse while the answer is fresh (RFC 9111, 5.2.2.8).',
      steps: reused({ 'Cache-Control': 'proxy-revalidate, max-age=3600' }),
    },
    ...['must-revalidate', 'proxy-revalidate'].map(
      (directive): Behaviour => ({
        id: `reply-${directive}-stale`,
        kind: 'required',
        says: `${directive} forbids stale reuse even to a client that would take it (RFC 9111, 4.2.4).`,
        needs: ['ask-max-stale', `reply-${directive}-fresh`],
        steps: [
          { answer: { fields: stale(directive) } },
          { request: { fields: { 'Cache-Control': 'max-stale' } }, expect: { from: 'origin' } },
        ],
      }),
    ),
    {
      id: 'reply-s-maxage-stale',
      kind: 'required',
      says: 's-maxage forbids stale reuse as proxy-revalidate does (RFC 9111, 5.2.2.10).',
      needs: ['ask-max-stale'],
      steps: [
        { answer: { fields: stale('s-maxage=10') } },
        { request: { fields: { 'Cache-Control': 'max-stale' } }, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'reply-must-revalidate-validated',
      kind: 'optimal',
      says: 'A stale answer with must-revalidate is validated (RFC 9111, 5.2.2.2).',
      steps: [
        { answer: { fields: { ...stale('must-revalidate'), ETag: TAG } } },
        {
          answer: { status: 304, fields: { ETag: TAG } },
          expect: { from: 'validated', status: 200, body: 1 },
        },
      ],
    },
    {
      id: 'reply-public-no-lifetime',
      kind: 'required',
      says: 'public by itself gives no freshness (RFC 9111, 5.2.2.9 and 4.2.2).',
      steps: notReused({ 'Cache-Control': 'public' }),
    },
    {
      id: 'reply-immutable-no-lifetime',
      kind: 'required',
      says: 'immutable by itself gives no freshness (RFC 8246, 2).',
      steps: notReused({ 'Cache-Control': 'immutable' }),
    },
    {
      id: 'reply-immutable-reload',
      kind: 'check',
      wanted: 'yes',
      says: 'A fresh immutable answer is not validated for max-age=0 of a client (RFC 8246, 2).',
      needs: ['ask-max-age-zero'],
      steps: reusedFor(
        {},
        { fields: { 'Cache-Control': 'max-age=0' } },
        { 'Cache-Control': 'immutable, max-age=3600' },
      ),
    },
  ],
}
