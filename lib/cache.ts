import { type Counters, Statistics } from './analytics/statistics.ts'
import { type Clock, SystemClock } from './clock.ts'
import type { Duration } from './duration.ts'
import { parseDuration } from './duration.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError, show } from './errors.ts'
import { type CacheEvents, Events, type Listener, type Logger } from './events.ts'
import { serviceKey, tagOf, urlTags } from './key.ts'
import { Flights, LOCK_WAIT_MS } from './lease.ts'
import { nearestPackageName } from './namespace.ts'
import {
  anyOf,
  duration,
  flag,
  group,
  integer,
  milliseconds,
  optionHints,
  orFalse,
  readOptions,
  size,
  text,
  where,
  withMethods,
} from './options.ts'
import type { Outcome } from './outcome.ts'
import { checkRedisOption, connectRedis, type RedisOption } from './redis.ts'
import { Responses } from './responses.ts'
import type { Size } from './size.ts'
import { MemoryStore } from './stores/memory.ts'
import { RedisStore } from './stores/redis.ts'
import type { Ack, Awaitable, EntryPage, InvalidationReceipt, InvalidationTargets, Store } from './stores/store.ts'
import { TieredStore } from './stores/tiered.ts'

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
  /** Lifetime of what says nothing about its own; false stores only what does. @default '60s' */
  readonly ttl?: Duration | false
  /** How long after its lifetime an entry is served while one refresh runs. @default 0 */
  readonly staleWhileRevalidate?: Duration
  /** How long after its lifetime an entry stands in for a failed handler. @default 0 */
  readonly staleIfError?: Duration
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
  /** Where warnings go: console and pino fit. @default console */
  readonly logger?: Logger
  /** For tests. @default the process's clock */
  readonly clock?: Clock
}

const CACHE_OPTIONS = {
  redis: where<RedisOption>('a URL, an ioredis client, ioredis options or false', () => true),
  redisRequired: flag,
  memory: orFalse(group({ maxSize: size })),
  namespace: text,
  version: integer(),
  partitions: integer({ min: 1, max: 1024 }),
  ttl: orFalse(duration),
  staleWhileRevalidate: duration,
  staleIfError: duration,
  compression: anyOf(flag, group({ threshold: size })),
  deadlineMs: milliseconds,
  leaseMs: milliseconds,
  maxOrigin: integer({ min: 1 }),
  staleIfRedisDown: duration,
  logger: withMethods<Logger>('info', 'warn'),
  clock: withMethods<Clock>('now'),
} as const

/** Of `set` and of each item of `setMany`. */
export interface SetOptions {
  readonly ttl?: Duration
  readonly tags?: readonly string[]
}

export interface RememberOptions extends SetOptions {
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
}

/** Where a value came from; `remember` adds the loader, `'origin'`. */
export type Source = 'memory' | 'redis' | 'origin'

/** What to make wrong; every member is optional and all of them apply. */
export interface Targets {
  /** Exact, case-sensitive. */
  readonly tags?: readonly string[]
  /** Service keys, exact. */
  readonly keys?: readonly string[]
  /** `'/p?q'` under every host, `'//host/p'` under both schemes, absolute is exact; all methods, variants and mounts. */
  readonly urls?: readonly string[]
  /** `*` any run, `?` one character; starting with `/` it matches path and query, otherwise service keys. */
  readonly pattern?: string | readonly string[]
  readonly all?: boolean
}

export interface InvalidateOptions {
  /** How far it must have reached: every process (`'all'`), or Redis, other memories lagging by one lease. @default 'all' */
  readonly ack?: Exclude<Ack, 'memory'>
  /** @default twice the lease */
  readonly timeoutMs?: Duration
}

export interface InvalidateResult extends InvalidationReceipt {
  readonly elapsedMs: number
}

/** A limit: what it is, how much is used now, the most so far, and how often it refused. */
export interface Limit {
  readonly limit: number
  readonly current: number
  readonly peak: number
  readonly refused: number
}

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
  readonly limits: Readonly<Record<'memory' | 'flights' | 'variants' | 'refreshes', Limit>>
  readonly redis: {
    readonly configured: boolean
    readonly connected: boolean
    readonly errors: number
    readonly corrupt: number
  }
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

