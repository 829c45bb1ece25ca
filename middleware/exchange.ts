import type { IncomingMessage, ServerResponse } from 'node:http'
import weakEtag from 'etag'
import { heldTag, ownConditions, withOwnConditions } from '../lib/http/coded-tag.ts'
import { validatorsOf } from '../lib/http/conditional.ts'
import { formatHttpDate } from '../lib/http/dates.ts'
import { type Fields, fieldValue, type RequestHeaders } from '../lib/http/fields.ts'
import { isStorableWrite } from '../lib/http/methods.ts'
import type { Credentials } from '../lib/http/storing-input.ts'
import { isForUs } from '../lib/http/targeted.ts'
import type { Forward, Outcome } from '../lib/outcome.ts'
import type { Fill, FillTarget, ResponseEntry } from '../lib/responses.ts'
import { AddedMember } from './added-member.ts'
import { type Annotation, Annotations } from './annotations.ts'
import { hasClientLeft } from './client-left.ts'
import { selectPart } from './client-part.ts'
import { codeLater, isNegotiated } from './coding.ts'
import { type Classify, Deposit } from './deposit.ts'
import { asSent, isBeyondAscii } from './head-encoding.ts'
import { heededIn } from './heeded.ts'
import { reasonOf } from './http2.ts'
import { InnerRequest, RANGES, SELECTING } from './inner-request.ts'
import type { TakeOver, Watcher, Window } from './intercept.ts'
import { Keeper, type Kept, type NotKept } from './keeper.ts'
import { OuterFields } from './outer-fields.ts'
import { Recording } from './record.ts'
import { replay } from './replay.ts'
import { directivesOf } from './request.ts'
import { fieldsOf, type Head, headOf } from './response-fields.ts'
import { isError, isFailure } from './revalidation.ts'
import type { Settings } from './settings.ts'
import { StatusField } from './status-field.ts'
import { Substitute } from './substitute.ts'

/**
 * One request that went to its handler: what the handler sees of it, what is said about its response on the way, whether that may
 * be stored, and what the client is told of it. It delays a response only where a stored one may take its place.
 */

/** Why a request goes to the handler, and what is at hand meanwhile. */
export interface Why {
  readonly forward: Forward
  /** Why, where `forward` alone does not say. */
  readonly detail?: string
  /** The row of table B that said so. */
  readonly rule?: string
  /** What is stored but may not be served as it is: to be validated, and in case the handler fails. */
  readonly spare?: ResponseEntry
  /** Other variants: the handler may say that one of them is this client's, too. */
  readonly variants?: readonly ResponseEntry[]
  /** It waited for somebody else's answer in vain. */
  readonly collapsed?: false
  /** Nobody is waiting for the answer: it counts neither as hit nor as miss. */
  readonly background?: boolean
}

export interface ExchangeOptions extends Why {
  readonly settings: Settings
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** When the request came (monotonic ms); undefined where that is not measured. */
  readonly arrivedAt?: number
  /** Undefined where the request has no key. */
  readonly target: FillTarget | undefined
  readonly credentials: Credentials | undefined
  /** Undefined when the response is not to be recorded. */
  readonly fill: Fill | undefined
  /** Begins a fill when the head goes out: what a write answers counts from after its own invalidation. */
  readonly fillAtHead?: () => Fill
  readonly classify?: Classify | undefined
  /** The row that decides once the head is there, where that is not `rule`. */
  readonly ruleAtHead?: () => string
  /** Of a QUERY. */
  readonly content?: Buffer | undefined
}

const EXCHANGE: unique symbol = Symbol.for('cachewell.exchange') as never

/** The exchange that owns a response, made by the outermost cache. */
export function exchangeOf(res: ServerResponse): Exchange | undefined {
  return (res as { [EXCHANGE]?: Exchange })[EXCHANGE]
}

/** Fields that other middlewares set while the head is written, and that decide whether it may be kept. */
const LATE: readonly string[] = ['set-cookie', 'cache-control', 'vary']

