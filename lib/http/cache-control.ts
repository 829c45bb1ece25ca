import { isToken, isTokenChar, splitList } from './fields.ts'

/** What a `Cache-Control` field says, of a request or a response (RFC 9111 s. 5.2). Times are seconds. */
export interface CacheControl {
  readonly noStore: boolean
  /** `private` for the whole response. */
  readonly private: boolean
  /** The fields named by `private="..."`, lower-case. */
  readonly privateFields: readonly string[]
  /** `no-cache` for the whole response. */
  readonly noCache: boolean
  /** The fields named by `no-cache="..."`, lower-case. */
  readonly noCacheFields: readonly string[]
  readonly public: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly immutable: boolean
  readonly noTransform: boolean
  readonly onlyIfCached: boolean
  /** 0 where it is malformed or contradicts itself. */
  readonly maxAge: number | undefined
  /** 0 where it is malformed or contradicts itself. */
  readonly sMaxage: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  readonly minFresh: number | undefined
  /** Infinity without an argument. */
  readonly maxStale: number | undefined
  /** `max-age` or `s-maxage` is malformed or contradicts itself: an explicit lifetime of nothing (RFC 9111 s. 4.2.1). */
  readonly invalidFreshness: boolean
  /** Quotes do not match: nothing permissive in the field can be trusted. */
  readonly broken: boolean
}

/** The largest number of seconds that is told apart (RFC 9111 s. 1.2.2). */
export const MAX_DELTA_SECONDS = 2_147_483_648

/**
 * Read a `Cache-Control` value, all lines joined. Never throws: what is malformed counts where it restricts and not where it
 * permits (RFC 9111 s. 5.2).
 */
export function parseCacheControl(value: string | undefined): CacheControl {
  if (value === undefined || value === '') return NOTHING
  const directives: MutableCacheControl = { ...NOTHING }
  const reader: Reader = { text: value, index: 0, broken: false }
  while (skipSeparators(reader)) applyDirective(directives, readDirective(reader))
  directives.broken = reader.broken
  return directives
}

/** Digits only, however many (RFC 9111 s. 1.2.2); undefined for anything else. */
export function parseDeltaSeconds(text: string): number | undefined {
  let seconds = 0
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30
    if (digit < 0 || digit > 9) return undefined
    // PAR-9: saturate, never wrap.
    seconds = Math.min(MAX_DELTA_SECONDS, seconds * 10 + digit)
  }
  return text === '' ? undefined : seconds
}

/** One directive: `value` is undefined without an argument, null where the directive or its argument is malformed. */
export interface Directive {
  readonly name: string
  readonly value: string | null | undefined
}

/** What is being put together, one directive after the other. */
export type MutableCacheControl = { -readonly [Member in keyof CacheControl]: CacheControl[Member] }

const NO_FIELDS: readonly string[] = Object.freeze([])

/** The directives of a response or request that says nothing. */
export const NOTHING: CacheControl = Object.freeze({
  noStore: false,
  private: false,
  privateFields: NO_FIELDS,
  noCache: false,
  noCacheFields: NO_FIELDS,
  public: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  immutable: false,
  noTransform: false,
  onlyIfCached: false,
  maxAge: undefined,
  sMaxage: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  minFresh: undefined,
  maxStale: undefined,
  invalidFreshness: false,
  broken: false,
})

/**
 * Add one directive. PAR-10: what restricts counts with any argument, what permits only in its proper form; an unknown
 * directive changes nothing.
 */
export function applyDirective(directives: MutableCacheControl, { name, value }: Directive): void {
  switch (name) {
    case 'no-store':
      directives.noStore = true
      return
    case 'must-revalidate':
      directives.mustRevalidate = true
      return
    case 'proxy-revalidate':
      directives.proxyRevalidate = true
      return
    case 'no-transform':
      directives.noTransform = true
      return
    // CCR-12: its arguments are ignored.
    case 'immutable':
      directives.immutable = true
      return
    case 'public':
      if (value === undefined) directives.public = true
      return
    case 'must-understand':
      if (value === undefined) directives.mustUnderstand = true
      return
    case 'only-if-cached':
      if (value === undefined) directives.onlyIfCached = true
      return
    case 'private': {
      const names = fieldNames(value)
      if (names === undefined) directives.private = true
      else directives.privateFields = appended(directives.privateFields, names)
      return
    }
    case 'no-cache': {
      const names = fieldNames(value)
      if (names === undefined) directives.noCache = true
      else directives.noCacheFields = appended(directives.noCacheFields, names)
      return
    }
    case 'max-age':
      directives.maxAge = lifetime(directives, directives.maxAge, value)
      return
    case 's-maxage':
      directives.sMaxage = lifetime(directives, directives.sMaxage, value)
      return
    case 'stale-while-revalidate':
      directives.staleWhileRevalidate = stricter(Math.min, directives.staleWhileRevalidate, value)
      return
    case 'stale-if-error':
      directives.staleIfError = stricter(Math.min, directives.staleIfError, value)
      return
    case 'min-fresh':
      directives.minFresh = stricter(Math.max, directives.minFresh, value)
      return
    case 'max-stale':
      if (value === undefined) directives.maxStale ??= Number.POSITIVE_INFINITY
      else directives.maxStale = stricter(Math.min, directives.maxStale, value)
      return
  }
}

