import type { Duration } from '../../lib/duration.ts'
import {
  badOption,
  callback,
  flag,
  integer,
  milliseconds,
  type OptionTable,
  readOptions,
  size,
  text,
} from '../../lib/options.ts'
import type { Size } from '../../lib/size.ts'
import { given, type LoaderOptions } from '../cached-loader.ts'

/** Which write it is that is saved. */
export interface SaveContext {
  /** Names the write, the same at each attempt. */
  readonly id: string
  /** Rises with each write of a key: save nothing over a row that has a greater one. */
  readonly version: number
  /** From 1. */
  readonly attempt: number
}

/** Options of `writeBehind`; `load` is asked where no value is kept and none is queued. */
export interface WriteBehindOptions<A, T> extends LoaderOptions<A, T> {
  /** Names the queue, the same in all processes that share it; another one for each pattern. */
  readonly name: string
  /**
   * Brings a value into the database. It may be called again with a write that it has already saved, so it compares versions:
   * `UPDATE ... WHERE version < ?`.
   */
  save(args: A, value: T, context: SaveContext): unknown
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
  name: text,
  save: callback<(args: never, value: never, context: SaveContext) => unknown>(),
  attempts: integer({ min: 1 }),
  backoffMs: milliseconds,
  maxQueued: integer({ min: 1 }),
  maxQueuedSize: size,
  concurrency: integer({ min: 1, max: 1000 }),
  worker: flag,
  lockMs: milliseconds,
  drainMs: milliseconds,
} as const

/** What `writeBehind` takes beside what all patterns take. */
export const WRITE_BEHIND_OPTIONS: OptionTable = OPTIONS

/** What was written of them, parsed, with the defaults. */
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
export function readWriteBehindOptions<A, T>(options: WriteBehindOptions<A, T>): WriteBehindSettings {
  const read = readOptions('writeBehind', given(options, OPTIONS), OPTIONS)
  for (const name of ['name', 'save'] as const) {
    if (read[name] === undefined) throw badOption(`writeBehind: ${name}`, undefined, OPTIONS[name].expects)
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
