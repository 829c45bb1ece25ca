import type { Behaviour, FieldValue, Group } from '../behaviour.ts'
import { asctimeDate, imfDate, rfc850Date } from '../dates.ts'
import { FRESH, inSeconds } from '../shapes.ts'

const MODIFIED = Date.UTC(2016, 2, 9, 14, 30)
const DAY_MS = 86_400_000

interface Row {
  readonly name: string
  readonly since: FieldValue
  readonly status: 200 | 304
  readonly says: string
}

const ROWS: readonly Row[] = [
  { name: 'equal', since: imfDate(MODIFIED), status: 304, says: 'the date of the modification' },
  { name: 'later', since: imfDate(MODIFIED + DAY_MS), status: 304, says: 'a later date' },
  { name: 'now', since: inSeconds(0), status: 304, says: 'the present' },
  { name: 'earlier', since: imfDate(MODIFIED - DAY_MS), status: 200, says: 'an earlier date' },
  { name: 'rfc850', since: rfc850Date(MODIFIED), status: 304, says: 'the date in the form of RFC 850' },
  { name: 'asctime', since: asctimeDate(MODIFIED), status: 304, says: 'the date in the form of asctime' },
  { name: 'invalid', since: 'yesterday', status: 200, says: 'what is no date' },
]

const row = ({ name, since, status, says }: Row): Behaviour => ({
  id: `since-${name}`,
  kind: 'optimal',
  says: `A fresh stored answer is a ${status} to a request with ${says} (RFC 9111, 4.3.2; RFC 9110, 13.1.3).`,
  ...(status === 304 ? {} : { needs: ['since-equal'] }),
  steps: [
    { answer: { fields: { 'Cache-Control': FRESH, 'Last-Modified': imfDate(MODIFIED) } } },
    {
      request: { fields: { 'If-Modified-Since': since } },
      expect: { from: 'cache', status, body: status === 304 ? '' : 1 },
    },
  ],
})

/** Conditions by date, judged by the cache. */
export const ifModifiedSince: Group = {
  name: 'If-Modified-Since',
  behaviours: [
    ...ROWS.map(row),
    {
      id: 'since-date',
      kind: 'check',
      wanted: 'yes',
      says: 'Without Last-Modified the Date of the stored answer is compared (RFC 9111, 4.3.2).',
      needs: ['since-equal'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, Date: inSeconds(-60) } } },
        {
          request: { fields: { 'If-Modified-Since': inSeconds(0) } },
          expect: { from: 'cache', status: 304, body: '' },
        },
      ],
    },
    {
      id: 'since-stale',
      kind: 'optimal',
      says: 'A stale answer is validated with its own date, verbatim (RFC 9111, 4.3.1).',
      steps: [
        { answer: { fields: { 'Cache-Control': 'max-age=10', Age: '20', 'Last-Modified': rfc850Date(MODIFIED) } } },
        {
          answer: { status: 304, fields: { 'Last-Modified': rfc850Date(MODIFIED) } },
          expect: {
            from: 'validated',
            status: 200,
            body: 1,
            origin: { fields: { 'If-Modified-Since': rfc850Date(MODIFIED) } },
          },
        },
      ],
    },
    {
      id: 'since-not-on-404',
      kind: 'required',
      says: 'A condition is no question to a stored 404 (RFC 9110, 13.2.1; RFC 9111, 4.3.2).',
      needs: ['since-equal', 'status-fresh-404'],
      steps: [
        { answer: { status: 404, fields: { 'Cache-Control': FRESH, 'Last-Modified': imfDate(MODIFIED) } } },
        { request: { fields: { 'If-Modified-Since': imfDate(MODIFIED) } }, expect: { from: 'cache', status: 404 } },
      ],
    },
  ],
}
