import type { WarmProgress } from './events.ts'
import type { Awaitable } from './stores/store.ts'

/**
 * One run of warming: the entries of a source are taken in its order, several at a time. A run can be given up at any time, and the
 * next one goes on where it stopped, because what is fresh already is passed over.
 */

/** Names what to warm, the most important first. A function is called once for each run. */
export type WarmSource<I> = readonly I[] | (() => Awaitable<Iterable<I> | AsyncIterable<I>>)

/** What became of one entry: loaded and kept, there already, or loaded in vain. */
export type Warmed = 'warmed' | 'fresh' | 'unkept'

export interface WarmFailure {
  /** Absent where the source itself failed. */
  readonly key?: string
  readonly error: unknown
}

/** Why nothing was warmed: somebody is at it, it was done within the interval, or Redis cannot be used. */
export type WarmSkip = 'running' | 'recent' | 'away'

/** What a run has done. */
export interface WarmReport {
  /** Entries that the source has named so far. */
  readonly total: number
  /** Loaded and kept. */
  readonly warmed: number
  /** There already, or brought by somebody else meanwhile. */
  readonly fresh: number
  /** Loaded, but nothing was kept: the loader brought undefined, or a write came in between. */
  readonly unkept: number
  readonly failures: number
  /** The first 100 failures. */
  readonly failed: readonly WarmFailure[]
  readonly elapsedMs: number
  /** It ended before the source did: run it again, and it goes on. */
  readonly interrupted: boolean
  readonly skipped?: WarmSkip
}

export interface WarmRun<I> {
  readonly source: WarmSource<I>
  readonly concurrency: number
  /** Ends it. */
  readonly signal: AbortSignal
  /** Whether what is loaded now can be kept. */
  readonly isUsable: () => boolean
  readonly warm: (item: I) => Promise<Warmed>
  readonly onProgress: (progress: Omit<WarmProgress, 'name'>) => void
  readonly monotonic: () => number
}

const MAX_FAILED = 100
/** Progress is told no more often than this (ms). */
const PROGRESS_EVERY_MS = 250
/** After so long (ms) in which nothing but entries that are fresh came, others get their turn. */
const BUSY_MS = 5

/** Warm all that a source names. Never rejects. */
export async function warmAll<I>(run: WarmRun<I>): Promise<WarmReport> {
  return new Run(run).report()
}

/** The report of a run that did not take place. */
export function skippedRun(skipped: WarmSkip): WarmReport {
  const nothing = { total: 0, warmed: 0, fresh: 0, unkept: 0, failures: 0, failed: [], elapsedMs: 0 }
  return { ...nothing, interrupted: skipped !== 'recent', skipped }
}

class Run<I> {
  readonly #run: WarmRun<I>
  readonly #startedAt: number
  readonly #counts = { warmed: 0, fresh: 0, unkept: 0 }
  readonly #failed: WarmFailure[] = []
  #total = 0
  #failures = 0
  #iterator: Iterator<I> | AsyncIterator<I> | undefined
  /** The entry that is being asked for; one after the other. */
  #pulling: Promise<unknown> = Promise.resolve()
  #isExhausted = false
  /** The source has failed, or what comes cannot be kept. */
  #isBroken = false
  #toldAt: number
  #restedAt: number

  constructor(run: WarmRun<I>) {
    this.#run = run
    this.#startedAt = run.monotonic()
    this.#toldAt = this.#startedAt
    this.#restedAt = this.#startedAt
  }

  async report(): Promise<WarmReport> {
    await untilAborted(this.#work(), this.#run.signal)
    const interrupted = !this.#isExhausted || this.#isBroken || this.#run.signal.aborted
    if (interrupted) this.#letGo()
    const { warmed, fresh, unkept } = this.#counts
    const [failures, failed] = [this.#failures, [...this.#failed]]
    const elapsedMs = Math.round(this.#run.monotonic() - this.#startedAt)
    this.#tell(true)
    return { total: this.#total, warmed, fresh, unkept, failures, failed, elapsedMs, interrupted }
  }

  async #work(): Promise<void> {
    const { source, signal } = this.#run
    if (signal.aborted) return
    try {
      this.#iterator = iteratorOf(typeof source === 'function' ? await source() : source)
    } catch (error) {
      this.#break(error)
      return
    }
    await Promise.all(Array.from({ length: this.#run.concurrency }, () => this.#serve()))
  }

  /** One of those who work side by side. */
  async #serve(): Promise<void> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      await this.#settle(next.item)
      await this.#rest()
    }
  }

  #next(): Promise<{ readonly item: I } | undefined> {
    const next = this.#pulling.then(() => this.#pull())
    this.#pulling = next
    return next
  }

  async #pull(): Promise<{ readonly item: I } | undefined> {
    const { signal, isUsable } = this.#run
    if (this.#isExhausted || this.#isBroken || signal.aborted) return undefined
    if (!isUsable()) {
      this.#isBroken = true
      return undefined
    }
    try {
      const next = await this.#iterator?.next()
      if (signal.aborted) return undefined
      if (next === undefined || next.done === true) {
        this.#isExhausted = true
        return undefined
      }
      this.#total++
      return { item: next.value }
    } catch (error) {
      this.#break(error)
      return undefined
    }
  }

  async #settle(item: I): Promise<void> {
    try {
      this.#counts[await this.#run.warm(item)]++
    } catch (error) {
      this.#fail({ key: keyOf(item), error })
    }
    if (this.#run.monotonic() - this.#toldAt >= PROGRESS_EVERY_MS) this.#tell(false)
  }

  /** Entries that are in memory are passed over without a pause: requests are not to wait for thousands of them. */
  async #rest(): Promise<void> {
    if (this.#run.monotonic() - this.#restedAt < BUSY_MS) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#restedAt = this.#run.monotonic()
  }

  #break(error: unknown): void {
    this.#isBroken = true
    this.#fail({ error })
  }

  #fail(failure: WarmFailure): void {
    this.#failures++
    if (this.#failed.length < MAX_FAILED) this.#failed.push(failure)
  }

  /** Whoever makes the entries is told that no more are wanted; how that ends concerns nobody. */
  #letGo(): void {
    const close = async (): Promise<void> => {
      await this.#iterator?.return?.()
    }
    close().catch(() => {})
  }

  #tell(ended: boolean): void {
    const { source, monotonic, onProgress } = this.#run
    this.#toldAt = monotonic()
    const { warmed, fresh, unkept } = this.#counts
    const failures = this.#failures
    onProgress({
      done: warmed + fresh + unkept + failures,
      total: Array.isArray(source) ? source.length : ended && this.#isExhausted ? this.#total : undefined,
      warmed,
      fresh,
      unkept,
      failures,
      elapsedMs: Math.round(this.#toldAt - this.#startedAt),
      ended,
    })
  }
}

function iteratorOf<I>(items: Iterable<I> | AsyncIterable<I>): Iterator<I> | AsyncIterator<I> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
}

/** Items come from applications: this one may be anything. */
function keyOf(item: unknown): string {
  return String((item as { readonly key?: unknown } | undefined)?.key)
}

/** Wait for work that never rejects, but no longer than nobody has called it off. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  let onAbort: () => void = () => {}
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve
  })
  signal.addEventListener('abort', onAbort, { once: true })
  await Promise.race([work, aborted])
  signal.removeEventListener('abort', onAbort)
}
