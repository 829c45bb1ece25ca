import { below, pick, type Random, seededRandom, zipfShares } from '../../shared/random.ts'
import type { SqlValue } from '../../shared/sql-database.ts'
import type { Turns } from '../../shared/turns.ts'

/** Guilds 1 to 3, of very different size; the activity of the last 30 days, the same on every machine but for the date. */
const GUILDS = 3
const MEMBERS = 2_000
const MESSAGES = 20_000
const DAY = 86_400

const CLIENTS: readonly string[] = ['desktop', 'mobile', 'web']
const ROLES: readonly string[] = ['admin', 'moderator', 'regular', 'newcomer']

/** Fill an empty database; one that has members is left as it is. */
export function seedGuilds(database: Turns): void {
  database((connection) => {
    if (connection.get('SELECT 1 FROM members LIMIT 1') !== undefined) return
    const random = seededRandom(1)
    const shares = zipfShares(GUILDS)
    const seen = (values: SqlValue[]) =>
      connection.run('INSERT INTO presences VALUES (?, ?, ?, unixepoch() - ?)', values)
    const typed = (values: SqlValue[]) => connection.run('INSERT INTO typings VALUES (?, ?, unixepoch() - ?)', values)
    connection.transaction(() => {
      for (let guild = 1; guild <= GUILDS; guild++) {
        const share = shares[guild - 1] as number
        const members = Math.round(share * MEMBERS)
        for (let user = 1; user <= members; user++) {
          const [guildId, userId] = [String(guild), String(user)]
          connection.run('INSERT INTO members VALUES (?, ?, ?)', [guildId, userId, `Member ${user}`])
          connection.run('INSERT INTO roles VALUES (?, ?, ?)', [guildId, userId, pick(random, ROLES)])
          // One in four was never seen.
          if (below(random, 4) > 0) seen([guildId, userId, pick(random, CLIENTS), ago(random)])
          if (below(random, 3) === 0) typed([guildId, userId, ago(random)])
        }
        for (let message = 0; message < share * MESSAGES; message++) {
          // Few write much, half of the members nothing.
          const user = String(1 + Math.floor((members / 2) * random() ** 3))
          connection.run('INSERT INTO messages VALUES (?, ?, unixepoch() - ?)', [String(guild), user, ago(random)])
        }
      }
    })
  })
}

function ago(random: Random): number {
  return below(random, 30 * DAY)
}
