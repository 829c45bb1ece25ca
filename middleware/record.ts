import type { GrowingBody, LiveResponse } from '../lib/live-response.ts'

/**
 * The copy of a body while it passes through: bounded, and of use only when it is whole. It looks at what is written; it never
 * changes or delays it.
 */
export interface RecordingOptions {
  /** Larger bodies are not kept. */
  readonly maxBytes: number
  /** What `Content-Length` promised, undefined where it said nothing. */
  readonly declared: number | undefined
  /** The handler gave the body in one piece. */
  readonly whole: boolean
}

export class Recording {
  readonly #options: RecordingOptions
  #chunks: Buffer[] | undefined = []
  #bytes = 0
  /** Those who wait for the response have it while it is made. */
  #live: LiveResponse | undefined

  constructor(options: RecordingOptions) {
    this.#options = options
  }

  /** Keep a piece; false when the body has become too large and the recording is over. */
  add(chunk: Buffer): boolean {
    if (this.#chunks === undefined) return false
    this.#bytes += chunk.length
    if (this.#bytes <= this.#options.maxBytes) {
      this.#chunks.push(chunk)
      this.#live?.grow()
      return true
    }
    this.discard()
    return false
  }

  /** What others may have of the body while it is made: some of a length that is known; undefined where there is nothing to have. */
  get growing(): GrowingBody | undefined {
    const { declared = 0, whole } = this.#options
    if (whole || this.#chunks === undefined || this.#bytes >= declared) return undefined
    return { chunks: this.#chunks, length: declared }
  }

  /** Tell of each piece, and of the end. */
  share(live: LiveResponse | undefined): void {
    this.#live = live
  }

  /** Whether somebody has the body while it is made. */
  get isFollowed(): boolean {
    return this.#live?.isFollowed ?? false
  }

  /**
   * The body, or undefined when it may not be whole: too long, or not as long as declared (NOD-10). Without a declared length a
   * client that has left proves nothing about the handler (NOD-13), unless the body came in one piece.
   */
  finish(clientLeft: boolean): Buffer | undefined {
    const { declared, whole } = this.#options
    const chunks = this.#chunks
    this.#chunks = undefined
    if (chunks === undefined) return undefined
    const complete = declared === undefined ? whole || !clientLeft : declared === this.#bytes
    const body = complete ? ((whole ? chunks[0] : undefined) ?? joined(chunks, this.#bytes)) : undefined
    this.#live?.end(body)
    return body
  }

  /** Nothing will come of it. */
  discard(): void {
    this.#chunks = undefined
    this.#live?.end(undefined)
  }
}

/** In memory of its own: a slice of node's shared pool would keep the whole pool alive as long as the entry. */
function joined(chunks: readonly Buffer[], bytes: number): Buffer {
  const body = Buffer.allocUnsafeSlow(bytes)
  let offset = 0
  for (const chunk of chunks) offset += chunk.copy(body, offset)
  return body
}
