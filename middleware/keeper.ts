import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseCacheControl } from '../lib/http/cache-control.ts'
import { formatHttpDate } from '../lib/http/dates.ts'
import { type Fields, fieldValue, type RequestHeaders, requestField, storableFields } from '../lib/http/fields.ts'
import { originOf } from '../lib/http/methods.ts'
import type { Refusal } from '../lib/http/refusal.ts'
import { judgeStoring, type Permission } from '../lib/http/storing.ts'
import type { Credentials } from '../lib/http/storing-input.ts'
import type { FillTarget, RecordedResponse } from '../lib/responses.ts'
import { tooManyTags } from '../lib/targets.ts'
import type { Annotations } from './annotations.ts'
import { isErrorPath } from './error-path.ts'
import type { OuterFields } from './outer-fields.ts'
import type { Settings } from './settings.ts'

/** What a head has decided: everything that is kept but the body, and the row of table A that said so. */
export interface Kept extends Omit<RecordedResponse, 'body'> {
  readonly rule: string
}

/** Nothing is kept: why, as a token for `detail`, and by which row. */
export interface NotKept {
  readonly refused: string
  readonly rule: string | undefined
}

/** A head to be judged. */
export interface JudgedHead {
  /** Whose answer it is, or confirms. */
  readonly method: string
  readonly status: number
  readonly reason: string | undefined
  readonly fields: Fields
  /** Length of the body as far as it is known. */
  readonly length: number
  /** When the head was complete (epoch ms). */
  readonly respondedAt: number
  /** Tags that belong to it whatever is said now. */
  readonly tags?: readonly string[]
}

export interface KeeperOptions {
  readonly settings: Settings
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The request's fields as they arrived. */
  readonly headers: RequestHeaders
  readonly credentials: Credentials | undefined
  readonly annotations: Annotations
  readonly outer: OuterFields
}

/** Decides what of one response is kept: the response's own word, the application's, and the tables (RFC 9111 s. 3). */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #requestedAt: number

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#requestedAt = options.settings.engine.clock.now()
  }

  /** Ask everybody who has a say, callbacks included: once for each head. */
  decide(head: JudgedHead, target: FillTarget): Kept | NotKept {
    const { annotations, credentials } = this.#options
    if (annotations.refuse !== undefined) return no(annotations.refuse, 'DS-1')
    if (head.length > annotations.maxBodySize) return no('too-large', 'DS-18')
    const verdict = this.#judge(head, target)
    if (!verdict.store) {
      if (verdict.reason === credentials && annotations.policy !== undefined) this.#explainScope(target)
      const hint = HINTS[verdict.rule]
      if (hint !== undefined) this.#warn(verdict.rule, target, hint)
      return no(verdict.reason, verdict.rule)
    }
    if (head.status >= 500 && isErrorPath()) return no('error', 'XPR-12')
    const tags = annotations.tagsFor(head.fields, originOf(target.uri))
    if (tags === undefined) return no('tags', undefined)
    const all = head.tags === undefined ? tags : [...new Set([...tags, ...head.tags])]
    if (tooManyTags(all)) return no('tags', undefined)
    const vary = annotations.varyFor(verdict.vary)
    if (vary === undefined) return no('vary', undefined)
    if (!annotations.shouldStore()) return no('should-store', undefined)
    return this.#keep(head, verdict, vary, all)
  }

  /** Decide again from fields that came later; nothing is asked twice. */
  again(kept: Kept, fields: Fields, target: FillTarget): Kept | NotKept {
    const method = this.#options.req.method ?? ''
    const head: JudgedHead = { ...kept, method, fields, length: 0, respondedAt: kept.cachedAt }
    const verdict = this.#judge(head, target)
    if (!verdict.store) return no(verdict.reason, 'DS-34')
    const vary = this.#options.annotations.varyFor(verdict.vary)
    return vary === undefined ? no('vary', undefined) : this.#keep(head, verdict, vary, kept.tags)
  }

  #keep(head: JudgedHead, verdict: Permission, vary: readonly string[], tags: readonly string[]): Kept {
    return {
      status: head.status,
      reason: head.reason,
      fields: this.#ownFields(withDate(head.fields, head.respondedAt), verdict),
      tags,
      vary,
      rule: verdict.rule,
      initialAge: verdict.initialAge,
      audience: verdict.audience,
      withheld: verdict.withheld,
      alwaysValidate: verdict.alwaysValidate,
      mustRevalidate: verdict.mustRevalidate,
      immutable: verdict.immutable,
      staleWhileRevalidate: verdict.staleWhileRevalidate,
      staleIfError: verdict.staleIfError,
      staleIfDisconnected: verdict.staleIfDisconnected,
      cachedAt: verdict.cachedAt,
      staleAt: verdict.staleAt,
      deleteAt: verdict.deleteAt,
    }
  }

  #judge({ method, status, fields, respondedAt }: JudgedHead, { uri }: FillTarget): Permission | Refusal {
    const { settings, headers, credentials, annotations } = this.#options
    const { policy, permitted, defaults } = annotations
    const cacheControl = requestField(headers, 'cache-control')
    return judgeStoring({
      status,
      fields,
      method,
      uri,
      headers,
      requestNoStore: cacheControl !== undefined && parseCacheControl(cacheControl).noStore,
      credentials,
      permitted,
      defaults,
      profile: settings.profile,
      storeSetCookie: settings.storeSetCookie,
      targets: settings.targets,
      heuristics: settings.heuristics,
      sMaxageAllowsStale: settings.sMaxageAllowsStale,
      requestedAt: this.#requestedAt,
      respondedAt,
      ...(policy === undefined ? {} : { annotated: policy }),
    })
  }

  /** Without outer fields, those kept private, and those that say of a hit what was true of the miss (REU-2). */
  #ownFields(fields: Fields, { dropFields }: Permission): Fields {
    const { settings, outer } = this.#options
    const debug = settings.headers === 'debug'
    return storableFields(fields).filter(([name]) => {
      const lower = name.toLowerCase()
      if (lower === 'age' || (debug && lower === 'x-cache')) return false
      return !dropFields.includes(lower) && !outer.isUnchanged(lower)
    })
  }

  #explainScope(target: FillTarget): void {
    this.#warn(
      'scope',
      target,
      `the request carries credentials (${this.#options.credentials}). If the response is the same for everyone say ` +
        "cacheRoute({ scope: 'public' }); if it differs by user say scope: (req) => req.user.id.",
    )
  }

  #warn(topic: string, target: FillTarget, why: string): void {
    const path = target.path.split('?', 1)[0] ?? ''
    this.#options.settings.engine.events.warnOnce(`${topic}:${path}`, `GET ${path} was not stored: ${why}`)
  }
}

/** What an application has to change where a guard of the profile `safe` has kept out what it meant to be stored. */
const HINTS: Readonly<Record<string, string>> = {
  'COR-2':
    'Access-Control-Allow-Origin repeats the Origin of the request, but Vary does not name Origin. Add Vary: Origin, also to ' +
    'answers without an Origin, or send Access-Control-Allow-Origin: *.',
  'CMP-7':
    'it has a Content-Encoding, but Vary does not name Accept-Encoding. Add Vary: Accept-Encoding where the coding is negotiated.',
}

/** HDR-8: node adds a date of its own while it writes; later answers must say the same. */
function withDate(fields: Fields, respondedAt: number): Fields {
  if (fieldValue(fields, 'date') !== undefined) return fields
  return [...fields, ['Date', formatHttpDate(respondedAt)]]
}

function no(refused: string, rule: string | undefined): NotKept {
  return { refused, rule }
}
