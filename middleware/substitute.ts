import type { IncomingMessage, ServerResponse } from 'node:http'
import { withOwnConditions } from '../lib/http/coded-tag.ts'
import type { Fields } from '../lib/http/fields.ts'
import { judgeHead } from '../lib/http/validation.ts'
import type { Forward, Outcome } from '../lib/outcome.ts'
import type { FillTarget, ResponseEntry } from '../lib/responses.ts'
import type { Deposit } from './deposit.ts'
import { type Freshened, freshen } from './freshen.ts'
import { heededIn } from './heeded.ts'
import { reasonOf, setReason } from './http2.ts'
import type { InnerRequest } from './inner-request.ts'
import { type TakeOver, takeOver } from './intercept.ts'
import type { Keeper } from './keeper.ts'
import type { OuterFields } from './outer-fields.ts'
import { mayBeCut, replay } from './replay.ts'
import { rerun } from './rerun.ts'
import { fieldsOf } from './response-fields.ts'
import { Revalidation, type RevalidationOptions } from './revalidation.ts'
import type { Settings } from './settings.ts'

/** Whose answer is replaced, by what, and what there is to do it with. */
export interface SubstituteOptions extends Pick<RevalidationOptions, 'spare' | 'variants' | 'background' | 'headers'> {
  readonly settings: Settings
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Of a QUERY. */
  readonly content: Buffer | undefined
  /** Undefined where the request has no key. */
  readonly target: FillTarget | undefined
  /** Why the handler was asked. */
  readonly forward: Forward
  readonly inner: InnerRequest
  readonly outer: OuterFields
  readonly keeper: Keeper
  readonly deposit: Deposit
  /** Told when the other answer goes out. */
  readonly report: (key: string | undefined, outcome: Outcome) => void
}

/**
 * Another answer in place of the handler's, from what is stored: where the handler has failed or is late, and where it says that
 * what is stored is still right.
 */
export class Substitute {
  readonly #options: SubstituteOptions
  readonly #revalidation: Revalidation
  /** A part of an answer may be sent: asked before middlewares below us have seen the response. */
  readonly #mayCut: boolean
  /** Ends the wait for the handler. */
  #timer: NodeJS.Timeout | undefined

