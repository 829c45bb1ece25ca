import { SpareBlocks } from './spare-blocks.ts'

/**
 * Bytes outside the JavaScript heap. Small records share chunks: what is dead in one is not used again before the whole chunk is.
 * A large record has memory of its own, which may be given out as it is: whoever still reads it, a socket say, keeps it alive. Where
 * nobody does, the next large record takes it.
 * A record belongs to a slot, a small number of its owner, and may move.
 */

export interface Chunk {
  readonly bytes: Buffer
  /** The same memory as 32-bit words, and as 64-bit numbers. */
  readonly words: Uint32Array
  readonly numbers: Float64Array
  readonly id: number
  /** Whether its memory is used for other records later. */
  readonly isShared: boolean
  /** Whether its memory was given out as it is. */
  isLent: boolean
  /** How far it is filled (bytes). */
  filled: number
  /** Bytes of the records that are still wanted. */
  living: number
}

export interface Place {
  readonly chunk: Chunk
  /** Where the record begins (bytes, a multiple of 8). */
  readonly at: number
}

/** Every record begins with its length (bytes) and its slot, both 32-bit words, which its owner leaves alone. */
export const RECORD_HEADER_BYTES = 8

const MIN_CHUNK_BYTES = 16 * 1024
const MAX_CHUNK_BYTES = 1024 * 1024
/** How many chunks there are, where their size allows it. */
const CHUNKS = 64
/** What is larger than this, or than this part of a chunk, does not share one, so that the end of a full chunk is never much. */
const MAX_SHARED_BYTES = 32 * 1024
const MAX_SHARE = 1 / 8
/** Which part of all may be memory of large records that are gone. */
const SPARE_SHARE = 1 / 16
/** What a chunk counts for beside its bytes, as measured on the heap. */
const CHUNK_BYTES = 600

export class Slabs {
  readonly #chunkBytes: number
  /** By id; 0 is none. */
  readonly #chunks: (Chunk | undefined)[] = [undefined]
  readonly #freeIds: number[] = []
  readonly #shared = new Set<Chunk>()
  /** The one of those that is being filled. */
  #current: Chunk | undefined
  /** Memory of the last one that was let go. */
  #spare: Buffer | undefined
  readonly #spareBlocks: SpareBlocks
  #bytes = 0
  #living = 0
  /** By slot: the id of its chunk, and where in it. */
  #chunkOf = new Uint32Array(64)
  #atOf = new Uint32Array(64)

  /** `maxBytes`: how much there will be, about. */
  constructor(maxBytes: number) {
    this.#chunkBytes = aligned(Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, maxBytes / CHUNKS)))
    this.#spareBlocks = new SpareBlocks(maxBytes * SPARE_SHARE)
  }

  /** All bytes, those included that are dead or wait for another record. */
  get bytes(): number {
    return this.#bytes + this.#spareBlocks.bytes
  }

  get deadBytes(): number {
    return this.#bytes - this.#living
  }

