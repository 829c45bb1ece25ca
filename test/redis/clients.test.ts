import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis-6'
import RedisMock from 'ioredis-mock'
import sinon from 'sinon'
import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { RedisClient } from '../../lib/redis.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

interface HandedIn extends RedisClient {
  disconnect(): void
  listenerCount(event: string): number
}

const EVENTS = ['ready', 'close', 'end', 'error']
const SETTINGS = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
let namespaces = 0

/** What holds for every client that is handed in. */
function itUses(name: string, make: () => HandedIn, options: CacheOptions = {}): void {
  it(`uses ${name} as it is, and leaves it open`, async () => {
    const client = make()
    const warnings: string[] = []
    if (client.status !== 'ready') await once(client as never, 'ready')
    const { status } = client
    const [settings, listeners] = [JSON.stringify(client.options), EVENTS.map((event) => client.listenerCount(event))]
    const logger = { info() {}, warn: (line: string) => void warnings.push(line) }
    const shared = {
      redis: client,
      namespace: `clients-${namespaces++}`,
      leaseMs: 200,
      deadlineMs: 1_000,
      logger,
      ...options,
    }
    const [cache, other] = [createCache(shared), createCache(shared)]
    await Promise.all([cache.ready(), other.ready()])
    expect(await cache.set('k', { n: 1 }, { tags: ['t'] })).to.equal(true)
    await cache.set('bytes', Buffer.from([0, 255]))
    expect(await other.get('k', { source: true })).to.deep.equal({ value: { n: 1 }, source: 'redis' })
    expect([...((await other.get<Buffer>('bytes')) ?? [])]).to.deep.equal([0, 255])
    await other.invalidate({ tags: ['t'] })
    expect(await cache.get('k')).to.equal(undefined)
    expect((await cache.entries()).entries.map((entry) => entry.name)).to.deep.equal(['bytes'])
    expect(await cache.health()).to.include({ status: 'pass', connected: true })
    await Promise.all([cache.close(), other.close()])
    await cache.close()
    expect(client.status).to.equal(status)
    expect(await client.ping()).to.equal('PONG')
    expect(JSON.stringify(client.options)).to.equal(settings)
    expect(EVENTS.map((event) => client.listenerCount(event))).to.deep.equal(listeners)
    expect(warnings).to.deep.equal([])
    client.disconnect()
  })
}

describe('createCache with a client handed in', () => {
  // Its TIME is wrong by up to a second, so that leases mean nothing: without memory there are none.
  itUses('ioredis-mock', () => new RedisMock({ ...SETTINGS }) as unknown as HandedIn, { memory: false })
})

describeWithRedis('createCache with a client of a real Redis', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  itUses('ioredis 5', () => new Redis(server.url, SETTINGS) as unknown as HandedIn)
  itUses('ioredis 6 on RESP2', () => new Redis6(server.url, { ...SETTINGS, protocol: 2 }) as unknown as HandedIn)
  itUses('ioredis 6 on RESP3', () => new Redis6(server.url, { ...SETTINGS, protocol: 3 }) as unknown as HandedIn)
  itUses(
    'a client with a keyPrefix',
    () => new Redis(server.url, { ...SETTINGS, keyPrefix: 'app[1]*:' }) as unknown as HandedIn,
  )

  it('keeps to the prefix of the client', async () => {
    const [client, plain] = [new Redis(server.url, { ...SETTINGS, keyPrefix: 'tenant:' }), new Redis(server.url)]
    await plain.flushall()
    await plain.set('foreign', 'stays')
    const cache = createCache({ redis: client, namespace: 'prefixed', leaseMs: 40, deadlineMs: 1_000 })
    await cache.ready()
    await cache.set('k', 1)
    await cache.invalidate({ all: true })
    const keys = (await plain.keys('*')).filter((key) => key !== 'foreign')
    expect(keys).to.not.deep.equal([])
    for (const key of keys) expect(key).to.match(/^tenant:\{prefixed:0\}:/)
    expect(await plain.get('foreign')).to.equal('stays')
    await cache.close()
    client.disconnect()
    plain.disconnect()
  })

  it('warns once about settings with which commands pile up', async () => {
    const client = new Redis(server.url)
    const warnings: string[] = []
    const logger = { info() {}, warn: (line: string) => void warnings.push(line) }
    const cache = createCache({ redis: client, namespace: 'warned', logger })
    await cache.ready()
    await cache.get('k')
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include('enableOfflineQueue: true and maxRetriesPerRequest: 20')
    await cache.close()
    client.disconnect()
  })

  it('takes options of ioredis, and ends the client it makes of them', async () => {
    const admin = new Redis(server.url)
    const cache = createCache({ redis: { host: '127.0.0.1', port: server.port, db: 3 }, namespace: 'own', leaseMs: 40 })
    await cache.ready()
    const before = String(await admin.client('LIST'))
      .trim()
      .split('\n').length
    await cache.close()
    const left = async (): Promise<number> =>
      String(await admin.client('LIST'))
        .trim()
        .split('\n').length
    while ((await left()) !== before - 1) await new Promise((resolve) => setTimeout(resolve, 5))
    admin.disconnect()
  })

  it('raises no error that nobody listens to while the server is away', async () => {
    const own = await startRedis()
    const client = new Redis(own.url, { ...SETTINGS, retryStrategy: () => 20 })
    const [heard, unhandled] = [[] as string[], [] as unknown[]]
    client.on('error', (error: Error) => heard.push(error.message))
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const complain = sinon.stub(console, 'error')
    const logger = { info() {}, warn() {} }
    const cache = createCache({ redis: client, namespace: 'away', leaseMs: 40, logger })
    try {
      await cache.ready()
      await cache.set('k', 1)
      await cache.get('k')
      await own.kill9()
      await eventually(() => heard.length > 3 && cache.stats().status === 'degraded')
      await cache.get('k')
      await cache.close()
    } finally {
      complain.restore()
      process.off('unhandledRejection', note)
      client.disconnect()
      await own.stop()
    }
    expect(complain.args).to.deep.equal([])
    expect(unhandled).to.deep.equal([])
  })
})

