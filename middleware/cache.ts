import { keyPrefix } from '../lib/key.ts'
import type { Mount } from './mount.ts'
import { serve } from './serve.ts'
import { type CacheMiddlewareOptions, readSettings } from './settings.ts'
import type { Middleware } from './types.ts'

/**
 * Cache GET responses behind this point of the application: `app.use(cacheMiddleware())` above the routes.
 *
 * A hit in memory is answered at once and does not reach the handler. Successful writes that pass through make the URL they
 * were sent to wrong (RFC 9111 s. 4.4). With Redis away requests go on to the handler.
 * @throws CacheError for wrong options, naming the value and the fix; `ERR_CACHE_BAD_ENV` for the default cache
 * @example
 * app.use(cacheMiddleware({ ttl: '30s' }))
 */
export function cacheMiddleware(options: CacheMiddlewareOptions = {}): Middleware {
  const settings = readSettings('cacheMiddleware', options)
  const prefix = keyPrefix(settings.engine.version, settings.mount ?? 'app')
  const mount: Mount = { settings, prefixOf: () => prefix }
  return function cacheMiddleware(req, res, next) {
    serve(mount, req, res, next)
  }
}