/** What the middlewares of this package work with; not for applications. */
export interface CacheEngine {
  readonly responses: Responses
  readonly store: Store
  readonly clock: Required<Clock>
  readonly events: Events
  readonly statistics: Statistics
  readonly version: number
  readonly defaults: {
    readonly ttl: number | false
    readonly staleWhileRevalidate: number
    readonly staleIfError: number
  }
  /** The time an invalidation may take before it counts as unconfirmed (ms). */
  readonly timeoutMs: number
  /** Whether entries can be shared now; false while a configured Redis is away. */
  readonly reachable: boolean
  /** Invalidate at once; a promise only where others have to be told. */
  invalidate(targets: InvalidationTargets, options?: { ack?: Ack; timeoutMs?: number }): Awaitable<InvalidationReceipt>
  /** Run in the background unless `maxOrigin` such runs are under way; false when refused. */
  refresh(run: () => Promise<void>): boolean
  /** Report what was done with one request. */
  report(key: string | undefined, outcome: Outcome): void
}

const DEFAULTS = {
  ttl: 60_000,
  maxSize: 100 * 1024 ** 2,
  compressAbove: 1024,
  deadlineMs: 50,
  leaseMs: 400,
  maxOrigin: 64,
} as const

/** Bounds of tags (DESIGN: 128 of 256 bytes). */
export const MAX_TAGS = 128
export const MAX_TAG_LENGTH = 256

/**
 * Make a cache: entries in the memory of this process, and in Redis when `redis` says where.
 *
 * Redis need not be up: requests go on without it, one warning is given, and it is used as soon as it answers.
 * @throws CacheError for wrong options, naming the value and the fix
 */
export function createCache(options: CacheOptions = {}): Cache {
  return new Cache(options)
}

export class Cache {
  readonly #store: Store
  readonly #redis: RedisStore | undefined
  readonly #clock: Required<Clock>
  readonly #events: Events
  readonly #statistics = new Statistics()
  readonly #flights: Flights<Entry>
  readonly #version: number
  readonly #leaseMs: number
  readonly #redisRequired: boolean
  readonly #maxOrigin: number
  #refreshing = 0
  #refreshPeak = 0
  #refreshRefused = 0
  #closed: Promise<void> | undefined
  /** For the middlewares of this package. */
  readonly engine: CacheEngine

