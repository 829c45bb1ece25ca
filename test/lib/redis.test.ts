import { expect } from 'chai'
import { Redis as Redis5 } from 'ioredis'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis-6'
import RedisMock from 'ioredis-mock'
import { checkRedisOption, connectRedis, type RedisOption } from '../../lib/redis.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

const SILENT = (): void => {}

describe('checkRedisOption', () => {
  it('takes undefined, false and the empty string as memory only', () => {
    for (const option of [undefined, false, '']) expect(checkRedisOption(option)).to.equal(false)
  })

  it('takes URLs, options, nodes of a cluster and clients of ioredis 5, 6 and ioredis-mock', () => {
    const five = new Redis5({ lazyConnect: true })
    const six = new Redis6({ lazyConnect: true })
    const cluster = new Cluster6([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true })
    const options: readonly RedisOption[] = [
      'redis://localhost:6379/1',
      'rediss://user:secret@redis.test',
      'unix:///run/redis.sock',
      { host: 'localhost', port: 6379 },
      { cluster: [{ host: 'localhost', port: 7000 }] },
      five,
      six,
      cluster,
      new RedisMock() as unknown as RedisOption,
    ]
    for (const option of options) expect(checkRedisOption(option)).to.equal(true)
    for (const client of [five, six, cluster]) client.disconnect()
  })

  const wrong: readonly (readonly [what: string, option: unknown, words: string])[] = [
    [
      'a node-redis client',
      { isOpen: false, sendCommand: SILENT, get: SILENT },
      'node-redis client; cachewell needs ioredis',
    ],
    ['a URL of another scheme', 'http://localhost:6379', '"http://localhost:6379"'],
    ['a host without a scheme', 'localhost:6379', 'redis://localhost:6379'],
    ['text that is no URL', 'somewhere', '"somewhere", which is not a URL'],
    ['a number', 6379, '6379'],
    ['true', true, 'got true'],
    ['null', null, 'got null'],
    ['a list', ['redis://a'], 'an array'],
    ['some other client', { get: SILENT, set: SILENT }, 'not an ioredis client'],
  ]
  for (const [what, option, words] of wrong) {
    it(`refuses ${what} and says what it takes`, () => {
      expect(() => checkRedisOption(option))
        .to.throw(words)
        .with.property('code', 'ERR_CACHE_BAD_CLIENT')
    })
  }

  it('does not repeat the password of a wrong URL', () => {
    expect(() => checkRedisOption('http://user:secret@a.test'))
      .to.throw('***')
      .with.property('message')
      .that.does.not.include('secret')
  })

  it('refuses a Cluster client that reads from replicas', () => {
    const cluster = new Cluster6([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true, scaleReads: 'slave' })
    expect(() => checkRedisOption(cluster)).to.throw("scaleReads: 'master'")
    cluster.disconnect()
  })
})

describe('connectRedis', () => {
  it('uses a client that is handed in as it is and leaves it open', async () => {
    const client = new Redis5({ lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 })
    const warnings: string[] = []
    const connection = connectRedis(client, (message) => warnings.push(message))
    expect(await connection.client).to.equal(client)
    expect(connection.owned).to.equal(false)
    await connection.close()
    expect(client.status).to.equal('wait')
    expect(client.listenerCount('error')).to.equal(0)
    expect(warnings).to.deep.equal([])
    client.disconnect()
  })

  it('warns once about settings that let commands pile up', () => {
    const client = new Redis5({ lazyConnect: true, maxRetriesPerRequest: null })
    const warnings: string[] = []
    connectRedis(client, (message) => warnings.push(message))
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include('enableOfflineQueue: true and maxRetriesPerRequest: null')
    client.disconnect()
  })

  it('refuses to connect to nothing', () => {
    expect(() => connectRedis('', SILENT))
      .to.throw()
      .with.property('code', 'ERR_CACHE_BAD_CLIENT')
  })

  it('names no password, neither in its label nor in a fault', async () => {
    const connection = connectRedis('redis://user:secret@127.0.0.1:1', SILENT)
    const client = await connection.client
    await new Promise<void>((resolve) => client.on('close', () => resolve()))
    expect(connection.label).to.equal('redis://user:***@127.0.0.1:1')
    expect(connection.fault).to.include('ECONNREFUSED')
    expect(connection.fault).not.to.include('secret')
    await connection.close()
  })

  it('closes before the client exists', async () => {
    const connection = connectRedis('redis://127.0.0.1:1', SILENT)
    await connection.close()
    expect((await connection.client).status).not.to.equal('ready')
  })
})

describeWithRedis('connectRedis with a server', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  const options: Readonly<Record<string, () => RedisOption>> = {
    'a URL': () => `${server.url}/2`,
    options: () => ({ host: '127.0.0.1', port: server.port }),
  }
  for (const [what, option] of Object.entries(options)) {
    it(`makes a client from ${what} that fails at once when Redis is away, and ends it`, async () => {
      const connection = connectRedis(option(), SILENT)
      const client = await connection.client
      await new Promise<void>((resolve) => client.on('ready', () => resolve()))
      expect(connection.owned).to.equal(true)
      expect(await client.ping()).to.equal('PONG')
      expect(client.options).to.include({ enableOfflineQueue: false, maxRetriesPerRequest: 0, connectTimeout: 1000 })
      const ended = new Promise<void>((resolve) => client.on('end', () => resolve()))
      await connection.close()
      await ended
      expect(client.status).to.equal('end')
    })
  }

  it('connects again by itself, also over a link that was dropped', async () => {
    const connection = connectRedis(server.url, SILENT)
    const client = await connection.client
    await new Promise<void>((resolve) => client.on('ready', () => resolve()))
    const again = new Promise<void>((resolve) => client.on('ready', () => resolve()))
    connection.reset()
    await again
    expect(await client.ping()).to.equal('PONG')
    await connection.close()
  })
})
