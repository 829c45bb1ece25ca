import type { Duration } from '../lib/duration.ts'
import { badOption, duration, share } from '../lib/options.ts'
import { type CachedLoader, cachedLoader, type LoaderOptions } from './cached-loader.ts'

/** Options of `refreshAhead`. */
export interface RefreshAheadOptions<A, T> extends Omit<LoaderOptions<A, T>, 'refreshAhead'> {
  /** How long a value is fresh. */
  readonly ttl: Duration
  /** Share of the lifetime, 0 to 1, after which what is read often is loaded anew. @default 0.8 */
  readonly ahead?: number
}

/** Late enough that most of a lifetime is used, early enough for a load of a fifth of it. */
const AHEAD = 0.8

/**
 * Load what is read often anew in the background before it is stale, so that nobody waits for it and nobody sees it stale.
 *
 * What was read fewer than three times in its life ends with it. One process of all that share a Redis loads; a failing load changes
 * nothing, and is tried again at most once a second.
 * @throws CacheError for wrong options
 * @example
 * const report = refreshAhead({ cache, key: (month: string) => `report:${month}`, ttl: '1h', load: (month) => reports.make(month) })
 */
export function refreshAhead<A, T>(options: RefreshAheadOptions<A, T>): CachedLoader<A, T> {
  const ttl = options?.ttl
  if (ttl === undefined) throw badOption('refreshAhead: ttl', ttl, duration.expects)
  return cachedLoader('refreshAhead', options, {
    more: { ahead: share },
    keeping: { refreshAhead: options.ahead ?? AHEAD },
  })
}
