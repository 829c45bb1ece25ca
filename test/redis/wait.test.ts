import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import sinon from 'sinon'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { CacheError } from '../../lib/errors.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { type Replicated, startReplicated } from '../support/redis-replica.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const open: Cache[] = []
const ended: { disconnect(): void }[] = []

async function start(options: CacheOptions): Promise<Cache> {
  const logger = { info() {}, warn() {} }
  const cache = createCache({ namespace: 'wait', leaseMs: 40, deadlineMs: 2_000, logger, ...options })
  open.push(cache)
  await cache.ready()
  return cache
}

async function closeAll(): Promise<void> {
  sinon.restore()
  await Promise.all(open.splice(0).map((cache) => cache.close()))
  for (const client of ended.splice(0)) client.disconnect()
}

/** What an invalidation that waits is told; undefined when it is confirmed. */
async function refusal(cache: Cache, wait: number, timeoutMs = 300): Promise<CacheError | undefined> {
  try {
    await cache.invalidate({ tags: ['x'] }, { wait, timeoutMs })
    return undefined
  } catch (error) {
    expect(error).to.be.instanceOf(CacheError)
    return error as CacheError
  }
}

const fill = async (cache: Cache): Promise<void> => {
  await cache.remember('k', { ttl: '1h', tags: ['x'] }, () => 1)
  await eventually(() => cache.exists('k'))
}

describeWithRedis('an invalidation that waits for replicas', function () {
  this.timeout(30_000)
  let pair: Replicated
  let url: string
  before(async () => {
    pair = await startReplicated()
    url = pair.primary.url
  })
  after(() => pair.stop())
  afterEach(closeAll)

  it('is confirmed when they have it', async () => {
    const [a, b] = [await start({ redis: url }), await start({ redis: url })]
    for (const cache of [a, b]) await fill(cache)
    const { ack, elapsedMs } = await a.invalidate({ tags: ['x'] }, { wait: 1, timeoutMs: 10_000 })
    expect(ack).to.equal('all')
    expect(elapsedMs).to.be.below(10_000)
    expect(await b.get('k')).to.equal(undefined)
    const replica = new Redis(pair.replica.url)
    ended.push(replica)
    expect(await replica.get('{wait:0}:v')).to.match(/^[0-9a-f]{16}:[1-9]/)
  })

  it('is done but not confirmed when there are too few, and says how many', async () => {
    const [a, b] = [await start({ redis: url }), await start({ redis: url })]
    for (const cache of [a, b]) await fill(cache)
    const events: unknown[] = []
    a.on('unconfirmed', ({ cause }) => events.push(cause))
    const error = await refusal(a, 2)
    expect(error).to.include({ code: 'ERR_CACHE_UNCONFIRMED', pending: true })
    expect(error?.message).to.include('1 of 2 replicas')
    expect(events).to.deep.equal([error])
    expect(await b.get('k')).to.equal(undefined)
  })

  it('is not confirmed while a replica hangs', async () => {
    const cache = await start({ redis: url })
    expect(await refusal(cache, 1, 5_000)).to.equal(undefined)
    pair.replica.pause()
    try {
      expect((await refusal(cache, 1))?.message).to.include('0 of 1 replicas')
    } finally {
      pair.replica.resume()
    }
    expect(await refusal(cache, 1, 10_000)).to.equal(undefined)
  })

  it('holds nobody else up, and is sent by a connection of its own that is made when needed', async () => {
    const client = new Redis(url, { enableOfflineQueue: false, lazyConnect: true })
    ended.push(client)
    await client.connect()
    const duplicate = sinon.spy(client, 'duplicate')
    const send = sinon.spy(client, 'sendCommand')
    const cache = await start({ redis: client, memory: false })
    await fill(cache)
    await cache.invalidate({ tags: ['y'] }, { ack: 'redis' })
    expect(duplicate.callCount).to.equal(0)
    let isOver = false
    const waiting = refusal(cache, 2, 1_000).finally(() => {
      isOver = true
    })
    for (let read = 0; read < 5; read++) await cache.get('other')
    expect(isOver).to.equal(false)
    expect((await waiting)?.message).to.include('1 of 2 replicas')
    // One for subscriptions, because every process is to be reached, and one to wait.
    expect(duplicate.callCount).to.equal(2)
    await refusal(cache, 1)
    expect(duplicate.callCount).to.equal(2)
    expect(send.getCalls().map(({ args }) => args[0].name)).to.not.include('wait')
  })

  it('that is soft or for Redis alone waits, too', async () => {
    const cache = await start({ redis: url })
    await fill(cache)
    const { ack } = await cache.invalidate({ tags: ['x'] }, { wait: 1, soft: true, ack: 'redis', timeoutMs: 10_000 })
    expect(ack).to.equal('redis')
    expect(await cache.get('k')).to.equal(undefined)
  })

  it('leaves a process that can end by itself', async () => {
    const cachePath = new URL('../../lib/cache.ts', import.meta.url).href
    const program = `
      import { createCache } from ${JSON.stringify(cachePath)}
      const cache = createCache({ redis: ${JSON.stringify(url)}, namespace: 'child', deadlineMs: 5000 })
      await cache.ready()
      await cache.invalidate({ tags: ['x'] }, { wait: 1, timeoutMs: 10000 })
      await cache.close()
    `
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      stdio: 'inherit',
    })
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const [code] = await once(child, 'exit')
    clearTimeout(late)
    expect(code).to.equal(0)
  })
})

describeWithRedis('an invalidation that waits where there are no replicas', function () {
  this.timeout(30_000)
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  afterEach(closeAll)

  it('says so', async () => {
    const cache = await start({ redis: server.url })
    expect((await refusal(cache, 1))?.message).to.include('0 of 1 replicas')
  })

  it('is retried like any other while Redis is away', async () => {
    const cache = await start({ redis: server.url, deadlineMs: 50 })
    const other = await start({ redis: server.url })
    await fill(other)
    server.pause()
    const error = await refusal(cache, 1)
    server.resume()
    expect(error).to.include({ code: 'ERR_CACHE_UNCONFIRMED', pending: true })
    await eventually(async () => (await other.get('k')) === undefined)
  })
})

describeWithRedis('an invalidation that waits in a Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.stop())
  afterEach(closeAll)

  it('waits in each partition', async () => {
    const redis = { cluster: cluster.addresses }
    const [a, b] = [await start({ redis }), await start({ redis })]
    for (const cache of [a, b]) await fill(cache)
    expect((await refusal(a, 1, 1_000))?.message).to.include('0 of 1 replicas')
    expect(await b.get('k')).to.equal(undefined)
  })
})
