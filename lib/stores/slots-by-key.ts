import { partitionOf } from '../key.ts'

/** In how many parts. */
const PARTS = 64

/** Slots by key. In parts, because a Map that has become full is made anew at once, and for a million keys that takes long. */
export class SlotsByKey {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, number>())
  #size = 0
  /** Of the key that was asked for last: a key that is stored has just been looked for. */
  #lastKey = ''
  #lastPart = partitionOf('', PARTS)

  get size(): number {
    return this.#size
  }

  get(key: string): number | undefined {
    return this.#partOf(key).get(key)
  }

  /** Add a key that is not there. */
  add(key: string, slot: number): void {
    this.#partOf(key).set(key, slot)
    this.#size++
  }

  /** Take a key away that is there. */
  remove(key: string): void {
    this.#partOf(key).delete(key)
    this.#size--
  }

  #partOf(key: string): Map<string, number> {
    if (key !== this.#lastKey) {
      this.#lastKey = key
      this.#lastPart = partitionOf(key, PARTS)
    }
    return this.#parts[this.#lastPart] as Map<string, number>
  }
}
