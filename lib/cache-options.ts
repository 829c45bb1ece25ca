import type { Clock } from './clock.ts'
import type { Duration } from './duration.ts'
import type { Logger } from './events.ts'
import {
  anyOf,
  badOption,
  duration,
  flag,
  group,
  integer,
  listOf,
  milliseconds,
  optionHints,
  orFalse,
  readOptions,
  share,
  size,
  text,
  where,
  withMethods,
} from './options.ts'
import type { RedisOption } from './redis.ts'
import type { Size } from './size.ts'
import type { FallbackStore } from './stores/fallback.ts'
import type { Serializer } from './value-format.ts'

/** Options of `createCache`; all are optional. */
export interface CacheOptions {
  /**
   * Where to share entries: a URL, an ioredis client or Cluster (used as it is, never closed), or ioredis options. Undefined, ''
   * or false: memory of this process only.
   */
  readonly redis?: RedisOption
  /** Let `health()` fail while Redis is away; requests are answered all the same. @default false */
  readonly redisRequired?: boolean
  /** Memory in front of Redis, bounded in bytes; false keeps everything in Redis. @default { maxSize: '100mb' } */
  readonly memory?: false | { readonly maxSize?: Size }
  /** Start of all keys in Redis. @default the nearest package.json's name */
  readonly namespace?: string
  /** Raise it to forget everything stored so far. @default 1 */
  readonly version?: number
  /** Shards of the metadata. @default 1, in a Cluster 16 */
  readonly partitions?: number
  /**
   * Over how many connections entries are read from Redis, the one that everything else goes over included; not used in a Cluster.
   * One that is down is left out. @default 1
   */
  readonly poolSize?: number
  /** Lifetime of what says nothing about its own; false stores only what does. @default '60s' */
  readonly ttl?: Duration | false
  /** How long after its lifetime an entry is served while one refresh runs. @default 0 */
  readonly staleWhileRevalidate?: Duration
  /** How long after its lifetime an entry stands in for a failed handler. @default 0 */
  readonly staleIfError?: Duration
  /** No value of the service is fresh for longer; a longer lifetime is cut, with one warning. @default '30d' */
  readonly maxTtl?: Duration
  /** Share of the lifetime of a value that is taken off at random, 0 to 1. @default 0 */
  readonly jitter?: number
  /** Larger values are not kept, with one warning. @default '1mb' */
  readonly maxValueSize?: Size
  /** Writes and reads values that are no bytes, where JSON cannot say them; devalue and superjson fit. @default JSON */
  readonly serializer?: Serializer
  /** Compress what goes to Redis. @default { threshold: '1kb' } */
  readonly compression?: boolean | { readonly threshold?: Size }
  /** Longest wait for an answer of Redis before the request goes on without it. @default 50 */
  readonly deadlineMs?: Duration
  /** How long memory may answer without hearing from Redis. @default 400 */
  readonly leaseMs?: Duration
  /** Handler and loader runs that background refreshes may cause at the same time. @default 64 */
  readonly maxOrigin?: number
  /** How long memory goes on answering when Redis is away: weakens the promise by exactly that. @default 0 */
  readonly staleIfRedisDown?: Duration
  /**
   * Further stores for values, asked in order when memory and Redis have nothing and before the loader; what they have is judged as if
   * Redis had had it. While Redis is away they stand in only as long as `staleIfRedisDown` allows. @default none
   */
  readonly fallback?: readonly FallbackStore[]
  /** Where warnings go: console and pino fit. @default console */
  readonly logger?: Logger
  /** For tests. @default the process's clock */
  readonly clock?: Clock
}

const CACHE_OPTIONS = {
  redis: where<RedisOption>('a URL, an ioredis client, ioredis options or false', () => true),
  redisRequired: flag,
  memory: orFalse(group({ maxSize: { ...size, read: readMaxSize } })),
  namespace: text,
  version: integer(),
  partitions: integer({ min: 1, max: 1024 }),
  poolSize: integer({ min: 1, max: 1000 }),
  ttl: orFalse(duration),
  staleWhileRevalidate: duration,
  staleIfError: duration,
  maxTtl: duration,
  jitter: share,
  maxValueSize: size,
  serializer: withMethods<Serializer>('stringify', 'parse'),
  compression: anyOf(flag, group({ threshold: size })),
  deadlineMs: milliseconds,
  leaseMs: milliseconds,
  maxOrigin: integer({ min: 1 }),
  staleIfRedisDown: duration,
  fallback: listOf(withMethods<FallbackStore>('get', 'set')),
  logger: withMethods<Logger>('info', 'warn'),
  clock: withMethods<Clock>('now'),
} as const

/** What was written, parsed: lifetimes and intervals in ms, sizes in bytes. */
export interface CheckedCacheOptions {
  readonly redisRequired?: boolean
  readonly memory?: false | { readonly maxSize?: number }
  readonly namespace?: string
  readonly version?: number
  readonly partitions?: number
  readonly poolSize?: number
  readonly ttl?: number | false
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
  readonly maxTtl?: number
  readonly jitter?: number
  readonly maxValueSize?: number
  readonly serializer?: Serializer
  readonly compression?: boolean | { readonly threshold?: number }
  readonly deadlineMs?: number
  readonly leaseMs?: number
  readonly maxOrigin?: number
  readonly staleIfRedisDown?: number
  readonly fallback?: readonly FallbackStore[]
  readonly logger?: Logger
  readonly clock?: Clock
}

/** Check the options of `createCache`. @throws CacheError naming option, value and fix */
export function readCacheOptions(options: unknown): CheckedCacheOptions {
  return readOptions('createCache', options, CACHE_OPTIONS)
}

/** What in them is allowed but probably a slip. */
export function cacheOptionHints(options: unknown): readonly string[] {
  return optionHints('createCache', options, CACHE_OPTIONS)
}

function readMaxSize(path: string, value: unknown): number {
  const bytes = size.read(path, value)
  if (bytes === 0) throw badOption(path, value, 'a size of at least one byte, or memory: false for none')
  return bytes
}
