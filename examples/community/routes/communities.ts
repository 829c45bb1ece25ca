import { Router } from 'express'
import { cachePolicy } from '../../../middleware/index.ts'
import { community as communityDomain, user as userDomain } from '../../../strategies/index.ts'
import { choiceParameter, idParameter, optionalTextField, pageParameter, textField } from '../../shared/parameters.ts'
import { found } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import { CATEGORIES } from '../database/words.ts'
import type { Policies } from '../policies.ts'
import type { Reads } from '../reads.ts'
import { type CommunitySort, communityRepository } from '../repositories/communities.ts'
import { type PostSort, postRepository } from '../repositories/posts.ts'
import { shown, site } from '../site.ts'
import { happened, read, readValue, write } from './answer.ts'
import { userField } from './user-field.ts'

const COMMUNITY_SORTS: readonly CommunitySort[] = ['popular', 'newest', 'name']
const POST_SORTS: readonly PostSort[] = ['new', 'top']
const MAX_NAME = 100
const MAX_TEXT = 2_000

export interface CommunityRoutesOptions {
  readonly database: CommunityDatabase
  readonly policies: Policies
  readonly reads: Pick<Reads, 'memberCount' | 'user'>
}

/** `/communities`: lists, trending, posts, members and activity. */
export function communityRoutes({ database, policies, reads }: CommunityRoutesOptions): Router {
  const communities = communityRepository(database)
  const posts = postRepository(database)
  const router = Router()

  router.get(
    '/communities',
    policies.communityList,
    read({
      database,
      route: 'GET /communities',
      answer: (req) => {
        const category = choiceParameter(req, 'category', CATEGORIES)
        const sort = choiceParameter(req, 'sort', COMMUNITY_SORTS) ?? 'popular'
        const page = pageParameter(req)
        return { page, ...communities.list({ category, sort, page }) }
      },
    }),
  )

  router.get(
    '/communities/trending',
    policies.trendingCommunities,
    read({
      database,
      route: 'GET /communities/trending',
      answer: () => ({ communities: communities.trending() }),
    }),
  )

  router.get(
    '/communities/:communityId',
    policies.community,
    read({
      database,
      route: 'GET /communities/:communityId',
      answer: (req) => ({ community: found(communities.find(idParameter(req, 'communityId')), 'community') }),
    }),
  )

  router.get(
    '/communities/:communityId/posts',
    policies.communityPosts,
    read({
      database,
      route: 'GET /communities/:communityId/posts',
      answer: (req, res) => {
        const { id } = found(communities.find(idParameter(req, 'communityId')), 'community')
        const sort = choiceParameter(req, 'sort', POST_SORTS) ?? 'new'
        const page = pageParameter(req)
        const rows = posts.ofCommunity({ community: id, sort, page })
        cachePolicy(res).tag(...rows.flatMap((post) => [shown.post(post.id), shown.user(post.authorId)]))
        return { page, posts: rows }
      },
    }),
  )

  router.get(
    '/communities/:communityId/members/count',
    policies.memberCount,
    readValue('community', (req) => reads.memberCount({ communityId: idParameter(req, 'communityId') })),
  )

  router.get(
    '/communities/:communityId/activity',
    policies.communityActivity,
    read({
      database,
      route: 'GET /communities/:communityId/activity',
      answer: (req, res) => {
        const { id } = found(communities.find(idParameter(req, 'communityId')), 'community')
        const activity = communities.activity(id)
        const people = [...activity.contributors, ...activity.newestMembers]
        cachePolicy(res).tag(...people.map(({ id: userId }) => shown.user(userId)))
        return { community: id, ...activity }
      },
    }),
  )

  router.patch(
    '/communities/:communityId',
    write((req, res) => {
      const community = found(communities.find(idParameter(req, 'communityId')), 'community')
      const name = optionalTextField(req, 'name', MAX_NAME)
      const description = optionalTextField(req, 'description', MAX_TEXT)
      happened(
        res,
        communityDomain.events.communityUpdated({ communityId: community.id }),
        site.events.communityOfCategoryChanged(community),
      )
      return communities.update(community, {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
      })
    }),
  )

  router.post(
    '/communities/:communityId/posts',
    write(async (req, res) => {
      const community = found(communities.find(idParameter(req, 'communityId')), 'community')
      const authorId = await userField(req, 'authorId', reads)
      const title = textField(req, 'title', MAX_NAME)
      const body = textField(req, 'body', MAX_TEXT)
      res.status(201)
      happened(
        res,
        communityDomain.events.postCreated({ communityId: community.id }),
        site.events.postsOfUserChanged({ userId: authorId }),
      )
      return posts.create({ communityId: community.id, authorId, title, body })
    }),
  )

  router.post(
    '/communities/:communityId/members',
    write(async (req, res) => {
      const { id: communityId } = found(communities.find(idParameter(req, 'communityId')), 'community')
      const userId = await userField(req, 'userId', reads)
      const change = communities.join(communityId, userId)
      if (change.touched.length === 0) return change
      res.status(201)
      happened(
        res,
        communityDomain.events.memberJoined({ communityId }),
        userDomain.events.roleChanged({ userId, communityId }),
      )
      return change
    }),
  )

  router.delete(
    '/communities/:communityId/members/:userId',
    write((req, res) => {
      const { id: communityId } = found(communities.find(idParameter(req, 'communityId')), 'community')
      const userId = idParameter(req, 'userId')
      const change = communities.leave(communityId, userId)
      if (change.touched.length === 0) return change
      happened(
        res,
        communityDomain.events.memberLeft({ communityId }),
        userDomain.events.roleChanged({ userId, communityId }),
      )
      return change
    }),
  )

  return router
}
