import type { Cache } from '../../lib/cache.ts'
import type { Duration } from '../../lib/duration.ts'
import {
  badOption,
  callback,
  duration,
  flag,
  integer,
  milliseconds,
  type OptionTable,
  type Reader,
  readOptions,
  size,
  syncCallback,
  text,
} from '../../lib/options.ts'
import type { Size } from '../../lib/size.ts'
import { cacheReader } from '../cached-loader.ts'

/** Which write it is that is saved. */
export interface SaveContext {
  /** Names the write, the same at each attempt. */
  readonly id: string
  /** Rises with each write of a key: save nothing over a row that has a greater one. */
  readonly version: number
  /** From 1. */
  readonly attempt: number
}

/** Options of `writeBehind`. */
export interface WriteBehindOptions<A, T> {
  readonly cache: Cache
  /** Names the queue, the same in all processes that share it; another one for each pattern. */
  readonly name: string
  /** The key under which the value for these arguments is kept and queued; different arguments need different keys. */
  key(args: A): string
  /** Brings the value from the database, where none is kept and none is queued. */
  load(args: A): Promise<T> | T
  /**
   * Brings a value into the database. It may be called again with a write that it has already saved, so it compares versions:
   * `UPDATE ... WHERE version < ?`.
   */
  save(args: A, value: T, context: SaveContext): unknown
  /** @default the cache's */
  readonly ttl?: Duration
  /** @default the cache's */
  readonly staleWhileRevalidate?: Duration
  /** @default the cache's */
  readonly staleIfError?: Duration
  /** Names for invalidation. */
  tags?(args: A): readonly string[]
  /** How often a write is tried before it becomes a dead letter. @default 10 */
  readonly attempts?: number
  /** Pause after the first failure; each further one doubles it, up to a minute. @default 500 */
  readonly backoffMs?: Duration
  /** How many writes may wait, dead letters included; more are refused. @default 10000 */
  readonly maxQueued?: number
  /** How many bytes they may have. @default '16mb' */
  readonly maxQueuedSize?: Size
  /** How many keys this process saves at the same time. @default 8 */
  readonly concurrency?: number
  /** Whether this process saves, or leaves that to others; without Redis it always does. @default true */
  readonly worker?: boolean
  /** How long the keys that a killed worker was saving stay its own; each is taken over half as long later at most. @default '10s' */
  readonly lockMs?: Duration
  /** How long `close()` waits for what is queued to be saved. @default '5s' */
  readonly drainMs?: Duration
}

const OPTIONS = {
  cache: cacheReader,
  name: text,
  key: syncCallback<(args: never) => string>(),
  load: callback<(args: never) => unknown>(),
  save: callback<(args: never, value: never, context: SaveContext) => unknown>(),
  ttl: duration,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  tags: syncCallback<(args: never) => readonly string[]>(),
  attempts: integer({ min: 1 }),
  backoffMs: milliseconds,
  maxQueued: integer({ min: 1 }),
  maxQueuedSize: size,
  concurrency: integer({ min: 1, max: 1000 }),
  worker: flag,
  lockMs: milliseconds,
  drainMs: milliseconds,
} as const satisfies OptionTable

const REQUIRED = ['cache', 'name', 'key', 'load', 'save'] as const

/** What was written, parsed, with the defaults; without the callbacks, whose types are the caller's. */
export interface WriteBehindSettings {
  readonly attempts: number
  readonly backoffMs: number
  readonly maxQueued: number
  readonly maxQueuedSize: number
  readonly concurrency: number
  readonly isWorker: boolean
  readonly lockMs: number
  readonly drainMs: number
}

/** @throws CacheError naming option, value and fix */
export function readWriteBehindOptions(options: unknown): WriteBehindSettings {
  const read = readOptions('writeBehind', options, OPTIONS)
  for (const name of REQUIRED) {
    const reader: Reader<unknown> = OPTIONS[name]
    if (read[name] === undefined) throw badOption(`writeBehind: ${name}`, undefined, reader.expects)
  }
  return {
    attempts: read.attempts ?? 10,
    backoffMs: read.backoffMs ?? 500,
    maxQueued: read.maxQueued ?? 10_000,
    maxQueuedSize: read.maxQueuedSize ?? 16 * 1024 ** 2,
    concurrency: read.concurrency ?? 8,
    isWorker: read.worker ?? true,
    lockMs: read.lockMs ?? 10_000,
    drainMs: read.drainMs ?? 5_000,
  }
}
