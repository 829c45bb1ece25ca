import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import type { Told } from './messages.ts'

/** One arrival of an update. */
export interface Arrival extends Told {
  /** Whether it changed the row. */
  readonly applied: boolean
  /** Epoch ms. */
  readonly at: number
}

export interface DatabaseOptions {
  /** Whether an update compares versions. */
  readonly isGuarded: boolean
  /** Which share of the updates fails at first. */
  readonly failures: number
}

interface JournalRow extends Omit<Arrival, 'applied'> {
  readonly applied: number
}

const SCHEMA = `
  PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF;
  CREATE TABLE rows (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL);
  CREATE TABLE journal (seq INTEGER PRIMARY KEY, key TEXT, version INTEGER, value TEXT, applied INTEGER, at INTEGER);
`
const UPSERT =
  'INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value'
const NEWER_ONLY = ' WHERE version < excluded.version'

/** The database behind the queue, which no fault reaches, with a journal of what has arrived. */
export class JournalDatabase {
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'cachewell-behind-'))
  readonly #connection: sqlite.Database
  readonly #upsert: sqlite.Statement
  readonly #note: sqlite.Statement
  readonly #read: sqlite.Statement
  readonly #failures: number

  constructor({ isGuarded, failures }: DatabaseOptions) {
    this.#connection = new sqlite.Database(join(this.#directory, 'rows.db'))
    this.#connection.exec(SCHEMA)
    this.#upsert = this.#connection.prepare(isGuarded ? UPSERT + NEWER_ONLY : UPSERT)
    this.#note = this.#connection.prepare(
      'INSERT INTO journal (key, version, value, applied, at) VALUES (?, ?, ?, ?, ?)',
    )
    this.#read = this.#connection.prepare('SELECT value FROM rows WHERE key = ?')
    this.#failures = failures
  }

  load(key: string): string | null {
    const row = this.#read.get([key]) as { value: string } | undefined
    return row?.value ?? null
  }

  /** @throws now and then */
  save({ key, version, value }: Told): void {
    if (Math.random() < this.#failures) throw new Error('The database is busy')
    this.#connection.exec('BEGIN')
    const { changes } = this.#upsert.run([key, version, value])
    this.#note.run([key, version, value, changes, Date.now()])
    this.#connection.exec('COMMIT')
  }

  /** In the order of arrival. */
  journal(): readonly Arrival[] {
    const rows = this.#connection.all('SELECT key, version, value, applied, at FROM journal ORDER BY seq')
    return (rows as unknown as readonly JournalRow[]).map((row) => ({ ...row, applied: row.applied === 1 }))
  }

  rows(): readonly Told[] {
    return this.#connection.all('SELECT key, version, value FROM rows') as unknown as readonly Told[]
  }

  close(): void {
    for (const statement of [this.#upsert, this.#note, this.#read]) statement.finalize()
    this.#connection.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
