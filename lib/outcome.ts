/**
 * What the cache did with one request, in the words of RFC 9211. The same value becomes the `Cache-Status` field, `X-Cache`,
 * the event, the counter and the log line.
 */

/** Why a request went to the handler, the most specific reason (RFC 9211 s. 2.2). */
export type Forward = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial'

/** One word for counters and `X-Cache`. */
export type OutcomeResult = 'hit' | 'stale' | 'revalidated' | 'miss' | 'bypass'

export interface Outcome {
  /** Answered from the store without asking the handler. */
  readonly hit: boolean
  readonly forward?: Forward
  /** Status of the handler's answer where it differs from the one sent (RFC 9211 s. 2.3). */
  readonly forwardStatus?: number
  /** Freshness left in whole seconds, negative when stale (RFC 9211 s. 2.4). */
  readonly ttl?: number
  readonly stored?: boolean
  readonly collapsed?: boolean
  /** Why, where the rest does not say: a token. */
  readonly detail?: string
  /** The row of the decision tables that said where the answer comes from (docs/http.md). */
  readonly rule?: string
  /** The row that said whether the handler's answer may be stored. */
  readonly storingRule?: string
}

/** The one word for an outcome: stale answers and validated ones are told apart from plain hits and misses. */
export function resultOf(outcome: Outcome): OutcomeResult {
  if (outcome.hit)
    return outcome.ttl !== undefined && outcome.ttl <= 0 && outcome.detail !== undefined ? 'stale' : 'hit'
  switch (outcome.forward) {
    case 'bypass':
    case 'method':
      return 'bypass'
    default:
      if (outcome.detail === 'stale-if-error') return 'stale'
      return outcome.forwardStatus === 304 ? 'revalidated' : 'miss'
  }
}
