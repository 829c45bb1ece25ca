import { type Claimed, claimFill } from './claim.ts'
import { type Duration, parseDuration } from './duration.ts'
import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError, show } from './errors.ts'
import { serviceKey, tagOf } from './key.ts'
import { type Bound, type Flight, Flights, LOCK_WAIT_MS, TURN_WAIT_MS, UNSHARED_MS } from './lease.ts'
import { badOption, duration, type OptionsOf, oneOf, type Reader, readOptions, where } from './options.ts'
import type { Outcome } from './outcome.ts'
import type { Awaitable, FillLease, InvalidationTargets } from './stores/store.ts'
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

/** Where a value was kept. */
export type Source = 'memory' | 'redis'

/** What `get` answers with `source: true`. */
export interface Found<T> {
  readonly value: T
  readonly source: Source
}

/** Makes the value on a miss. */
export type Loader<T> = () => Promise<T> | T

/** What `remember` answers with `source: true`; `'origin'` is the loader. */
export interface Remembered<T> {
  readonly value: T
  readonly source: Source | 'origin'
}

const SET_OPTIONS = {
  ttl: duration,
  // `checkTags` reads them, limits included.
  tags: where<readonly string[]>('a list of strings', Array.isArray),
} as const

const REMEMBER_OPTIONS = {
  ...SET_OPTIONS,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  source: oneOf(true),
} as const

const LOADER: Reader<Loader<unknown>> = where('a function that makes the value', (value) => typeof value === 'function')

/** Lifetime of what says nothing, where the cache's own `ttl` is "explicit only" (ms). */
const DEFAULT_TTL = 60_000

export class Values {
  readonly #engine: Engine
  readonly #flights: Flights<Landing>

  constructor(engine: Engine) {
    this.#engine = engine
    this.#flights = new Flights(engine.clock)
  }

