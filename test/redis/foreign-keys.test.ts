import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { createCache } from '../../lib/cache.ts'
import { type Monitor, monitorRedis } from '../support/redis-monitor.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const COUNT = 100_000
/** A namespace of which every character means something in a glob, in a hash tag or in a URL. */
const NAMESPACE = 'app[1]*?\\^'
/** Names that a careless pattern of that namespace would match, or that look as if they were its own. */
const NEIGHBOURS: readonly ((number: number) => string)[] = [
  (number) => `${NAMESPACE}:${number}`,
  (number) => `app1:${number}`,
  (number) => `{app1:0}:e:${number}`,
  (number) => `{app1x?\\^:0}:e:${number}`,
  (number) => `{${NAMESPACE}x:0}:e:${number}`,
  (number) => `{${NAMESPACE}:0}x${number}`,
  (number) => `{${NAMESPACE}:0:e:${number}`,
  (number) => `{${NAMESPACE}}:e:${number}`,
  (number) => `x{${NAMESPACE}:0}:e:${number}`,
  (number) => `foreign:${number}`,
]

describeWithRedis('100,000 keys of others', function () {
  this.timeout(60_000)
  let server: RedisServer
  let client: Redis
  let monitor: Monitor | undefined
  before(async () => {
    server = await startRedis()
    client = new Redis(server.url)
    const pairs = Array.from({ length: COUNT }, (_, index) => [nameOf(index), String(index)] as const)
    for (let at = 0; at < COUNT; at += 10_000) await client.mset(pairs.slice(at, at + 10_000).flat())
  })
  after(async () => {
    monitor?.stop()
    client.disconnect()
    await server.stop()
  })

  const nameOf = (index: number): string => (NEIGHBOURS[index % NEIGHBOURS.length] as (number: number) => string)(index)

  /** The names, values and ends of all of them. */
  const digest = async (): Promise<string> => {
    const hash = createHash('sha256')
    for (let at = 0; at < COUNT; at += 1_000) {
      const names = Array.from({ length: 1_000 }, (_, index) => nameOf(at + index))
      const ends = client.pipeline()
      for (const name of names) ends.pttl(name)
      hash.update(JSON.stringify([names, await client.mget(names), await ends.exec()]))
    }
    return hash.digest('hex')
  }

  it('are untouched by everything that a cache does, which never asks for the names of all keys', async () => {
    expect(await client.dbsize()).to.equal(COUNT)
    const before = await digest()
    const { received } = (monitor = await monitorRedis([server.port]))
    const options = { redis: server.url, namespace: NAMESPACE, deadlineMs: 1_000, leaseMs: 1_000 }
    const [a, b] = [createCache(options), createCache({ ...options, memory: false })]
    await Promise.all([a.ready(), b.ready()])
    expect(await a.set('k', 1, { tags: ['t'] })).to.equal(true)
    await a.setMany([
      { key: 'l', value: 2 },
      { key: 'm[1]*', value: 3 },
    ])
    expect(await b.getMany(['k', 'l', 'm[1]*'])).to.deep.equal([1, 2, 3])
    const names = new Set<string>()
    let cursor: string | undefined
    do {
      const page = await b.entries({ limit: 50, ...(cursor === undefined ? {} : { cursor }) })
      for (const { name } of page.entries) names.add(name)
      cursor = page.cursor
    } while (cursor !== undefined)
    expect([...names].toSorted()).to.deep.equal(['k', 'l', 'm[1]*'])
    await a.invalidate({ tags: ['t'] })
    await a.invalidate({ pattern: '*' })
    await a.invalidate({ pattern: '/*' })
    await a.invalidate({ urls: ['/x'], keys: ['l'] })
    await a.invalidate({ all: true })
    expect(await b.getMany(['k', 'l', 'm[1]*'])).to.deep.equal([undefined, undefined, undefined])
    await a.set('k', 1)
    await Promise.all([a.close(), b.close()])
    await eventually(() => received.some(({ name }) => name === 'scan'))
    const sent = new Set(received.map(({ name }) => name))
    for (const name of ['keys', 'flushdb', 'flushall', 'randomkey']) expect([...sent]).to.not.include(name)
    expect(await digest()).to.equal(before)
    const own = (await client.keys('*')).length - COUNT
    expect(own).to.be.within(1, 10)
  })
})
