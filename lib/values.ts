import { type Duration, parseDuration } from './duration.ts'
import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError, show } from './errors.ts'
import { serviceKey, tagOf } from './key.ts'
import { Flights, LOCK_WAIT_MS } from './lease.ts'
import type { InvalidationTargets } from './stores/store.ts'
import { checkTags } from './targets.ts'

/**
 * Values by key: the service's own face, without HTTP. They are kept as JSON text or bytes, so that nobody can change what others
 * will read, and a value is the same whether it comes from memory or from Redis.
 */

/** Of `set` and of each item of `setMany`. */
export interface SetOptions {
  readonly ttl?: Duration
  readonly tags?: readonly string[]
}

export interface RememberOptions extends SetOptions {
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
}

/** Where a value came from; `'origin'` is the loader. */
export type Source = 'memory' | 'redis' | 'origin'

/** Makes the value on a miss. */
export type Loader<T> = () => Promise<T> | T

/** What `get` and `remember` answer with `source: true`. */
export interface Remembered<T> {
  readonly value: T
  readonly source: Source
}

/** Lifetime of what says nothing, where the cache's own `ttl` is "explicit only" (ms). */
const DEFAULT_TTL = 60_000
/** What an entry counts for beside key, tags and value (bytes). */
const ENTRY_OVERHEAD = 400

export class Values {
  readonly #engine: Engine
  readonly #flights: Flights<Entry>

  constructor(engine: Engine) {
    this.#engine = engine
    this.#flights = new Flights(engine.clock)
  }

