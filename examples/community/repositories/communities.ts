import type { SqlValue } from '../../shared/sql-database.ts'
import type { Change, CommunityDatabase } from '../database/database.ts'
import { resource } from '../resources.ts'

export interface Community {
  readonly id: number
  readonly name: string
  readonly category: string
  readonly description: string
  readonly popularity: number
  readonly createdAt: number
}

export interface TrendingCommunity {
  readonly id: number
  readonly name: string
  readonly posts: number
  readonly score: number
}

export interface Activity {
  readonly weeks: readonly { readonly startsAt: number; readonly posts: number }[]
  readonly contributors: readonly { readonly id: number; readonly name: string; readonly posts: number }[]
  readonly newestMembers: readonly { readonly id: number; readonly name: string }[]
}

export type CommunitySort = 'popular' | 'newest' | 'name'

export interface CommunityRepository {
  readonly list: (filter: {
    readonly category: string | undefined
    readonly sort: CommunitySort
    readonly page: number
  }) => { readonly total: number; readonly communities: readonly Community[] }
  readonly trending: () => readonly TrendingCommunity[]
  readonly find: (id: number) => Community | undefined
  readonly countMembers: (id: number) => number
  readonly hasMember: (id: number, user: number) => boolean
  readonly activity: (id: number) => Activity
  readonly update: (community: Community, fields: { readonly name?: string; readonly description?: string }) => Change
  readonly join: (community: number, user: number) => Change
  readonly leave: (community: number, user: number) => Change
}

export const COMMUNITIES_PER_PAGE = 20
/** How many of the newest posts decide what is trending. */
const TRENDING_WINDOW = 5_000
const WEEK = 604_800

const COLUMNS = 'id, name, category, description, popularity, created_at AS createdAt'

const ORDER: Readonly<Record<CommunitySort, string>> = {
  popular: 'popularity DESC, id',
  newest: 'created_at DESC, id',
  name: 'name, id',
}

/** The SQL of communities and their members. */
export function communityRepository(database: CommunityDatabase): CommunityRepository {
  return {
    list({ category, sort, page }) {
      const where = category === undefined ? '' : 'WHERE category = ?'
      const values: SqlValue[] = category === undefined ? [] : [category]
      const total =
        database.get<{ total: number }>(`SELECT count(*) AS total FROM communities ${where}`, values)?.total ?? 0
      const communities = database.all<Community>(
        `SELECT ${COLUMNS} FROM communities ${where} ORDER BY ${ORDER[sort]} LIMIT ${COMMUNITIES_PER_PAGE} OFFSET ?`,
        [...values, (page - 1) * COMMUNITIES_PER_PAGE],
      )
      return { total, communities }
    },

    trending() {
      return database.all<TrendingCommunity>(
        `SELECT c.id, c.name, count(*) AS posts, sum(p.score) AS score
         FROM (SELECT community_id, score FROM posts ORDER BY id DESC LIMIT ${TRENDING_WINDOW}) p
         JOIN communities c ON c.id = p.community_id
         GROUP BY c.id ORDER BY posts DESC, c.id LIMIT 20`,
      )
    },

    find(id) {
      return database.get<Community>(`SELECT ${COLUMNS} FROM communities WHERE id = ?`, [id])
    },

    countMembers(id) {
      const sql = 'SELECT count(*) AS members FROM memberships WHERE community_id = ?'
      return database.get<{ members: number }>(sql, [id])?.members ?? 0
    },

    hasMember(id, user) {
      const sql = 'SELECT 1 FROM memberships WHERE community_id = ? AND user_id = ?'
      return database.get(sql, [id, user]) !== undefined
    },

    activity(id) {
      return {
        weeks: database.all(
          `SELECT created_at / ${WEEK} * ${WEEK} AS startsAt, count(*) AS posts FROM posts
           WHERE community_id = ? GROUP BY startsAt ORDER BY startsAt DESC LIMIT 12`,
          [id],
        ),
        contributors: database.all(
          `SELECT u.id, u.name, p.posts
           FROM (SELECT author_id, count(*) AS posts FROM posts WHERE community_id = ?
                 GROUP BY author_id ORDER BY posts DESC, author_id LIMIT 5) p
           JOIN users u ON u.id = p.author_id ORDER BY p.posts DESC, u.id`,
          [id],
        ),
        newestMembers: database.all(
          `SELECT u.id, u.name
           FROM (SELECT user_id, joined_at FROM memberships WHERE community_id = ?
                 ORDER BY joined_at DESC, user_id LIMIT 5) m
           JOIN users u ON u.id = m.user_id ORDER BY m.joined_at DESC, u.id`,
          [id],
        ),
      }
    },

    update({ id, category, ...old }, { name = old.name, description = old.description }) {
      return database.change(() => {
        database.run('UPDATE communities SET name = ?, description = ? WHERE id = ?', [name, description, id])
        return [resource.community(id), resource.category(category)]
      })
    },

    join(community, user) {
      return database.change(() => {
        const sql = 'INSERT INTO memberships VALUES (?, ?, unixepoch()) ON CONFLICT DO NOTHING'
        return database.run(sql, [community, user]).changes === 0 ? [] : membership(community, user)
      })
    },

    leave(community, user) {
      return database.change(() => {
        const sql = 'DELETE FROM memberships WHERE community_id = ? AND user_id = ?'
        return database.run(sql, [community, user]).changes === 0 ? [] : membership(community, user)
      })
    },
  }
}

function membership(community: number, user: number): readonly string[] {
  return [resource.communityMembers(community), resource.userMemberships(user)]
}
