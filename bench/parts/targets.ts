import { UNCACHED } from '../../examples/community/app.ts'
import { CommunityDatabase } from '../../examples/community/database/database.ts'
import { prepareScratch } from '../../examples/community/database/prepare.ts'
import { FULL_SIZE, type SeedSize } from '../../examples/community/database/seed.ts'
import { Client, type ClientRequest } from '../../examples/community/traffic/client.ts'
import { type Mix, type Step, shapeOf, trafficMix } from '../../examples/community/traffic/mix.ts'
import { dataDirectory } from '../../examples/shared/program.ts'
import { type Companion, startCompanion } from '../../test/faults/outages/companion.ts'
import { quantile } from '../../test/faults/outages/figures.ts'
import { hasRedisServer, startRedis } from '../../test/support/redis-server.ts'
import { createCache } from '../built.ts'
import type { CommunityAnswers } from '../companions/community.ts'
import { median } from '../compare.ts'
import type { Context } from '../part.ts'
import type { Section, Verdict } from '../section.ts'

const SMALL: SeedSize = { communities: 24, users: 300, posts: 1_500, memberships: 900, questions: 30, votes: 2_000 }

const CONNECTIONS = 8
const WRITES = 0.02
/** Requests of the mix after each URL was asked for once, until misses are those that writes make. */
const SETTLING = 6_000
/** Requests of a slice; slices with and without the cache take turns. */
const SLICE = 300
const SHORT = { settling: 200, slice: 100 } as const

/** Reads and writes of the service. */
const OPERATIONS = 2_000
const FEW_OPERATIONS = 50

/** What a slice of the traffic saw. */
interface Slice {
  readonly reads: readonly number[]
  readonly hits: number
  readonly errors: number
  /** CPU time of the server per read (us). */
  readonly cost: number
  readonly queries: number
}

interface Round {
  readonly cached: Slice
  readonly uncached: Slice
  readonly queriesOfWrites: number
}

/** The targets that the product's users have named, on the community example. */
export async function run({ rounds, short }: Context): Promise<Section> {
  const site = await measureSite(short ? { rounds, ...SHORT } : { rounds, settling: SETTLING, slice: SLICE }, short)
  const service = hasRedisServer() ? await measureService(short ? FEW_OPERATIONS : OPERATIONS) : undefined
  const [cached, uncached] = [together(site.map((one) => one.cached)), together(site.map((one) => one.uncached))]
  const writes = site.reduce((sum, { queriesOfWrites }) => sum + queriesOfWrites, 0)
  return {
    title: 'Targets: the community example',
    note:
      `The mix of \`npm run traffic\` (2,977 URLs, 2 % writes), ${CONNECTIONS} requests at a time, after each URL was asked for once and ` +
      `${SETTLING} requests more; slices of ${SLICE} requests with the cache and of the same reads without it take turns. Queries of writes ` +
      'count on both sides. Faster is the mean time of a read, throughput the reads per second of CPU time, both as medians of the rounds. ' +
      'The service keeps values of 1 kB in a local Redis, one operation after the other, without memory in front; its figures are ' +
      'the medians of ten runs.',
    columns: ['', 'operations', 'mean ms', 'p50 ms', 'p99 ms', 'CPU us each', 'queries each'],
    rows: [
      siteRow('reads, with the cache', cached),
      siteRow('reads, without', uncached),
      ...(service === undefined ? [] : [timeRow('get', service.gets), timeRow('set', service.sets)]),
    ],
    verdicts: [
      atLeast('Hit rate, %', (cached.hits / cached.reads.length) * 100, 90),
      atMost('Average response, ms', mean(cached.reads), 50),
      atMost('Errors, %', (cached.errors / cached.reads.length) * 100, 5),
      atLeast('Database queries down, %', (1 - cached.queries / (uncached.queries + writes)) * 100, 80),
      atLeast(
        'Cached endpoints faster, %',
        median(site.map((one) => 1 - mean(one.cached.reads) / mean(one.uncached.reads))) * 100,
        50,
      ),
      atLeast('Throughput, times', median(site.map((one) => one.uncached.cost / one.cached.cost)), 2),
      ...(service === undefined
        ? []
        : [
            atMost('get of the service on a local Redis, p50 ms', usual(service.gets, 0.5), 1),
            atMost('get of the service on a local Redis, p99 ms', usual(service.gets, 0.99), 1),
            atMost('set of the service on a local Redis, p50 ms', usual(service.sets, 0.5), 5),
            atMost('set of the service on a local Redis, p99 ms', usual(service.sets, 0.99), 5),
          ]),
    ],
  }
}

interface Amounts {
  readonly rounds: number
  readonly settling: number
  readonly slice: number
}

