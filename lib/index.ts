export type {
  Health,
  InvalidateOptions,
  InvalidateResult,
  Limit,
  RememberOptions,
  SetOptions,
  Source,
  Stats,
  Targets,
} from './cache.ts'
export { Cache, type CacheOptions, createCache } from './cache.ts'
export type { Clock } from './clock.ts'
export { configFromEnv } from './config.ts'
export type { Duration } from './duration.ts'
export { CacheError, type CacheErrorCode } from './errors.ts'
export type { CacheEvents, Logger } from './events.ts'
export type { Outcome } from './outcome.ts'
export type { Size } from './size.ts'
