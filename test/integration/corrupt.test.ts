import { expect } from 'chai'
import { Redis } from 'ioredis'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { closeNodes, eventually, isHit, type Node, startNode } from '../support/sharing.ts'

describeWithRedis('bytes in Redis that are no entry of ours', function () {
  this.timeout(20_000)
  let server: RedisServer
  let client: Redis
  let node: Node
  let errors: unknown[]
  before(async () => {
    server = await startRedis()
    client = new Redis(server.url)
  })
  after(async () => {
    client.disconnect()
    await server.stop()
  })
  beforeEach(async () => {
    await client.flushall()
    // Redis only, so that every read sees what was planted.
    node = await startNode(new Map(), { redis: server.url, namespace: 'corrupt', memory: false, deadlineMs: 1_000 })
    await node.cache.ready()
    errors = []
    node.cache.on('error', (event) => errors.push(event))
  })
  afterEach(closeNodes)

  const entryKey = async (): Promise<string> => {
    let keys: string[] = []
    await eventually(async () => {
      keys = (await client.keys('*')).filter((key) => key.includes(':e:'))
      return keys.length === 1
    })
    return keys[0] as string
  }

  for (const [what, bytes] of [
    ['nothing', ''],
    ['text of others', '{"value":1}'],
    ['the start of a frame', 'CW\u0001'],
    ['noise', Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 256))],
    ['a frame of a later format', Buffer.concat([Buffer.from('CW\u0063'), Buffer.alloc(200)])],
  ] as const) {
    it(`are a miss that is counted: ${what}`, async () => {
      await node.get('/x')
      const key = await entryKey()
      await client.set(key, bytes)
      const answer = await node.get('/x')
      expect(isHit(answer)).to.equal(false)
      expect(answer).to.include({ status: 200, text: '0' })
      expect(node.cache.stats().redis.corrupt).to.equal(1)
      expect(errors).to.deep.equal([])
      await eventually(async () => isHit(await node.get('/x')))
    })
  }

  for (const kind of ['list', 'hash'] as const) {
    it(`are a miss: a ${kind}`, async () => {
      await node.get('/x')
      const key = await entryKey()
      await client.del(key)
      await (kind === 'list' ? client.rpush(key, 'a') : client.hset(key, 'a', 'b'))
      expect(isHit(await node.get('/x'))).to.equal(false)
      await eventually(async () => isHit(await node.get('/x')))
    })
  }

  it('are a miss: the entry of another key', async () => {
    await node.cache.set('a', 1)
    await client.set('copy', await client.getBuffer(await entryKey()).then((frame) => frame as Buffer))
    await node.cache.delete('a')
    await client.del(await entryKey())
    await node.cache.set('b', 2)
    await client.copy('copy', await entryKey(), 'REPLACE')
    expect(await node.cache.get('b')).to.equal(undefined)
    expect(node.cache.stats().redis.corrupt).to.equal(1)
  })

  for (const [what, store, read] of [
    ['a response', () => node.get('/x'), async () => (await node.get('/x')).text],
    [
      'a value',
      () => node.cache.set('k', { n: 1 }),
      async () => JSON.stringify(await node.cache.remember('k', {}, () => ({ n: 1 }))),
    ],
    [
      'a compressed value',
      () => node.cache.set('k', 'x'.repeat(3_000)),
      async () => String(await node.cache.remember('k', {}, () => 'x'.repeat(3_000))),
    ],
  ] as const) {
    it(`are never an answer, whichever bit of ${what} is flipped`, async () => {
      await store()
      const key = await entryKey()
      const frame = (await client.getBuffer(key)) as Buffer
      const right = await read()
      for (let at = 0; at < frame.length; at++) {
        const damaged = Buffer.from(frame)
        damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
        await client.set(key, damaged, 'PX', 60_000)
        expect(await read(), `byte ${at}`).to.equal(right)
      }
      // Some are repaired, by the fill that follows or by the removal, before they are read.
      expect(node.cache.stats().redis.corrupt).to.be.within(frame.length / 4, frame.length)
      for (let length = 0; length < frame.length; length += 7) {
        await client.set(key, frame.subarray(0, length), 'PX', 60_000)
        expect(await read(), `${length} bytes`).to.equal(right)
      }
      expect(errors).to.deep.equal([])
    })
  }
})
