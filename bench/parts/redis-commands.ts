import { Redis } from 'ioredis'
import { type Companion, startCompanion } from '../../test/faults/outages/companion.ts'
import { hasRedisServer, type RedisServer, startRedis } from '../../test/support/redis-server.ts'
import type { Repetition, UsageAnswers, UsageName, UsageOperation, UsageOptions } from '../companions/usage.ts'
import type { Context } from '../part.ts'
import { installedValuePeers } from '../peer-values.ts'
import { counted, listenToRedis, trafficOf } from '../redis-usage.ts'
import type { Section } from '../section.ts'

const OPERATIONS: readonly UsageOperation[] = ['hit', 'miss', 'invalidation']
const OURS: readonly UsageName[] = ['cachewell', 'cachewell, Redis only']
const COUNT = 50
const MEMORY_HIT_BAR = 0
const HIT_BAR = 1
const MISS_BAR = 4

interface Usage {
  readonly name: UsageName
  readonly operation: UsageOperation
  /** Sent, in so many operations. */
  readonly commands: readonly string[]
  /** Per operation. */
  readonly bytesIn: number
  readonly bytesOut: number
}

/** What each operation asks of Redis, counted by Redis. */
export async function run({ short }: Context): Promise<Section> {
  if (!hasRedisServer()) return section([])
  const names = [...OURS, ...(short ? [] : ['ioredis by hand' as const, ...(await installedValuePeers())])]
  const usages: Usage[] = []
  for (const name of names) usages.push(...(await measure(name)))
  return section(usages)
}

async function measure(name: UsageName): Promise<readonly Usage[]> {
  const redis = await startRedis()
  const options: UsageOptions = { name, redis: redis.port }
  const subject = await startCompanion<UsageAnswers>(new URL('../companions/usage.ts', import.meta.url), options)
  try {
    const usages: Usage[] = []
    for (const operation of OPERATIONS) {
      if (!(await subject.ask('knows', operation))) continue
      const repetition: Repetition = { operation, count: COUNT }
      const commands = await commandsOf(redis, subject, repetition)
      // A monitor is traffic, too.
      usages.push({ name, operation, commands, ...(await bytesOf(redis, subject, repetition)) })
    }
    return usages
  } finally {
    await subject.end()
    await redis.stop()
  }
}

async function commandsOf(
  redis: RedisServer,
  subject: Companion<UsageAnswers>,
  repetition: Repetition,
): Promise<readonly string[]> {
  const listening = await listenToRedis(redis.port)
  await subject.ask('repeat', repetition)
  return listening.end()
}

async function bytesOf(
  redis: RedisServer,
  subject: Companion<UsageAnswers>,
  repetition: Repetition,
): Promise<{ readonly bytesIn: number; readonly bytesOut: number }> {
  const client = new Redis(redis.port, '127.0.0.1')
  try {
    await client.ping()
    const idle = await trafficOf(client)
    const before = await trafficOf(client)
    await subject.ask('repeat', repetition)
    const after = await trafficOf(client)
    // Asking costs as much as it did a moment ago.
    const per = (what: 'bytesIn' | 'bytesOut'): number =>
      Math.max(0, after[what] - before[what] - (before[what] - idle[what])) / repetition.count
    return { bytesIn: per('bytesIn'), bytesOut: per('bytesOut') }
  } finally {
    client.disconnect()
  }
}

function section(usages: readonly Usage[]): Section {
  const perOperation = (name: UsageName, wanted: UsageOperation): number =>
    (usages.find((usage) => usage.name === name && usage.operation === wanted)?.commands.length ?? Number.NaN) / COUNT
  return {
    title: 'Redis: commands and bytes per operation',
    note:
      usages.length === 0
        ? 'No redis-server here: left out.'
        : `Entries of 1 kB, ${COUNT} operations one after the other, as MONITOR and INFO tell; what scripts call is not counted. A miss ` +
          'includes the store. An invalidation is of a tag, by hand of one key. Those with memory of their own hit there. Heartbeats are ' +
          'left out: ten a second per process while memory in front of Redis is in use, whatever the load.',
    columns: ['', 'operation', 'commands', 'bytes to Redis', 'bytes from Redis'],
    rows: usages.map(({ name, operation, commands, bytesIn, bytesOut }) => [
      name,
      operation,
      commands.length === 0 ? 'none' : counted(commands, COUNT),
      bytesIn.toFixed(0),
      bytesOut.toFixed(0),
    ]),
    verdicts:
      usages.length === 0
        ? []
        : [
            atMost('Commands of a hit in memory', perOperation('cachewell', 'hit'), MEMORY_HIT_BAR),
            atMost('Commands of a hit in Redis', perOperation('cachewell, Redis only', 'hit'), HIT_BAR),
            atMost('Commands of a miss', perOperation('cachewell', 'miss'), MISS_BAR),
          ],
  }
}

function atMost(what: string, figure: number, bar: number): Section['verdicts'][number] {
  return { what, figure, bar: { atMost: bar } }
}
