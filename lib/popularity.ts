import type { Entry } from './entry.ts'
import { recent } from './recent.ts'

/**
 * Which entries are read often enough to be loaded anew before they are stale. Counted is one life of an entry in this process, and
 * only where somebody asks for it.
 */

/**
 * Reads in one life that make an entry popular. One read is what every entry has that was worth keeping, two may be the same visitor
 * again; a third says that there will be another after the refresh.
 */
export const POPULAR_READS = 3
/** For how many keys reads are counted: those that are read least are the first to be forgotten. */
const MAX_KEYS = 10_000

interface Life {
  readonly cachedAt: number
  reads: number
}

export class Popularity {
  readonly #lives = recent<Life>(MAX_KEYS)

  /** Count one more read; whether the entry is popular now. */
  count({ key, cachedAt }: Pick<Entry, 'key' | 'cachedAt'>): boolean {
    let life = this.#lives.get(key)
    if (life?.cachedAt !== cachedAt) {
      life = { cachedAt, reads: 0 }
      this.#lives.set(key, life)
    }
    return ++life.reads >= POPULAR_READS
  }
}