async function measureSite({ rounds, settling, slice }: Amounts, short: boolean): Promise<readonly Round[]> {
  const scratch = prepareScratch({ directory: dataDirectory(), size: short ? SMALL : FULL_SIZE })
  const community = await startCompanion<CommunityAnswers>(new URL('../companions/community.ts', import.meta.url))
  try {
    const mix = mixOf(scratch.file)
    const client = new Client({ port: await community.ask('open', scratch.file), connections: CONNECTIONS })
    const traffic = new Traffic(client, community)
    await traffic.send(mix.targets.map(({ path }) => ({ method: 'GET', path })))
    // The handlers alone, for their compiler.
    await traffic.send(mix.targets.slice(0, slice).map(({ path }) => ({ method: 'GET', path: `${UNCACHED}${path}` })))
    await traffic.send(next(mix, settling).map(requestOf))
    const measured: Round[] = []
    for (let round = 0; round < rounds; round++) {
      const steps = next(mix, slice)
      const reads = steps.filter(({ kind }) => kind === 'read').map(requestOf)
      const writes = steps.filter(({ kind }) => kind === 'write').map(requestOf)
      const queriesOfWrites = (await traffic.send(writes)).queries
      const cached = await traffic.send(reads)
      const uncached = await traffic.send(reads.map((read) => ({ ...read, path: `${UNCACHED}${read.path}` })))
      measured.push({ cached: { ...cached, queries: cached.queries + queriesOfWrites }, uncached, queriesOfWrites })
    }
    client.close()
    return measured
  } finally {
    await community.end()
    scratch.remove()
  }
}

function mixOf(file: string): Mix {
  const database = new CommunityDatabase(file)
  try {
    return trafficMix({ shape: shapeOf(database), seed: 1, writes: WRITES })
  } finally {
    database.close()
  }
}

function next(mix: Mix, count: number): readonly Step[] {
  return Array.from({ length: count }, () => mix.next())
}

function requestOf(step: Step): ClientRequest {
  return step.kind === 'read' ? { method: 'GET', path: step.target.path } : step.request
}

/** Sends requests and asks the server what they have cost. */
class Traffic {
  readonly #client: Client
  readonly #community: Companion<CommunityAnswers>

  constructor(client: Client, community: Companion<CommunityAnswers>) {
    this.#client = client
    this.#community = community
  }

  async send(requests: readonly ClientRequest[]): Promise<Slice> {
    const before = await this.#community.ask('used')
    const times: number[] = []
    let [sent, hits, errors] = [0, 0, 0]
    const worker = async (): Promise<void> => {
      for (let request = requests[sent++]; request !== undefined; request = requests[sent++]) {
        const { status, hit, elapsedMicros } = await this.#client.send({ ...request, keepBody: false })
        times.push(elapsedMicros / 1_000)
        if (hit) hits += 1
        if (status >= 400) errors += 1
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
    const after = await this.#community.ask('used')
    return {
      reads: times,
      hits,
      errors,
      cost: (after.cpu - before.cpu) / requests.length,
      queries: after.queries - before.queries,
    }
  }
}

interface ServiceTimes {
  readonly gets: readonly number[]
  readonly sets: readonly number[]
}

async function measureService(operations: number): Promise<ServiceTimes> {
  const redis = await startRedis()
  const cache = createCache({ redis: redis.url, memory: false, namespace: 'targets' })
  try {
    await cache.ready()
    const value = { text: 'x'.repeat(1_000) }
    const timed = async (operation: (key: string) => Promise<unknown>): Promise<readonly number[]> => {
      const times: number[] = []
      for (let index = 0; index < operations; index++) {
        const start = performance.now()
        await operation(`value:${index % 100}`)
        times.push(performance.now() - start)
      }
      return times
    }
    const set = (key: string): Promise<unknown> => cache.set(key, value, { ttl: '1h' })
    const get = async (key: string): Promise<void> => {
      if ((await cache.get(key)) === undefined) throw new Error(`${key} is not there any more`)
    }
    await timed(set)
    await timed(get)
    return { sets: await timed(set), gets: await timed(get) }
  } finally {
    await cache.close()
    await redis.stop()
  }
}

/** The median of what the tenths of the times say, so that a slow minute of the machine does not decide. */
function usual(times: readonly number[], q: number): number {
  const size = Math.ceil(times.length / 10)
  return median(Array.from({ length: 10 }, (_, tenth) => quantile(times.slice(tenth * size, (tenth + 1) * size), q)))
}

function together(slices: readonly Slice[]): Slice {
  const sum = (figure: (slice: Slice) => number): number => slices.reduce((total, slice) => total + figure(slice), 0)
  return {
    reads: slices.flatMap(({ reads }) => reads),
    hits: sum(({ hits }) => hits),
    errors: sum(({ errors }) => errors),
    cost: median(slices.map(({ cost }) => cost)),
    queries: sum(({ queries }) => queries),
  }
}

function siteRow(name: string, { reads, cost, queries }: Slice): readonly string[] {
  return [...timeRow(name, reads).slice(0, 5), cost.toFixed(0), (queries / reads.length).toFixed(2)]
}

function timeRow(name: string, times: readonly number[]): readonly string[] {
  const figures = [mean(times), quantile(times, 0.5), quantile(times, 0.99)].map((ms) => ms.toFixed(2))
  return [name, String(times.length), ...figures, '-', '-']
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function atLeast(what: string, figure: number, bar: number): Verdict {
  return { what, figure, bar: { atLeast: bar } }
}

function atMost(what: string, figure: number, bar: number): Verdict {
  return { what, figure, bar: { atMost: bar } }
}
