import type { Duration } from '../lib/duration.ts'
import { badOption, duration } from '../lib/options.ts'
import { type CachedLoader, cachedLoader, type LoaderOptions } from './cached-loader.ts'

/** Options of `staleWhileRevalidate`. */
export interface StaleWhileRevalidateOptions<A, T> extends Omit<LoaderOptions<A, T>, 'staleWhileRevalidate'> {
  /** How long a value is fresh. */
  readonly ttl: Duration
  /** How much longer it is answered while it is loaded anew; no value is older than both together. */
  readonly stale: Duration
}

/**
 * Answer at once also what is no longer fresh, while one load in the background brings the new value: only who asks for what nobody has
 * asked for in a long time waits.
 *
 * An invalidated value is gone, not stale. A failing load leaves the old value until `stale` is over, and is tried again at most once a
 * second. With Redis away each process has its own memory.
 * @throws CacheError for wrong options
 * @example
 * const front = staleWhileRevalidate({ cache, key: () => 'front', ttl: '1m', stale: '10m', load: () => pages.front() })
 */
export function staleWhileRevalidate<A, T>(options: StaleWhileRevalidateOptions<A, T>): CachedLoader<A, T> {
  for (const name of ['ttl', 'stale'] as const) {
    const value = options?.[name]
    if (value === undefined) throw badOption(`staleWhileRevalidate: ${name}`, value, duration.expects)
  }
  return cachedLoader('staleWhileRevalidate', options, {
    more: { stale: duration },
    keeping: { staleWhileRevalidate: options.stale },
  })
}
