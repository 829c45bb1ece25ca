import type { CacheControl } from './cache-control.ts'
import { parseHttpDate } from './dates.ts'
import { parseEntityTag } from './entity-tag.ts'
import { type Fields, fieldLines, fieldValue, type RequestHeaders, splitList } from './fields.ts'
import { type Freshness, freshnessLifetime, HEURISTIC_STATUSES, initialAge } from './freshness.ts'
import { isIncremental } from './incremental.ts'
import { isStorableWrite, namesTarget } from './methods.ts'
import { type GoverningPolicy, governingPolicy, isForUs } from './targeted.ts'
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
  /** The target URI of the request. */
  readonly uri: string
  /** The request's fields as they arrived. */
  readonly headers: RequestHeaders
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
  /** The targeted fields that are obeyed, lower-case, the first wins. */
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
  readonly rule: string
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
  /** Age when the head was complete. */
  readonly initialAge: number
  /** 0 for not at all. */
  readonly staleWhileRevalidate: number
  /** 0 for not at all. */
  readonly staleIfError: number
  /** Nothing forbids to use it stale when there is no answer at all (RFC 9111 s. 4.2.4). */
  readonly staleIfDisconnected: boolean
  /** Once stale never used without validation, whoever asks for it. */
  readonly mustRevalidate: boolean
  /** While fresh not validated for a reload (RFC 8246 s. 2). */
  readonly immutable: boolean
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
  const alwaysValidate = !lifetime.annotated && directives.noCache
  const guard = input.profile === 'safe' ? refuseUnguarded(input, directives, alwaysValidate) : undefined
  if (guard !== undefined) return guard
  const granted = input.permitted || grantedByFields(input, directives, lifetime)
  // DS-14
  if (!granted && needsGrant(input)) return refuse(input.credentials ?? 'authorization', 'DS-14')
  // DS-6: what a write answers is kept only where it says in so many words that it may be.
  if (isStorableWrite(input.method) && !lifetime.explicit) return refuse('no-freshness', 'DS-6')
  const validated = hasValidator(input.fields)
  if (lifetime.source === undefined && !(validated && mayGuess(input, directives)))
    return refuse('no-freshness', 'DS-19')
  const windows = windowsOf(input, directives, lifetime)
  const stale = lifetime.staleAt + Math.max(windows.staleWhileRevalidate, windows.staleIfError)
  // DS-20: nobody could be served with it.
  const usable =
    stale > input.respondedAt || (input.profile === 'rfc' && (validated || mayServeStale(lifetime, windows, input)))
  if (!usable) return refuse('stale', 'DS-20')
  const useful = validated || windows.staleIfDisconnected
  return {
    store: true,
    rule: 'DS-22',
    cachedAt: input.respondedAt,
    staleAt: lifetime.staleAt,
    deleteAt: useful ? Math.max(stale, keptUntil(lifetime.staleAt, input.respondedAt)) : stale,
    initialAge: lifetime.initialAge,
    ...windows,
    immutable: directives.immutable && !lifetime.annotated,
    // Without Authorization in the request RFC 9111 s. 3.5 has nothing to say about who else is served.
    audience: granted || (input.profile === 'rfc' && !lifetime.own) ? 'everyone' : 'anonymous',
    withheld: [...directives.noCacheFields, ...ownTargets(input)],
    alwaysValidate,
    vary,
    source: lifetime.source ?? governing.source,
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
function refuseExchange(input: StoringInput): Refusal | undefined {
  const { method, status, requestNoStore, annotated, profile, fields, uri } = input
  if (annotated?.ttl === false) return refuse('skip', 'DS-1')
  // DS-4: HEAD has no body that a GET could be served with.
  if (method === 'HEAD') return refuse('method', 'DS-4')
  if (isStorableWrite(method)) {
    // DS-6: only an answer that says it is what a GET of the same URI would bring (RFC 9110 s. 9.3.3).
    if (profile === 'safe' || status > 299 || !namesTarget(fields, uri)) return refuse('method', 'DS-6')
  } else if (method !== 'GET' && method !== 'QUERY') return refuse('method', 'DS-3')
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
  // XPR-12
  if (input.status >= 500 && isErrorPage(input.fields)) return refuse('error-page', 'XPR-12')
  return refuseKind(input.fields)
}

/** XPR-12: the page of the final handler of Express and Connect, on which the fields of the success still stand. */
function isErrorPage(fields: Fields): boolean {
  return (
    fieldValue(fields, 'content-security-policy') === "default-src 'none'" &&
    fieldValue(fields, 'x-content-type-options') === 'nosniff'
  )
}

/** DS-17: what only the profile `safe` keeps out. */
function refuseUnguarded(
  { fields, headers }: StoringInput,
  directives: CacheControl,
  alwaysValidate: boolean,
): Refusal | undefined {
  // A handler in the same process does all its work for a validation: what needs one each time is not worth keeping.
  if (alwaysValidate) return refuse('no-cache', 'DR-11')
  const vary = parseVary(fields)
  const tells = (name: string): boolean => vary === '*' || vary.includes(name)
  // COR-2: an origin that is echoed is right for nobody else.
  const allowed = fieldValue(fields, 'access-control-allow-origin')
  if (allowed !== undefined && allowed !== '*' && headers['origin'] !== undefined && !tells('origin')) {
    return refuse('cors', 'COR-2')
  }
  // CMP-7: a coding that was negotiated, though nothing says so, reaches clients that cannot read it.
  const coding = fieldValue(fields, 'content-encoding')
  const negotiated =
    coding !== undefined && coding.toLowerCase() !== 'identity' && headers['accept-encoding'] !== undefined
  if (negotiated && !tells('accept-encoding') && !directives.noTransform) return refuse('encoding', 'CMP-7')
  return undefined
}

/** Is there something to validate it by (RFC 9111 s. 4.3.1)? What is no entity tag or date is no validator (CON-23). */
function hasValidator(fields: Fields): boolean {
  const etag = fieldValue(fields, 'etag')
  if (etag !== undefined && parseEntityTag(etag) !== undefined) return true
  // Any instant does: only whether it is a date counts here.
  return parseHttpDate(fieldValue(fields, 'last-modified') ?? '', 0) !== undefined
}

/** CCQ-3: what came stale, but was fresh once, may be good enough for a client that says so. */
function mayServeStale({ staleAt, initialAge }: Lifetime, windows: Windows, { respondedAt }: StoringInput): boolean {
  return windows.staleIfDisconnected && staleAt > respondedAt - initialAge
}

/** TGT-12: targeted fields that the handler has sent to us alone. */
function ownTargets({ targets, fields }: StoringInput): readonly string[] {
  return targets.filter((name) => isForUs(name) && fieldLines(fields, name).length > 0)
}

/** STO-7: what may be stored without a lifetime of its own, to be validated at each use. */
function mayGuess({ heuristics, status }: StoringInput, directives: CacheControl): boolean {
  return heuristics && (HEURISTIC_STATUSES.has(status) || directives.public)
}

/** How long (ms) beyond its freshness a response is kept for validation: as long again, within these bounds. */
const SHORTEST_KEEP = 60_000
const LONGEST_KEEP = 3_600_000

function keptUntil(staleAt: number, respondedAt: number): number {
  const lifetime = Math.max(0, staleAt - respondedAt)
  return Math.max(staleAt, respondedAt) + Math.min(LONGEST_KEEP, Math.max(SHORTEST_KEEP, lifetime))
}

/** DS-17: what is readable for some clients only, or never ends. */
function refuseKind(fields: Fields): Refusal | undefined {
  const codings = splitList(fieldValue(fields, 'content-encoding') ?? '').map((coding) => coding.toLowerCase())
  if (codings.includes('dcb') || codings.includes('dcz')) {
    const vary = parseVary(fields)
    if (vary === '*' || !vary.includes('available-dictionary')) return refuse('dictionary', 'DS-17')
  }
  if (fieldLines(fields, 'content-type').some((type) => ENDLESS.test(type))) return refuse('event-stream', 'DS-17')
  // IFW-3
  return isIncremental(fields) ? refuse('incremental', 'DS-17') : undefined
}

const ENDLESS = /^[ \t]*(?:text\/event-stream|multipart\/x-mixed-replace)\b/i

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

type Windows = Pick<Permission, 'staleWhileRevalidate' | 'staleIfError' | 'staleIfDisconnected' | 'mustRevalidate'>

const NEVER_STALE: Windows = {
  mustRevalidate: true,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  staleIfDisconnected: false,
}

/** For how long after `staleAt` it may be used, and for what. */
function windowsOf(
  { annotated, defaults, respondedAt, sMaxageAllowsStale, profile }: StoringInput,
  directives: CacheControl,
  lifetime: Lifetime,
): Windows {
  // STA-1, unless an annotation replaces what the response says.
  const forbidden =
    directives.mustRevalidate ||
    directives.proxyRevalidate ||
    directives.noCache ||
    (directives.sMaxage !== undefined && !sMaxageAllowsStale)
  if (lifetime.invalid || (forbidden && !lifetime.annotated)) return NEVER_STALE
  // What was never fresh (`max-age=0`) is used stale only where somebody says so about this response.
  const fallback: OwnPolicy = lifetime.staleAt > respondedAt ? defaults : {}
  const stated = lifetime.annotated ? undefined : directives
  const staleIfError = annotated?.staleIfError ?? ms(stated?.staleIfError)
  return {
    mustRevalidate: false,
    staleWhileRevalidate:
      annotated?.staleWhileRevalidate ?? ms(stated?.staleWhileRevalidate) ?? fallback.staleWhileRevalidate ?? 0,
    staleIfError: staleIfError ?? fallback.staleIfError ?? 0,
    // STA-2: who names a window means that one.
    staleIfDisconnected: profile === 'rfc' && staleIfError === undefined,
  }
}

function ms(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}