  constructor(options: SubstituteOptions) {
    const { settings, req, res, spare, variants, background, headers, deposit } = options
    this.#options = options
    const asks = deposit.isOpen && req.method !== 'HEAD'
    const honoursRequest = settings.requestDirectives
    this.#revalidation = new Revalidation({
      spare,
      variants,
      background,
      asks,
      headers: settings.encodings === undefined ? headers : withOwnConditions(headers),
      honoursRequest,
    })
    this.#mayCut = mayBeCut(res)
  }

  /** The request fields that ask the handler about what is stored. */
  get question(): Revalidation['question'] {
    return this.#revalidation.question
  }

  /** Wait for the handler no longer than it is given, where there is something to answer with. */
  limitWait(): void {
    const { settings } = this.#options
    if (this.#spareFor(504) === undefined) return
    this.#timer = setTimeout(() => this.answerNow(504), settings.handlerTimeoutMs).unref()
  }

  /** The handler is not waited for any more. */
  close(): void {
    clearTimeout(this.#timer)
  }

  /** What to answer instead of what the handler says with this status; undefined: its answer is the client's. */
  insteadOf(status: number, now: number): TakeOver | undefined {
    this.close()
    const fields = status === 304 ? fieldsOf(this.#options.res) : []
    const verdict = this.#revalidation.judge(status, fields, now)
    switch (verdict?.kind) {
      case 'stand-in':
        return this.#standIn(verdict.entry, status)
      case 'confirmed':
        return this.#confirmed(verdict.entry, fields, now)
      case 'ask-again':
        return this.#askAgain()
      case undefined:
        return undefined
    }
  }

  /** What to answer for a handler that has failed in the way of this status, and says nothing. */
  insteadOfNothing(status: number): TakeOver | undefined {
    this.close()
    const spare = this.#spareFor(status)
    return spare === undefined ? undefined : this.#standIn(spare, status)
  }

  /** The same at once, whatever the handler is doing; false: there is nothing to answer, or no way. */
  answerNow(status: number): boolean {
    const spare = this.#spareFor(status)
    return spare !== undefined && takeOver(this.#options.res, (out) => this.#standIn(spare, status)(out))
  }

  /** VAL-20: what a HEAD says of the stored answer to GET. */
  heed(fields: Fields, now: number): void {
    const { spare, deposit } = this.#options
    if (spare === undefined) return
    if (judgeHead(fields, spare.value) === 'confirms') this.#freshen(spare, fields, now)
    else deposit.forgetAll()
  }

  #spareFor(status: number): ResponseEntry | undefined {
    const { settings, spare } = this.#options
    return this.#revalidation.mayStandIn(status, settings.engine.clock.now()) ? spare : undefined
  }

  /** DV-5 */
  #standIn(entry: ResponseEntry, status: number): TakeOver {
    const { settings, forward, deposit } = this.#options
    const ttl = Math.floor((entry.staleAt - settings.engine.clock.now()) / 1_000)
    deposit.drop(false)
    const outcome = { hit: false, forward, forwardStatus: status, ttl, detail: 'stale-if-error', rule: 'DV-5' }
    return this.#answerFrom(entry, outcome)
  }

  /** DV-1: the stored response is right; what the 304 says of it is taken over. */
  #confirmed(from: ResponseEntry, fields: Fields, now: number): TakeOver | undefined {
    const freshened = this.#freshen(from, fields, now)
    if (freshened === undefined) return undefined
    const { entry, decision } = freshened
    const { settings, forward } = this.#options
    const stored = !('refused' in decision) && settings.engine.reachable
    const outcome: Outcome = {
      hit: false,
      forward,
      forwardStatus: 304,
      ...(stored ? { ttl: Math.floor((entry.staleAt - now) / 1_000) } : {}),
      stored,
      ...('refused' in decision ? { detail: decision.refused } : {}),
      rule: 'DV-1',
      ...(decision.rule === undefined ? {} : { storingRule: decision.rule }),
    }
    return this.#answerFrom(entry, outcome)
  }

  #freshen(entry: ResponseEntry, fields: Fields, now: number): Freshened | undefined {
    const { settings, req, target, keeper, deposit, outer } = this.#options
    if (target === undefined || !deposit.isOpen) return undefined
    const method = req.method === 'HEAD' ? 'GET' : (req.method ?? '')
    return freshen({ entry, fields, method, now, target, keeper, deposit, outer, targets: settings.targets })
  }

  /** Answer from an entry in the handler's place. */
  #answerFrom(entry: ResponseEntry, outcome: Outcome): TakeOver {
    const { settings, req, res, headers, inner, outer, report } = this.#options
    const { method } = req
    inner.restore()
    return (out) => {
      report(entry.key, outcome)
      outer.restore()
      setReason(res, undefined)
      const through = {
        ...out,
        getHeader: res.getHeader.bind(res),
        setHeader: res.setHeader.bind(res),
        get statusMessage() {
          return reasonOf(res) ?? ''
        },
        set statusMessage(reason: string) {
          setReason(res, reason)
        },
      }
      const client = { method, headers, heeded: heededIn(headers), res: through, settings, mayCut: this.#mayCut }
      replay(client, entry, outcome, settings.engine.clock.now())
    }
  }

  /** Run the application once more, without a condition, and give the client what that brings. */
  #askAgain(): TakeOver {
    const { req, res, headers, content, target, forward, inner, outer, deposit, report } = this.#options
    deposit.drop(false)
    deposit.forgetSpare()
    inner.restore()
    return (out) => {
      report(target?.primary, { hit: false, forward, forwardStatus: 304, rule: 'DV-3' })
      outer.restore()
      rerun({ req, res, headers, content, out })
    }
  }
}
