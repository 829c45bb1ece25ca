import { Statistics } from './analytics/statistics.ts'
import { type CacheOptions, type CheckedCacheOptions, cacheOptionHints, readCacheOptions } from './cache-options.ts'
import { type Clock, SystemClock, withMonotonic } from './clock.ts'
import { Codings } from './codings.ts'
import type { Entry } from './entry.ts'
import { CacheError } from './errors.ts'
import { Events } from './events.ts'
import { Gauge, type Limit } from './gauge.ts'
import { impliedTags, keyOfTag } from './key.ts'
import { Lifetimes } from './lifetimes.ts'
import { nearestPackageName } from './namespace.ts'
import type { Outcome } from './outcome.ts'
import { checkRedisOption, connectRedis } from './redis.ts'
import { Responses } from './responses.ts'
import { Fallback } from './stores/fallback.ts'
import { Fallbacks } from './stores/fallbacks.ts'
import { MemoryStore } from './stores/memory.ts'
import { RedisStore } from './stores/redis.ts'
import type {
  Awaitable,
  FillLease,
  InvalidationOptions,
  InvalidationReceipt,
  InvalidationTargets,
  SetResult,
  Store,
} from './stores/store.ts'
import { TieredStore } from './stores/tiered.ts'
import { ValueFormat } from './value-format.ts'

/** What a response or value gets that says nothing of its own (ms). */
export interface Defaults {
  readonly ttl: number | false
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

const DEFAULTS = {
  ttl: 60_000,
  maxSize: 100 * 1024 ** 2,
  compressAbove: 1024,
  deadlineMs: 50,
  leaseMs: 400,
  maxOrigin: 64,
  maxTtl: 30 * 24 * 60 * 60_000,
  maxValueSize: 1024 ** 2,
} as const

/**
 * The parts of a cache, put together from its options: what the faces of the service (values, responses) and the middlewares of
 * this package work with. Not for applications.
 */
export class Engine {
  readonly clock: Required<Clock>
  readonly events: Events
  readonly statistics: Statistics = new Statistics()
  readonly version: number
  readonly defaults: Defaults
  readonly store: Store
  /** Undefined without Redis. */
  readonly redis: RedisStore | undefined
  /** Undefined without such stores. */
  readonly fallbacks: Fallbacks | undefined
  readonly redisRequired: boolean
  readonly responses: Responses
  readonly codings: Codings
  readonly format: ValueFormat
  readonly lifetimes: Lifetimes
  /** How long an invalidation may take before it counts as unconfirmed (ms). */
  readonly timeoutMs: number
  readonly #refreshes: Gauge
  readonly #closers = new Set<() => Promise<void>>()

  constructor(options: CacheOptions) {
    const read = readCacheOptions(options)
    const useRedis = checkRedisOption(options.redis)
    if (read.memory === false && !useRedis) {
      throw new CacheError(
        'ERR_CACHE_BAD_OPTION',
        'createCache: memory: false leaves nowhere to keep entries. Give a `redis` option too, or leave `memory` out.',
      )
    }
    this.events = new Events(read.logger ?? console)
    for (const hint of cacheOptionHints(options)) this.events.warn(hint)
    const clock: Clock = read.clock ?? new SystemClock()
    const leaseMs = read.leaseMs ?? DEFAULTS.leaseMs
    this.clock = withMonotonic(clock)
    this.version = read.version ?? 1
    this.defaults = {
      ttl: read.ttl ?? DEFAULTS.ttl,
      staleWhileRevalidate: read.staleWhileRevalidate ?? 0,
      staleIfError: read.staleIfError ?? 0,
    }
    const { events } = this
    this.format = new ValueFormat({
      serializer: read.serializer,
      maxBytes: read.maxValueSize ?? DEFAULTS.maxValueSize,
      events,
    })
    this.lifetimes = new Lifetimes({
      usual: this.defaults.ttl === false ? DEFAULTS.ttl : this.defaults.ttl,
      longest: read.maxTtl ?? DEFAULTS.maxTtl,
      jitter: read.jitter ?? 0,
      events,
    })
    this.redisRequired = read.redisRequired ?? false
    this.timeoutMs = 2 * leaseMs
    this.#refreshes = new Gauge(read.maxOrigin ?? DEFAULTS.maxOrigin)
    this.redis = useRedis
      ? new RedisStore({
          connection: connectRedis(options.redis, (message) => this.events.warnOnce(message, message)),
          namespace: read.namespace ?? nearestPackageName(),
          partitions: read.partitions,
          poolSize: read.poolSize,
          deadlineMs: read.deadlineMs ?? DEFAULTS.deadlineMs,
          leaseMs,
          compressAbove: compressAbove(read.compression),
          isKept: read.memory !== false,
          clock,
          events: this.events,
        })
      : undefined
    const maxBytes = (read.memory === false ? undefined : read.memory?.maxSize) ?? DEFAULTS.maxSize
    this.store = tiers({
      redis: this.redis,
      clock,
      monotonic: this.clock,
      version: this.version,
      maxBytes: read.memory === false ? undefined : maxBytes,
      staleIfRedisDown: read.staleIfRedisDown ?? 0,
    })
    this.fallbacks = this.#fallbacksOf(read)
    this.responses = new Responses({ store: this.store, clock: this.clock })
    this.codings = new Codings({ store: this.store, events: this.events })
    this.events.on('error', () => this.statistics.increment('errors'))
    this.events.on('unconfirmed', () => this.statistics.increment('unconfirmed'))
  }

