import type { IncomingMessage, ServerResponse } from 'node:http'
import { isNotModified } from '../lib/http/conditional.ts'
import { parseHttpDate } from '../lib/http/dates.ts'
import { parseEntityTag } from '../lib/http/entity-tag.ts'
import { type Fields, fieldValue, type RequestHeaders } from '../lib/http/fields.ts'

/** Request fields that the handler does not see while its response may be stored: the cache answers them (CON-18). */
const CONDITIONS = ['if-none-match', 'if-modified-since'] as const

/** Fields that describe a content that a 304 does not have. */
const NOT_IN_304 = ['Content-Type', 'Content-Length', 'Content-Encoding', 'Content-Language', 'Transfer-Encoding']

/** The client's own conditions, kept from the handler so that it gives the whole answer, and judged on that. */
export class Conditions {
  readonly #req: IncomingMessage
  readonly #headers: RequestHeaders
  #hidden = false

  /** `headers`: the request's fields as they arrived. */
  constructor(req: IncomingMessage, headers: RequestHeaders) {
    this.#req = req
    this.#headers = headers
  }

  hide(): void {
    for (const name of CONDITIONS) {
      if (this.#req.headers[name] === undefined) continue
      this.#hidden = true
      delete this.#req.headers[name]
    }
  }

  /** REU-11: whoever looks at the request afterwards finds it as it came. */
  restore(): void {
    if (!this.#hidden) return
    for (const name of CONDITIONS) {
      const value = this.#headers[name]
      if (typeof value === 'string') this.#req.headers[name] = value
    }
  }

  /** Make a 304 of a head that is what the client has, as Express would have (CON-18 A). */
  answer(res: ServerResponse, fields: Fields, now: number): void {
    if (!this.#hidden || res.statusCode !== 200) return
    const etag = fieldValue(fields, 'etag')
    const modified = fieldValue(fields, 'last-modified')
    const validators = {
      etag: etag === undefined ? undefined : parseEntityTag(etag),
      modifiedAt: modified === undefined ? undefined : parseHttpDate(modified, now),
    }
    if (!isNotModified(this.#headers, validators, now)) return
    res.statusCode = 304
    res.statusMessage = ''
    for (const name of NOT_IN_304) res.removeHeader(name)
  }
}
