import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { cacheRoute } from '../../middleware/route.ts'
import { type Handler, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

/** Ask the same question of a URL. */
async function query(site: Site, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const typed = { ...headers, 'Content-Type': 'text/plain' }
  return (await site.send({ method: 'QUERY', path, headers: typed, body: 'q' })).text
}

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

  /** Answers one URL without the field. */
  const alone =
    (url: string): Handler =>
    (req, res, next) =>
      req.url === url ? res.end(`${++calls}`) : next()
  /** Puts the answers of these URLs into groups. */
  const grouped =
    (groups: Readonly<Record<string, string>>): Handler =>
    (req, res, next) => {
      const group = groups[req.url ?? '']
      if (group !== undefined) res.setHeader('Cache-Groups', group)
      next()
    }

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

  it('shares no answer to QUERY, so that a write to its URL ends it (QRY-12)', async () => {
    const site = await start(true)
    await site.get('/a?utm=1')
    expect(await query(site, '/a?utm=2')).to.equal('2')
    expect(await query(site, '/a?utm=3')).to.equal('3')
    await site.send({ method: 'POST', path: '/a?utm=3' })
    expect(await query(site, '/a?utm=3')).to.equal('5')
    expect(await query(site, '/a?utm=2')).to.equal('2')
  })

  it('is not forgotten because QUERY is answered without it', async () => {
    const site = await start(true, [(req, res, next) => (req.method === 'QUERY' ? res.end() : next())])
    await site.get('/a?utm=1')
    await query(site, '/a?utm=1')
    expect((await site.get('/a?utm=2')).text).to.equal('1')
  })

  it('makes nothing of an answer that does not carry it (NVS-6)', async () => {
    const site = await start(true, [alone('/a?id=1&utm=2')])
    await site.get('/a?id=1&utm=1')
    bench.clock.advance(61_000)
    await site.get('/a?id=1&utm=2')
    await site.get('/a?id=2')
    expect((await site.get('/a?id=1&utm=3')).text).to.equal('4')
  })

  it('gives nobody who has waited an answer to another URL that does not carry it (NVS-6)', async () => {
    const arrivals: (string | undefined)[] = []
    const note: Handler = (req, _res, next) => {
      arrivals.push(req.url)
      next()
    }
    let answer: (() => void) | undefined
    const held: Handler = (req, res, next) => {
      if (req.url === '/a?utm=2') answer = () => alone('/a?utm=2')(req, res, next)
      else next()
    }
    const cached = cacheMiddleware({ cache: bench.cache, noVarySearch: true })
    const site = await openSite(makeListener('node:http', [note, cached, held], handler))
    await site.get('/a?utm=1')
    bench.clock.advance(61_000)
    const first = site.get('/a?utm=2')
    await until(() => answer !== undefined)
    const others = ['/a?utm=2', '/a?utm=3'].map((path) => site.get(path))
    await until(() => arrivals.length === 4)
    answer?.()
    const texts = (await Promise.all([first, ...others])).map((given) => given.text)
    expect(texts).to.deep.equal(['2', '2', '3'])
  })

  it('takes along, with a write, what shares a group with the answer for those URLs (GRP-4)', async () => {
    const site = await start(true, [grouped({ '/a?utm=1': '"g"', '/b': '"g"', '/c': '"h"' })])
    for (const path of ['/a?utm=1', '/b', '/c']) await site.get(path)
    await site.send({ method: 'POST', path: '/a?utm=2' })
    expect((await site.get('/b')).text).to.equal('5')
    expect((await site.get('/c')).text).to.equal('3')
  })

  it('takes along what shares a group with an answer for one URL alone, too (GRP-4)', async () => {
    const site = await start(true, [grouped({ '/a?utm=1': '"g"', '/b': '"g"' }), alone('/a?utm=1')])
    for (const path of ['/a?utm=1', '/a?utm=2', '/b']) await site.get(path)
    await site.send({ method: 'POST', path: '/a?utm=1' })
    expect((await site.get('/b')).text).to.equal('5')
  })

  it('shares nothing between people whom a route keeps apart', async () => {
    const scope = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers['x-user']) })
    const site = await start(true, [scope])
    await site.get('/a?utm=1', { 'X-User': 'a' })
    expect((await site.get('/a?utm=1', { 'X-User': 'b' })).text).to.equal('2')
    expect((await site.get('/a?utm=2', { 'X-User': 'b' })).text).to.equal('3')
    expect((await site.get('/a?utm=1', { 'X-User': 'a' })).text).to.equal('1')
  })

  it('shares nothing of theirs where others have shown that URLs are equal', async () => {
    const forAll: Handler = (req, res, next) => (req.headers['x-user'] === undefined ? handler(req, res, next) : next())
    const scope = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers['x-user']) })
    const site = await start(true, [forAll, scope])
    await site.get('/a?utm=1')
    bench.clock.advance(61_000)
    const theirs = { 'X-User': 'a' }
    expect((await site.get('/a?utm=2', theirs)).text).to.equal('2')
    expect((await site.get('/a?utm=3', theirs)).text).to.equal('3')
    await site.send({ method: 'POST', path: '/a?utm=3' })
    expect((await site.get('/a?utm=3', theirs)).text).to.equal('5')
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
      const ask = (user: string): Promise<string> => query(site, '/a', { 'X-User': user })
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
