import type { Change, CommunityDatabase } from '../database/database.ts'
import { resource } from '../resources.ts'

export interface User {
  readonly id: number
  readonly name: string
  readonly bio: string
  readonly joinedAt: number
}

export interface Profile extends User {
  readonly posts: number
  readonly score: number
  readonly communities: readonly { readonly id: number; readonly name: string }[]
}

export interface UserRepository {
  readonly find: (id: number) => User | undefined
  readonly profile: (user: User) => Profile
  readonly update: (user: User, fields: { readonly name?: string; readonly bio?: string }) => Change
}

/** How many communities a profile names. */
const COMMUNITIES_SHOWN = 50

/** The SQL of users. */
export function userRepository(database: CommunityDatabase): UserRepository {
  return {
    find(id) {
      return database.get<User>('SELECT id, name, bio, joined_at AS joinedAt FROM users WHERE id = ?', [id])
    },

    profile(user) {
      const written = database.get<{ posts: number; score: number }>(
        'SELECT count(*) AS posts, coalesce(sum(score), 0) AS score FROM posts WHERE author_id = ?',
        [user.id],
      )
      const communities = database.all<{ id: number; name: string }>(
        `SELECT c.id, c.name FROM memberships m JOIN communities c ON c.id = m.community_id
         WHERE m.user_id = ? ORDER BY c.id LIMIT ${COMMUNITIES_SHOWN}`,
        [user.id],
      )
      return { ...user, posts: written?.posts ?? 0, score: written?.score ?? 0, communities }
    },

    update({ id, ...old }, { name = old.name, bio = old.bio }) {
      return database.change(() => {
        database.run('UPDATE users SET name = ?, bio = ? WHERE id = ?', [name, bio, id])
        return [resource.user(id)]
      })
    },
  }
}
