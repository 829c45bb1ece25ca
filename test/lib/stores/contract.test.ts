import RedisMock from 'ioredis-mock'
import { withMonotonic } from '../../../lib/clock.ts'
import { Events } from '../../../lib/events.ts'
import { connectRedis, type RedisOption } from '../../../lib/redis.ts'
import { MemoryStore } from '../../../lib/stores/memory.ts'
import { RedisStore } from '../../../lib/stores/redis.ts'
import { TieredStore } from '../../../lib/stores/tiered.ts'
import { describeStoreContract, type StoreUnderTest } from '../../contracts/store.contract.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts'

const silent = { info: () => {}, warn: () => {} }
let namespaces = 0

async function redisStore(redis: RedisOption, clock: FakeClock): Promise<RedisStore> {
  const store = new RedisStore({
    connection: connectRedis(redis, () => {}),
    namespace: `contract-${process.pid}-${namespaces++}`,
    deadlineMs: 2_000,
    leaseMs: 40,
    compressAbove: 64,
    clock,
    events: new Events(silent),
  })
  await store.ready()
  return store
}

async function underRedis(redis: RedisOption): Promise<StoreUnderTest> {
  const clock = new FakeClock()
  const store = await redisStore(redis, clock)
  return { store, clock, close: () => store.close() }
}

async function underTiered(redis: RedisOption): Promise<StoreUnderTest> {
  const clock = new FakeClock()
  const inner = await redisStore(redis, clock)
  const memory = new MemoryStore({ maxBytes: 1e6, clock, ledgerOf: (key) => inner.ledger(key) })
  const store = new TieredStore({ memory, redis: inner, clock: withMonotonic(clock), staleIfRedisDown: 0 })
  return { store, clock, close: () => store.close() }
}

describeStoreContract('memory', async () => {
  const clock = new FakeClock()
  return { store: new MemoryStore({ maxBytes: 1e6, clock }), clock, close: async () => {} }
})

describeStoreContract('Redis on ioredis-mock', () => underRedis(new RedisMock() as never))

describeWithRedis('on a real Redis', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  describeStoreContract('Redis', () => underRedis(server.url))
  describeStoreContract('memory in front of Redis', () => underTiered(server.url))
})
