import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'
import { Cast } from './cast.ts'
import { type Arrival, JournalDatabase } from './database.ts'
import { breachesOf } from './judge.ts'
import { rowsOf, sharedCache } from './rows.ts'

export interface PlayOptions {
  /** How many are acknowledged before it ends. */
  readonly updates: number
  readonly keys: number
  /** Kill Redis, too. */
  readonly redis: boolean
  /** The database does not compare versions. */
  readonly unguarded: boolean
}

/** Between two faults (ms). */
const PAUSES = [200, 1_200] as const
const DRAIN_MS = 60_000
/** Longer than the largest run takes on a busy machine (ms). */
const MAX_MS = 600_000
const CONCURRENCY = 16
const FAILURES = 0.02
const SHOWN = 10

/** One run: whether all promises were kept. */
export async function play(options: PlayOptions): Promise<boolean> {
  const { keys, redis, unguarded } = options
  const server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', redis ? 'always' : 'everysec'] })
  const database = new JournalDatabase({ isGuarded: !unguarded, failures: FAILURES })
  const cast = new Cast({ redis: server.url, keys, concurrency: CONCURRENCY, database })
  const startedAt = performance.now()
  try {
    await cast.start()
    const kills = await breakThings(cast, server, options)
    await cast.stopUpdates()
    const { isDrained, ...end } = await wait(server, database)
    const seconds = (performance.now() - startedAt) / 1_000
    await cast.end()
    const { acknowledged, reads, failures } = cast
    const journal = database.journal()
    const breaches = [
      ...failures,
      ...(isDrained ? [] : [`not drained within ${DRAIN_MS} ms`]),
      ...breachesOf({ acknowledged, reads, journal, rows: database.rows(), ...end }),
    ]
    console.log(
      JSON.stringify(
        { ...figures(cast, journal), keys, seconds: Math.round(seconds), kills, breaches: breaches.length },
        undefined,
        2,
      ),
    )
    for (const breach of breaches.slice(0, SHOWN)) console.error(breach)
    return breaches.length === 0
  } finally {
    await cast.end()
    database.close()
    await server.stop()
  }
}

/** Until there are enough updates, and somebody of each role was killed: one fault after the other, each mended before the next. */
async function breakThings(cast: Cast, server: RedisServer, { updates, redis }: PlayOptions) {
  const kills = { web: 0, worker: 0, Redis: 0 }
  const endsAt = performance.now() + MAX_MS
  const isEnough = (): boolean => cast.acknowledged.length >= updates && kills.web > 0 && kills.worker > 0
  while (!isEnough() && cast.failures.length === 0) {
    if (performance.now() > endsAt) cast.failures.push(`fewer than ${updates} updates within ${MAX_MS} ms`)
    await sleep(PAUSES[0] + Math.random() * (PAUSES[1] - PAUSES[0]))
    const chance = Math.random()
    if (redis && chance < 0.15) {
      kills.Redis++
      await server.restart()
      continue
    }
    const role = chance < 0.6 ? 'web' : 'worker'
    kills[role]++
    await cast.replace(role)
  }
  return kills
}

/** Until everything is saved; then what is left, and what the cache has of each row. */
async function wait(server: RedisServer, database: JournalDatabase) {
  const cache = sharedCache(server.url)
  const rows = rowsOf({ cache, load: (key) => database.load(key), save: () => {}, worker: false })
  await rows.ready()
  const isDrained = await rows.drain({ timeoutMs: DRAIN_MS })
  const left = await rows.stats()
  const cached = new Map<string, string | null>()
  for (const { key } of database.rows()) cached.set(key, await rows(key))
  await cache.close()
  return { isDrained, left, cached }
}

function figures({ acknowledged, refused, reads, readsAlone }: Cast, journal: readonly Arrival[]) {
  const delays = journal.map(({ version, at }) => at - version / 1_000).toSorted((a, b) => a - b)
  const delay = (share: number): number => Math.round(delays[Math.floor(delays.length * share)] ?? 0)
  const saved = new Set(journal.map(({ key, version }) => `${key} ${version}`)).size
  return {
    acknowledged: acknowledged.length,
    refused: Object.fromEntries(refused),
    reads: reads.length,
    'reads without Redis': readsAlone,
    saved,
    'saved again': journal.length - saved,
    'in effect': journal.filter(({ applied }) => applied).length,
    'ms until saved': { median: delay(0.5), 'one of 100': delay(0.99) },
  }
}
