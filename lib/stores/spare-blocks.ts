/** How many are kept: each record that gives way to another leaves one, and the other takes it. */
const MAX_BLOCKS = 64
/** Which part of a block may be more than is needed. */
const MAX_WASTE = 1 / 8

/**
 * Memory of large records that are gone, for those to come. Left to the garbage collector it would be there for tens of megabytes more,
 * and the allocator would go on holding what lies between.
 */
export class SpareBlocks {
  readonly #maxBytes: number
  /** The one that was given back last at the end. */
  readonly #blocks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A block of so many bytes or a few more; undefined where there is none. */
  take(bytes: number): Buffer | undefined {
    const most = bytes * (1 + MAX_WASTE)
    const index = this.#blocks.findLastIndex(({ length }) => length >= bytes && length <= most)
    if (index === -1) return undefined
    const [block] = this.#blocks.splice(index, 1) as [Buffer]
    this.#bytes -= block.length
    return block
  }

  /** Keep a block that nobody reads any more. */
  give(block: Buffer): void {
    this.#blocks.push(block)
    this.#bytes += block.length
    while (this.#bytes > this.#maxBytes || this.#blocks.length > MAX_BLOCKS) {
      this.#bytes -= (this.#blocks.shift() as Buffer).length
    }
  }
}
