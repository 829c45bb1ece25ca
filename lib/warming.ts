import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError, show } from './errors.ts'
import { inTime } from './in-time.ts'
import { badOption, readOptions } from './options.ts'
import { OwnTurns, type Turns } from './stores/turns.ts'
import type { Prefetch, Prefill } from './values.ts'
import { checkedItem, readWarmOptions, type WarmItem, type WarmOptions } from './warm-options.ts'
import { skippedRun, type Warmed, type WarmReport, type WarmSource, warmAll } from './warm-run.ts'
import { CLAIM_MS, WarmSchedule } from './warm-schedule.ts'

/** What is told of a warming that has a name. */
export interface WarmStatus {
  readonly name: string
  /** Absent where it is not on schedule in this process. */
  readonly everyMs?: number
  readonly running: boolean
  /** The last run in this process. */
  readonly last?: Omit<WarmReport, 'failed' | 'skipped'> & {
    /** When it ended (ISO 8601). */
    readonly at: string
  }
}

/** Keeps values. */
export interface Shelf {
  prefetch(item: Prefetch): Promise<Warmed>
  prefill(item: Prefill): Promise<Warmed>
}

const DEFAULT_CONCURRENCY = 4
/** Share of a lifetime that is taken off at random at least: what is warmed together does not end together. */
const JITTER = 0.1
/** How long a first connection to Redis is waited for (ms). */
const START_MS = 1_000
/** How many schedules there may be, and of how many names the last run is remembered. */
const MAX_NAMES = 100

/** The warming of one cache: runs, and what is to be run again and again. */
export class Warming {
  readonly #engine: Engine
  readonly #shelf: Shelf
  /** Ends what is under way. */
  readonly #closing = new AbortController()
  readonly #schedules = new Map<string, Scheduled>()
  /** By name, the latest last. */
  readonly #last = new Map<string, NonNullable<WarmStatus['last']>>()

