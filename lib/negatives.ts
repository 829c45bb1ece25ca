import type { Limit } from './gauge.ts'
import { recent } from './recent.ts'
import type { Judged, TagLedger } from './tags.ts'

/** What loaders could not bring, remembered in this process only, and only for callers who ask for it. */

/** For how many keys. */
const MAX_KEYS = 10_000

/** How a loader ended without a value. */
export type Negative =
  /** It brought undefined. */
  { readonly kind: 'nothing' } | { readonly kind: 'failed'; readonly error: unknown }

interface Known {
  readonly negative: Negative
  /** What the value would have been judged by: a write that would have made it wrong voids this, too. */
  readonly judged: Judged
  /** Epoch ms. */
  readonly until: number
}

export class Negatives {
  readonly #known = recent<Known>(MAX_KEYS, () => {
    this.#refused++
  })
  #peak = 0
  #refused = 0

  /** What is known of this key at `now`, as far as this ledger says that nothing has been written since. */
  get(full: string, ledger: TagLedger, now: number): Negative | undefined {
    const known = this.#known.get(full)
    if (known === undefined) return undefined
    if (now < known.until && ledger.judgeFill(known.judged) === 'valid') return known.negative
    this.#known.delete(full)
    return undefined
  }

  set(full: string, known: Known): void {
    this.#known.set(full, known)
    this.#peak = Math.max(this.#peak, this.#known.size)
  }

  delete(full: string): void {
    this.#known.delete(full)
  }

  /** Keys; refused are those that gave way to others. */
  stats(): Limit {
    return { limit: MAX_KEYS, current: this.#known.size, peak: this.#peak, refused: this.#refused }
  }
}
