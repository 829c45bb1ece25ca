import { exchange } from '../../support/http-client.ts'
import { isHit } from '../../support/sharing.ts'
import type { AppAnswers, AppOptions } from './app.ts'
import { type BreakableRedis, type Breakdown } from './breakdowns.ts'
import { type Companion, sharedNow, startCompanion } from './companion.ts'
import { type Figure, quantile } from './figures.ts'
import type { LoadAnswers, Sample } from './load.ts'

/** Requests per second to each application. */
const RATE = 500
/** What is compiled later is slow once, and that is not what is measured. */
const WARM_UP_MS = 3_000
const BEFORE_MS = 700
const BROKEN_MS = 2_500
const AFTER_MS = 500
/** How long what was sent before the breaker opened may still be under way (ms). */
const DRAIN_MS = 100
/** A machine on which a typical request without a cache takes so long (ms) is too busy to measure anything. */
const BUSY_MS = 5
const MAX_ATTEMPTS = 3
/** How long a recovery is waited for (ms). */
const PATIENCE_MS = 5_000

/** The deadline of a command, and 5 ms. */
const READ_BAR_MS = 55
const OPEN_BAR_MS = 1_000
const AFTERWARDS_BAR_MS = 2
/** A machine that stands still for a moment spoils one slice (ms) of many. */
const SLICE_MS = 250
/** Twice the lease; what else a write takes is told by the noise. */
const WRITE_BAR_MS = 800
const RECOVERY_BAR_MS = 1_000
const WARNINGS_BAR_MS = 10_000

interface Subject {
  readonly name: string
  readonly port: number
  readonly app: Companion<AppAnswers>
}

/** Applications on one Redis, one without any cache to compare with, and the load on all of them. */
export class Scene {
  readonly #redis: BreakableRedis
  readonly #subjects: readonly Subject[]
  readonly #reference: Subject
  readonly #load: Companion<LoadAnswers>

  private constructor(redis: BreakableRedis, subjects: readonly Subject[], load: Companion<LoadAnswers>) {
    const [reference, ...others] = subjects as [Subject, ...Subject[]]
    this.#redis = redis
    this.#reference = reference
    this.#subjects = others
    this.#load = load
  }

