import { LRUCache } from 'lru-cache'
import type { FrameHead, KnownHeads } from '../codec.ts'
import type { Fields } from '../http/fields.ts'

/** What they take at most (bytes). */
const MAX_BYTES = 32 * 1024 ** 2
/** What one takes beside its text: as measured on the heap. */
const HEAD_BYTES = 2_200
/** Field lines that are kept once for all heads. */
const MAX_LINES = 1_000

/**
 * The heads of the entries that were read last, for a cache without memory of its own: reading and checking one costs more than all
 * the rest of a hit. The body comes from Redis each time, and whether the entry is right is asked each time.
 */
export class Heads implements KnownHeads {
  readonly #heads = new LRUCache<string, FrameHead>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ text }) => text.length + HEAD_BYTES,
  })
  readonly #lines = new Map<string, Fields[number]>()

  get(key: string): FrameHead | undefined {
    return this.#heads.get(key)
  }

  set(key: string, head: FrameHead): void {
    this.#heads.set(key, head)
  }

  /** The same fields, their lines shared with those of other heads: most answers of an application have the same. */
  shared(fields: Fields): Fields {
    return fields.map((line) => this.#shared(line))
  }

  #shared(line: Fields[number]): Fields[number] {
    const text = `${line[0]}:${line[1]}`
    const known = this.#lines.get(text)
    if (known !== undefined) return known
    // What is usual is soon there again.
    if (this.#lines.size === MAX_LINES) this.#lines.clear()
    this.#lines.set(text, line)
    return line
  }
}
