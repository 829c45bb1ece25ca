import type { Request, RequestHandler } from 'express'
import { type Cache, cacheRoute } from '../../middleware/index.ts'
import { CATEGORIES } from './database/words.ts'
import { QUESTION_STATUSES } from './repositories/questions.ts'
import { resource } from './resources.ts'

/**
 * How long each answer is kept and what it depends on, for the whole application in one place. Tags that follow from the URL
 * are here; those that follow from the rows found are added by the handlers with `cachePolicy(res).tag(...)`.
 */
export interface Policies {
  readonly communityList: RequestHandler
  readonly trendingCommunities: RequestHandler
  readonly community: RequestHandler
  readonly communityPosts: RequestHandler
  readonly memberCount: RequestHandler
  readonly communityActivity: RequestHandler
  readonly user: RequestHandler
  readonly userProfile: RequestHandler
  readonly userPosts: RequestHandler
  readonly questionList: RequestHandler
  readonly trendingQuestions: RequestHandler
  readonly question: RequestHandler
  readonly questionResults: RequestHandler
}

/** The policies of the community, user and voting domains. */
export function cachedPolicies(cache: Cache): Policies {
  return {
    communityList: cacheRoute({ cache, ttl: '5m', tags: (req: Request) => categoriesOf(req.query.category) }),
    trendingCommunities: cacheRoute({ cache, ttl: '5m', tags: [resource.recentPosts] }),
    community: cacheRoute({ cache, ttl: '1h', tags: (req) => [resource.community(one(req.params.id))] }),
    communityPosts: cacheRoute({
      cache,
      ttl: '5m',
      tags: ({ params }) => [resource.community(one(params.id)), resource.communityPosts(one(params.id))],
    }),
    memberCount: cacheRoute({ cache, ttl: '5m', tags: (req) => [resource.communityMembers(one(req.params.id))] }),
    communityActivity: cacheRoute({
      cache,
      ttl: '5m',
      tags: ({ params }) => [resource.communityPosts(one(params.id)), resource.communityMembers(one(params.id))],
    }),
    user: cacheRoute({ cache, ttl: '1h', tags: (req) => [resource.user(one(req.params.id))] }),
    userProfile: cacheRoute({
      cache,
      ttl: '2h',
      tags: ({ params }) => [
        resource.user(one(params.id)),
        resource.userPosts(one(params.id)),
        resource.userMemberships(one(params.id)),
      ],
    }),
    userPosts: cacheRoute({
      cache,
      ttl: '5m',
      tags: ({ params }) => [resource.user(one(params.id)), resource.userPosts(one(params.id))],
    }),
    questionList: cacheRoute({ cache, ttl: '10m', tags: (req: Request) => statusesOf(req.query.status) }),
    trendingQuestions: cacheRoute({ cache, ttl: '5m', tags: [resource.recentVotes] }),
    question: cacheRoute({ cache, ttl: '10m', tags: (req) => [resource.question(one(req.params.id))] }),
    questionResults: cacheRoute({
      cache,
      ttl: '30s',
      tags: ({ params }) => [resource.question(one(params.id)), resource.questionVotes(one(params.id))],
    }),
  }
}

/** The same routes without a cache, to compare with. */
export function uncachedPolicies(): Policies {
  const never = cacheRoute(false)
  return {
    communityList: never,
    trendingCommunities: never,
    community: never,
    communityPosts: never,
    memberCount: never,
    communityActivity: never,
    user: never,
    userProfile: never,
    userPosts: never,
    questionList: never,
    trendingQuestions: never,
    question: never,
    questionResults: never,
  }
}

/** An unfiltered list depends on every category. */
function categoriesOf(category: unknown): string[] {
  return (isGiven(category) ? [category] : CATEGORIES).map(resource.category)
}

function statusesOf(status: unknown): string[] {
  return (isGiven(status) ? [status] : QUESTION_STATUSES).map(resource.questionsWith)
}

function isGiven(parameter: unknown): parameter is string {
  return typeof parameter === 'string' && parameter !== ''
}

/** A parameter that the route pattern guarantees to be there once. */
function one(parameter: string | readonly string[] | undefined): string {
  return String(parameter)
}
