import type { Clock } from '../clock.ts'
import { decodeEntry, type KnownHeads } from '../codec.ts'
import { type Entry, isDead } from '../entry.ts'
import type { RedisClient } from '../redis.ts'
import { staleSince } from '../tags.ts'
import { within } from './guarded.ts'
import type { Keys } from './redis-keys.ts'
import type { Checked, Mirror } from './redis-mirror.ts'
import { Verdicts } from './redis-verdicts.ts'
import type { Awaitable } from './store.ts'

/** One command that reads, by whatever connection. */
export type Read<T> = (client: RedisClient) => Promise<T>

/** Sends one of them under the deadline; rejects when it cannot be sent, is late or fails. */
export type SendRead = <T>(read: Read<T>) => Promise<T>

export interface ReadsOptions {
  readonly mirror: Mirror
  readonly keys: Keys
  readonly send: SendRead
  readonly clock: Required<Clock>
  /** Undefined where memory keeps what is read. */
  readonly heads: KnownHeads | undefined
  /** How long a read may take, whatever it consists of (ms). */
  readonly deadlineMs: number
  /** Told of each command before it is sent. */
  readonly onRead: () => void
  /** Told the key in Redis of bytes that are no entry of ours. */
  readonly onCorrupt: (redisKey: string) => void
  readonly onError: (cause: unknown) => void
}

/** Reads of one tick that share a command, at most, and bytes that it is expected to bring (bytes). */
const MAX_BATCH = 128
const MAX_BATCH_BYTES = 512 * 1024

/** A read that is waited for. */
interface Pending {
  readonly promise: Promise<Entry | undefined>
  readonly resolve: (entry: Entry | undefined) => void
  /** The mirror had moved on when the answer came: whoever asked later has to ask again. */
  isOutdated: boolean
}

/**
 * The reads of one partition: those of one tick share one command, those of one key share one answer where that is sound, and an
 * entry that is not right is none.
 */
export class Reads {
  readonly #options: ReadsOptions
  /** To be sent at the end of this tick, by full key. */
  #batch = new Map<string, Pending>()
  /** Sent and not answered, by full key: the latest of each, as far as others may join it. */
  readonly #sent = new Map<string, Pending>()
  readonly #verdicts = new Verdicts()
  /** What an entry has lately taken (bytes): nobody is to wait for the bytes of many others. */
  #usualBytes = 0

  constructor(options: ReadsOptions) {
    this.#options = options
  }

  /** The valid entry of this key. Never rejects: what cannot be read is not there. */
  get(key: string): Promise<Entry | undefined> {
    const sent = this.#sent.get(key)
    return sent === undefined || !this.#isProven() ? this.reread(key) : this.#join(key, sent)
  }

  /** The same as it is on the server after this call. */
  reread(key: string): Promise<Entry | undefined> {
    const pending = this.#batch.get(key)
    if (pending !== undefined) return pending.promise
    // After the sockets of this tick have been read: requests that arrive together share one command.
    if (this.#batch.size === 0) setImmediate(() => this.#flush())
    const read = newPending()
    this.#batch.set(key, read)
    if (this.#batch.size === MAX_BATCH || this.#batch.size * this.#usualBytes > MAX_BATCH_BYTES) this.#flush()
    return read.promise
  }

  /** This process has written the key: what was being read meanwhile may be older, and is for those who asked for it. */
  written(key: string): void {
    this.#sent.delete(key)
  }

  /** Answer whoever is waiting for what has not been sent. */
  close(): void {
    for (const { resolve } of this.#batch.values()) resolve(undefined)
  }

  #flush(): void {
    const batch = this.#batch
    if (batch.size === 0) return
    this.#batch = new Map()
    if (this.#isProven()) for (const [key, read] of batch) this.#sent.set(key, read)
    this.#read(batch).catch((cause: unknown) => {
      this.#answered(batch)
      this.#options.mirror.ledger.doubt(this.#options.clock.monotonic())
      this.#options.onError(cause)
      for (const { resolve } of batch.values()) resolve(undefined)
    })
  }

  #answered(batch: ReadonlyMap<string, Pending>): void {
    if (this.#sent.size === 0) return
    for (const [key, read] of batch) if (this.#sent.get(key) === read) this.#sent.delete(key)
  }

  /** Whether this process knows of every invalidation that was acknowledged to anybody: memory could answer now. */
  #isProven(): boolean {
    const { mirror, clock } = this.#options
    return clock.monotonic() < mirror.ledger.provenUntil
  }

  /**
   * Share a read that was sent before: the entry is judged by the mirror when it comes, and the mirror knows of every invalidation
   * that was acknowledged until now. What it brings may still be older than what has taken its place.
   */
  async #join(key: string, sent: Pending): Promise<Entry | undefined> {
    const entry = await sent.promise
    return sent.isOutdated ? this.reread(key) : entry
  }

