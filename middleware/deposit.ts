import type { Fields, RequestHeaders } from '../lib/http/fields.ts'
import type { Fill, RecordedResponse, ResponseEntry, Responses } from '../lib/responses.ts'

/** A class of URLs that share a stored response. */
export interface Classified {
  readonly primary: string
  /** By which it is invalidated together with them. */
  readonly tags: readonly string[]
}

/** Under which key, and tags, the answer with these fields is kept, where not under that of the request. */
export type Classify = (fields: Fields) => Classified | undefined

export interface DepositOptions {
  readonly responses: Responses
  /** The request's fields as they arrived: those in `Vary` are part of the key. */
  readonly headers: RequestHeaders
  /** What the handler was asked about; it goes when something else takes its place. */
  readonly spare: ResponseEntry | undefined
  readonly classify: Classify | undefined
  readonly fill: Fill | undefined
  /** A store has failed, against its contract. */
  readonly onError: (cause: unknown) => void
}

/** The right to put one exchange's response into the store: it ends with a commit, a confirmation, or with nothing. */
export class Deposit {
  readonly #options: DepositOptions
  #fill: Fill | undefined

  constructor(options: DepositOptions) {
    this.#options = options
    this.#fill = options.fill
  }

  /** Whether something may still be put in. */
  get isOpen(): boolean {
    return this.#fill !== undefined
  }

  /** Count from now on. */
  begin(fill: Fill | undefined): void {
    this.#fill ??= fill
  }

  /** Keep a whole response. */
  commit(recorded: RecordedResponse): void {
    const fill = this.#take()
    const entry = fill === undefined ? undefined : this.#entryOf(fill, recorded)
    if (fill === undefined || entry === undefined) return this.#abandon(fill, true)
    this.forgetSpare(entry.key)
    this.#keep(fill, entry)
  }

  /** Keep a stored response as it is after its confirmation; undefined where that cannot be. */
  confirm(from: ResponseEntry, recorded: RecordedResponse): ResponseEntry | undefined {
    const fill = this.#take()
    const entry = fill === undefined ? undefined : this.#entryOf(fill, recorded)
    if (fill === undefined || entry === undefined) {
      this.#abandon(fill, true)
      return undefined
    }
    const { responses, headers } = this.#options
    this.forgetSpare(entry.key)
    const { etag } = entry.value
    if (etag?.startsWith('"') === true) responses.forgetOthers(fill.primary, headers, from.key, etag)
    this.#keep(fill, entry, from)
    return entry
  }

  /** Keep nothing; `remember` it, so that requests of the next seconds do not wait in vain. */
  drop(remember: boolean): void {
    this.#abandon(this.#take(), remember)
  }

  /** VAL-14: what the handler has answered anew is not reused any more; an entry under the same key takes its place. */
  forgetSpare(replacedBy?: string): void {
    const { spare, responses } = this.#options
    if (spare !== undefined && spare.key !== replacedBy) responses.forget(spare)
  }

  /** STO-14: whatever becomes of it, the client has its answer. */
  #keep(fill: Fill, entry: ResponseEntry, from?: ResponseEntry): void {
    const { responses, onError } = this.#options
    try {
      const kept = responses.keep(fill, entry, from)
      if (kept instanceof Promise) void kept.catch(onError)
    } catch (cause) {
      onError(cause)
    }
  }

  /** VAL-20: what a HEAD has contradicted, whatever of it this request could have selected. */
  forgetAll(): void {
    const { spare, responses, headers } = this.#options
    const fill = this.#take()
    this.#abandon(fill, false)
    this.forgetSpare()
    if (fill !== undefined && spare !== undefined) responses.forgetOthers(fill.primary, headers, spare.key)
  }

  #take(): Fill | undefined {
    const fill = this.#fill
    this.#fill = undefined
    return fill
  }

  #abandon(fill: Fill | undefined, remember: boolean): void {
    if (fill !== undefined) this.#options.responses.abandon(fill, remember)
  }

  #entryOf(fill: Fill, recorded: RecordedResponse): ResponseEntry | undefined {
    const { responses, headers, classify } = this.#options
    const shared = classify?.(recorded.fields)
    if (shared === undefined) return responses.entryOf(fill, recorded, headers)
    const tags = [...recorded.tags, ...shared.tags]
    return responses.entryOf({ ...fill, primary: shared.primary }, { ...recorded, tags }, headers)
  }
}
