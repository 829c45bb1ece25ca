import express, { type Express, type Response, Router } from 'express'
import { adminRouter, type Cache, cacheMiddleware, cacheRoute, invalidateMiddleware } from '../../middleware/index.ts'
import { community, user, voting } from '../../strategies/index.ts'
import { isConfirmed } from '../shared/confirmed.ts'
import { problemResponder, routeNotFound } from '../shared/problem.ts'
import type { CommunityDatabase } from './database/database.ts'
import { cachedPolicies, uncachedPolicies } from './policies.ts'
import { type Reads, readsOf } from './reads.ts'
import { tagsOf } from './routes/answer.ts'
import { communityRoutes } from './routes/communities.ts'
import { postRoutes } from './routes/posts.ts'
import { type QuestionRoutesOptions, questionRoutes } from './routes/questions.ts'
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
    // What a write says has happened: what that makes wrong is gone before its writer sees the answer.
    app.use(invalidateMiddleware({ cache, tags: (_req, res: Response) => tagsOf(res) }))
  }
  app.use('/cache', adminRouter({ cache }))
  app.get('/demo/queries', cacheRoute(false), (_req, res) => {
    res.json({ queries: database.queries, routes: Object.fromEntries(database.costs) })
  })
  app.use(express.json({ limit: '16kb' }))
  const services = bindServices(cache, database)
  const onVoteCast = invalidation ? services.onVoteCast : async (): Promise<void> => undefined
  app.use(routes({ database, policies: cachedPolicies(cache), reads: services, onVoteCast }))
  app.use(
    UNCACHED,
    routes({ database, policies: uncachedPolicies(), reads: readsOf(database, ` under ${UNCACHED}`), onVoteCast }),
  )
  app.use(routeNotFound)
  app.use(problemResponder)
  return app
}

/** The reads with the cache beside them, and the event that does more than invalidate: it loads the results again. */
function bindServices(cache: Cache, database: CommunityDatabase): Reads & Pick<QuestionRoutesOptions, 'onVoteCast'> {
  const { memberCount, results, ...load } = readsOf(database)
  const { onVoteCast, ...votings } = voting({ cache, load: { results } })
  return {
    memberCount: community({ cache, load: { memberCount } }).memberCount,
    results: votings.results,
    ...user({ cache, load }),
    // Where Redis is away a vote stands, and the cache goes on telling the others.
    onVoteCast: (vote) => isConfirmed(onVoteCast(vote)),
  }
}

interface RoutesOptions extends Omit<QuestionRoutesOptions, 'reads'> {
  readonly reads: Reads
}

function routes(options: RoutesOptions): Router {
  const router = Router()
  router.use(communityRoutes(options))
  router.use(postRoutes(options))
  router.use(userRoutes(options))
  router.use(questionRoutes(options))
  return router
}
