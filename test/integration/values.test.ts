import { Redis } from 'ioredis'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { describeService } from '../contracts/service.contract.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { ageRegistry } from '../support/redis-registry.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { serviceOn } from '../support/service-on-redis.ts'

describeWithRedis('on a real Redis', () => {
  let server: RedisServer
  let client: Redis
  before(async () => {
    server = await startRedis()
    client = new Redis(server.url)
  })
  after(async () => {
    client.disconnect()
    await server.stop()
  })

  const age = (registries: readonly string[]): Promise<unknown> =>
    Promise.all(registries.map((registry) => ageRegistry(client, registry)))
  const make = (options: CacheOptions = {}): Promise<CacheUnderTest> =>
    serviceOn({ redis: server.url, ...options }, { age })
  describeService('memory in front of Redis', make)
  describeService('Redis only', (options) => make({ memory: false, ...options }))
})
