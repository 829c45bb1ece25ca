import type { Cache } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import {
  badOption,
  callback,
  duration,
  type OptionTable,
  type Reader,
  readOptions,
  syncCallback,
  where,
} from '../lib/options.ts'
import type { RememberOptions } from '../lib/values.ts'

/** Options of `cacheAside`. */
export interface CacheAsideOptions<A, T> {
  readonly cache: Cache
  /** The key under which the value for these arguments is kept; different arguments need different keys. */
  key(args: A): string
  /** Brings the value when there is none. */
  load(args: A): Promise<T> | T
  /** @default the cache's */
  readonly ttl?: Duration
  /** @default the cache's */
  readonly staleWhileRevalidate?: Duration
  /** @default the cache's */
  readonly staleIfError?: Duration
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

const OPTIONS = {
  cache: cacheReader,
  key: syncCallback<(args: never) => string>(),
  load: callback<(args: never) => unknown>(),
  ttl: duration,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  tags: syncCallback<(args: never) => readonly string[]>(),
} as const

/**
 * Put the cache beside a loader: what is kept is answered, else the loader runs once for all callers and its value is kept.
 *
 * With Redis away the loader runs. What it brings as undefined is not kept.
 * @throws CacheError for wrong options
 * @example
 * const userById = cacheAside({ cache, key: (id: string) => `user:${id}`, ttl: '1h', load: (id) => users.find(id) })
 * const user = await userById('7')
 */
export function cacheAside<A, T>(options: CacheAsideOptions<A, T>): CachedLoader<A, T> {
  return cachedLoader('cacheAside', options)
}

/**
 * The same for a pattern of another name, which may have more options of its own.
 * @throws CacheError for wrong options, naming the pattern
 */
export function cachedLoader<A, T>(
  pattern: string,
  options: CacheAsideOptions<A, T>,
  more: OptionTable = {},
): CachedLoader<A, T> {
  const read = readOptions(pattern, options, { ...more, ...OPTIONS })
  const { cache } = read
  if (cache === undefined) throw badOption(`${pattern}: cache`, cache, cacheReader.expects)
  if (read.key === undefined) throw badOption(`${pattern}: key`, read.key, OPTIONS.key.expects)
  if (read.load === undefined) throw badOption(`${pattern}: load`, read.load, OPTIONS.load.expects)
  const lifetimes = lifetimesOf(options)
  return Object.assign(
    async (args: A): Promise<T> => {
      const key = options.key(args)
      const tags = options.tags?.(args)
      return cache.remember(key, tags === undefined ? lifetimes : { ...lifetimes, tags }, () => options.load(args))
    },
    { forget: async (args: A): Promise<boolean> => cache.delete(options.key(args)) },
  )
}

/** What of a pattern's options says how long a value is kept. */
export type Lifetimes = Pick<RememberOptions, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'>

/** Those that were given. */
export function lifetimesOf({ ttl, staleWhileRevalidate, staleIfError }: Lifetimes): Lifetimes {
  return {
    ...(ttl === undefined ? {} : { ttl }),
    ...(staleWhileRevalidate === undefined ? {} : { staleWhileRevalidate }),
    ...(staleIfError === undefined ? {} : { staleIfError }),
  }
}