export class Exchange implements Watcher {
  readonly settings: Settings
  readonly credentials: Credentials | undefined
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #why: Why
  readonly #arrivedAt: number | undefined
  readonly #annotations: Annotations
  readonly #keeper: Keeper
  readonly #outer: OuterFields
  readonly #inner: InnerRequest
  readonly #statusField: StatusField
  /** Our word in `Vary`: hits will be coded as clients like it. */
  readonly #varyField: AddedMember
  /** The request fields as they arrived: later middlewares may change `req.headers`. */
  readonly #headers: RequestHeaders
  /** Its conditions in the handler's words, where they were in ours. */
  readonly #ownConditions: ReturnType<typeof ownConditions>
  readonly #fillAtHead: (() => Fill) | undefined
  #classify: Classify | undefined
  readonly #content: Buffer | undefined
  readonly #ruleAtHead: (() => string) | undefined
  #target: FillTarget | undefined
  #deposit: Deposit
  /** Undefined where nothing stored could take the place of the handler's answer. */
  #substitute: Substitute | undefined
  #kept: Kept | undefined
  /** The client's own condition and range were kept from the handler. */
  #selects = false
  /** Answers in the handler's place. */
  #replacement: TakeOver | undefined
  #window: Window | undefined
  /** All of the handler's head, and the head after our own changes to it. */
  #fields: Fields = []
  #prepared: Head = new Map()
  #preparedStatus = 0
  /** Of that head the values of `LATE`. */
  #late: readonly string[] = []
  /** Nobody else changes it on its way out. */
  #isFinal = false
  /** The outcome is in the counters. */
  #reported = false
  #recording: Recording | undefined
  /** What was recorded is still the handler's. */
  #isBorrowed = false
  /** The head is final and out, and nobody has been told of the body. */
  #shareable = false
  /** Ends the wait for a handler whose client has left. */
  #patience: NodeJS.Timeout | undefined
  /** The handler has thrown. */
  #failed = false
  /** The response is somebody else's: nothing is recorded any more. */
  #done = false

