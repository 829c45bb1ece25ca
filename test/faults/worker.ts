import { Redis } from 'ioredis'
import { createCache } from '../../lib/cache.ts'
import { CLIENT_SETTINGS, type RedisOption } from '../../lib/redis.ts'
import { Random } from '../fuzz/random.ts'
import { endWithParent } from '../support/end-with-parent.ts'
import { MapStore } from '../support/map-store.ts'
import { Authority } from './authority.ts'
import type { RedisAddress, WorkerMessage, WorkerSettings } from './messages.ts'
import { readPages, servePages } from './pages.ts'
import { readItems, type Tally } from './reader.ts'
import { Recorder } from './recorder.ts'
import { Writer } from './writer.ts'

/** One process of a fleet: a cache, readers as fast as they can, writers, and a report some times a second. */

const REPORT_EVERY_MS = 100
const ITEM_READERS = 16
const PAGE_READERS = 4

const settings = JSON.parse(process.argv[2] ?? '') as WorkerSettings
const tell = (message: WorkerMessage): void => void process.send?.(message)
const fail = (error: unknown): void => tell({ kind: 'failed', error: String(error) })
process.on('unhandledRejection', fail)
process.on('uncaughtException', fail)
endWithParent()

const cache = createCache({
  redis: redisOption(settings.redis),
  namespace: 'faults',
  memory: settings.memory === false ? false : { maxSize: settings.memory },
  // Who reads everything from Redis does it over several connections.
  poolSize: settings.memory === false ? 3 : 1,
  leaseMs: settings.leaseMs,
  // It has all that was ever read, most of it long invalidated.
  fallback: [new MapStore()],
  staleIfRedisDown: 0,
  logger: { info() {}, warn() {} },
})
const authority = new Authority(settings.authority)
const recorder = new Recorder()
const random = new Random(settings.seed)
const tally: Tally = { memory: 0, redis: 0, fallback: 0, origin: 0, http: 0, rejected: 0, failed: 0 }
const reader = { cache, authority, recorder, random, tally }
const writer = new Writer({
  ...settings,
  cache,
  authority,
  recorder,
  random,
  everyMs: settings.writeEveryMs,
  onRejected: () => {
    tally.rejected++
  },
})

await cache.ready()
tell({ kind: 'started' })
setInterval(() => {
  tell({ kind: 'report', ...recorder.take(), counts: { ...tally } })
  for (const name of Object.keys(tally) as (keyof Tally)[]) tally[name] = 0
}, REPORT_EVERY_MS)

const work = [writer.run(), ...Array.from({ length: ITEM_READERS }, () => readItems(reader))]
if (settings.http) {
  const { port } = await servePages(reader)
  work.push(...Array.from({ length: PAGE_READERS }, () => readPages(reader, port)))
}
await Promise.all(work)

/** Subscriptions go where a fault can reach them alone. */
function redisOption({ options, busPort }: RedisAddress): RedisOption {
  if (busPort === undefined) return options
  const client = new Redis({ ...options, ...CLIENT_SETTINGS })
  client.on('error', () => {})
  const duplicate = client.duplicate.bind(client)
  client.duplicate = (overrides) => duplicate({ ...overrides, port: busPort })
  return client
}