  /** The value under this key, or undefined. With `source: true` also where it was found. Never rejects: a fault is a miss. */
  get<T>(key: string): Promise<T | undefined>
  get<T>(key: string, options: { readonly source: true }): Promise<Remembered<T> | undefined>
  async get<T>(key: string, options?: { readonly source: true }): Promise<unknown> {
    const { entry, source } = await this.#find(key)
    if (entry === undefined || !isFresh(entry, this.#engine.clock.now())) {
      this.#engine.report(key, { hit: false, forward: 'uri-miss' })
      return undefined
    }
    this.#engine.report(key, { hit: true })
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
    const staleAt = this.#engine.clock.now() + parseDuration('expire: ttl', ttl)
    return this.#engine.store.touch(this.#key(key), staleAt, staleAt)
  }

  /** Whole seconds left, rounded up; undefined when there is no fresh value. */
  async ttl(key: string): Promise<number | undefined> {
    const { entry } = await this.#find(key)
    const left = entry === undefined ? 0 : entry.staleAt - this.#engine.clock.now()
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
    const now = this.#engine.clock.now()
    const results = await Promise.all(
      drafts.map(async ({ key, value, lifetime, tags }) =>
        this.#engine.store.set(
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
  remember<T>(
    key: string,
    options: RememberOptions & { readonly source: true },
    loader: Loader<T>,
  ): Promise<Remembered<T>>
  remember<T>(key: string, options: RememberOptions, loader: Loader<T>): Promise<T>
  async remember<T>(
    key: string,
    options: RememberOptions & { readonly source?: true },
    loader: Loader<T>,
  ): Promise<T | Remembered<T>> {
    const remembered = await this.#remember(key, options, loader)
    return options.source === true ? remembered : remembered.value
  }

  async #remember<T>(key: string, options: RememberOptions, loader: Loader<T>): Promise<Remembered<T>> {
    const lifetime = this.#lifetime(options.ttl)
    const windows = {
      revalidate:
        optional('staleWhileRevalidate', options.staleWhileRevalidate) ?? this.#engine.defaults.staleWhileRevalidate,
      error: optional('staleIfError', options.staleIfError) ?? this.#engine.defaults.staleIfError,
    }
    const tags = checkTags('remember', options.tags ?? [])
    const load = (): Promise<T> => this.#load({ key, tags, lifetime, windows, loader })

    const { entry, source } = await this.#find(key)
    const now = this.#engine.clock.now()
    if (entry !== undefined && isFresh(entry, now)) {
      this.#engine.report(key, { hit: true })
      return { value: valueOf<T>(entry), source }
    }
    if (entry !== undefined && now < entry.staleAt + windows.revalidate) {
      const ttl = Math.floor((entry.staleAt - now) / 1_000)
      this.#engine.report(key, { hit: true, ttl, detail: 'stale-while-revalidate' })
      if (this.#joinable(key) === undefined) this.#engine.refresh(async () => void (await load()))
      return { value: valueOf<T>(entry), source }
    }
    const brought = await this.#joinable(key)?.wait(LOCK_WAIT_MS)
    if (brought !== undefined) {
      this.#engine.report(key, { hit: false, forward: 'uri-miss', collapsed: true })
      return { value: valueOf<T>(brought), source: 'origin' }
    }
    this.#engine.report(key, { hit: false, forward: entry === undefined ? 'uri-miss' : 'stale', stored: true })
    try {
      return { value: await load(), source: 'origin' }
    } catch (error) {
      if (entry === undefined || this.#engine.clock.now() >= entry.staleAt + windows.error) throw error
      return { value: valueOf<T>(entry), source }
    }
  }

  #key(key: string): string {
    if (typeof key !== 'string' || key === '') {
      throw new CacheError(
        'ERR_CACHE_BAD_OPTION',
        `key: ${show(key)} is not possible here. Use a string that is not empty.`,
      )
    }
    return serviceKey(this.#engine.version, key)
  }

  async #find(key: string): Promise<{ readonly entry: Entry | undefined; readonly source: 'memory' | 'redis' }> {
    const found = this.#engine.store.get(this.#key(key))
    const source = found instanceof Promise || this.#engine.store.name === 'redis' ? 'redis' : 'memory'
    const entry = await found
    return { entry: entry?.kind === 'value' ? entry : undefined, source }
  }

  #lifetime(ttl: Duration | undefined): number {
    const own = this.#engine.defaults.ttl
    return optional('ttl', ttl) ?? (own === false ? DEFAULT_TTL : own)
  }

  /** The state of the ledger as of which a fill begins. */
  #at(key: string): { readonly incarnation: string; readonly seq: number } {
    return this.#engine.store.ledger(this.#key(key)).token
  }

  #joinable(key: string): ReturnType<Flights<Entry>['join']> {
    const full = this.#key(key)
    return this.#flights.join(full, this.#engine.store.ledger(full).stamp)
  }

  async #load<T>({ key, tags, lifetime, windows, loader }: Load<T>): Promise<T> {
    const full = this.#key(key)
    const at = this.#at(key)
    const flight = this.#flights.begin(full, this.#engine.store.ledger(full).stamp)
    let brought: Entry | undefined
    try {
      const value = await loader()
      const kept = value === undefined ? undefined : this.#storableOf(key, value)
      if (kept === undefined) return value
      const now = this.#engine.clock.now()
      const staleAt = now + lifetime
      const deleteAt = staleAt + Math.max(windows.revalidate, windows.error)
      const entry = this.#valueEntry({ key, value: kept, tags, now, staleAt, deleteAt, at })
      if (this.#engine.store.ledger(full).judge(entry) !== 'invalid') brought = entry
      // The caller has its value; what becomes of the copy is no reason to wait.
      void this.#engine.store.set(entry)
      return value
    } finally {
      this.#flights.land(full, flight, brought)
    }
  }

  /** What a loader brought, as it is kept; undefined for what cannot be: the caller has it all the same. */
  #storableOf(key: string, value: unknown): string | Buffer | undefined {
    try {
      return storable(key, value)
    } catch (cause) {
      const { events } = this.#engine
      events.emit('error', { where: 'remember', cause })
      events.warnOnce(`remember:${key}`, `What was loaded for ${show(key)} is not kept: ${String(cause)}`)
      return undefined
    }
  }

  #valueEntry({ key, value, tags, now, staleAt, deleteAt, at }: ValueDraft): Entry {
    const full = this.#key(key)
    let bytes = ENTRY_OVERHEAD + 2 * full.length + (typeof value === 'string' ? 2 * value.length : value.length)
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
      await this.#engine.invalidate(targets)
      return true
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return false
      throw error
    }
  }
}

interface Windows {
  readonly revalidate: number
  readonly error: number
}

interface Load<T> {
  readonly key: string
  readonly tags: readonly string[]
  readonly lifetime: number
  readonly windows: Windows
  readonly loader: Loader<T>
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