  async #read(batch: ReadonlyMap<string, Pending>): Promise<void> {
    const { mirror, keys, send, clock, deadlineMs, onRead } = this.#options
    onRead()
    const startedAt = clock.monotonic()
    const left = (): number => Math.max(1, deadlineMs - (clock.monotonic() - startedAt))
    const names = [...batch.keys()].map((key) => keys.entry(key))
    const replies = await send((client) => client.mgetBuffer(...names, keys.token))
    // The token was read with the entries: what it does not show had not happened when they were read.
    this.#answered(batch)
    const token = replies.at(-1)?.toString('latin1')
    if (!mirror.isAt(token)) {
      for (const read of batch.values()) read.isOutdated = true
      await within(() => mirror.catchUp(token), left())
    }
    let index = 0
    for (const [key, { resolve }] of batch) {
      const frame = token === undefined ? null : (replies[index++] ?? null)
      if (frame !== null) this.#usualBytes += (frame.length - this.#usualBytes) / 16
      const entry = frame === null ? undefined : this.#open(key, frame, left)
      if (entry instanceof Promise) void entry.then(resolve)
      else resolve(entry)
    }
  }

  /** The entry in a frame, if it is one of ours, right and alive; without a promise where nothing has to be inflated or asked. */
  #open(key: string, frame: Buffer, left: () => number): Awaitable<Entry | undefined> {
    const { heads } = this.#options
    const decoded = decodeEntry(frame, key, heads)
    return decoded instanceof Promise
      ? decoded.then((entry) => this.#judge(key, entry, left))
      : this.#judge(key, decoded, left)
  }

  #judge(key: string, entry: Entry | undefined, left: () => number): Awaitable<Entry | undefined> {
    const { keys, onCorrupt } = this.#options
    if (entry !== undefined) return this.judge(entry, left)
    onCorrupt(keys.entry(key))
    return undefined
  }

  /** An entry as it may be used, judged by the mirror as it is now; what that cannot tell the server is asked for. */
  judge(entry: Entry, left: () => number): Awaitable<Entry | undefined> {
    const { mirror, clock } = this.#options
    if (isDead(entry, clock.now())) return undefined
    switch (mirror.ledger.judge(entry)) {
      case 'valid':
        return this.#usable(mirror.ledger.soften(entry))
      case 'invalid':
        return undefined
      default: {
        const known = this.#verdicts.of(entry)
        const isKnown = known !== undefined && mirror.ledger.judge({ ...entry, seq: known.seq }) !== 'unknown'
        return isKnown ? this.#asChecked(entry, known) : this.#check(entry, left())
      }
    }
  }

  /** What a soft invalidation has made stale may be past its end. */
  #usable(entry: Entry): Entry | undefined {
    return isDead(entry, this.#options.clock.now()) ? undefined : entry
  }

  /** An entry from before what the mirror knows: the server says whether it is right. */
  async #check(entry: Entry, deadlineMs: number): Promise<Entry | undefined> {
    const { mirror, onError } = this.#options
    try {
      const found = await mirror.check(entry, deadlineMs)
      const { token } = mirror.ledger
      if (found === undefined || token.incarnation !== entry.incarnation) return undefined
      // Nothing it carries was invalidated up to there: it is as good as filled then, and the mirror can judge it from now on.
      const checked = { ...found, seq: Math.max(entry.seq, Math.min(found.seq, token.seq)) }
      this.#verdicts.keep(entry, checked)
      return this.#asChecked(entry, checked)
    } catch (cause) {
      onError(cause)
      return undefined
    }
  }

  #asChecked(entry: Entry, { seq, staleSince: since }: Checked): Entry | undefined {
    const { ledger } = this.#options.mirror
    // An index is never served; what it leads to is judged by itself.
    const judged = since === undefined || entry.kind === 'variants' ? entry : staleSince(entry, since)
    const checked = { ...judged, seq }
    return ledger.judge(checked) === 'valid' ? this.#usable(ledger.soften(checked)) : undefined
  }
}

function newPending(): Pending {
  let resolve: Pending['resolve'] = () => {}
  const promise = new Promise<Entry | undefined>((settle) => {
    resolve = settle
  })
  return { promise, resolve, isOutdated: false }
}
