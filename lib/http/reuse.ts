import type { Entry } from '../entry.ts'
import type { CacheControl } from './cache-control.ts'
import type { StoredResponse } from './stored-response.ts'

/** What of a request decides whether a stored response answers it (decision table B). */
export interface ReuseRequest {
  readonly credentialed: boolean
  /** The request's directives where they are honoured, else undefined. */
  readonly directives: CacheControl | undefined
  readonly now: number
}

/**
 * Serve it; serve it and refresh it behind the client's back; or ask the handler: because the client may not have it
 * (`refuse`), because it wants to know (`request`), or because it is stale.
 */
export type Reuse = 'serve' | 'serve-stale' | 'refuse' | 'request' | 'stale'

/** May this stored response answer this request? */
export function judgeReuse(entry: Entry<StoredResponse>, { credentialed, directives, now }: ReuseRequest): Reuse {
  const { staleAt, value } = entry
  // DR-8: what was made for people without credentials is not for those with.
  if (value.audience === 'anonymous' && credentialed) return 'refuse'
  // DR-11
  if (value.alwaysValidate) return 'stale'
  const fresh = now < staleAt
  if (directives !== undefined) {
    const forced = forcedByRequest(entry, directives, now)
    if (forced) return fresh ? 'request' : 'stale'
    // DR-17: a window that the response forbids is 0 in the entry, and then the client's wish does not count either.
    if (!fresh && directives.maxStale !== undefined && value.staleWhileRevalidate > 0) {
      if (now - staleAt <= directives.maxStale * 1_000) return 'serve-stale'
    }
  }
  // DR-15: equal is stale.
  if (fresh) return 'serve'
  // DR-18, STA-8
  const asksForFreshness = directives?.maxAge !== undefined || directives?.minFresh !== undefined
  return now < staleAt + value.staleWhileRevalidate && !asksForFreshness ? 'serve-stale' : 'stale'
}

/** Current age in ms (RFC 9111 s. 4.2.3). */
export function currentAge({ cachedAt, value }: Entry<StoredResponse>, now: number): number {
  return value.initialAge + Math.max(0, now - cachedAt)
}

function forcedByRequest(entry: Entry<StoredResponse>, directives: CacheControl, now: number): boolean {
  // DR-12
  if (directives.noCache) return true
  // DR-13
  const { maxAge, minFresh } = directives
  if (maxAge !== undefined && (maxAge === 0 || currentAge(entry, now) > maxAge * 1_000)) return true
  // DR-14
  return minFresh !== undefined && entry.staleAt - now < minFresh * 1_000
}
