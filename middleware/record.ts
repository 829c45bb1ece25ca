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

  constructor(options: RecordingOptions) {
    this.#options = options
  }

  /** Keep a piece; false when the body has become too large and the recording is over. */
  add(chunk: Buffer): boolean {
    if (this.#chunks === undefined) return false
    this.#bytes += chunk.length
    if (this.#bytes <= this.#options.maxBytes) {
      this.#chunks.push(chunk)
      return true
    }
    this.#chunks = undefined
    return false
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
    return complete ? joined(chunks, this.#bytes) : undefined
  }
}

/** In memory of its own: a slice of node's shared pool would keep the whole pool alive as long as the entry. */
function joined(chunks: readonly Buffer[], bytes: number): Buffer {
  const body = Buffer.allocUnsafeSlow(bytes)
  let offset = 0
  for (const chunk of chunks) offset += chunk.copy(body, offset)
  return body
}
