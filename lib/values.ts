import { type Duration, parseDuration } from './duration.ts'
import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError } from './errors.ts'
import { inTime } from './in-time.ts'
import { entryOf, type Keeping, type Windows } from './keeping.ts'
import { serviceKey, tagOf } from './key.ts'
import { type Caller, type Load, type Loader, Loads } from './loads.ts'
import type { Negative } from './negatives.ts'
import {
  badOption,
  callback,
  duration,
  milliseconds,
  type OptionsOf,
  oneOf,
  type Reader,
  readOptions,
  share,
  texts,
  where,
} from './options.ts'
import type { Outcome } from './outcome.ts'
import { Popularity } from './popularity.ts'
import { save } from './save.ts'
import { markOf } from './stored-value.ts'
import type { Awaitable, InvalidationReceipt } from './stores/store.ts'
import type { Token } from './tags.ts'
import { checkTags } from './targets.ts'
import type { Warmed } from './warm-run.ts'

/** Values by key: the service's own face, without HTTP. */

/** Of `set` and of each item of `setMany`. */
export interface SetOptions {
  /** @default the cache's `ttl` */
  readonly ttl?: Duration
  /** Names for invalidation. */
  readonly tags?: readonly string[]
  /** Share of the lifetime that is taken off at random, 0 to 1. @default the cache's */
  readonly jitter?: number
}

/** Of `remember`; what the loader itself says goes before them. */
export interface RememberOptions extends SetOptions {
  /** How long after its lifetime a value is served while it is loaded anew. @default the cache's */
  readonly staleWhileRevalidate?: Duration
  /** How long after its lifetime a value stands in for a loader that fails or is late. @default the cache's */
  readonly staleIfError?: Duration
  /** After so long an older value that `staleIfError` allows is served, and the loader goes on. @default none */
  readonly softTimeoutMs?: Duration
  /** Nobody waits for longer: an older value that `staleIfError` allows, or `ERR_CACHE_LOADER_TIMEOUT`. @default none */
  readonly hardTimeoutMs?: Duration
  /** How long this process remembers that the loader failed or brought undefined. @default not at all */
  readonly negativeTtl?: Duration
  /** Share of the lifetime, 0 to 1, after which a value that is read often is loaded anew in the background. @default never */
  readonly refreshAhead?: number
}

/** Of `write`. */
export interface WriteOptions extends SetOptions {
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
  /** Tags of what else it makes wrong. @default none */
  readonly invalidates?: readonly string[]
}

/** Where a value was kept. */
export type Source = 'memory' | 'redis' | 'fallback'

/** What `get` answers with `source: true`. */
export interface Found<T> {
  readonly value: T
  readonly source: Source
}

/** What `remember` answers with `source: true`; `'origin'` is the loader. */
export interface Remembered<T> {
  readonly value: T
  readonly source: Source | 'origin'
}

const SET_OPTIONS = {
  ttl: duration,
  // `checkTags` reads them, limits included.
  tags: where<readonly string[]>('a list of strings', Array.isArray),
  jitter: share,
} as const

const REMEMBER_OPTIONS = {
  ...SET_OPTIONS,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  softTimeoutMs: milliseconds,
  hardTimeoutMs: milliseconds,
  negativeTtl: duration,
  refreshAhead: share,
  source: oneOf(true),
} as const

const WRITE_OPTIONS = {
  ...SET_OPTIONS,
  staleWhileRevalidate: duration,
  staleIfError: duration,
  invalidates: texts,
} as const

const SAVE: Reader<() => unknown> = callback<() => unknown>()

const LOADER: Reader<Loader<unknown>> = where('a function that makes the value', (value) => typeof value === 'function')

export class Values {
  readonly #engine: Engine
  readonly #loads: Loads
  readonly #popularity = new Popularity()

  constructor(engine: Engine) {
    this.#engine = engine
    this.#loads = new Loads(engine)
  }

