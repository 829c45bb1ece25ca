import { encodeEntry } from '../codec.ts'
import type { Entry } from '../entry.ts'
import type { Keys } from './redis-keys.ts'
import type { SendCommand } from './redis-link.ts'
import type { Mirror } from './redis-mirror.ts'
import type { FillLease, SetResult } from './store.ts'

export interface WritesOptions {
  readonly mirror: Mirror
  readonly keys: Keys
  readonly send: SendCommand
  /** Bodies larger than this (bytes) are compressed; false never. */
  readonly compressAbove: number | false
  /** The server has taken what was sent, or refused some of it for good reasons. */
  readonly onWritten: () => void
  readonly onError: (cause: unknown) => void
}

/** Writes that share a command, at most, and bytes of theirs. */
const MAX_BATCH = 32
const MAX_BATCH_BYTES = 256 * 1024

/** An entry on its way to the server. */
interface Write {
  readonly entry: Entry
  readonly frame: Buffer
  readonly lifetimeMs: number
  /** Under which it was filled. */
  readonly lease: FillLease | undefined
}

/** What the store script makes of a frame. */
type StoreVerdict = 'stored' | 'invalidated' | 'fenced'

interface Pending extends Omit<Write, 'frame'> {
  readonly resolve: (result: SetResult) => void
}

/** The writes of one partition: those made at the same moment, a response and the index of its resource, share one command. */
export class Writes {
  readonly #options: WritesOptions
  #batch: Pending[] = []
  #bytes = 0

  constructor(options: WritesOptions) {
    this.#options = options
  }

  /** Keep an entry for so long (ms). Never rejects. */
  set(entry: Entry, lifetimeMs: number, lease: FillLease | undefined): Promise<SetResult> {
    if (this.#batch.length === MAX_BATCH || this.#bytes + entry.size > MAX_BATCH_BYTES) this.#flush()
    if (this.#batch.length === 0) queueMicrotask(() => this.#flush())
    this.#bytes += entry.size
    return new Promise((resolve) => {
      this.#batch.push({ entry, lifetimeMs, lease, resolve })
    })
  }

  #flush(): void {
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    this.#bytes = 0
    this.#write(batch).catch((cause: unknown) => {
      this.#options.onError(cause)
      for (const { resolve } of batch) resolve('unavailable')
    })
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const { compressAbove, onWritten } = this.#options
    const writes = await Promise.all(
      batch.map(async ({ entry, lifetimeMs, lease }) => {
        const frame = await encodeEntry(entry, { compressAbove })
        return { entry, frame, lifetimeMs, lease }
      }),
    )
    const results = await this.#store(writes)
    onWritten()
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] ?? 'unavailable')
  }

  /** Keep frames, each unless a write, or a newer fill, has overtaken its fill; the leases end with it. */
  async #store(writes: readonly Write[]): Promise<readonly StoreVerdict[]> {
    const { mirror, keys, send } = this.#options
    const { seq, nonce } = mirror.ledger.token
    const args: (string | Buffer)[] = [String(seq), nonce]
    for (const { entry, frame, lifetimeMs, lease } of writes) {
      args.push(entry.incarnation, String(entry.seq), String(entry.fence), String(lifetimeMs), frame)
      args.push(entry.kind, entry.name, lease?.token ?? '', String(entry.tags.length), ...entry.tags)
    }
    const named = writes.flatMap(({ entry, lease }) => [keys.entry(entry.key), keys.lease(lease?.key ?? entry.key)])
    const all = [...keys.judging, ...named]
    return (await send((_, scripts) => scripts.run('store', all, args))) as readonly StoreVerdict[]
  }
}