  /** The value under this key, or undefined. With `source: true` also where it was found. Never rejects: a fault is a miss. */
  get<T>(key: string): Promise<T | undefined>
  get<T>(key: string, options: { readonly source: true }): Promise<Found<T> | undefined>
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
    const { ttl, tags } = readOptions('set', options, SET_OPTIONS)
    return this.#keep('set', [{ key, value, ttl, tags }])
  }

  /** Forget a key everywhere; true when confirmed, false while pending. */
  async delete(key: string): Promise<boolean> {
    return this.#confirmed({ tags: [tagOf.key(this.#checked(key))], patterns: [], all: false })
  }

  /** Whether `get` would find a value. */
  async exists(key: string): Promise<boolean> {
    return (await this.ttl(key)) !== undefined
  }

  /** Give an entry a new lifetime from now, 0 ends it; false when there is no fresh value. */
  async expire(key: string, ttl: Duration): Promise<boolean> {
    const lifetime = parseDuration('expire: ttl', ttl)
    if (!(await this.exists(key))) return false
    if (lifetime === 0) return this.delete(key)
    const staleAt = this.#engine.clock.now() + lifetime
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
    if (!Array.isArray(keys)) throw badOption('getMany', keys, 'a list of keys')
    return Promise.all(keys.map((key) => this.get<T>(key)))
  }

  /** Keep several values; `options` holds for items that do not say otherwise. True when all are confirmed. */
  async setMany(
    items: readonly ({ readonly key: string; readonly value: unknown } & SetOptions)[],
    options: Pick<SetOptions, 'ttl'> = {},
  ): Promise<boolean> {
    const { ttl: common } = readOptions('setMany', options, { ttl: duration })
    if (!Array.isArray(items)) throw badOption('setMany', items, 'a list of { key, value }')
    const read = items.map(({ key, value, ...own }) => {
      const { ttl = common, tags } = readOptions('setMany', own, SET_OPTIONS)
      return { key, value, ttl, tags }
    })
    return this.#keep('setMany', read)
  }

  async #keep(place: string, items: readonly Item[]): Promise<boolean> {
    const checked = items.map(({ key, value, ttl, tags }) => ({
      key: this.#checked(key),
      value: storable(key, value),
      lifetime: ttl ?? this.#defaultLifetime,
      tags: checkTags(place, tags ?? []),
    }))
    // The last of a key: on their way to Redis two could overtake each other.
    const drafts = [...new Map(checked.map((draft) => [draft.key, draft])).values()]
    const confirmed = await this.#confirmed({ tags: drafts.map(({ key }) => tagOf.key(key)), patterns: [], all: false })
    if (!confirmed) return false
    const now = this.#engine.clock.now()
    const results = await Promise.all(
      drafts.map(async ({ key, value, lifetime, tags }) => {
        // Over before it begins: that the older value is gone is all there is to do.
        if (lifetime === 0) return 'stored'
        const staleAt = now + lifetime
        const draft = { key, value, tags, now, staleAt, deleteAt: staleAt, at: this.#at(key), fence: 0 }
        return this.#engine.store.set(this.#valueEntry(draft))
      }),
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
    const read = readOptions('remember', options, REMEMBER_OPTIONS)
    const remembered = await this.#remember(key, read, LOADER.read('remember: loader', loader) as Loader<T>)
    return read.source === true ? remembered : remembered.value
  }

  async #remember<T>(key: string, read: OptionsOf<typeof REMEMBER_OPTIONS>, loader: Loader<T>): Promise<Remembered<T>> {
    const { defaults } = this.#engine
    const windows = {
      revalidate: read.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
      error: read.staleIfError ?? defaults.staleIfError,
    }
    const tags = checkTags('remember', read.tags ?? [])
    const load: Load<T> = { key, tags, lifetime: read.ttl ?? this.#defaultLifetime, windows, loader }

    const caller = { at: this.#engine.clock.monotonic(), early: this.#joinable(key), isLinked: this.#engine.reachable }
    const { entry, source } = await this.#find(key)
    const now = this.#engine.clock.now()
    if (entry !== undefined && isFresh(entry, now)) {
      this.#engine.report(key, { hit: true })
      return { value: valueOf<T>(entry), source }
    }
    if (entry !== undefined && now < entry.staleAt + windows.revalidate) {
      this.#engine.report(key, { hit: true, ttl: ttlOf(entry, now), detail: 'stale-while-revalidate' })
      if (this.#joinable(key) === undefined) this.#engine.refresh(() => this.#refresh(load, entry))
      return { value: valueOf<T>(entry), source }
    }
    const forward = entry === undefined ? 'uri-miss' : 'stale'
    try {
      const { value, ...done } = await this.#bring(load, caller, entry)
      this.#engine.report(key, { hit: false, forward, ...done })
      return { value, source: 'origin' }
    } catch (error) {
      const late = this.#engine.clock.now()
      if (entry === undefined || late >= entry.staleAt + windows.error) {
        this.#engine.report(key, { hit: false, forward })
        throw error
      }
      this.#engine.report(key, { hit: false, forward, ttl: ttlOf(entry, late), detail: 'stale-if-error' })
      return { value: valueOf<T>(entry), source }
    }
  }

  /** What the loader brings: the run that is under way, or one of our own. */
  async #bring<T>(load: Load<T>, caller: Caller, spare: Entry | undefined): Promise<Brought<T>> {
    const { clock } = this.#engine
    const since = clock.monotonic()
    const isCurrent = caller.isLinked && this.#engine.reachable
    let landed = isCurrent && caller.early?.stamp === this.#stamp(load.key) ? caller.early : undefined
    for (;;) {
      // Nothing may be awaited between asking for a flight and beginning one: of many callers all would begin.
      const flight = this.#joinable(load.key) ?? landed
      landed = undefined
      const waitedMs = clock.monotonic() - since
      if (flight === undefined) return this.#load(load, spare, LOCK_WAIT_MS - waitedMs)
      // Where Redis did not answer nothing says whether somebody has written since a run began: only one that began later will do.
      const isUsable = flight.startedAt >= caller.at || (isCurrent && this.#isCertain(load.key, flight))
      const leftMs = (isUsable ? LOCK_WAIT_MS : TURN_WAIT_MS) - waitedMs
      if (leftMs <= 0) return this.#load(load, spare, LOCK_WAIT_MS - waitedMs)
      const landing = await flight.wait(leftMs)
      if (landing === undefined || !isUsable) continue
      if (landing.kind === 'failed') throw landing.error
      const value = (landing.kind === 'nothing' ? undefined : valueOf<T>(landing.entry)) as T
      return { value, collapsed: true }
    }
  }

  /** Loader runs that others may wait for. */
  protected get loads(): Bound {
    return this.#flights.stats()
  }

  #key(key: string): string {
    return serviceKey(this.#engine.version, this.#checked(key))
  }

  #checked(key: string): string {
    if (typeof key !== 'string' || key === '') throw badOption('key', key, 'a string that is not empty')
    return key
  }

  async #find(key: string): Promise<{ readonly entry: Entry | undefined; readonly source: Source }> {
    const found = this.#engine.store.get(this.#key(key))
    const source = found instanceof Promise || this.#engine.store.name === 'redis' ? 'redis' : 'memory'
    const entry = await found
    return { entry: entry?.kind === 'value' ? entry : undefined, source }
  }

  get #defaultLifetime(): number {
    const { ttl } = this.#engine.defaults
    return ttl === false ? DEFAULT_TTL : ttl
  }

  /** The state of the ledger as of which a fill begins. */
  #at(key: string): { readonly incarnation: string; readonly seq: number } {
    return this.#engine.store.ledger(this.#key(key)).token
  }

  #joinable(key: string): Flight<Landing> | undefined {
    return this.#flights.join(this.#key(key), this.#stamp(key))
  }

  #isCertain(key: string, flight: Flight<Landing>): boolean {
    return this.#engine.store.ledger(this.#key(key)).isCertainSince(flight.startedAt)
  }

  #stamp(key: string): object {
    return this.#engine.store.ledger(this.#key(key)).stamp
  }

  /** Lead: of all processes one runs the loader, and the others get what it has stored within `waitMs`. */
  async #load<T>(load: Load<T>, spare: Entry | undefined, waitMs: number): Promise<Brought<T>> {
    const full = this.#key(load.key)
    const flight = this.#flights.isUnshared(full) ? undefined : this.#flights.begin(full, this.#stamp(load.key))
    if (flight === undefined) return this.#run(load, undefined, undefined)
    const claimed = this.#claim(load.key, spare, waitMs)
    const won = claimed instanceof Promise ? await claimed : claimed
    switch (won.kind) {
      case 'won':
        return this.#run(load, flight, won.lease)
      case 'found':
        this.#flights.land(full, flight, { kind: 'brought', entry: won.found })
        return { value: valueOf<T>(won.found), collapsed: true }
      case 'late':
        return this.#run(load, flight, undefined)
      case 'unshared':
        this.#flights.markUnshared(full)
        this.#flights.land(full, flight, undefined)
        return this.#run(load, undefined, undefined)
    }
  }

  /** Load anew what is stale, unless another process is at it. */
  async #refresh<T>(load: Load<T>, stale: Entry): Promise<void> {
    const full = this.#key(load.key)
    const flight = this.#flights.begin(full, this.#stamp(load.key))
    const claimed = this.#claim(load.key, stale, 0)
    const won = claimed instanceof Promise ? await claimed : claimed
    if (won.kind === 'won') await this.#run(load, flight, won.lease)
    else this.#flights.land(full, flight, won.kind === 'found' ? { kind: 'brought', entry: won.found } : undefined)
  }

  #claim(key: string, spare: Entry | undefined, waitMs: number): Awaitable<Claimed<Entry>> {
    const { store, clock } = this.#engine
    return claimFill({
      store,
      claim: { key: this.#key(key), ...this.#at(key), seen: spare?.fence },
      find: async () => {
        const entry = await store.reread(this.#key(key))
        return entry?.kind === 'value' && isFresh(entry, clock.now()) ? entry : undefined
      },
      waitMs,
      monotonic: () => clock.monotonic(),
    })
  }

  /** Run the loader, keep what it brings and hand it to those waiting. */
  async #run<T>(
    { key, tags, lifetime, windows, loader }: Load<T>,
    flight: Flight<Landing> | undefined,
    lease: FillLease | undefined,
  ): Promise<Brought<T>> {
    const full = this.#key(key)
    const at = this.#at(key)
    const { store } = this.#engine
    let landing: Landing | undefined
    let unkept = lease
    let unsharedMs = 0
    try {
      const value = await loader()
      if (value === undefined) {
        landing = { kind: 'nothing' }
        return { value }
      }
      const kept = this.#storableOf(key, value)
      if (kept === undefined) {
        // What cannot be kept cannot be shared either: do not let others wait for it one after the other.
        this.#flights.markUnshared(full)
        unsharedMs = UNSHARED_MS
        return { value }
      }
      this.#flights.clearUnshared(full)
      const now = this.#engine.clock.now()
      const staleAt = now + lifetime
      const deleteAt = staleAt + Math.max(windows.revalidate, windows.error)
      const fence = lease?.fence ?? 0
      const entry = this.#valueEntry({ key, value: kept, tags, now, staleAt, deleteAt, at, fence })
      const ledger = store.ledger(full)
      if (ledger.isHeld(entry)) {
        // As long as it cannot be kept whoever comes: do not let them wait for each other.
        this.#flights.markUnshared(full)
        unsharedMs = LOCK_WAIT_MS
      }
      if (ledger.judge(entry) === 'invalid') return { value }
      landing = { kind: 'brought', entry }
      unkept = undefined
      // The caller has its value; what becomes of the copy is no reason to wait.
      void store.set(entry, lease)
      return { value, stored: true }
    } catch (error) {
      landing = { kind: 'failed', error }
      throw error
    } finally {
      this.#flights.land(full, flight, landing)
      if (unkept !== undefined) store.release(unkept, unsharedMs)
    }
  }

  /** What a loader brought, as it is kept; undefined for what cannot be: the caller has it all the same. */
  #storableOf(key: string, value: unknown): string | Buffer | undefined {
    try {
      return storable(key, value)
    } catch (cause) {
      const { events } = this.#engine
      events.emit('error', { where: 'remember', cause })
      events.warnOnce('remember', `What was loaded for ${show(key)} is not kept: ${String(cause)}`)
      return undefined
    }
  }

  #valueEntry({ key, value, tags, now, staleAt, deleteAt, at, fence }: ValueDraft): Entry {
    const full = this.#key(key)
    let size = full.length + value.length
    for (const tag of tags) size += tag.length
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
      fence,
      size,
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

