import { createServer } from 'node:http'
import { expect } from 'chai'
import express from 'express'
import request from 'supertest'
import { adminRouter, type Cache, createCache, healthRouter } from '../../middleware/index.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

const quiet = { info: () => {}, warn: () => {} }

describe('healthRouter', () => {
  it('passes in memory only', async () => {
    const { body } = await request(createServer(healthRouter({ cache: createCache({ logger: quiet }) })))
      .get('/')
      .expect(200)
      .expect('Content-Type', 'application/health+json')
      .expect('Cache-Control', 'no-store')
    expect(body).to.deep.equal({ status: 'pass', connected: false, latencyMs: 0, reason: 'no Redis configured' })
  })

  it('tells callers who are not authorised the status alone', async () => {
    const server = createServer(healthRouter({ cache: createCache({ logger: quiet }), authorize: () => false }))
    for (const path of ['/', '/ready', '/live']) await request(server).get(path).expect(200).expect({ status: 'pass' })
  })

  it('answers under the path where it is mounted', async () => {
    const cache = createCache({ logger: quiet })
    const app = express().use('/cache/health', healthRouter({ cache }))
    for (const path of ['', '/', '/live', '/ready']) await request(app).get(`/cache/health${path}`).expect(200)
    await request(app).head('/cache/health/ready').expect(200)
    await request(app).get('/cache/health/else').expect(404)
    await request(app).post('/cache/health/live').expect(405)
  })
})

describeWithRedis('healthRouter over a real Redis', () => {
  let redis: RedisServer
  let cache: Cache
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  afterEach(async () => {
    redis.resume()
    await cache.close()
  })

  async function connected(redisRequired: boolean): Promise<Cache> {
    cache = createCache({ redis: redis.url, redisRequired, namespace: 'health', logger: quiet })
    await cache.ready()
    return cache
  }

  it('passes while Redis answers, and says how fast', async () => {
    const server = createServer(healthRouter({ cache: await connected(true) }))
    const { body } = await request(server).get('/ready').expect(200)
    expect(body).to.include({ status: 'pass', connected: true })
    expect(body.latencyMs).to.be.within(0, 50)
    const [check] = body.checks['redis:responseTime']
    expect(check).to.include({
      componentType: 'datastore',
      observedUnit: 'ms',
      observedValue: body.latencyMs,
      status: 'pass',
    })
  })

  it('warns with 200 while Redis does not answer', async () => {
    const server = createServer(healthRouter({ cache: await connected(false) }))
    redis.pause()
    for (const path of ['/', '/ready']) {
      const { body } = await request(server).get(path).expect(200)
      expect(body).to.include({ status: 'warn', connected: false })
      expect(body.reason).to.be.a('string')
    }
    await request(server).get('/live').expect(200).expect({ status: 'pass' })
  })

  it('fails with 503 where Redis is required, to everybody, but lives on', async () => {
    await connected(true)
    const open = createServer(healthRouter({ cache }))
    const closed = createServer(healthRouter({ cache, authorize: () => false }))
    const admin = createServer(adminRouter({ cache }))
    redis.pause()
    const { body } = await request(open).get('/').expect(503)
    expect(body).to.include({ status: 'fail', connected: false })
    await request(closed).get('/').expect(503).expect({ status: 'fail' })
    await request(closed).get('/ready').expect(503).expect({ status: 'fail' })
    await request(closed).get('/live').expect(200)
    await request(admin).get('/health/ready').expect(503)
    await request(admin).get('/health/live').expect(200)
  })
})
