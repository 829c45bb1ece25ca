import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { SCRIPTED, SENT } from '../../lib/stores/redis-permissions.ts'
import { askRedis } from '../support/ask-redis.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { closeNodes, eventually, isHit, startNode } from '../support/sharing.ts'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/redis.md', root), 'utf8')
const [, rule = ''] = /^```text\nACL SETUSER ([^`]*)^```$/m.exec(page) ?? []
const [, forCluster = ''] = /^```text\n(\+asking[^`]*)^```$/m.exec(page) ?? []
const [USER = '', ...RULES] = rule.trim().split(/\s+/)
const CLUSTER_RULES = forCluster.trim().split(/\s+/)

const commandsOf = (rules: readonly string[]): readonly string[] =>
  rules.filter((word) => word.startsWith('+')).map((word) => word.slice(1))

const isSent = (name: string): boolean => (SENT as readonly string[]).includes(name)

/** Everything that a cache does with Redis. */
async function useAll(a: Cache, b: Cache, breakEntry: () => Promise<void>): Promise<void> {
  await a.set('k', { n: 1 }, { tags: ['t'] })
  await b.setMany([{ key: 'l', value: 1 }])
  expect(await b.get('k', { source: true })).to.deep.equal({ value: { n: 1 }, source: 'redis' })
  await b.remember('r', { ttl: '1m', tags: ['t'] }, () => 1)
  await a.expire('k', '2m')
  await a.invalidate({ tags: ['t'], pattern: 'x*' })
  await b.remember('r', { ttl: '1m', tags: ['t'] }, () => 2)
  expect(await a.get('r')).to.equal(2)
  await a.delete('l')
  expect(await a.warm([{ key: 'r', value: 3 }], { name: 'popular', every: true })).to.include({ fresh: 1 })
  expect(await b.warm([], { name: 'popular', every: true })).to.include({ skipped: 'recent' })
  expect((await a.entries()).entries.map(({ name }) => name)).to.deep.equal(['r'])
  expect(await a.health()).to.include({ status: 'pass' })
  await breakEntry()
  expect(await b.get('r')).to.equal(undefined)
  await b.invalidate({ all: true })
}

describeWithRedis('a Redis user with few rights', function () {
  this.timeout(60_000)
  let server: RedisServer
  const caches: Cache[] = []
  beforeEach(async () => {
    server = await startRedis()
  })
  afterEach(async () => {
    await closeNodes()
    await Promise.all(caches.map((cache) => cache.close()))
    caches.length = 0
    await server.stop()
  })

  const ask = <T>(question: (client: Redis) => Promise<T>): Promise<T> => askRedis(server.port, question)
  const grant = (...rules: readonly string[]): Promise<unknown> =>
    ask((client) => client.call('ACL', 'SETUSER', USER, ...rules))
  const redis = () => ({ host: '127.0.0.1', port: server.port, username: USER, password: 'secret' })
  const start = (options: CacheOptions = {}): Cache => {
    const logger = { info() {}, warn() {} }
    const cache = createCache({
      redis: redis(),
      namespace: 'shop',
      deadlineMs: 1_000,
      leaseMs: 500,
      logger,
      ...options,
    })
    caches.push(cache)
    return cache
  }

  it('is told the same rule by the documentation and by the program', () => {
    expect(commandsOf(RULES).toSorted()).to.deep.equal([...SENT, ...SCRIPTED].toSorted())
  })

  it('is told what the scripts run, and no more', () => {
    const folder = new URL('lib/stores/', root)
    const texts = readdirSync(folder)
      .filter((name) => name.endsWith('-scripts.ts'))
      .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    const run = texts.flatMap((text) =>
      [...text.matchAll(/\b(?:redis\.p?call|ask)\('([A-Z]+)'/g)].map(([, name]) => name),
    )
    const names = new Set(run.map((name) => String(name).toLowerCase()))
    expect([...names].filter((name) => !isSent(name)).toSorted()).to.deep.equal([...SCRIPTED].toSorted())
  })

  it('has all functions with the documented rule, and needs all that it is allowed to send', async () => {
    await grant(...RULES)
    await ask((client) => client.config('RESETSTAT'))
    const [a, b] = [start(), start({ memory: false })]
    await Promise.all([a.ready(), b.ready()])
    await useAll(a, b, async () => {
      await ask(async (client) => {
        const keys = await client.keys('{shop:0}:e:*')
        await Promise.all(keys.map((key) => client.set(key, 'damaged', 'PX', 60_000)))
      })
    })
    const stats = await ask((client) => client.info('commandstats'))
    const used = [...stats.matchAll(/^cmdstat_(\w+)/gm)].map(([, name]) => name)
    expect(used).to.include.members([...SENT])
    const log = await ask((client) => client.call('ACL', 'LOG'))
    expect(log).to.deep.equal([])
  })

  for (const command of ['evalsha', 'mget', 'zadd', 'zscore'] as const) {
    it(`is told once that ${command.toUpperCase()} is missing and how to grant it, and the application goes on`, async () => {
      await grant(...RULES, `-${command}`)
      const node = await startNode(new Map(), { redis: redis() })
      const events: string[] = []
      node.cache.on('degraded', () => events.push('degraded'))
      node.cache.on('recovered', () => events.push('recovered'))
      await eventually(async () => {
        expect((await node.get('/x')).status).to.equal(200)
        return node.cache.stats().status === 'degraded'
      })
      expect((await node.send({ method: 'PUT', path: '/x' })).status).to.equal(204)
      for (let request = 0; request < 20; request++) expect((await node.get('/x')).text).to.equal('1')
      expect(node.warnings).to.have.length(1)
      const [warning = ''] = node.warnings
      expect(warning).to.match(new RegExp(`user ${USER} may not .*Grant it: ACL SETUSER ${USER} .*\\+${command}\\b`))
      const health = await node.cache.health()
      expect(health).to.include({ status: 'warn', connected: false })
      expect(health.reason).to.match(/no permissions|can't run/)
      const [, advice = ''] = /Grant it: ACL SETUSER \S+ ([^;]*);/.exec(warning) ?? []
      await grant(...advice.split(' '))
      await eventually(async () => isHit(await node.get('/x')))
      // The first may have come before anybody listened.
      expect(events.at(-1)).to.equal('recovered')
      expect(events.filter((event) => event === 'degraded').length).to.be.at.most(1)
    })
  }

  it('is told that the keys of the namespace are missing', async () => {
    await grant(...RULES, 'resetkeys', '~{other:*')
    const node = await startNode(new Map(), { redis: redis() })
    await eventually(() => node.warnings.length > 0)
    expect(node.warnings[0]).to.include(`Grant it: ACL SETUSER ${USER} ~{<namespace>:*`)
    expect((await node.get('/x')).status).to.equal(200)
  })

  it('loses one purpose only where what is missing is for that', async () => {
    await grant(...RULES, '-ping', '-scan', '-unlink', '-publish', '-subscribe')
    const [a, b] = [start(), start({ memory: false })]
    await Promise.all([a.ready(), b.ready()])
    for (let attempt = 0; attempt < 4; attempt++) {
      expect((await a.entries()).entries.length).to.be.at.most(attempt)
      expect(await a.health()).to.include({ status: 'warn' })
    }
    expect(await a.set('k', 1, { tags: ['t'] })).to.equal(true)
    expect(await b.get('k')).to.equal(1)
    await b.invalidate({ tags: ['t'] })
    expect(await a.get('k')).to.equal(undefined)
    expect([a, b].map((cache) => cache.stats().status)).to.deep.equal(['healthy', 'healthy'])
  })

  describe('of a Cluster', () => {
    let cluster: RedisCluster
    before(async () => {
      cluster = await startCluster()
    })
    after(() => cluster.stop())

    it('has all functions with the documented rule', async () => {
      for (const { port } of cluster.nodes)
        await askRedis(port, (client) => client.call('ACL', 'SETUSER', USER, ...RULES, ...CLUSTER_RULES))
      const options = { redis: { cluster: cluster.addresses, username: USER, password: 'secret' } }
      const [a, b] = [start(options), start({ ...options, memory: false })]
      await Promise.all([a.ready(), b.ready()])
      await useAll(a, b, async () => {
        for (const { port } of cluster.nodes)
          await askRedis(port, async (client) => {
            const keys = await client.keys('{shop:*}:e:*')
            await Promise.all(keys.map((key) => client.set(key, 'damaged', 'PX', 60_000)))
          })
      })
      for (const { port } of cluster.nodes) {
        expect(await askRedis(port, (client) => client.call('ACL', 'LOG'))).to.deep.equal([])
      }
    })
  })
})
