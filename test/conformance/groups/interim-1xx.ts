import type { Behaviour, Fields, Group } from '../behaviour.ts'
import { FRESH } from '../shapes.ts'

const INTERIM: readonly (readonly [status: number, fields: Fields])[] = [
  [102, {}],
  [103, { Link: '</style.css>; rel=preload', 'X-Hint': 'early' }],
]

const passes = ([status, fields]: (typeof INTERIM)[number]): readonly Behaviour[] => [
  {
    id: `interim-${status}`,
    kind: 'optimal',
    says: `A ${status} of the origin is passed on (RFC 9110, 15.2).`,
    needs: [`interim-${status}-stored`],
    steps: [
      {
        answer: { interim: [{ status, fields }], delay: 0.1, fields: { 'Cache-Control': FRESH } },
        expect: { from: 'origin', status: 200, interim: [status] },
      },
    ],
  },
  {
    id: `interim-${status}-stored`,
    kind: 'optimal',
    says: `An answer after a ${status} is reused (RFC 9111, 3).`,
    steps: [
      { answer: { interim: [{ status, fields }], fields: { 'Cache-Control': FRESH } } },
      { expect: { from: 'cache', status: 200, body: 1 } },
    ],
  },
  {
    id: `interim-${status}-not-replayed`,
    kind: 'required',
    says: `A reused answer brings no ${status} and none of its fields (RFC 9111, 3; RFC 9110, 15.2).`,
    needs: [`interim-${status}-stored`],
    steps: [
      {
        answer: { interim: [{ status, fields }], fields: { 'Cache-Control': FRESH } },
        expect: { from: 'origin', status: 200, absent: Object.keys(fields) },
      },
      { expect: { from: 'cache', interim: [], absent: Object.keys(fields) } },
    ],
  },
]

/** What comes before the answer. */
export const interim1xx: Group = {
  name: 'interim 1xx',
  behaviours: [
    ...INTERIM.flatMap(passes),
    {
      id: 'interim-several',
      kind: 'optimal',
      says: 'Several interim answers are passed on in their order (RFC 9110, 15.2).',
      steps: [
        {
          answer: {
            interim: [
              { status: 103, fields: { Link: '</a.css>; rel=preload' } },
              { status: 102 },
              { status: 103, fields: { Link: '</b.css>; rel=preload' } },
            ],
            fields: { 'Cache-Control': FRESH },
          },
          expect: { from: 'origin', status: 200, interim: [103, 102, 103] },
        },
      ],
    },
    {
      id: 'interim-continue',
      kind: 'optimal',
      says: 'A client that expects 100 gets its answer (RFC 9110, 10.1.1).',
      steps: [
        {
          request: { method: 'POST', body: 'a=1', fields: { Expect: '100-continue' } },
          answer: {},
          expect: { from: 'origin', status: 200, origin: { method: 'POST', body: 'a=1' } },
        },
      ],
    },
  ],
}
