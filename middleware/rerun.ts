import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHeaders } from '../lib/http/fields.ts'
import { setReason } from './http2.ts'
import { SELECTING } from './inner-request.ts'
import { type Original, type Watcher, watch } from './intercept.ts'
import { headOf } from './response-fields.ts'
import { secondPass, serverOf, without } from './second-pass.ts'

/** Fields that a second pass on behalf of the same client does not carry: those that led to it. */
const HIDDEN: ReadonlySet<string> = new Set(SELECTING)

export interface Rerun {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The client's fields as they arrived. */
  readonly headers: RequestHeaders
  readonly content: Buffer | undefined
  readonly out: Original
}

/** Run the application once more for this client, without its conditions, and answer with what that brings (VAL-13). */
export function rerun({ req, res, headers, content, out }: Rerun): void {
  const server = serverOf(req)
  const relay = new Relay(res, out)
  if (server === undefined) return relay.fail()
  const again = { client: req, server, headers: without(headers, HIDDEN), entry: undefined, content }
  const run = secondPass({ ...again, watch: (from) => relay.watch(from) })
  void run.finally(() => relay.fail())
}

/** Passes a response on to another one while it is made. */
class Relay implements Watcher {
  readonly #res: ServerResponse
  readonly #out: Original
  #began = false
  #ended = false
  #from: ServerResponse | undefined

  constructor(res: ServerResponse, out: Original) {
    this.#res = res
    this.#out = out
  }

  watch(from: ServerResponse): void {
    this.#from = from
    watch(from, this)
  }

  afterHead(): void {
    if (this.#from === undefined || this.#began) return
    this.#began = true
    for (const { name, value } of headOf(this.#from).values()) this.#res.setHeader(name, value)
    setReason(this.#res, this.#from.statusMessage)
    this.#out.writeHead(this.#from.statusCode)
  }

  body(chunk: Buffer, _utf8: boolean, isBorrowed: boolean): void {
    this.#out.write(isBorrowed ? Buffer.from(chunk) : chunk)
  }

  end(): void {
    this.#ended = true
    this.#out.end()
  }

  /** Nothing came, or not all of it: what has begun must not look whole. */
  fail(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#began) {
      this.#out.destroy()
      return
    }
    this.#out.writeHead(504)
    this.#out.end()
  }
}
