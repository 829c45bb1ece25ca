import type { CodedBody } from './content-coding.ts'

/** Magic number, deflate, no flags, no time, no hints, system unknown (RFC 1952 s. 2.3). */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
const GZIP_TRAILER_BYTES = 8
const NOTHING = Buffer.alloc(0)

/**
 * The gzip of what is at hand as raw deflate: a header, those bytes, and a check of the plain ones. Nothing is compressed, and it is
 * put together only when somebody wants it.
 */
export class DeflatedGzip implements CodedBody {
  readonly coding = 'gzip'
  #plain: Buffer
  readonly #crc32: (data: Buffer) => number
  /** Raw deflate until somebody has wanted it, then gzip. */
  #bytes: Buffer
  #isWrapped = false

  constructor(deflated: Buffer, plain: Buffer, crc32: (data: Buffer) => number) {
    this.#bytes = deflated
    this.#plain = plain
    this.#crc32 = crc32
  }

  get body(): Buffer {
    if (this.#isWrapped) return this.#bytes
    this.#bytes = this.#wrapped()
    this.#isWrapped = true
    this.#plain = NOTHING
    return this.#bytes
  }

  #wrapped(): Buffer {
    const trailer = Buffer.allocUnsafe(GZIP_TRAILER_BYTES)
    trailer.writeUInt32LE(this.#crc32(this.#plain), 0)
    trailer.writeUInt32LE(this.#plain.length, 4)
    return Buffer.concat([GZIP_HEADER, this.#bytes, trailer])
  }
}
