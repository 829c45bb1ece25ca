import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { below, type Random, seededRandom } from '../../shared/random.ts'
import { UNCACHED } from '../app.ts'
import { type Change, CommunityDatabase, type RouteCost } from '../database/database.ts'
import { prepareScratch } from '../database/prepare.ts'
import type { SeedProgress, SeedSize } from '../database/seed.ts'
import { Checker } from './checker.ts'
import { startChild } from './child.ts'
import { Client, type ClientResponse } from './client.ts'
import { type ReadTarget, type Shape, type Step, shapeOf, trafficMix } from './mix.ts'
import type { ServerOrder } from './server.ts'

export interface TrafficOptions {
  /** Where the seed is, or is made. */
  readonly directory: string
  readonly size?: SeedSize
  readonly requests: number
  readonly seed: number
  readonly concurrency: number
  /** The share of writes among the requests. */
  readonly writes: number
  readonly redis?: string | undefined
  /** False runs the demo without its invalidation, which must be found out. @default true */
  readonly invalidation?: boolean
  readonly onSeed?: SeedProgress
  readonly onProgress?: (done: number, total: number, note: string) => void
  readonly signal?: AbortSignal
}

export interface Latencies {
  readonly count: number
  /** Milliseconds. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface TrafficReport {
  readonly requests: number
  readonly reads: number
  readonly writes: number
  readonly urls: number
  readonly seed: number
  readonly concurrency: number
  readonly redis: boolean
  readonly elapsedMs: number
  /** Percent of the reads. */
  readonly hitRate: number
  readonly hits: Latencies
  readonly misses: Latencies
  readonly queries: {
    readonly withCache: number
    /** The same writes, and every read at the average cost of its route's handler runs. */
    readonly withoutCache: number
    /** Percent. */
    readonly down: number
  }
  /** Bodies compared with what the database says, while nothing was written. */
  readonly compared: number
  readonly wrong: number
  readonly errors: number
  /** The first few of what was wrong or failed. */
  readonly findings: readonly string[]
}

/** How often the run pauses to compare bodies with the database, and how many each time. */
const PAUSES = 10
const COMPARED_PER_PAUSE = 50
/** Few at once: the database works on the server's thread, and these reads are the expensive ones. */
const COMPARING_AT_ONCE = 4
const MAX_FINDINGS = 10

/** Start the demo on a copy of the seed, send it the traffic, check every body, and tell. */
export async function runTraffic(options: TrafficOptions): Promise<TrafficReport> {
  const { directory, size, redis, onSeed, invalidation = true } = options
  const scratch = prepareScratch({
    directory,
    ...(size !== undefined && { size }),
    ...(onSeed !== undefined && { onProgress: onSeed }),
  })
  try {
    const shape = readShape(scratch.file)
    const order: ServerOrder = { file: scratch.file, redis, invalidation }
    const server = await startChild<{ port: number }>(new URL('./server.ts', import.meta.url), order)
    const client = new Client({ port: server.reply.port, connections: options.concurrency })
    try {
      return await new TrafficRun({ options, shape, client }).report()
    } finally {
      client.close()
      await server.stop()
    }
  } finally {
    scratch.remove()
  }
}

function readShape(file: string): Shape {
  const database = new CommunityDatabase(file)
  try {
    return shapeOf(database)
  } finally {
    database.close()
  }
}

interface QueryCounts {
  readonly queries: number
  readonly routes: Readonly<Record<string, RouteCost>>
}

class TrafficRun {
  readonly #options: TrafficOptions
  readonly #client: Client
  readonly #mix: ReturnType<typeof trafficMix>
  readonly #random: Random
  readonly #checker = new Checker()
  readonly #hits: RecordableHistogram = createHistogram()
  readonly #misses: RecordableHistogram = createHistogram()
  readonly #readsByRoute = new Map<string, number>()
  readonly #urls = new Set<string>()
  readonly #findings: string[] = []
  #sent = 0
  #writes = 0
  #compared = 0
  #wrong = 0
  #errors = 0

  constructor({ options, shape, client }: { options: TrafficOptions; shape: Shape; client: Client }) {
    this.#options = options
    this.#client = client
    this.#mix = trafficMix({ shape, seed: options.seed, writes: options.writes })
    this.#random = seededRandom(options.seed + 1)
  }

