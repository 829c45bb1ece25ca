import type { IncomingMessage, ServerResponse } from 'node:http'
import weakEtag from 'etag'
import { parseCacheControl } from '../lib/http/cache-control.ts'
import { formatHttpDate } from '../lib/http/dates.ts'
import { type Fields, fieldValue, type RequestHeaders, requestField, storableFields } from '../lib/http/fields.ts'
import { type Credentials, judgeStoring, type Permission, type Verdict } from '../lib/http/storing.ts'
import type { Forward, Outcome } from '../lib/outcome.ts'
import type { Fill, FillTarget, RecordedResponse, ResponseEntry } from '../lib/responses.ts'
import { type Annotation, Annotations } from './annotations.ts'
import { Conditions } from './conditions.ts'
import { fieldsOf, type Original, type Watcher } from './intercept.ts'
import { Recording } from './record.ts'
import { replay } from './replay.ts'
import type { Settings } from './settings.ts'
import { StatusField } from './status-field.ts'

/**
 * One request that went to its handler: what is said about its response on the way, whether that may be stored, and what the
 * client is told of it. It watches the response; it never delays it.
 */

export interface ExchangeOptions {
  readonly settings: Settings
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Undefined where the request has no key. */
  readonly target: FillTarget | undefined
  readonly forward: Forward
  /** Why, where `forward` alone does not say. */
  readonly detail?: string
  readonly credentials: Credentials | undefined
  /** Undefined when the response is not to be recorded. */
  readonly fill: Fill | undefined
  /** A stale entry at hand, in case the handler fails. */
  readonly spare?: ResponseEntry
  /** Nobody is waiting for the answer: it counts neither as hit nor as miss. */
  readonly background?: boolean
}

const EXCHANGE: unique symbol = Symbol.for('cachewell.exchange') as never

/** The exchange that owns a response, made by the outermost cache. */
export function exchangeOf(res: ServerResponse): Exchange | undefined {
  return (res as { [EXCHANGE]?: Exchange })[EXCHANGE]
}

/** Statuses of a failed handler for which a stale entry may stand in (RFC 5861 s. 4). */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Fields that other middlewares set while the head is written, and that decide whether it may be kept. */
const LATE: ReadonlySet<string> = new Set(['set-cookie', 'cache-control', 'vary'])

/** What the head has decided, kept until the body is whole. */
interface Kept extends Omit<RecordedResponse, 'body'> {
  /** When the head was complete (epoch ms). */
  readonly respondedAt: number
}

type HeadValue = number | string | readonly string[] | undefined

/** The fields of a response by lower-case name. */
type Head = ReadonlyMap<string, { readonly name: string; readonly value: NonNullable<HeadValue> }>

export class Exchange implements Watcher {
  readonly settings: Settings
  readonly credentials: Credentials | undefined
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #annotations: Annotations
  readonly #forward: Forward
  readonly #detail: string | undefined
  readonly #spare: ResponseEntry | undefined
  readonly #background: boolean
  readonly #requestedAt: number
  /** The request fields as they arrived: later middlewares may change `req.headers`. */
  readonly #headers: RequestHeaders
  /** What stood on the response before us. */
  readonly #outer: Head
  #target: FillTarget | undefined
  #fill: Fill | undefined
  #kept: Kept | undefined
  /** All of the handler's head, and the head after our own changes to it. */
  #fields: Fields = []
  #prepared: Head = new Map()
  #preparedStatus = 0
  readonly #conditions: Conditions
  readonly #statusField: StatusField
  /** The outcome is in the counters. */
  #reported = false
  #recording: Recording | undefined
  /** The response is somebody else's: nothing is recorded any more. */
  #done = false

