import { formatDuration, looksLikeMs, parseDuration, parseMs } from './duration.ts'
import { CacheError, show } from './errors.ts'
import { parseSize } from './size.ts'

/**
 * Options are checked by a table: one reader per name. A reader turns what the user wrote into what the code works with (ms,
 * bytes, lists), or throws an error that names the place, the value and the fix.
 */
export interface Reader<T> {
  /** Completes the sentence "Use ...". */
  readonly expects: string
  /** Is the value of the right kind? `anyOf` chooses by this; `read` may still refuse. */
  accepts(value: unknown): boolean
  /** The parsed value. `path` names the option in messages. @throws CacheError */
  read(path: string, value: unknown): T
  /** What is allowed but probably a slip. */
  hint?(path: string, value: unknown): string | undefined
}

export type OptionTable = Readonly<Record<string, Reader<unknown>>>

/** What `readOptions` returns: members that were absent or undefined are absent. */
export type OptionsOf<T extends OptionTable> = {
  readonly [K in keyof T]?: T[K] extends Reader<infer V> ? V : never
}

/**
 * Check an options object and return its parsed values; undefined counts as absent.
 * @throws CacheError `ERR_CACHE_UNKNOWN_OPTION` with the name probably meant, `ERR_CACHE_BAD_OPTION`, or what a reader throws
 */
export function readOptions<T extends OptionTable>(where: string, options: unknown, table: T): OptionsOf<T> {
  return readMembers({ place: where, prefix: `${where}: `, expects: 'an options object' }, options, table)
}

/** What in an options object is allowed but probably a slip, as sentences to warn with. */
export function optionHints(where: string, options: unknown, table: OptionTable): readonly string[] {
  return isPlainObject(options) ? hintsOf(`${where}: `, options, table) : []
}

/** A lifetime, in ms. */
export const duration: Reader<number> = {
  expects: "a duration such as '30s' or '5m', or a number of seconds",
  accepts: isNumberOrText,
  read: parseDuration,
  hint(path, value) {
    if (!looksLikeMs(value)) return undefined
    const seconds = Number(value)
    return (
      `${path}: ${seconds} is ${seconds} seconds (${formatDuration(seconds * 1_000)}). Numbers are seconds; write ` +
      `'${formatDuration(seconds)}' if milliseconds were meant, or '${seconds}s' to silence this.`
    )
  },
}

/** A time-out or an interval (options that end in `Ms`), in ms. */
export const milliseconds: Reader<number> = {
  expects: "a number of milliseconds or a duration such as '50ms'",
  accepts: isNumberOrText,
  read: parseMs,
}

/** A size, in bytes. */
export const size: Reader<number> = {
  expects: "a size such as '100mb', or a number of bytes",
  accepts: isNumberOrText,
  read: parseSize,
}

export const flag: Reader<boolean> = where('true or false', (value) => typeof value === 'boolean')

/** A part of the whole. */
export const share: Reader<number> = where(
  'a number from 0 to 1',
  (value) => typeof value === 'number' && value >= 0 && value <= 1,
)

/** A string that is not empty. */
export const text: Reader<string> = where('a string that is not empty', isText)

/** A list of strings that are not empty. */
export const texts: Reader<readonly string[]> = listOf(text)

/** HTTP status codes, final ones only. */
export const statuses: Reader<readonly number[]> = listOf(integer({ min: 200, max: 599 }))