  async report(): Promise<TrafficReport> {
    const { requests, seed, concurrency, redis } = this.#options
    const startedAt = process.hrtime.bigint()
    for (let pause = 1; pause <= PAUSES; pause++) {
      await this.#sendUntil(Math.floor((requests * pause) / PAUSES))
      if (pause < PAUSES) await this.#compareSample()
    }
    const elapsedMs = Number((process.hrtime.bigint() - startedAt) / 1_000_000n)
    const queries = this.#judgeQueries(await this.#queryCounts())
    const { reads, writes, urls } = {
      reads: this.#hits.count + this.#misses.count,
      writes: this.#writes,
      urls: this.#urls.size,
    }
    const hitRate = percent(this.#hits.count, reads)
    const [hits, misses] = [latencies(this.#hits), latencies(this.#misses)]
    // Last, and in no figure but this one: every URL of the mix.
    await this.#compare(this.#mix.targets)
    return {
      requests: this.#sent,
      reads,
      writes,
      urls,
      seed,
      concurrency,
      redis: redis !== undefined && redis !== '',
      elapsedMs,
      hitRate,
      hits,
      misses,
      queries,
      compared: this.#compared,
      wrong: this.#wrong,
      errors: this.#errors,
      findings: this.#findings,
    }
  }

  /** Keep every connection busy until so many requests were sent, then wait for the last answers. */
  async #sendUntil(count: number): Promise<void> {
    const worker = async (): Promise<void> => {
      while (this.#sent < count) {
        this.#options.signal?.throwIfAborted()
        this.#sent += 1
        await this.#take(this.#mix.next())
        this.#tellProgress()
      }
    }
    await Promise.all(Array.from({ length: this.#options.concurrency }, worker))
  }

  async #take(step: Step): Promise<void> {
    if (step.kind === 'read') {
      await this.#read(step.target)
      return
    }
    this.#writes += 1
    const response = await this.#send(step.request)
    if (response === undefined) return
    const result = JSON.parse(response.body.toString()) as Change & { readonly id?: number }
    this.#checker.acknowledge(result)
    if (step.createsPost && result.id !== undefined) this.#mix.created(result.id)
  }

  async #read(target: ReadTarget): Promise<unknown> {
    const begunAt = this.#checker.beginRead()
    const response = await this.#send({ method: 'GET', path: target.path })
    if (response === undefined) return undefined
    this.#urls.add(target.path)
    this.#readsByRoute.set(target.route, (this.#readsByRoute.get(target.route) ?? 0) + 1)
    const latency = response.hit ? this.#hits : this.#misses
    latency.record(Math.max(1, response.elapsedMicros))
    const body: unknown = JSON.parse(response.body.toString())
    const complaint = this.#checker.judge({ target, body, begunAt })
    if (complaint !== undefined) {
      this.#wrong += 1
      this.#find(complaint)
    }
    return body
  }

  /** The answer where it is a 2xx; anything else is counted as an error. */
  async #send(request: Parameters<Client['send']>[0]): Promise<ClientResponse | undefined> {
    try {
      const response = await this.#client.send(request)
      if (response.status >= 200 && response.status < 300) return response
      this.#find(`${request.method} ${request.path}: ${response.status} ${response.body.toString().slice(0, 200)}`)
    } catch (error) {
      this.#find(`${request.method} ${request.path}: ${String(error)}`)
    }
    this.#errors += 1
    return undefined
  }

  async #compareSample(): Promise<void> {
    const { targets } = this.#mix
    const sample = Array.from(
      { length: COMPARED_PER_PAUSE },
      () => targets[below(this.#random, targets.length)] as ReadTarget,
    )
    await this.#compare(sample)
  }

  /**
   * While nothing is written, what the cache answers must be what the database says, apart from the number in `asOf`. Finds
   * what the checker cannot: a dependency that nobody has stated.
   */
  async #compare(targets: readonly ReadTarget[]): Promise<void> {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < targets.length) {
        this.#options.signal?.throwIfAborted()
        await this.#compareOne((targets[next++] as ReadTarget).path)
      }
    }
    await Promise.all(Array.from({ length: COMPARING_AT_ONCE }, worker))
  }

  async #compareOne(path: string): Promise<void> {
    const cached = await this.#send({ method: 'GET', path })
    const fresh = await this.#send({ method: 'GET', path: `${UNCACHED}${path}` })
    if (cached === undefined || fresh === undefined) return
    this.#compared += 1
    if (contentOf(cached) === contentOf(fresh)) return
    this.#wrong += 1
    this.#find(`${path}: differs from what the database says`)
  }

  async #queryCounts(): Promise<QueryCounts> {
    const response = await this.#client.send({ method: 'GET', path: '/demo/queries' })
    return JSON.parse(response.body.toString()) as QueryCounts
  }

  #judgeQueries({ queries, routes }: QueryCounts): TrafficReport['queries'] {
    let withCache = queries
    let saved = 0
    for (const [route, { runs, queries: spent }] of Object.entries(routes)) {
      if (route.endsWith(UNCACHED)) withCache -= spent
      else saved += ((this.#readsByRoute.get(route) ?? 0) * spent) / runs - spent
    }
    const withoutCache = Math.round(withCache + saved)
    return { withCache, withoutCache, down: percent(withoutCache - withCache, withoutCache) }
  }

  #find(finding: string): void {
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(finding)
  }

  #tellProgress(): void {
    if (this.#sent % 500 !== 0) return
    const rate = percent(this.#hits.count, this.#hits.count + this.#misses.count).toFixed(1)
    const note = `hit rate ${rate} %, wrong ${this.#wrong}, errors ${this.#errors}`
    this.#options.onProgress?.(this.#sent, this.#options.requests, note)
  }
}

/** The body without the number that says when it was made. */
function contentOf(response: ClientResponse): string {
  return response.body.toString().replace(/^\{"asOf":\d+,/, '{')
}

function latencies(histogram: RecordableHistogram): Latencies {
  const at = (percentile: number): number => (histogram.count === 0 ? 0 : histogram.percentile(percentile) / 1_000)
  return { count: histogram.count, p50: at(50), p95: at(95), p99: at(99) }
}

/** With two decimals; 0 of nothing. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part * 10_000) / whole) / 100
}
