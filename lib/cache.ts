import type { Counters, Latency } from './analytics/statistics.ts'
import type { CacheOptions } from './cache-options.ts'
import { change } from './change.ts'
import type { Duration } from './duration.ts'
import { Engine } from './engine.ts'
import { CacheError } from './errors.ts'
import type { CacheEvents, Listener } from './events.ts'
import { type Limit, together } from './gauge.ts'
import { callback, flag, integer, milliseconds, oneOf, readOptions, text } from './options.ts'
import type { FallbackStats } from './stores/fallback.ts'
import type { Ack, EntryPage, InvalidationReceipt } from './stores/store.ts'
import { invalidationTargets, type Targets } from './targets.ts'
import { Values } from './values.ts'
import type { WarmItem, WarmOptions } from './warm-options.ts'
import type { WarmReport, WarmSource } from './warm-run.ts'
import { Warming, type WarmStatus } from './warming.ts'

export interface InvalidateOptions {
  /** How far it must have reached: every process (`'all'`), or Redis, other memories lagging by one lease. @default 'all' */
  readonly ack?: Exclude<Ack, 'memory'>
  /** Stale from now on instead of gone: it may stand in where stale-while-revalidate and stale-if-error permit. @default false */
  readonly soft?: boolean
  /** How many replicas of Redis must have it, too. @default none */
  readonly wait?: number
  /** @default twice the lease */
  readonly timeoutMs?: Duration
}

export interface ChangeOptions {
  /** Reject before the write where other processes cannot be told that it begins. @default false */
  readonly strict?: boolean
}

const ENTRIES_OPTIONS = { cursor: text, limit: integer({ min: 1 }) } as const
const INVALIDATE_OPTIONS = {
  ack: oneOf('redis', 'all'),
  soft: flag,
  wait: integer({ min: 1 }),
  timeoutMs: milliseconds,
} as const
const CHANGE_OPTIONS = { strict: flag } as const
const WRITE = callback<() => unknown>()

export interface InvalidateResult extends Pick<InvalidationReceipt, 'ack' | 'partitions'> {
  readonly elapsedMs: number
}

/** What is limited. */
type LimitName =
  | 'memory'
  | 'flights'
  | 'waiters'
  | 'shared'
  | 'variants'
  | 'refreshes'
  | 'codings'
  | 'tags'
  | 'negative'
  | 'valueSize'
  | 'fallbacks'

export interface Stats {
  readonly stats: {
    readonly hits: number
    readonly misses: number
    /** Hits per hundred lookups, two decimals. */
    readonly hitRate: number
    /** Bytes of entries in this process. */
    readonly memoryUsed: number
    readonly evictedKeys: number
    /** Entries in this process. */
    readonly keyCount: number
  }
  readonly status: 'healthy' | 'degraded'
  /** ISO 8601. */
  readonly timestamp: string
  readonly counters: Counters
  /** Of requests; `remember` and its like are not timed. */
  readonly latency: Latency
  readonly limits: Readonly<Record<LimitName, Limit>>
  readonly redis: {
    readonly configured: boolean
    readonly connected: boolean
    readonly errors: number
    /** Bytes under a key of ours that were not an entry of ours. */
    readonly corrupt: number
  }
  /** Further stores, in the order in which they are asked. */
  readonly fallbacks: readonly FallbackStats[]
  /** What is warmed on schedule, or was warmed under a name. */
  readonly warming: readonly WarmStatus[]
}

export interface Health {
  readonly status: 'pass' | 'warn' | 'fail'
  /** Whether Redis can be used; false where none is configured. */
  readonly connected: boolean
  /** Round trip to Redis, 0 without one. */
  readonly latencyMs: number
  /** ISO 8601. */
  readonly degradedSince?: string
  readonly reason?: string
}

/**
 * Make a cache: entries in the memory of this process, and in Redis when `redis` says where.
 *
 * Redis need not be up: requests go on without it, one warning is given, and it is used as soon as it answers.
 * @throws CacheError for wrong options, naming the value and the fix
 * @example
 * const cache = createCache({ redis: process.env.REDIS_URL, ttl: '60s' })
 */
export function createCache(options: CacheOptions = {}): Cache {
  return new Cache(options)
}

/** The cache service; made by `createCache`. */
export class Cache extends Values {
  /** For the middlewares of this package. */
  readonly engine: Engine
  readonly #warming: Warming
  #closed: Promise<void> | undefined

