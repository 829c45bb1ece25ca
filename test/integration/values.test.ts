import { describeService } from '../contracts/service.contract.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { serviceOn } from '../support/service-on-redis.ts'

describeWithRedis('on a real Redis', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  describeService('memory in front of Redis', (options) => serviceOn({ redis: server.url, ...options }))
  describeService('Redis only', (options) => serviceOn({ redis: server.url, memory: false, ...options }))
})
