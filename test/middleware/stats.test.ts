import { createServer, type RequestListener } from 'node:http'
import { expect } from 'chai'
import express from 'express'
import request from 'supertest'
import { type Cache, createCache, statsRouter } from '../../middleware/index.ts'

const quiet = { info: () => {}, warn: () => {} }

describe('statsRouter', () => {
  let cache: Cache
  beforeEach(async () => {
    cache = createCache({ logger: quiet })
    await cache.set('k', 'value')
    for (let count = 0; count < 5; count++) await cache.get('k')
    await cache.get('absent')
  })

  it('serves the statistics of the cache to authorised callers', async () => {
    const { body } = await request(createServer(statsRouter({ cache, authorize: () => true })))
      .get('/')
      .expect(200)
      .expect('Content-Type', 'application/json; charset=utf-8')
      .expect('Cache-Control', 'no-store')
    const expected = JSON.parse(JSON.stringify({ ...cache.stats(), timestamp: body.timestamp })) as unknown
    expect(body).to.deep.equal(expected)
    expect(body.stats).to.include({ hits: 5, misses: 1, hitRate: 83.33, evictedKeys: 0, keyCount: 1 })
    expect(body.stats.memoryUsed).to.be.above(0)
    expect(body.status).to.equal('healthy')
    expect(new Date(body.timestamp as string).toISOString()).to.equal(body.timestamp)
  })

  it('serves three members to everybody else', async () => {
    for (const authorize of [() => false, () => Promise.reject(new Error('no'))]) {
      const { body } = await request(createServer(statsRouter({ cache, authorize })))
        .get('/')
        .expect(200)
      expect(Object.keys(body as object)).to.deep.equal(['stats', 'status', 'timestamp'])
      expect(body.stats).to.include({ hits: 5, misses: 1, hitRate: 83.33 })
    }
  })

  it('takes local requests for authorised outside production, those through a proxy not', async () => {
    const server = createServer(statsRouter({ cache }))
    const local = await request(server).get('/').expect(200)
    expect(local.body).to.have.property('counters')
    const proxied = await request(server).get('/').set('X-Forwarded-For', '192.0.2.7').expect(200)
    expect(proxied.body).to.not.have.property('counters')
  })

  const mounts: Readonly<Record<string, (cache: Cache) => RequestListener>> = {
    'on Express': (cache) => express().use('/cache/stats', statsRouter({ cache })),
    'with the option path': (cache) => statsRouter({ cache, path: '/cache/stats' }),
  }
  for (const [title, mount] of Object.entries(mounts)) {
    it(`answers under its path ${title}`, async () => {
      const server = createServer(mount(cache))
      await request(server).get('/cache/stats').expect(200)
      await request(server).get('/cache/stats/').expect(200)
      await request(server).head('/cache/stats').expect(200)
      await request(server).delete('/cache/stats').expect(405).expect('Allow', 'GET, HEAD')
      await request(server).get('/cache/stats/more').expect(404)
      await request(server).get('/').expect(404)
    })
  }
})
