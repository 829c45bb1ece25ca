import { type ACK_FIELDS, type RUN_FIELDS, SOURCES, type Source } from './messages.ts'

interface OpenRun {
  version: number
  firstAt: number
  lastAt: number
  count: number
  source: Source
}

/** What one process has read and got acknowledged since its last report; reads with the same result become one run. */
export class Recorder {
  readonly #open = new Map<number, OpenRun>()
  #runs: number[] = []
  #acknowledged: number[] = []

  /** A read that began at `at` has given this version. */
  read(subject: number, version: number, at: number, source: Source): void {
    const run = this.#open.get(subject)
    if (run?.version !== version) {
      if (run !== undefined) this.#close(subject, run)
      this.#open.set(subject, { version, firstAt: at, lastAt: at, count: 1, source })
      return
    }
    // Reads end in another order than they began in.
    run.firstAt = Math.min(run.firstAt, at)
    if (at >= run.lastAt) {
      run.lastAt = at
      run.source = source
    }
    run.count++
  }

  acknowledge(subject: number, version: number, at: number): void {
    const fields: FieldsOf<typeof ACK_FIELDS> = [subject, version, at]
    this.#acknowledged.push(...fields)
  }

  /** Everything since the last call. */
  take(): { readonly runs: Float64Array; readonly acknowledged: Float64Array } {
    for (const [subject, run] of this.#open) this.#close(subject, run)
    this.#open.clear()
    const taken = { runs: Float64Array.from(this.#runs), acknowledged: Float64Array.from(this.#acknowledged) }
    this.#runs = []
    this.#acknowledged = []
    return taken
  }

  #close(subject: number, { version, firstAt, lastAt, count, source }: OpenRun): void {
    const fields: FieldsOf<typeof RUN_FIELDS> = [subject, version, firstAt, lastAt, count, SOURCES.indexOf(source)]
    this.#runs.push(...fields)
  }
}

/** As many numbers as one record has. */
type FieldsOf<N extends number, List extends number[] = []> = List['length'] extends N
  ? List
  : FieldsOf<N, [...List, number]>
