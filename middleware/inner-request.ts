import type { IncomingMessage } from 'node:http'
import type { RequestHeaders } from '../lib/http/fields.ts'

/** A request of HTTP/2 has no `headersDistinct`. */
type Viewed = Pick<IncomingMessage, 'rawHeaders'> & Partial<Pick<IncomingMessage, 'headersDistinct'>>

/**
 * What the handler sees of a request whose answer may be stored (decision table D): without the client's own conditions, which
 * the cache answers, and with those of the cache. Afterwards everything is as it came.
 */
export class InnerRequest {
  readonly #req: IncomingMessage
  readonly #headers: RequestHeaders
  readonly #changed = new Set<string>()
  #rawHeaders: readonly string[] | undefined
  #distinct: Viewed['headersDistinct']
  /** The lines of that view as they came. */
  readonly #lines: Record<string, string[] | undefined> = {}

  /** `headers`: the request's fields as they arrived (DF-1). */
  constructor(req: IncomingMessage, headers: RequestHeaders) {
    this.#req = req
    this.#headers = headers
  }

  /** Take these fields away and put those in: in every view of the request that node offers (NOD-17). */
  change(hidden: readonly string[], added: readonly (readonly [string, string])[]): void {
    const { headers } = this.#req
    const names = hidden.filter((name) => headers[name] !== undefined)
    if (names.length === 0 && added.length === 0) return
    // Node makes this view from the lines at its first use: later it would be of other lines.
    const { rawHeaders, headersDistinct } = this.#req as Viewed
    this.#distinct = headersDistinct
    for (const name of [...names, ...added.map(([name]) => name)]) {
      this.#changed.add(name)
      this.#lines[name] ??= headersDistinct?.[name]
    }
    this.#rawHeaders ??= [...rawHeaders]
    const kept: string[] = []
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string
      if (!this.#changed.has(name.toLowerCase())) kept.push(name, rawHeaders[index + 1] as string)
    }
    replaceItems(rawHeaders, [...kept, ...added.flatMap(([name, value]) => [RAW_NAMES[name] ?? name, value])])
    for (const name of this.#changed) this.#set(name, undefined)
    for (const [name, value] of added) this.#set(name, value)
  }

  /** REU-11, DF-6: whoever looks at the request afterwards finds it as it came. */
  restore(): void {
    if (this.#rawHeaders === undefined) return
    replaceItems(this.#req.rawHeaders, this.#rawHeaders)
    for (const name of this.#changed) this.#set(name, this.#headers[name], this.#lines[name])
    this.#rawHeaders = undefined
    this.#changed.clear()
  }

  #set(name: string, value: string | string[] | undefined, lines?: string[]): void {
    const [{ headers }, distinct] = [this.#req, this.#distinct]
    if (value === undefined) {
      delete headers[name]
      if (distinct !== undefined) delete distinct[name]
      return
    }
    headers[name] = value
    if (distinct !== undefined) distinct[name] = lines ?? [value].flat()
  }
}

/** DF-2: what the cache answers itself. */
export const RANGES: readonly string[] = ['range', 'if-range']
export const SELECTING: readonly string[] = ['if-none-match', 'if-modified-since', ...RANGES]

/** How clients write the names of the fields that are put in. */
const RAW_NAMES: Readonly<Record<string, string>> = {
  'if-match': 'If-Match',
  'if-none-match': 'If-None-Match',
  'if-modified-since': 'If-Modified-Since',
}

/** In place: with HTTP/2 the array cannot be exchanged. */
function replaceItems(array: string[], items: readonly string[]): void {
  array.splice(0, array.length, ...items)
}
