import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Fields } from '../lib/http/fields.ts'
import { rawNames } from './response-fields.ts'

/** What stood on the response before the cache saw it: set anew for each request, so it is no part of what is kept (XPR-3). */
export class OuterFields {
  readonly #res: ServerResponse
  /** In the case in which they were set. */
  readonly #names: readonly string[]
  /** By lower-case name. */
  readonly #values: OutgoingHttpHeaders

  constructor(res: ServerResponse) {
    this.#res = res
    this.#names = rawNames(res)
    this.#values = res.getHeaders()
    // `appendHeader` adds to the very list.
    for (const name of this.#names) {
      const value = this.#values[name.toLowerCase()]
      if (Array.isArray(value)) this.#values[name.toLowerCase()] = [...value]
    }
  }

  /** Whether the field of this lower-case name is still as it was before; false for one that came later. */
  isUnchanged(name: string): boolean {
    const before = this.#values[name]
    return before !== undefined && String(before) === String(this.#res.getHeader(name))
  }

  /** Without the fields that are still as they were before. */
  remove(fields: Fields): Fields {
    return fields.filter(([name]) => !this.isUnchanged(name.toLowerCase()))
  }

  /** Take away what the handler has set, and bring back what stood there before it. */
  restore(): void {
    const res = this.#res
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (const name of this.#names) res.setHeader(name, this.#values[name.toLowerCase()] as OutgoingHttpHeader)
  }
}