  /** The value under this key, or undefined. With `source: true` also where it was found. Never rejects: a fault is a miss. */
  get<T>(key: string): Promise<T | undefined>
  get<T>(key: string, options: { readonly source: true }): Promise<Found<T> | undefined>
  async get<T>(key: string, options?: { readonly source: true }): Promise<unknown> {
    const found = this.#find(this.#full(key))
    // A hit in memory waits for nothing.
    const { entry, source } = found instanceof Promise ? await found : found
    const { clock, format } = this.#engine
    const value = entry !== undefined && isFresh(entry, clock.now()) ? format.read<T>(entry) : undefined
    if (value === undefined) {
      this.#engine.report(key, { hit: false, forward: 'uri-miss' })
      return undefined
    }
    this.#engine.report(key, HIT)
    return options?.source === true ? { value, source } : value
  }

  /**
   * Keep a value; true when every process that could have held an older one is known to have dropped it, false while that is
   * still to be confirmed (Redis away: the value is then not kept).
   * @throws CacheError for a value that is neither JSON nor bytes, for wrong tags and lifetimes
   */
  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    return this.#keep('set', [{ key, value, ...readOptions('set', options, SET_OPTIONS) }])
  }

  /** Forget a key everywhere; true when confirmed, false while pending. */
  async delete(key: string): Promise<boolean> {
    void this.#engine.fallbacks?.forget(this.#full(key))
    const receipt = await this.#invalidate([tagOf.key(this.#checked(key))])
    return receipt !== undefined
  }

  /** Whether `get` would find a value. */
  async exists(key: string): Promise<boolean> {
    return (await this.ttl(key)) !== undefined
  }

  /** Give an entry a new lifetime from now, 0 ends it; false when there is no fresh value. */
  async expire(key: string, ttl: Duration): Promise<boolean> {
    const lifetime = this.#engine.lifetimes.bounded('expire', parseDuration('expire: ttl', ttl))
    // It is no write: what the ledger does not know of would come back with its old end.
    await this.#engine.fallbacks?.forget(this.#full(key))
    if (!(await this.exists(key))) return false
    if (lifetime === 0) return this.delete(key)
    const staleAt = this.#engine.clock.now() + lifetime
    return this.#engine.store.touch(this.#full(key), staleAt, staleAt)
  }

  /** Whole seconds left, rounded up; undefined when there is no fresh value. */
  async ttl(key: string): Promise<number | undefined> {
    const { entry } = await this.#find(this.#full(key))
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
    options: Pick<SetOptions, 'ttl' | 'jitter'> = {},
  ): Promise<boolean> {
    const common = readOptions('setMany', options, { ttl: duration, jitter: share })
    if (!Array.isArray(items)) throw badOption('setMany', items, 'a list of { key, value }')
    const read = items.map(({ key, value, ...own }) => {
      return { key, value, ...common, ...readOptions('setMany', own, SET_OPTIONS) }
    })
    return this.#keep('setMany', read)
  }

  async #keep(place: string, items: readonly Item[]): Promise<boolean> {
    const { store, format } = this.#engine
    const checked = items.map(({ key, value, ...read }) => {
      const keeping = this.#keeping(place, key, read, NO_WINDOWS)
      return { key, keeping, written: format.write(key, value) }
    })
    // The last of a key: on their way to Redis two could overtake each other.
    const drafts = [...new Map(checked.map((draft) => [draft.key, draft])).values()]
    const receipt = await this.#invalidate(drafts.map(({ key }) => tagOf.key(key)))
    if (receipt === undefined) return false
    const results = await Promise.all(
      drafts.map(async ({ key, keeping, written }) => {
        // Over before it begins: that the older value is gone is all there is to do.
        if (keeping.lifetime === 0) return 'stored'
        if (!format.fits(key, written)) return 'too-large'
        // Not as of now: of two that are set at the same time the later one is to be kept, in all processes.
        const at = receipt.tokens.get(store.ledger(keeping.full))
        if (at === undefined) return 'unavailable'
        return this.#engine.keep(entryOf(this.#engine, keeping, { written, at, fence: 0 }))
      }),
    )
    // One that was set later, or invalidated, is in its place.
    return results.every((result) => result !== 'unavailable' && result !== 'too-large')
  }

  /**
   * Write to the source, and keep what `run` brings under this key. While it is under way no process answers with the key or with
   * what carries `invalidates`; once this has resolved with true, none answers with anything older. It resolves with false where other
   * processes could not be told in time, and rejects only with the error of `run`, the key being forgotten: it may have committed.
   *
   * Of several writes of one key at the same time, in whatever processes, nothing is kept: the next reader loads.
   * @throws CacheError for wrong options, before anything is written
   * @example
   * await cache.write('user:7', { ttl: '1h', invalidates: ['users'] }, () => users.save(user))
   */
  async write<T>(key: string, options: WriteOptions, run: () => Promise<T> | T): Promise<boolean> {
    const { invalidates = [], ...read } = readOptions('write', options, WRITE_OPTIONS)
    const write = SAVE.read('write: run', run) as () => Promise<T> | T
    return save(this.#engine, this.#keeping('write', key, read), {
      run: write,
      invalidates: invalidates.map(tagOf.tag),
    })
  }

  /**
   * The value under this key, loaded once for however many callers when there is none. The loader's error reaches its callers
   * untouched, unless `staleIfError` still allows the old value; a loader that brings undefined is not remembered. With Redis away the
   * loader runs.
   * @throws CacheError `ERR_CACHE_LOADER_TIMEOUT` after `hardTimeoutMs`
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

  async #remember<T>(key: string, read: ReadOptions, loader: Loader<T>): Promise<Remembered<T>> {
    const load = this.#load('remember', key, read, loader)
    const caller = this.#loads.caller(load.keeping.full)
    const finding = this.#find(load.keeping.full)
    // With Redis away only those share a run who came before it began: let all of this turn come.
    const found = finding instanceof Promise || !caller.isLinked ? await finding : finding
    const served = this.#served(load, found, read.refreshAhead)
    if (served !== undefined) return served
    const negative = this.#loads.negative(load, caller)
    return negative === undefined
      ? this.#bring(load, found, { caller, softTimeoutMs: read.softTimeoutMs })
      : this.#without(load, found, negative)
  }

  #load<T>(place: string, key: string, read: ReadOptions, loader: Loader<T>): Load<T> {
    const { hardTimeoutMs, negativeTtl } = read
    return { keeping: this.#keeping(place, key, read), hardTimeoutMs, negativeTtl, loader }
  }

  /** @throws CacheError for what is no key, and for wrong tags */
  #keeping(place: string, key: string, read: KeepOptions, windows: Windows = this.#windows(read)): Keeping {
    return {
      full: this.#full(key),
      key,
      tags: checkTags(place, read.tags ?? []),
      lifetime: this.#engine.lifetimes.bounded(place, read.ttl),
      jitter: read.jitter,
      windows,
    }
  }

  #windows(read: KeepOptions): Windows {
    const { defaults } = this.#engine
    return {
      revalidate: read.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
      error: read.staleIfError ?? defaults.staleIfError,
    }
  }

  /** What is kept, where it may be used at once. */
  #served<T>(load: Load<T>, { entry, source }: Kept, refreshAhead: number | undefined): Remembered<T> | undefined {
    if (entry === undefined) return undefined
    const now = this.#engine.clock.now()
    const fresh = isFresh(entry, now)
    if (!fresh && now >= entry.staleAt + windowsOf(load, entry).revalidate) return undefined
    const value = this.#engine.format.read<T>(entry)
    if (value === undefined) return undefined
    this.#engine.report(load.keeping.key, fresh ? HIT : staleHit(entry, now))
    if (!fresh || (refreshAhead !== undefined && this.#isDue(entry, now, refreshAhead)))
      this.#loads.refresh(load, entry)
    return { value, source }
  }

  /** Whether so much of an entry's life is over, and it is read so often, that it is to be loaded anew. */
  #isDue(entry: Entry, now: number, share: number): boolean {
    const isPopular = this.#popularity.count(entry)
    return isPopular && now >= entry.cachedAt + share * (entry.staleAt - entry.cachedAt)
  }

  async #bring<T>(load: Load<T>, found: Kept, { caller, softTimeoutMs }: Waiting): Promise<Remembered<T>> {
    const coming = this.#loads.bring(load, caller, found.entry)
    if (found.entry !== undefined && softTimeoutMs !== undefined && !(await inTime(coming, softTimeoutMs))) {
      const standIn = this.#standIn(load, found)
      if (standIn !== undefined) {
        coming.catch((cause: unknown) => this.#engine.events.emit('error', { where: 'remember', cause }))
        return standIn
      }
    }
    const forward = forwardOf(found)
    try {
      const { value, kept: _later, ...done } = await coming
      this.#engine.report(load.keeping.key, { hit: false, forward, ...done })
      return { value, source: 'origin' }
    } catch (error) {
      const standIn = this.#standIn(load, found)
      if (standIn !== undefined) return standIn
      this.#engine.report(load.keeping.key, { hit: false, forward })
      throw error
    }
  }

  /** What there is where it is remembered that the loader had nothing. */
  #without<T>(load: Load<T>, found: Kept, negative: Negative): Remembered<T> {
    const standIn = negative.kind === 'failed' ? this.#standIn(load, found) : undefined
    if (standIn !== undefined) return standIn
    this.#engine.report(load.keeping.key, { hit: true, detail: 'negative' })
    if (negative.kind === 'failed') throw negative.error
    return { value: undefined as T, source: 'memory' }
  }

  /** The older value in place of a loader that has failed or is late, as long as that is allowed and no write came in between. */
  #standIn<T>(load: Load<T>, { entry, source }: Kept): Remembered<T> | undefined {
    if (entry === undefined) return undefined
    const { clock, store, format } = this.#engine
    const now = clock.now()
    const { error: window } = windowsOf(load, entry)
    if (now >= entry.staleAt + window || store.ledger(load.keeping.full).judge(entry) === 'invalid') return undefined
    const value = format.read<T>(entry)
    if (value === undefined) return undefined
    this.#engine.report(load.keeping.key, {
      hit: false,
      forward: 'stale',
      ttl: ttlOf(entry, now),
      detail: 'stale-if-error',
    })
    return { value, source }
  }

  /** Load a value ahead of those who will ask for it, where what is there is due. It counts neither as a hit nor as a miss. */
  protected async prefetch({ key, options, loader, isDue }: Prefetch): Promise<Warmed> {
    const read = readOptions('warm', options, REMEMBER_OPTIONS)
    const load = this.#load('warm', key, read, LOADER.read('warm: load', loader))
    const caller = this.#loads.caller(load.keeping.full)
    const { entry } = await this.#find(load.keeping.full)
    if (entry !== undefined && !isDue(entry)) return 'fresh'
    const { value, collapsed, kept } = await this.#loads.bring(load, caller, entry)
    if (collapsed === true && value !== undefined) return 'fresh'
    return (await kept) === 'stored' ? 'warmed' : 'unkept'
  }

  /** Keep a value that was read as of a state of the ledger, where what is there is due: unlike `set` it is no write. */
  protected async prefill({ key, options, value, isDue, asOf }: Prefill): Promise<Warmed> {
    const read = readOptions('warm', options, REMEMBER_OPTIONS)
    const { format } = this.#engine
    const keeping = this.#keeping('warm', key, read)
    const written = format.write(key, value)
    const { entry } = await this.#find(keeping.full)
    if (entry !== undefined && !isDue(entry)) return 'fresh'
    if (!format.fits(key, written)) return 'unkept'
    const made = entryOf(this.#engine, keeping, { written, at: asOf(keeping.full), fence: 0 })
    return (await this.#engine.keep(made)) === 'stored' ? 'warmed' : 'unkept'
  }

  /** What the loads of this cache are bounded by. */
  protected get loads(): ReturnType<Loads['stats']> {
    return this.#loads.stats()
  }

  /** @throws CacheError for what is no key */
  #full(key: string): string {
    return serviceKey(this.#engine.version, this.#checked(key))
  }

  #checked(key: string): string {
    if (typeof key !== 'string' || key === '') throw badOption('key', key, 'a string that is not empty')
    return key
  }

  #find(full: string): Awaitable<Kept> {
    const { store, fallbacks } = this.#engine
    const found = store.get(full)
    if (found instanceof Promise || (found === undefined && fallbacks !== undefined)) return this.#search(full, found)
    return { entry: valueIn(found), source: store.name === 'redis' ? 'redis' : 'memory' }
  }

  async #search(full: string, found: Awaitable<Entry | undefined>): Promise<Kept> {
    const { fallbacks } = this.#engine
    const entry = await found
    if (entry === undefined && fallbacks !== undefined) return { entry: await fallbacks.find(full), source: 'fallback' }
    return { entry: valueIn(entry), source: 'redis' }
  }

  /** Undefined while it is still to be confirmed. */
  async #invalidate(tags: readonly string[]): Promise<InvalidationReceipt | undefined> {
    try {
      return await this.#engine.invalidate({ tags, patterns: [], all: false })
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return undefined
      throw error
    }
  }
}

