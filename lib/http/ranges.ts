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
  /** The coding of the content is negotiated: other codings may carry the same tag. */
  readonly negotiated?: boolean
  readonly lastModified: string | undefined
  readonly date: string | undefined
}

/**
 * Which bytes of `length` a `Range` field asks for, in its order, without overlaps and without what lies beyond the end
 * (RFC 9110 s. 14.1.2, 14.2). Undefined means answer with the whole: no range, an unknown unit, something malformed, nothing to
 * slice, or more ranges than an honest client needs. `unsatisfiable` means 416.
 */
export function byteRanges(
  range: string | undefined,
  length: number,
): readonly ByteRange[] | 'unsatisfiable' | undefined {
  // RNG-3: the unit has no case. RNG-19
  if (range === undefined || length === 0 || range.slice(0, 6).toLowerCase() !== 'bytes=') return undefined
  const specs = splitList(range.slice(6))
  // RNG-14
  if (specs.length === 0 || specs.length > MAX_RANGES) return undefined
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const wanted = oneRange(spec, length)
    // RNG-4: one bad member spoils the field.
    if (wanted === undefined) return undefined
    if (wanted !== 'unsatisfiable') ranges.push(wanted)
  }
  if (ranges.length === 0) return 'unsatisfiable'
  if (ranges.length === 1) return ranges
  return isExcessive(ranges) ? undefined : coalesced(ranges)
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
  // A weak tag on either side never matches: equal to a strong one is strong. MSG-3: nor one that may not be of these bytes.
  if (tag !== undefined) return !tag.startsWith('W/') && tag === validators.etag && validators.negotiated !== true
  const date = parseHttpDate(condition, now)
  const modified = parseHttpDate(validators.lastModified ?? '', now)
  const generated = parseHttpDate(validators.date ?? '', now)
  if (date === undefined || modified === undefined || generated === undefined) return false
  // RNG-8: the same instant, not a later one. RNG-9: within its own second a date is weak.
  return date === modified && generated - modified >= 1000
}

/** RNG-14: more ranges than this are not cut. */
const MAX_RANGES = 16
/** RNG-14: more ranges than this that are out of order and shorter than `SMALL` (bytes) cost more than they spare. */
const MANY = 8
const SMALL = 1_024

/** One member of the list; undefined when it is malformed. */
function oneRange(spec: string, length: number): ByteRange | 'unsatisfiable' | undefined {
  const dash = spec.indexOf('-')
  if (dash === -1) return undefined
  const [from, to] = [spec.slice(0, dash), spec.slice(dash + 1)]
  const first = position(from)
  const last = position(to)
  if (first === undefined || last === undefined) return undefined
  if (first === '') return last === '' ? undefined : suffix(last, length)
  // RNG-4
  if (last !== '' && isLess(to, from)) return undefined
  if (first >= length) return 'unsatisfiable'
  // RNG-5: a last position beyond the end is the end.
  return { start: first, end: last === '' ? length - 1 : Math.min(last, length - 1) }
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

/** Is the first of two numbers the smaller one, however many digits they have (RNG-6)? */
function isLess(a: string, b: string): boolean {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return left.length === right.length ? left < right : left.length < right.length
}

/** RNG-14, SEC-13: is this a list that only costs? There are never more than `MAX_RANGES`. */
function isExcessive(ranges: readonly ByteRange[]): boolean {
  const overlapping = ranges.filter((one) =>
    ranges.some((other) => other !== one && one.start <= other.end && other.start <= one.end),
  )
  if (overlapping.length > 2) return true
  const small = ranges.filter(({ start, end }) => end - start + 1 < SMALL)
  return small.length > MANY && ranges.some(({ start }, index) => start < (ranges[index - 1]?.start ?? 0))
}

/** RNG-13: ranges that overlap or touch become one, at the place of the one that was asked for first. */
function coalesced(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = ranges.map(({ start, end }, place) => ({ start, end, place })).sort((a, b) => a.start - b.start)
  const merged: typeof sorted = []
  for (const range of sorted) {
    const before = merged.at(-1)
    if (before === undefined || range.start > before.end + 1) merged.push(range)
    else {
      before.end = Math.max(before.end, range.end)
      before.place = Math.min(before.place, range.place)
    }
  }
  return merged.sort((a, b) => a.place - b.place).map(({ start, end }) => ({ start, end }))
}
