import { encodeEntry } from '../codec.ts'
import type { Entry } from '../entry.ts'
import type { Mirror, Write } from './redis-mirror.ts'
import type { FillLease, SetResult } from './store.ts'

export interface WritesOptions {
  readonly mirror: Mirror
  /** Bodies larger than this (bytes) are compressed; false never. */
  readonly compressAbove: number | false
  /** The server has taken what was sent, or refused some of it for good reasons. */
  readonly onWritten: () => void
  readonly onError: (cause: unknown) => void
}

/** Writes that share a command, at most, and bytes of theirs. */
const MAX_BATCH = 32
const MAX_BATCH_BYTES = 256 * 1024

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
    const { mirror, compressAbove, onWritten } = this.#options
    const writes = await Promise.all(
      batch.map(async ({ entry, lifetimeMs, lease }) => {
        const frame = await encodeEntry(entry, { compressAbove })
        return { entry, frame, lifetimeMs, lease }
      }),
    )
    const results = await mirror.store(writes)
    onWritten()
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] ?? 'unavailable')
  }
}
