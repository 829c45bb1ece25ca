import type { Clock } from '../clock.ts'
import { type Entry, isDead, isFresh } from '../entry.ts'
import { TagLedger, type Token } from '../tags.ts'
import { PackedEntries } from './packed-entries.ts'
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
import type { Unpacked } from './unpacked-entries.ts'

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

/**
 * The memory of this process (L1), least recently used out first, bounded by bytes. It keeps no index of tags: an invalidation
 * moves the ledger, and an entry is judged at its next use, once per change.
 */
export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly copies = true
  #entries: PackedEntries
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
    this.#entries = new PackedEntries(maxBytes)
  }

  ledger(key: string): TagLedger {
    return this.#ledgerOf(key)
  }

  /** Without Redis there is one ledger for all keys. */
  asOf(): () => Token {
    const { token } = this.#ledgerOf('')
    return () => token
  }

  get(key: string, now: number = this.#clock.now()): Entry | undefined {
    const found = this.#entries.get(key)
    if (found === undefined) return undefined
    if (this.#isRight(found) && !isDead(found.entry, now)) return found.entry
    this.#entries.delete(key)
    return undefined
  }

  peek(key: string, now?: number): Entry | undefined {
    return this.get(key, now)
  }

  reread(key: string): Entry | undefined {
    return this.get(key)
  }

  judge(entry: Entry): Entry | undefined {
    const ledger = this.#ledgerOf(entry.key)
    return ledger.judgeFill(entry) === 'valid' ? ledger.soften(entry) : undefined
  }

  /** Whether something is kept under this key, right or not. */
  has(key: string): boolean {
    return this.#entries.has(key)
  }

  set(entry: Entry): SetResult {
    const { key, fence } = entry
    const ledger = this.#ledgerOf(key)
    const validity = ledger.judgeFill(entry)
    if (validity !== 'valid') return validity === 'invalid' ? 'invalidated' : 'unavailable'
    const isLate = fence > 0 && (this.#entries.fenceOf(key) ?? 0) > fence
    if (isLate && this.#isRight(this.#entries.peek(key))) return 'fenced'
    if (this.#keep(ledger.soften(entry))) return 'stored'
    this.#refused++
    return 'too-large'
  }

  enrich({ key, cachedAt, seq, fence, size, value }: Entry): boolean {
    const kept = this.#entries.peek(key)?.entry
    if (kept === undefined || kept.cachedAt !== cachedAt || kept.seq !== seq || kept.fence !== fence) return false
    return this.#keep({ ...kept, size, value })
  }

  #keep(entry: Entry): boolean {
    if (!this.#entries.set(entry)) return false
    this.#peakBytes = Math.max(this.#peakBytes, this.#entries.bytes)
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
    for (const key of keys) this.#entries.delete(key)
  }

  invalidate(targets: InvalidationTargets, { soft = false, mark }: InvalidationOptions): InvalidationReceipt {
    const step = mark === undefined ? {} : { mark }
    const ledger = this.#ledgerOf('')
    const wasAlone = mark?.copy !== undefined && ledger.isUntouched(mark.copy)
    ledger.invalidate({ ...targets, soft, ...step }, this.#clock.now())
    if (!soft) this.#drop(targets)
    return { ack: 'memory', partitions: 1, tokens: new Map([[ledger, ledger.token]]), wasAlone }
  }

  /** What can be found at once need not wait for its next use. */
  #drop({ tags, all }: InvalidationTargets): void {
    if (all) return this.clear()
    for (const tag of tags) {
      const key = this.#keyOfTag(tag)
      if (key !== undefined) this.#entries.delete(key)
    }
  }

  /** Give all memory back. */
  clear(): void {
    this.#evicted += this.#entries.evicted
    this.#entries = new PackedEntries(this.#maxBytes)
  }

  list({ cursor, limit }: ListOptions): EntryPage {
    const from = cursor === undefined ? 0 : Number.parseInt(cursor, 10) || 0
    const now = this.#clock.now()
    const entries: Entry[] = []
    let position = 0
    for (const key of this.#entries.keys()) {
      if (position++ < from) continue
      if (entries.length === limit) return { entries, cursor: String(position - 1) }
      const found = this.#entries.peek(key)
      if (this.#isRight(found) && !isDead(found.entry, now)) entries.push(found.entry)
    }
    return { entries, cursor: undefined }
  }

  stats(): StoreStats {
    return {
      name: this.name,
      entries: this.#entries.size,
      bytes: this.#entries.bytes,
      peakBytes: this.#peakBytes,
      maxBytes: this.#maxBytes,
      evicted: this.#evicted + this.#entries.evicted,
      refused: this.#refused,
      corrupt: 0,
      errors: 0,
    }
  }

  close(): void {
    this.clear()
  }

  #isRight(found: Unpacked | undefined): found is Unpacked {
    if (found === undefined) return false
    const ledger = this.#ledgerOf(found.entry.key)
    if (found.stamp === ledger.stamp) return true
    if (ledger.judge(found.entry) !== 'valid') return false
    found.entry = ledger.soften(found.entry)
    found.stamp = ledger.stamp
    return true
  }
}
