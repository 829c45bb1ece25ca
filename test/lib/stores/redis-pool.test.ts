import { expect } from 'chai'
import { Redis } from 'ioredis'
import sinon from 'sinon'
import { createCache } from '../../../lib/cache.ts'
import { CLIENT_SETTINGS, dropLinks, type RedisClient } from '../../../lib/redis.ts'
import { Pool } from '../../../lib/stores/redis-pool.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts'
import { eventually } from '../../support/sharing.ts'

describeWithRedis('Pool', () => {
  let server: RedisServer
  let admin: Redis
  let shared: Redis
  const pools: Pool[] = []
  const clients: Redis[] = []
  before(async () => {
    server = await startRedis()
    admin = new Redis(server.url)
  })
  after(async () => {
    admin.disconnect()
    await server.stop()
  })
  beforeEach(async () => {
    shared = connect(server.url)
    await shared.connect()
  })
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.close()
    for (const client of clients.splice(0)) client.disconnect()
  })

  function connect(url: string): Redis {
    const client = new Redis(url, CLIENT_SETTINGS)
    client.on('error', () => {})
    clients.push(client)
    return client
  }

  interface Made {
    readonly pool: Pool
    readonly readers: readonly Redis[]
    readonly reset: sinon.SinonSpy
  }

  function start(size: number, url: () => string = () => server.url): Made {
    const readers: Redis[] = []
    const reset = sinon.spy(dropLinks)
    const duplicate = (): RedisClient => {
      const reader = connect(url())
      readers.push(reader)
      return reader
    }
    const monotonic = (): number => performance.now()
    const pool = new Pool({ size, shared, duplicate, reset, deadlineMs: 1_000, monotonic })
    pools.push(pool)
    return { pool, readers, reset }
  }

  /** By which connections so many reads of the same moment go; undefined stands for the shared one. */
  async function ways(pool: Pool, count: number): Promise<Set<RedisClient | undefined>> {
    const read = async (): Promise<RedisClient | undefined> => {
      let way: RedisClient | undefined
      await pool.run(
        (client) => {
          way = client
          return client.mgetBuffer('x')
        },
        () => shared.mgetBuffer('x'),
      )
      return way
    }
    return new Set(await Promise.all(Array.from({ length: count }, read)))
  }

  const all = async ({ pool, readers }: Made): Promise<boolean> =>
    (await ways(pool, 4 * (readers.length + 1))).size === readers.length + 1

  it('spreads the reads of a moment over all connections, and leaves a single one where it is', async () => {
    const made = start(3)
    await eventually(() => all(made))
    expect([...(await ways(made.pool, 30))]).to.have.members([undefined, ...made.readers])
    expect([...(await ways(made.pool, 1))]).to.deep.equal([undefined])
  })

  it('leaves out a connection that is down until it is back', async () => {
    const made = start(2)
    await eventually(() => all(made))
    const [reader] = made.readers as [Redis]
    reader.disconnect()
    await eventually(() => reader.status === 'end')
    expect([...(await ways(made.pool, 10))]).to.deep.equal([undefined])
    await reader.connect()
    await eventually(() => all(made))
  })

  it('leaves out a connection that hangs, after a few reads', async () => {
    const made = start(2)
    await eventually(() => all(made))
    const [reader] = made.readers as [Redis]
    const hang = sinon.stub(reader, 'mgetBuffer').returns(new Promise(() => {}))
    sinon.stub(reader, 'info').returns(new Promise(() => {}))
    let failed = 0
    const read = (): Promise<unknown> =>
      made.pool
        .run(
          (client) => client.mgetBuffer('x'),
          () => shared.mgetBuffer('x'),
        )
        .catch(() => failed++)
    await eventually(async () => {
      await Promise.all([read(), read()])
      return failed >= 3
    })
    const calls = hang.callCount
    await Promise.all(Array.from({ length: 20 }, read))
    expect([hang.callCount, failed]).to.deep.equal([calls, 3])
  }).timeout(20_000)

  it('never reads from another server than the shared connection is on, and goes where that is', async () => {
    const other = await startRedis()
    try {
      let url = other.url
      const made = start(2, () => url)
      const [reader] = made.readers as [Redis]
      await eventually(() => reader.status === 'ready' && made.reset.callCount > 0)
      expect([...(await ways(made.pool, 10))]).to.deep.equal([undefined])
      url = server.url
      reader.options.port = server.port
      await eventually(() => all(made))
      // The shared connection moves: what the others see is not what it sees.
      shared.options.port = other.port
      shared.disconnect(true)
      await eventually(() => shared.status === 'ready' && shared.stream.remotePort === other.port)
      expect([...(await ways(made.pool, 10))]).to.deep.equal([undefined])
      reader.options.port = other.port
      await eventually(() => all(made))
    } finally {
      await other.stop()
    }
  })

  it('is not used where the server does not say which one it is', async () => {
    const info = sinon.stub(shared, 'info').rejects(new Error('NOPERM'))
    const made = start(2)
    await shared.ping()
    expect(info.callCount).to.equal(1)
    expect([...(await ways(made.pool, 10))]).to.deep.equal([undefined])
    expect(made.readers.map(({ status }) => status)).to.deep.equal(['wait'])
  })

  it('opens nothing after it was closed', async () => {
    let answer = (): void => {}
    const info = new Promise<string>((resolve) => {
      answer = () => resolve('run_id:1')
    })
    sinon.stub(shared, 'info').returns(info as never)
    const { pool, readers } = start(2)
    pool.close()
    answer()
    await shared.ping()
    expect(readers.map(({ status }) => status)).to.deep.equal(['end'])
  })

  describe('of a cache', () => {
    /** What each connection of the cache has sent last. */
    const commands = async (): Promise<readonly string[]> =>
      String(await admin.call('CLIENT', 'LIST', 'TYPE', 'normal'))
        .split('\n')
        .filter((line) => line.includes('name=pooled'))
        .map((line) => / cmd=(\S+)/.exec(line)?.[1] ?? '')

    const connections = async (): Promise<number> => (await commands()).length

    it('reads entries and nothing else, and is ended with it', async () => {
      const client = new Redis(server.url, { ...CLIENT_SETTINGS, connectionName: 'pooled' })
      clients.push(client)
      const cache = createCache({ redis: client, namespace: 'pool', memory: false, poolSize: 4, deadlineMs: '5s' })
      await cache.ready()
      await eventually(async () => (await connections()) === 4)
      const values = Array.from({ length: 300 }, (_, value) => value)
      await cache.setMany(values.map((value) => ({ key: `k${value}`, value })))
      expect(await cache.getMany(values.map((value) => `k${value}`))).to.deep.equal(values)
      // A read of so many keys is divided, and the script that stores ran on the first connection only.
      const others = (await commands()).filter((command) => command !== 'info' && command !== 'mget')
      expect(others.length, String(await commands())).to.be.at.most(1)
      expect(await commands()).to.include('mget')
      await cache.close()
      await eventually(async () => (await connections()) === 1)
    })

    it('is waited for by nobody', async () => {
      const client = new Redis(server.url, CLIENT_SETTINGS)
      clients.push(client)
      sinon.stub(client, 'duplicate').callsFake(() => connect('redis://127.0.0.1:1'))
      const cache = createCache({ redis: client, namespace: 'alone', memory: false, poolSize: 2, deadlineMs: '5s' })
      await cache.ready()
      expect(await cache.set('k', 1)).to.equal(true)
      expect(await cache.get('k')).to.equal(1)
      expect(cache.stats().status).to.equal('healthy')
      await cache.close()
    })

    it('ends with a client that was handed in, and comes back with it', async () => {
      const client = new Redis(server.url, { ...CLIENT_SETTINGS, connectionName: 'pooled' })
      clients.push(client)
      const cache = createCache({ redis: client, namespace: 'ended', memory: false, poolSize: 3, deadlineMs: '5s' })
      await cache.ready()
      await eventually(async () => (await connections()) === 3)
      client.disconnect()
      await eventually(async () => (await connections()) === 0)
      await client.connect()
      await eventually(async () => (await connections()) === 3)
      await cache.close()
    })
  })
})
