import type { CacheControl } from './cache-control.ts'
import { type Fields, fieldLines, fieldValue, splitList } from './fields.ts'
import { type Freshness, freshnessLifetime, initialAge } from './freshness.ts'
import { type GoverningPolicy, governingPolicy } from './targeted.ts'
import { parseVary } from './vary.ts'

/** What this application says about a response, apart from the response itself. Times are ms. */
export interface OwnPolicy {
  /** `false` in an annotation is never, in the options only what has an explicit lifetime. */
  readonly ttl?: number | false
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
  /** @default 200, 203, 204, 300, 301, 308 */
  readonly statuses?: readonly number[]
}

/** Who a request says it comes from; the strongest where there are several: a cookie only where there is nothing else. */
export type Credentials =
  | 'cookie'
  | 'authorization'
  | 'x-api-key'
  | 'proxy-authorization'
  | 'client-certificate'
  | 'authenticated'

/** Everything that decides whether a response is stored. */
export interface StoringInput {
  readonly status: number
  /** The complete final head, before anything is dropped. */
  readonly fields: Fields
  readonly method: string
  /** The request said `Cache-Control: no-store`. */
  readonly requestNoStore: boolean
  readonly credentials: Credentials | undefined
  /** `cachePolicy` over `cacheRoute`; its lifetime acts like a targeted field of our own. */
  readonly annotated?: OwnPolicy
  /** The scope of the route permits credentials. */
  readonly permitted: boolean
  /** The options of the middleware over those of the cache. */
  readonly defaults: OwnPolicy
  readonly profile: 'safe' | 'rfc'
  readonly storeSetCookie: boolean
  /** The targeted fields that are obeyed, the first wins. */
  readonly targets: readonly string[]
  readonly heuristics: boolean
  /** Serve stale what says `s-maxage`, against RFC 9111 s. 5.2.2.10. */
  readonly sMaxageAllowsStale: boolean
  /** When the handler was called (epoch ms). */
  readonly requestedAt: number
  /** When the head was complete (epoch ms). */
  readonly respondedAt: number
}

/** Not to be stored: a short token for `Cache-Status`, and the row of table A (RFC 9111 s. 3) that says so. */
export interface Refusal {
  readonly store: false
  readonly reason: string
  readonly rule: string
}

/** To be stored, and how. Instants are epoch ms, lengths ms. */
export interface Permission {
  readonly store: true
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
  /** Age when the head was complete. */
  readonly initialAge: number
  /** 0 for not at all. */
  readonly staleWhileRevalidate: number
  /** 0 for not at all. */
  readonly staleIfError: number
  readonly audience: 'everyone' | 'anonymous'
  /** Fields to leave out when reused without validation, lower-case. */
  readonly withheld: readonly string[]
  readonly alwaysValidate: boolean
  /** The names in `Vary`, lower-case and sorted. */
  readonly vary: readonly string[]
  /** What gave the lifetime; else the lower-case name of a targeted field. */
  readonly source: 'annotation' | 'cache-control' | 'expires' | 'heuristic' | 'option' | (string & {})
  /** Fields not to store, lower-case. */
  readonly dropFields: readonly string[]
}

export type Verdict = Refusal | Permission

/**
 * May this response be stored, for how long and for whom (RFC 9111 s. 3)? Decided from the head alone; refusals bind whatever
 * this application says, unless a targeted field hides them (RFC 9213 s. 2.2).
 */
export function judgeStoring(input: StoringInput): Verdict {
  const governing = governingPolicy(input.fields, input.targets)
  const { directives } = governing
  const vary = parseVary(input.fields)
  const refusal = refuseExchange(input) ?? refuseResponse(input, directives)
  if (refusal !== undefined) return refusal
  // DS-16: it could be stored, but no request would ever select it.
  if (vary === '*') return refuse('vary-star', 'DS-16')
  const lifetime = lifetimeOf(input, governing)
  if (!lifetime.annotated && directives.noCache) return refuse('no-cache', 'DR-11')
  const granted = input.permitted || grantedByFields(input, directives, lifetime)
  // DS-14
  if (!granted && needsGrant(input)) return refuse(input.credentials ?? 'authorization', 'DS-14')
  if (lifetime.source === undefined) return refuse('no-freshness', 'DS-19')
  const windows = windowsOf(input, directives, lifetime)
  const deleteAt = lifetime.staleAt + Math.max(windows.staleWhileRevalidate, windows.staleIfError)
  // DS-20: nobody could be served with it.
  if (deleteAt <= input.respondedAt) return refuse('stale', 'DS-20')
  return {
    store: true,
    cachedAt: input.respondedAt,
    staleAt: lifetime.staleAt,
    deleteAt,
    initialAge: lifetime.initialAge,
    ...windows,
    // Without Authorization in the request RFC 9111 s. 3.5 has nothing to say about who else is served.
    audience: granted || (input.profile === 'rfc' && !lifetime.own) ? 'everyone' : 'anonymous',
    withheld: directives.noCacheFields,
    alwaysValidate: false,
    vary,
    source: lifetime.source,
    dropFields: dropped(input, directives),
  }
}

