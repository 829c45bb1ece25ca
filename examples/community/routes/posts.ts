import { Router } from 'express'
import { community } from '../../../strategies/index.ts'
import { idParameter, optionalTextField } from '../../shared/parameters.ts'
import { found } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import { postRepository } from '../repositories/posts.ts'
import { site } from '../site.ts'
import { happened, write } from './answer.ts'

const MAX_TITLE = 100
const MAX_BODY = 2_000

/** `/posts/:postId`: editing and deleting one post. */
export function postRoutes({ database }: { database: CommunityDatabase }): Router {
  const posts = postRepository(database)
  const router = Router()

  router.patch(
    '/posts/:postId',
    write((req, res) => {
      const post = found(posts.find(idParameter(req, 'postId')), 'post')
      const title = optionalTextField(req, 'title', MAX_TITLE)
      const body = optionalTextField(req, 'body', MAX_BODY)
      // Narrower than `postUpdated` of the domain: no list changes, only the pages that show this post.
      happened(res, site.events.postEdited({ postId: post.id }))
      return posts.update(post, { ...(title !== undefined && { title }), ...(body !== undefined && { body }) })
    }),
  )

  router.delete(
    '/posts/:postId',
    write((req, res) => {
      const post = found(posts.find(idParameter(req, 'postId')), 'post')
      happened(
        res,
        community.events.postDeleted({ communityId: post.communityId }),
        site.events.postsOfUserChanged({ userId: post.authorId }),
      )
      return posts.remove(post)
    }),
  )

  return router
}
