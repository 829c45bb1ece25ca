import { Router } from 'express'
import { idParameter, optionalTextField } from '../../shared/parameters.ts'
import { found } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import { postRepository } from '../repositories/posts.ts'
import { write } from './answer.ts'

const MAX_TITLE = 100
const MAX_BODY = 2_000

/** `/posts/:id`: editing and deleting one post. */
export function postRoutes({ database }: { database: CommunityDatabase }): Router {
  const posts = postRepository(database)
  const router = Router()

  router.patch(
    '/posts/:id',
    write((req) => {
      const post = found(posts.find(idParameter(req, 'id')), 'post')
      const title = optionalTextField(req, 'title', MAX_TITLE)
      const body = optionalTextField(req, 'body', MAX_BODY)
      return posts.update(post, { ...(title !== undefined && { title }), ...(body !== undefined && { body }) })
    }),
  )

  router.delete(
    '/posts/:id',
    write((req) => posts.remove(found(posts.find(idParameter(req, 'id')), 'post'))),
  )

  return router
}
