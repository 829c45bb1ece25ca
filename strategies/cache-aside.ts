import { type CachedLoader, cachedLoader, type LoaderOptions } from './cached-loader.ts'

/** Options of `cacheAside`. */
export interface CacheAsideOptions<A, T> extends LoaderOptions<A, T> {}

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