  constructor(options: CacheOptions = {}) {
    const engine = new Engine(options)
    super(engine)
    this.engine = engine
    this.#warming = new Warming(engine, {
      prefetch: (item) => this.prefetch(item),
      prefill: (item) => this.prefill(item),
    })
  }

  /**
   * Make everything named wrong, or stale, in every process, and void the fills in flight. Resolves when it is done.
   * @throws CacheError `ERR_CACHE_UNCONFIRMED` (`pending: true`) when Redis does not confirm in time: gone here at once, retried
   * in the background
   */
  async invalidate(targets: Targets, options: InvalidateOptions = {}): Promise<InvalidateResult> {
    const read = readOptions('invalidate', options, INVALIDATE_OPTIONS)
    const { clock, redis } = this.engine
    if (read.wait !== undefined && redis === undefined) {
      throw new CacheError(
        'ERR_CACHE_BAD_OPTION',
        `invalidate: wait: ${read.wait} waits for replicas of Redis, but this cache has no Redis. Leave it out.`,
      )
    }
    const startedAt = clock.monotonic()
    const { ack, partitions } = await this.engine.invalidate(invalidationTargets('invalidate', targets), read)
    return { ack, partitions, elapsedMs: Math.round(clock.monotonic() - startedAt) }
  }

  /**
   * Run a write so that nothing older is served once it is done: while `run` is under way no process answers with what it names, nor
   * keeps any of it. Resolves with what `run` brings and rejects only with its error.
   * @throws CacheError `ERR_CACHE_UNCONFIRMED` before `run`, with `strict: true`, where other processes cannot be told
   * @example
   * await cache.change({ tags: ['post:1'] }, () => db.commit())
   */
  async change<T>(targets: Targets, run: () => Promise<T> | T, options: ChangeOptions = {}): Promise<T> {
    const { strict = false } = readOptions('change', options, CHANGE_OPTIONS)
    const write = WRITE.read('change: run', run) as () => Promise<T> | T
    const { result } = await change(this.engine, {
      targets: invalidationTargets('change', targets),
      run: write,
      strict,
    })
    return result
  }

  /**
   * Load entries before anybody asks for them: those of a list, or those that a function names, in that order. What is fresh already
   * is passed over, so that a run that was interrupted goes on where it stopped. With `every` it is done now and on schedule, by one
   * process of all that share a Redis; the report is that of the first run. With the name of a schedule it is run now. Failures are in
   * the report, and end nothing; while Redis is away nothing is loaded.
   * @throws CacheError for wrong options
   * @example
   * await cache.warm(popular.map((id) => ({ key: `post:${id}`, ttl: '10m', load: () => posts.byId(id) })))
   */
  warm(source: WarmSource<WarmItem>, options?: WarmOptions): Promise<WarmReport>
  warm(name: string): Promise<WarmReport>
  async warm(source: WarmSource<WarmItem> | string, options: WarmOptions = {}): Promise<WarmReport> {
    return this.#warming.warm(source, options)
  }

  /** What the cache did so far, at once. */
  stats(): Stats {
    const { statistics, store, redis, responses, refreshes, codings, format, clock, reachable, fallbacks } = this.engine
    const { counters, hitRate } = statistics
    const own = store.stats()
    const { flights, waiters, shared, variants } = responses.stats()
    const loads = this.loads
    return {
      stats: {
        hits: counters.hits,
        misses: counters.misses,
        hitRate,
        memoryUsed: own.bytes,
        evictedKeys: own.evicted,
        keyCount: own.entries,
      },
      status: reachable ? 'healthy' : 'degraded',
      timestamp: new Date(clock.now()).toISOString(),
      counters,
      latency: statistics.latency,
      limits: {
        memory: { limit: own.maxBytes, current: own.bytes, peak: own.peakBytes, refused: own.refused },
        flights: together([flights, loads.flights]),
        waiters,
        shared,
        variants,
        refreshes,
        codings: codings.stats(),
        tags: statistics.tags,
        negative: loads.negative,
        valueSize: format.stats(),
        fallbacks: fallbacks?.writing() ?? together([]),
      },
      redis: {
        configured: redis !== undefined,
        connected: redis?.reachable ?? false,
        errors: redis?.stats().errors ?? 0,
        corrupt: redis?.stats().corrupt ?? 0,
      },
      fallbacks: fallbacks?.stats() ?? [],
      warming: this.#warming.stats(),
    }
  }

  /** Whether the cache can do its work: asks Redis once, never rejects. */
  async health(): Promise<Health> {
    const { redis, redisRequired } = this.engine
    if (redis === undefined) return { status: 'pass', connected: false, latencyMs: 0, reason: 'no Redis configured' }
    try {
      const latencyMs = await redis.ping()
      const { fullSince } = redis
      if (fullSince === undefined) return { status: 'pass', connected: true, latencyMs }
      const degradedSince = new Date(fullSince).toISOString()
      const reason = 'Redis is out of memory: nothing new is stored'
      return { status: 'warn', connected: true, latencyMs, degradedSince, reason }
    } catch (cause) {
      const { degradedSince: since } = redis
      return {
        status: redisRequired ? 'fail' : 'warn',
        connected: false,
        latencyMs: 0,
        ...(since === undefined ? {} : { degradedSince: new Date(since).toISOString() }),
        reason: cause instanceof Error ? cause.message : String(cause),
      }
    }
  }

  /** A page of what is kept, for people to look at; entries that a write has made wrong are left out. */
  async entries(options: { readonly cursor?: string; readonly limit?: number } = {}): Promise<EntryPage> {
    const { cursor, limit = 100 } = readOptions('entries', options, ENTRIES_OPTIONS)
    return this.engine.store.list({ cursor, limit })
  }

  /** Call `listener` for each event of this name; returns a function that ends it. */
  on<E extends keyof CacheEvents>(event: E, listener: Listener<E>): () => void {
    return this.engine.events.on(event, listener)
  }

  /**
   * Resolves when Redis has answered for the first time, at once without Redis.
   * @throws CacheError `ERR_CACHE_MISSING_PEER` when ioredis is not installed
   */
  async ready(): Promise<void> {
    await this.engine.redis?.ready()
  }

  /** End the work: timers, subscriptions, own connections; a client that was handed in stays open. May be called twice. */
  async close(): Promise<void> {
    this.#closed ??= this.engine.close()
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