describeWithRedis('createCache with a Cluster client of a real Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.stop())

  const options = { enableOfflineQueue: false, redisOptions: SETTINGS }
  const nodes = () => [...cluster.addresses]
  itUses('a Cluster of ioredis 5', () => new Cluster(nodes(), options) as unknown as HandedIn)
  itUses('a Cluster of ioredis 6 on RESP2', () => {
    const redisOptions = { ...SETTINGS, protocol: 2 } as const
    return new Cluster6(nodes(), { ...options, redisOptions }) as unknown as HandedIn
  })
  itUses('a Cluster of ioredis 6 on RESP3', () => {
    const redisOptions = { ...SETTINGS, protocol: 3 } as const
    return new Cluster6(nodes(), { ...options, redisOptions }) as unknown as HandedIn
  })
})

describeWithRedis('a process that has closed its cache', function () {
  this.timeout(60_000)
  let server: RedisServer
  let cluster: RedisCluster
  let sentinels: Sentinels
  before(async () => {
    ;[server, cluster, sentinels] = await Promise.all([startRedis(), startCluster(), startSentinels()])
  })
  after(() => Promise.all([server.stop(), cluster.stop(), sentinels.stop()]))

  const nodes = (): string => JSON.stringify(cluster.addresses)
  for (const [what, redis, end] of [
    ['a URL', () => `'${server.url}'`, ''],
    ['options', () => `{ host: '127.0.0.1', port: ${server.port} }`, ''],
    ['nodes of a Cluster', () => `{ cluster: ${nodes()} }`, ''],
    ['Sentinels', () => JSON.stringify({ sentinels: sentinels.sentinels, name: sentinels.name }), ''],
    ['a client', () => `new Redis('${server.url}')`, 'redis.disconnect()'],
    ['a Cluster client', () => `new Cluster(${nodes()})`, 'redis.disconnect()'],
  ] as const) {
    it(`ends by itself (${what})`, async () => {
      const script = `
        import { Cluster, Redis } from 'ioredis'
        import { createCache } from './lib/cache.ts'
        const redis = ${redis()}
        const logger = { info() {}, warn() {} }
        const cache = createCache({ redis, namespace: 'ends', deadlineMs: 1_000, leaseMs: 40, logger })
        await cache.ready()
        await cache.set('k', 1)
        await cache.get('k')
        await cache.invalidate({ keys: ['k'] })
        await Promise.all([cache.close(), cache.close()])
        await cache.close()
        ${end}
        console.log('closed')`
      expect(await outcomeOf(script)).to.deep.equal({ code: 0, output: 'closed\n' })
    })
  }
})

/** What a process of its own has said, and how it ended; one that does not end by itself is ended. */
async function outcomeOf(script: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  return { code, output }
}

describe('createCache with a wrong client', () => {
  for (const [what, redis, message] of [
    ['node-redis', { sendCommand() {}, get() {}, on() {} }, 'node-redis'],
    ['another cache', { get() {}, set() {} }, 'is not an ioredis client'],
    ['a function', () => {}, 'got function'],
    [
      'a Cluster that reads from replicas',
      { mgetBuffer() {}, evalsha() {}, on() {}, isCluster: true, options: { scaleReads: 'slave' } },
      'scaleReads',
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      const make = (): unknown => createCache({ redis: redis as never })
      expect(make)
        .to.throw()
        .that.satisfies((error: Error) => {
          return Reflect.get(error, 'code') === 'ERR_CACHE_BAD_CLIENT' && error.message.includes(message)
        })
    })
  }
})