  constructor({ settings, req, res, target, forward, detail, credentials, fill, spare, background }: ExchangeOptions) {
    this.settings = settings
    this.credentials = credentials
    this.#req = req
    this.#res = res
    this.#annotations = new Annotations(settings, req, res)
    this.#forward = forward
    this.#detail = detail
    this.#spare = spare
    this.#background = background ?? false
    this.#requestedAt = settings.engine.clock.now()
    this.#headers = { ...req.headers }
    this.#conditions = new Conditions(req, this.#headers)
    this.#statusField = new StatusField(res, settings.headers)
    this.#outer = headOf(res)
    this.#target = target
    this.#fill = fill
    if (fill !== undefined) this.#conditions.hide()
    ;(res as { [EXCHANGE]?: Exchange })[EXCHANGE] = this
    res.once('close', () => this.#close())
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

  /** Go on under another key: the outer fill ends, nobody waits for it. */
  rekey(target: FillTarget, fill: Fill | undefined): void {
    this.#dropFill(true)
    this.#target = target
    this.#fill = fill
    if (fill !== undefined) this.#conditions.hide()
  }

  /** Answer from an entry found on the way in; nothing of this is recorded. */
  answer(entry: ResponseEntry, outcome: Outcome): void {
    this.#dropFill(true)
    this.#conditions.restore()
    this.#done = true
    const { settings } = this
    settings.engine.report(entry.key, outcome)
    replay({
      req: this.#req,
      res: this.#res,
      entry,
      outcome,
      settings,
      key: entry.key,
      now: settings.engine.clock.now(),
    })
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

  beforeHead(whole: Buffer | undefined): void {
    const now = this.settings.engine.clock.now()
    if (this.#done || this.#standIn(now) !== undefined) return
    // A head that could not be written is followed by another one.
    if (this.#kept !== undefined) this.#dropFill(false)
    this.#statusField.untell()
    const fields = fieldsOf(this.#res)
    const declared = declaredLength(fields)
    const kept = this.#decide(fields, now, declared ?? whole?.length ?? 0)
    const status = this.#res.statusCode
    if (typeof kept === 'string') this.#dropFill(true)
    else {
      this.#kept = kept
      this.#recording = new Recording({ maxBytes: this.#annotations.maxBodySize, declared, whole: whole !== undefined })
    }
    this.#conditions.answer(this.#res, fields, now)
    this.#tell(status, kept, now)
    this.#fields = fields
    this.#prepared = headOf(this.#res)
    this.#preparedStatus = this.#res.statusCode
  }

  replace(): ((out: Original) => void) | undefined {
    const { settings } = this
    const [req, res] = [this.#req, this.#res]
    const now = settings.engine.clock.now()
    const spare = this.#standIn(now)
    if (spare === undefined) return undefined
    const ttl = Math.floor((spare.staleAt - now) / 1_000)
    const outcome: Outcome = {
      hit: false,
      forward: 'stale',
      forwardStatus: res.statusCode,
      ttl,
      detail: 'stale-if-error',
    }
    this.#dropFill(false)
    this.#conditions.restore()
    this.#done = true
    return (out) => {
      settings.engine.report(spare.key, outcome)
      // What the failure left behind goes; what stood there before it comes back.
      for (const name of res.getHeaderNames()) res.removeHeader(name)
      for (const { name, value } of this.#outer.values()) res.setHeader(name, value)
      res.statusMessage = spare.value.reason ?? ''
      replay({
        req,
        res: { ...out, statusMessage: '', setHeader: res.setHeader.bind(res) },
        entry: spare,
        outcome,
        settings,
        key: spare.key,
        now,
      })
    }
  }

  /** Hooks below us set fields while the head is written: they belong to what the handler says. */
  atHead(): void {
    const [res, kept] = [this.#res, this.#kept]
    if (kept === undefined) return
    if (res.statusCode !== this.#preparedStatus) return this.#dropFill(true)
    const now = headOf(res)
    const isChanged = ([name]: readonly [string, string]): boolean => {
      const lower = name.toLowerCase()
      return String(now.get(lower)?.value) !== String(this.#prepared.get(lower)?.value)
    }
    const changed = fieldsOf(res).filter(isChanged)
    if (changed.length === 0 && this.#prepared.size === now.size) return
    const fields = [...this.#fields.filter((line) => !isChanged(line)), ...changed]
    const verdict = this.#judge(fields, kept.status, kept.respondedAt)
    const vary = verdict.store ? this.#annotations.varyFor(verdict.vary) : undefined
    if (!verdict.store || vary === undefined) return this.#dropFill(true)
    this.#fields = fields
    this.#kept = { ...kept, ...this.#keep(fields, verdict), vary }
  }

  /** Session middlewares set their cookie while the head is written: judge what really went out (CKI-3). */
  afterHead(): void {
    this.#conditions.restore()
    if (this.#kept === undefined) return
    const isLate = ([name]: readonly [string, string]): boolean => LATE.has(name.toLowerCase())
    const fields = [...this.#fields.filter((line) => !isLate(line)), ...fieldsOf(this.#res).filter(isLate)]
    if (!this.#judge(fields, this.#kept.status, this.#kept.respondedAt).store) this.#dropFill(true)
  }

  body(chunk: Buffer): void {
    if (this.#recording?.add(chunk) === false) this.#dropFill(true)
  }

  end(): void {
    const [kept, recording, fill] = [this.#kept, this.#recording, this.#fill]
    if (kept === undefined || recording === undefined || fill === undefined) return
    const body = recording.finish(this.#res.destroyed)
    if (body === undefined) return this.#dropFill(false)
    this.#fill = undefined
    void this.settings.engine.responses.commit(fill, { ...kept, body }, this.#headers)
  }

  /** What is to be kept of this response, or why nothing is: a token for `detail`. */
  #decide(fields: [string, string][], now: number, length: number): Kept | string {
    const annotations = this.#annotations
    const [res, status] = [this.#res, this.#res.statusCode]
    if (this.#fill === undefined) return this.#detail ?? 'bypass'
    if (annotations.refuse !== undefined) return annotations.refuse
    // DS-18
    if (length > annotations.maxBodySize) return 'too-large'
    const verdict = this.#judge(fields, status, now)
    if (!verdict.store) {
      if (verdict.reason === this.credentials && annotations.policy !== undefined) this.#explainScope()
      return verdict.reason
    }
    const tags = annotations.tagsFor(fields)
    if (tags === undefined) return 'tags'
    const vary = annotations.varyFor(verdict.vary)
    if (vary === undefined) return 'vary'
    if (!annotations.shouldStore()) return 'should-store'
    // HDR-8: node adds a date of its own while it writes; later answers must say the same.
    if (fieldValue(fields, 'date') === undefined) {
      const date = formatHttpDate(now)
      res.setHeader('Date', date)
      fields.push(['Date', date])
    }
    return {
      status,
      reason: res.statusMessage === '' ? undefined : res.statusMessage,
      respondedAt: now,
      tags,
      ...this.#keep(fields, verdict),
      vary,
    }
  }

  /** What of a head and its verdict is kept. */
  #keep(fields: Fields, verdict: Permission): Omit<Kept, 'status' | 'reason' | 'respondedAt' | 'tags' | 'vary'> {
    return {
      fields: this.#ownFields(storableFields(fields), verdict),
      initialAge: verdict.initialAge,
      audience: verdict.audience,
      withheld: verdict.withheld,
      alwaysValidate: verdict.alwaysValidate,
      staleWhileRevalidate: verdict.staleWhileRevalidate,
      staleIfError: verdict.staleIfError,
      cachedAt: verdict.cachedAt,
      staleAt: verdict.staleAt,
      deleteAt: verdict.deleteAt,
    }
  }

  #judge(fields: Fields, status: number, now: number): Verdict {
    const { settings } = this
    const { policy, permitted, defaults } = this.#annotations
    const cacheControl = requestField(this.#headers, 'cache-control')
    return judgeStoring({
      status,
      fields,
      method: this.#req.method ?? '',
      requestNoStore: cacheControl !== undefined && parseCacheControl(cacheControl).noStore,
      credentials: this.credentials,
      ...(policy === undefined ? {} : { annotated: policy }),
      permitted,
      defaults,
      profile: settings.profile,
      storeSetCookie: settings.storeSetCookie,
      targets: settings.targets,
      heuristics: settings.heuristics,
      sMaxageAllowsStale: settings.sMaxageAllowsStale,
      requestedAt: this.#requestedAt,
      respondedAt: now,
    })
  }

  /** The stale entry that may stand in for the answer of a failed handler. */
  #standIn(now: number): ResponseEntry | undefined {
    const spare = this.#spare
    if (this.#done || spare === undefined || !FAILURES.has(this.#res.statusCode)) return undefined
    return now < spare.staleAt + spare.value.staleIfError ? spare : undefined
  }

  #explainScope(): void {
    const path = this.#target?.path.split('?', 1)[0] ?? ''
    this.warnOnce(
      `scope:${path}`,
      `GET ${path} was not stored: the request carries credentials (${this.credentials}). If the response is the same for ` +
        "everyone say cacheRoute({ scope: 'public' }); if it differs by user say scope: (req) => req.user.id.",
    )
  }

  /**
   * Without fields that stood there before us unchanged: on a hit they are set anew (XPR-3); without those kept private; and
   * without those that say of a hit what was true of the miss (REU-2).
   */
  #ownFields(fields: Fields, { dropFields }: Permission): Fields {
    const res = this.#res
    const debug = this.settings.headers === 'debug'
    return fields.filter(([name]) => {
      const lower = name.toLowerCase()
      if (lower === 'age' || (debug && lower === 'x-cache') || dropFields.includes(lower)) return false
      const before = this.#outer.get(lower)
      return before === undefined || String(before.value) !== String(res.getHeader(lower))
    })
  }

  /** Put the outcome into the counters and on the response; `status` is the handler's. */
  #tell(status: number, kept: Kept | string, now: number): void {
    // With Redis away those who wait now are served, and nobody later.
    const stored = typeof kept !== 'string' && this.settings.engine.reachable
    const outOfPlay = this.#forward === 'bypass' || this.#forward === 'method'
    const refusal = typeof kept === 'string' ? kept : undefined
    const detail = stored || this.#forward === 'method' ? undefined : (this.#detail ?? refusal)
    const outcome: Outcome = {
      hit: false,
      forward: this.#forward,
      ...(this.#res.statusCode === status ? {} : { forwardStatus: status }),
      ...(stored ? { ttl: Math.floor((kept.staleAt - now) / 1_000) } : {}),
      ...(outOfPlay && !stored ? {} : { stored }),
      ...(detail === undefined ? {} : { detail }),
    }
    const key = this.#target?.primary
    if (!this.#background && !this.#reported) this.settings.engine.report(key, outcome)
    this.#reported = true
    this.#statusField.tell(outcome, key)
  }

  #dropFill(remember: boolean): void {
    this.#recording = undefined
    this.#kept = undefined
    const fill = this.#fill
    if (fill === undefined) return
    this.#fill = undefined
    this.settings.engine.responses.abandon(fill, remember)
  }

  /** The connection is done with: what was not committed by now never will be. */
  #close(): void {
    this.#conditions.restore()
    if (!this.#res.writableEnded) this.#dropFill(false)
  }
}

function declaredLength(fields: Fields): number | undefined {
  const value = fieldValue(fields, 'content-length')
  return value === undefined ? undefined : Number(value)
}

function headOf(res: ServerResponse): Head {
  const head = new Map<string, { readonly name: string; readonly value: NonNullable<HeadValue> }>()
  for (const name of res.getHeaderNames()) {
    const value = res.getHeader(name)
    if (value !== undefined) head.set(name, { name, value })
  }
  return head
}
