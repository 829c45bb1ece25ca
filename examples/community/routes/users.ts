import { Router } from 'express'
import { cachePolicy } from '../../../middleware/index.ts'
import { user as userDomain } from '../../../strategies/index.ts'
import { idParameter, optionalTextField } from '../../shared/parameters.ts'
import { found, RequestProblem } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import type { Policies } from '../policies.ts'
import type { Reads } from '../reads.ts'
import { postRepository } from '../repositories/posts.ts'
import { userRepository } from '../repositories/users.ts'
import { shown } from '../site.ts'
import { happened, read, readValue, write } from './answer.ts'
import { callerOf } from './caller.ts'

const MAX_NAME = 100
const MAX_BIO = 1_000

export interface UserRoutesOptions {
  readonly database: CommunityDatabase
  readonly policies: Policies
  readonly reads: Pick<Reads, 'user' | 'permissions'>
}

/** `/users/:userId`: a user, the profile, the newest posts, and what this user may do where. */
export function userRoutes({ database, policies, reads }: UserRoutesOptions): Router {
  const users = userRepository(database)
  const posts = postRepository(database)
  const router = Router()

  router.get(
    '/users/:userId',
    policies.user,
    readValue('user', (req) => reads.user({ userId: idParameter(req, 'userId') })),
  )

  router.get(
    '/users/:userId/communities/:communityId/permissions',
    policies.permissions,
    readValue('community', (req) => {
      const userId = idParameter(req, 'userId')
      if (callerOf(req) !== String(userId)) throw new RequestProblem(403, 'These are not your permissions.')
      return reads.permissions({ userId, communityId: idParameter(req, 'communityId') })
    }),
  )

  router.get(
    '/users/:userId/profile',
    policies.userProfile,
    read({
      database,
      route: 'GET /users/:userId/profile',
      answer: (req, res) => {
        const profile = users.profile(found(users.find(idParameter(req, 'userId')), 'user'))
        cachePolicy(res).tag(shown.postsOf(profile.id), shown.membershipsOf(profile.id))
        cachePolicy(res).tag(...profile.communities.map(({ id }) => shown.community(id)))
        return { profile }
      },
    }),
  )

  router.get(
    '/users/:userId/posts',
    policies.userPosts,
    read({
      database,
      route: 'GET /users/:userId/posts',
      answer: (req, res) => {
        const { id } = found(users.find(idParameter(req, 'userId')), 'user')
        const rows = posts.ofUser(id)
        cachePolicy(res).tag(...rows.flatMap((post) => [shown.post(post.id), shown.community(post.communityId)]))
        return { posts: rows }
      },
    }),
  )

  router.patch(
    '/users/:userId',
    write((req, res) => {
      const user = found(users.find(idParameter(req, 'userId')), 'user')
      const name = optionalTextField(req, 'name', MAX_NAME)
      const bio = optionalTextField(req, 'bio', MAX_BIO)
      happened(res, userDomain.events.userUpdated({ userId: user.id }))
      return users.update(user, { ...(name !== undefined && { name }), ...(bio !== undefined && { bio }) })
    }),
  )

  return router
}
