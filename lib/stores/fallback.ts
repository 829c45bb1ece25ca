import { decodeEntry, encodeEntry } from '../codec.ts'
import { type Entry, isDead } from '../entry.ts'
import type { Events } from '../events.ts'
import { Gauge } from '../gauge.ts'
import { Guard, GuardError, within } from './guarded.ts'
import type { Awaitable } from './store.ts'

/**
 * A store of the application's own, asked when memory and Redis have nothing: a Map, Keyv, a second Redis, a framework's cache. What it
 * gives back is judged before it is used, so it need not be right, only quick.
 */
export interface FallbackStore {
  /** In messages and statistics. @default 'fallback 1', 'fallback 2', ... */
  readonly name?: string
  /** The bytes that were kept under this key; anything else is a miss. */
  get(key: string): Awaitable<Uint8Array | undefined | null>
  /** Keep these bytes; after `ttlMs` they are of no use. */
  set(key: string, bytes: Uint8Array, ttlMs: number): Awaitable<unknown>
  /** Make room; what is right does not depend on it. */
  delete?(key: string): Awaitable<unknown>
}

export interface FallbackOptions {
  readonly store: FallbackStore
  readonly name: string
  /** Start of all keys. */
  readonly namespace: string
  /** How long a read may take (ms). */
  readonly deadlineMs: number
  /** Values larger than this (bytes) are compressed; false never. */
  readonly compressAbove: number | false
  /** No value is larger (bytes). */
  readonly maxValueBytes: number
  readonly now: () => number
  readonly monotonic: () => number
  readonly events: Events
}

/** What has become of the reads of one fallback store. */
export interface FallbackStats {
  readonly name: string
  /** Whether it is asked at the moment. */
  readonly usable: boolean
  readonly hits: number
  readonly misses: number
  /** What it had, but a write or the end of its life had made useless, or nobody could judge. */
  readonly refused: number
  /** What it gave that was no entry of ours. */
  readonly corrupt: number
  readonly errors: number
}

/** Nobody waits for a write: it may take so many times as long as a read. */
const WRITE_PATIENCE = 10
/** How many calls may be without an answer, whatever the store makes of them. */
const MAX_CALLS = 1_000
/** Bytes that are being written, at most. */
const MAX_WRITING_BYTES = 16 * 1024 ** 2
/** What an entry has beside its value, at most (bytes). */
const MAX_HEAD_BYTES = 256 * 1024

/** One store of the application behind a deadline and a breaker: whatever it does is a miss at worst. */
export class Fallback {
  readonly #options: FallbackOptions
  readonly #guard: Guard
  readonly #calls = new Gauge(MAX_CALLS)
  /** Bytes that are being written. */
  readonly writing: Gauge = new Gauge(MAX_WRITING_BYTES)
  /** Reads under way, by full key. */
  readonly #reading = new Map<string, Promise<Entry | undefined>>()
  readonly #counts = { hits: 0, misses: 0, refused: 0, corrupt: 0, errors: 0 }

  constructor(options: FallbackOptions) {
    const { store, deadlineMs, monotonic, events } = options
    this.#options = options
    this.#guard = new Guard({
      peer: this.#peer,
      deadlineMs,
      monotonic,
      probe: () => this.#call(() => store.get(this.#place('probe'))),
      onDegraded: (reason) =>
        events.warnOnce(this.#peer, `${this.#peer} is not used until it answers again: ${reason}.`),
      onRecovered: () => {},
    })
  }

  /** What is kept under this full key, right or not; those who ask at the same time share an answer. Never rejects. */
  find(key: string): Promise<Entry | undefined> {
    const reading = this.#reading.get(key)
    if (reading !== undefined) return reading
    const read = this.#find(key).finally(() => this.#reading.delete(key))
    this.#reading.set(key, read)
    return read
  }

  /** Count what has become of an entry that was found. */
  count(result: 'hits' | 'refused'): void {
    this.#counts[result]++
  }

  /** Keep an entry, in the background; what is too much at a time is left out. */
  keep(entry: Entry): void {
    if (this.#guard.open || !this.writing.admits(entry.size)) return
    this.#write(entry).catch((cause: unknown) => this.#report(cause))
  }

  /** Make room, if the store can. Never rejects. */
  async forget(key: string): Promise<void> {
    const { store, deadlineMs } = this.#options
    if (store.delete === undefined || this.#guard.open) return
    const remove = (): Awaitable<unknown> => store.delete?.(this.#place(key))
    await within(() => this.#call(remove), WRITE_PATIENCE * deadlineMs, this.#peer).catch((cause: unknown) =>
      this.#report(cause),
    )
  }

  stats(): FallbackStats {
    return { name: this.#options.name, usable: !this.#guard.open, ...this.#counts }
  }

  /** Stop the timer. */
  close(): void {
    this.#guard.close()
  }

  get #peer(): string {
    return `The fallback store "${this.#options.name}"`
  }

  #place(key: string): string {
    return `${this.#options.namespace}:${key}`
  }

  async #find(key: string): Promise<Entry | undefined> {
    const { store, now } = this.#options
    const read = (): Promise<unknown> => this.#call(() => store.get(this.#place(key)))
    const bytes = await this.#guard.run(read).catch((cause: unknown) => this.#report(cause))
    const entry = await this.#read(bytes, key)
    if (entry !== undefined && !isDead(entry, now())) return entry
    this.#counts.misses++
    return undefined
  }

  async #read(bytes: unknown, key: string): Promise<Entry | undefined> {
    if (bytes === undefined || bytes === null) return undefined
    const isFrame = bytes instanceof Uint8Array && bytes.length <= this.#options.maxValueBytes + MAX_HEAD_BYTES
    const entry = isFrame
      ? await decodeEntry(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), key)
      : undefined
    if (entry?.kind === 'value') return entry
    this.#counts.corrupt++
    void this.forget(key)
    return undefined
  }

  async #write(entry: Entry): Promise<void> {
    const { store, now, deadlineMs, compressAbove } = this.#options
    const { size, deleteAt } = entry
    this.writing.add(size)
    let written: Promise<unknown> | undefined
    try {
      const frame = await encodeEntry(entry, { compressAbove })
      const ttlMs = Math.ceil(deleteAt - now())
      if (ttlMs <= 0) return
      const write = (): Promise<unknown> =>
        (written = this.#call(() => store.set(this.#place(entry.key), frame, ttlMs)))
      // Past the breaker: that writes succeed says nothing about reads, for which somebody waits.
      await within(write, WRITE_PATIENCE * deadlineMs, this.#peer)
    } finally {
      // The store has the bytes as long as it has not answered, however long nobody has waited for it.
      const done = (): void => this.writing.add(-size)
      if (written === undefined) done()
      else written.then(done, done)
    }
  }

  /** Calls that are not answered are held on to by the store: of these there is a bound. */
  #call<T>(command: () => Awaitable<T>): Promise<T> {
    if (!this.#calls.admits(1)) return Promise.reject(new Error(`${MAX_CALLS} calls are not answered`))
    this.#calls.add(1)
    const answer = (async () => command())()
    const done = (): void => this.#calls.add(-1)
    answer.then(done, done)
    return answer
  }

  #report(cause: unknown): void {
    if (cause instanceof GuardError && cause.fault === 'open') return
    this.#counts.errors++
    this.#options.events.emit('error', { where: `fallback ${this.#options.name}`, cause })
  }
}
