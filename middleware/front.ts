import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { keyPrefix } from '../lib/key.ts'
import { exchangeOf } from './exchange.ts'
import type { Mount } from './mount.ts'
import { serve } from './serve.ts'
import { readSettings, type WithCacheOptions } from './settings.ts'
import type { ExpressApp } from './types.ts'

/**
 * Put a cache in front of a whole application: `http.createServer(withCache(app))`. Hits are answered before Express sees the
 * request, so they cost what bare `node:http` costs; middlewares of the application do not run for them.
 *
 * Takes the options of `cacheMiddleware`, and `onHit` for logging.
 * @throws CacheError for wrong options
 * @example
 * http.createServer(withCache(app, { cache })).listen(3000)
 */
export function withCache(
  listener: (req: IncomingMessage, res: ServerResponse) => unknown,
  options: WithCacheOptions = {},
): RequestListener {
  const app = expressOf(listener)
  const settings = readSettings('withCache', options)
  const prefix = keyPrefix(settings.engine.version, settings.mount ?? 'front')
  const mount: Mount = {
    settings,
    prefixOf: () => prefix,
    behind: (req, res) => {
      const answered: unknown = listener(req, res)
      // STA-11: a listener that says when it fails. Nobody else handles what is not handled here.
      if (answered instanceof Promise) void answered.catch((error: unknown) => rejected(res, error))
    },
    ...(app === undefined ? {} : { app }),
  }
  return function withCache(req, res) {
    serve(mount, req, res)
  }
}

/** An Express application says itself which proxies it trusts, but sets `req.app` only when it sees the request. */
function expressOf(listener: unknown): ExpressApp | undefined {
  const app = listener as { get?: unknown; set?: unknown; settings?: unknown }
  const isExpress = typeof app.get === 'function' && typeof app.set === 'function' && typeof app.settings === 'object'
  return isExpress ? (app as ExpressApp) : undefined
}

/** A stale answer may stand in for what a listener has failed to give; else the rejection is the process's, as without us. */
function rejected(res: ServerResponse, error: unknown): void {
  if (exchangeOf(res)?.failed() !== true) throw error
}
