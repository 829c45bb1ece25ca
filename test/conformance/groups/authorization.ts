import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, notReusedFor, reusedFor } from '../shapes.ts'

const ANN = { fields: { Authorization: 'Basic YW5uOmE=' } }
const BOB = { fields: { Authorization: 'Basic Ym9iOmI=' } }

const PERMITS: readonly (readonly [name: string, directives: string])[] = [
  ['public', 'public, max-age=3600'],
  ['must-revalidate', 'must-revalidate, max-age=3600'],
  ['s-maxage', 's-maxage=3600'],
]

const DOES_NOT: readonly (readonly [name: string, directives: string])[] = [
  ['proxy-revalidate', 'proxy-revalidate, max-age=3600'],
  ['immutable', 'immutable, max-age=3600'],
]

/** Answers to requests with credentials. */
export const authorization: Group = {
  name: 'Authorization',
  behaviours: [
    {
      id: 'credentials-same',
      kind: 'required',
      says: 'An answer to a request with credentials is not reused for the same ones (RFC 9111, 3.5).',
      steps: notReusedFor(ANN, ANN, { 'Cache-Control': FRESH }),
    },
    {
      id: 'credentials-other',
      kind: 'required',
      says: 'An answer to a request with credentials is not reused for others (RFC 9111, 3.5).',
      steps: notReusedFor(ANN, BOB, { 'Cache-Control': FRESH }),
    },
    {
      id: 'credentials-none',
      kind: 'required',
      says: 'An answer to a request with credentials is not reused for a request without (RFC 9111, 3.5).',
      steps: notReusedFor(ANN, {}, { 'Cache-Control': FRESH }),
    },
    ...PERMITS.map(
      ([name, directives]): Behaviour => ({
        id: `credentials-${name}`,
        kind: 'optimal',
        says: `${name} permits to reuse an answer to a request with credentials (RFC 9111, 3.5).`,
        needs: ['credentials-other'],
        steps: reusedFor(ANN, BOB, { 'Cache-Control': directives }),
      }),
    ),
    ...DOES_NOT.map(
      ([name, directives]): Behaviour => ({
        id: `credentials-${name}`,
        kind: 'required',
        says: `${name} does not permit to reuse an answer to a request with credentials (RFC 9111, 3.5).`,
        needs: ['credentials-public'],
        steps: notReusedFor(ANN, BOB, { 'Cache-Control': directives }),
      }),
    ),
    {
      id: 'credentials-passed-on',
      kind: 'required',
      says: 'Credentials reach the origin as they are (RFC 9110, 11.6.2).',
      steps: [
        {
          request: ANN,
          answer: { fields: { 'Cache-Control': FRESH } },
          expect: { from: 'origin', origin: { fields: ANN.fields } },
        },
        { request: BOB, expect: { from: 'origin', origin: { fields: BOB.fields } } },
      ],
    },
    {
      id: 'credentials-later',
      kind: 'check',
      wanted: 'yes',
      says: 'An answer to a request without credentials is reused for one with some (RFC 9111, 3.5 permits it).',
      steps: reusedFor({}, ANN, { 'Cache-Control': FRESH }),
    },
  ],
}
