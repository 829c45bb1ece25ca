import { CacheError, show } from './errors.ts'

/**
 * How long something lives: a string (`'30s'`, `'5m'`, `'1h30m'`, `'1d'`) or a number of seconds. In options that end in
 * `Ms` a number counts ms.
 */
export type Duration = number | string

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Ms per unit, the largest first: the order in which the parts of a duration are written. */
const UNITS = { y: 365 * DAY, w: 7 * DAY, d: DAY, h: HOUR, m: MINUTE, s: SECOND, ms: 1 } as const

const PARTS = /^(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+$/
const PART = /(\d+(?:\.\d+)?)(ms|[smhdwy])/g

// RFC 9111 s. 1.2.2: the greatest delta-seconds that is told apart from overflow.
const LONGEST = 2 ** 31 * SECOND
/** A timer set to more fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/**
 * Read a lifetime in ms; a plain number counts seconds.
 * @throws CacheError `ERR_CACHE_BAD_DURATION`, naming `option`, for everything else: NaN, negative numbers, text without a unit
 */
export function parseDuration(option: string, value: unknown): number {
  return read(value, SECOND, LONGEST) ?? refuse(option, value, "'30s', '5m', '1h30m', '1d', or a number of seconds")
}

/**
 * Read a time-out or an interval in ms; a plain number counts ms. At most 24 days, the longest a timer can wait.
 * @throws CacheError `ERR_CACHE_BAD_DURATION`, naming `option`
 */
export function parseMs(option: string, value: unknown): number {
  return read(value, 1, LONGEST_TIMER) ?? refuse(option, value, "'50ms', '2s', '1m', or a number of milliseconds")
}

/** Is this number of seconds probably meant as ms? */
export function looksLikeMs(value: unknown): boolean {
  return typeof value === 'number' && value >= 10_000 && value % 1_000 === 0
}

/** Write ms as `parseDuration` reads it, days the largest unit: `'1h30m'`, `'250ms'`, `'0s'`. */
export function formatDuration(ms: number): string {
  let left = Math.round(Math.abs(ms))
  let text = ''
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(left / UNITS[unit])
    if (count > 0) text += `${count}${unit}`
    left -= count * UNITS[unit]
  }
  return text === '' ? '0s' : `${ms < 0 ? '-' : ''}${text}`
}

function read(value: unknown, perNumber: number, longest: number): number | undefined {
  const ms = typeof value === 'number' ? value * perNumber : typeof value === 'string' ? readText(value) : undefined
  return ms !== undefined && ms >= 0 && ms <= longest ? Math.round(ms) : undefined
}

/** Each unit at most once and the larger before the smaller: what is written otherwise is a slip. */
function readText(text: string): number | undefined {
  if (!PARTS.test(text)) return undefined
  let total = 0
  let previous = Number.POSITIVE_INFINITY
  for (const [, count, unit] of text.matchAll(PART)) {
    const ms = UNITS[unit as keyof typeof UNITS]
    if (ms >= previous) return undefined
    previous = ms
    total += Number(count) * ms
  }
  return total
}

function refuse(option: string, value: unknown, examples: string): never {
  throw new CacheError(
    'ERR_CACHE_BAD_DURATION',
    `${option}: ${show(value)} is not a duration. Use a string such as ${examples}.`,
  )
}
