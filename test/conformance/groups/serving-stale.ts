import type { Behaviour, Group, OriginAnswer } from '../behaviour.ts'
import { FRESH, stale, TAG } from '../shapes.ts'

const FAILURES: readonly (readonly [name: string, answer: OriginAnswer])[] = [
  ['500', { status: 500 }],
  ['502', { status: 502 }],
  ['503', { status: 503 }],
  ['504', { status: 504 }],
  ['closed', { closes: true }],
]

const PROHIBITIONS: readonly (readonly [directive: string, section: string])[] = [
  ['must-revalidate', '5.2.2.2'],
  ['proxy-revalidate', '5.2.2.8'],
  ['s-maxage=10', '5.2.2.10'],
  ['no-cache', '5.2.2.4'],
]

const onError = ([name, answer]: (typeof FAILURES)[number]): Behaviour => ({
  id: `stale-if-error-${name}`,
  kind: 'optimal',
  says: `Within stale-if-error a stale answer stands in for ${name === 'closed' ? 'a connection that fails' : `a ${name}`} (RFC 5861, 4).`,
  steps: [
    { answer: { fields: stale('stale-if-error=3600') } },
    {
      answer,
      expect: { from: 'cache', behind: true, status: 200, body: 1, fields: { Age: { atLeast: 20 } } },
    },
  ],
})

const forbiddenOnError = ([directive, section]: (typeof PROHIBITIONS)[number]): readonly Behaviour[] => {
  const name = directive.replace('=10', '')
  return [
    {
      id: `stale-never-${name}-503`,
      kind: 'required',
      says: `${name} forbids that a stale answer stands in for a 503 (RFC 9111, 4.2.4 and ${section}).`,
      needs: ['stale-if-error-503'],
      steps: [
        { answer: { fields: stale(`${directive}, stale-if-error=3600`) } },
        { answer: { status: 503 }, expect: { from: 'origin', status: 503 } },
      ],
    },
    {
      id: `stale-never-${name}-closed`,
      kind: 'required',
      says: `${name} forbids that a stale answer stands in for a failed connection (RFC 9111, 4.2.4 and ${section}).`,
      needs: ['stale-when-closed'],
      steps: [
        { answer: { fields: stale(directive) } },
        { answer: { closes: true }, expect: { status: [500, 502, 503, 504], bodyIsNot: 1 } },
      ],
    },
  ]
}

