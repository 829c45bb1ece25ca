import { Router } from 'express'
import { cachePolicy } from '../../../middleware/index.ts'
import {
  choiceParameter,
  idField,
  idParameter,
  optionalTextField,
  pageParameter,
  textField,
} from '../../shared/parameters.ts'
import { found, RequestProblem } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import { CATEGORIES } from '../database/words.ts'
import type { Policies } from '../policies.ts'
import { type CommunitySort, communityRepository } from '../repositories/communities.ts'
import { type PostSort, postRepository } from '../repositories/posts.ts'
import { userRepository } from '../repositories/users.ts'
import { resource } from '../resources.ts'
import { read, write } from './answer.ts'

const COMMUNITY_SORTS: readonly CommunitySort[] = ['popular', 'newest', 'name']
const POST_SORTS: readonly PostSort[] = ['new', 'top']
const MAX_NAME = 100
const MAX_TEXT = 2_000

/** `/communities`: lists, trending, posts, members and activity. */
export function communityRoutes({ database, policies }: { database: CommunityDatabase; policies: Policies }): Router {
  const communities = communityRepository(database)
  const posts = postRepository(database)
  const users = userRepository(database)
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
      answer: (_req, res) => {
        const trending = communities.trending()
        cachePolicy(res).tag(...trending.map(({ id }) => resource.community(id)))
        return { communities: trending }
      },
    }),
  )

  router.get(
    '/communities/:id',
    policies.community,
    read({
      database,
      route: 'GET /communities/:id',
      answer: (req) => ({ community: found(communities.find(idParameter(req, 'id')), 'community') }),
    }),
  )

  router.get(
    '/communities/:id/posts',
    policies.communityPosts,
    read({
      database,
      route: 'GET /communities/:id/posts',
      answer: (req, res) => {
        const { id } = found(communities.find(idParameter(req, 'id')), 'community')
        const sort = choiceParameter(req, 'sort', POST_SORTS) ?? 'new'
        const page = pageParameter(req)
        const rows = posts.ofCommunity({ community: id, sort, page })
        cachePolicy(res).tag(...rows.flatMap((post) => [resource.post(post.id), resource.user(post.authorId)]))
        return { page, posts: rows }
      },
    }),
  )

  router.get(
    '/communities/:id/members/count',
    policies.memberCount,
    read({
      database,
      route: 'GET /communities/:id/members/count',
      answer: (req) => {
        const { id } = found(communities.find(idParameter(req, 'id')), 'community')
        return { community: id, members: communities.countMembers(id) }
      },
    }),
  )

  router.get(
    '/communities/:id/activity',
    policies.communityActivity,
    read({
      database,
      route: 'GET /communities/:id/activity',
      answer: (req, res) => {
        const { id } = found(communities.find(idParameter(req, 'id')), 'community')
        const activity = communities.activity(id)
        const shown = [...activity.contributors, ...activity.newestMembers]
        cachePolicy(res).tag(...shown.map((user) => resource.user(user.id)))
        return { community: id, ...activity }
      },
    }),
  )

  router.patch(
    '/communities/:id',
    write((req) => {
      const community = found(communities.find(idParameter(req, 'id')), 'community')
      const name = optionalTextField(req, 'name', MAX_NAME)
      const description = optionalTextField(req, 'description', MAX_TEXT)
      return communities.update(community, {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
      })
    }),
  )

  router.post(
    '/communities/:id/posts',
    write((req, res) => {
      const community = found(communities.find(idParameter(req, 'id')), 'community')
      const authorId = idField(req, 'authorId')
      if (!users.exists(authorId)) throw new RequestProblem(400, '"authorId" is nobody.')
      const title = textField(req, 'title', MAX_NAME)
      const body = textField(req, 'body', MAX_TEXT)
      res.status(201)
      return posts.create({ communityId: community.id, authorId, title, body })
    }),
  )

  router.post(
    '/communities/:id/members',
    write((req, res) => {
      const community = found(communities.find(idParameter(req, 'id')), 'community')
      const userId = idField(req, 'userId')
      if (!users.exists(userId)) throw new RequestProblem(400, '"userId" is nobody.')
      const change = communities.join(community.id, userId)
      if (change.touched.length > 0) res.status(201)
      return change
    }),
  )

  router.delete(
    '/communities/:id/members/:userId',
    write((req) => {
      const community = found(communities.find(idParameter(req, 'id')), 'community')
      return communities.leave(community.id, idParameter(req, 'userId'))
    }),
  )

  return router
}
