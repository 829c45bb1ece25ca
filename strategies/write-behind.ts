import type { Duration } from '../lib/duration.ts'
import { CacheError } from '../lib/errors.ts'
import { inTime } from '../lib/in-time.ts'
import type { LoadContext } from '../lib/load-context.ts'
import { badOption, integer, milliseconds, readOptions, text } from '../lib/options.ts'
import { pause } from '../lib/pause.ts'
import { type CachedLoader, cachedLoader } from './cached-loader.ts'
import type { Buried, Head, Queued, QueueStats, Replayed } from './write-behind/backlog.ts'
import { openQueue } from './write-behind/open-queue.ts'
import {
  readWriteBehindOptions,
  WRITE_BEHIND_OPTIONS,
  type WriteBehindOptions,
  type WriteBehindSettings,
} from './write-behind/options.ts'
import { decodePayload, encodePayload, type Payload } from './write-behind/payload.ts'
import { Turns } from './write-behind/turns.ts'
import type { WriteQueue } from './write-behind/write-queue.ts'

/** A write that is queued. */
export interface Written {
  /** Names it in `save` and among the dead letters. */
  readonly id: string
  /** Greater than that of each write before it. */
  readonly version: number
}

/** A write that could not be saved. */
export interface DeadLetter<A, T> extends Written {
  readonly key: string
  readonly args: A
  readonly value: T
  /** The message of the last failure. */
  readonly error: string
  readonly attempts: number
  /** ISO 8601. */
  readonly failedAt: string
}

/** A loader whose writes are in the cache at once and in the database later. */
export interface WriteBehind<A, T> extends CachedLoader<A, T> {
  /**
   * Queue a value: from now on every process reads it, and it will be saved. Resolves when Redis has it and nothing older is
   * served any more.
   * @throws CacheError `ERR_CACHE_QUEUE_FULL`, `ERR_CACHE_EVICTION_POLICY`, `ERR_CACHE_MISSING_PEER`, `ERR_CACHE_CLOSED`: it is not
   * queued; `ERR_CACHE_UNCONFIRMED`, with Redis away or slow: it is not known to be
   */
  write(args: A, value: T): Promise<Written>
  /** Look at what could not be saved, the oldest first, a page at a time: `after` is the id of the last one of the page before. */
  deadLetters(options?: { readonly limit?: number; readonly after?: string }): Promise<readonly DeadLetter<A, T>[]>
  /**
   * Save a dead letter after all. `'overtaken'`: a later write of its key makes it meaningless, and it stays a dead letter;
   * `'unknown'`: there is none of this id.
   */
  replay(id: string): Promise<Replayed>
  /** Give a dead letter up; false when there is none of this id. */
  discard(id: string): Promise<boolean>
  /** Wait until everything queued before is saved or a dead letter; false when it was not in time. @default timeoutMs: '5s' */
  drain(options?: { readonly timeoutMs?: Duration }): Promise<boolean>
  /** How much waits in all processes together, dead letters included, the most so far, and how many writes were refused. */
  stats(): Promise<QueueStats>
  /**
   * Resolves when writes can be taken, with Redis away when it is back.
   * @throws CacheError `ERR_CACHE_EVICTION_POLICY` or `ERR_CACHE_MISSING_PEER` where they never can
   */
  ready(): Promise<void>
  /** Take no more writes, save what is queued (`drainMs`), and end the work; `cache.close()` does it, too. */
  close(): Promise<void>
}

const DEAD_LETTERS_OPTIONS = { limit: integer({ min: 1, max: 1_000 }), after: text } as const
const DRAIN_OPTIONS = { timeoutMs: milliseconds } as const
const POLL_MS = 20

/**
 * Answer writes from the cache, and bring them into the database later, in order for each key: they wait in a queue in Redis that
 * survives the process (BullMQ), are tried again with growing pauses, and are put aside when they cannot be saved, never dropped.
 *
 * Without Redis the queue is in this process and ends with it, which is warned about. With Redis away writes reject, and reads
 * come from the database, which may lack what is queued.
 * @throws CacheError for wrong options
 * @example
 * const scores = writeBehind({ cache, name: 'scores', key: (id: string) => `score:${id}`, load: (id) => db.score(id),
 *   save: (id, score, { version }) => db.run('UPDATE ... SET score = ?, version = ? WHERE id = ? AND version < ?', ...) })
 * await scores.write('7', 12)
 */
export function writeBehind<A, T>(options: WriteBehindOptions<A, T>): WriteBehind<A, T> {
  const pattern = new Pattern(options)
  return Object.assign((args: A): Promise<T> => pattern.read(args), {
    write: (args: A, value: T) => pattern.write(args, value),
    forget: (args: A) => pattern.forget(args),
    deadLetters: (page?: { readonly limit?: number; readonly after?: string }) => pattern.deadLetters(page),
    replay: (id: string) => pattern.replay(id),
    discard: (id: string) => pattern.discard(id),
    drain: (bound?: { readonly timeoutMs?: Duration }) => pattern.drain(bound),
    stats: () => pattern.stats(),
    ready: () => pattern.ready(),
    close: () => pattern.close(),
  })
}

class Pattern<A, T> {
  readonly #options: WriteBehindOptions<A, T>
  readonly #settings: WriteBehindSettings
  readonly #queue: WriteQueue
  readonly #cached: CachedLoader<A, T>
  readonly #turns = new Turns()
  readonly #writing = new Set<Promise<unknown>>()
  readonly #forgetClosing: () => void
  #closed: Promise<void> | undefined

