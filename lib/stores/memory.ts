import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { type Entry, isDead, isFresh } from '../entry.ts'
import { TagLedger } from '../tags.ts'
import {
  ALONE,
  type ClaimResult,
  type EntryPage,
  type InvalidationOptions,
  type InvalidationReceipt,
  type InvalidationTargets,
  type ListOptions,
  type SetResult,
  type Store,
  type StoreStats,
} from './store.ts'

export interface MemoryStoreOptions {
  /** Bound on the bytes of all entries together. */
  readonly maxBytes: number
  readonly clock: Clock
  /**
   * Whose word decides what is still right: with Redis the mirror of its ledger.
   * @default a ledger of its own, the authority in this process
   */
  readonly ledgerOf?: (key: string) => TagLedger
  /** Without `ledgerOf`: the key of the one entry that carries a tag, so that its invalidation drops it. */
  readonly keyOfTag?: (tag: string) => string | undefined
}

/** An entry and the stamp of the ledger under which it was last judged. */
interface Slot {
  entry: Entry
  stamp: object
}

/**
 * The memory of this process (L1), least recently used out first, bounded by bytes. It keeps no index of tags: an invalidation
 * moves the ledger, and an entry is judged at its next use, once per change.
 */
export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly #slots: LRUCache<string, Slot>
  readonly #clock: Clock
  readonly #ledgerOf: (key: string) => TagLedger
  readonly #maxBytes: number
  readonly #keyOfTag: (tag: string) => string | undefined
  #evicted = 0
  #refused = 0
  #peakBytes = 0

  constructor({ maxBytes, clock, ledgerOf, keyOfTag }: MemoryStoreOptions) {
    const own = new TagLedger(undefined, { areKeysDropped: keyOfTag !== undefined })
    this.#ledgerOf = ledgerOf ?? (() => own)
    this.#keyOfTag = keyOfTag ?? (() => undefined)
    this.#clock = clock
    this.#maxBytes = maxBytes
    this.#slots = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (slot) => slot.entry.size,
      dispose: (_slot, _key, reason) => {
        if (reason === 'evict') this.#evicted++
      },
    })
  }

  ledger(key: string): TagLedger {
    return this.#ledgerOf(key)
  }

  get(key: string, now: number = this.#clock.now()): Entry | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    if (this.#isRight(slot) && !isDead(slot.entry, now)) return slot.entry
    this.#slots.delete(key)
    return undefined
  }

  peek(key: string, now?: number): Entry | undefined {
    return this.get(key, now)
  }

  reread(key: string): Entry | undefined {
    return this.get(key)
  }

  /** Whether something is kept under this key, right or not. */
  has(key: string): boolean {
    return this.#slots.has(key)
  }

  set(entry: Entry): SetResult {
    if (entry.size > this.#maxBytes) {
      this.#refused++
      return 'too-large'
    }
    const ledger = this.#ledgerOf(entry.key)
    const validity = ledger.judgeFill(entry)
    if (validity !== 'valid') return validity === 'invalid' ? 'invalidated' : 'unavailable'
    const present = this.#slots.peek(entry.key)
    const isLate = present !== undefined && entry.fence > 0 && present.entry.fence > entry.fence
    if (isLate && this.#isRight(present)) return 'fenced'
    this.#slots.set(entry.key, { entry: ledger.soften(entry), stamp: ledger.stamp })
    this.#peakBytes = Math.max(this.#peakBytes, this.#slots.calculatedSize)
    return 'stored'
  }

  enrich({ key, cachedAt, seq, fence, size, value }: Entry): boolean {
    const slot = this.#slots.peek(key)
    if (slot === undefined || size > this.#maxBytes) return false
    const { entry: kept, stamp } = slot
    if (kept.cachedAt !== cachedAt || kept.seq !== seq || kept.fence !== fence) return false
    this.#slots.set(key, { entry: { ...kept, size, value }, stamp })
    this.#peakBytes = Math.max(this.#peakBytes, this.#slots.calculatedSize)
    return true
  }

  /** Nobody shares this store. */
  acquire(): ClaimResult {
    return ALONE
  }

  release(): void {}

  touch(key: string, staleAt: number, deleteAt: number): boolean {
    const entry = this.get(key)
    if (entry === undefined || !isFresh(entry, this.#clock.now())) return false
    return this.set({ ...entry, staleAt, deleteAt }) === 'stored'
  }

  evict(keys: readonly string[]): void {
    for (const key of keys) this.#slots.delete(key)
  }

  invalidate(targets: InvalidationTargets, { soft = false, mark }: InvalidationOptions): InvalidationReceipt {
    const step = mark === undefined ? {} : { mark }
    this.#ledgerOf('').invalidate({ ...targets, soft, ...step }, this.#clock.now())
    if (!soft) this.#drop(targets)
    return { ack: 'memory', partitions: 1 }
  }

  /** What can be found at once need not wait for its next use. */
  #drop({ tags, all }: InvalidationTargets): void {
    if (all) return this.clear()
    for (const tag of tags) {
      const key = this.#keyOfTag(tag)
      if (key !== undefined) this.#slots.delete(key)
    }
  }

  /** Give all memory back. */
  clear(): void {
    this.#slots.clear()
  }

  list({ cursor, limit }: ListOptions): EntryPage {
    const from = cursor === undefined ? 0 : Number.parseInt(cursor, 10) || 0
    const now = this.#clock.now()
    const entries: Entry[] = []
    let position = 0
    for (const slot of this.#slots.values()) {
      if (position++ < from) continue
      if (entries.length === limit) return { entries, cursor: String(position - 1) }
      if (this.#isRight(slot) && !isDead(slot.entry, now)) entries.push(slot.entry)
    }
    return { entries, cursor: undefined }
  }

  stats(): StoreStats {
    return {
      name: this.name,
      entries: this.#slots.size,
      bytes: this.#slots.calculatedSize,
      peakBytes: this.#peakBytes,
      maxBytes: this.#maxBytes,
      evicted: this.#evicted,
      refused: this.#refused,
      corrupt: 0,
      errors: 0,
    }
  }

  close(): void {
    this.clear()
  }

  #isRight(slot: Slot): boolean {
    const ledger = this.#ledgerOf(slot.entry.key)
    if (slot.stamp === ledger.stamp) return true
    if (ledger.judge(slot.entry) !== 'valid') return false
    slot.entry = ledger.soften(slot.entry)
    slot.stamp = ledger.stamp
    return true
  }
}
