import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { askRedis } from '../support/ask-redis.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'
import { describeWithRedis } from '../support/redis-server.ts'
import { whileServing } from '../support/serving.ts'
import { closeNodes, type Database, eventually, isHit, type Node, startNode } from '../support/sharing.ts'

describeWithRedis('an application on Sentinel', function () {
  this.timeout(60_000)
  let topology: Sentinels
  let database: Database
  beforeEach(async () => {
    topology = await startSentinels()
    database = new Map()
  })
  afterEach(async () => {
    await closeNodes()
    await topology.stop()
  })

  const start = async (options: Pick<CacheOptions, 'memory' | 'poolSize'> = {}): Promise<Node> => {
    const { sentinels, name } = topology
    const node = await startNode(database, { redis: { sentinels, name }, deadlineMs: 1_000, leaseMs: 500, ...options })
    await node.cache.ready()
    return node
  }

  it('shares entries and invalidations', async () => {
    const [a, b] = [await start(), await start({ memory: false })]
    await a.get('/x')
    await eventually(async () => isHit(await b.get('/x')))
    expect(b.calls).to.equal(0)
    expect((await a.send({ method: 'PUT', path: '/x' })).status).to.equal(204)
    expect((await b.get('/x')).text).to.equal('1')
    expect((await a.get('/x')).text).to.equal('1')
  })

  it('answers every request while another server is promoted, and stores again', async () => {
    const [a, b] = [await start(), await start({ memory: false, poolSize: 3 })]
    const { failed, stale } = await whileServing(database, [a, b], async (soFar) => {
      const works = async (): Promise<void> => {
        const [{ hits }, { acknowledged }] = [b.cache.stats().stats, soFar]
        await eventually(() => b.cache.stats().stats.hits > hits + 50 && soFar.acknowledged > acknowledged + 20)
      }
      await works()
      await topology.kill9Primary()
      await works()
    })
    expect(failed).to.deep.equal([])
    expect(stale).to.deep.equal([])
    expect(a.cache.stats().status).to.equal('healthy')
    await a.cache.set('new', 1)
    expect(await b.cache.get('new', { source: true })).to.deep.equal({ value: 1, source: 'redis' })
  })

  it('says which primary of which Sentinels it cannot use', async () => {
    const node = await start()
    for (const server of topology.servers) await server.kill9()
    await eventually(() => node.warnings.length > 0)
    const addresses = topology.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(', ')
    expect(node.warnings[0]).to.include(`${topology.name} of sentinels ${addresses}`)
    expect((await node.get('/x')).status).to.equal(200)
  })

  it('keeps an acknowledged invalidation that the promoted server has never seen', async () => {
    const [a, b] = [await start(), await start({ memory: false })]
    await a.get('/x')
    await eventually(async () => isHit(await b.get('/x')))
    await topology.detachReplicas()
    database.set('/x', 1)
    await a.cache.invalidate({ tags: ['x'] })
    const tokens = topology.servers.map(({ port }) => askRedis(port, (client) => client.get('{shop:0}:v')))
    const [acknowledged, lost] = await Promise.all(tokens)
    expect(lost, 'what the replica has').to.be.a('string').that.does.not.equal(acknowledged)
    await topology.kill9Primary()
    await eventually(() => a.cache.stats().status === 'healthy' && b.cache.stats().status === 'healthy')
    // The row of before is on the promoted server, and there nothing says that it is wrong.
    for (let request = 0; request < 20; request++) {
      expect((await b.get('/x')).text).to.equal('1')
      expect((await a.get('/x')).text).to.equal('1')
      await sleep(5)
    }
    await eventually(async () => isHit(await b.get('/x')))
  })
})
