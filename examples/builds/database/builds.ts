import type { SqlDatabase } from '../../shared/sql-database.ts'

export interface Build {
  readonly id: number
  readonly class: string
  readonly title: string
  readonly guide: string
  readonly authorId: number
  readonly likes: number
}

/** A line of a list: a build without its guide. */
export type Listing = Omit<Build, 'guide'>

export interface BuildClass {
  readonly name: string
  readonly builds: number
}

export interface BuildRepository {
  readonly list: (filter: { readonly class: string | undefined; readonly page: number }) => readonly Listing[]
  readonly find: (id: number) => Build | undefined
  readonly classes: () => readonly BuildClass[]
  readonly writtenBy: (user: number) => readonly Listing[]
  readonly likedBy: (user: number) => readonly Listing[]
  readonly create: (build: Pick<Build, 'class' | 'title' | 'guide' | 'authorId'>) => number
  readonly update: (id: number, fields: { readonly title: string; readonly guide: string }) => void
  readonly remove: (id: number) => void
  /** False where this user has liked it already. */
  readonly like: (id: number, user: number) => boolean
}

export const CLASSES: readonly string[] = ['duelist', 'marauder', 'ranger', 'shadow', 'templar', 'witch']

const PER_PAGE = 20
const COLUMNS = 'id, class, title, author_id AS authorId, likes'

/** The SQL of builds and likes. */
export function buildRepository(database: SqlDatabase): BuildRepository {
  return {
    list({ class: name, page }) {
      return database.all(
        `SELECT ${COLUMNS} FROM builds ${name === undefined ? '' : 'WHERE class = ?'}
         ORDER BY likes DESC, id LIMIT ${PER_PAGE} OFFSET ?`,
        [...(name === undefined ? [] : [name]), (page - 1) * PER_PAGE],
      )
    },
    find: (id) => database.get(`SELECT ${COLUMNS}, guide FROM builds WHERE id = ?`, [id]),
    classes: () => database.all('SELECT class AS name, count(*) AS builds FROM builds GROUP BY class ORDER BY class'),
    writtenBy: (user) => database.all(`SELECT ${COLUMNS} FROM builds WHERE author_id = ? ORDER BY id DESC`, [user]),
    likedBy(user) {
      return database.all(
        `SELECT ${COLUMNS} FROM likes l JOIN builds b ON b.id = l.build_id WHERE l.user_id = ? ORDER BY id DESC`,
        [user],
      )
    },
    create({ class: name, title, guide, authorId }) {
      const sql = 'INSERT INTO builds (class, title, guide, author_id) VALUES (?, ?, ?, ?)'
      return database.run(sql, [name, title, guide, authorId]).id
    },
    update(id, { title, guide }) {
      database.run('UPDATE builds SET title = ?, guide = ? WHERE id = ?', [title, guide, id])
    },
    remove(id) {
      database.transaction(() => {
        database.run('DELETE FROM likes WHERE build_id = ?', [id])
        database.run('DELETE FROM builds WHERE id = ?', [id])
      })
    },
    like(id, user) {
      return database.transaction(() => {
        const isNew = database.run('INSERT INTO likes VALUES (?, ?) ON CONFLICT DO NOTHING', [user, id]).changes > 0
        if (isNew) database.run('UPDATE builds SET likes = likes + 1 WHERE id = ?', [id])
        return isNew
      })
    },
  }
}
