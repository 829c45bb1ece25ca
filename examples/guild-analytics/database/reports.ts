import type { Id } from '../../../strategies/index.ts'
import type { SqlDatabase } from '../../shared/sql-database.ts'
import type { Turns } from '../../shared/turns.ts'

/** What a report is about. */
export interface ReportOf {
  readonly guildId: Id
  /** How far back: one of `PERIODS`. */
  readonly since: Id
}

export interface Report<Row> extends ReportOf {
  /** How many events were recorded when this was read. */
  readonly asOf: number
  readonly rows: readonly Row[]
}

interface Member {
  readonly id: string
  readonly name: string
}

/** Undefined for a guild that nobody belongs to. */
type ReportReader<Row> = (of: ReportOf) => Report<Row> | undefined

export interface Reports {
  /** Members who began to write and sent nothing. */
  readonly ghosts: ReportReader<Member>
  /** Members who were there and wrote nothing. */
  readonly lurkers: ReportReader<Member>
  /** Messages by weekday (0 is Sunday) and hour, UTC. */
  readonly heatmap: ReportReader<{ readonly weekday: number; readonly hour: number; readonly messages: number }>
  /** Members of each role, whatever the time. */
  readonly roles: ReportReader<{ readonly role: string; readonly members: number }>
  /** Members by the client they were seen with. */
  readonly clients: ReportReader<{ readonly client: string; readonly members: number }>
  /** Members seen in each quarter of the day, UTC. */
  readonly shifts: ReportReader<{ readonly fromHour: number; readonly members: number }>
}

const DAYS: ReadonlyMap<string, number> = new Map([
  ['1d', 1],
  ['7d', 7],
  ['30d', 30],
])

/** How far back a report may look. */
export const PERIODS: readonly string[] = [...DAYS.keys()]

/** Members of a guild (?1) who did the one within the last seconds (?2), and wrote nothing. */
const silent = (table: 'typings' | 'presences'): string => `SELECT user_id AS id, name FROM members WHERE guild_id = ?1
  AND user_id IN (SELECT user_id FROM ${table} WHERE guild_id = ?1 AND at >= unixepoch() - ?2)
  AND user_id NOT IN (SELECT user_id FROM messages WHERE guild_id = ?1 AND at >= unixepoch() - ?2)
  ORDER BY user_id LIMIT 100`

/** The SQL of the reports; each reads one state of the database. */
export function guildReports(database: Turns): Reports {
  const report =
    <Row>(sql: string): ReportReader<Row> =>
    ({ guildId, since }) =>
      database((connection) => {
        if (connection.get('SELECT 1 FROM members WHERE guild_id = ? LIMIT 1', [String(guildId)]) === undefined)
          return undefined
        const rows = connection.all<Row>(sql, [String(guildId), (DAYS.get(String(since)) ?? 0) * 86_400])
        return { guildId, since, asOf: recorded(connection), rows }
      })
  return {
    ghosts: report(silent('typings')),
    lurkers: report(silent('presences')),
    heatmap: report(
      `SELECT CAST(strftime('%w', at, 'unixepoch') AS INTEGER) AS weekday, at / 3600 % 24 AS hour, count(*) AS messages
       FROM messages WHERE guild_id = ?1 AND at >= unixepoch() - ?2 GROUP BY weekday, hour ORDER BY weekday, hour`,
    ),
    roles: report(
      'SELECT role, count(*) AS members FROM roles WHERE guild_id = ?1 AND ?2 >= 0 GROUP BY role ORDER BY role',
    ),
    clients: report(
      `SELECT client, count(DISTINCT user_id) AS members FROM presences
       WHERE guild_id = ?1 AND at >= unixepoch() - ?2 GROUP BY client ORDER BY client`,
    ),
    shifts: report(
      `SELECT at / 3600 % 24 / 6 * 6 AS fromHour, count(DISTINCT user_id) AS members FROM presences
       WHERE guild_id = ?1 AND at >= unixepoch() - ?2 GROUP BY fromHour ORDER BY fromHour`,
    ),
  }
}

/** How many events have been recorded. */
export function recorded(connection: SqlDatabase): number {
  return connection.get<{ value: number }>(`SELECT value FROM meta WHERE name = 'recorded'`)?.value ?? 0
}
