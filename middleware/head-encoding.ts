import type { ServerResponse } from 'node:http'
import { fieldsOf, headOf } from './response-fields.ts'

/**
 * In which encoding a head goes out. Node sends it as UTF-8 where it goes with a piece of text, else as Latin-1, so that fields
 * beyond ASCII are different octets; hits repeat those that the handler has sent.
 */
export class HeadEncoding {
  readonly #res: ServerResponse
  #utf8: boolean | undefined
  #flushed = false
  /** The client gets only a part of what the handler gives: node then sees something else than it would have. */
  partial = false

  constructor(res: ServerResponse) {
    this.#res = res
  }

  /** Find out: a middleware above us may give node bytes for the handler's text, so only what is sent tells. HTTP/2 has one encoding. */
  listen(): void {
    const sending = this.#res as unknown as { _send?(...args: readonly unknown[]): boolean }
    const send = sending._send
    if (send === undefined) return
    sending._send = (...args) => {
      const [data, encoding] = args
      Reflect.deleteProperty(sending, '_send')
      if (!this.partial) this.#utf8 = isText(data, encoding)
      return Reflect.apply(send, sending, args) as boolean
    }
  }

  get isUtf8(): boolean {
    return this.#utf8 ?? false
  }

  /** Whether it makes no difference: all is ASCII. */
  get isIndifferent(): boolean {
    return !fieldsOf(this.#res).some(([, value]) => isBeyondAscii(value))
  }

  /** The handler sends its head by itself: node does that in UTF-8, whatever follows. */
  flush(): void {
    this.#utf8 ??= true
    this.#flushed = true
  }

  /** The first piece of a body of which only a part goes out; `inChunks`: node would have sent it so. */
  cut(chunk: unknown, encoding: unknown, inChunks: boolean): void {
    this.#utf8 ??= isText(chunk, encoding) && !inChunks
  }

  /**
   * The head of a part goes out now, with bytes, and so as Latin-1: let it be the same octets as with the handler's text. One
   * that goes before any body is as Latin-1 as those bytes.
   */
  apply(): void {
    this.#utf8 ??= false
    if (!this.#utf8 || this.#flushed || this.isIndifferent) return
    for (const { name, value } of headOf(this.#res).values()) {
      this.#res.setHeader(name, Array.isArray(value) ? value.map(asSent) : asSent(String(value)))
    }
  }
}

/** Whether it is other octets in UTF-8 than in Latin-1. */
export function isBeyondAscii(value: string): boolean {
  return BEYOND_ASCII.test(value)
}

const BEYOND_ASCII = /[\u0080-\uffff]/

/** Text that goes out as UTF-8, as text that gives the same octets in Latin-1. */
export function asSent(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1')
}

/** Node compares it just so. */
function isText(chunk: unknown, encoding: unknown): boolean {
  return typeof chunk === 'string' && (typeof encoding !== 'string' || encoding === '' || encoding === 'utf8')
}
