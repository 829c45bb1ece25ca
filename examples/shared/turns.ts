import { SqlDatabase, type SqlDatabaseOptions } from './sql-database.ts'

/** How long a process waits for its turn, such as while another fills the database. */
const PATIENCE_MS = 10_000

/** Runs a piece of work on a database that this process has to itself meanwhile. */
export type Turns = <T>(work: (database: SqlDatabase) => T) => T

/**
 * A database file that several processes use by turns: each turn opens it, and closes it again, which takes about a
 * millisecond. That is what it costs to share a file that survives a killed process where SQLite is compiled to WebAssembly;
 * a cache in front pays it once per lifetime.
 * @throws (the returned function) when another process does not end its turn in time
 */
export function byTurns(file: string, options: SqlDatabaseOptions): Turns {
  return (work) => {
    const database = new SqlDatabase(file, { patienceMs: PATIENCE_MS, ...options })
    try {
      return work(database)
    } finally {
      database.close()
    }
  }
}
