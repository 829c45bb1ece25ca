import { Router } from 'express'
import { cachePolicy } from '../../../middleware/index.ts'
import { idParameter, optionalTextField } from '../../shared/parameters.ts'
import { found } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import type { Policies } from '../policies.ts'
import { postRepository } from '../repositories/posts.ts'
import { userRepository } from '../repositories/users.ts'
import { resource } from '../resources.ts'
import { read, write } from './answer.ts'

const MAX_NAME = 100
const MAX_BIO = 1_000

/** `/users/:id`: a user, the profile, the newest posts. */
export function userRoutes({ database, policies }: { database: CommunityDatabase; policies: Policies }): Router {
  const users = userRepository(database)
  const posts = postRepository(database)
  const router = Router()

  router.get(
    '/users/:id',
    policies.user,
    read({
      database,
      route: 'GET /users/:id',
      answer: (req) => ({ user: found(users.find(idParameter(req, 'id')), 'user') }),
    }),
  )

  router.get(
    '/users/:id/profile',
    policies.userProfile,
    read({
      database,
      route: 'GET /users/:id/profile',
      answer: (req, res) => {
        const profile = users.profile(found(users.find(idParameter(req, 'id')), 'user'))
        cachePolicy(res).tag(...profile.communities.map(({ id }) => resource.community(id)))
        return { profile }
      },
    }),
  )

  router.get(
    '/users/:id/posts',
    policies.userPosts,
    read({
      database,
      route: 'GET /users/:id/posts',
      answer: (req, res) => {
        const { id } = found(users.find(idParameter(req, 'id')), 'user')
        const rows = posts.ofUser(id)
        cachePolicy(res).tag(...rows.flatMap((post) => [resource.post(post.id), resource.community(post.communityId)]))
        return { posts: rows }
      },
    }),
  )

  router.patch(
    '/users/:id',
    write((req) => {
      const user = found(users.find(idParameter(req, 'id')), 'user')
      const name = optionalTextField(req, 'name', MAX_NAME)
      const bio = optionalTextField(req, 'bio', MAX_BIO)
      return users.update(user, { ...(name !== undefined && { name }), ...(bio !== undefined && { bio }) })
    }),
  )

  return router
}
