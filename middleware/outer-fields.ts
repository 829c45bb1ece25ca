import type { ServerResponse } from 'node:http'
import type { Fields } from '../lib/http/fields.ts'
import { type Head, headOf } from './response-fields.ts'

/** What stood on the response before the cache saw it: set anew for each request, so it is no part of what is kept (XPR-3). */
export class OuterFields {
  readonly #res: ServerResponse
  readonly #before: Head

  constructor(res: ServerResponse) {
    this.#res = res
    this.#before = headOf(res)
  }

  /** Without the fields that are still as they were before. */
  remove(fields: Fields): Fields {
    return fields.filter(([name]) => {
      const before = this.#before.get(name.toLowerCase())
      return before === undefined || String(before.value) !== String(this.#res.getHeader(name))
    })
  }

  /** Take away what the handler has set, and bring back what stood there before it. */
  restore(): void {
    const res = this.#res
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (const { name, value } of this.#before.values()) res.setHeader(name, value)
  }
}