  /** Where a new record of so many bytes, header included, is to be written. */
  add(slot: number, length: number): Place {
    const bytes = aligned(length)
    const isLarge = bytes > Math.min(MAX_SHARED_BYTES, this.#chunkBytes * MAX_SHARE)
    const chunk = isLarge ? this.#ownChunk(bytes) : this.#roomFor(bytes)
    const at = chunk.filled
    chunk.filled += bytes
    chunk.living += bytes
    this.#bytes += isLarge ? chunk.bytes.length : bytes
    this.#living += bytes
    chunk.words[at / 4] = bytes
    chunk.words[at / 4 + 1] = slot
    this.#remember(slot, chunk, at)
    return { chunk, at }
  }

  /** Where the record of this slot is. */
  placeOf(slot: number): Place {
    return { chunk: this.#chunks[this.#chunkOf[slot] as number] as Chunk, at: this.#atOf[slot] as number }
  }

  /** The record of this slot is not wanted any more; `isEvicted`: others like it need the room. */
  remove(slot: number, isEvicted: boolean = false): void {
    const { chunk, at } = this.placeOf(slot)
    const bytes = chunk.words[at / 4] as number
    this.#chunkOf[slot] = 0
    chunk.living -= bytes
    this.#living -= bytes
    if (chunk.living === 0) this.#drop(chunk, isEvicted)
  }

  /**
   * Let the chunk with the most dead bytes go, and move together what still lives in it. Looks at each chunk, of which there are
   * few, and moves less than one.
   */
  compact(): void {
    let worst: Chunk | undefined
    for (const chunk of this.#shared) {
      if (worst === undefined || chunk.living - chunk.filled < worst.living - worst.filled) worst = chunk
    }
    if (worst === undefined) return
    if (worst === this.#current) this.#close(worst)
    for (let at = 0; at < worst.filled; ) {
      const bytes = worst.words[at / 4] as number
      const slot = worst.words[at / 4 + 1] as number
      if (this.#chunkOf[slot] === worst.id && this.#atOf[slot] === at) {
        const place = this.add(slot, bytes)
        place.chunk.bytes.set(worst.bytes.subarray(at, at + bytes), place.at)
      }
      at += bytes
    }
    this.#living -= worst.living
    this.#drop(worst, false)
  }

  #ownChunk(bytes: number): Chunk {
    return this.#newChunk(this.#spareBlocks.take(bytes) ?? Buffer.allocUnsafeSlow(bytes), false)
  }

  #roomFor(bytes: number): Chunk {
    const current = this.#current
    if (current !== undefined && current.filled + bytes <= this.#chunkBytes) return current
    if (current !== undefined) this.#close(current)
    this.#current = this.#newChunk(this.#spare ?? Buffer.allocUnsafeSlow(this.#chunkBytes), true)
    this.#spare = undefined
    this.#shared.add(this.#current)
    return this.#current
  }

  /** Nothing more goes into it: its end is lost. */
  #close(chunk: Chunk): void {
    this.#current = undefined
    this.#bytes += this.#chunkBytes - chunk.filled
  }

  #newChunk(bytes: Buffer, isShared: boolean): Chunk {
    const { buffer } = bytes
    const id = this.#freeIds.pop() ?? this.#chunks.length
    const views = { words: new Uint32Array(buffer), numbers: new Float64Array(buffer) }
    const chunk = { bytes, ...views, id, isShared, isLent: false, filled: 0, living: 0 }
    this.#chunks[id] = chunk
    this.#bytes += CHUNK_BYTES
    this.#living += CHUNK_BYTES
    return chunk
  }

  #drop(chunk: Chunk, isEvicted: boolean): void {
    const isOpen = chunk === this.#current
    if (isOpen) this.#current = undefined
    this.#bytes -= CHUNK_BYTES + (isOpen ? chunk.filled : chunk.bytes.length)
    this.#living -= CHUNK_BYTES
    this.#chunks[chunk.id] = undefined
    this.#freeIds.push(chunk.id)
    if (this.#shared.delete(chunk)) this.#spare = chunk.bytes
    else if (isEvicted && !chunk.isLent) this.#spareBlocks.give(chunk.bytes)
  }

  #remember(slot: number, chunk: Chunk, at: number): void {
    if (slot >= this.#atOf.length) {
      this.#chunkOf = grown(this.#chunkOf, slot)
      this.#atOf = grown(this.#atOf, slot)
    }
    this.#chunkOf[slot] = chunk.id
    this.#atOf[slot] = at
  }
}

/** A copy with room for this slot. */
export function grown(numbers: Uint32Array, slot: number): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(Math.max(slot + 1, numbers.length * 2))
  copy.set(numbers)
  return copy
}

/** What a record of this length takes where it is the only one. */
export function recordBytes(length: number): number {
  return CHUNK_BYTES + aligned(length)
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}
