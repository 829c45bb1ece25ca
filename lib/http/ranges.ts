import { parseHttpDate } from './dates.ts'
import { parseEntityTag } from './entity-tag.ts'
import { type RequestHeaders, requestField, splitList } from './fields.ts'

/** Positions of the first and the last byte, both inclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What `If-Range` is held against, as stored. */
export interface RangeValidators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly date: string | undefined
}

/**
 * Which bytes of `length` a `Range` field asks for (RFC 9110 s. 14.1.2). Undefined means answer with the whole: no range, an
 * unknown unit, something malformed, several ranges, nothing to slice. `unsatisfiable` means 416.
 */
export function singleRange(range: string | undefined, length: number): ByteRange | 'unsatisfiable' | undefined {
  // RNG-3: the unit has no case. RNG-19
  if (range === undefined || length === 0 || range.slice(0, 6).toLowerCase() !== 'bytes=') return undefined
  const [spec, ...others] = splitList(range.slice(6))
  if (spec === undefined || others.length > 0) return undefined
  const dash = spec.indexOf('-')
  if (dash === -1) return undefined
  const first = position(spec.slice(0, dash))
  const last = position(spec.slice(dash + 1))
  if (first === undefined || last === undefined) return undefined
  if (first === '') return last === '' ? undefined : suffix(last, length)
  // RNG-4
  if (last !== '' && last < first) return undefined
  if (first >= length) return 'unsatisfiable'
  // RNG-5: a last position beyond the end is the end.
  return { start: first, end: last === '' ? length - 1 : Math.min(last, length - 1) }
}

/**
 * Does the request ask for a range, and does its `If-Range` (if any) hold for what is stored (RFC 9110 s. 13.1.5)? `now`
 * (epoch ms) decides the century of two-digit years.
 */
export function rangeApplies(headers: RequestHeaders, validators: RangeValidators, now: number): boolean {
  // RNG-7: `If-Range` alone means nothing.
  if (headers['range'] === undefined) return false
  const condition = requestField(headers, 'if-range')
  if (condition === undefined) return true
  const tag = parseEntityTag(condition)
  // A weak tag on either side never matches: equal to a strong one is strong.
  if (tag !== undefined) return !tag.startsWith('W/') && tag === validators.etag
  const date = parseHttpDate(condition, now)
  const modified = parseHttpDate(validators.lastModified ?? '', now)
  const generated = parseHttpDate(validators.date ?? '', now)
  if (date === undefined || modified === undefined || generated === undefined) return false
  // RNG-8: the same instant, not a later one. RNG-9: within its own second a date is weak.
  return date === modified && generated - modified >= 1000
}

function suffix(wanted: number, length: number): ByteRange | 'unsatisfiable' {
  return wanted === 0 ? 'unsatisfiable' : { start: Math.max(0, length - wanted), end: length - 1 }
}

/** A number of bytes; '' where there is none, undefined for what is not digits. RNG-6: more than any length is enough. */
function position(text: string): number | '' | undefined {
  if (text === '') return ''
  let value = 0
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = Math.min(Number.MAX_SAFE_INTEGER, value * 10 + digit)
  }
  return value
}
