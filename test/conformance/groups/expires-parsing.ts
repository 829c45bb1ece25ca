import type { Behaviour, Group } from '../behaviour.ts'
import { asctimeDate, imfDate, rfc850Date } from '../dates.ts'
import { inSeconds, notReused, reused } from '../shapes.ts'

/** A day of two digits, a month and an hour of which some forms make less, far ahead. */
const AHEAD = Date.UTC(2049, 10, 17, 8, 5, 42)
const MODERN = imfDate(AHEAD)
const FIFTY_YEARS = 50 * 365.25 * 86_400

const NOT_DATES: readonly (readonly [name: string, value: string, says: string])[] = [
  ['utc', MODERN.replace('GMT', 'UTC'), 'UTC in place of GMT'],
  ['other-zone', MODERN.replace('GMT', 'CEST'), 'another zone'],
  ['offset', MODERN.replace('GMT', '+0000'), 'a numeric offset'],
  ['no-zone', MODERN.replace(' GMT', ''), 'no zone in the modern form'],
  ['two-digit-year', MODERN.replace('2049', '49'), 'two digits of a year in the modern form'],
  ['no-comma', MODERN.replace(',', ''), 'no comma behind the weekday'],
  ['double-space', MODERN.replaceAll(' ', '  '), 'doubled spaces'],
  ['dashes', MODERN.replace('17 Nov 2049', '17-Nov-2049'), 'dashes in the modern form'],
  ['dots', MODERN.replaceAll(':', '.'), 'dots in the time'],
  ['short-hour', MODERN.replace(' 08:', ' 8:'), 'an hour of one digit'],
  ['no-seconds', MODERN.replace(':42', ''), 'no seconds'],
  ['no-weekday', MODERN.replace(/^\w+, /, ''), 'no weekday'],
  ['day-that-is-none', MODERN.replace('17 Nov', '31 Nov'), 'a day that the month does not have'],
  ['iso', new Date(AHEAD).toISOString(), 'the form of ISO 8601'],
  ['epoch', String(AHEAD / 1_000), 'a count of seconds'],
]

const notDate = ([name, value, says]: (typeof NOT_DATES)[number]): Behaviour => ({
  id: `date-${name}`,
  kind: 'required',
  says: `A date with ${says} is none, so the answer has expired (RFC 9111, 5.3 and 4.2; RFC 9110, 5.6.7).`,
  needs: ['expires-future'],
  steps: notReused({ Expires: value }),
})

const DATES: readonly (readonly [name: string, value: string, says: string])[] = [
  ['rfc850', rfc850Date(AHEAD), 'The form of RFC 850 is a date'],
  ['asctime', asctimeDate(AHEAD), 'The form of asctime is a date'],
  ['asctime-day-of-one-digit', asctimeDate(Date.UTC(2049, 10, 7, 8, 5, 42)), 'A day of one digit in asctime is padded'],
  ['beyond-2038', imfDate(Date.UTC(2038, 0, 20, 12)), 'A date beyond 31 bits of seconds is a date'],
  ['beyond-2286', imfDate(Date.UTC(2286, 11, 1, 12)), 'A date beyond ten digits of seconds is a date'],
  ['small-letters', MODERN.toLowerCase(), 'Weekday, month and zone may be in small letters'],
  ['capitals', MODERN.toUpperCase(), 'Weekday, month and zone may be in capitals'],
  ['leap-second', MODERN.replace(':05:42', ':59:60'), 'A leap second is a second'],
]

const date = ([name, value, says]: (typeof DATES)[number]): Behaviour => ({
  id: `date-${name}`,
  kind: 'optimal',
  says: `${says} (RFC 9110, 5.6.7; RFC 9111, 4.2).`,
  steps: reused({ Expires: value }),
})

/** What is a date. */
export const expiresParsing: Group = {
  name: 'Expires parsing',
  behaviours: [
    ...NOT_DATES.map(notDate),
    ...DATES.map(date),
    {
      id: 'date-two-digits-ahead',
      kind: 'optimal',
      says: 'Two digits of a year that may lie within the next 50 years do (RFC 9110, 5.6.7).',
      steps: reused({ Expires: inSeconds(0.9 * FIFTY_YEARS, 'rfc850') }),
    },
    {
      id: 'date-two-digits-past',
      kind: 'required',
      says: 'Two digits of a year that would lie more than 50 years ahead are a past year (RFC 9110, 5.6.7).',
      needs: ['date-rfc850'],
      steps: notReused({ Expires: inSeconds(1.1 * FIFTY_YEARS, 'rfc850') }),
    },
    {
      id: 'date-wrong-weekday',
      kind: 'check',
      wanted: 'yes',
      says: 'A wrong weekday does not make a date invalid (RFC 9110, 5.6.7 does not say).',
      steps: reused({ Expires: MODERN.replace(/^\w+/, MODERN.startsWith('Mon') ? 'Tue' : 'Mon') }),
    },
  ],
}
