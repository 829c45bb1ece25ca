import type { Fields, RequestHeaders } from '../lib/http/fields.ts'
import type { GrowingBody, LiveResponse } from '../lib/live-response.ts'
import type { Fill, RecordedResponse, ResponseEntry, Responses } from '../lib/responses.ts'

/** Where a response is kept: for its URL alone, or for a class of URLs that share it. */
export interface Place {
  readonly primary: string
  /** By which it is invalidated together with what else the class has. */
  readonly tags: readonly string[]
}

/** Where the answer with these fields is kept; another place, it may be, than was looked at. */
export type Classify = (fields: Fields) => Place

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

const NOTHING = Buffer.alloc(0)

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

  /** Whether a body that is put in is copied at once, so that it may be used again by whoever it belongs to. */
  get copies(): boolean {
    return this.#fill !== undefined && this.#options.responses.copies(this.#fill)
  }

  /** Count from now on. */
  begin(fill: Fill | undefined): void {
    this.#fill ??= fill
  }

  /** Let those who wait for the response have it while it is made; undefined where nobody may. */
  share(recorded: Omit<RecordedResponse, 'body'>, body: GrowingBody): LiveResponse | undefined {
    const fill = this.#fill
    if (fill === undefined) return undefined
    const draft = (): ResponseEntry | undefined => this.#place(fill, { ...recorded, body: NOTHING }, body.length)?.entry
    return this.#options.responses.share(fill, draft, body)
  }

  /** Keep a whole response. */
  commit(recorded: RecordedResponse): void {
    const fill = this.#take()
    const placed = this.#place(fill, recorded)
    if (placed === undefined) return this.#abandon(fill, true)
    this.forgetSpare(placed.entry.key)
    this.#keep(placed)
  }

  /** Keep a stored response as it is after its confirmation; undefined where that cannot be. */
  confirm(from: ResponseEntry, recorded: RecordedResponse): ResponseEntry | undefined {
    const fill = this.#take()
    const placed = this.#place(fill, recorded)
    if (fill === undefined || placed === undefined) {
      this.#abandon(fill, true)
      return undefined
    }
    const { responses, headers } = this.#options
    const { entry } = placed
    this.forgetSpare(entry.key)
    const { etag } = entry.value
    if (etag?.startsWith('"') === true) responses.forgetOthers(fill.primary, headers, from.key, etag)
    this.#keep(placed, from)
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
  #keep({ fill, entry }: Placed, from?: ResponseEntry): void {
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

  #place(fill: Fill | undefined, recorded: RecordedResponse, length?: number): Placed | undefined {
    if (fill === undefined) return undefined
    const { responses, headers, classify } = this.#options
    const place = classify?.(recorded.fields)
    const there = place === undefined ? fill : { ...fill, primary: place.primary }
    const tagged = place === undefined ? recorded : { ...recorded, tags: [...recorded.tags, ...place.tags] }
    const entry = responses.entryOf(there, tagged, headers, length)
    return entry === undefined ? undefined : { fill: there, entry }
  }
}

/** An entry, and the fill of the place where it is kept. */
interface Placed {
  readonly fill: Fill
  readonly entry: ResponseEntry
}
