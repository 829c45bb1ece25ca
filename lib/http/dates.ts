import { trimOws } from './fields.ts'

/**
 * Read an HTTP-date (RFC 9110 s. 5.6.7): epoch ms, or undefined for anything that is not exactly one of the three forms.
 * `now` (epoch ms) is what the two-digit years of RFC 850 are relative to; without a usable one they are not dates.
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const value = trimOws(text)
  // No form is shorter than 24 or longer than 33 characters.
  if (value.length < 24 || value.length > 33) return undefined
  if (value === lastText) return lastSecond * 1000
  const imf = IMF_FIXDATE.exec(value)
  if (imf !== null) return instant(Number(imf[3]), imf[2], imf[1], imf, 4)
  const asctime = ASCTIME.exec(value)
  // DAT-3: asctime has no zone and is UTC.
  if (asctime !== null) return instant(Number(asctime[6]), asctime[1], asctime[2], asctime, 3)
  const rfc850 = RFC_850.exec(value)
  return rfc850 === null ? undefined : shortYearInstant(rfc850, now)
}

/** Write an instant (epoch ms) as IMF-fixdate, the only form that is generated (RFC 9110 s. 5.6.7). */
export function formatHttpDate(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toUTCString()
    lastSecond = second
  }
  return lastText
}

// One answer after the other is dated with the same second.
let lastSecond: number = Number.NaN
let lastText = ''

const MONTHS: readonly string[] = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')

// DAT-5: without case. DAT-8: any day name will do, DAT-6: no other zone. Every quantifier is fixed: linear time.
const MONTH = MONTHS.join('|')
const DAY = 'mon|tue|wed|thu|fri|sat|sun'
const LONG_DAY = 'monday|tuesday|wednesday|thursday|friday|saturday|sunday'
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
const IMF_FIXDATE = new RegExp(`^(?:${DAY}), (\\d\\d) (${MONTH}) (\\d{4}) ${TIME} gmt$`, 'i')
const RFC_850 = new RegExp(`^(?:${LONG_DAY}), (\\d\\d)-(${MONTH})-(\\d\\d) ${TIME} gmt$`, 'i')
const ASCTIME = new RegExp(`^(?:${DAY}) (${MONTH}) (\\d\\d| \\d) ${TIME} (\\d{4})$`, 'i')

/** Beyond this `Date` knows no year. */
const LAST_INSTANT = 8.64e15

/** DAT-2: the future, unless that is more than 50 years ahead; then the latest past year with the same digits. */
function shortYearInstant(match: RegExpExecArray, now: number): number | undefined {
  if (!(Math.abs(now) < LAST_INSTANT / 2)) return undefined
  const today = new Date(now)
  const thisYear = today.getUTCFullYear()
  const digits = Number(match[3])
  const century = thisYear - (((thisYear % 100) + 100) % 100)
  const year = century + digits < thisYear ? century + digits + 100 : century + digits
  const limit = today.setUTCFullYear(thisYear + 50)
  const ahead = instant(year, match[2], match[1], match, 4)
  // A 29 February may exist in one of the two centuries only.
  if (ahead === undefined && year <= thisYear + 50) return undefined
  return ahead !== undefined && ahead <= limit ? ahead : instant(year - 100, match[2], match[1], match, 4)
}

/** The instant, if that calendar day and time exist; hour, minute and second are the groups from `at` on. */
function instant(
  year: number,
  monthName: string | undefined,
  dayText: string | undefined,
  match: RegExpExecArray,
  at: number,
): number | undefined {
  const month = MONTHS.indexOf((monthName ?? '').toLowerCase())
  const day = Number(dayText)
  const hour = Number(match[at])
  const minute = Number(match[at + 1])
  const second = Number(match[at + 2])
  // DAT-7: a leap second is one.
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const date = new Date(0)
  // Unlike Date.UTC this takes the years 0 to 99 as they are.
  date.setUTCFullYear(year, month, day)
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined
  return date.setUTCHours(hour, minute, second)
}
