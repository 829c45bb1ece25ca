import { Cluster } from 'ioredis'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { describeService } from '../contracts/service.contract.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { sinceMember } from '../support/redis-registry.ts'
import { describeWithRedis } from '../support/redis-server.ts'
import { serviceOn } from '../support/service-on-redis.ts'

const PARTITIONS = 16

describeWithRedis('on a Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  let client: Cluster
  /** Of each node: what says since when it has had a registry. */
  let since: readonly string[]
  before(async () => {
    cluster = await startCluster()
    client = new Cluster([...cluster.addresses])
    await client.ping()
    since = await Promise.all(client.nodes('master').map(sinceMember))
  })
  after(async () => {
    client.disconnect()
    await cluster.stop()
  })

  const age = (registries: readonly string[]): Promise<unknown> =>
    Promise.all(registries.map((registry) => client.zadd(registry, ...since.flatMap((member) => [1, member]))))
  const make = async (options: CacheOptions = {}): Promise<CacheUnderTest> => ({
    ...(await serviceOn({ redis: { cluster: cluster.addresses }, ...options }, { age, partitions: PARTITIONS })),
    partitions: PARTITIONS,
  })
  describeService('memory in front of it', make)
  describeService('the Cluster only', (options) => make({ memory: false, ...options }))
})
