import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { startRedis } from '../../test/support/redis-server.ts'
import { createCache } from '../built.ts'
import { median } from '../compare.ts'
import type { Context } from '../part.ts'
import type { Section } from '../section.ts'

type Cache = ReturnType<typeof createCache>

/** So many readers at the same time, of values of so many bytes under so many keys. */
interface Group {
  readonly readers: number
  readonly keys: number
  readonly bytes: number
}

/** What is asked of a cache at the same time, again and again; the first group is the one that is timed. */
interface Workload {
  readonly name: string
  readonly groups: readonly Group[]
  /** Whether the server is a round trip away (`companions/slow-link.ts`). */
  readonly isFar: boolean
}

/** What one slice has shown. */
interface Slice {
  readonly reads: number
  /** CPU time of this process (us) per read. */
  readonly cpu: number
  /** How long the slowest of a hundred reads took (ms). */
  readonly p99: number
}

const KB = 1024
const SMALL: Group = { readers: 64, keys: 10_000, bytes: KB }
const LARGE: Group = { readers: 16, keys: 100, bytes: 200 * KB }
const HUGE: Group = { readers: 4, keys: 20, bytes: KB * KB }
const WORKLOADS: readonly Workload[] = [
  { name: 'near, 64 of 1 kB', groups: [SMALL], isFar: false },
  { name: 'near, 16 of 200 kB', groups: [LARGE], isFar: false },
  { name: 'near, 64 of 1 kB beside 4 of 1 MB', groups: [SMALL, HUGE], isFar: false },
  { name: 'far, 64 of 1 kB', groups: [SMALL], isFar: true },
  { name: 'far, 16 of 200 kB', groups: [LARGE], isFar: true },
  { name: 'far, 64 of 1 kB beside 4 of 1 MB', groups: [SMALL, HUGE], isFar: true },
]
const ROUNDS = 3
const SLICE_MS = 250

/** Reads from Redis by one connection and by several, and with what ioredis calls auto-pipelining; under 40 s. */
export async function run({ short }: Context): Promise<Section> {
  const redis = await startRedis()
  const link = fork(fileURLToPath(new URL('../companions/slow-link.ts', import.meta.url)), [String(redis.port)])
  try {
    const near = await start(redis.url)
    const far = await start(`redis://127.0.0.1:${await portOf(link)}`)
    const rows: string[][] = []
    for (const group of short ? [SMALL] : [SMALL, LARGE, HUGE]) await fill(near.caches.get(ONE) as Cache, group)
    for (const workload of short ? WORKLOADS.slice(0, 1) : WORKLOADS)
      rows.push(...(await measured((workload.isFar ? far : near).caches, workload)))
    await Promise.all([near.close(), far.close()])
    return {
      title: 'Reads from Redis by several connections',
      note:
        'Values are read at random, memory is off. "far": 2 ms away, 64 kB per round trip and connection. Ratios to one connection in the same ' +
        'round; the slowest of a hundred reads (p99) in ms, too. Of several sizes the first is counted.',
      columns: ['readers', 'by', 'reads', 'CPU of a read', 'p99', 'p99 (ms)'],
      rows,
      verdicts: [],
    }
  } finally {
    link.disconnect()
    await redis.stop()
  }
}

const ONE = '1 connection'

async function portOf(link: ChildProcess): Promise<number> {
  const [{ port }] = (await once(link, 'message')) as [{ port: number }]
  return port
}

interface Contestants {
  readonly caches: ReadonlyMap<string, Cache>
  close(): Promise<void>
}

async function start(url: string): Promise<Contestants> {
  const settings = { lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 }
  const pipelining = new Redis(url, { ...settings, enableAutoPipelining: true })
  const options = { memory: false, namespace: 'bench', compression: false, deadlineMs: '5s', ttl: '1h' } as const
  const caches = new Map<string, Cache>([
    [ONE, createCache({ ...options, redis: url })],
    ['2 connections', createCache({ ...options, redis: url, poolSize: 2 })],
    ['4 connections', createCache({ ...options, redis: url, poolSize: 4 })],
    ['1, auto-pipelining', createCache({ ...options, redis: pipelining })],
  ])
  await Promise.all([...caches.values()].map((cache) => cache.ready()))
  return {
    caches,
    close: async () => {
      await Promise.all([...caches.values()].map((cache) => cache.close()))
      pipelining.disconnect()
    },
  }
}

const keyOf = (bytes: number, number: number): string => `${bytes}:${number}`

async function fill(cache: Cache, { keys, bytes }: Group): Promise<void> {
  const value = randomBytes(bytes)
  let left = keys
  const filler = async (): Promise<void> => {
    while (left-- > 0) await cache.remember(keyOf(bytes, left), {}, () => value)
  }
  await Promise.all(Array.from({ length: 16 }, filler))
}

async function measured(caches: ReadonlyMap<string, Cache>, { name, groups }: Workload): Promise<string[][]> {
  const slices = new Map<string, Slice[]>([...caches.keys()].map((by) => [by, []]))
  // The first round is for the compiler.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [by, cache] of caches) {
      const slice = await play(cache, groups)
      if (round > 0) slices.get(by)?.push(slice)
    }
  }
  const reference = slices.get(ONE) ?? []
  return [...slices].map(([by, own]) => {
    const ratio = (figure: keyof Slice): string =>
      median(own.map((slice, round) => slice[figure] / (reference[round]?.[figure] ?? Number.NaN))).toFixed(2)
    return [name, by, ratio('reads'), ratio('cpu'), ratio('p99'), median(own.map(({ p99 }) => p99)).toFixed(1)]
  })
}

async function play(cache: Cache, groups: readonly Group[]): Promise<Slice> {
  const until = performance.now() + SLICE_MS
  const times: number[] = []
  const reader = async ({ keys, bytes }: Group, isTimed: boolean): Promise<void> => {
    for (let sentAt = performance.now(); sentAt < until; sentAt = performance.now()) {
      const value = await cache.get<Buffer>(keyOf(bytes, Math.floor(Math.random() * keys)))
      if (value?.length !== bytes) throw new Error(`A value of ${bytes} bytes was not found`)
      if (isTimed) times.push(performance.now() - sentAt)
    }
  }
  const before = process.cpuUsage()
  await Promise.all(groups.flatMap((group, at) => Array.from({ length: group.readers }, () => reader(group, at === 0))))
  const { user, system } = process.cpuUsage(before)
  times.sort((a, b) => a - b)
  const p99 = times[Math.floor(times.length * 0.99)] ?? Number.NaN
  return { reads: times.length, cpu: (user + system) / times.length, p99 }
}
