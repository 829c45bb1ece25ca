import { ENTRY_ROUTES } from './entries.ts'
import { healthRoutes } from './health.ts'
import { INVALIDATION_ROUTES } from './invalidations.ts'
import { type AdminRouter, type AdminRouterOptions, routerOf } from './router.ts'
import { statsRoute } from './stats.ts'
import { WARMING_ROUTE } from './warming.ts'

/**
 * Serve statistics, health, the list of entries, invalidation and warming as a JSON API: `app.use('/cache', adminRouter({ cache, authorize }))`.
 *
 * Everything but `/health/live` is for authorised callers: those whom `authorize` accepts, without it local requests outside
 * production. Writes by pages of other origins are refused. With Redis away an invalidation answers 202 and goes on.
 * @throws CacheError for wrong options
 * @example
 * app.use('/cache', adminRouter({ cache, authorize: (req) => isOperator(req) }))
 */
export function adminRouter(options: AdminRouterOptions = {}): AdminRouter {
  const router = routerOf('adminRouter', options, [
    statsRoute('/stats'),
    ...healthRoutes('/health'),
    ...ENTRY_ROUTES,
    ...INVALIDATION_ROUTES,
    WARMING_ROUTE,
  ])
  return function adminRouter(req, res, next) {
    router(req, res, next)
  }
}
