import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, notReused, reused, TAG } from '../shapes.ts'

const STATUSES = [
  200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 405, 410, 414, 499, 500, 501, 502, 503, 504, 599,
]
/** RFC 6585, sections 3 to 6. */
const NEVER = [428, 429, 431, 511]
/** What they say hangs on parts of the request that no key has. */
const OF_THE_REQUEST = [408, 412, 416, 417, 421, 425, 426]

/** Which statuses are stored. */
export const statusCodes: Group = {
  name: 'status codes',
  behaviours: [
    ...STATUSES.map(
      (status): Behaviour => ({
        id: `status-fresh-${status}`,
        kind: 'optimal',
        says: `A ${status} with explicit freshness is reused (RFC 9111, 3).`,
        steps: reused({ 'Cache-Control': FRESH }, { status }),
      }),
    ),
    ...STATUSES.map(
      (status): Behaviour => ({
        id: `status-stale-${status}`,
        kind: 'required',
        says: `A stale ${status} is not reused (RFC 9111, 4.2).`,
        needs: [`status-fresh-${status}`],
        steps: notReused({ 'Cache-Control': FRESH, Age: '7200' }, { status }),
      }),
    ),
    ...NEVER.map(
      (status): Behaviour => ({
        id: `status-never-${status}`,
        kind: 'required',
        says: `A ${status} is never stored, whatever it says (RFC 6585).`,
        needs: ['status-fresh-499'],
        steps: notReused({ 'Cache-Control': `public, ${FRESH}` }, { status }),
      }),
    ),
    ...OF_THE_REQUEST.map(
      (status): Behaviour => ({
        id: `status-of-request-${status}`,
        kind: 'check',
        wanted: 'no',
        says: `A ${status} with explicit freshness is reused (RFC 9111, 3 permits it; it is about one request).`,
        needs: ['status-fresh-499'],
        steps: reused({ 'Cache-Control': FRESH }, { status, always: true }),
      }),
    ),
    {
      id: 'status-304-not-stored',
      kind: 'required',
      says: 'A 304 that a client has asked for answers no request without a condition (RFC 9111, 3).',
      steps: [
        {
          request: { fields: { 'If-None-Match': TAG } },
          answer: {
            status: 304,
            fields: { 'Cache-Control': FRESH, ETag: TAG },
            otherwise: { fields: { 'Cache-Control': FRESH, ETag: TAG }, body: 'whole' },
          },
          expect: { status: 304 },
        },
        { expect: { status: 200, body: 'whole' } },
      ],
    },
    {
      id: 'status-must-understand',
      kind: 'optimal',
      says: 'must-understand lifts no-store for a status that the cache understands (RFC 9111, 5.2.2.3).',
      needs: ['reply-no-store-fresh'],
      steps: reused({ 'Cache-Control': `must-understand, no-store, ${FRESH}` }),
    },
    {
      id: 'status-must-understand-unknown',
      kind: 'required',
      says: 'must-understand forbids storing a status that nobody knows (RFC 9111, 5.2.2.3).',
      needs: ['status-fresh-599'],
      steps: notReused({ 'Cache-Control': `must-understand, ${FRESH}` }, { status: 599 }),
    },
    {
      id: 'status-must-understand-unknown-no-store',
      kind: 'required',
      says: 'must-understand does not lift no-store for a status that nobody knows (RFC 9111, 5.2.2.3).',
      needs: ['status-must-understand'],
      steps: notReused({ 'Cache-Control': `must-understand, no-store, ${FRESH}` }, { status: 599 }),
    },
    {
      id: 'status-redirect-location',
      kind: 'required',
      says: 'A stored redirect leads where it led (RFC 9111, 3.1).',
      needs: ['status-fresh-301'],
      steps: reused(
        { 'Cache-Control': FRESH, Location: 'http://other.example/there' },
        { status: 301 },
        { status: 301, fields: { Location: 'http://other.example/there' } },
      ),
    },
  ],
}