/** Statuses that `ttl` and annotations speak about unless `statuses` says otherwise. */
const OWN_STATUSES: readonly number[] = [200, 203, 204, 300, 301, 308]

/** DS-9: what depends on parts of the request that no key contains, or must not be stored (RFC 6585, RFC 8470). */
const NEVER_STORED: ReadonlySet<number> = new Set([304, 407, 408, 412, 416, 417, 421, 425, 426, 428, 429, 431, 511])

/** STC-5: what `must-understand` asks for; 206 is missing as long as parts are not combined. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
  410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511,
])

interface Lifetime {
  readonly staleAt: number
  readonly initialAge: number
  /** Undefined when nothing gives one. */
  readonly source: string | undefined
  /** Given by this application, not by the response. */
  readonly own: boolean
  /** Given by an annotation: the response's own directives about reuse are replaced. */
  readonly annotated: boolean
  /** Given by the response in so many words, and usable. */
  readonly explicit: boolean
  /** What the response says is unusable: it counts as stale from the start. */
  readonly invalid: boolean
}

function refuse(reason: string, rule: string): Refusal {
  return { store: false, reason, rule }
}

/** What request, method and status alone forbid. */
function refuseExchange({ method, status, requestNoStore, annotated }: StoringInput): Refusal | undefined {
  if (annotated?.ttl === false) return refuse('skip', 'DS-1')
  // DS-4: HEAD has no body that a GET could be served with.
  if (method !== 'GET') return refuse('method', method === 'HEAD' ? 'DS-4' : 'DS-3')
  if (requestNoStore) return refuse('request-no-store', 'DS-7')
  if (!Number.isInteger(status) || status < 200 || status > 599) return refuse('status', 'DS-8')
  if (NEVER_STORED.has(status)) return refuse('status', 'DS-9')
  return status === 206 ? refuse('partial', 'DS-10') : undefined
}

/** What the response forbids, whatever we say. */
function refuseResponse(input: StoringInput, directives: CacheControl): Refusal | undefined {
  const understood = UNDERSTOOD.has(input.status)
  if (directives.mustUnderstand && !understood) return refuse('must-understand', 'DS-11')
  // CCR-5: a cache that understands the status may ignore no-store.
  if (directives.noStore && !directives.mustUnderstand) return refuse('no-store', 'DS-12')
  if (directives.private) return refuse('private', 'DS-13')
  if (!input.storeSetCookie && fieldValue(input.fields, 'set-cookie') !== undefined && !coversCookies(directives)) {
    return refuse('set-cookie', 'DS-15')
  }
  // STC-8: Express leaves the fields of the success on the error page.
  if (input.profile === 'safe' && input.status >= 400 && !ownStatuses(input)?.includes(input.status)) {
    return refuse('status', 'STC-8')
  }
  return refuseKind(input.fields)
}

/** DS-17: what is readable for some clients only, or never ends. */
function refuseKind(fields: Fields): Refusal | undefined {
  const codings = splitList(fieldValue(fields, 'content-encoding') ?? '').map((coding) => coding.toLowerCase())
  if (codings.includes('dcb') || codings.includes('dcz')) {
    const vary = parseVary(fields)
    if (vary === '*' || !vary.includes('available-dictionary')) return refuse('dictionary', 'DS-17')
  }
  const stream = fieldLines(fields, 'content-type').some((type) => /^[ \t]*text\/event-stream\b/i.test(type))
  return stream ? refuse('event-stream', 'DS-17') : undefined
}