  constructor(options: CacheOptions = {}) {
    const read = readOptions('createCache', options, CACHE_OPTIONS)
    const useRedis = checkRedisOption(options.redis)
    if (read.memory === false && !useRedis) {
      throw new CacheError(
        'ERR_CACHE_BAD_OPTION',
        'createCache: memory: false leaves nowhere to keep entries. Give a `redis` option too, or leave `memory` out.',
      )
    }
    this.#events = new Events(read.logger ?? console)
    for (const hint of optionHints('createCache', options, CACHE_OPTIONS)) this.#events.warn(hint)
    const clock: Clock = read.clock ?? new SystemClock()
    this.#clock = withMonotonic(clock)
    this.#version = read.version ?? 1
    this.#leaseMs = read.leaseMs ?? DEFAULTS.leaseMs
    this.#redisRequired = read.redisRequired ?? false
    this.#maxOrigin = read.maxOrigin ?? DEFAULTS.maxOrigin
    this.#flights = new Flights(this.#clock)

    const redis = useRedis
      ? new RedisStore({
          connection: connectRedis(options.redis, (message) => this.#events.warnOnce(message, message)),
          namespace: read.namespace ?? nearestPackageName(),
          partitions: read.partitions,
          deadlineMs: read.deadlineMs ?? DEFAULTS.deadlineMs,
          leaseMs: this.#leaseMs,
          compressAbove: compressAbove(read.compression),
          clock,
          events: this.#events,
        })
      : undefined
    this.#redis = redis
    const maxBytes = (read.memory === false ? undefined : read.memory?.maxSize) ?? DEFAULTS.maxSize
    const memory =
      read.memory === false
        ? undefined
        : new MemoryStore({ maxBytes, clock, ...(redis === undefined ? {} : { ledgerOf: (key) => redis.ledger(key) }) })
    if (redis === undefined) this.#store = memory as MemoryStore
    else if (memory === undefined) this.#store = redis
    else
      this.#store = new TieredStore({ memory, redis, clock: this.#clock, staleIfRedisDown: read.staleIfRedisDown ?? 0 })

    this.#events.on('error', () => this.#statistics.increment('errors'))
    this.#events.on('unconfirmed', () => this.#statistics.increment('unconfirmed'))
    this.engine = this.#makeEngine({
      ttl: read.ttl ?? DEFAULTS.ttl,
      staleWhileRevalidate: read.staleWhileRevalidate ?? 0,
      staleIfError: read.staleIfError ?? 0,
    })
  }

  /** The value under this key, or undefined. With `source: true` also where it was found. Never rejects: a fault is a miss. */
  get<T>(key: string): Promise<T | undefined>
  get<T>(key: string, options: { readonly source: true }): Promise<{ value: T; source: 'memory' | 'redis' } | undefined>
  async get<T>(key: string, options?: { readonly source: true }): Promise<unknown> {
    const { entry, source } = await this.#find(key)
    if (entry === undefined || !isFresh(entry, this.#clock.now())) {
      this.engine.report(key, { hit: false, forward: 'uri-miss' })
      return undefined
    }
    this.engine.report(key, { hit: true })
    const value = valueOf<T>(entry)
    return options?.source === true ? { value, source } : value
  }

  /**
   * Keep a value; true when every process that could have held an older one is known to have dropped it, false while that is
   * still to be confirmed (Redis away: the value is then not kept).
   * @throws CacheError for a value that is neither JSON nor bytes, for wrong tags and lifetimes
   */
  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    return this.setMany([{ key, value, ...options }])
  }

  /** Forget a key everywhere; true when confirmed, false while pending. */
  async delete(key: string): Promise<boolean> {
    return this.#confirmed({ tags: [tagOf.key(key)], patterns: [], all: false })
  }

  /** Whether `get` would find a value. */
  async exists(key: string): Promise<boolean> {
    return (await this.ttl(key)) !== undefined
  }

  /** Give an entry a new lifetime from now; false when there is none. */
  async expire(key: string, ttl: Duration): Promise<boolean> {
    const staleAt = this.#clock.now() + parseDuration('expire: ttl', ttl)
    return this.#store.touch(this.#key(key), staleAt, staleAt)
  }

  /** Whole seconds left, rounded up; undefined when there is no fresh value. */
  async ttl(key: string): Promise<number | undefined> {
    const { entry } = await this.#find(key)
    const left = entry === undefined ? 0 : entry.staleAt - this.#clock.now()
    return left > 0 ? Math.ceil(left / 1_000) : undefined
  }

  /** The values of these keys in order, undefined where there is none; from Redis in one round trip per partition. */
  async getMany<T>(keys: readonly string[]): Promise<(T | undefined)[]> {
    return Promise.all(keys.map((key) => this.get<T>(key)))
  }

  /** Keep several values; `options` holds for items that do not say otherwise. True when all are confirmed. */
  async setMany(
    items: readonly ({ readonly key: string; readonly value: unknown } & SetOptions)[],
    options: Pick<SetOptions, 'ttl'> = {},
  ): Promise<boolean> {
    const drafts = items.map(({ key, value, ttl, tags }) => ({
      key,
      value: storable(key, value),
      lifetime: this.#lifetime(ttl ?? options.ttl),
      tags: checkTags('set', tags ?? []),
    }))
    const confirmed = await this.#confirmed({ tags: items.map(({ key }) => tagOf.key(key)), patterns: [], all: false })
    if (!confirmed) return false
    const now = this.#clock.now()
    const results = await Promise.all(
      drafts.map(async ({ key, value, lifetime, tags }) =>
        this.#store.set(
          this.#valueEntry({
            key,
            value,
            tags,
            now,
            staleAt: now + lifetime,
            deleteAt: now + lifetime,
            at: this.#at(key),
          }),
        ),
      ),
    )
    return results.every((result) => result === 'stored')
  }

  /**
   * The value under this key, loaded once for however many callers when there is none. The loader's error reaches its callers
   * untouched, unless `staleIfError` still allows the old value; a loader that brings undefined is not remembered.
   */
  async remember<T>(key: string, options: RememberOptions, loader: () => Promise<T> | T): Promise<T> {
    const lifetime = this.#lifetime(options.ttl)
    const windows = {
      revalidate:
        optional('staleWhileRevalidate', options.staleWhileRevalidate) ?? this.engine.defaults.staleWhileRevalidate,
      error: optional('staleIfError', options.staleIfError) ?? this.engine.defaults.staleIfError,
    }
    const tags = checkTags('remember', options.tags ?? [])
    const load = (): Promise<T> => this.#load({ key, tags, lifetime, windows, loader })

    const { entry } = await this.#find(key)
    const now = this.#clock.now()
    if (entry !== undefined && isFresh(entry, now)) {
      this.engine.report(key, { hit: true })
      return valueOf<T>(entry)
    }
    if (entry !== undefined && now < entry.staleAt + windows.revalidate) {
      this.engine.report(key, {
        hit: true,
        ttl: Math.floor((entry.staleAt - now) / 1_000),
        detail: 'stale-while-revalidate',
      })
      if (this.#joinable(key) === undefined) this.engine.refresh(async () => void (await load()))
      return valueOf<T>(entry)
    }
    const flight = this.#joinable(key)
    if (flight !== undefined) {
      const brought = await flight.wait(LOCK_WAIT_MS)
      if (brought !== undefined) {
        this.engine.report(key, { hit: false, forward: 'uri-miss', collapsed: true })
        return valueOf<T>(brought)
      }
    }
    this.engine.report(key, { hit: false, forward: entry === undefined ? 'uri-miss' : 'stale', stored: true })
    try {
      return await load()
    } catch (error) {
      if (entry !== undefined && this.#clock.now() < entry.staleAt + windows.error) return valueOf<T>(entry)
      throw error
    }
  }

  /**
   * Make everything named wrong, in every process, and void the fills in flight. Resolves when it is done.
   * @throws CacheError `ERR_CACHE_UNCONFIRMED` (`pending: true`) when Redis does not confirm in time: gone here at once, retried
   * in the background
   */
  async invalidate(targets: Targets, options: InvalidateOptions = {}): Promise<InvalidateResult> {
    const read = readOptions('invalidate', options, INVALIDATE_OPTIONS)
    const startedAt = this.#clock.monotonic()
    const receipt = await this.engine.invalidate(invalidationTargets('invalidate', targets), read)
    return { ...receipt, elapsedMs: Math.round(this.#clock.monotonic() - startedAt) }
  }

  /** What the cache did so far, at once. */
  stats(): Stats {
    const counters = this.#statistics.counters
    const own = this.#store.stats()
    const redis = this.#redis?.stats()
    const { flights, variants } = this.engine.responses.stats()
    const refreshes = {
      limit: this.#maxOrigin,
      current: this.#refreshing,
      peak: this.#refreshPeak,
      refused: this.#refreshRefused,
    }
    return {
      stats: {
        hits: counters.hits,
        misses: counters.misses,
        hitRate: this.#statistics.hitRate,
        memoryUsed: own.bytes,
        evictedKeys: own.evicted,
        keyCount: own.entries,
      },
      status: this.engine.reachable ? 'healthy' : 'degraded',
      timestamp: new Date(this.#clock.now()).toISOString(),
      counters,
      limits: {
        memory: { limit: own.maxBytes, current: own.bytes, peak: own.peakBytes, refused: own.refused },
        flights: { limit: Number.MAX_SAFE_INTEGER, current: flights.current, peak: flights.peak, refused: 0 },
        variants: { limit: variants.limit, current: variants.peak, peak: variants.peak, refused: variants.refused },
        refreshes,
      },
      redis: {
        configured: redis !== undefined,
        connected: this.#redis?.reachable ?? false,
        errors: redis?.errors ?? 0,
        corrupt: redis?.corrupt ?? 0,
      },
    }
  }

  /** Whether the cache can do its work: asks Redis once, never rejects. */
  async health(): Promise<Health> {
    if (this.#redis === undefined)
      return { status: 'pass', connected: false, latencyMs: 0, reason: 'no Redis configured' }
    try {
      return { status: 'pass', connected: true, latencyMs: await this.#redis.ping() }
    } catch (cause) {
      const since = this.#redis.degradedSince
      return {
        status: this.#redisRequired ? 'fail' : 'warn',
        connected: false,
        latencyMs: 0,
        ...(since === undefined ? {} : { degradedSince: new Date(since).toISOString() }),
        reason: cause instanceof Error ? cause.message : String(cause),
      }
    }
  }

  /** A page of what is kept, for people to look at; entries that a write has made wrong are left out. */
  async entries(options: { readonly cursor?: string; readonly limit?: number } = {}): Promise<EntryPage> {
    return this.#store.list({ cursor: options.cursor, limit: options.limit ?? 100 })
  }

  /** Call `listener` for each event of this name; returns a function that ends it. */
  on<E extends keyof CacheEvents>(event: E, listener: Listener<E>): () => void {
    return this.#events.on(event, listener)
  }

  /**
   * Resolves when Redis has answered for the first time, at once without Redis.
   * @throws CacheError `ERR_CACHE_MISSING_PEER` when ioredis is not installed
   */
  async ready(): Promise<void> {
    await this.#redis?.ready()
  }

  /** End the work: timers, subscriptions, own connections; a client that was handed in stays open. May be called twice. */
  async close(): Promise<void> {
    this.#closed ??= Promise.resolve(this.#store.close())
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #makeEngine(defaults: CacheEngine['defaults']): CacheEngine {
    const [events, statistics, redis] = [this.#events, this.#statistics, this.#redis]
    const timeoutMs = 2 * this.#leaseMs
    return {
      responses: new Responses({ store: this.#store, clock: this.#clock }),
      store: this.#store,
      clock: this.#clock,
      events,
      statistics,
      version: this.#version,
      defaults,
      timeoutMs,
      get reachable() {
        return redis?.reachable ?? true
      },
      invalidate: (targets, { ack = 'all', timeoutMs: bound = timeoutMs } = {}) => {
        statistics.increment('invalidations')
        const done = this.#store.invalidate(targets, { ack, timeoutMs: bound })
        events.emit('invalidate', targets)
        return done
      },
      refresh: (run) => this.#refresh(run),
      report: (key, outcome) => {
        statistics.count(outcome)
        if (events.has('outcome')) events.emit('outcome', { key, outcome })
      },
    }
  }

  #key(key: string): string {
    if (typeof key !== 'string' || key === '') {
      throw new CacheError(
        'ERR_CACHE_BAD_OPTION',
        `key: ${show(key)} is not possible here. Use a string that is not empty.`,
      )
    }
    return serviceKey(this.#version, key)
  }

  async #find(key: string): Promise<{ readonly entry: Entry | undefined; readonly source: 'memory' | 'redis' }> {
    const found = this.#store.get(this.#key(key))
    const source = found instanceof Promise || this.#store === this.#redis ? 'redis' : 'memory'
    const entry = await found
    return { entry: entry?.kind === 'value' ? entry : undefined, source }
  }

  #lifetime(ttl: Duration | undefined): number {
    const own = this.engine.defaults.ttl === false ? DEFAULTS.ttl : this.engine.defaults.ttl
    return optional('ttl', ttl) ?? own
  }

  /** The state of the ledger as of which a fill begins. */
  #at(key: string): { readonly incarnation: string; readonly seq: number } {
    return this.#store.ledger(this.#key(key)).token
  }

  #joinable(key: string): ReturnType<Flights<Entry>['join']> {
    const full = this.#key(key)
    return this.#flights.join(full, this.#store.ledger(full).stamp)
  }

  async #load<T>({ key, tags, lifetime, windows, loader }: Load<T>): Promise<T> {
    const full = this.#key(key)
    const at = this.#at(key)
    const flight = this.#flights.begin(full, this.#store.ledger(full).stamp)
    let brought: Entry | undefined
    try {
      const value = await loader()
      if (value === undefined) return value
      const now = this.#clock.now()
      const staleAt = now + lifetime
      const deleteAt = staleAt + Math.max(windows.revalidate, windows.error)
      const entry = this.#valueEntry({ key, value: storable(key, value), tags, now, staleAt, deleteAt, at })
      if (this.#store.ledger(full).judge(entry) !== 'invalid') brought = entry
      // The caller has its value; what becomes of the copy is no reason to wait.
      void this.#store.set(entry)
      return value
    } finally {
      this.#flights.land(full, flight, brought)
    }
  }

  #valueEntry({ key, value, tags, now, staleAt, deleteAt, at }: ValueDraft): Entry {
    const full = this.#key(key)
    let bytes = 400 + 2 * full.length + (typeof value === 'string' ? 2 * value.length : value.length)
    for (const tag of tags) bytes += tag.length
    return {
      kind: 'value',
      key: full,
      name: key,
      cachedAt: now,
      staleAt,
      deleteAt,
      tags: [...tags, tagOf.key(key)],
      incarnation: at.incarnation,
      seq: at.seq,
      fence: 0,
      size: bytes,
      value,
    }
  }

  async #confirmed(targets: InvalidationTargets): Promise<boolean> {
    try {
      await this.engine.invalidate(targets)
      return true
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return false
      throw error
    }
  }

  #refresh(run: () => Promise<void>): boolean {
    if (this.#refreshing >= this.#maxOrigin) {
      this.#refreshRefused++
      return false
    }
    this.#refreshing++
    this.#refreshPeak = Math.max(this.#refreshPeak, this.#refreshing)
    this.#statistics.increment('refreshes')
    void run()
      .catch((cause: unknown) => this.#events.emit('error', { where: 'refresh', cause }))
      .finally(() => {
        this.#refreshing--
      })
    return true
  }
}

const INVALIDATE_OPTIONS = {
  ack: where<'redis' | 'all'>("'redis' or 'all'", (value) => value === 'redis' || value === 'all'),
  timeoutMs: milliseconds,
} as const

interface Windows {
  readonly revalidate: number
  readonly error: number
}

interface Load<T> {
  readonly key: string
  readonly tags: readonly string[]
  readonly lifetime: number
  readonly windows: Windows
  readonly loader: () => Promise<T> | T
}

interface ValueDraft {
  readonly key: string
  /** JSON text, or bytes. */
  readonly value: string | Buffer
  readonly tags: readonly string[]
  readonly now: number
  readonly staleAt: number
  readonly deleteAt: number
  readonly at: { readonly incarnation: string; readonly seq: number }
}

/**
 * Read what an application wants invalidated.
 * @throws CacheError `ERR_CACHE_BAD_OPTION` where a member is not a list of strings
 */
export function invalidationTargets(place: string, targets: Targets): InvalidationTargets {
  const { tags = [], keys = [], urls = [], pattern = [], all = false } = targets
  return {
    tags: [
      ...strings(`${place}: tags`, tags).map(tagOf.tag),
      ...strings(`${place}: keys`, keys).map(tagOf.key),
      ...strings(`${place}: urls`, urls).flatMap(urlTags),
    ],
    patterns: strings(`${place}: pattern`, typeof pattern === 'string' ? [pattern] : pattern),
    all: all === true,
  }
}

/**
 * Read the tags of an entry: prefixed, bounded.
 * @throws CacheError `ERR_CACHE_BAD_OPTION` for what is not a list of strings within the bounds
 */
export function checkTags(place: string, tags: readonly string[]): readonly string[] {
  const list = strings(`${place}: tags`, tags)
  const long = list.find((tag) => Buffer.byteLength(tag) > MAX_TAG_LENGTH)
  if (list.length > MAX_TAGS || long !== undefined) {
    throw new CacheError(
      'ERR_CACHE_BAD_OPTION',
      `${place}: ${long === undefined ? `${list.length} tags` : `tag ${show(long)}`} is too much. Use at most ${MAX_TAGS} tags of ${MAX_TAG_LENGTH} bytes.`,
    )
  }
  return list.map(tagOf.tag)
}

function strings(place: string, list: readonly string[]): readonly string[] {
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string' || item === '')) {
    throw new CacheError(
      'ERR_CACHE_BAD_OPTION',
      `${place}: ${show(list)} is not possible here. Use a list of strings that are not empty.`,
    )
  }
  return list
}

/** Values are kept as JSON text or bytes, so that nobody can change what others will read. */
function storable(key: string, value: unknown): string | Buffer {
  if (Buffer.isBuffer(value)) return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  const json: string | undefined = JSON.stringify(value)
  if (json === undefined) {
    throw new CacheError(
      'ERR_CACHE_BAD_OPTION',
      `set: the value of ${show(key)} is ${show(value)}, which has no JSON form. Store data, or delete the key.`,
    )
  }
  return json
}

function valueOf<T>(entry: Entry): T {
  return (typeof entry.value === 'string' ? JSON.parse(entry.value) : Buffer.from(entry.value as Buffer)) as T
}

function optional(name: string, value: Duration | undefined): number | undefined {
  return value === undefined ? undefined : parseDuration(name, value)
}

function compressAbove(option: boolean | { readonly threshold?: number } | undefined): number | false {
  if (option === false) return false
  return (typeof option === 'object' ? option.threshold : undefined) ?? DEFAULTS.compressAbove
}

function withMonotonic(clock: Clock): Required<Clock> {
  const monotonic = clock.monotonic?.bind(clock) ?? new SystemClock().monotonic
  return { now: () => clock.now(), monotonic }
}
