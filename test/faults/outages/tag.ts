import { once } from 'node:events'
import { connect } from 'node:net'
import { Redis } from 'ioredis'
import { createCache } from '../../../lib/cache.ts'
import { encodeEntry } from '../../../lib/codec.ts'
import type { Entry } from '../../../lib/entry.ts'
import { Keys } from '../../../lib/stores/redis-keys.ts'
import { startRedis } from '../../support/redis-server.ts'
import { type Companion, startCompanion } from './companion.ts'
import { type Figure, print, quantile } from './figures.ts'
import type { PingAnswers } from './pings.ts'

const ENTRIES = 1_000_000
const BATCH = 10_000
const INVALIDATIONS = 20
const SAMPLED = 500
const TAG = 'everything'
const NAMESPACE = 'tagged'
const SERVER_BAR_MS = 5
const LIFE_MS = 3_600_000
/** How a `SET` ends that keeps its value for this long. */
const PX = Buffer.from(`\r\n$2\r\nPX\r\n$${String(LIFE_MS).length}\r\n${LIFE_MS}\r\n`)
const OBSERVED_MS = 1_500

/** A tag on a million entries is invalidated: what it costs the server, and what others notice; true when the bars were kept. */
export async function measureTag(): Promise<boolean> {
  const server = await startRedis()
  const client = new Redis(server.port)
  const cache = createCache({ redis: server.url, namespace: NAMESPACE, memory: false })
  const pings = await startCompanion<PingAnswers>(new URL('pings.ts', import.meta.url), { port: server.port })
  try {
    await cache.ready()
    await fill(client, server.port)
    return print(`a tag with ${ENTRIES} entries is invalidated`, await invalidate(cache, client, pings))
  } finally {
    await pings.end()
    await cache.close()
    client.disconnect()
    await server.stop()
  }
}

async function invalidate(
  cache: ReturnType<typeof createCache>,
  client: Redis,
  pings: Companion<PingAnswers>,
): Promise<readonly Figure[]> {
  const sample = Array.from({ length: SAMPLED }, (_, index) => keyOf(index * Math.floor(ENTRIES / SAMPLED)))
  const before = await cache.getMany(sample)
  await pings.ask('take')
  await pause(OBSERVED_MS)
  const quiet = await pings.ask('take')
  await client.config('SET', 'slowlog-log-slower-than', '0')
  await client.config('SET', 'slowlog-max-len', '100000')
  await client.slowlog('RESET')
  await cache.invalidate({ tags: [TAG] })
  const after = await cache.getMany(sample)
  for (let turn = 1; turn < INVALIDATIONS; turn++) {
    await cache.invalidate({ tags: [TAG] })
    await pause(OBSERVED_MS / INVALIDATIONS)
  }
  const disturbed = await pings.ask('take')
  const times = await scriptTimes(client)
  const noise = Math.max(...quiet)
  return [
    { what: 'entries in Redis', value: await client.dbsize(), unit: '', atLeast: ENTRIES },
    { what: `of ${SAMPLED} entries read before`, value: found(before), unit: '', atLeast: SAMPLED },
    { what: `of ${SAMPLED} entries read afterwards`, value: found(after), unit: '', atMost: 0 },
    { what: 'invalidations seen by the server', value: times.length, unit: '', atLeast: INVALIDATIONS },
    { what: 'time in the server, p50', value: quantile(times, 0.5), unit: 'ms' },
    { what: 'time in the server, max', value: Math.max(...times), unit: 'ms', atMost: SERVER_BAR_MS },
    { what: `another client, ${quiet.length} pings before, p99`, value: quantile(quiet, 0.99), unit: 'ms' },
    { what: 'another client, pings before, max (noise)', value: noise, unit: 'ms' },
    {
      what: `another client, ${disturbed.length} pings meanwhile, p99`,
      value: quantile(disturbed, 0.99),
      unit: 'ms',
      atMost: SERVER_BAR_MS + noise,
    },
    {
      what: 'another client, pings meanwhile, max',
      value: Math.max(...disturbed),
      unit: 'ms',
      atMost: SERVER_BAR_MS + 2 * noise,
    },
  ]
}

/** Put entries there as the store would, without asking a script for each; what is sent is not waited for one by one. */
async function fill(client: Redis, port: number): Promise<void> {
  const token = (await client.get(`{${NAMESPACE}:0}:v`)) ?? ''
  const [incarnation = '', seq = ''] = token.split(':')
  const now = Date.now()
  const common = { kind: 'value', cachedAt: now, staleAt: now + LIFE_MS, deleteAt: now + LIFE_MS, tags: [`t:${TAG}`] }
  const link = connect(port, '127.0.0.1')
  link.resume()
  let sent: Promise<unknown> = Promise.resolve()
  for (let index = 0; index < ENTRIES; index += BATCH) {
    const commands: Buffer[] = []
    for (let offset = 0; offset < BATCH; offset++) {
      const name = keyOf(index + offset)
      const key = `V 1 ${name}`
      const entry = { ...common, key, name, incarnation, seq: Number(seq), fence: 0, size: 300, value: '1' } as Entry
      const frame = await encodeEntry(entry, { compressAbove: false })
      const redisKey = new Keys(`{${NAMESPACE}:0}`).entry(key)
      const head = `*5\r\n$3\r\nSET\r\n$${redisKey.length}\r\n${redisKey}\r\n$${frame.length}\r\n`
      commands.push(Buffer.from(head), frame, PX)
    }
    await sent
    sent = new Promise((resolve) => link.write(Buffer.concat(commands), resolve))
  }
  link.end()
  await once(link, 'close')
}

/** Ms each invalidation of the tag took in the server. */
async function scriptTimes(client: Redis): Promise<readonly number[]> {
  const log = (await client.slowlog('GET', 100_000)) as [id: number, at: number, us: number, args: string[]][]
  // What the script does is in the log, too.
  return log
    .filter(([, , , [command, ...args]]) => command?.toLowerCase() === 'evalsha' && args.includes(`t:${TAG}`))
    .map(([, , us]) => us / 1_000)
}

function keyOf(index: number): string {
  return `entry:${index}`
}

function found(values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