  /** Whether entries can be shared now; false while a configured Redis is away. */
  get reachable(): boolean {
    return this.redis?.reachable ?? true
  }

  /** Invalidate at once; a promise only where others have to be told. */
  invalidate(
    targets: InvalidationTargets,
    { ack = 'all', timeoutMs = this.timeoutMs, ...options }: Partial<InvalidationOptions> = {},
  ): Awaitable<InvalidationReceipt> {
    const tags = [...targets.tags, ...impliedTags(targets.tags)]
    const done = this.store.invalidate({ ...targets, tags }, { ...options, ack, timeoutMs })
    // A write that only begins, or goes on, is told of when it is over.
    if (options.mark !== undefined && options.mark.lifeMs > 0) return done
    this.statistics.increment('invalidations')
    this.events.emit('invalidate', targets)
    return done
  }

  /** Keep a value, in the fallback stores too. */
  keep(entry: Entry, lease?: FillLease): Awaitable<SetResult> {
    const kept = this.store.set(entry, lease)
    void this.fallbacks?.keep(entry, kept)
    return kept
  }

  /** Run in the background unless `maxOrigin` such runs are under way; false when refused. */
  refresh(run: () => Promise<void>): boolean {
    if (!this.#refreshes.admits(1)) return false
    this.#refreshes.add(1)
    this.statistics.increment('refreshes')
    void run()
      .catch((cause: unknown) => this.events.emit('error', { where: 'refresh', cause }))
      .finally(() => this.#refreshes.add(-1))
    return true
  }

  get refreshes(): Limit {
    return this.#refreshes.stats()
  }

  /** Run this when the cache is closed, before its connections are; returns a function that takes it back. */
  onClose(run: () => Promise<void>): () => void {
    this.#closers.add(run)
    return () => {
      this.#closers.delete(run)
    }
  }

  /** End what was begun on top of the cache, then the stores. */
  async close(): Promise<void> {
    const ended = await Promise.allSettled([...this.#closers].map((run) => run()))
    for (const end of ended) {
      if (end.status === 'rejected') this.events.emit('error', { where: 'close', cause: end.reason })
    }
    this.fallbacks?.close()
    await this.store.close()
  }

  #fallbacksOf(options: CheckedCacheOptions): Fallbacks | undefined {
    const { fallback = [], staleIfRedisDown, namespace = nearestPackageName(), deadlineMs, maxValueSize } = options
    if (fallback.length === 0) return undefined
    const { clock, events, store } = this
    if (this.redis !== undefined && staleIfRedisDown === undefined) {
      events.warn(
        'createCache: fallback: these stores stand in only while Redis can be reached, because nothing else knows what was invalidated. ' +
          "Say staleIfRedisDown: '5m' where what they have may be so old while it is away, or staleIfRedisDown: 0 where it may not.",
      )
    }
    const list = fallback.map((one, index) => {
      return new Fallback({
        store: one,
        name: one.name ?? `fallback ${index + 1}`,
        namespace,
        deadlineMs: deadlineMs ?? DEFAULTS.deadlineMs,
        compressAbove: compressAbove(options.compression),
        maxValueBytes: maxValueSize ?? DEFAULTS.maxValueSize,
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        events,
      })
    })
    // Only memory has a lease, which says until when nothing else was acknowledged.
    const standsIn = options.memory !== false && (staleIfRedisDown ?? 0) > 0
    const isUsable = (): boolean => this.reachable || standsIn
    return new Fallbacks({ list, store, isUsable, now: () => clock.now() })
  }

  /** Report what was done with one request or `remember`. */
  report(key: string | undefined, outcome: Outcome): void {
    this.statistics.count(outcome)
    if (this.events.has('outcome')) this.events.emit('outcome', { key, outcome })
  }

  /** A request that came at `since` (monotonic ms) has its answer. */
  time(outcome: Outcome, since: number): void {
    this.statistics.time(outcome, this.clock.monotonic() - since)
  }
}

interface Tiers {
  readonly redis: RedisStore | undefined
  readonly clock: Clock
  readonly monotonic: Required<Clock>
  readonly version: number
  /** Undefined for no memory. */
  readonly maxBytes: number | undefined
  readonly staleIfRedisDown: number
}

/** Memory, Redis, or memory in front of Redis; one of them there is. */
function tiers({ redis, clock, monotonic, version, maxBytes, staleIfRedisDown }: Tiers): Store {
  if (redis === undefined) {
    return new MemoryStore({
      maxBytes: maxBytes ?? DEFAULTS.maxSize,
      clock,
      keyOfTag: (tag) => keyOfTag(version, tag),
    })
  }
  if (maxBytes === undefined) return redis
  const memory = new MemoryStore({ maxBytes, clock, ledgerOf: (key) => redis.ledger(key) })
  return new TieredStore({ memory, redis, clock: monotonic, staleIfRedisDown })
}

function compressAbove(option: boolean | { readonly threshold?: number } | undefined): number | false {
  if (option === false) return false
  return (typeof option === 'object' ? option.threshold : undefined) ?? DEFAULTS.compressAbove
}
