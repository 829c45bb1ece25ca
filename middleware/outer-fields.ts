import type { ServerResponse } from 'node:http'
import type { Fields } from '../lib/http/fields.ts'

type Value = number | string | readonly string[]

/** The fields of a response by lower-case name. */
export type Head = ReadonlyMap<string, { readonly name: string; readonly value: Value }>

/** The fields of a response as they stand. */
export function headOf(res: ServerResponse): Head {
  const head = new Map<string, { readonly name: string; readonly value: Value }>()
  for (const name of res.getHeaderNames()) {
    const value = res.getHeader(name)
    if (value !== undefined) head.set(name, { name, value })
  }
  return head
}

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