/** DS-15: `private="set-cookie"` and `no-cache="set-cookie"` say that the rest may be shared. */
function coversCookies(directives: CacheControl): boolean {
  return directives.privateFields.includes('set-cookie') || directives.noCacheFields.includes('set-cookie')
}

function dropped({ storeSetCookie }: StoringInput, directives: CacheControl): readonly string[] {
  if (storeSetCookie || !directives.noCacheFields.includes('set-cookie')) return directives.privateFields
  return [...directives.privateFields, 'set-cookie']
}

function ownStatuses({ annotated, defaults }: StoringInput): readonly number[] | undefined {
  return annotated?.statuses ?? defaults.statuses
}

/** Annotation over the response's fields over the option `ttl` over a guess. */
function lifetimeOf(input: StoringInput, { directives, source, targeted }: GoverningPolicy): Lifetime {
  const { fields, status, respondedAt, annotated, defaults } = input
  const age = initialAge(input)
  const ours = (ownStatuses(input) ?? OWN_STATUSES).includes(status)
  const own = { initialAge: age, own: true, explicit: false, invalid: false }
  // Our own lifetimes start at the head: the handler's time is not held against them.
  if (ours && typeof annotated?.ttl === 'number') {
    return { ...own, staleAt: respondedAt + annotated.ttl, source: 'annotation', annotated: true }
  }
  const freshness = freshnessLifetime({
    directives,
    targeted,
    fields,
    status,
    heuristics: input.heuristics,
    receivedAt: respondedAt,
  })
  const byFields = isExplicit(freshness)
  if (!byFields && ours && typeof defaults.ttl === 'number') {
    return { ...own, staleAt: respondedAt + defaults.ttl, source: 'option', annotated: false }
  }
  return {
    initialAge: age,
    staleAt: respondedAt - age + freshness.lifetime,
    source: sourceOf(freshness, source),
    own: false,
    annotated: false,
    explicit: byFields && freshness.basis !== 'invalid',
    invalid: freshness.basis === 'invalid',
  }
}

/** FRE-6, FRE-8: an invalid lifetime is an explicit one. */
function isExplicit({ basis }: Freshness): boolean {
  return basis !== 'none' && basis !== 'heuristic'
}

function sourceOf({ basis }: Freshness, field: string): string | undefined {
  if (basis === 'none') return undefined
  return basis === 'expires' || basis === 'heuristic' ? basis : field
}

/** Does the request carry something that keeps its response from others unless they are permitted? */
function needsGrant({ credentials, profile }: StoringInput): boolean {
  if (profile === 'safe') return credentials !== undefined
  // CKI-1: a cookie prevents nothing. AUT-7: `isAuthenticated` counts as Authorization.
  return credentials === 'authorization' || credentials === 'authenticated'
}

/** Does the response itself say that it is the same for everyone? */
function grantedByFields({ profile }: StoringInput, directives: CacheControl, lifetime: Lifetime): boolean {
  if (lifetime.annotated) return false
  const shared = directives.public || directives.sMaxage !== undefined
  // STO-6, AUT-2
  if (profile === 'rfc') return shared || directives.mustRevalidate
  return shared && lifetime.explicit
}

/** For how long after `staleAt` it may be used, and for what. */
function windowsOf(
  { annotated, defaults, respondedAt, sMaxageAllowsStale }: StoringInput,
  directives: CacheControl,
  lifetime: Lifetime,
): Pick<Permission, 'staleWhileRevalidate' | 'staleIfError'> {
  // STA-1, unless an annotation replaces what the response says.
  const forbidden =
    directives.mustRevalidate ||
    directives.proxyRevalidate ||
    directives.noCache ||
    (directives.sMaxage !== undefined && !sMaxageAllowsStale)
  if (lifetime.invalid || (forbidden && !lifetime.annotated)) return { staleWhileRevalidate: 0, staleIfError: 0 }
  // What was never fresh (`max-age=0`) is used stale only where somebody says so about this response.
  const fallback: OwnPolicy = lifetime.staleAt > respondedAt ? defaults : {}
  const stated = lifetime.annotated ? undefined : directives
  return {
    staleWhileRevalidate:
      annotated?.staleWhileRevalidate ?? ms(stated?.staleWhileRevalidate) ?? fallback.staleWhileRevalidate ?? 0,
    staleIfError: annotated?.staleIfError ?? ms(stated?.staleIfError) ?? fallback.staleIfError ?? 0,
  }
}

function ms(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}
