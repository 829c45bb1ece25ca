import { randomBytes } from 'node:crypto'
import { keyHash, type Seed } from './key-hash.ts'

/**
 * Slots by key without an object for each: tables of numbers outside the JavaScript heap, searched from the place that the hash of a key
 * names to the next free one. The keys themselves are elsewhere. Whatever is behind a slot that is taken away moves up, so that
 * nothing is left in its place.
 */

/** In how many parts, a power of two: a table that has become full is made anew at once, and for a million keys that takes long. */
const PARTS = 64
/** The first bits of a hash name the part. */
const PART_SHIFT = 32 - Math.log2(PARTS)
/** No slot. */
const FREE = 0
/** Of a place: its slot, and the hash of the key. */
const PLACE_WORDS = 2
/** Words of the smallest table; all are powers of two. */
const MIN_WORDS = 8 * PLACE_WORDS
/** How full a table may be, and how empty it may be before a smaller one will do. */
const MOST = 3 / 4
const LEAST = 1 / 6

export interface SlotsByKeyOptions {
  /** Whether this is the key of a slot. */
  readonly isKeyOf: (slot: number, key: string) => boolean
  /** 32 bits of a key. @default what nobody who chooses keys can foresee */
  readonly hash?: (key: string) => number
}

export class SlotsByKey {
  readonly #isKeyOf: (slot: number, key: string) => boolean
  readonly #hash: (key: string) => number
  readonly #tables = Array.from({ length: PARTS }, () => new Int32Array(MIN_WORDS))
  /** How many slots are in each. */
  readonly #sizes = new Uint32Array(PARTS)
  #size = 0
  #bytes = 0
  /** Of the key that was asked for last: a key that is stored has just been looked for. */
  #lastKey = ''
  #lastHash: number

  constructor({ isKeyOf, hash = keyHash(SEED) }: SlotsByKeyOptions) {
    this.#isKeyOf = isKeyOf
    this.#hash = hash
    this.#lastHash = hash('')
  }

  get size(): number {
    return this.#size
  }

  /** Bytes of the tables, beyond those that are there from the beginning. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): number | undefined {
    const hash = this.#hashOf(key)
    const table = this.#tables[hash >>> PART_SHIFT] as Int32Array
    for (let at = homeOf(hash, table); ; at = next(at, table)) {
      const slot = table[at] as number
      if (slot === FREE) return undefined
      if (table[at + 1] === hash && this.#isKeyOf(slot, key)) return slot
    }
  }

  /** Add a key that is not there; its slot is not 0. */
  add(key: string, slot: number): void {
    const hash = this.#hashOf(key)
    const part = hash >>> PART_SHIFT
    const size = this.#count(part, 1)
    const { length } = this.#tables[part] as Int32Array
    if (size * PLACE_WORDS > length * MOST) this.#rebuild(part, length * 2)
    put(this.#tables[part] as Int32Array, slot, hash)
  }

  /** Take a key away that is there, at this slot. */
  remove(key: string, slot: number): void {
    const hash = this.#hashOf(key)
    const part = hash >>> PART_SHIFT
    const table = this.#tables[part] as Int32Array
    let at = homeOf(hash, table)
    while (table[at] !== slot) at = next(at, table)
    close(table, at)
    const size = this.#count(part, -1)
    if (table.length > MIN_WORDS && size * PLACE_WORDS < table.length * LEAST) this.#rebuild(part, table.length / 2)
  }

  #hashOf(key: string): number {
    if (key !== this.#lastKey) {
      this.#lastKey = key
      this.#lastHash = this.#hash(key)
    }
    return this.#lastHash
  }

  #count(part: number, by: number): number {
    const size = (this.#sizes[part] as number) + by
    this.#sizes[part] = size
    this.#size += by
    return size
  }

  #rebuild(part: number, words: number): void {
    const table = this.#tables[part] as Int32Array
    const other = new Int32Array(words)
    for (let at = 0; at < table.length; at += PLACE_WORDS) {
      const slot = table[at] as number
      if (slot !== FREE) put(other, slot, table[at + 1] as number)
    }
    this.#tables[part] = other
    this.#bytes += other.byteLength - table.byteLength
  }
}

/** Of this process. */
const SEED: Seed = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()]

/** Where a key with this hash is when nothing is in its way. */
function homeOf(hash: number, { length }: Int32Array): number {
  return (hash * PLACE_WORDS) & (length - 1)
}

function next(at: number, { length }: Int32Array): number {
  return (at + PLACE_WORDS) & (length - 1)
}

function put(table: Int32Array, slot: number, hash: number): void {
  let at = homeOf(hash, table)
  while (table[at] !== FREE) at = next(at, table)
  table[at] = slot
  table[at + 1] = hash
}

/** Free a place, and let what has been put behind it because it was taken move up. */
function close(table: Int32Array, place: number): void {
  const mask = table.length - 1
  let free = place
  for (let at = next(free, table); table[at] !== FREE; at = next(at, table)) {
    const hash = table[at + 1] as number
    // What is at home, or between its home and here, stays: it would not be found before its home.
    if (((at - homeOf(hash, table)) & mask) < ((at - free) & mask)) continue
    table[free] = table[at] as number
    table[free + 1] = hash
    free = at
  }
  table[free] = FREE
}