/** What is to be loaded ahead of time. */
export interface Prefetch extends Ahead {
  readonly loader: Loader<unknown>
}

/** What was read ahead of time, and as of which state of the ledgers. */
export interface Prefill extends Ahead {
  readonly value: unknown
  readonly asOf: (full: string) => Token
}

interface Ahead {
  readonly key: string
  readonly options: RememberOptions
  /** Whether what is there is not good enough. */
  readonly isDue: (entry: Entry) => boolean
}

type ReadOptions = OptionsOf<typeof REMEMBER_OPTIONS>
type KeepOptions = Omit<OptionsOf<typeof WRITE_OPTIONS>, 'invalidates'>

/** What is kept under a key, fresh or not. */
interface Kept {
  readonly entry: Entry | undefined
  readonly source: Source
}

interface Waiting {
  readonly caller: Caller
  readonly softTimeoutMs: number | undefined
}

/** An item of `setMany`, its lifetime in ms. */
interface Item extends OptionsOf<typeof SET_OPTIONS> {
  readonly key: string
  readonly value: unknown
}

/** What `set` has kept is never served stale. */
const NO_WINDOWS: Windows = { revalidate: 0, error: 0 }

const HIT: Outcome = { hit: true }

function staleHit(entry: Entry, now: number): Outcome {
  return { hit: true, ttl: ttlOf(entry, now), detail: 'stale-while-revalidate' }
}

/** What the loader said of this value goes before what the caller says. */
function windowsOf<T>({ keeping: { windows } }: Load<T>, { value }: Entry): Windows {
  const { staleWhileRevalidate, staleIfError } = markOf(value) ?? {}
  return { revalidate: staleWhileRevalidate ?? windows.revalidate, error: staleIfError ?? windows.error }
}

function valueIn(entry: Entry | undefined): Entry | undefined {
  return entry?.kind === 'value' ? entry : undefined
}

function forwardOf({ entry }: Kept): 'uri-miss' | 'stale' {
  return entry === undefined ? 'uri-miss' : 'stale'
}

/** Whole seconds left, negative when stale (RFC 9211 s. 2.4). */
function ttlOf(entry: Entry, now: number): number {
  return Math.floor((entry.staleAt - now) / 1_000)
}
