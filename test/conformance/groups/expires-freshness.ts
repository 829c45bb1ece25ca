import type { Group } from '../behaviour.ts'
import { inSeconds, notReused, reused } from '../shapes.ts'

/** How long an answer is fresh by its Expires. */
export const expiresFreshness: Group = {
  name: 'Expires freshness',
  behaviours: [
    {
      id: 'expires-future',
      kind: 'optimal',
      says: 'An answer is reused before it expires (RFC 9111, 5.3).',
      steps: reused({ Expires: inSeconds(3600) }),
    },
    {
      id: 'expires-past',
      kind: 'required',
      says: 'An answer that has expired is not reused (RFC 9111, 5.3).',
      needs: ['expires-future'],
      steps: notReused({ Expires: inSeconds(-3600) }),
    },
    {
      id: 'expires-equals-date',
      kind: 'required',
      says: 'An answer that expires at its Date is stale at once (RFC 9111, 4.2.1).',
      needs: ['expires-future'],
      steps: notReused({ Date: inSeconds(0), Expires: inSeconds(0) }),
    },
    {
      id: 'expires-before-date',
      kind: 'required',
      says: 'An answer that expires before its Date is stale although both lie ahead (RFC 9111, 4.2.1).',
      needs: ['expires-future'],
      steps: notReused({ Date: inSeconds(7200), Expires: inSeconds(3600) }),
    },
    {
      id: 'expires-age-counts',
      kind: 'required',
      says: 'Age is held against the time from Date to Expires (RFC 9111, 4.2.1 and 4.2.3).',
      needs: ['expires-future'],
      steps: notReused({ Expires: inSeconds(3600), Age: '7200' }),
    },
    {
      id: 'expires-age-leaves-rest',
      kind: 'optimal',
      says: 'An answer with an Age below the time from Date to Expires is reused (RFC 9111, 4.2.1 and 4.2.3).',
      steps: reused({ Expires: inSeconds(3600), Age: '1800' }),
    },
    {
      id: 'expires-zero',
      kind: 'required',
      says: 'Expires: 0 means that the answer has expired (RFC 9111, 5.3).',
      needs: ['expires-future'],
      steps: notReused({ Expires: '0' }),
    },
    {
      id: 'expires-word',
      kind: 'required',
      says: 'An Expires that is no date means that the answer has expired (RFC 9111, 5.3).',
      needs: ['expires-future'],
      steps: notReused({ Expires: 'tomorrow' }),
    },
    {
      id: 'expires-without-date',
      kind: 'optimal',
      says: 'Without a Date the lifetime counts from receipt (RFC 9111, 4.2.1; RFC 9110, 6.6.1).',
      steps: reused({ Date: null, Expires: inSeconds(3600) }),
    },
    {
      id: 'expires-past-without-date',
      kind: 'required',
      says: 'Without a Date an Expires in the past is over (RFC 9111, 4.2.1; RFC 9110, 6.6.1).',
      needs: ['expires-without-date'],
      steps: notReused({ Date: null, Expires: inSeconds(-60) }),
    },
    {
      id: 'expires-broken-date',
      kind: 'optimal',
      says: 'With a Date that is none the lifetime counts from receipt (RFC 9110, 6.6.1).',
      steps: reused({ Date: 'today', Expires: inSeconds(3600) }),
    },
    {
      id: 'expires-past-broken-date',
      kind: 'required',
      says: 'With a Date that is none an Expires in the past is over (RFC 9110, 6.6.1).',
      needs: ['expires-broken-date'],
      steps: notReused({ Date: 'today', Expires: inSeconds(-60) }),
    },
    {
      id: 'expires-two-lines',
      kind: 'check',
      wanted: 'no',
      says: 'Of two Expires lines the later date counts (RFC 9111, 5.3: an invalid value means expired).',
      needs: ['expires-future'],
      steps: reused({ Expires: [inSeconds(-3600), inSeconds(3600)] }),
    },
  ],
}
