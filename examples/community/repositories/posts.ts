import type { Change, CommunityDatabase } from '../database/database.ts'
import { resource } from '../resources.ts'

export interface Post {
  readonly id: number
  readonly communityId: number
  readonly communityName: string
  readonly authorId: number
  readonly authorName: string
  readonly title: string
  readonly body: string
  readonly score: number
  readonly createdAt: number
}

export type PostSort = 'new' | 'top'

export interface PostRepository {
  readonly ofCommunity: (filter: {
    readonly community: number
    readonly sort: PostSort
    readonly page: number
  }) => readonly Post[]
  readonly ofUser: (user: number) => readonly Post[]
  readonly find: (id: number) => Post | undefined
  readonly create: (post: {
    readonly communityId: number
    readonly authorId: number
    readonly title: string
    readonly body: string
  }) => Change & { readonly id: number }
  readonly update: (post: Post, fields: { readonly title?: string; readonly body?: string }) => Change
  readonly remove: (post: Post) => Change
}

export const POSTS_PER_PAGE = 20

const SELECT = `SELECT p.id, p.community_id AS communityId, c.name AS communityName, p.author_id AS authorId, u.name AS authorName,
  p.title, p.body, p.score, p.created_at AS createdAt
  FROM posts p JOIN users u ON u.id = p.author_id JOIN communities c ON c.id = p.community_id`

const ORDER: Readonly<Record<PostSort, string>> = { new: 'p.id DESC', top: 'p.score DESC, p.id DESC' }

/** The SQL of posts. */
export function postRepository(database: CommunityDatabase): PostRepository {
  return {
    ofCommunity({ community, sort, page }) {
      return database.all<Post>(
        `${SELECT} WHERE p.community_id = ? ORDER BY ${ORDER[sort]} LIMIT ${POSTS_PER_PAGE} OFFSET ?`,
        [community, (page - 1) * POSTS_PER_PAGE],
      )
    },

    ofUser(user) {
      return database.all<Post>(`${SELECT} WHERE p.author_id = ? ORDER BY p.id DESC LIMIT ${POSTS_PER_PAGE}`, [user])
    },

    find(id) {
      return database.get<Post>(`${SELECT} WHERE p.id = ?`, [id])
    },

    create({ communityId, authorId, title, body }) {
      let id = 0
      const change = database.change(() => {
        id = database.run(
          `INSERT INTO posts (community_id, author_id, title, body, score, created_at) VALUES (?, ?, ?, ?, 0, unixepoch())`,
          [communityId, authorId, title, body],
        ).id
        return listsWith({ communityId, authorId })
      })
      return { ...change, id }
    },

    update({ id, ...old }, { title = old.title, body = old.body }) {
      return database.change(() => {
        database.run('UPDATE posts SET title = ?, body = ? WHERE id = ?', [title, body, id])
        return [resource.post(id)]
      })
    },

    remove(post) {
      return database.change(() => {
        database.run('DELETE FROM posts WHERE id = ?', [post.id])
        return [resource.post(post.id), ...listsWith(post)]
      })
    },
  }
}

/** What changes when a post comes or goes. */
function listsWith({ communityId, authorId }: Pick<Post, 'communityId' | 'authorId'>): readonly string[] {
  return [resource.communityPosts(communityId), resource.userPosts(authorId), resource.recentPosts]
}