  constructor(engine: Engine, shelf: Shelf) {
    this.#engine = engine
    this.#shelf = shelf
    engine.onClose(async () => {
      const schedules = [...this.#schedules.values()]
      this.#closing.abort()
      await Promise.all(schedules.map(({ schedule }) => schedule.end()))
    })
  }

  /** Warm what a source names, once or on schedule; or what is on schedule under this name, now. Rejects for wrong options only. */
  async warm(source: WarmSource<WarmItem> | string, options: WarmOptions): Promise<WarmReport> {
    if (typeof source === 'string') return this.#runNow(source, options)
    const { name, every, concurrency = DEFAULT_CONCURRENCY, signal } = readWarmOptions(options)
    if (!Array.isArray(source) && typeof source !== 'function') {
      throw badOption('warm', source, 'a list of { key, load }, a function that returns one, or the name of a schedule')
    }
    const ending = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])])
    const plan = { name, source, concurrency }
    if (every !== undefined) return this.#schedule(plan, every, ending)
    const report = await this.#run(plan, ending, (entry) => !isFresh(entry, this.#engine.clock.now()))
    if (name !== undefined) this.#remember(name, report)
    return report
  }

  /** What has a name: on schedule, or run before. */
  stats(): readonly WarmStatus[] {
    return [...new Set([...this.#schedules.keys(), ...this.#last.keys()])].map((name) => {
      const [scheduled, last] = [this.#schedules.get(name), this.#last.get(name)]
      return {
        name,
        ...(scheduled === undefined ? {} : { everyMs: scheduled.everyMs }),
        running: scheduled?.schedule.isRunning ?? false,
        ...(last === undefined ? {} : { last }),
      }
    })
  }

  async #runNow(name: string, options: WarmOptions): Promise<WarmReport> {
    readOptions('warm', options, {})
    const scheduled = this.#schedules.get(name)
    if (scheduled !== undefined) return scheduled.schedule.runNow()
    const known = [...this.#schedules.keys()].map(show).join(', ')
    throw badOption('warm', name, `the name of a schedule (${known === '' ? 'there is none' : known})`)
  }

  #schedule(plan: Plan, everyMs: number, ending: AbortSignal): Promise<WarmReport> {
    const { name } = plan
    if (name === undefined || this.#schedules.has(name) || this.#schedules.size === MAX_NAMES) {
      const fix =
        name === undefined
          ? 'every needs a name, the same in all processes. Give one: { name, every }.'
          : `${show(name)} cannot be scheduled ${this.#schedules.has(name) ? 'twice' : `beside ${MAX_NAMES} others`}.`
      throw new CacheError('ERR_CACHE_BAD_OPTION', `warm: ${fix}`)
    }
    if (ending.aborted) return this.#run(plan, ending, () => true)
    const schedule = new WarmSchedule({
      everyMs,
      turns: this.#turns(name, everyMs),
      ready: () => this.#isLinked(),
      run: (signal) => this.#run(plan, signal, (entry) => this.#endsBefore(entry, everyMs)),
      onRun: (report) => this.#remember(name, report),
      monotonic: () => this.#engine.clock.monotonic(),
    })
    this.#schedules.set(name, { everyMs, schedule })
    ending.addEventListener('abort', () => {
      this.#schedules.delete(name)
      void schedule.end()
    })
    return schedule.begin()
  }

  /** Versions of an application have entries of their own, and warm them themselves. */
  #turns(name: string, everyMs: number): Turns {
    const { redis, version, clock } = this.#engine
    if (redis === undefined) return new OwnTurns({ everyMs, monotonic: () => clock.monotonic() })
    return redis.turns(`${version} ${name}`, { everyMs, claimMs: CLAIM_MS })
  }

  async #run({ name, source, concurrency }: Plan, signal: AbortSignal, isDue: IsDue): Promise<WarmReport> {
    const [engine, shelf] = [this.#engine, this.#shelf]
    // What is loaded while Redis is away can neither be shared nor proven to be right: the source is left alone.
    if (!signal.aborted && !(await this.#isLinked())) return skippedRun('away')
    const asOf = engine.store.asOf()
    const jitter = Math.max(JITTER, engine.lifetimes.jitter)
    return warmAll({
      source,
      concurrency,
      signal,
      isUsable: () => engine.reachable,
      warm: (item) => {
        const { key, load, value, ...rest } = checkedItem(item)
        const options = { jitter, ...rest }
        return load === undefined
          ? shelf.prefill({ key, options, value, isDue, asOf })
          : shelf.prefetch({ key, options, loader: load, isDue })
      },
      onProgress: (progress) => engine.events.emit('warm', { name, ...progress }),
      monotonic: () => engine.clock.monotonic(),
    })
  }

  /**
   * Does an entry end before the next run of a schedule? What lives for less than two intervals is made anew when half of its life is
   * over, so that a run that goes on where another stopped passes over what that has made.
   */
  #endsBefore({ cachedAt, staleAt }: Entry, everyMs: number): boolean {
    return staleAt - this.#engine.clock.now() < Math.min(everyMs, (staleAt - cachedAt) / 2)
  }

  #remember(name: string, { failed: _listed, skipped, ...figures }: WarmReport): void {
    if (skipped !== undefined) return
    this.#last.delete(name)
    this.#last.set(name, { at: new Date(this.#engine.clock.now()).toISOString(), ...figures })
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= MAX_NAMES) break
      this.#last.delete(oldest)
    }
  }

  /** Whether Redis, where there is one, can be used; at the start it gets a moment to connect. */
  async #isLinked(): Promise<boolean> {
    const { redis } = this.#engine
    if (redis === undefined) return true
    await inTime(redis.ready(), START_MS)
    return redis.reachable
  }
}

type IsDue = (entry: Entry) => boolean

interface Plan {
  readonly name: string | undefined
  readonly source: WarmSource<WarmItem>
  readonly concurrency: number
}

interface Scheduled {
  readonly everyMs: number
  readonly schedule: WarmSchedule
}
