export {
  Cache,
  type ChangeOptions,
  createCache,
  type Health,
  type InvalidateOptions,
  type InvalidateResult,
  type Stats,
} from './cache.ts'
export type { CacheOptions } from './cache-options.ts'
export type { Clock } from './clock.ts'
export { configFromEnv } from './config.ts'
export type { Duration } from './duration.ts'
export { CacheError, type CacheErrorCode } from './errors.ts'
export type { CacheEvents, Logger, WarmProgress } from './events.ts'
export type { Limit } from './gauge.ts'
export type { LoadContext } from './load-context.ts'
export type { Loader } from './loads.ts'
export type { Outcome } from './outcome.ts'
export type { Size } from './size.ts'
export type { FallbackStats, FallbackStore } from './stores/fallback.ts'
export type { Targets } from './targets.ts'
export type { Serializer } from './value-format.ts'
export type { Found, Remembered, RememberOptions, SetOptions, Source, WriteOptions } from './values.ts'
export type { WarmItem, WarmOptions } from './warm-options.ts'
export type { WarmFailure, WarmReport, WarmSkip, WarmSource } from './warm-run.ts'
export type { WarmStatus } from './warming.ts'
