import type { Entry } from '../entry.ts'
import type { Forward } from '../outcome.ts'
import type { CacheControl } from './cache-control.ts'
import type { StoredResponse } from './stored-response.ts'

/** What of a request decides whether a stored response answers it (decision table B). */
export interface ReuseRequest {
  readonly credentialed: boolean
  /** The request's directives where they are honoured, else undefined. */
  readonly directives: CacheControl | undefined
  readonly now: number
}

/** What to do with a stored response, and the row of table B that says so. */
export type Reuse =
  /** Serve it, though it may be stale: `detail` says why. */
  | { readonly kind: 'serve'; readonly detail: string | undefined; readonly rule: string }
  /** Serve it, and refresh it behind the client's back. */
  | { readonly kind: 'serve-stale'; readonly detail: string; readonly rule: string }
  /** Ask the handler whether it is still right. */
  | { readonly kind: 'validate'; readonly forward: Forward; readonly rule: string }
  /** This client may not have it. */
  | { readonly kind: 'refuse'; readonly forward: Forward; readonly rule: string }

/** May this stored response answer this request (RFC 9111 s. 4)? */
export function judgeReuse(entry: Entry<StoredResponse>, { credentialed, directives, now }: ReuseRequest): Reuse {
  const { staleAt, value } = entry
  if (value.audience === 'anonymous' && credentialed) return REFUSE
  if (value.alwaysValidate) return VALIDATE_ALWAYS
  const fresh = isFreshAt(entry, now)
  if (directives !== undefined) {
    const forced = forcedByRequest(entry, directives, now)
    if (forced !== undefined) return fresh ? forced.fresh : forced.stale
  }
  if (fresh) return SERVE
  if (value.mustRevalidate) return MUST_REVALIDATE
  // REU-9: where the clock has gone back nothing says how stale it is.
  const staleness = now - staleAt
  if (staleness < 0) return VALIDATE
  if (directives?.maxStale !== undefined && staleness <= directives.maxStale * 1_000) return MAX_STALE
  // STA-8
  const asksForFreshness = directives?.maxAge !== undefined || directives?.minFresh !== undefined
  return staleness < value.staleWhileRevalidate && !asksForFreshness ? STALE_WHILE_REVALIDATE : VALIDATE
}

/** Current age in ms (RFC 9111 s. 4.2.3). */
export function currentAge({ cachedAt, value }: Entry<StoredResponse>, now: number): number {
  return value.initialAge + Math.max(0, now - cachedAt)
}

/** REU-9: how far (ms) a clock may be behind the one an entry was stored by; beyond, nothing says how old the entry is. */
const CLOCK_TOLERANCE = 5_000

/** DR-15: equal is stale. */
function isFreshAt({ cachedAt, staleAt }: Entry<StoredResponse>, now: number): boolean {
  return now < staleAt && now >= cachedAt - CLOCK_TOLERANCE
}

// One of each: a hit makes none.
/** What was made for people without credentials is not for those with. */
const REFUSE: Reuse = { kind: 'refuse', forward: 'bypass', rule: 'DR-8' }
const VALIDATE_ALWAYS: Reuse = { kind: 'validate', forward: 'stale', rule: 'DR-11' }
const SERVE: Reuse = { kind: 'serve', detail: undefined, rule: 'DR-15' }
const MUST_REVALIDATE: Reuse = { kind: 'validate', forward: 'stale', rule: 'DR-16' }
const MAX_STALE: Reuse = { kind: 'serve', detail: 'max-stale', rule: 'DR-17' }
const STALE_WHILE_REVALIDATE: Reuse = { kind: 'serve-stale', detail: 'swr', rule: 'DR-18' }
const VALIDATE: Reuse = { kind: 'validate', forward: 'stale', rule: 'DR-19' }

interface Forced {
  readonly fresh: Reuse
  readonly stale: Reuse
}

const NO_CACHE: Forced = forced('DR-12', 'request')
const MAX_AGE: Forced = forced('DR-13', 'stale')
const MIN_FRESH: Forced = forced('DR-14', 'stale')

function forced(rule: string, staleForward: Forward): Forced {
  return {
    fresh: { kind: 'validate', forward: 'request', rule },
    stale: { kind: 'validate', forward: staleForward, rule },
  }
}

/** The wish of the client that the handler be asked, if it has one. */
function forcedByRequest(entry: Entry<StoredResponse>, directives: CacheControl, now: number): Forced | undefined {
  const { maxAge, minFresh } = directives
  if (directives.noCache) return NO_CACHE
  // CCR-12: what says it never changes is not validated for a reload.
  const immutable = entry.value.immutable && isFreshAt(entry, now)
  if (maxAge !== undefined && !immutable && (maxAge === 0 || currentAge(entry, now) > maxAge * 1_000)) return MAX_AGE
  return minFresh !== undefined && entry.staleAt - now < minFresh * 1_000 ? MIN_FRESH : undefined
}