/** One list that grows: a copy for each directive would take quadratic time (PAR-13). */
function appended(list: readonly string[], names: readonly string[]): readonly string[] {
  const grown = list === NO_FIELDS ? [] : (list as string[])
  for (const name of names) grown.push(name)
  return grown
}

/** CCR-4, CCR-9: without an argument, an empty one, or one that names no fields, it is about the whole response. */
function fieldNames(value: string | null | undefined): string[] | undefined {
  if (value === undefined || value === null) return undefined
  const names = splitList(value)
  return names.length > 0 && names.every(isToken) ? names.map((name) => name.toLowerCase()) : undefined
}

function lifetime(
  directives: MutableCacheControl,
  before: number | undefined,
  value: string | null | undefined,
): number {
  const seconds = parseDeltaSeconds(value ?? '')
  // FRE-7, FRE-8: one that is malformed or differs from an earlier one means stale.
  if (seconds !== undefined && (before === undefined || before === seconds)) return seconds
  directives.invalidFreshness = true
  return 0
}

/** STA-16: an invalid argument makes the directive void; of several valid ones the strictest counts. */
function stricter(
  pick: (a: number, b: number) => number,
  before: number | undefined,
  value: string | null | undefined,
): number | undefined {
  const seconds = parseDeltaSeconds(value ?? '')
  if (seconds === undefined) return before
  return before === undefined ? seconds : pick(before, seconds)
}

interface Reader {
  readonly text: string
  index: number
  broken: boolean
}

const TAB = 0x09
const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const EQUALS = 0x3d
const BACKSLASH = 0x5c

/** PAR-4: step over commas and white space; false at the end. */
function skipSeparators(reader: Reader): boolean {
  const { text } = reader
  while (reader.index < text.length) {
    const code = text.charCodeAt(reader.index)
    if (code !== COMMA && code !== SPACE && code !== TAB) return true
    reader.index++
  }
  return false
}

function readDirective(reader: Reader): Directive {
  // PAR-6
  const name = readToken(reader).toLowerCase()
  let value: string | null | undefined
  if (reader.text.charCodeAt(reader.index) === EQUALS) {
    reader.index++
    // PAR-7: the token and the quoted form mean the same.
    value = reader.text.charCodeAt(reader.index) === QUOTE ? readQuoted(reader) : readToken(reader) || null
  }
  // PAR-8: anything but white space before the next comma, a space before `=` included, makes the directive malformed.
  return skipToComma(reader) ? { name, value } : { name, value: null }
}

function readToken(reader: Reader): string {
  const start = reader.index
  while (isTokenChar(reader.text.charCodeAt(reader.index))) reader.index++
  return reader.text.slice(start, reader.index)
}

/** PAR-5. Where the closing quote is missing the rest is read as directives, so that a `no-store` in it still counts. */
function readQuoted(reader: Reader): string | null {
  const { text } = reader
  if (reader.broken) return null
  const opening = reader.index
  let value = ''
  for (let index = opening + 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) {
      reader.index = index + 1
      return value
    }
    if (code === BACKSLASH) index++
    value += text[index] ?? ''
  }
  reader.broken = true
  reader.index = opening + 1
  return null
}

/** Go to the next comma or the end; false when something else than white space was in between. */
function skipToComma(reader: Reader): boolean {
  const { text } = reader
  let clean = true
  for (; reader.index < text.length; reader.index++) {
    const code = text.charCodeAt(reader.index)
    if (code === COMMA) break
    if (code === QUOTE) reader.broken = true
    if (code !== SPACE && code !== TAB) clean = false
  }
  return clean
}
