import type { Cache, Health } from '../../lib/cache.ts'
import type { Answer } from './answer.ts'
import { type AdminRouter, type AdminRouterOptions, type Route, routerOf } from './router.ts'

/**
 * Serve whether the cache can do its work, for people and probes: `/` and `/ready` ask Redis, `/live` asks nobody.
 *
 * 200 for `pass` and `warn`, 503 for `fail`, which only `redisRequired: true` produces: without Redis requests are still
 * answered. Callers who are not authorised get the status alone.
 * @throws CacheError for wrong options
 * @example
 * app.use('/cache/health', healthRouter({ cache }))
 */
export function healthRouter(options: AdminRouterOptions = {}): AdminRouter {
  const router = routerOf(
    'healthRouter',
    options,
    healthRoutes('').map((route) => ({ ...route, open: true })),
  )
  return function healthRouter(req, res, next) {
    router(req, res, next)
  }
}

/** A liveness probe that is refused restarts the process, so `/live` answers everybody. */
export function healthRoutes(path: string): readonly Route[] {
  return [
    { method: 'GET', path: path === '' ? '/' : path, run: ({ cache, authorised }) => report(cache, authorised) },
    { method: 'GET', path: `${path}/ready`, run: ({ cache, authorised }) => report(cache, authorised) },
    { method: 'GET', path: `${path}/live`, open: true, run: () => answer({ status: 'pass' }) },
  ]
}

/** The status, and for those who may see it the rest. */
type HealthBody = Pick<Health, 'status'> & { readonly checks?: object }

async function report(cache: Cache, authorised: boolean): Promise<Answer> {
  const health = await cache.health()
  if (!authorised) return answer({ status: health.status })
  if (!cache.stats().redis.configured) return answer(health)
  // The member names of draft-inadarei-api-health-check-06, which probes and dashboards read.
  const check = {
    componentType: 'datastore',
    observedValue: health.latencyMs,
    observedUnit: 'ms',
    status: health.status,
    time: new Date(cache.engine.clock.now()).toISOString(),
    ...(health.reason === undefined ? {} : { output: health.reason }),
  }
  return answer({ ...health, checks: { 'redis:responseTime': [check] } })
}

function answer(body: HealthBody): Answer {
  return { status: body.status === 'fail' ? 503 : 200, type: 'application/health+json', body }
}
