import type { CacheOptions } from '../../lib/cache-options.ts'
import { describeService } from '../contracts/service.contract.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { describeWithRedis } from '../support/redis-server.ts'
import { serviceOn } from '../support/service-on-redis.ts'

describeWithRedis('on a Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.stop())

  const make = async (options: CacheOptions = {}): Promise<CacheUnderTest> => ({
    ...(await serviceOn({ redis: { cluster: cluster.addresses }, leaseMs: 200, ...options })),
    partitions: 16,
  })
  describeService('memory in front of it', make)
  describeService('the Cluster only', (options) => make({ memory: false, ...options }))
})
