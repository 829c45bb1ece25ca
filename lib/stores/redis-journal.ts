import type { LedgerChange, TagLedger } from '../tags.ts'

export interface JournalOptions {
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
  /** Try an invalidation again; rejects when it is still not confirmed. */
  readonly attempt: (partition: number, change: LedgerChange) => Promise<void>
  /** Make everything in the partition wrong; rejects when that is not confirmed. */
  readonly rotate: (partition: number) => Promise<void>
  readonly ledger: (partition: number) => TagLedger
}

/** How long an invalidation is retried by itself; afterwards its partition is emptied at the next contact. */
export const RETRY_FOR_MS = 60_000
/** How many invalidations of one partition are remembered singly. */
export const MAX_UNCONFIRMED = 10_000
const RETRY_EVERY_MS = 250

interface Item {
  readonly change: LedgerChange
  readonly at: number
  readonly release: () => void
}

/**
 * Invalidations that Redis has not confirmed. Each is held in the ledger, so that this process serves nothing it names, and
 * retried until it is confirmed. Bounded: what is too old or too much shrinks to one bit, "everything in this partition".
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #items = new Map<number, Map<string, Item>>()
  /** Partitions to empty, with what ends the hold on all of it. */
  readonly #rotations = new Map<number, () => void>()
  #timer: NodeJS.Timeout | undefined
  #retrying: Promise<void> | undefined

  constructor(options: JournalOptions) {
    this.#options = options
  }

  /** How many invalidations and partitions are waiting. */
  get size(): number {
    let size = this.#rotations.size
    for (const items of this.#items.values()) size += items.size
    return size
  }

  /** Remember an invalidation; `release` ends its hold in the ledger and is called once it is confirmed. */
  add(partition: number, change: LedgerChange, release: () => void): void {
    const items = this.#items.get(partition) ?? new Map<string, Item>()
    this.#items.set(partition, items)
    const name = JSON.stringify(change)
    const item = { change, at: this.#options.monotonic(), release }
    items.get(name)?.release()
    items.set(name, item)
    if (items.size > MAX_UNCONFIRMED) this.#shrink(partition)
    this.#timer ??= setInterval(() => void this.retry(), RETRY_EVERY_MS).unref()
  }

  /** A newer invalidation of the same is on its way and takes the place of this one; returns what ends the hold of the older. */
  take(partition: number, change: LedgerChange): () => void {
    const items = this.#items.get(partition)
    const name = JSON.stringify(change)
    const release = items?.get(name)?.release ?? nothing
    items?.delete(name)
    return release
  }

  /** Try everything again now. Never rejects; concurrent calls share one run. */
  retry(): Promise<void> {
    this.#retrying ??= this.#retryAll().finally(() => {
      this.#retrying = undefined
      if (this.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    })
    return this.#retrying
  }

  /** Forget everything; what was not confirmed stays so. */
  close(): void {
    clearInterval(this.#timer)
    this.#items.clear()
    this.#rotations.clear()
  }

  async #retryAll(): Promise<void> {
    const partitions = new Set([...this.#items.keys(), ...this.#rotations.keys()])
    await Promise.all([...partitions].map((partition) => this.#retryPartition(partition).catch(() => {})))
  }

  async #retryPartition(partition: number): Promise<void> {
    const oldest = this.#options.monotonic() - RETRY_FOR_MS
    const items = this.#items.get(partition) ?? new Map<string, Item>()
    if ([...items.values()].some(({ at }) => at < oldest)) this.#shrink(partition)
    await this.#rotate(partition)
    for (const [name, item] of [...items]) {
      if (items.get(name) !== item) continue
      await this.#options.attempt(partition, item.change)
      item.release()
      if (items.get(name) === item) items.delete(name)
    }
    if (items.size === 0) this.#items.delete(partition)
  }

  async #rotate(partition: number): Promise<void> {
    const release = this.#rotations.get(partition)
    if (release === undefined) return
    // What shrinks while the command is on its way comes after it and needs another one.
    this.#rotations.delete(partition)
    try {
      await this.#options.rotate(partition)
    } catch (error) {
      if (!this.#rotations.has(partition)) this.#rotations.set(partition, release)
      throw error
    }
    release()
  }

  #shrink(partition: number): void {
    const items = this.#items.get(partition)
    if (!this.#rotations.has(partition)) {
      this.#rotations.set(partition, this.#options.ledger(partition).hold({ tags: [], patterns: [], all: true }))
    }
    for (const item of items?.values() ?? []) item.release()
    items?.clear()
  }
}

function nothing(): void {}
