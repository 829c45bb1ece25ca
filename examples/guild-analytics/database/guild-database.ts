import { byTurns, type Turns } from '../../shared/turns.ts'
import { MIGRATIONS } from './migrations.ts'
import { seedGuilds } from './seed.ts'

/** The guilds' database: the bot records into it, the web process reads from it, by turns. Whoever comes first fills it. */
export function guildDatabase(file: string): Turns {
  const database = byTurns(file, { migrations: MIGRATIONS })
  seedGuilds(database)
  return database
}
