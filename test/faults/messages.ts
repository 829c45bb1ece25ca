import type { RedisClientOptions } from '../../lib/redis.ts'

/** What the processes of a fleet tell the one that started them. */

/** How one of them uses its cache. */
export interface WorkerSettings {
  readonly name: string
  readonly seed: number
  /** Where versions are committed. */
  readonly authority: string
  /** The option `redis` of its cache. */
  readonly redis: RedisAddress
  readonly leaseMs: number
  /** Bytes of memory in front of Redis; false for none. */
  readonly memory: string | false
  /** Serve and read pages, too. */
  readonly http: boolean
  /** Pause between two writes of one writer, on average (ms). */
  readonly writeEveryMs: number
  /** What its wall clock is off by (ms). */
  readonly clockOffsetMs: number
  /** Whether it may invalidate everything at once. */
  readonly mayClear: boolean
  /** Which of the subjects it alone writes: those whose number is `share` modulo `shares`. */
  readonly share: number
  readonly shares: number
}

/** Where a cache finds its Redis: options of ioredis, and the port of the subscription where that is another one. */
export interface RedisAddress {
  readonly options: RedisClientOptions
  readonly busPort?: number
}

/** Where a value came from; in reports by its index here. */
export const SOURCES = ['memory', 'redis', 'origin', 'http', 'fallback'] as const
export type Source = (typeof SOURCES)[number]

/** Numbers by turns: subject, version, firstAt, lastAt, count of a run of reads, and the source of the last one. */
export const RUN_FIELDS = 6
/** Numbers by turns: subject, version, instant of an acknowledgement. */
export const ACK_FIELDS = 3

/** How often values came from where, and what else there was to count. */
export interface Counts extends Readonly<Record<Source, number>> {
  /** Invalidations that were not acknowledged. */
  readonly rejected: number
  /** Reads that ended in an error. */
  readonly failed: number
}

/** Sent some times a second: all since the last one. */
export interface Report {
  readonly kind: 'report'
  readonly runs: Float64Array
  readonly acknowledged: Float64Array
  readonly counts: Counts
}

/** The cache is connected and reads begin. */
export interface Started {
  readonly kind: 'started'
}

/** What went wrong outside of the cache. */
export interface Failed {
  readonly kind: 'failed'
  readonly error: string
}

export type WorkerMessage = Report | Started | Failed
