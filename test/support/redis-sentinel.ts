import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { askRedis, untilServers } from './ask-redis.ts'
import { freePort } from './free-port.ts'
import { endRedis, launchRedis } from './redis-process.ts'
import { startPrimary, startReplica, synced } from './redis-replica.ts'
import type { RedisServer } from './redis-server.ts'

/** A primary, replicas, and three Sentinels that agree about them. */
export interface Sentinels {
  /** The name of the primary and where the Sentinels are: what ioredis wants to know. */
  readonly name: string
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  /** The first is the primary of the beginning. */
  readonly servers: readonly RedisServer[]
  /** The server that the Sentinels name as primary. */
  master(): Promise<RedisServer>
  /** Kill that server; resolves with it once the Sentinels have promoted another. */
  kill9Primary(): Promise<RedisServer>
  /**
   * Let the replicas have what was written so far and follow no longer, so that they lose what is written from now on. They may be
   * promoted for some seconds.
   */
  detachReplicas(): Promise<void>
  stop(): Promise<void>
}

export interface SentinelOptions {
  readonly replicas?: number
  /** After how long without an answer the primary counts as down. */
  readonly downAfterMs?: number
}

const NAME = 'primary'
const COUNT = 3
const QUORUM = 2
/** Longer than agreement and promotion take on a busy machine (ms). */
const AGREE_MS = 30_000
/** The usual pauses between questions are seconds; a busy machine is no reason to stand still for 30 s. */
const PACE = ['info-period', '200', 'publish-period', '200', 'tilt-trigger', '10000'] as const

/** Start them all, and wait until every Sentinel knows every other one and every replica. */
export async function startSentinels({ replicas = 1, downAfterMs = 500 }: SentinelOptions = {}): Promise<Sentinels> {
  const primary = await startPrimary()
  const servers = [primary]
  for (let count = 0; count < replicas; count++) servers.push(await startReplica(primary.port))
  const sentinels = await Promise.all(Array.from({ length: COUNT }, () => startSentinel(primary.port, downAfterMs)))
  const stop = async (): Promise<void> => {
    await Promise.all([...sentinels, ...servers].map((server) => server.stop()))
  }
  const ports = sentinels.map(({ port }) => port)
  try {
    await untilServers('the Sentinels agree', AGREE_MS, () =>
      allOf(ports, (sentinel) => isComplete(sentinel, replicas)),
    )
  } catch (error) {
    await stop()
    throw error
  }
  const master = async (): Promise<RedisServer> => {
    const port = await askRedis(ports[0] as number, masterPort)
    return servers.find((server) => server.port === port) as RedisServer
  }
  return {
    name: NAME,
    sentinels: ports.map((port) => ({ host: '127.0.0.1', port })),
    servers,
    master,
    kill9Primary: async () => {
      const killed = await master()
      await killed.kill9()
      await untilServers('the Sentinels have promoted a replica', AGREE_MS, () =>
        allOf(ports, async (sentinel) => (await masterPort(sentinel)) !== killed.port),
      )
      return killed
    },
    detachReplicas: async () => {
      const { port } = await master()
      const replicas = servers.filter((server) => server.port !== port)
      await Promise.all(replicas.map((replica) => synced(port, replica.port)))
      await askRedis(port, async (client) => {
        // Sentinels would lead back replicas that were told to follow another server.
        await client.call('ACL', 'SETUSER', 'default', '-psync', '-sync')
        await client.client('KILL', 'TYPE', 'replica')
      })
    },
    stop,
  }
}

async function startSentinel(
  primary: number,
  downAfterMs: number,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'cachewell-sentinel-'))
  const port = await freePort()
  const file = join(directory, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primary} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 3000`,
  ]
  await writeFile(file, lines.join('\n'))
  const child = await launchRedis(port, [file, '--sentinel'])
  await askRedis(port, (client) => client.call('SENTINEL', 'DEBUG', ...PACE))
  return {
    port,
    stop: async () => {
      await endRedis(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function allOf(ports: readonly number[], holds: (sentinel: Redis) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(ports.map((port) => askRedis(port, holds)))).every(Boolean)
}

async function isComplete(sentinel: Redis, replicas: number): Promise<boolean> {
  const known = fieldsOf(await sentinel.call('SENTINEL', 'MASTER', NAME))
  return (
    known.get('flags') === 'master' &&
    known.get('num-other-sentinels') === String(COUNT - 1) &&
    known.get('num-slaves') === String(replicas)
  )
}

async function masterPort(sentinel: Redis): Promise<number> {
  const address = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as readonly [string, string]
  return Number(address[1])
}

/** An answer that gives names and values by turns. */
function fieldsOf(answer: unknown): ReadonlyMap<string, string> {
  const flat = answer as readonly string[]
  return new Map(Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at] ?? '', flat[2 * at + 1] ?? '']))
}
