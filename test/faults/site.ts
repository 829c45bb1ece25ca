import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { askRedis, infoField, untilServers } from '../support/ask-redis.ts'
import { type FaultProxy, startProxy } from '../support/fault-proxy.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { startReplicated } from '../support/redis-replica.ts'
import { startSentinels } from '../support/redis-sentinel.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import type { RedisAddress } from './messages.ts'

/** The Redis of a fleet, and the network in front of it. */
export interface Site {
  /** Every server that holds entries. */
  readonly servers: readonly RedisServer[]
  /** How the process of this seat reaches it. */
  addressOf(seat: number): RedisAddress
  stop(): Promise<void>
}

/** Processes with links of their own, for commands and for subscriptions, that can fail one by one. */
export interface WiredSite extends Site {
  readonly links: readonly { readonly data: FaultProxy; readonly bus: FaultProxy }[]
}

/** Where another server can take over. */
export interface FailoverSite extends Site {
  /** Lose the primary, and what it has acknowledged within so long (ms). */
  failOver(lostMs: number): Promise<void>
}

export interface SentinelSite extends Site {
  /** Lose the primary. */
  failOver(): Promise<void>
}

export interface ClusterSite extends Site {
  readonly cluster: RedisCluster
}

/** One server, reached directly. */
export async function singleSite(): Promise<Site> {
  const server = await startRedis()
  const { port } = server
  return {
    servers: [server],
    addressOf: () => ({ options: { host: '127.0.0.1', port } }),
    stop: () => server.stop(),
  }
}

/** One server, and links of its own for each of `seats` processes. */
export async function wiredSite(seats: number): Promise<WiredSite> {
  const server = await startRedis()
  const links = await Promise.all(
    Array.from({ length: seats }, async () => ({
      data: await startProxy({ port: server.port }),
      bus: await startProxy({ port: server.port }),
    })),
  )
  return {
    servers: [server],
    links,
    addressOf: (seat) => {
      const { data, bus } = links[seat] as (typeof links)[number]
      return { options: { host: '127.0.0.1', port: data.port }, busPort: bus.port }
    },
    stop: async () => {
      await Promise.all(links.flatMap(({ data, bus }) => [data.close(), bus.close()]))
      await server.stop()
    },
  }
}

/** A primary and a replica behind one address, which follows the primary. */
export async function failoverSite(): Promise<FailoverSite> {
  const { primary, replica, stop } = await startReplicated()
  const proxy = await startProxy({ port: primary.port })
  let [first, second] = [primary, replica]
  return {
    servers: [primary, replica],
    addressOf: () => ({ options: { host: '127.0.0.1', port: proxy.port } }),
    failOver: async (lostMs) => {
      const [old, next] = [first, second]
      await follow(next, NOWHERE)
      await sleep(lostMs)
      await old.kill9()
      await ask(next, (client) => client.replicaof('NO', 'ONE'))
      proxy.retarget(next.port)
      await old.restart()
      await follow(old, next.port)
      await inSync(old)
      first = next
      second = old
    },
    stop: async () => {
      await proxy.close()
      await stop()
    },
  }
}

/** A primary, a replica and Sentinels, asked for the primary by every process. */
export async function sentinelSite(): Promise<SentinelSite> {
  const sentinels = await startSentinels()
  const { name, servers } = sentinels
  const hosts = sentinels.sentinels.map(({ host, port }) => ({ host, port }))
  return {
    servers,
    addressOf: () => ({ options: { sentinels: hosts, name } }),
    failOver: async () => {
      const killed = await sentinels.kill9Primary()
      // Empty and a primary at its old address it would be a second Redis to whoever has just been told of that address.
      await sleep(FORGOTTEN_MS)
      await killed.restart()
      // The Sentinels would tell it some seconds later.
      await follow(killed, (await sentinels.master()).port)
      await inSync(killed)
    },
    stop: () => sentinels.stop(),
  }
}

/** Three masters. */
export async function clusterSite(): Promise<ClusterSite> {
  const cluster = await startCluster()
  return {
    cluster,
    servers: cluster.nodes,
    addressOf: () => ({ options: { cluster: cluster.addresses } }),
    stop: () => cluster.stop(),
  }
}

/** Nobody is on the way to a former primary any more after so long (ms). */
const FORGOTTEN_MS = 1_500
/** Nobody listens there. */
const NOWHERE = 1
/** Longer than a replica takes to catch up on a busy machine (ms). */
const SYNC_MS = 20_000

async function follow(server: RedisServer, port: number): Promise<void> {
  await ask(server, (client) => client.replicaof('127.0.0.1', port))
}

async function inSync(server: RedisServer): Promise<void> {
  await untilServers(`the server on port ${server.port} follows`, SYNC_MS, async () => {
    return infoField(await ask(server, (client) => client.info('replication')), 'master_link_status') === 'up'
  })
}

/** Ask a server of a site something; rejects when it cannot be asked. */
export function ask<T>({ port }: RedisServer, question: (client: Redis) => Promise<T>): Promise<T> {
  return askRedis(port, question)
}
