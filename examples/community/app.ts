import express, { type Express, type Response, Router } from 'express'
import { adminRouter, type Cache, cacheMiddleware, cacheRoute, invalidateMiddleware } from '../../middleware/index.ts'
import { problemResponder, routeNotFound } from '../shared/problem.ts'
import type { CommunityDatabase } from './database/database.ts'
import { cachedPolicies, type Policies, uncachedPolicies } from './policies.ts'
import { touchedBy } from './routes/answer.ts'
import { communityRoutes } from './routes/communities.ts'
import { postRoutes } from './routes/posts.ts'
import { questionRoutes } from './routes/questions.ts'
import { userRoutes } from './routes/users.ts'

export interface CommunityAppOptions {
  readonly database: CommunityDatabase
  readonly cache: Cache
  /** False leaves the invalidation out: the way to see that the checks of the traffic run can fail. @default true */
  readonly invalidation?: boolean
}

/** Under this prefix the same routes are answered without the cache, to compare with. */
export const UNCACHED = '/uncached'

/** The demo: the community, user and voting routes behind one cache, with its administration under `/cache`. */
export function createCommunityApp({ database, cache, invalidation = true }: CommunityAppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(cacheMiddleware({ cache }))
  if (invalidation) {
    // A write's names are its tags: what it touched is gone before its writer sees the answer.
    app.use(invalidateMiddleware({ cache, tags: (_req, res: Response) => touchedBy(res) }))
  }
  app.use('/cache', adminRouter({ cache }))
  app.get('/demo/queries', cacheRoute(false), (_req, res) => {
    res.json({ queries: database.queries, routes: Object.fromEntries(database.costs) })
  })
  app.use(express.json({ limit: '16kb' }))
  app.use(routes(database, cachedPolicies(cache)))
  app.use(UNCACHED, routes(database, uncachedPolicies()))
  app.use(routeNotFound)
  app.use(problemResponder)
  return app
}

function routes(database: CommunityDatabase, policies: Policies): Router {
  const router = Router()
  router.use(communityRoutes({ database, policies }))
  router.use(postRoutes({ database }))
  router.use(userRoutes({ database, policies }))
  router.use(questionRoutes({ database, policies }))
  return router
}
