import { type Entry, isDead, isFresh } from '../entry.ts'
import { type Limit, together } from '../gauge.ts'
import type { Fallback, FallbackStats } from './fallback.ts'
import type { Awaitable, ClaimResult, FillLease, SetResult, Store } from './store.ts'

export interface FallbacksOptions {
  /** In the order in which they are asked. */
  readonly list: readonly Fallback[]
  /** What they stand behind, and whose ledger judges what they have. */
  readonly store: Store
  /** Whether anything that they have could be used. */
  readonly isUsable: () => boolean
  readonly now: () => number
}

/**
 * Stores of the application behind memory and Redis. Nothing that they have is believed: an entry is used where the ledger says that
 * no write has made it wrong, as if Redis had had it.
 */
export class Fallbacks {
  readonly #options: FallbacksOptions

  constructor(options: FallbacksOptions) {
    this.#options = options
  }

  /** The first right entry of this full key; memory and Redis get it back. Never rejects. */
  async find(key: string): Promise<Entry | undefined> {
    const { list, store, isUsable, now } = this.#options
    for (const fallback of list) {
      const found = isUsable() ? await fallback.find(key) : undefined
      if (found === undefined) continue
      // What is found is shared, the judgement is not: who comes later may know of more.
      const entry = await store.judge(found)
      const isOfUse = entry !== undefined && !isDead(entry, now())
      fallback.count(isOfUse ? 'hits' : 'refused')
      if (!isOfUse) continue
      if (isFresh(entry, now())) void this.#putBack(entry)
      return entry
    }
    return undefined
  }

  /** Keep what the stores in front keep, in the background; what a write or a newer fill has overtaken is left out. */
  async keep(entry: Entry, kept: Awaitable<SetResult>): Promise<void> {
    const result = await kept
    if (result === 'invalidated' || result === 'fenced') return
    for (const fallback of this.#options.list) fallback.keep(entry)
  }

  /** Make room where that can be done. Never rejects. */
  async forget(key: string): Promise<void> {
    await Promise.all(this.#options.list.map((fallback) => fallback.forget(key)))
  }

  stats(): readonly FallbackStats[] {
    return this.#options.list.map((fallback) => fallback.stats())
  }

  /** Bytes that are being written. */
  writing(): Limit {
    return together(this.#options.list.map(({ writing }) => writing.stats()))
  }

  close(): void {
    for (const fallback of this.#options.list) fallback.close()
  }

  /** As a fill under a lease of its own, so that it passes none that has come about meanwhile. */
  async #putBack(entry: Entry): Promise<void> {
    const { store } = this.#options
    const { key, incarnation, seq } = entry
    const claimed = await store.acquire({ key, incarnation, seq, seen: undefined })
    const lease = leaseOf(claimed)
    if (claimed.kind !== 'alone' && lease === undefined) return
    if (store.peek(key) === undefined) await store.set({ ...entry, fence: lease?.fence ?? entry.fence }, lease)
    else if (lease !== undefined) store.release(lease, 0)
  }
}

function leaseOf(claimed: ClaimResult): FillLease | undefined {
  return claimed.kind === 'mine' ? claimed.lease : undefined
}
