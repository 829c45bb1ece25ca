import { randomInt } from 'node:crypto'
import { existsSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import sqlite from 'node-sqlite3-wasm'
import { MIGRATIONS } from './migrations.ts'

export type SqlValue = number | string | null

/** What a write did: its number in the order of all writes, and the things whose answers it changed. */
export interface Change {
  readonly writeSeq: number
  readonly touched: readonly string[]
}

/** Queries and runs of one route, for telling what a hit saves. */
export interface RouteCost {
  runs: number
  queries: number
}

export interface DatabaseOptions {
  /** Apply only the first so many migrations. @default all */
  readonly migrations?: number
  /** False does not wait for the disk: for data that are thrown away. @default true */
  readonly durable?: boolean
}

/** Files open in this process; whether another process has one is told by its pid file. */
const openFiles = new Set<string>()

/**
 * One SQLite file, opened by one process at a time. Everything is synchronous: a handler that reads twice sees one state, and
 * `writeSeq` read beside it says which. Counts the statements it runs (transaction control apart).
 * @throws when another process has the file open
 */
export class CommunityDatabase {
  readonly file: string
  readonly costs: Map<string, RouteCost> = new Map()
  readonly #connection: sqlite.Database
  readonly #statements = new Map<string, sqlite.Statement>()
  #writeSeq = 0
  #queries = 0

  constructor(file: string, options: DatabaseOptions = {}) {
    this.file = file
    claim(file)
    this.#connection = new sqlite.Database(file)
    openFiles.add(file)
    try {
      // One process owns the file, so that its lock is taken once and not per query.
      this.#connection.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; PRAGMA cache_size = -32768',
      )
      if (options.durable === false) this.#connection.exec('PRAGMA synchronous = OFF')
      this.#migrate(options.migrations ?? MIGRATIONS.length)
      this.#writeSeq = this.get<{ value: number }>(`SELECT value FROM meta WHERE name = 'write_seq'`)?.value ?? 0
    } catch (error) {
      this.close()
      throw error
    }
    this.#queries = 0
  }

  /** The number of the last committed write; a body made now contains this one and all before it. */
  get writeSeq(): number {
    return this.#writeSeq
  }

  /** Statements run since the database was opened. */
  get queries(): number {
    return this.#queries
  }

  /** A number of this copy of the data: what another copy has cached must not be taken for this one's. */
  get instance(): number {
    const known = this.get<{ value: number }>(`SELECT value FROM meta WHERE name = 'instance'`)?.value
    if (known !== undefined) return known
    const value = randomInt(2 ** 40)
    this.run(`INSERT INTO meta VALUES ('instance', ?)`, [value])
    return value
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

  /**
   * Make one numbered write. `work` returns the names of what it touched; where that is nothing, nothing changed and no number
   * is used up.
   */
  change(work: () => readonly string[]): Change {
    const next = this.#writeSeq + 1
    const touched = this.transaction(() => {
      const names = work()
      if (names.length > 0) this.run(`UPDATE meta SET value = ? WHERE name = 'write_seq'`, [next])
      return names
    })
    if (touched.length > 0) this.#writeSeq = next
    return { writeSeq: this.#writeSeq, touched }
  }

  /** Run the reads of a route and add what they cost to its account. */
  measure<T>(route: string, reads: () => T): T {
    const before = this.#queries
    const result = reads()
    const cost = this.costs.get(route) ?? { runs: 0, queries: 0 }
    this.costs.set(route, cost)
    cost.runs += 1
    cost.queries += this.#queries - before
    return result
  }

  close(): void {
    if (!this.#connection.isOpen) return
    for (const statement of this.#statements.values()) statement.finalize()
    this.#statements.clear()
    this.#connection.close()
    rmSync(`${this.file}.pid`, { force: true })
    openFiles.delete(this.file)
  }

  #prepare(sql: string): sqlite.Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#connection.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #migrate(target: number): void {
    const version = Number(this.#connection.get('PRAGMA user_version')?.user_version ?? 0)
    if (version > MIGRATIONS.length) {
      throw new Error(
        `${this.file} was made by a newer version of this example (schema ${version}); delete it to start over.`,
      )
    }
    for (let step = version; step < target; step++) {
      this.transaction(() => this.#connection.exec(`${MIGRATIONS[step]}; PRAGMA user_version = ${step + 1}`))
    }
  }
}

/**
 * The WASM build locks a file by making a directory beside it, which outlives a killed process. The pid file beside both says
 * whose it was, so that the lock of a dead owner is removed and that of a living one is respected.
 */
function claim(file: string): void {
  const lock = `${file}.lock`
  const owner = `${file}.pid`
  if (openFiles.has(file)) throw new Error(`${file} is already open in this process.`)
  if (existsSync(lock)) {
    const pid = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : 0
    if (pid !== process.pid && isAlive(pid)) {
      throw new Error(`${file} is in use by process ${pid}. Stop it, or set DEMO_DATA to another directory.`)
    }
    rmdirSync(lock)
  }
  writeFileSync(owner, String(process.pid))
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
