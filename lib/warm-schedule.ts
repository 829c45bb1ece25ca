import type { Turn, Turns } from './stores/turns.ts'
import { skippedRun, type WarmReport } from './warm-run.ts'

export interface WarmScheduleOptions {
  readonly everyMs: number
  readonly turns: Turns
  /** Resolves when others can be asked, or when there is no sense in waiting for it any longer. */
  readonly ready: () => Promise<boolean>
  /** Warm all of it; never rejects. */
  readonly run: (signal: AbortSignal) => Promise<WarmReport>
  readonly onRun: (report: WarmReport) => void
  readonly monotonic: () => number
}

/** A process that does not say so for this long (ms) is not warming any more: another one goes on. */
export const CLAIM_MS = 5_000
/** How often it says so (ms). */
const RENEW_EVERY_MS = CLAIM_MS / 5
/** After a run in vain the next one comes after this long (ms), then twice as long each time, up to the interval. */
const FIRST_RETRY_MS = 1_000
/** While Redis is away it is looked for this often (ms). */
const LOOK_EVERY_MS = 1_000

/** Warms the same source again and again, for as long as the cache lives: one process at a time, and once for all of them. */
export class WarmSchedule {
  readonly #options: WarmScheduleOptions
  readonly #ending = new AbortController()
  #underWay: Promise<unknown> | undefined
  #isRunning = false
  #timer: NodeJS.Timeout | undefined
  #inVain = 0

  constructor(options: WarmScheduleOptions) {
    this.#options = options
  }

  /** Whether it is this process that warms now. */
  get isRunning(): boolean {
    return this.#isRunning
  }

  /** The first run, if it is due and nobody is at it; the others follow by themselves. */
  async begin(): Promise<WarmReport> {
    const { report, waitMs } = await this.#turn(true)
    if (!this.#ending.signal.aborted) this.#timer = setTimeout(() => void this.begin(), Math.max(1, waitMs)).unref()
    return report
  }

  /** Run it whether it is due or not, unless somebody is at it. */
  async runNow(): Promise<WarmReport> {
    return (await this.#turn(false)).report
  }

  /** End what is under way, so that another process may go on with it. */
  async end(): Promise<void> {
    this.#ending.abort()
    clearTimeout(this.#timer)
    await this.#underWay
  }

  async #turn(isDue: boolean): Promise<Done> {
    if (this.#underWay !== undefined) return { report: skippedRun('running'), waitMs: CLAIM_MS }
    const turn = this.#take(isDue).finally(() => {
      this.#underWay = undefined
    })
    this.#underWay = turn
    return turn
  }

  async #take(isDue: boolean): Promise<Done> {
    const { turns, ready, monotonic } = this.#options
    const turn: Turn = (await ready()) ? await turns.take({ isDue }) : { kind: 'away' }
    switch (turn.kind) {
      case 'away':
        return { report: skippedRun('away'), waitMs: LOOK_EVERY_MS }
      case 'theirs':
        return { report: skippedRun('running'), waitMs: turn.leftMs + 1 }
      case 'done':
        return { report: skippedRun('recent'), waitMs: turn.leftMs + 1 }
      case 'mine': {
        const beganAt = monotonic()
        const report = await this.#run()
        return { report, waitMs: this.#waitAfter(report, monotonic() - beganAt) }
      }
    }
  }

  async #run(): Promise<WarmReport> {
    const { turns, run, onRun } = this.#options
    const lost = new AbortController()
    const renew = async (): Promise<void> => {
      if (!(await turns.keep())) lost.abort()
    }
    const renewal = setInterval(() => void renew(), RENEW_EVERY_MS).unref()
    this.#isRunning = true
    const report = await run(AbortSignal.any([this.#ending.signal, lost.signal]))
    this.#isRunning = false
    clearInterval(renewal)
    onRun(report)
    await turns.end(!report.interrupted)
    return report
  }

  /** Intervals are counted from the beginning of a run. */
  #waitAfter({ interrupted }: WarmReport, elapsedMs: number): number {
    const { everyMs } = this.#options
    this.#inVain = interrupted ? this.#inVain + 1 : 0
    return interrupted ? Math.min(everyMs, FIRST_RETRY_MS * 2 ** (this.#inVain - 1)) : everyMs - elapsedMs
  }
}

/** What has become of a turn, and how long it is until the next one. */
interface Done {
  readonly report: WarmReport
  readonly waitMs: number
}
