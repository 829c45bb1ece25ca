import { askRedis, infoField, untilServers } from './ask-redis.ts'
import { type RedisServer, startRedis } from './redis-server.ts'

/** A primary and a replica that follows it. */
export interface Replicated {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Resolves when the replica has everything written so far. */
  synced(): Promise<void>
  /** Let the replica follow no longer: it keeps what it has and loses what is written from now on. */
  detach(): Promise<void>
  /** Make the replica a primary with what it has. */
  promote(): Promise<void>
  /** End both. */
  stop(): Promise<void>
}

/** Longer than a replica takes to catch up on a busy machine (ms). */
const SYNC_MS = 10_000
/** Nobody listens there. */
const NOWHERE = ['127.0.0.1', '1'] as const
/** Otherwise a primary waits seconds for other replicas before the first copy. */
const REPLICATION = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'] as const

/** Start a primary and a replica, and wait until the replica has caught up. */
export async function startReplicated(args: readonly string[] = []): Promise<Replicated> {
  const primary = await startPrimary(args)
  const replica = await startReplica(primary.port, args)
  const follow = (...target: readonly [host: string, port: string]): Promise<unknown> =>
    askRedis(replica.port, (client) => client.replicaof(...target))
  return {
    primary,
    replica,
    synced: () => synced(primary.port, replica.port),
    detach: async () => {
      await follow(...NOWHERE)
    },
    promote: async () => {
      await follow('NO', 'ONE')
    },
    stop: async () => {
      await Promise.all([primary.stop(), replica.stop()])
    },
  }
}

/** Start a server that replicas may follow. */
export function startPrimary(args: readonly string[] = []): Promise<RedisServer> {
  return startRedis({ args: [...REPLICATION, ...args] })
}

/** Start a replica of the server on `port`, and wait until it has caught up. */
export async function startReplica(port: number, args: readonly string[] = []): Promise<RedisServer> {
  const replica = await startRedis({ args: [...REPLICATION, ...args, '--replicaof', '127.0.0.1', String(port)] })
  await synced(port, replica.port)
  return replica
}

/** Wait until a replica has everything that its primary has been told so far. */
export async function synced(primary: number, replica: number): Promise<void> {
  const replication = (port: number): Promise<string> => askRedis(port, (client) => client.info('replication'))
  const written = Number(infoField(await replication(primary), 'master_repl_offset'))
  await untilServers(`the replica on port ${replica} has caught up with port ${primary}`, SYNC_MS, async () => {
    const info = await replication(replica)
    return infoField(info, 'master_link_status') === 'up' && Number(infoField(info, 'slave_repl_offset')) >= written
  })
}
