import RedisMock from 'ioredis-mock'
import { describeService } from '../contracts/service.contract.ts'
import { serviceOn } from '../support/service-on-redis.ts'

/** What it cannot: a script that stores several entries answers for the first one only. */
const BEYOND = ['take a lifetime for all and one for each, and tags for each']

describe('on ioredis-mock', () => {
  const client = new RedisMock()
  after(() => client.disconnect())
  beforeEach(function () {
    if (BEYOND.includes(this.currentTest?.title ?? '')) this.skip()
  })

  // It has no `INFO` in scripts, so that a registry does not say whose it is.
  const age = (registries: readonly string[]): Promise<unknown> =>
    Promise.all(registries.map((registry) => client.zadd(registry, 1, '@since')))
  describeService('Redis only', (options) =>
    serviceOn({ redis: new RedisMock() as never, memory: false, leaseMs: 100, ...options }, { age }),
  )
})