  constructor(options: WriteBehindOptions<A, T>) {
    // What is no function is refused there.
    const load = typeof options?.load === 'function' ? this.#load : options?.load
    this.#cached = cachedLoader('writeBehind', { ...options, load }, { more: WRITE_BEHIND_OPTIONS })
    const { cache, name } = options
    const settings = readWriteBehindOptions(options)
    this.#options = options
    this.#settings = settings
    this.#queue = openQueue(cache.engine, {
      name,
      settings,
      save: (key, head) => this.#save(key, head),
      onDead: (key, cause) => this.#onDead(key, cause),
    })
    this.#forgetClosing = cache.engine.onClose(() => this.close())
  }

  read(args: A): Promise<T> {
    return this.#cached(args)
  }

  write(args: A, value: T): Promise<Written> {
    const writing = this.#write(args, value)
    this.#writing.add(writing)
    const end = (): void => void this.#writing.delete(writing)
    writing.then(end, end)
    return writing
  }

  forget(args: A): Promise<boolean> {
    return this.#cached.forget(args)
  }

  async deadLetters(page: unknown): Promise<readonly DeadLetter<A, T>[]> {
    const { limit = 100, after } = readOptions('deadLetters', page, DEAD_LETTERS_OPTIONS)
    const buried = await this.#queue.backlog.buried(after === undefined ? 0 : versionOf(after), limit)
    return buried.map((letter) => this.#letter(letter))
  }

  async replay(id: string): Promise<Replayed> {
    const { key, replayed } = await this.#queue.backlog.replay(versionOf(id))
    if (replayed !== 'queued') return replayed
    this.#queue.wake(key)
    await this.#options.cache.delete(key)
    return replayed
  }

  discard(id: string): Promise<boolean> {
    return this.#queue.backlog.discard(versionOf(id))
  }

  async drain(bound: unknown): Promise<boolean> {
    const { timeoutMs = 5_000 } = readOptions('drain', bound, DRAIN_OPTIONS)
    return this.#drain(timeoutMs)
  }

  stats(): Promise<QueueStats> {
    return this.#queue.backlog.stats()
  }

  ready(): Promise<void> {
    return this.#queue.ready()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #write(args: A, value: T): Promise<Written> {
    const { cache, name } = this.#options
    const key = this.#key(args)
    const payload = encodePayload(cache.engine.format, key, { args, value })
    if (this.#closed !== undefined) throw new CacheError('ERR_CACHE_CLOSED', `writeBehind: ${name} is closed.`)
    const push = async (): Promise<number> => {
      const { version, isFirst } = await this.#queue.backlog.push(key, payload)
      if (isFirst) this.#queue.wake(key)
      return version
    }
    await this.#untilReady()
    // Under its mark no process keeps or serves what it makes wrong, also if this one dies on the way.
    const version = await this.#turns.take(key, () => cache.change({ keys: [key] }, push, { strict: true }))
    await this.#cached(args).catch(() => {})
    return { id: String(version), version }
  }

  async #untilReady(): Promise<void> {
    const { engine } = this.#options.cache
    const ready = this.#queue.ready()
    if (await inTime(ready, engine.timeoutMs)) return ready
    throw new CacheError('ERR_CACHE_UNCONFIRMED', 'writeBehind: Redis has not answered yet; nothing was queued.')
  }

  /** The newest value that is queued, before the database: a value leaves the queue when the database has it. */
  readonly #load = async (args: A, context: LoadContext): Promise<T> => {
    const key = this.#key(args)
    const queued = await this.#queue.backlog.newest(key).catch(() => {
      // The database may lack what is queued: it answers, and nothing of that is kept.
      context.skip('queue away')
      return undefined
    })
    return queued === undefined ? this.#options.load(args, context) : this.#read(key, queued).value
  }

  async #save(key: string, head: Head): Promise<void> {
    const { version, failures } = head
    const { args, value } = this.#read(key, head)
    await this.#options.save(args, value, { id: String(version), version, attempt: failures + 1 })
  }

  #read(key: string, { payload }: Queued): Payload<A, T> {
    return decodePayload<A, T>(this.#options.cache.engine.format, key, payload)
  }

  #key(args: A): string {
    return this.#options.key(args).toWellFormed()
  }

  #letter(letter: Buried): DeadLetter<A, T> {
    const { version, key, error, attempts } = letter
    const failedAt = new Date(letter.failedAt).toISOString()
    return { id: String(version), version, key, ...this.#read(key, letter), error, attempts, failedAt }
  }

  async #onDead(key: string, cause: unknown): Promise<void> {
    const { cache, name } = this.#options
    cache.engine.events.emit('error', { where: 'writeBehind', cause })
    cache.engine.events.warnOnce(
      `writeBehind dead ${name}`,
      `writeBehind: a write of ${name} could not be saved and is a dead letter now (${String(cause)}). Look at deadLetters().`,
    )
    // What the database does not have is not to be answered any longer.
    await cache.delete(key)
  }

  async #drain(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options.cache.engine
    const { backlog } = this.#queue
    const endsAt = clock.monotonic() + timeoutMs
    const version = await backlog.latest()
    while (!(await backlog.isSettled(version))) {
      if (clock.monotonic() >= endsAt) return false
      await pause(POLL_MS)
    }
    return true
  }

  async #close(): Promise<void> {
    this.#forgetClosing()
    await Promise.allSettled(this.#writing)
    // With Redis away there is nothing to wait for.
    if (this.#queue.isWorker) await this.#drain(this.#settings.drainMs).catch(() => {})
    await this.#queue.close()
  }
}

function versionOf(id: string): number {
  const version = Number(id)
  if (!Number.isSafeInteger(version)) throw badOption('writeBehind: id', id, 'the id of a dead letter')
  return version
}
