import { type Duration, parseDuration } from './duration.ts'
import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError } from './errors.ts'
import { serviceKey, tagOf } from './key.ts'
import type { Bound } from './lease.ts'
import { type Load, type Loader, Loads } from './loads.ts'
import {
  badOption,
  callback,
  duration,
  type OptionsOf,
  oneOf,
  type Reader,
  readOptions,
  texts,
  where,
} from './options.ts'
import { save } from './save.ts'
import { storedForm, valueEntry, valueOf } from './stored-value.ts'
import type { InvalidationReceipt } from './stores/store.ts'
import type { Token } from './tags.ts'
import { checkTags } from './targets.ts'
import type { Warmed } from './warm-run.ts'

/** Values by key: the service's own face, without HTTP. */

/** Of `set` and of each item of `setMany`. */
export interface SetOptions {
  readonly ttl?: Duration
  readonly tags?: readonly string[]
}

export interface RememberOptions extends SetOptions {
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
}

/** Of `write`. */
export interface WriteOptions extends SetOptions {
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
  /** Tags of what else it makes wrong. @default none */
  readonly invalidates?: readonly string[]
}

/** Where a value was kept. */
export type Source = 'memory' | 'redis'

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
} as const

const REMEMBER_OPTIONS = {
  ...SET_OPTIONS,
  staleWhileRevalidate: duration,
  staleIfError: duration,
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

/** Lifetime of what says nothing, where the cache's own `ttl` is "explicit only" (ms). */
const DEFAULT_TTL = 60_000

export class Values {
  readonly #engine: Engine
  readonly #loads: Loads

  constructor(engine: Engine) {
    this.#engine = engine
    this.#loads = new Loads(engine)
  }

  /** The value under this key, or undefined. With `source: true` also where it was found. Never rejects: a fault is a miss. */
  get<T>(key: string): Promise<T | undefined>
  get<T>(key: string, options: { readonly source: true }): Promise<Found<T> | undefined>
  async get<T>(key: string, options?: { readonly source: true }): Promise<unknown> {
    const { entry, source } = await this.#find(this.#full(key))
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
    const receipt = await this.#invalidate([tagOf.key(this.#checked(key))])
    return receipt !== undefined
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
      key,
      full: this.#full(key),
      value: storedForm(key, value),
      lifetime: ttl ?? this.#defaultLifetime,
      tags: checkTags(place, tags ?? []),
    }))
    // The last of a key: on their way to Redis two could overtake each other.
    const drafts = [...new Map(checked.map((draft) => [draft.key, draft])).values()]
    const receipt = await this.#invalidate(drafts.map(({ key }) => tagOf.key(key)))
    if (receipt === undefined) return false
    const { clock, store } = this.#engine
    const now = clock.now()
    const results = await Promise.all(
      drafts.map(async ({ lifetime, ...draft }) => {
        // Over before it begins: that the older value is gone is all there is to do.
        if (lifetime === 0) return 'stored'
        const staleAt = now + lifetime
        // Not as of now: of two that are set at the same time the later one is to be kept, in all processes.
        const at = receipt.tokens.get(store.ledger(draft.full))
        if (at === undefined) return 'unavailable'
        return store.set(valueEntry({ ...draft, now, staleAt, deleteAt: staleAt, at, fence: 0 }))
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
    return save(this.#engine, this.#load('write', key, read, write), invalidates.map(tagOf.tag))
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
    const { clock } = this.#engine
    const load = this.#load('remember', key, read, loader)
    const { full, windows } = load
    const caller = this.#loads.caller(full)
    const { entry, source } = await this.#find(full)
    const now = clock.now()
    if (entry !== undefined && isFresh(entry, now)) {
      this.#engine.report(key, { hit: true })
      return { value: valueOf<T>(entry), source }
    }
    if (entry !== undefined && now < entry.staleAt + windows.revalidate) {
      this.#engine.report(key, { hit: true, ttl: ttlOf(entry, now), detail: 'stale-while-revalidate' })
      this.#loads.refresh(load, entry)
      return { value: valueOf<T>(entry), source }
    }
    const forward = entry === undefined ? 'uri-miss' : 'stale'
    try {
      const { value, kept: _later, ...done } = await this.#loads.bring(load, caller, entry)
      this.#engine.report(key, { hit: false, forward, ...done })
      return { value, source: 'origin' }
    } catch (error) {
      const late = clock.now()
      if (entry === undefined || late >= entry.staleAt + windows.error) {
        this.#engine.report(key, { hit: false, forward })
        throw error
      }
      this.#engine.report(key, { hit: false, forward, ttl: ttlOf(entry, late), detail: 'stale-if-error' })
      return { value: valueOf<T>(entry), source }
    }
  }

  /** Load a value ahead of those who will ask for it, where what is there is due. It counts neither as a hit nor as a miss. */
  protected async prefetch({ key, options, loader, isDue }: Prefetch): Promise<Warmed> {
    const read = readOptions('warm', options, REMEMBER_OPTIONS)
    const load = this.#load('warm', key, read, LOADER.read('warm: load', loader))
    const caller = this.#loads.caller(load.full)
    const { entry } = await this.#find(load.full)
    if (entry !== undefined && !isDue(entry)) return 'fresh'
    const { value, collapsed, kept } = await this.#loads.bring(load, caller, entry)
    if (collapsed === true && value !== undefined) return 'fresh'
    return (await kept) === 'stored' ? 'warmed' : 'unkept'
  }

  /** Keep a value that was read as of a state of the ledger, where what is there is due: unlike `set` it is no write. */
  protected async prefill({ key, options, value, isDue, asOf }: Prefill): Promise<Warmed> {
    const read = readOptions('warm', options, REMEMBER_OPTIONS)
    const { full, tags, lifetime, windows } = this.#load('warm', key, read, () => value)
    const form = storedForm(key, value)
    const { entry } = await this.#find(full)
    if (entry !== undefined && !isDue(entry)) return 'fresh'
    const now = this.#engine.clock.now()
    const staleAt = now + lifetime
    const deleteAt = staleAt + Math.max(windows.revalidate, windows.error)
    const draft = { full, key, value: form, tags, now, staleAt, deleteAt, at: asOf(full), fence: 0 }
    return (await this.#engine.store.set(valueEntry(draft))) === 'stored' ? 'warmed' : 'unkept'
  }

  /** @throws CacheError for what is no key, and for wrong tags */
  #load<T>(place: string, key: string, read: OptionsOf<typeof REMEMBER_OPTIONS>, loader: Loader<T>): Load<T> {
    const { defaults } = this.#engine
    const windows = {
      revalidate: read.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
      error: read.staleIfError ?? defaults.staleIfError,
    }
    const tags = checkTags(place, read.tags ?? [])
    return { full: this.#full(key), key, tags, lifetime: read.ttl ?? this.#defaultLifetime, windows, loader }
  }

  /** Loader runs that others may wait for. */
  protected get loads(): Bound {
    return this.#loads.bound
  }

  /** @throws CacheError for what is no key */
  #full(key: string): string {
    return serviceKey(this.#engine.version, this.#checked(key))
  }

  #checked(key: string): string {
    if (typeof key !== 'string' || key === '') throw badOption('key', key, 'a string that is not empty')
    return key
  }

  async #find(full: string): Promise<{ readonly entry: Entry | undefined; readonly source: Source }> {
    const found = this.#engine.store.get(full)
    const source = found instanceof Promise || this.#engine.store.name === 'redis' ? 'redis' : 'memory'
    const entry = await found
    return { entry: entry?.kind === 'value' ? entry : undefined, source }
  }

  get #defaultLifetime(): number {
    const { ttl } = this.#engine.defaults
    return ttl === false ? DEFAULT_TTL : ttl
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

/** An item of `setMany`, its lifetime in ms. */
interface Item {
  readonly key: string
  readonly value: unknown
  readonly ttl: number | undefined
  readonly tags: readonly string[] | undefined
}

/** Whole seconds left, negative when stale (RFC 9211 s. 2.4). */
function ttlOf(entry: Entry, now: number): number {
  return Math.floor((entry.staleAt - now) / 1_000)
}
