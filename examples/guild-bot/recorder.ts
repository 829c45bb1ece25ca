import { recorded } from '../guild-analytics/database/reports.ts'
import type { Turns } from '../shared/turns.ts'
import type { GatewayEvent } from './gateway.ts'

/** Write down what has happened; returns its number, which reports that contain it have reached. */
export type Recorder = (event: GatewayEvent) => number

/** The SQL of the bot. */
export function recorder(database: Turns): Recorder {
  return (event) =>
    database((connection) =>
      connection.transaction(() => {
        const { guildId, userId } = event
        connection.run('INSERT INTO members VALUES (?, ?, ?) ON CONFLICT DO NOTHING', [guildId, userId, userId])
        switch (event.type) {
          case 'message':
            connection.run('INSERT INTO messages VALUES (?, ?, unixepoch())', [guildId, userId])
            break
          case 'typing':
            connection.run('INSERT INTO typings VALUES (?, ?, unixepoch())', [guildId, userId])
            break
          case 'presence':
            connection.run('INSERT INTO presences VALUES (?, ?, ?, unixepoch())', [guildId, userId, event.client])
            break
          case 'role':
            connection.run(
              event.isGiven
                ? 'INSERT INTO roles VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
                : 'DELETE FROM roles WHERE guild_id = ? AND user_id = ? AND role = ?',
              [guildId, userId, event.role],
            )
        }
        connection.run(`UPDATE meta SET value = value + 1 WHERE name = 'recorded'`)
        return recorded(connection)
      }),
    )
}
