import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { askRedis } from '../support/ask-redis.ts'
import { MapStore } from '../support/map-store.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { keysOf, type Monitor, monitorRedis, type Received } from '../support/redis-monitor.ts'
import { describeWithRedis } from '../support/redis-server.ts'
import { whileServing } from '../support/serving.ts'
import { closeNodes, type Database, eventually, isHit, type Node, startNode } from '../support/sharing.ts'

const PARTITIONS = 16
const PATHS = Array.from({ length: 60 }, (_, index) => `/${index}`)

describeWithRedis('an application on a Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  let database: Database
  let namespace: string
  let namespaces = 0
  let monitor: Monitor | undefined
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.stop())
  beforeEach(() => {
    namespace = `cluster${namespaces++}`
    database = new Map()
  })
  afterEach(async () => {
    monitor?.stop()
    await closeNodes()
  })

  const start = async (options: Pick<CacheOptions, 'memory' | 'fallback'> = {}): Promise<Node> => {
    const redis = { cluster: cluster.addresses }
    const node = await startNode(database, { redis, namespace, deadlineMs: 1_000, leaseMs: 500, ...options })
    await node.cache.ready()
    return node
  }

  /** Entries of all rows, in Redis, so that another process finds them there. */
  const fill = async (a: Node, b: Node): Promise<void> => {
    for (const path of PATHS) await a.get(path)
    for (const path of PATHS) await eventually(async () => isHit(await b.get(path)))
  }

  const hits = async (node: Node): Promise<number> => {
    const answers = await Promise.all(PATHS.map((path) => node.get(path)))
    return answers.filter(isHit).length
  }

  const slotsOf = (keys: readonly string[]): Promise<readonly number[]> =>
    askRedis(cluster.nodes[0]?.port as number, (client) =>
      Promise.all(keys.map((key) => client.cluster('KEYSLOT', key))),
    )

  const partitionSlots = (): Promise<readonly number[]> =>
    slotsOf(Array.from({ length: PARTITIONS }, (_, partition) => `{${namespace}:${partition}}`))

  for (const [what, target] of [
    ['a tag', { tags: ['all'] }],
    ['a pattern', { pattern: '/*' }],
    ['everything', { all: true }],
    ['URLs', { urls: PATHS }],
  ] as const) {
    it(`forgets ${what} on all nodes and in all processes`, async () => {
      const [a, b] = [await start(), await start({ memory: false })]
      await fill(a, b)
      expect(await hits(a)).to.equal(PATHS.length)
      for (const path of PATHS) database.set(path, 1)
      expect(await b.cache.invalidate(target)).to.include({ ack: 'all', partitions: PARTITIONS })
      for (const node of [a, b]) {
        const texts = await Promise.all(PATHS.map(async (path) => (await node.get(path)).text))
        expect(new Set(texts)).to.deep.equal(new Set(['1']))
      }
    })
  }

  it('lists the entries of all nodes, page by page, each once', async () => {
    const [a, b] = [await start({ memory: false }), await start({ memory: false })]
    await fill(a, b)
    const names: string[] = []
    let cursor: string | undefined
    do {
      const page = await a.cache.entries({ limit: 7, ...(cursor === undefined ? {} : { cursor }) })
      names.push(...page.entries.map(({ name }) => name))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(names.toSorted()).to.deep.equal(PATHS.toSorted())
  })

  it('has from a fallback store what its nodes have lost, and nothing that was invalidated', async () => {
    const store = new MapStore()
    const [a, b] = [await start({ fallback: [store] }), await start({ memory: false, fallback: [store] })]
    const keys = PATHS.map((path) => `value of ${path}`)
    await a.cache.warm(keys.map((key, index) => ({ key, load: () => key, tags: [`mod:${index % 2}`] })))
    await eventually(() => store.entries.size === keys.length)
    await a.cache.engine.store.evict(keys.map((key) => `V 1 ${key}`))
    await a.cache.invalidate({ tags: ['mod:1'] })
    const expected = keys.map((key, index) => (index % 2 === 0 ? key : undefined))
    for (const { cache } of [b, a]) expect(await cache.getMany(keys)).to.deep.equal(expected)
    expect(b.cache.stats().fallbacks[0]).to.include({ hits: keys.length / 2, refused: keys.length / 2 })
  })

  it('never sends one command to two slots, and no other command than those with keys of its own', async () => {
    monitor = await monitorRedis(cluster.nodes.map(({ port }) => port))
    const [a, b] = [await start(), await start({ memory: false })]
    await fill(a, b)
    const items = PATHS.map((key) => ({ key, value: `${key} `.repeat(500), tags: ['t'] }))
    expect(await a.cache.setMany(items)).to.equal(true)
    expect(await b.cache.getMany(PATHS)).to.deep.equal(items.map(({ value }) => value))
    await b.cache.remember('r', { ttl: '1m' }, () => 1)
    await b.cache.warm([{ key: 'w', value: 1 }], { name: 'popular', every: true })
    await a.cache.expire('/0', '1m')
    await a.cache.delete('/1')
    await a.cache.invalidate({ tags: ['t', 'u'], keys: ['/0', '/1'], urls: PATHS, pattern: '*9' })
    await a.cache.invalidate({ all: true })
    await b.cache.entries()
    await b.cache.health()
    const received = [...monitor.received]
    const unknown = received.filter((command) => keysOf(command) === undefined)
    expect(unknown).to.deep.equal([])
    await expectOneSlotEach(received)
  })

  /** Every command stays in one slot; together they reach all partitions. */
  async function expectOneSlotEach(received: readonly Received[]): Promise<void> {
    const lists = received.map((command) => keysOf(command) ?? []).filter((keys) => keys.length > 0)
    const keys = [...new Set(lists.flat())]
    const slots = await slotsOf(keys)
    const slotOf = new Map(keys.map((key, index) => [key, slots[index]]))
    const multiple = lists.filter((list) => list.length > 1)
    expect(multiple.length).to.be.greaterThan(PATHS.length)
    for (const list of multiple) expect(new Set(list.map((key) => slotOf.get(key))).size, list.join(' ')).to.equal(1)
    expect(new Set(slots)).to.deep.equal(new Set(await partitionSlots()))
  }

  it('answers every request rightly while its slots move to other nodes', async () => {
    const nodes = [await start(), await start({ memory: false })]
    const slots = await partitionSlots()
    const { failed, stale } = await whileServing(database, nodes, async (soFar) => {
      await works(nodes, soFar)
      for (const slot of slots) {
        const from = await cluster.ownerOf(slot)
        const to = cluster.nodes[(cluster.nodes.indexOf(from) + 1) % cluster.nodes.length]
        if (to !== undefined) await cluster.migrateSlot(slot, to, () => sleep(100))
      }
      await works(nodes, soFar)
    })
    expect(failed).to.deep.equal([])
    expect(stale).to.deep.equal([])
  })

  it('answers every request rightly while one node is killed and comes back', async () => {
    const nodes = [await start(), await start({ memory: false })]
    const [victim] = cluster.nodes
    if (victim === undefined) throw new Error('No node')
    const { failed, stale } = await whileServing(database, nodes, async (soFar) => {
      await works(nodes, soFar)
      await victim.kill9()
      await sleep(1_500)
      await victim.restart()
      await cluster.ok()
      await works(nodes, soFar)
    })
    expect(failed).to.deep.equal([])
    expect(stale).to.deep.equal([])
    const cache = createCache({ redis: { cluster: cluster.addresses }, namespace, deadlineMs: 1_000 })
    await cache.ready()
    expect(await cache.health()).to.include({ status: 'pass' })
    await cache.close()
  })

  /** Every node answers from Redis or memory, and invalidations are confirmed. */
  async function works(nodes: readonly Node[], soFar: { readonly acknowledged: number }): Promise<void> {
    const before = nodes.map(({ cache }) => cache.stats().stats.hits)
    const { acknowledged } = soFar
    await eventually(
      () =>
        soFar.acknowledged > acknowledged + 20 &&
        nodes.every(({ cache }, index) => cache.stats().stats.hits > (before[index] ?? 0) + 50),
    )
  }
})
