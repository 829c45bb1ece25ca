import type { RequestListener } from 'node:http'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import sinon from 'sinon'
import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { RequestShape } from '../support/http-client.ts'
import { ageRegistry } from '../support/redis-registry.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { closeNodes, eventually, isHit, type Node, startNode } from '../support/sharing.ts'

describeWithRedis('commands sent to Redis', () => {
  let server: RedisServer
  let client: Redis
  let sent: string[]
  let namespace: string
  let namespaces = 0
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(async () => {
    client = new Redis(server.url, { enableOfflineQueue: false, lazyConnect: true, maxRetriesPerRequest: 0 })
    await client.connect()
    namespace = `commands-${namespaces++}`
    sent = []
    const send = client.sendCommand.bind(client)
    sinon.replace(client, 'sendCommand', ((command: { name: string }, ...rest: []) => {
      sent.push(command.name)
      return send(command as never, ...rest)
    }) as never)
  })
  afterEach(async () => {
    await closeNodes()
    sinon.restore()
    client.disconnect()
  })

  /** With a lease so long that no heartbeat comes in between. */
  const options = (): CacheOptions => ({ redis: client, namespace, leaseMs: '10m', deadlineMs: 1_000 })

  /** Entries of `/x` and of the values `k0`, `k1`, ... that another process has stored. */
  const fill = async (values: number): Promise<void> => {
    const other = await startNode(new Map(), { redis: server.url, namespace, leaseMs: '10m', deadlineMs: 1_000 })
    await other.cache.ready()
    await other.get('/x')
    for (let index = 0; index < values; index++) await other.cache.remember(`k${index}`, {}, () => index)
    await eventually(async () => (await other.cache.entries()).entries.length === values + 1)
  }

  it('for a hit in memory there are none', async () => {
    const node = await startNode(new Map(), options())
    await node.cache.ready()
    await node.get('/x')
    await node.cache.remember('k', {}, () => 1)
    // Whatever proves the lease is behind us when a hit has been served from memory.
    await eventually(async () => (await node.cache.get('k', { source: true }))?.source === 'memory')
    sent.length = 0
    for (let request = 0; request < 50; request++) {
      expect(isHit(await node.get('/x'))).to.equal(true)
      expect(await node.cache.get('k')).to.equal(1)
    }
    expect(sent).to.deep.equal([])
  })

  it('for a hit in Redis there is exactly one', async () => {
    await fill(1)
    const node = await startNode(new Map(), { ...options(), memory: false })
    await node.cache.ready()
    // The first read may have to bring the mirror up to date.
    await node.cache.get('nobody')
    for (let request = 0; request < 5; request++) {
      sent.length = 0
      expect(isHit(await node.get('/x'))).to.equal(true)
      expect(sent).to.deep.equal(['mget'])
      expect(await node.cache.get('k0')).to.equal(0)
      expect(sent).to.deep.equal(['mget', 'mget'])
    }
  })

  it('for a hit of an entry from before all that is known there is one, but for the first', async () => {
    await fill(1)
    // What was invalidated before this process came it does not know: the server has to judge what is older.
    const writer = createCache({ redis: server.url, namespace, leaseMs: '10m', deadlineMs: 1_000, memory: false })
    await writer.ready()
    await writer.invalidate({ tags: ['other'] }, { ack: 'redis' })
    const node = await startNode(new Map(), { ...options(), memory: false })
    await node.cache.ready()
    await node.cache.get('nobody')
    sent.length = 0
    expect(await node.cache.get('k0')).to.equal(0)
    expect(sent.slice(0, 2)).to.deep.equal(['mget', 'evalsha'])
    sent.length = 0
    for (let request = 0; request < 5; request++) expect(await node.cache.get('k0')).to.equal(0)
    await writer.invalidate({ tags: ['another'] }, { ack: 'redis' })
    expect(await node.cache.get('k0')).to.equal(0)
    // The one that is not a read takes over what was invalidated.
    expect(sent).to.deep.equal([...Array(6).fill('mget'), 'evalsha'])
    await writer.invalidate({ keys: ['k0'] }, { ack: 'redis' })
    expect(await node.cache.get('k0')).to.equal(undefined)
    await writer.close()
  })

  describe('for a resource that varies', () => {
    const language = (value: string): RequestShape => ({ path: '/x', headers: { 'Accept-Language': value } })
    let stored: string[]

    /** Two variants that another process has stored, and a node that knows nothing of them. */
    async function share(): Promise<Node> {
      const handler: RequestListener = (req, res) => {
        res.setHeader('Vary', 'Accept-Language')
        res.end(req.headers['accept-language'])
      }
      const other = await startNode(new Map(), { ...options(), memory: false }, handler)
      await other.cache.ready()
      await other.cache.get('nobody')
      stored = []
      for (const value of ['de', 'fr']) {
        sent.length = 0
        await other.send(language(value))
        await eventually(() => sent.filter((name) => name.startsWith('eval')).length >= 2)
        stored.push(sent.join())
      }
      const node = await startNode(new Map(), { ...options(), memory: false }, handler)
      await node.cache.ready()
      await node.cache.get('nobody')
      sent.length = 0
      return node
    }

    it('a hit is one command, two for whoever does not know yet how it varies', async () => {
      const node = await share()
      expect(isHit(await node.send(language('de')))).to.equal(true)
      expect(sent).to.deep.equal(['mget', 'mget'])
      for (const value of ['de', 'fr', 'de']) {
        sent.length = 0
        const answer = await node.send(language(value))
        expect([answer.text, isHit(answer)]).to.deep.equal([value, true])
        expect(sent).to.deep.equal(['mget'])
      }
    })

    it('a miss is three, four for whoever does not know yet how it varies', async () => {
      const node = await share()
      // Where a script is new to the server it is sent twice.
      expect(stored[1]).to.equal('mget,evalsha,evalsha')
      for (const [value, commands] of [
        ['es', ['mget', 'mget', 'evalsha', 'evalsha']],
        ['it', ['mget', 'evalsha', 'evalsha']],
      ] as const) {
        sent.length = 0
        await node.send(language(value))
        await eventually(() => sent.length >= commands.length)
        expect(sent).to.deep.equal(commands)
        expect(isHit(await node.send(language(value)))).to.equal(true)
      }
    })
  })

  it('for warm hits there are at most 1.02 each, whether they vary or not', async () => {
    const answer: RequestListener = (req, res) => {
      if (req.url?.startsWith('/vary') === true) res.setHeader('Vary', 'Accept-Language')
      res.end(req.headers['accept-language'])
    }
    const node = await startNode(new Map(), { ...options(), memory: false }, answer)
    await node.cache.ready()
    const shapes = Array.from({ length: 60 }, (_, index) => ({
      path: `/${index % 2 === 0 ? 'vary' : 'plain'}/${index % 10}`,
      headers: { 'Accept-Language': ['de', 'fr', 'it'][index % 3] ?? '' },
    }))
    for (const shape of shapes) await node.send(shape)
    await eventually(async () => isHit(await node.send(shapes.at(-1))))
    sent.length = 0
    let hits = 0
    for (let round = 0; round < 5; round++) {
      for (const shape of shapes) if (isHit(await node.send(shape))) hits++
    }
    expect(hits).to.equal(300)
    expect(sent.length / hits).to.be.at.most(1.02)
  })

  it('for an invalidation there is one, for a value that is set two', async () => {
    const node = await startNode(new Map(), { ...options(), memory: false })
    await node.cache.ready()
    // A young one would be waited for.
    await ageRegistry(client, `{${namespace}:0}:r`)
    // The first of each may bring its script along.
    await node.cache.set('k', 1)
    for (const [work, commands] of [
      [() => node.cache.invalidate({ tags: ['t', 'u'], keys: ['k'], urls: ['/x'], pattern: ['/x*', 'k*'] }), 1],
      [() => node.cache.invalidate({ tags: ['t'] }, { soft: true }), 1],
      [() => node.cache.invalidate({ all: true }), 1],
      [() => node.cache.delete('k'), 1],
      [() => node.cache.set('k', 1), 2],
      [() => node.cache.setMany([...'abcdef'].map((key) => ({ key, value: key }))), 2],
    ] as const) {
      sent.length = 0
      await work()
      expect(sent).to.deep.equal(Array(commands).fill('evalsha'))
    }
  })

  it('for a miss there are three: look, ask for the lease, store', async () => {
    await fill(1)
    const node = await startNode(new Map(), { ...options(), memory: false })
    await node.cache.ready()
    await node.cache.get('nobody')
    for (const path of ['/y', '/z']) {
      sent.length = 0
      await node.get(path)
      await eventually(() => sent.length >= 3)
      expect(sent).to.deep.equal(['mget', 'evalsha', 'evalsha'])
    }
    sent.length = 0
    await node.cache.remember('new', {}, () => 1)
    await eventually(() => sent.length >= 3)
    expect(sent).to.deep.equal(['mget', 'evalsha', 'evalsha'])
  })

  it('for 50 readers of one key there is one', async () => {
    await fill(1)
    const node = await startNode(new Map(), { ...options(), memory: false })
    await node.cache.ready()
    await node.cache.get('nobody')
    sent.length = 0
    const values = await Promise.all(Array.from({ length: 50 }, () => node.cache.get('k0')))
    expect(new Set(values)).to.deep.equal(new Set([0]))
    expect(sent).to.deep.equal(['mget'])
  })

  it('for many keys at once there is one', async () => {
    await fill(20)
    const cache = createCache(options())
    await cache.ready()
    await cache.get('nobody')
    sent.length = 0
    const keys = Array.from({ length: 21 }, (_, index) => `k${index}`)
    expect(await cache.getMany(keys)).to.deep.equal([...Array.from({ length: 20 }, (_, index) => index), undefined])
    expect(sent.filter((name) => name === 'mget')).to.have.length(1)
    await cache.close()
  })

  it('are none at all but for reading, filling, invalidating and the lease', async () => {
    const node = await startNode(new Map(), { ...options(), leaseMs: 40 })
    await node.cache.ready()
    await node.get('/x')
    await node.send({ method: 'PUT', path: '/x' })
    await node.cache.set('k', { large: 'x'.repeat(5_000) })
    await node.cache.get('k')
    await node.cache.delete('k')
    await node.cache.health()
    await node.cache.entries()
    // Where a script is new to the server it is sent whole.
    const names = new Set(sent.map((name) => (name === 'eval' ? 'evalsha' : name)))
    // An announcement is repeated where receipts may have been missed.
    names.delete('publish')
    expect(names, sent.join()).to.deep.equal(new Set(['evalsha', 'mget', 'ping', 'scan']))
  })
})
