import type { ServerResponse } from 'node:http'
import { formatCacheStatus, xCache } from '../lib/http/cache-status.ts'
import type { Outcome } from '../lib/outcome.ts'
import type { Settings } from './settings.ts'

/** Our member of `Cache-Status` on a response that the handler gives, after those of others; `X-Cache` where asked for. */
export class StatusField {
  readonly #res: ServerResponse
  readonly #headers: Settings['headers']
  /** What was written, and what stood there before. */
  #told: { readonly field: string; readonly before: number | string | readonly string[] | undefined } | undefined

  constructor(res: ServerResponse, headers: Settings['headers']) {
    this.#res = res
    this.#headers = headers
  }

  tell(outcome: Outcome, key: string | undefined): void {
    const [res, headers] = [this.#res, this.#headers]
    if (headers === false) return
    const debug = headers === 'debug'
    const member = formatCacheStatus(outcome, debug ? key : undefined)
    const before = res.getHeader('Cache-Status')
    const field = before === undefined ? member : [before, member].flat().join(', ')
    res.setHeader('Cache-Status', field)
    if (debug) res.setHeader('X-Cache', xCache(outcome))
    this.#told = { field, before }
  }

  /** Take back what was told in a head that was not written. */
  untell(): void {
    const [res, told] = [this.#res, this.#told]
    this.#told = undefined
    if (told === undefined || String(res.getHeader('Cache-Status')) !== told.field) return
    if (told.before === undefined) res.removeHeader('Cache-Status')
    else res.setHeader('Cache-Status', told.before)
  }
}
