import type { CacheControl } from './cache-control.ts'

/** Everything that decides whether a stored response answers a request (decision table B). */
export interface ReuseInput {
  readonly staleAt: number
  readonly cachedAt: number
  readonly initialAge: number
  readonly alwaysValidate: boolean
  readonly staleWhileRevalidate: number
  readonly audience: 'everyone' | 'anonymous'
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
export function judgeReuse(input: ReuseInput): Reuse {
  // DR-8: what was made for people without credentials is not for those with.
  if (input.audience === 'anonymous' && input.credentialed) return 'refuse'
  // DR-11
  if (input.alwaysValidate) return 'stale'
  const { directives, now } = input
  const fresh = now < input.staleAt
  if (directives !== undefined) {
    const forced = forcedByRequest(input, directives)
    if (forced) return fresh ? 'request' : 'stale'
    // DR-17: a window that the response forbids is 0 in the entry, and then the client's wish does not count either.
    if (!fresh && directives.maxStale !== undefined && input.staleWhileRevalidate > 0) {
      if (now - input.staleAt <= directives.maxStale * 1_000) return 'serve-stale'
    }
  }
  // DR-15: equal is stale.
  if (fresh) return 'serve'
  // DR-18, STA-8
  const asksForFreshness = directives?.maxAge !== undefined || directives?.minFresh !== undefined
  return now < input.staleAt + input.staleWhileRevalidate && !asksForFreshness ? 'serve-stale' : 'stale'
}

/** Current age in ms (RFC 9111 s. 4.2.3). */
export function currentAge(input: Pick<ReuseInput, 'cachedAt' | 'initialAge' | 'now'>): number {
  return input.initialAge + Math.max(0, input.now - input.cachedAt)
}

function forcedByRequest(input: ReuseInput, directives: CacheControl): boolean {
  // DR-12
  if (directives.noCache) return true
  // DR-13
  if (directives.maxAge !== undefined && (directives.maxAge === 0 || currentAge(input) > directives.maxAge * 1_000))
    return true
  // DR-14
  return directives.minFresh !== undefined && input.staleAt - input.now < directives.minFresh * 1_000
}
