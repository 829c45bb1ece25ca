import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { describeWrites } from '../contracts/write.contract.ts'
import { askRedis } from '../support/ask-redis.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { ageRegistry } from '../support/redis-registry.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

const PARTITIONS = [0, 1, 2, 3]

let namespaces = 0

describeWithRedis('on a real Redis', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  const make = (options: CacheOptions) => async (): Promise<CacheUnderTest> => {
    const clock = new FakeClock()
    const namespace = `writes-${namespaces++}`
    // Young ones would have every write wait for a lease.
    await askRedis(server.port, (client) =>
      Promise.all(PARTITIONS.map((partition) => ageRegistry(client, `{${namespace}:${partition}}:r`))),
    )
    const cache = createCache({
      redis: server.url,
      namespace,
      deadlineMs: 1_000,
      logger: { info() {}, warn() {} },
      clock,
      ...options,
    })
    await cache.ready()
    return { cache, clock }
  }

  describeWrites('memory in front of Redis', make({}))
  describeWrites('Redis only', make({ memory: false }))
  describeWrites('Redis in partitions', make({ partitions: PARTITIONS.length }))
})