  constructor(options: ExchangeOptions) {
    const { settings, req, res, target, credentials, fill, fillAtHead, classify, content, ruleAtHead } = options
    this.settings = settings
    this.credentials = credentials
    this.#req = req
    this.#res = res
    this.#why = options
    this.#arrivedAt = options.arrivedAt
    this.#headers = { ...req.headers }
    this.#annotations = new Annotations(settings, req, res)
    this.#outer = new OuterFields(res)
    this.#inner = new InnerRequest(req, this.#headers)
    this.#statusField = new StatusField(res, settings.headers)
    this.#varyField = new AddedMember(res, 'Vary')
    this.#ownConditions = settings.encodings === undefined ? [] : ownConditions(this.#headers)
    const [headers, annotations, outer] = [this.#headers, this.#annotations, this.#outer]
    this.#keeper = new Keeper({ settings, req, res, headers, credentials, annotations, outer })
    this.#target = target
    this.#fillAtHead = fillAtHead
    this.#classify = classify
    this.#content = content
    this.#ruleAtHead = ruleAtHead
    this.#deposit = this.#depositFor(fill, options.spare)
    this.#substitute = this.#substituteOf(options)
    this.#prepareRequest()
    ;(res as { [EXCHANGE]?: Exchange })[EXCHANGE] = this
    res.on('close', () => this.#close())
  }

  /** What the request names here; undefined where it has no key. */
  get target(): FillTarget | undefined {
    return this.#target
  }

  get headers(): RequestHeaders {
    return this.#headers
  }

  /** Take note of what a route or handler says. */
  annotate(annotation: Annotation): void {
    this.#annotations.add(annotation)
  }

  /** An inner `cacheMiddleware` only annotates. */
  adopt(inner: Settings): void {
    this.#annotations.adopt(inner)
  }

  /** Go on under another key. */
  rekey(target: FillTarget, fill: Fill | undefined): void {
    this.#leave()
    this.#target = target
    // Other URLs share what is everybody's, never what is somebody's.
    this.#classify = undefined
    this.#deposit = this.#depositFor(fill, undefined)
    this.#prepareRequest()
  }

  /** Answer from an entry found on the way in; nothing of this is recorded. */
  answer(entry: ResponseEntry, outcome: Outcome): void {
    this.#leave()
    this.#done = true
    const { settings } = this
    settings.engine.report(entry.key, outcome)
    const now = settings.engine.clock.now()
    const { method, headers } = this.#req
    replay({ method, headers, heeded: heededIn(headers), res: this.#res, settings }, entry, outcome, now)
    this.#time(outcome)
    if (entry.value.codable) codeLater(settings, entry, this.#headers)
  }

  /** The handler has thrown: answer from the spare entry where that is allowed; false: the error is the application's. */
  failed(): boolean {
    // XPR-12: whatever answers now, it is not what the handler meant to say.
    this.#failed = true
    return this.#substitute?.answerNow(500) ?? false
  }

  warnOnce(topic: string, message: string): void {
    this.settings.engine.events.warnOnce(topic, message)
  }

  setFields(whole: Buffer | undefined): void {
    const [req, res] = [this.#req, this.#res]
    if (this.#done || !this.settings.etag || whole === undefined || res.statusCode !== 200 || req.method !== 'GET')
      return
    if (res.getHeader('etag') === undefined) res.setHeader('ETag', weakEtag(whole, { weak: true }))
  }

  beforeHead(whole: Buffer | undefined, isFinal: boolean): void {
    if (this.#done) return
    const now = this.settings.engine.clock.now()
    const res = this.#res
    const status = res.statusCode
    this.#varyField.untell()
    this.#replacement = this.#substitute?.insteadOf(status, now)
    if (this.#replacement !== undefined) return
    // A head that could not be written is followed by another one.
    if (this.#kept !== undefined) this.#drop(false)
    this.#statusField.untell()
    const fields = fieldsOf(res)
    const declared = declaredLength(fields)
    const length = declared ?? whole?.length
    const decision = this.#decide(fields, length ?? 0, now)
    if ('refused' in decision) this.#refuse(status, decision)
    else this.#accept(status, decision, declared, whole)
    for (const name of this.settings.targets) {
      if (isForUs(name) && fieldValue(fields, name) !== undefined) res.removeHeader(name)
    }
    if (this.#req.method === 'HEAD' && status === 200) this.#substitute?.heed(fields, now)
    if (isNegotiated(this.settings, { status, fields, length, decision })) this.#varyField.tell('Accept-Encoding')
    const headers = this.#ownConditions.length === 0 ? this.#headers : withOwnConditions(this.#headers)
    const { method } = this.#req
    this.#window = this.#selects ? selectPart({ headers, method, res, fields, length, now }) : undefined
    if (res.statusCode === 304 && this.#ownConditions.length > 0) this.#tellHeldTag(fields, now)
    this.#tell(status, decision, now)
    this.#fields = fields
    this.#isFinal = isFinal
    if (!isFinal) this.#prepared = headOf(res)
    if (this.#kept !== undefined) this.#late = LATE.map((name) => String(res.getHeader(name)))
    this.#preparedStatus = res.statusCode
  }

  /** What nobody has seen is not kept, and can be told to the counters only. */
  unseen(): void {
    if (this.#done) return
    this.#leave()
    const now = this.settings.engine.clock.now()
    const outcome = this.#outcomeOf(this.#res.statusCode, { refused: 'stream', rule: 'DS-1' }, now)
    this.#report(this.#target?.primary, outcome)
  }

  window(): Window | undefined {
    return this.#window
  }

  replace(): TakeOver | undefined {
    return this.#replacement
  }

  /** STA-11 */
  abandon(): TakeOver | undefined {
    return this.#substitute?.insteadOfNothing(502)
  }

  /** Hooks below us set fields while the head is written: they belong to what the handler says. */
  atHead(): void {
    const [res, target] = [this.#res, this.#target]
    if (this.#kept === undefined || target === undefined) return
    if (res.statusCode !== this.#preparedStatus) return this.#drop(true)
    if (this.#fillAtHead !== undefined) this.#deposit.begin(this.#fillAtHead())
    const fields = this.#isFinal ? undefined : this.#changedSince()
    if (fields === undefined) return
    this.#fields = fields
    const decision = this.#keeper.again(this.#kept, fields, target)
    if ('refused' in decision) this.#drop(true)
    else this.#kept = decision
  }

  isBeyondAscii(): boolean {
    return this.#kept !== undefined && isHeadBeyondAscii(this.#kept)
  }

  /** Session middlewares set their cookie while the head is written: judge what really went out (CKI-3). */
  afterHead(): void {
    this.#inner.restore()
    if (this.#kept === undefined || this.#target === undefined) return
    const changed = LATE.filter((name, index) => String(this.#res.getHeader(name)) !== this.#late[index])
    const isRefused =
      changed.length > 0 &&
      'refused' in this.#keeper.again(this.#kept, this.#fieldsWith(new Set(changed)), this.#target)
    if (isRefused) this.#drop(true)
    else this.#shareable = true
  }

  /** The handler's fields with what others have made of them since we looked at the head; undefined: nothing. */
  #changedSince(): Fields | undefined {
    const present = this.#res.getHeaders()
    const changed = new Set<string>()
    for (const name of [...Object.keys(present), ...this.#prepared.keys()]) {
      if (String(present[name]) !== String(this.#prepared.get(name)?.value)) changed.add(name)
    }
    return changed.size === 0 ? undefined : this.#fieldsWith(changed)
  }

  #fieldsWith(changed: ReadonlySet<string>): Fields {
    const isChanged = ([name]: readonly [string, string]): boolean => changed.has(name.toLowerCase())
    return [...this.#fields.filter((line) => !isChanged(line)), ...fieldsOf(this.#res).filter(isChanged)]
  }

  body(chunk: Buffer, utf8: boolean, isBorrowed: boolean): void {
    if (this.#recording === undefined) return
    this.#isBorrowed = isBorrowed
    if (!this.#recording.add(chunk)) return this.#drop(true)
    this.#patience?.refresh()
    if (this.#shareable) this.#share(utf8)
  }

  /** Let those who wait begin: the head is final, and there is something of the body. */
  #share(utf8: boolean): void {
    this.#shareable = false
    const [kept, recording] = [this.#kept, this.#recording]
    const growing = recording?.growing
    // NOD-6: node sends no body with a 204.
    if (kept === undefined || growing === undefined || kept.status === 204) return
    recording?.share(this.#deposit.share(utf8 ? asSentHead(kept) : kept, growing))
  }

  destroyed(): void {
    this.#drop(false)
  }

  end(utf8: boolean): void {
    const [kept, recording] = [this.#kept, this.#recording]
    clearTimeout(this.#patience)
    if (kept === undefined || recording === undefined) return
    const body = recording.finish(this.#res.destroyed)
    if (body === undefined) return this.#drop(false)
    const own = this.#isBorrowed && !this.#deposit.copies ? Buffer.from(body) : body
    this.#deposit.commit({ body: own, ...(utf8 ? asSentHead(kept) : kept) })
  }

  #depositFor(fill: Fill | undefined, spare: ResponseEntry | undefined): Deposit {
    const { responses, events } = this.settings.engine
    const onError = (cause: unknown): void => events.emit('error', { where: 'store', cause })
    return new Deposit({ responses, headers: this.#headers, spare, classify: this.#classify, fill, onError })
  }

  #substituteOf({ forward, spare, variants = [], background = false }: Why): Substitute | undefined {
    if (spare === undefined && variants.length === 0) return undefined
    return new Substitute({
      settings: this.settings,
      req: this.#req,
      res: this.#res,
      headers: this.#headers,
      content: this.#content,
      target: this.#target,
      forward,
      spare,
      variants,
      background,
      inner: this.#inner,
      outer: this.#outer,
      keeper: this.#keeper,
      deposit: this.#deposit,
      report: (key, outcome) => this.#report(key, outcome),
    })
  }

  /** Table D: the handler gives the whole answer, or says that the spare entry is still right. */
  #prepareRequest(): void {
    // RNG-1: `send` would cut even the head of a HEAD.
    if (this.#req.method === 'HEAD') return this.#ask(RANGES, [])
    if (!this.#deposit.isOpen) return this.#ask([], [])
    const question = this.#substitute?.question ?? []
    // VAL-4: Express never answers 304 to a request that says `no-cache`.
    const reload = question.length > 0 && directivesOf(this.#req.headers)?.noCache === true
    this.#ask(reload ? [...SELECTING, 'cache-control', 'pragma'] : SELECTING, question)
    this.#selects = SELECTING.some((name) => this.#headers[name] !== undefined)
    this.#substitute?.limitWait()
  }

  /** Take fields from the request as the handler sees it, and put others in. */
  #ask(hidden: readonly string[], added: readonly (readonly [string, string])[]): void {
    if (this.#ownConditions.length === 0) return this.#inner.change(hidden, added)
    const own = this.#ownConditions.filter(([name]) => !hidden.includes(name))
    this.#inner.change([...hidden, ...own.map(([name]) => name)], [...added, ...own])
  }

  /** The handler knows its own tag only; what the client holds has that of its coding. */
  #tellHeldTag(fields: Fields, now: number): void {
    const held = heldTag(this.#headers, validatorsOf(fields, now).etag)
    if (held !== undefined) this.#res.setHeader('ETag', held)
  }

  /** What is to be kept of this response, or why nothing is. */
  #decide(fields: Fields, length: number, now: number): Kept | NotKept {
    const { spare, detail, background } = this.#why
    const [res, target] = [this.#res, this.#target]
    if (target !== undefined && this.#req.method === 'HEAD') return { refused: 'head', rule: 'DS-4' }
    if (target === undefined || (!this.#deposit.isOpen && this.#fillAtHead === undefined)) {
      return { refused: detail ?? 'bypass', rule: this.#unrecordedRule() }
    }
    if (this.#failed) return { refused: 'error', rule: 'XPR-12' }
    // DV-6, DV-7, STA-14: an error is no answer to the question whether the entry is right.
    const asked = background === true || (spare !== undefined && !isError(spare))
    if (asked && res.statusCode >= 500) return { refused: 'error', rule: isFailure(res.statusCode) ? 'DV-6' : 'DV-7' }
    const reason = reasonOf(res)
    const method = this.#req.method ?? ''
    return this.#keeper.decide({ method, status: res.statusCode, reason, fields, length, respondedAt: now }, target)
  }

  /** The row of table A by which nothing is recorded at all. */
  #unrecordedRule(): string {
    const { forward, detail } = this.#why
    const method = this.#req.method ?? ''
    if (forward === 'method') return isStorableWrite(method) ? 'DS-6' : 'DS-3'
    if (detail === 'request-no-store') return 'DS-7'
    return detail === 'body' && method === 'QUERY' ? 'DS-5' : 'DS-1'
  }

  #accept(status: number, kept: Kept, declared: number | undefined, whole: Buffer | undefined): void {
    this.#kept = kept
    // VAL-14: already while its body is on the way.
    if (whole === undefined && answersAnew(status)) this.#deposit.forgetSpare()
    if (this.#res.getHeader('date') === undefined) this.#res.setHeader('Date', formatHttpDate(kept.cachedAt))
    const { maxBodySize } = this.#annotations
    this.#recording = new Recording({ maxBytes: maxBodySize, declared, whole: whole !== undefined })
  }

  #refuse(status: number, { refused }: NotKept): void {
    if (refused === 'head') return
    // STO-10: only where it was asked about.
    if (this.#deposit.isOpen && answersAnew(status)) this.#deposit.forgetSpare()
    this.#drop(true)
  }

  /** Put the outcome into the counters and on the response; `status` is the handler's. */
  #tell(status: number, decision: Kept | NotKept, now: number): void {
    const outcome = this.#outcomeOf(status, decision, now)
    const key = this.#target?.primary
    this.#report(key, outcome)
    this.#statusField.tell(outcome, key)
  }

  #outcomeOf(status: number, decision: Kept | NotKept, now: number): Outcome {
    const { forward, detail, collapsed } = this.#why
    const rule = this.#ruleAtHead?.() ?? this.#why.rule
    const kept = 'refused' in decision ? undefined : decision
    // With Redis away those who wait now are served, and nobody later.
    const stored = kept !== undefined && this.settings.engine.reachable
    const outOfPlay = forward === 'bypass' || forward === 'method'
    const refusal = 'refused' in decision ? decision.refused : undefined
    const why = stored || forward === 'method' ? undefined : (detail ?? refusal)
    const outcome: Told = { hit: false, forward }
    if (this.#res.statusCode !== status) outcome.forwardStatus = status
    if (stored) outcome.ttl = Math.floor((kept.staleAt - now) / 1_000)
    if (stored || !outOfPlay) outcome.stored = stored
    if (collapsed !== undefined) outcome.collapsed = collapsed
    if (why !== undefined) outcome.detail = why
    if (rule !== undefined) outcome.rule = rule
    if (decision.rule !== undefined) outcome.storingRule = decision.rule
    return outcome
  }

  #report(key: string | undefined, outcome: Outcome): void {
    if (this.#why.background !== true && !this.#reported) {
      this.settings.engine.report(key, outcome)
      this.#time(outcome)
    }
    this.#reported = true
  }

  #time(outcome: Outcome): void {
    if (this.#arrivedAt !== undefined) this.settings.engine.time(outcome, this.#arrivedAt)
  }

  #drop(remember: boolean): void {
    clearTimeout(this.#patience)
    this.#recording?.discard()
    this.#recording = undefined
    this.#kept = undefined
    this.#deposit.drop(remember)
  }

  /** The outer fill ends, and nobody waits for it. */
  #leave(): void {
    this.#drop(true)
    this.#substitute?.close()
    this.#substitute = undefined
    this.#inner.restore()
  }

  /** The connection is done with: what was not committed by now never will be, unless others have it and the handler goes on. */
  #close(): void {
    this.#substitute?.close()
    this.#inner.restore()
    if (this.#res.writableEnded) return
    if (this.#recording?.isFollowed !== true || !hasClientLeft(this.#req)) return this.#drop(false)
    const giveUp = (): void => this.#drop(false)
    // NOD-13: what was piped to the client ends with it.
    this.#res.once('unpipe', giveUp)
    this.#patience = setTimeout(giveUp, this.settings.handlerTimeoutMs).unref()
  }
}

/** An outcome that is being put together. */
type Told = { -readonly [Member in keyof Outcome]: Outcome[Member] }

/** DV-4: a final answer that is no part, no error and no word about a condition. */
function answersAnew(status: number): boolean {
  return status < 500 && status !== 206 && status !== 304 && status !== 412 && status !== 416
}

function isHeadBeyondAscii({ fields, reason }: Kept): boolean {
  return (reason !== undefined && isBeyondAscii(reason)) || fields.some(([, value]) => isBeyondAscii(value))
}

/** A head that went out as UTF-8: hits send the same octets. */
function asSentHead(kept: Kept): Kept {
  const fields = kept.fields.map(([name, value]) => [name, asSent(value)] as const)
  return { ...kept, fields, reason: kept.reason === undefined ? undefined : asSent(kept.reason) }
}

function declaredLength(fields: Fields): number | undefined {
  const value = fieldValue(fields, 'content-length')
  return value === undefined ? undefined : Number(value)
}