/** When a stale answer is better than none, and when it is not. */
export const servingStale: Group = {
  name: 'serving stale',
  behaviours: [
    ...FAILURES.map(onError),
    ...PROHIBITIONS.flatMap(forbiddenOnError),
    {
      id: 'stale-when-closed',
      kind: 'check',
      wanted: 'yes',
      says: 'A stale answer that nothing forbids stands in for a failed connection (RFC 9111, 4.2.4).',
      steps: [
        { answer: { fields: stale() } },
        { answer: { closes: true }, expect: { from: 'cache', behind: true, status: 200, body: 1 } },
      ],
    },
    {
      id: 'stale-when-503',
      kind: 'check',
      wanted: 'free',
      says: 'A stale answer that nothing forbids stands in for a 503 (RFC 9111, 4.3.3).',
      steps: [
        { answer: { fields: stale() } },
        { answer: { status: 503 }, expect: { from: 'cache', behind: true, status: 200, body: 1 } },
      ],
    },
    {
      id: 'stale-if-error-over',
      kind: 'required',
      says: 'Past stale-if-error the failure is passed on (RFC 5861, 4).',
      needs: ['stale-if-error-503'],
      steps: [
        { answer: { fields: stale('stale-if-error=5', 100) } },
        { answer: { status: 503 }, expect: { from: 'origin', status: 503 } },
      ],
    },
    {
      id: 'stale-if-error-404',
      kind: 'required',
      says: 'Within stale-if-error a 404 is passed on: it is no failure (RFC 5861, 4).',
      needs: ['stale-if-error-503'],
      steps: [
        { answer: { fields: stale('stale-if-error=3600') } },
        { answer: { status: 404 }, expect: { from: 'origin', status: 404 } },
      ],
    },
    {
      id: 'stale-if-error-501',
      kind: 'check',
      wanted: 'no',
      says: 'Within stale-if-error a stale answer stands in for a 501 (RFC 5861, 4 names four statuses).',
      needs: ['stale-if-error-503'],
      steps: [
        { answer: { fields: stale('stale-if-error=3600') } },
        { answer: { status: 501 }, expect: { from: 'cache', behind: true, status: 200 } },
      ],
    },
    {
      id: 'stale-if-error-asked',
      kind: 'check',
      wanted: 'yes',
      says: 'A client may permit a stale answer in place of a failure (RFC 5861, 4).',
      steps: [
        { answer: { fields: stale() } },
        {
          request: { fields: { 'Cache-Control': 'stale-if-error=3600' } },
          answer: { status: 503 },
          expect: { from: 'cache', behind: true, status: 200, body: 1 },
        },
      ],
    },
    {
      id: 'stale-if-error-no-warning',
      kind: 'check',
      wanted: 'no',
      says: 'A stale answer in place of a failure has a Warning (RFC 9111, 5.5: obsolete).',
      needs: ['stale-if-error-503'],
      steps: [
        { answer: { fields: stale('stale-if-error=3600') } },
        { answer: { status: 503 }, expect: { status: 200, fields: { Warning: /./ } } },
      ],
    },
    {
      id: 'stale-error-stored',
      kind: 'check',
      wanted: 'no',
      says: 'A stored stale error stands in for a failed connection (RFC 9111, 4.2.4).',
      needs: ['stale-when-closed', 'status-fresh-500'],
      steps: [
        { answer: { status: 500, fields: stale('stale-if-error=3600') } },
        { answer: { closes: true }, expect: { from: 'cache', behind: true, body: 1 } },
      ],
    },
    {
      id: 'stale-error-not-stored',
      kind: 'required',
      says: 'An error without explicit freshness is not stored, so the next request gets through (RFC 9111, 3).',
      steps: [{ answer: { status: 503 } }, { answer: {}, expect: { from: 'origin', status: 200 } }],
    },
    {
      id: 'stale-failure-not-stored',
      kind: 'required',
      says: 'A failed connection is not remembered as an answer (RFC 9111, 3).',
      steps: [
        { answer: { closes: true }, expect: { status: [500, 502, 503, 504] } },
        { answer: { fields: { 'Cache-Control': FRESH } }, expect: { from: 'origin', status: 200 } },
      ],
    },
    {
      id: 'stale-while',
      kind: 'optimal',
      says: 'Within stale-while-revalidate a stale answer is served at once (RFC 5861, 3).',
      steps: [
        { answer: { fields: stale('stale-while-revalidate=3600') } },
        {
          answer: { delay: 0.5, fields: { 'Cache-Control': FRESH } },
          expect: { from: 'cache', behind: true, status: 200, body: 1, fields: { Age: { atLeast: 20 } } },
        },
      ],
    },
    {
      id: 'stale-while-refreshes',
      kind: 'optimal',
      says: 'A stale answer that was served at once is refreshed behind it (RFC 5861, 3).',
      needs: ['stale-while'],
      steps: [
        { answer: { fields: stale('stale-while-revalidate=3600') } },
        {
          answer: { fields: { 'Cache-Control': FRESH } },
          expect: { from: 'cache', behind: true, body: 1 },
        },
        { wait: 1.5, expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'stale-while-refreshes-once',
      kind: 'optimal',
      says: 'One refresh behind is enough for several stale answers (RFC 5861, 5).',
      needs: ['stale-while-refreshes'],
      steps: [
        { answer: { fields: stale('stale-while-revalidate=3600') } },
        {
          answer: { delay: 1.5, fields: { 'Cache-Control': FRESH } },
          expect: { from: 'cache', behind: true, body: 1, origin: { requests: 1 } },
        },
        { meanwhile: true, expect: { from: 'cache', body: 1, origin: { requests: 0 } } },
        { wait: 2, expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'stale-while-validates',
      kind: 'optimal',
      says: 'The refresh behind a stale answer validates it, and a 304 makes it fresh (RFC 5861, 3; RFC 9111, 4.3.4).',
      needs: ['stale-while'],
      steps: [
        { answer: { fields: { ...stale('stale-while-revalidate=3600'), ETag: TAG } } },
        {
          answer: { status: 304, fields: { 'Cache-Control': FRESH, ETag: TAG } },
          expect: { from: 'cache', behind: true, status: 200, body: 1 },
        },
        { wait: 1.5, expect: { from: 'cache', status: 200, body: 1, fields: { 'Cache-Control': FRESH } } },
      ],
    },
    {
      id: 'stale-while-vary',
      kind: 'required',
      says: 'The refresh behind a stale answer has the fields that Vary names, as the stored one had (RFC 9111, 4.3.1).',
      needs: ['stale-while-refreshes', 'vary-other'],
      steps: [
        {
          request: { fields: { Tune: 'a' } },
          answer: { fields: { ...stale('stale-while-revalidate=3600'), Vary: 'Tune' } },
        },
        {
          request: { fields: { Tune: 'a' } },
          answer: { fields: { 'Cache-Control': FRESH, Vary: 'Tune' } },
          expect: { from: 'cache', behind: true, body: 1, origin: { requests: 1, fields: { Tune: 'a' } } },
        },
        { wait: 1.5, request: { fields: { Tune: 'a' } }, expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'stale-while-over',
      kind: 'required',
      says: 'Past stale-while-revalidate a stale answer is not served (RFC 5861, 3).',
      needs: ['stale-while'],
      steps: [{ answer: { fields: stale('stale-while-revalidate=5', 100) } }, { expect: { from: 'origin' } }],
    },
    {
      id: 'stale-while-must-revalidate',
      kind: 'required',
      says: 'must-revalidate forbids stale reuse within stale-while-revalidate (RFC 9111, 4.2.4).',
      needs: ['stale-while'],
      steps: [
        { answer: { fields: stale('must-revalidate, stale-while-revalidate=3600') } },
        { expect: { from: 'origin' } },
      ],
    },
    {
      id: 'stale-while-no-cache',
      kind: 'required',
      says: 'no-cache forbids reuse within stale-while-revalidate (RFC 9111, 5.2.2.4).',
      needs: ['stale-while'],
      steps: [{ answer: { fields: stale('no-cache, stale-while-revalidate=3600') } }, { expect: { from: 'origin' } }],
    },
    {
      id: 'stale-while-s-maxage',
      kind: 'check',
      wanted: 'no',
      says: 'stale-while-revalidate beside s-maxage permits stale reuse (RFC 9111, 5.2.2.10: it does not).',
      needs: ['stale-while'],
      steps: [
        { answer: { fields: stale('s-maxage=10, stale-while-revalidate=3600') } },
        { expect: { from: 'cache', behind: true } },
      ],
    },
    {
      id: 'stale-while-asked-fresh',
      kind: 'check',
      wanted: 'yes',
      says: 'A client that gives a max-age is not served stale (RFC 9111, 5.2.1.1).',
      needs: ['stale-while'],
      steps: [
        { answer: { fields: stale('stale-while-revalidate=3600') } },
        { request: { fields: { 'Cache-Control': 'max-age=3600' } }, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'stale-while-then-no-store',
      kind: 'required',
      says: 'A refresh that is answered with no-store ends the reuse of what is stored (RFC 9111, 4.3.3).',
      needs: ['stale-while-refreshes'],
      steps: [
        { answer: { fields: { ...stale('stale-while-revalidate=3600'), ETag: TAG } } },
        {
          answer: { fields: { 'Cache-Control': 'no-store' } },
          expect: { from: 'cache', behind: true, body: 1, origin: { requests: 1 } },
        },
        { wait: 1.5, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'stale-while-no-warning',
      kind: 'check',
      wanted: 'no',
      says: 'An answer within stale-while-revalidate has a Warning (RFC 9111, 5.5: obsolete).',
      needs: ['stale-while'],
      steps: [
        { answer: { fields: stale('stale-while-revalidate=3600') } },
        { expect: { behind: true, fields: { Warning: /./ } } },
      ],
    },
  ],
}
