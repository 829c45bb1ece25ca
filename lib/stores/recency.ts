import { grown } from './slabs.ts'

/** The end of the ring, between the most and the least recently used. */
const END = 0

/** Slots by how recently they were used: a ring of numbers outside the JavaScript heap, where every change costs the same. */
export class Recency {
  /** By slot: the one used before it, and the one used after it. */
  #older = new Uint32Array(64)
  #newer = new Uint32Array(64)
  /** Slots that were given back, each one leading to the next. */
  #free = END
  #top = END

  /** A slot of its own, used just now. */
  add(): number {
    let slot = this.#free
    if (slot === END) slot = this.#grow()
    else this.#free = this.#older[slot] as number
    this.#link(slot)
    return slot
  }

  /** This slot was used just now. */
  touch(slot: number): void {
    if (this.#older[END] === slot) return
    this.#unlink(slot)
    this.#link(slot)
  }

  /** Give a slot back. */
  remove(slot: number): void {
    this.#unlink(slot)
    this.#older[slot] = this.#free
    this.#free = slot
  }

  /** The slot that was not used for longest; undefined where there is none. */
  get oldest(): number | undefined {
    const slot = this.#newer[END] as number
    return slot === END ? undefined : slot
  }

  /** All slots, the most recently used first. Nothing may change meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    for (let slot = this.#older[END] as number; slot !== END; slot = this.#older[slot] as number) yield slot
  }

  #grow(): number {
    const slot = ++this.#top
    if (slot >= this.#older.length) {
      this.#older = grown(this.#older, slot)
      this.#newer = grown(this.#newer, slot)
    }
    return slot
  }

  #link(slot: number): void {
    const newest = this.#older[END] as number
    this.#older[slot] = newest
    this.#newer[slot] = END
    this.#newer[newest] = slot
    this.#older[END] = slot
  }

  #unlink(slot: number): void {
    const older = this.#older[slot] as number
    const newer = this.#newer[slot] as number
    this.#newer[older] = newer
    this.#older[newer] = older
  }
}
