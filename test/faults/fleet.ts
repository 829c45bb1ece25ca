import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { History } from './history.ts'
import {
  ACK_FIELDS,
  type Counts,
  type Report,
  RUN_FIELDS,
  SOURCES,
  type WorkerMessage,
  type WorkerSettings,
} from './messages.ts'

/** What of its settings a process of a fleet has for itself. */
export type Seat = Pick<WorkerSettings, 'redis' | 'memory' | 'http' | 'clockOffsetMs'>

export interface FleetOptions {
  readonly seats: readonly Seat[]
  readonly common: Pick<WorkerSettings, 'authority' | 'leaseMs' | 'writeEveryMs' | 'mayClear'>
  readonly seed: number
  readonly history: History
}

/** A process that reads and writes through a cache of its own. */
export interface Worker {
  readonly name: string
  /** Let it stand still, with all it knows. */
  pause(): void
  resume(): void
}

/** Longer than a process takes to start on a busy machine (ms). */
const START_MS = 30_000

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
const OFFSET_CLOCK = new URL('offset-clock.ts', import.meta.url).href

/** Processes that share a Redis; what they report goes into one history. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #workers: (Member | undefined)[]
  readonly #counts = { memory: 0, redis: 0, fallback: 0, origin: 0, http: 0, rejected: 0, failed: 0 }
  /** What went wrong outside of the caches: this run proves nothing. */
  readonly failures: string[] = []
  #started = 0

  constructor(options: FleetOptions) {
    this.#options = options
    this.#workers = options.seats.map(() => undefined)
  }

  get counts(): Counts {
    return this.#counts
  }

  get workers(): readonly Worker[] {
    return this.#workers.filter((worker) => worker !== undefined)
  }

  /** Start all processes; resolves when they read. */
  async start(): Promise<void> {
    await Promise.all(this.#options.seats.map((_, seat) => this.#fill(seat)))
  }

  /** Kill a process without a word and start another in its place. */
  async replace(seat: number): Promise<void> {
    await this.#workers[seat]?.kill()
    await this.#fill(seat)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map(async (worker) => worker?.kill()))
  }

  async #fill(seat: number): Promise<void> {
    const { seats, common, seed } = this.#options
    const own = seats[seat] as Seat
    const number = this.#started++
    const name = `${seat}.${number}`
    const settings = { ...common, ...own, name, seed: seed + number, share: seat, shares: seats.length }
    const member = new Member(settings, {
      onReport: (report) => this.#record(name, report),
      onFailure: (error) => this.failures.push(`process ${name}: ${error}`),
    })
    this.#workers[seat] = member
    await member.started
  }

  #record(process: string, { runs, acknowledged, counts }: Report): void {
    const { history } = this.#options
    for (let at = 0; at < acknowledged.length; at += ACK_FIELDS) {
      const [key = 0, version = 0, instant = 0] = acknowledged.subarray(at, at + ACK_FIELDS)
      history.acknowledge({ key, version, at: instant, process })
    }
    for (let at = 0; at < runs.length; at += RUN_FIELDS) {
      const [key = 0, version = 0, firstAt = 0, lastAt = 0, count = 0, source = 0] = runs.subarray(at, at + RUN_FIELDS)
      history.read({ key, version, firstAt, lastAt, count, process, source: SOURCES[source] ?? '' })
    }
    for (const name of Object.keys(counts) as (keyof Counts)[]) this.#counts[name] += counts[name]
  }
}

interface Hooks {
  readonly onReport: (report: Report) => void
  readonly onFailure: (error: string) => void
}

class Member implements Worker {
  readonly name: string
  readonly started: Promise<void>
  readonly #child: ChildProcess
  #isKilled = false

  constructor(settings: WorkerSettings, { onReport, onFailure }: Hooks) {
    this.name = settings.name
    this.#child = fork(WORKER, [JSON.stringify(settings)], {
      execArgv: ['--import', 'tsx', '--import', OFFSET_CLOCK],
      env: { ...process.env, CLOCK_OFFSET_MS: String(settings.clockOffsetMs) },
      serialization: 'advanced',
    })
    this.started = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`Process ${this.name} has not started`)), START_MS)
      this.#child.on('message', (message: WorkerMessage) => {
        if (message.kind === 'report') onReport(message)
        else if (message.kind === 'failed') onFailure(message.error)
        else {
          clearTimeout(late)
          resolve()
        }
      })
      this.#child.on('exit', () => {
        clearTimeout(late)
        if (this.#isKilled) resolve()
        else onFailure('it has ended by itself')
      })
    })
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    this.#isKilled = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
