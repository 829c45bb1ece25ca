import { type CacheControl, parseCacheControl } from '../lib/http/cache-control.ts'
import { isNotModified, validatorsOf } from '../lib/http/conditional.ts'
import { type Fields, type RequestHeaders, requestField } from '../lib/http/fields.ts'
import { identifies, isNamed, isSelectable, selectingFields, validatingFields } from '../lib/http/validation.ts'
import type { ResponseEntry } from '../lib/responses.ts'

/** What is stored but may not be served as it is, and who asks. */
export interface RevalidationOptions {
  /** To be validated, and in case the handler fails. */
  readonly spare: ResponseEntry | undefined
  /** Other variants: the handler may say that one of them is this client's, too. */
  readonly variants: readonly ResponseEntry[]
  /** Nobody is waiting for the answer. */
  readonly background: boolean
  /** Whether the handler is asked at all: not where nothing is recorded. */
  readonly asks: boolean
  /** The client's fields as they arrived. */
  readonly headers: RequestHeaders
  /** Its directives count. */
  readonly honoursRequest: boolean
}

/** What the handler's answer makes of what is stored; undefined: the answer is the client's. */
export type Verdict =
  /** DV-5: the handler has failed, and this entry may stand in. */
  | { readonly kind: 'stand-in'; readonly entry: ResponseEntry }
  /** DV-1: this entry is right. */
  | { readonly kind: 'confirmed'; readonly entry: ResponseEntry }
  /** DV-3: the handler speaks of something that nobody here has. */
  | { readonly kind: 'ask-again' }

/** Statuses of a failed handler for which a stale entry may stand in (RFC 5861 s. 4). */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504])
/** Is what is stored an error of its own? Nothing confirms it, and it helps nobody. */
export function isError({ value }: ResponseEntry): boolean {
  return value.status >= 500
}

/** Is this a failure of the handler, and not its answer? */
export function isFailure(status: number): boolean {
  return FAILURES.has(status)
}

/** Those that say that there is no answer: an error thrown, or no gateway. A 503 is an answer. */
const DISCONNECTED: ReadonlySet<number> = new Set([500, 502, 504])

/** Asks the handler whether what is stored is still right, and judges what it says (decision table V). */
export class Revalidation {
  /** The request fields that ask; empty where nothing stored can be asked about. */
  readonly question: readonly (readonly [string, string])[]
  readonly #options: RevalidationOptions
  readonly #selectable: readonly ResponseEntry[]
  readonly #directives: CacheControl | undefined

  constructor(options: RevalidationOptions) {
    const { spare, variants, asks, headers, honoursRequest } = options
    this.#options = options
    this.#directives = honoursRequest ? parseCacheControl(requestField(headers, 'cache-control')) : undefined
    this.#selectable = variants.filter(({ value }) => isSelectable(value))
    if (!asks) this.question = []
    else if (spare !== undefined) this.question = isError(spare) ? [] : validatingFields(spare.value)
    else this.question = selectingFields(this.#selectable.map(({ value }) => value))
  }

  judge(status: number, fields: Fields, now: number): Verdict | undefined {
    const { spare, background } = this.#options
    if (spare !== undefined && this.mayStandIn(status, now)) return { kind: 'stand-in', entry: spare }
    if (status !== 304 || this.question.length === 0) return undefined
    const candidates = spare === undefined ? this.#selectable : [spare]
    const isMeant = candidates.length === 1 ? identifies : isNamed
    const entry = candidates.find(({ value }) => isMeant(fields, value))
    if (entry !== undefined) return { kind: 'confirmed', entry }
    // VAL-13
    return background || this.#clientHolds(fields, now) ? undefined : { kind: 'ask-again' }
  }

  /** DV-5: may the spare entry be used in place of a failure with this status? */
  mayStandIn(status: number, now: number): boolean {
    const { spare, background } = this.#options
    // A stored error stands in for nothing.
    if (spare === undefined || background || isError(spare)) return false
    const { value, staleAt } = spare
    // DR-11, DR-16
    if (value.mustRevalidate || value.alwaysValidate) return false
    if (DISCONNECTED.has(status) && value.staleIfDisconnected) return true
    // CCQ-9
    const window = Math.max(value.staleIfError, (this.#directives?.staleIfError ?? 0) * 1_000)
    return window > 0 && FAILURES.has(status) && now - staleAt <= window
  }

  /** Would the client's own condition have brought this 304? */
  #clientHolds(fields: Fields, now: number): boolean {
    return isNotModified(this.#options.headers, validatorsOf(fields, now), now)
  }
}
