import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { keyPrefix } from '../lib/key.ts'
import { exchangeOf } from './exchange.ts'
import type { Mount } from './mount.ts'
import { serve } from './serve.ts'
import { readSettings, type WithCacheOptions } from './settings.ts'
import { type Prototypes, shareShapeIn } from './shared-shape.ts'
import type { ExpressApp } from './types.ts'

/** What a server calls for each request: an application of Express or Connect, a function, also an async one. */
export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown

/** The same for what only servers of HTTP/2 have. */
type Http2Listener = (req: Http2ServerRequest, res: Http2ServerResponse) => unknown

/** A listener for servers of HTTP/1 and of HTTP/2. */
export type CachedListener = (
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse | Http2ServerResponse,
) => void

/**
 * Put a cache in front of a whole application: `http.createServer(withCache(app))`, or that of `node:https` or `node:http2`. Hits
 * are answered before Express sees the request, so they cost what bare `node:http` costs; middlewares of the application do not
 * run for them. Everything else goes on into the application as it came.
 *
 * Takes the options of `cacheMiddleware`, and `onHit` for logging. With Redis away requests go on without it.
 * @throws CacheError for wrong options
 * @example
 * http.createServer(withCache(app, { cache })).listen(3000)
 */
export function withCache(listener: Listener, options?: WithCacheOptions): CachedListener
export function withCache(listener: Http2Listener, options?: WithCacheOptions): Http2Listener
export function withCache(listener: Listener | Http2Listener, options: WithCacheOptions = {}): CachedListener {
  const app = expressOf(listener)
  const settings = readSettings('withCache', options)
  const prefix = keyPrefix(settings.engine.version, settings.mount ?? 'front')
  const mount: Mount = {
    settings,
    prefixOf: () => prefix,
    behind: (req, res) => {
      if (app !== undefined) shareShapeIn(app, req, res)
      const answered: unknown = (listener as Listener)(req, res)
      // STA-11: a listener that says when it fails. Nobody else handles what is not handled here.
      if (answered instanceof Promise) void answered.catch((error: unknown) => rejected(res, error))
    },
    ...(app === undefined ? {} : { app }),
  }
  function withCache(req: IncomingMessage, res: ServerResponse): void {
    serve(mount, req, res)
  }
  // HTTP/2 of node offers what is asked of requests and responses here.
  return withCache as CachedListener
}

/** An Express application says itself which proxies it trusts, but sets `req.app` only when it sees the request. */
function expressOf(listener: unknown): (ExpressApp & Prototypes) | undefined {
  const app = listener as { get?: unknown; set?: unknown; settings?: unknown }
  const isExpress = typeof app.get === 'function' && typeof app.set === 'function' && typeof app.settings === 'object'
  return isExpress ? (app as ExpressApp) : undefined
}

/** A stale answer may stand in for what a listener has failed to give; else the rejection is the process's, as without us. */
function rejected(res: ServerResponse, error: unknown): void {
  if (exchangeOf(res)?.failed() !== true) throw error
}
