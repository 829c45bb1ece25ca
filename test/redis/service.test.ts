import { describeService } from '../contracts/service.contract.ts'
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

  describeService('memory in front of it', (options) =>
    serviceOn({ redis: { cluster: cluster.addresses }, ...options }),
  )
  describeService('the Cluster only', (options) =>
    serviceOn({ redis: { cluster: cluster.addresses }, memory: false, ...options }),
  )
})
