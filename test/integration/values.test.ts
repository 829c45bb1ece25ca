import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { describeService } from '../contracts/service.contract.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

let namespaces = 0

describeWithRedis('on a real Redis', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  const make =
    (options: CacheOptions) =>
    async (more: CacheOptions = {}): Promise<CacheUnderTest> => {
      const clock = new FakeClock()
      const cache = createCache({
        redis: server.url,
        namespace: `values-${namespaces++}`,
        leaseMs: 40,
        deadlineMs: 1_000,
        logger: { info() {}, warn() {} },
        clock,
        ...options,
        ...more,
      })
      await cache.ready()
      return { cache, clock }
    }

  describeService('memory in front of Redis', make({}))
  describeService('Redis only', make({ memory: false }))
})
