import { below, pick, seededRandom } from '../../shared/random.ts'
import type { SqlDatabase } from '../../shared/sql-database.ts'
import { CLASSES } from './builds.ts'

const BUILDS = 600
const USERS = 200
const LIKES = 4_000
const STYLES: readonly string[] = ['Frost', 'Blade', 'Storm', 'Poison', 'Summoner', 'Shield']

/** Fill an empty database with builds that are the same on every machine. */
export function seedBuilds(database: SqlDatabase): void {
  if (database.get('SELECT 1 FROM builds LIMIT 1') !== undefined) return
  const random = seededRandom(1)
  database.transaction(() => {
    for (let build = 1; build <= BUILDS; build++) {
      const style = pick(random, STYLES)
      database.run('INSERT INTO builds (class, title, guide, author_id) VALUES (?, ?, ?, ?)', [
        pick(random, CLASSES),
        `${style} build ${build}`,
        `Take everything that says ${style}, then level. `.repeat(40),
        1 + below(random, USERS),
      ])
    }
    for (let like = 0; like < LIKES; like++) {
      // The first builds are liked the most.
      const values = [1 + below(random, USERS), 1 + Math.floor(BUILDS * random() ** 2)]
      database.run('INSERT INTO likes VALUES (?, ?) ON CONFLICT DO NOTHING', values)
    }
    database.run('UPDATE builds SET likes = (SELECT count(*) FROM likes WHERE build_id = id)')
  })
}
