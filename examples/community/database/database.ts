import { randomInt } from 'node:crypto'
import { SqlDatabase } from '../../shared/sql-database.ts'
import { MIGRATIONS } from './migrations.ts'

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

/** The demo's SQLite file. `writeSeq`, read beside rows, says which state of the database they belong to. */
export class CommunityDatabase extends SqlDatabase {
  readonly costs: Map<string, RouteCost> = new Map()
  #writeSeq: number

  constructor(file: string, { migrations = MIGRATIONS.length, durable = true }: DatabaseOptions = {}) {
    super(file, { migrations: MIGRATIONS, upTo: migrations, durable })
    this.#writeSeq = this.get<{ value: number }>(`SELECT value FROM meta WHERE name = 'write_seq'`)?.value ?? 0
  }

  /** The number of the last committed write; a body made now contains this one and all before it. */
  get writeSeq(): number {
    return this.#writeSeq
  }

  /** A number of this copy of the data: what another copy has cached must not be taken for this one's. */
  get instance(): number {
    const known = this.get<{ value: number }>(`SELECT value FROM meta WHERE name = 'instance'`)?.value
    if (known !== undefined) return known
    const value = randomInt(2 ** 40)
    this.run(`INSERT INTO meta VALUES ('instance', ?)`, [value])
    return value
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
    const before = this.queries
    const result = reads()
    const cost = this.costs.get(route) ?? { runs: 0, queries: 0 }
    this.costs.set(route, cost)
    cost.runs += 1
    cost.queries += this.queries - before
    return result
  }
}
