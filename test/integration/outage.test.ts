import { expect } from 'chai'
import type { CacheEvents } from '../../lib/events.ts'
import { TURN_WAIT_MS } from '../../lib/lease.ts'
import { codeOf } from '../contracts/values.contract.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { closeNodes, type Database, eventually, isHit, type Node, startNode } from '../support/sharing.ts'

/** Longer than any request may take whatever Redis does: the deadline, the time-out of a write, and a busy machine. */
const BOUND_MS = 1_500

describeWithRedis('an application whose Redis', function () {
  this.timeout(30_000)
  let server: RedisServer
  let database: Database
  let node: Node
  beforeEach(async () => {
    server = await startRedis()
    database = new Map()
  })
  afterEach(async () => {
    await closeNodes()
    await server.stop()
  })

  const start = async (): Promise<Node> => {
    node = await startNode(database, { redis: server.url })
    await node.cache.ready()
    return node
  }

  /** Requests without a pause from 8 clients while `fault` happens; how many failed, and how long the slowest took. */
  const load = async (fault: () => Promise<void>): Promise<{ count: number; failed: number; slowestMs: number }> => {
    let [count, failed, slowestMs, done] = [0, 0, 0, false]
    const client = async (id: number): Promise<void> => {
      for (let turn = 0; !done; turn++) {
        const startedAt = performance.now()
        const method = id === 0 && turn % 20 === 0 ? 'PUT' : 'GET'
        const answer = await node.send({ method, path: `/${(id + turn) % 20}` }).catch(() => undefined)
        count++
        if (answer === undefined || answer.status >= 400) failed++
        slowestMs = Math.max(slowestMs, performance.now() - startedAt)
      }
    }
    const clients = Array.from({ length: 8 }, (_, id) => client(id))
    await fault()
    done = true
    await Promise.all(clients)
    return { count, failed, slowestMs }
  }

  const hitsAgain = (): Promise<void> => eventually(async () => isHit(await node.get('/again')))

  it('is down at the start answers every request, warns once, and hits as soon as Redis is there', async () => {
    await server.kill9()
    node = await startNode(database, { redis: server.url })
    const events: string[] = []
    node.cache.on('degraded', () => events.push('degraded'))
    node.cache.on('recovered', () => events.push('recovered'))
    for (let request = 0; request < 20; request++) {
      const answer = await node.get('/x')
      expect(answer).to.include({ status: 200, text: '0' })
      expect(answer.header('cache-status')).to.match(/^cachewell; fwd=/)
    }
    await eventually(() => events.length > 0)
    expect((await node.send({ method: 'PUT', path: '/x' })).status).to.equal(204)
    expect((await node.get('/x')).text).to.equal('1')
    const health = await node.cache.health()
    expect(health).to.include({ status: 'warn', connected: false })
    expect(Date.parse(health.degradedSince ?? '')).to.be.closeTo(Date.now(), 20_000)
    expect(health.reason).to.be.a('string')
    expect(node.cache.stats()).to.include({ status: 'degraded' })
    expect(node.warnings).to.have.length(1)
    expect(node.warnings[0]).to.include(server.url)
    await server.restart()
    await hitsAgain()
    expect(events).to.deep.equal(['degraded', 'recovered'])
    expect(await node.cache.health()).to.include({ status: 'pass', connected: true })
    expect(node.cache.stats()).to.include({ status: 'healthy' })
    expect(node.warnings).to.have.length(1)
  })

  it('is required fails its health check while it is away, and answers all the same', async () => {
    await server.kill9()
    node = await startNode(database, { redis: server.url, redisRequired: true })
    expect((await node.get('/x')).status).to.equal(200)
    await eventually(async () => (await node.cache.health()).degradedSince !== undefined)
    expect((await node.cache.health()).status).to.equal('fail')
  })

  it('is killed under load and comes back loses no request and hits again', async () => {
    await start()
    const { count, failed, slowestMs } = await load(async () => {
      await eventually(() => node.cache.stats().stats.hits > 100)
      await server.kill9()
      await eventually(() => node.cache.stats().status === 'degraded')
      const before = node.calls
      await eventually(() => node.calls > before + 100)
      await server.restart()
      await eventually(() => node.cache.stats().status === 'healthy')
    })
    expect(count).to.be.greaterThan(200)
    expect(failed).to.equal(0)
    expect(slowestMs).to.be.lessThan(BOUND_MS)
    await hitsAgain()
    expect(node.warnings).to.have.length(1)
  })

  it('hangs under load delays requests by little, and then not at all', async () => {
    await start()
    const { count, failed, slowestMs } = await load(async () => {
      await eventually(() => node.cache.stats().stats.hits > 100)
      server.pause()
      await eventually(() => node.cache.stats().status === 'degraded')
      const startedAt = performance.now()
      for (let request = 0; request < 50; request++) await node.get('/x')
      expect(performance.now() - startedAt).to.be.lessThan(BOUND_MS)
      server.resume()
      await eventually(() => node.cache.stats().status === 'healthy')
    })
    expect(count).to.be.greaterThan(200)
    expect(failed).to.equal(0)
    expect(slowestMs).to.be.lessThan(BOUND_MS)
    await hitsAgain()
  })

  it('hangs while a slow handler is asked has one run for all who ask in vain', async () => {
    node = await startNode(database, { redis: server.url, memory: false })
    await node.cache.ready()
    let open: () => void = () => {}
    node.hold(new Promise((resolve) => (open = resolve)))
    const early = node.get('/x')
    await eventually(() => node.calls === 1)
    server.pause()
    let arrived = 0
    node.server.on('request', () => arrived++)
    const pausedAt = performance.now()
    const late = Array.from({ length: 200 }, () => node.get('/x'))
    await eventually(() => node.calls > 1 && arrived === late.length)
    open()
    for (const answer of await Promise.all([early, ...late])) expect(answer).to.include({ status: 200, text: '0' })
    // One for each turn of those who came after the last, the first and the last turn included.
    expect(node.calls).to.be.at.most(3 + Math.floor((performance.now() - pausedAt) / TURN_WAIT_MS))
  })

  it('is away answers writes, tells that they are unconfirmed, and serves nothing of before afterwards', async () => {
    await start()
    const other = await startNode(database, { redis: server.url })
    await other.cache.ready()
    const unconfirmed: CacheEvents['unconfirmed'][] = []
    node.cache.on('unconfirmed', (event) => unconfirmed.push(event))
    await node.get('/x')
    await eventually(async () => isHit(await other.get('/x')))
    server.pause()
    await eventually(async () => {
      await node.get('/x')
      return node.cache.stats().status === 'degraded'
    })
    const startedAt = performance.now()
    expect((await node.send({ method: 'PUT', path: '/x' })).status).to.equal(204)
    expect(performance.now() - startedAt).to.be.lessThan(BOUND_MS)
    expect(unconfirmed).to.have.length(1)
    expect(unconfirmed[0]?.cause).to.be.an('error')
    expect(node.cache.stats().counters.unconfirmed).to.equal(1)
    expect((await node.get('/x')).text).to.equal('1')
    server.resume()
    await eventually(() => node.cache.stats().status === 'healthy')
    // The entry of before is still in Redis: at no time is it an answer here, and soon nowhere.
    for (let request = 0; request < 20; request++) expect((await node.get('/x')).text).to.equal('1')
    await eventually(async () => (await other.get('/x')).text === '1')
    expect((await other.get('/x')).text).to.equal('1')
  })

  it('is away shares a run of the handler only with those who came before it began', async () => {
    await start()
    await server.kill9()
    await eventually(() => node.cache.stats().status === 'degraded')
    const calls = node.calls
    let open: () => void = () => {}
    node.hold(new Promise((resolve) => (open = resolve)))
    const early = node.get('/x')
    await eventually(() => node.calls === calls + 1)
    // Written through another process, which this one cannot hear of.
    database.set('/x', 7)
    let arrived = 0
    node.server.on('request', () => arrived++)
    const late = [node.get('/x'), node.get('/x'), node.get('/x')]
    await eventually(() => arrived === late.length)
    open()
    expect(await early).to.include({ text: '0' })
    expect((await early).header('cache-status')).to.contain('detail=store-unavailable')
    for (const answer of await Promise.all(late)) expect(answer).to.include({ status: 200, text: '7' })
  })

  it('is away refuses to confirm what promises something, and never throws otherwise', async () => {
    await start()
    const { cache } = node
    await cache.set('k', 1)
    await server.kill9()
    await eventually(() => cache.stats().status === 'degraded')
    expect(await codeOf(cache.invalidate({ tags: ['t'] }))).to.equal('ERR_CACHE_UNCONFIRMED')
    expect(await cache.set('k', 2)).to.equal(false)
    expect(await cache.delete('k')).to.equal(false)
    expect(await cache.get('k')).to.equal(undefined)
    expect(await cache.getMany(['k', 'l'])).to.deep.equal([undefined, undefined])
    expect(await cache.expire('k', '1s')).to.equal(false)
    expect(await cache.remember('k', {}, () => 3)).to.equal(3)
    expect((await cache.entries()).entries).to.be.an('array')
    expect(cache.stats().counters.unconfirmed).to.equal(3)
  })

  it('is away for less than staleIfRedisDown goes on answering from memory', async () => {
    node = await startNode(database, { redis: server.url, staleIfRedisDown: '1h' })
    await node.cache.ready()
    await eventually(async () => isHit(await node.get('/x')))
    await server.kill9()
    await eventually(() => node.cache.stats().status === 'degraded')
    expect(isHit(await node.get('/x'))).to.equal(true)
    await node.send({ method: 'PUT', path: '/x' })
    expect((await node.get('/x')).text, 'but not what was written here').to.equal('1')
  })
})
