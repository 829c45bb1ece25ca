import sqlite from 'node-sqlite3-wasm'
import { type FileLockOptions, lockFile } from './file-lock.ts'

export type SqlValue = number | string | null | Uint8Array

export interface SqlDatabaseOptions extends FileLockOptions {
  /**
   * The schema as a list of steps. A database remembers in `user_version` how many it has had, so that a step, once released,
   * is never edited: the next change is appended.
   */
  readonly migrations: readonly string[]
  /** Apply only the first so many of them. @default all */
  readonly upTo?: number
  /** False does not wait for the disk: for data that are thrown away. @default true */
  readonly durable?: boolean
}

/**
 * One SQLite file, opened by one process at a time. Everything is synchronous: a handler that reads twice sees one state.
 * @throws when a process that lives has the file open
 */
export class SqlDatabase {
  readonly file: string
  readonly #connection: sqlite.Database
  readonly #statements = new Map<string, sqlite.Statement>()
  readonly #release: () => void
  #queries = 0

  constructor(file: string, { migrations, upTo = migrations.length, durable = true, ...lock }: SqlDatabaseOptions) {
    this.file = file
    this.#release = lockFile(file, lock)
    try {
      this.#connection = new sqlite.Database(file)
    } catch (error) {
      this.#release()
      throw error
    }
    try {
      // A log that is written ahead, in the hands of one process: the only journal that this build of SQLite reads after a
      // process was killed in the middle of a commit.
      this.#connection.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA cache_size = -32768')
      if (!durable) this.#connection.exec('PRAGMA synchronous = OFF')
      this.#migrate(migrations, upTo)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Statements run since the database was opened, transaction control and `script` apart. */
  get queries(): number {
    return this.#queries
  }

  all<Row>(sql: string, values: SqlValue[] = []): readonly Row[] {
    this.#queries += 1
    return this.#prepare(sql).all(values) as Row[]
  }

  get<Row>(sql: string, values: SqlValue[] = []): Row | undefined {
    return this.all<Row>(sql, values)[0]
  }

  run(sql: string, values: SqlValue[] = []): { readonly changes: number; readonly id: number } {
    this.#queries += 1
    const { changes, lastInsertRowid } = this.#prepare(sql).run(values)
    return { changes, id: Number(lastInsertRowid) }
  }

  /** Run statements that make or fill the schema, uncounted. */
  script(sql: string): void {
    this.#connection.exec(sql)
  }

  /** Run `work` in a transaction: all of it or nothing. */
  transaction<T>(work: () => T): T {
    this.#connection.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#connection.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    if (!this.#connection.isOpen) return
    for (const statement of this.#statements.values()) finalize(statement)
    this.#statements.clear()
    this.#connection.close()
    this.#release()
  }

  #prepare(sql: string): sqlite.Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#connection.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #migrate(migrations: readonly string[], upTo: number): void {
    const version = Number(this.#connection.get('PRAGMA user_version')?.user_version ?? 0)
    if (version > migrations.length) {
      throw new Error(
        `${this.file} was made by a newer version of this example (schema ${version}); delete it to start over.`,
      )
    }
    for (let step = version; step < upTo; step++) {
      this.transaction(() => this.#connection.exec(`${migrations[step]}; PRAGMA user_version = ${step + 1}`))
    }
  }
}

function finalize(statement: sqlite.Statement): void {
  try {
    statement.finalize()
  } catch {
    // It tells once more why its last run failed, which its caller has heard.
  }
}
