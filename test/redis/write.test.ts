import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { describeWrites } from '../contracts/write.contract.ts'
import { askRedis } from '../support/ask-redis.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const POLICY = { ttl: '1h', tags: ['x'] } as const
const SILENT = { info() {}, warn() {} }

let namespaces = 0

describeWithRedis('a write through caches that share a Redis', function () {
  this.timeout(30_000)
  let server: RedisServer
  let namespace: string
  const open: Cache[] = []
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(() => {
    namespace = `write${namespaces++}`
  })
  afterEach(async () => {
    server.resume()
    await Promise.all(open.splice(0).map((cache) => cache.close()))
  })

  const start = async (options: CacheOptions = {}): Promise<Cache> => {
    const cache = createCache({ redis: server.url, namespace, leaseMs: 100, logger: SILENT, ...options })
    open.push(cache)
    await cache.ready()
    return cache
  }
  const read = (cache: Cache, value: string): Promise<string> => cache.remember('k', POLICY, () => value)
  /** Until memory answers, or Redis where there is none. */
  const fill = (cache: Cache, value: string): Promise<void> =>
    eventually(async () => {
      await read(cache, value)
      return (await cache.get('k')) === value
    })

  it('is seen by all of them, without a load', async () => {
    const [a, b, c] = [await start(), await start(), await start({ memory: false })]
    for (const cache of [a, b, c]) await fill(cache, 'old')
    await eventually(() => a.write('k', POLICY, () => 'new'))
    expect(await Promise.all([a, b, c].map((cache) => cache.get('k')))).to.deep.equal(['new', 'new', 'new'])
  })

  it('leaves nothing where another process has written meanwhile', async () => {
    const [a, b] = [await start(), await start()]
    await eventually(() =>
      a.write('k', POLICY, async () => {
        await b.write('k', POLICY, () => 'newer')
        return 'overtaken'
      }),
    )
    expect(await Promise.all([a.get('k'), b.get('k')])).to.deep.equal([undefined, undefined])
  })

  it('leaves nothing where Redis has forgotten meanwhile when it began', async () => {
    const [a, b] = [await start(), await start()]
    await a.write('k', POLICY, async () => {
      await askRedis(server.port, (client) => client.flushall())
      return 'new'
    })
    expect(await Promise.all([a.get('k'), b.get('k')])).to.deep.equal([undefined, undefined])
  })

  it('saves where Redis hangs at its end, says that others are still to be told, and tells them', async () => {
    const [a, b] = [await start(), await start()]
    for (const cache of [a, b]) await fill(cache, 'old')
    const isConfirmed = await a.write('k', POLICY, () => {
      server.pause()
      return 'new'
    })
    expect(isConfirmed).to.equal(false)
    expect([await a.get('k'), await read(a, 'from the source')]).to.deep.equal([undefined, 'from the source'])
    server.resume()
    await eventually(async () => a.engine.reachable && b.engine.reachable)
    expect(await read(b, 'from the source')).to.equal('from the source')
    await fill(b, 'from the source')
  })

  it('saves where Redis hangs from the beginning on', async () => {
    const a = await start()
    await fill(a, 'old')
    server.pause()
    expect(await a.write('k', POLICY, () => 'new')).to.equal(false)
    expect(await a.get('k')).to.equal(undefined)
  })
})

describeWithRedis('writes on a Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.stop())

  describeWrites('Cluster', async (): Promise<CacheUnderTest> => {
    const clock = new FakeClock()
    const redis = { cluster: cluster.addresses }
    const namespace = `writes${namespaces++}`
    const cache = createCache({ redis, namespace, deadlineMs: 1_000, logger: SILENT, clock })
    await cache.ready()
    return { cache, clock }
  })
})
