import type { Request, RequestHandler } from 'express'
import { type Cache, type CacheRouteOptions, cacheRoute } from '../../middleware/index.ts'
import { community, user, voting } from '../../strategies/index.ts'
import { CATEGORIES } from './database/words.ts'
import { callerOf } from './routes/caller.ts'
import { shown, site } from './site.ts'

type RouteName =
  | 'communityList'
  | 'trendingCommunities'
  | 'community'
  | 'communityPosts'
  | 'memberCount'
  | 'communityActivity'
  | 'permissions'
  | 'user'
  | 'userProfile'
  | 'userPosts'
  | 'questionList'
  | 'trendingQuestions'
  | 'question'
  | 'questionResults'

export type Policies = Readonly<Record<RouteName, RequestHandler>>

/** How long each answer is kept and what makes it wrong, for the whole application in one place: the domains say it. */
const POLICIES: Readonly<Record<RouteName, CacheRouteOptions>> = {
  // Narrower than the domain has it: a list of one category outlives changes in the others.
  communityList: { ...community.list, tags: (req: Request) => categoriesOf(req.query.category) },
  trendingCommunities: community.trending,
  community: community.metadata,
  communityPosts: community.posts,
  memberCount: community.memberCount,
  communityActivity: community.activity,
  // One user's own: kept for nobody else.
  permissions: { ...user.permissions, scope: callerOf },
  user: user.user,
  userProfile: user.profile,
  userPosts: site.userPosts,
  questionList: site.questionList,
  trendingQuestions: site.trendingQuestions,
  question: voting.question,
  questionResults: voting.results,
}

/** The policies as middlewares. */
export function cachedPolicies(cache: Cache): Policies {
  return eachPolicy((policy) => cacheRoute({ cache, ...policy }))
}

/** The same routes without a cache, to compare with. */
export function uncachedPolicies(): Policies {
  const never = cacheRoute(false)
  return eachPolicy(() => never)
}

function eachPolicy(toHandler: (policy: CacheRouteOptions) => RequestHandler): Policies {
  return Object.fromEntries(Object.entries(POLICIES).map(([name, policy]) => [name, toHandler(policy)])) as Policies
}

/** An unfiltered list depends on every category. */
function categoriesOf(category: unknown): string[] {
  const isGiven = typeof category === 'string' && category !== ''
  return (isGiven ? [category] : CATEGORIES).map(shown.category)
}
