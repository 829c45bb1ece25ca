import { setTimeout as sleep } from 'node:timers/promises'
import type { ChainableCommander, Redis } from 'ioredis'
import type { Random } from '../fuzz/random.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import type { RedisServer } from '../support/redis-server.ts'
import type { Fleet, Worker } from './fleet.ts'
import { ask, type ClusterSite, type FailoverSite, type SentinelSite, type Site, type WiredSite } from './site.ts'

/** Where faults happen. */
export interface Stage<S extends Site = Site> {
  readonly site: S
  readonly fleet: Fleet
  readonly random: Random
}

/** What goes wrong, by its name in the report. Resolves when it is healed; whatever it broke is whole again. */
export type Faults<S extends Site = Site> = Readonly<Record<string, (stage: Stage<S>) => Promise<void>>>

/** One letter after the partition. */
const METADATA = '{faults:*}:?'
const FILL_LEASES = '{faults:*}:l:*'
/** All that an invalidation leaves behind, but not who holds a lease. */
const HISTORY = '{faults:*}:[^r]'
const POLICIES = [
  'noeviction',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
] as const

export const PROCESS_FAULTS: Faults = {
  'process killed': async ({ fleet, random }) => {
    await fleet.replace(random.below(fleet.workers.length))
  },
  'process stopped': async ({ fleet, random }) => {
    await stopped(random.pick(fleet.workers), between(random, 20, 900))
  },
}

export const SERVER_FAULTS: Faults = {
  'Redis killed': async ({ site, random }) => {
    const server = random.pick(site.servers)
    await server.kill9()
    await sleep(between(random, 20, 500))
    await server.restart()
  },
  'Redis stopped': async ({ site, random }) => {
    await stopped(random.pick(site.servers), between(random, 100, 2_000))
  },
}

export const CONNECTION_FAULTS: Faults = {
  'connections killed': ({ site, random }) => tell(site, random, (client) => client.client('KILL', 'TYPE', 'normal')),
  'subscriptions killed': ({ site, random }) => tell(site, random, (client) => client.client('KILL', 'TYPE', 'pubsub')),
}

export const METADATA_FAULTS: Faults = {
  'everything flushed': ({ site, random }) => tell(site, random, (client) => client.flushall()),
  'metadata deleted': ({ site, random }) =>
    tell(site, random, async (client) => {
      const keys = await client.keys(METADATA)
      const some = keys.filter(() => random.chance(1 / (keys.length + 1)))
      for (const key of some.length > 0 ? some : keys.slice(0, 1)) await client.del(key)
    }),
  'metadata damaged': ({ site, random }) =>
    tell(site, random, async (client) => {
      const keys = await client.keys(METADATA)
      if (keys.length > 0) await client.set(random.pick(keys), 'not ours')
    }),
  'fill leases deleted': ({ site, random }) =>
    tell(site, random, async (client) => {
      for (const key of await client.keys(FILL_LEASES)) await client.del(key)
    }),
}

export const MEMORY_FAULTS: Faults = Object.fromEntries(
  POLICIES.map((policy) => [
    `memory full, ${policy}`,
    ({ site, random }: Stage) =>
      tell(site, random, async (client) => {
        const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
        await client.config('SET', 'maxmemory-policy', policy)
        await client.config('SET', 'maxmemory', String(Math.floor(used * 0.8)))
        await sleep(between(random, 100, 800))
        await client.config('SET', 'maxmemory', '0')
      }),
  ]),
)

export const ROLLBACK_FAULTS: Faults = {
  'history rolled back': ({ site, random }) =>
    tell(site, random, async (client) => {
      const keys = await client.keys(HISTORY)
      const dumps = await transaction(client, (all) => {
        for (const key of keys) all.dumpBuffer(key)
      })
      await sleep(between(random, 50, 800))
      await transaction(client, (all) => {
        for (const [at, key] of keys.entries())
          if (dumps[at] !== null) all.restore(key, 0, dumps[at] as Buffer, 'REPLACE')
      })
    }),
}

export const NETWORK_FAULTS: Faults<WiredSite> = {
  'subscription half open': (stage) => disturbed(stage, 'bus', (proxy) => proxy.blackHole()),
  'commands half open': (stage) => disturbed(stage, 'data', (proxy) => proxy.blackHole()),
  'answers lost': (stage) => disturbed(stage, 'data', (proxy) => proxy.oneWay('down')),
  'all links half open': async (stage) => {
    const { data, bus } = stage.random.pick(stage.site.links)
    data.blackHole()
    bus.blackHole()
    await sleep(between(stage.random, 100, 1_500))
    data.pass()
    bus.pass()
  },
  'commands slow': (stage) => disturbed(stage, 'data', (proxy) => proxy.delay(between(stage.random, 1, 80))),
  'announcements slow': (stage) => disturbed(stage, 'bus', (proxy) => proxy.delay(between(stage.random, 50, 2_000))),
  'links reset': async ({ site, random }) => {
    const { data, bus } = random.pick(site.links)
    data.reset()
    bus.reset()
  },
}

export const FAILOVER_FAULTS: Faults<FailoverSite> = {
  'failover that loses what was acknowledged': ({ site, random }) => site.failOver(between(random, 20, 600)),
}

export const SENTINEL_FAULTS: Faults<SentinelSite> = {
  'failover by Sentinels': ({ site }) => site.failOver(),
}

export const CLUSTER_FAULTS: Faults<ClusterSite> = {
  'slot migrated': async ({ site: { cluster }, random }) => {
    const slot = await cluster.slotOf(`{faults:${random.below(PARTITIONS)}}`)
    await cluster.migrateSlot(slot, random.pick(cluster.nodes), () => sleep(between(random, 0, 200)))
  },
  'node killed': async ({ site: { cluster }, random }) => {
    const node = random.pick(cluster.nodes)
    await node.kill9()
    await sleep(between(random, 20, 500))
    await node.restart()
    await cluster.ok()
  },
}

/** Of a namespace in a Cluster. */
const PARTITIONS = 16

/** From `low` to `high`, 1 excluded. */
export function between(random: Random, low: number, high: number): number {
  return low + random.below(high - low)
}

async function stopped(one: Worker | RedisServer, ms: number): Promise<void> {
  one.pause()
  await sleep(ms)
  one.resume()
}

async function tell(site: Site, random: Random, what: (client: Redis) => Promise<unknown>): Promise<void> {
  await ask(random.pick(site.servers), what)
}

/** Something wrong with one link of one process, for a while. */
async function disturbed(
  { site, random }: Stage<WiredSite>,
  which: 'data' | 'bus',
  disturb: (proxy: FaultProxy) => void,
): Promise<void> {
  const proxy = random.pick(site.links)[which]
  disturb(proxy)
  await sleep(between(random, 100, 1_500))
  proxy.pass()
}

/** Commands that run as one, and their answers. */
async function transaction(client: Redis, add: (all: ChainableCommander) => void): Promise<readonly unknown[]> {
  const all = client.multi()
  add(all)
  const answers = (await all.exec()) ?? []
  return answers.map(([error, answer]) => {
    if (error !== null) throw error
    return answer
  })
}
