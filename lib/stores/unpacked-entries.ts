import type { Entry } from '../entry.ts'

/** An entry as it is given out, and the stamp of the ledger under which it was last judged. */
export interface Unpacked {
  entry: Entry
  stamp: object | undefined
  readonly slot: number
  /** What it counts for beside its record. */
  readonly bytes: number
  /** Whether it was asked for again since somebody last looked. */
  isUsed: boolean
  /** Which of all. */
  position: number
}

/** How many entries are kept ready. */
const MAX_UNPACKED = 1_000
/** For how many slots it is remembered that they were asked for. */
const MAX_ASKED = 4_096

/**
 * The entries that are asked for again and again, kept as they are given out, so that a hit makes nothing. Whoever was not asked for
 * again since the hand last passed is the next to go, so that it costs a hit no more than a mark.
 */
export class UnpackedEntries {
  readonly #byKey = new Map<string, Unpacked>()
  readonly #all: Unpacked[] = []
  readonly #maxBytes: number
  /** Of the slots with the same remainder the one that was asked for last. */
  readonly #asked = new Uint32Array(MAX_ASKED)
  #hand = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Unpacked | undefined {
    return this.#byKey.get(key)
  }

  /**
   * Keep one more, in place of others where there are too many; false where it alone is too much, or was not asked for lately: to
   * keep what nobody asks for again costs the garbage collector far more than to make it anew.
   */
  add(unpacked: Unpacked): boolean {
    const { slot, bytes } = unpacked
    const place = slot % MAX_ASKED
    const isAskedAgain = this.#asked[place] === slot
    this.#asked[place] = slot
    if (!isAskedAgain || bytes > this.#maxBytes) return false
    while (this.#all.length >= MAX_UNPACKED || this.#bytes + bytes > this.#maxBytes) this.#dropOne()
    this.#byKey.set(unpacked.entry.key, unpacked)
    unpacked.position = this.#all.push(unpacked) - 1
    this.#bytes += bytes
    return true
  }

  remove(key: string): void {
    const unpacked = this.#byKey.get(key)
    if (unpacked === undefined) return
    this.#byKey.delete(key)
    this.#bytes -= unpacked.bytes
    const last = this.#all.pop() as Unpacked
    if (last === unpacked) return
    this.#all[unpacked.position] = last
    last.position = unpacked.position
  }

  #dropOne(): void {
    for (;;) {
      if (this.#hand >= this.#all.length) this.#hand = 0
      const unpacked = this.#all[this.#hand] as Unpacked
      if (!unpacked.isUsed) return this.remove(unpacked.entry.key)
      unpacked.isUsed = false
      this.#hand++
    }
  }
}
