import type { RequestHandler } from 'express'
import { type Cache, type CacheRouteOptions, cacheRoute } from '../../middleware/index.ts'
import { community, user, voting } from '../../strategies/index.ts'
import { callerOf } from './routes/caller.ts'
import { site } from './site.ts'

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
  communityList: community.list,
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
