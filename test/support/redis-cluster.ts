import type { Redis } from 'ioredis'
import { askRedis, infoField, untilServers } from './ask-redis.ts'
import { freePort } from './free-port.ts'
import { type RedisServer, startRedis } from './redis-server.ts'

/** A master of a cluster. After `restart` it is empty, and holds its slots as before. */
export interface ClusterNode extends RedisServer {
  /** How the other nodes call it. */
  readonly id: string
}

/** Three masters that together hold all slots. */
export interface RedisCluster {
  readonly nodes: readonly ClusterNode[]
  /** Where ioredis can start from. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
  /** The slot of a key, computed by the server. */
  slotOf(key: string): Promise<number>
  /** Who holds a slot. */
  ownerOf(slot: number): Promise<ClusterNode>
  /** Move a slot with all its keys; `halfway` runs while some of them are already there and the rest is not. */
  migrateSlot(slot: number, to: ClusterNode, halfway?: () => Promise<void>): Promise<void>
  /** Resolves when every node says that the cluster is up. */
  ok(): Promise<void>
  stop(): Promise<void>
}

const SLOTS = 16_384
const COUNT = 3
/** Longer than a cluster takes to agree on a busy machine (ms). */
const AGREE_MS = 30_000
const BATCH = 100

/** Start three masters, join them, and wait until all of them are up. */
export async function startCluster(args: readonly string[] = []): Promise<RedisCluster> {
  const started: { readonly node: ClusterNode; readonly busPort: number }[] = []
  const nodes = (): readonly ClusterNode[] => started.map(({ node }) => node)
  const stop = async (): Promise<void> => {
    await Promise.all(nodes().map((node) => node.stop()))
  }
  try {
    for (let count = 0; count < COUNT; count++) started.push(await startNode(args))
    await join(started)
    await agreed(nodes())
  } catch (error) {
    await stop()
    throw error
  }
  const ownerOf = (slot: number): Promise<ClusterNode> => ownerAmong(nodes(), slot)
  return {
    nodes: nodes(),
    addresses: nodes().map(({ port }) => ({ host: '127.0.0.1', port })),
    slotOf: (key) => askRedis(nodes()[0]?.port as number, (client) => client.cluster('KEYSLOT', key)),
    ownerOf,
    migrateSlot: async (slot, to, halfway) =>
      migrateSlot({ slot, from: await ownerOf(slot), to, nodes: nodes(), halfway }),
    ok: () => agreed(nodes()),
    stop,
  }
}

async function startNode(args: readonly string[]) {
  const busPort = await freePort()
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '1000']
  const server = await startRedis({ args: [...cluster, ...args] })
  const id = await askRedis(server.port, (client) => client.cluster('MYID'))
  // Defined on the server itself, whose pid changes with each start.
  return { node: Object.assign(server, { id }), busPort }
}

async function join(started: readonly { readonly node: ClusterNode; readonly busPort: number }[]): Promise<void> {
  for (const [index, { node }] of started.entries()) {
    const [first, last] = [Math.ceil((index * SLOTS) / COUNT), Math.ceil(((index + 1) * SLOTS) / COUNT) - 1]
    await askRedis(node.port, async (client) => {
      await client.cluster('ADDSLOTSRANGE', first, last)
      // Different from the beginning: nodes with the same epoch disagree until one gives way.
      await client.cluster('SET-CONFIG-EPOCH', index + 1)
    })
  }
  const [first, ...others] = started
  for (const { node, busPort } of others) {
    await askRedis(first?.node.port as number, (client) =>
      client.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort),
    )
  }
}

/** Every node holds the cluster for up, and all see the same owners. */
async function agreed(nodes: readonly ClusterNode[]): Promise<void> {
  await untilServers('the cluster is up', AGREE_MS, async () => {
    const views = await Promise.all(nodes.map(({ port }) => askRedis(port, viewOf)))
    return new Set(views).size === 1 && views[0] !== undefined
  })
}

async function viewOf(client: Redis): Promise<string | undefined> {
  const info = await client.cluster('INFO')
  if (infoField(info, 'cluster_state') !== 'ok' || infoField(info, 'cluster_known_nodes') !== String(COUNT))
    return undefined
  const ranges = await client.cluster('SLOTS')
  return JSON.stringify(ranges.map(([first, last, owner]) => `${first}-${last} ${owner?.[1]}`).toSorted())
}

async function ownerAmong(nodes: readonly ClusterNode[], slot: number): Promise<ClusterNode> {
  for (const node of nodes) {
    // A node that is down holds nothing that could be asked for.
    const view = await askRedis(node.port, (client) => client.call('CLUSTER', 'NODES')).catch(() => '')
    const line =
      String(view)
        .split('\n')
        .find((text) => text.includes('myself')) ?? ''
    if (holds(line, slot)) return node
  }
  throw new Error(`Nobody holds slot ${slot}`)
}

/** Whether a line of `CLUSTER NODES` names this slot among those held. */
function holds(line: string, slot: number): boolean {
  const ranges = line.trim().split(' ').slice(8)
  return ranges.some((range) => {
    const [first, last = first] = range.split('-').map(Number)
    return first !== undefined && last !== undefined && first <= slot && slot <= last
  })
}

interface Migration {
  readonly slot: number
  readonly from: ClusterNode
  readonly to: ClusterNode
  readonly nodes: readonly ClusterNode[]
  readonly halfway: (() => Promise<void>) | undefined
}

async function migrateSlot({ slot, from, to, nodes, halfway }: Migration): Promise<void> {
  if (from === to) return
  await askRedis(to.port, (client) => client.cluster('SETSLOT', slot, 'IMPORTING', from.id))
  await askRedis(from.port, async (client) => {
    await client.cluster('SETSLOT', slot, 'MIGRATING', to.id)
    const count = await client.cluster('COUNTKEYSINSLOT', slot)
    const half = await client.cluster('GETKEYSINSLOT', slot, Math.ceil(count / 2))
    if (half.length > 0) await client.migrate('127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...half)
    await halfway?.()
    for (;;) {
      const keys = await client.cluster('GETKEYSINSLOT', slot, BATCH)
      if (keys.length === 0) break
      await client.migrate('127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
    }
  })
  // The new owner first: between the two nobody would be responsible.
  for (const node of [to, from, ...nodes.filter((other) => other !== to && other !== from)]) {
    await askRedis(node.port, (client) => client.cluster('SETSLOT', slot, 'NODE', to.id))
  }
}
