import type { ServerResponse } from 'node:http'
import { formatCacheStatus, xCache } from '../lib/http/cache-status.ts'
import type { Outcome } from '../lib/outcome.ts'
import { AddedMember } from './added-member.ts'
import type { Settings } from './settings.ts'

/** Our member of `Cache-Status` on a response that the handler gives, after those of others; `X-Cache` where asked for. */
export class StatusField {
  readonly #res: ServerResponse
  readonly #headers: Settings['headers']
  readonly #member: AddedMember

  constructor(res: ServerResponse, headers: Settings['headers']) {
    this.#res = res
    this.#headers = headers
    this.#member = new AddedMember(res, 'Cache-Status')
  }

  tell(outcome: Outcome, key: string | undefined): void {
    const headers = this.#headers
    if (headers === false) return
    const debug = headers === 'debug'
    this.#member.tell(formatCacheStatus(outcome, debug ? key : undefined))
    if (debug) this.#res.setHeader('X-Cache', xCache(outcome))
  }

  /** Take back what was told in a head that was not written. */
  untell(): void {
    this.#member.untell()
  }
}
