import type { Fields, RequestHeaders } from './fields.ts'

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

/** Statuses that this application has named itself. */
export function ownStatuses({ annotated, defaults }: StoringInput): readonly number[] | undefined {
  return annotated?.statuses ?? defaults.statuses
}
