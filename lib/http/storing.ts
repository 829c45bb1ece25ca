import type { CacheControl } from './cache-control.ts'
import { parseHttpDate } from './dates.ts'
import { parseEntityTag } from './entity-tag.ts'
import { type Fields, fieldLines, fieldValue } from './fields.ts'
import { HEURISTIC_STATUSES } from './freshness.ts'
import { keptUntil, type Lifetime, lifetimeOf, type Windows, windowsOf } from './lifetime.ts'
import { isStorableWrite } from './methods.ts'
import { type Refusal, refuse, refuseExchange, refuseResponse, refuseUnguarded } from './refusal.ts'
import type { StoringInput } from './storing-input.ts'
import { governingPolicy, isForUs } from './targeted.ts'
import { parseVary } from './vary.ts'

/** To be stored, and how. Instants are epoch ms, lengths ms. */
export interface Permission extends Windows {
  readonly store: true
  readonly rule: string
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
  /** Age when the head was complete. */
  readonly initialAge: number
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
  // DS-20: what has to be validated at each use, by nothing.
  if (alwaysValidate && !validated) return refuse('no-cache', 'DS-20')
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
    immutable: directives.immutable && !lifetime.annotated,
    // Without Authorization in the request RFC 9111 s. 3.5 has nothing to say about who else is served.
    audience: granted || (input.profile === 'rfc' && !lifetime.own) ? 'everyone' : 'anonymous',
    withheld: [...directives.noCacheFields, ...ownTargets(input)],
    alwaysValidate,
    vary,
    source: lifetime.source ?? governing.source,
    dropFields: dropped(input, directives),
    ...windows,
  }
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

function dropped({ storeSetCookie }: StoringInput, directives: CacheControl): readonly string[] {
  if (storeSetCookie || !directives.noCacheFields.includes('set-cookie')) return directives.privateFields
  return [...directives.privateFields, 'set-cookie']
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