  /** Start the applications, on Redis itself or behind the proxy. */
  static async start(redis: BreakableRedis, url: string): Promise<Scene> {
    const [load, ...subjects] = await Promise.all([
      startCompanion<LoadAnswers>(new URL('load.ts', import.meta.url)),
      startSubject('no cache', {}),
      startSubject('memory and Redis', { redis: url }),
      startSubject('Redis only', { redis: url, memory: false }),
    ])
    const scene = new Scene(redis, subjects, load)
    for (const subject of scene.#subjects) await firstHit(subject, PATIENCE_MS)
    await load.ask('start', { ports: subjects.map(({ port }) => port), rate: RATE })
    await sleep(WARM_UP_MS)
    return scene
  }

  /** Break Redis for a while and measure what became of the requests; once more where the machine was too busy to tell. */
  async suffer(breakdown: Breakdown): Promise<readonly Figure[]> {
    for (let attempt = 1; ; attempt++) {
      const { figures, noise } = await this.#measure(breakdown)
      if (noise.p50 < BUSY_MS || attempt === MAX_ATTEMPTS) return figures
      console.log(
        `\n${breakdown.name}: measured again, without a cache the typical read took ${noise.p50.toFixed(1)} ms`,
      )
    }
  }

  async #measure(breakdown: Breakdown): Promise<{ readonly figures: readonly Figure[]; readonly noise: Noise }> {
    await sleep(BEFORE_MS)
    await this.#load.ask('take')
    const brokenAt = sharedNow()
    await breakdown.inject(this.#redis)
    await sleep(BROKEN_MS - (sharedNow() - brokenAt))
    const health = await Promise.all(this.#subjects.map(({ app }) => app.ask('health')))
    const healingAt = sharedNow()
    await breakdown.heal(this.#redis)
    const healedAt = sharedNow()
    const recoveries = await Promise.all(this.#subjects.map((subject) => firstHit(subject, PATIENCE_MS)))
    await sleep(AFTER_MS)
    const samples = await this.#load.ask('take')
    const noise = this.#noise(samples, brokenAt, healingAt)
    const figures: Figure[] = [...noise.figures]
    for (const [index, subject] of this.#subjects.entries()) {
      const { name, app, port } = subject
      const own = samples.filter((sample) => sample.port === port)
      const opened = await openedAfter(app, brokenAt, healingAt)
      const recovered = recoveries[index] ?? Number.NaN
      figures.push(
        { what: `${name}: requests`, value: own.length, unit: '', atLeast: RATE },
        {
          what: `${name}: errors${kindsOf(own)}`,
          value: own.filter(({ failure }) => failure !== undefined).length,
          unit: '',
          atMost: 0,
        },
        ...(breakdown.isOutage
          ? this.#outage(name, own, { brokenAt, opened, healingAt, noise })
          : this.#impairment(name, own, { brokenAt, opened: brokenAt, healingAt, noise })),
        {
          what: `${name}: recovery, first hit in Redis`,
          value: recovered - healedAt,
          unit: 'ms',
          atMost: RECOVERY_BAR_MS,
        },
        ...(breakdown.isOutage ? [degradation(name, health[index], await app.ask('health'))] : []),
      )
    }
    return { figures, noise }
  }

  /** Everything that is still under way, and what no process may have done. */
  async end(): Promise<readonly Figure[]> {
    const samples = await this.#load.ask('stop')
    const failed = samples.filter(({ failure, port }) => failure !== undefined && port !== this.#reference.port)
    const figures: Figure[] = [
      { what: 'errors and hanging requests at the end', value: failed.length, unit: '', atMost: 0 },
    ]
    for (const { name, app } of this.#subjects) {
      const [rejections, warnings] = [await app.ask('rejections'), await app.ask('warnings')]
      figures.push(
        { what: `${name}: unhandled rejections`, value: rejections.length, unit: '', atMost: 0 },
        {
          what: `${name}: warnings (${warnings.length}), time between`,
          value: closest(warnings),
          unit: 'ms',
          atLeast: WARNINGS_BAR_MS,
        },
      )
    }
    await this.stop()
    return figures
  }

  async stop(): Promise<void> {
    await Promise.all([this.#load, this.#reference.app, ...this.#subjects.map(({ app }) => app)].map((it) => it.end()))
  }

  /** What the application without a cache shows at the same time is not the cache's. */
  #noise(samples: readonly Sample[], from: number, to: number): Noise {
    const reads = readsOf(samples, { port: this.#reference.port, from, to })
    const [p50, p99] = [quantile(timesOf(reads), 0.5), slicedP99(reads)]
    return {
      p50,
      p99,
      max: Math.max(...timesOf(reads)),
      figures: [
        { what: 'no cache: reads, p50', value: p50, unit: 'ms' },
        { what: 'no cache: reads, p99', value: p99, unit: 'ms' },
      ],
    }
  }

  #outage(name: string, own: readonly Sample[], { brokenAt, opened, healingAt, noise }: Outage): readonly Figure[] {
    const until = timesOf(readsOf(own, { from: brokenAt, to: opened }))
    return [
      { what: `${name}: breaker opens after`, value: opened - brokenAt, unit: 'ms', atMost: OPEN_BAR_MS },
      {
        what: `${name}: reads until then (${until.length}), max added`,
        value: Math.max(noise.p50, ...until) - noise.p50,
        unit: 'ms',
        atMost: READ_BAR_MS + 2 * noise.p99,
      },
      ...this.#impairment(name, own, { brokenAt, opened: opened + DRAIN_MS, healingAt, noise }),
    ]
  }

  #impairment(name: string, own: readonly Sample[], { brokenAt, opened, healingAt, noise }: Outage): readonly Figure[] {
    const reads = readsOf(own, { from: opened, to: healingAt })
    const writes = timesOf(own.filter(({ isWrite, dueAt }) => isWrite && dueAt >= brokenAt && dueAt < healingAt))
    return [
      {
        what: `${name}: reads afterwards (${reads.length}), p99 added`,
        value: slicedP99(reads) - noise.p99,
        unit: 'ms',
        atMost: AFTERWARDS_BAR_MS + noise.p99,
      },
      {
        what: `${name}: writes (${writes.length}), max`,
        value: Math.max(...writes),
        unit: 'ms',
        atMost: WRITE_BAR_MS + 50 + noise.max,
      },
    ]
  }
}

interface Noise {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly figures: readonly Figure[]
}

interface Outage {
  readonly brokenAt: number
  readonly opened: number
  readonly healingAt: number
  readonly noise: Noise
}

async function startSubject(name: string, options: AppOptions): Promise<Subject> {
  const app = await startCompanion<AppAnswers>(new URL('app.ts', import.meta.url), options)
  return { name, app, port: await app.ask('port') }
}

interface Window {
  readonly port?: number
  readonly from: number
  readonly to: number
}

function readsOf(samples: readonly Sample[], { port, from, to }: Window): readonly Sample[] {
  return samples
    .filter((sample) => port === undefined || sample.port === port)
    .filter(({ isWrite, dueAt }) => !isWrite && dueAt >= from && dueAt < to)
}

function timesOf(samples: readonly Sample[]): readonly number[] {
  return samples.flatMap(({ ms }) => (ms === undefined ? [] : [ms]))
}

/** What went wrong, for people. */
function kindsOf(samples: readonly Sample[]): string {
  const kinds = new Set(samples.flatMap(({ failure }) => failure ?? []))
  return kinds.size === 0 ? '' : ` (${[...kinds].join(', ')})`
}

/** The p99 of the typical slice. */
function slicedP99(samples: readonly Sample[]): number {
  const slices = new Map<number, Sample[]>()
  for (const sample of samples) {
    const slice = Math.floor(sample.dueAt / SLICE_MS)
    slices.set(slice, [...(slices.get(slice) ?? []), sample])
  }
  return quantile(
    [...slices.values()].map((slice) => quantile(timesOf(slice), 0.99)),
    0.5,
  )
}

/** The shortest time between two of these instants. */
function closest(instants: readonly number[]): number {
  return Math.min(...instants.slice(1).map((at, index) => at - (instants[index] ?? at)))
}

/** When the breaker opened; the end of the breakdown where it did not. */
async function openedAfter(app: Companion<AppAnswers>, from: number, to: number): Promise<number> {
  const turns = await app.ask('turns')
  return turns.find(({ kind, at }) => kind === 'degraded' && at >= from && at < to)?.at ?? to
}

let probes = 0

/** When a path nobody has asked for before was first answered from the store (shared ms). */
async function firstHit({ port }: Subject, patienceMs: number): Promise<number> {
  const path = `/probe/${probes++}`
  for (const startedAt = sharedNow(); sharedNow() - startedAt < patienceMs; ) {
    if (isHit(await exchange(port, { path }))) return sharedNow()
    await sleep(10)
  }
  return Number.NaN
}

/** 1 where health told since when and why, and does not any more. */
function degradation(name: string, during: AppAnswers['health'], after: AppAnswers['health']): Figure {
  const told = during?.status === 'warn' && during.degradedSince !== undefined && during.reason !== undefined
  return {
    what: `${name}: health told (${during?.reason?.slice(0, 24)})`,
    value: told && after?.status === 'pass' ? 1 : 0,
    unit: '',
    atLeast: 1,
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