/** What a run of a loader has for those who waited: nothing at all (undefined) sends each on its own way. */
type Landing =
  | { readonly kind: 'brought'; readonly entry: Entry }
  /** The loader brought undefined. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What was so when a caller of `remember` came. */
interface Caller {
  /** Monotonic ms. */
  readonly at: number
  /** The run under way; it may land while Redis is asked. */
  readonly early: Flight<Landing> | undefined
  readonly isLinked: boolean
}

interface Brought<T> extends Pick<Outcome, 'collapsed' | 'stored'> {
  readonly value: T
}

/** An item of `setMany`, its lifetime in ms. */
interface Item {
  readonly key: string
  readonly value: unknown
  readonly ttl: number | undefined
  readonly tags: readonly string[] | undefined
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
  readonly fence: number
}

/** Values are kept as JSON text or bytes, so that nobody can change what others will read. */
function storable(key: string, value: unknown): string | Buffer {
  if (Buffer.isBuffer(value)) return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  const json = jsonOf(key, value)
  if (json === undefined) throw unstorable(key, value, undefined)
  return json
}

function jsonOf(key: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw unstorable(key, value, cause)
  }
}

function unstorable(key: string, value: unknown, cause: unknown): CacheError {
  const why = cause instanceof Error ? ` (${cause.message.split('\n', 1)[0]})` : ''
  return new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `set: the value of ${show(key)} is ${show(value)}, which has no JSON form${why}. Store data, or delete the key.`,
    { cause },
  )
}

function valueOf<T>(entry: Entry): T {
  return (typeof entry.value === 'string' ? JSON.parse(entry.value) : Buffer.from(entry.value as Buffer)) as T
}

/** Whole seconds left, negative when stale (RFC 9211 s. 2.4). */
function ttlOf(entry: Entry, now: number): number {
  return Math.floor((entry.staleAt - now) / 1_000)
}
