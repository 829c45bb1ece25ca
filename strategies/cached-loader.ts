import type { Cache } from '../lib/cache.ts'
import type { LoadContext } from '../lib/load-context.ts'
import {
  badOption,
  callback,
  duration,
  milliseconds,
  type OptionTable,
  type Reader,
  readOptions,
  share,
  syncCallback,
  where,
} from '../lib/options.ts'
import type { RememberOptions } from '../lib/values.ts'

/** What the patterns have in common: a loader, a key for its arguments, and how what it brings is kept. */
export interface LoaderOptions<A, T> extends Omit<RememberOptions, 'tags'> {
  readonly cache: Cache
  /** The key under which the value for these arguments is kept; different arguments need different keys. */
  key(args: A): string
  /** Brings the value when there is none; the context says how it is to be kept, as with `cache.remember`. */
  load(args: A, context: LoadContext): Promise<T> | T
  /** Names for invalidation. */
  tags?(args: A): readonly string[]
}

/** A loader with a cache beside it. */
export interface CachedLoader<A, T> {
  /** The value for these arguments, kept or loaded; the loader's error reaches the caller. */
  (args: A): Promise<T>
  /** Forget it after a write to the source; true when that is confirmed everywhere, false while pending. */
  forget(args: A): Promise<boolean>
}

/** A cache made by this package, whichever build it came from. */
export const cacheReader: Reader<Cache> = where('a cache made by createCache()', (value) => {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'remember') === 'function'
})

const KEEPING = {
  ttl: duration,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  jitter: share,
  softTimeoutMs: milliseconds,
  hardTimeoutMs: milliseconds,
  negativeTtl: duration,
  refreshAhead: share,
} as const satisfies Record<keyof Omit<RememberOptions, 'tags'>, Reader<unknown>>

const OPTIONS = {
  ...KEEPING,
  cache: cacheReader,
  key: syncCallback<(args: never) => string>(),
  load: callback<(args: never) => unknown>(),
  tags: syncCallback<(args: never) => readonly string[]>(),
} as const

/**
 * A loader with the cache of its options beside it; `more` are options of the pattern itself, `keeping` is what they come to.
 * @throws CacheError for wrong options, naming the pattern
 */
export function cachedLoader<A, T>(
  pattern: string,
  options: LoaderOptions<A, T>,
  { more = {}, keeping = {} }: { readonly more?: OptionTable; readonly keeping?: RememberOptions } = {},
): CachedLoader<A, T> {
  const { cache, key, load } = readOptions(pattern, options, { ...more, ...without(OPTIONS, keeping) })
  if (cache === undefined) throw badOption(`${pattern}: cache`, cache, cacheReader.expects)
  if (key === undefined) throw badOption(`${pattern}: key`, key, OPTIONS.key.expects)
  if (load === undefined) throw badOption(`${pattern}: load`, load, OPTIONS.load.expects)
  const kept: RememberOptions = { ...given(options, KEEPING), ...keeping }
  return Object.assign(
    async (args: A): Promise<T> => {
      const tags = options.tags?.(args)
      const own = tags === undefined ? kept : { ...kept, tags }
      return cache.remember(options.key(args), own, (context) => options.load(args, context))
    },
    { forget: async (args: A): Promise<boolean> => cache.delete(options.key(args)) },
  )
}

/** What of a pattern's options says how long a value is kept. */
export type Lifetimes = Pick<RememberOptions, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'>

const LIFETIMES = { ttl: duration, staleWhileRevalidate: duration, staleIfError: duration } as const

/** Those that were given. */
export function lifetimesOf(options: Lifetimes): Lifetimes {
  return given<Lifetimes, typeof LIFETIMES>(options, LIFETIMES)
}

/** A table without what a pattern decides itself. */
function without<O extends OptionTable>(table: O, decided: object): O {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !Object.hasOwn(decided, name))) as O
}

/** The members that a table names and that were given. */
export function given<T extends object, O extends OptionTable>(options: T, table: O): Pick<T, keyof T & keyof O> {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => Object.hasOwn(table, name) && value !== undefined),
  ) as Pick<T, keyof T & keyof O>
}
