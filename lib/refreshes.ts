import type { Entry } from './entry.ts'

/** What names one life of an entry: what replaces it came at another time. */
type Refreshed = Pick<Entry, 'key' | 'cachedAt'>

/** No refresh of an entry is tried again before this has passed (ms), whatever became of the last one (STA-7). */
const BACK_OFF_MS = 1_000

/** Which entries are being refreshed, or were a moment ago: one refresh at a time, and none right after one that failed. */
export class Refreshes {
  /** By key: when the entry came. */
  readonly #underWay = new Map<string, number>()
  /** By key, the first to end first: when the entry came, and when it may be refreshed again (epoch ms). */
  readonly #ended = new Map<string, { readonly cachedAt: number; readonly until: number }>()

  /** May no refresh of this entry begin now? */
  isHeld({ key, cachedAt }: Refreshed, now: number): boolean {
    if (this.#underWay.get(key) === cachedAt) return true
    const ended = this.#ended.get(key)
    return ended !== undefined && ended.cachedAt === cachedAt && now < ended.until
  }

  begin({ key, cachedAt }: Refreshed): void {
    this.#underWay.set(key, cachedAt)
  }

  /** A refresh is over at `now`, whether it has brought something or not. */
  end({ key, cachedAt }: Refreshed, now: number): void {
    if (this.#underWay.get(key) === cachedAt) this.#underWay.delete(key)
    this.#ended.delete(key)
    this.#ended.set(key, { cachedAt, until: now + BACK_OFF_MS })
    for (const [old, { until }] of this.#ended) {
      if (now < until) break
      this.#ended.delete(old)
    }
  }
}
