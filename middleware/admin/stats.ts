import { type AdminRouter, type AdminRouterOptions, type Route, routerOf } from './router.ts'

/**
 * Serve what the cache did so far as JSON: `app.use('/cache/stats', statsRouter({ cache }))`.
 *
 * Authorised callers get all of `cache.stats()`, everybody else `{ stats, status, timestamp }`. The figures are those of this
 * process; with Redis away `status` is `'degraded'`.
 * @throws CacheError for wrong options
 * @example
 * app.use('/cache/stats', statsRouter({ cache, authorize: (req) => isOperator(req) }))
 */
export function statsRouter(options: AdminRouterOptions = {}): AdminRouter {
  const router = routerOf('statsRouter', options, [{ ...statsRoute('/'), open: true }])
  return function statsRouter(req, res, next) {
    router(req, res, next)
  }
}

export function statsRoute(path: string): Route {
  return {
    method: 'GET',
    path,
    run({ cache, authorised }) {
      const all = cache.stats()
      const { stats, status, timestamp } = all
      return { status: 200, body: authorised ? all : { stats, status, timestamp } }
    },
  }
}
