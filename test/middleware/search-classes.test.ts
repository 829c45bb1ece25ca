import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { cacheRoute } from '../../middleware/route.ts'
import { type Handler, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

describe('No-Vary-Search', () => {
  let bench: Bench
  let calls: number
  beforeEach(() => {
    bench = makeBench()
    calls = 0
  })
  afterEach(closeSites)

  const handler: Handler = (_req, res) => {
    res.setHeader('Cache-Control', 'max-age=60')
    res.setHeader('No-Vary-Search', 'params=("utm")')
    res.end(`${++calls}`)
  }
  const start = (noVarySearch: boolean, above: readonly Handler[] = []): Promise<Site> =>
    openSite(makeListener('node:http', [cacheMiddleware({ cache: bench.cache, noVarySearch }), ...above], handler))

  it('is nothing to a cache that was not told to obey it', async () => {
    const site = await start(false)
    await site.get('/a?utm=1')
    expect((await site.get('/a?utm=2')).text).to.equal('2')
  })

  it('lets one answer do for URLs that differ only in what it names', async () => {
    const site = await start(true)
    await site.get('/a?utm=1&id=1')
    expect((await site.get('/a?id=1')).text).to.equal('1')
    expect((await site.get('/a?id=2')).text).to.equal('2')
    expect((await site.get('/b?id=1')).text).to.equal('3')
  })

  it('ends with a write to any of those URLs, also in a process that knows of no class (INV-6)', async () => {
    const [one, other] = [await start(true), await start(false)]
    await one.get('/a?utm=1')
    await other.send({ method: 'POST', path: '/a' })
    expect((await one.get('/a?utm=2')).text).to.equal('3')
  })

  for (const url of ['/a', '/a?utm=7', '//shop.example/a', 'http://shop.example/a?utm=3']) {
    it(`ends with an invalidation of ${url}`, async () => {
      const site = await start(true)
      await site.get('/a?utm=1')
      await bench.cache.invalidate({ urls: [url] })
      expect((await site.get('/a?utm=2')).text).to.equal('2')
    })
  }

  it('shares nothing between people whom a route keeps apart', async () => {
    const scope = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers['x-user']) })
    const site = await start(true, [scope])
    await site.get('/a?utm=1', { 'X-User': 'a' })
    expect((await site.get('/a?utm=1', { 'X-User': 'b' })).text).to.equal('2')
    expect((await site.get('/a?utm=2', { 'X-User': 'b' })).text).to.equal('3')
    expect((await site.get('/a?utm=1', { 'X-User': 'a' })).text).to.equal('1')
  })
})

describe('a route that keeps people apart', () => {
  afterEach(closeSites)

  for (const profile of ['safe', 'rfc'] as const) {
    it(`keeps them apart in what QUERY brings, profile ${profile}`, async () => {
      const bench = makeBench()
      const handler: Handler = (req, res) => res.end(`for ${req.headers['x-user']}`)
      const scope = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers['x-user']) })
      const site = await openSite(
        makeListener('node:http', [cacheMiddleware({ cache: bench.cache, profile }), scope], handler),
      )
      const ask = async (user: string): Promise<string> => {
        const headers = { 'X-User': user, 'Content-Type': 'text/plain' }
        return (await site.send({ method: 'QUERY', path: '/a', headers, body: 'q' })).text
      }
      expect([await ask('a'), await ask('b'), await ask('a')]).to.deep.equal(['for a', 'for b', 'for a'])
    })

    it(`keeps nothing of what their writes bring, profile ${profile}`, async () => {
      const bench = makeBench()
      const handler: Handler = (req, res) => {
        res.writeHead(req.method === 'POST' ? 201 : 200, { 'Cache-Control': 'max-age=60', 'Content-Location': '/a' })
        res.end(`for ${req.headers['x-user']}`)
      }
      const scope = cacheRoute({ ttl: '1m', statuses: [200, 201], scope: (req) => String(req.headers['x-user']) })
      const site = await openSite(
        makeListener('node:http', [cacheMiddleware({ cache: bench.cache, profile }), scope], handler),
      )
      await site.send({ method: 'POST', path: '/a', headers: { 'X-User': 'a' } })
      expect((await site.get('/a', { 'X-User': 'b' })).text).to.equal('for b')
    })
  }
})
