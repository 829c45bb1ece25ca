import type { IncomingMessage, ServerResponse } from 'node:http'

/** A request as callbacks see it: node's, with what routers add. `params` is `{}` where there is no router. */
export interface CacheRequest extends IncomingMessage {
  readonly params: Record<string, string | string[]>
  readonly originalUrl?: string
  readonly query?: unknown
}

/** What Express and Connect pass along. */
export type Next = (error?: unknown) => void

/** A middleware for Express, Connect, or any listener that calls it with a `next`. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void

/** Of an Express application what is asked here: whom it trusts. */
export interface ExpressApp {
  get(setting: string): unknown
}

/** What Express adds to a request; nothing of it is relied on. */
export interface RoutedRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly baseUrl?: string
  readonly originalMethod?: string
  readonly protocol?: string
  readonly params?: Record<string, string | string[]>
  readonly route?: { readonly path?: unknown }
  readonly app?: ExpressApp
}

/** The request with `params` made sure of, for callbacks. */
export function callbackRequest(req: IncomingMessage): CacheRequest {
  const routed = req as IncomingMessage & { params?: Record<string, string | string[]> }
  routed.params ??= {}
  return routed as CacheRequest
}