/** A whole number within bounds, both included. */
export function integer(bounds: { readonly min?: number; readonly max?: number } = {}): Reader<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return where(
    `a whole number ${range}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  )
}

/** One of these values. */
export function oneOf<const T extends readonly (string | number | boolean)[]>(...values: T): Reader<T[number]> {
  return where(values.map(quote).join(' or '), (value) => values.some((one) => one === value))
}

/** A function; it may return a promise. */
export function callback<F>(): Reader<F> {
  return where('a function', isFunction)
}

/**
 * A function whose answer is needed at once.
 * @throws CacheError `ERR_CACHE_ASYNC_OPTION` for one that is visibly async
 */
export function syncCallback<F>(): Reader<F> {
  const plain = callback<F>()
  return {
    ...plain,
    read(path, value) {
      if (Object.prototype.toString.call(value) === '[object AsyncFunction]') {
        throw new CacheError(
          'ERR_CACHE_ASYNC_OPTION',
          `${path} is an async function, but its answer is needed at once. Do the waiting in a middleware before the cache ` +
            'and read the result from the request here.',
        )
      }
      return plain.read(path, value)
    },
  }
}

/** An object with these methods, such as a logger or a clock. */
export function withMethods<T>(...methods: readonly (keyof T & string)[]): Reader<T> {
  return where(
    `an object with ${methods.map((method) => `${method}()`).join(' and ')}`,
    (value) => isObject(value) && methods.every((method) => isFunction(Reflect.get(value, method))),
  )
}

/** Whatever passes the test; `expects` completes the sentence "Use ...". */
export function where<T>(expects: string, accepts: (value: unknown) => boolean): Reader<T> {
  return {
    expects,
    accepts,
    read(path, value) {
      if (!accepts(value)) throw badOption(path, value, expects)
      return value as T
    },
  }
}

/** The same, or `false` for "off". */
export function orFalse<T>(reader: Reader<T>): Reader<T | false> {
  return {
    ...reader,
    expects: `${reader.expects}, or false`,
    accepts: (value) => value === false || reader.accepts(value),
    read: (path, value) => (value === false ? false : reader.read(path, value)),
  }
}

/** The first reader whose kind fits reads the value. */
export function anyOf<T extends readonly Reader<unknown>[]>(
  ...readers: T
): Reader<T[number] extends Reader<infer V> ? V : never> {
  type Value = T[number] extends Reader<infer V> ? V : never
  const expects = readers.map((reader) => reader.expects).join(', or ')
  const fitting = (value: unknown) => readers.find((reader) => reader.accepts(value))
  return {
    expects,
    accepts: (value) => fitting(value) !== undefined,
    read(path, value) {
      const reader = fitting(value)
      if (reader === undefined) throw badOption(path, value, expects)
      return reader.read(path, value) as Value
    },
    hint: (path, value) => fitting(value)?.hint?.(path, value),
  }
}

/** A list, each item read by `reader`; the result is a copy. */
export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  const expects = `a list, each item ${reader.expects}`
  return {
    expects,
    accepts: Array.isArray,
    read(path, value) {
      if (!Array.isArray(value)) throw badOption(path, value, expects)
      return Array.from(value, (item: unknown, index) => reader.read(`${path}[${index}]`, item))
    },
  }
}

/** An object with options of its own. */
export function group<T extends OptionTable>(table: T): Reader<OptionsOf<T>> {
  const expects = `an object with ${Object.keys(table).join(', ')}`
  return {
    expects,
    accepts: isPlainObject,
    read: (path, value) => readMembers({ place: path, prefix: `${path}.`, expects }, value, table),
    hint: (path, value) => (isPlainObject(value) ? hintsOf(`${path}.`, value, table)[0] : undefined),
  }
}

/** What an option of the wrong type is told: the place, the value, the fix. */
export function badOption(path: string, value: unknown, expects: string): CacheError {
  return new CacheError('ERR_CACHE_BAD_OPTION', `${path}: ${show(value)} is not possible here. Use ${expects}.`)
}

/** Names that other caches use for the same thing. */
const ALIASES: Readonly<Record<string, string>> = {
  cachekey: 'key',
  client: 'redis',
  duration: 'ttl',
  expire: 'ttl',
  expires: 'ttl',
  expiry: 'ttl',
  grace: 'staleIfError',
  keygenerator: 'key',
  keyprefix: 'namespace',
  lifetime: 'ttl',
  maxage: 'ttl',
  maxentrysize: 'maxBodySize',
  prefix: 'namespace',
  redisclient: 'redis',
  revalidate: 'ttl',
  sie: 'staleIfError',
  statuscodes: 'statuses',
  swr: 'staleWhileRevalidate',
}

/** Where an options object stands: its name, what the names of its members start with, and what it should be. */
interface Place {
  readonly place: string
  readonly prefix: string
  readonly expects: string
}

function readMembers<T extends OptionTable>(
  { place, prefix, expects }: Place,
  options: unknown,
  table: T,
): OptionsOf<T> {
  if (options === undefined) return {}
  if (!isPlainObject(options)) throw badOption(place, options, expects)
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const reader = Object.hasOwn(table, name) ? table[name] : undefined
    if (reader === undefined) throw unknownName(place, 'option', name, Object.keys(table))
    if (value !== undefined) result[name] = reader.read(prefix + name, value)
  }
  return result as OptionsOf<T>
}

function hintsOf(prefix: string, options: object, table: OptionTable): readonly string[] {
  return Object.entries(table).flatMap(([name, reader]) => {
    const value: unknown = Object.hasOwn(options, name) ? Reflect.get(options, name) : undefined
    return (value === undefined ? undefined : reader.hint?.(prefix + name, value)) ?? []
  })
}

/** What a name that nobody knows is told: the names there are, or the one that was probably meant. */
export function unknownName(place: string, kind: string, name: string, known: readonly string[]): CacheError {
  const meant = probablyMeant(name, known)
  const fix = meant === undefined ? `Known ${kind}s: ${[...known].sort().join(', ')}.` : `Did you mean "${meant}"?`
  return new CacheError('ERR_CACHE_UNKNOWN_OPTION', `${place}: unknown ${kind} ${show(name)}. ${fix}`)
}

function probablyMeant(name: string, known: readonly string[]): string | undefined {
  const written = name.toLowerCase()
  const alias = Object.hasOwn(ALIASES, written) ? ALIASES[written] : undefined
  if (alias !== undefined && known.includes(alias)) return alias
  let best: string | undefined
  // Two slips in a name of three letters leave nothing in common.
  let least = written.length > 3 ? 2 : 1
  for (const candidate of known) {
    const slips = editDistance(written, candidate.toLowerCase())
    if (slips < least || (slips === least && best === undefined)) {
      best = candidate
      least = slips
    }
  }
  return best
}

/** Damerau-Levenshtein (optimal string alignment): insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY
  let before: readonly number[] = []
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          at(last, j) + 1,
          at(row, j - 1) + 1,
          at(last, j - 1) + (same ? 0 : 1),
          swapped ? at(before, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    before = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}

function isNumberOrText(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'string'
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A class instance is a slip: `cacheMiddleware(cache)` for `cacheMiddleware({ cache })`. Objects of other realms pass. */
function isPlainObject(value: unknown): value is object {
  if (!isObject(value) || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return !isObject(prototype) || Object.getPrototypeOf(prototype) === null
}

function quote(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}
