import { byTurns, type Turns } from '../../shared/turns.ts'
import { MIGRATIONS } from './migrations.ts'

/** The guilds' database: the bot records into it, the web process reads from it, by turns. */
export function guildDatabase(file: string): Turns {
  return byTurns(file, { migrations: MIGRATIONS })
}
