import { expect } from 'chai'
import type { Outcome } from '../../lib/outcome.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { cacheRoute } from '../../middleware/route.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeExpress, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite } from '../support/site.ts'

for (const framework of FRAMEWORKS) {
  describe(`withCache in front of ${framework}`, () => {
    let bench: Bench
    let calls: number
    let passed: number
    const counting: Handler = (_req, res, next) => {
      passed++
      res.setHeader('X-Frame-Options', 'DENY')
      res.setHeader('X-Powered-By', 'us')
      next()
    }
    const count: Handler = (_req, res) => res.end(`${++calls}`)

    beforeEach(() => {
      bench = makeBench()
      calls = 0
      passed = 0
    })
    afterEach(closeSites)

    it('answers hits before the application sees the request, with the fields of its middlewares', async () => {
      const site = await openSite(withCache(makeListener(framework, [counting], count), { cache: bench.cache }))
      const [miss, hit] = [await site.get('/a'), await site.get('/a')]
      expect({ calls, passed, text: hit.text }).to.deep.equal({ calls: 1, passed: 1, text: '1' })
      for (const name of ['x-frame-options', 'x-powered-by']) expect(hit.header(name)).to.equal(miss.header(name))
    })

    it('calls onHit for what the application does not see', async () => {
      const hits: Outcome[] = []
      const site = await openSite(
        withCache(makeListener(framework, [], count), {
          cache: bench.cache,
          onHit: (_req, _res, outcome) => void hits.push(outcome),
        }),
      )
      await site.get('/a')
      expect(hits).to.deep.equal([])
      await site.get('/a')
      await site.send({ method: 'HEAD', path: '/a' })
      expect(hits).to.deep.equal([
        { hit: true, ttl: 60, rule: 'DR-15' },
        { hit: true, ttl: 60, rule: 'DR-15' },
      ])
    })

    it('answers although onHit throws', async () => {
      const onHit = (): never => {
        throw new Error('boom')
      }
      const site = await openSite(withCache(makeListener(framework, [], count), { cache: bench.cache, onHit }))
      await site.get('/a')
      expect((await site.get('/a')).text).to.equal('1')
      expect(bench.errors).to.have.length(1)
    })

    it('leaves an inner cacheMiddleware to annotate', async () => {
      const inner = cacheMiddleware({ cache: bench.cache, ttl: '5m', tags: () => ['inner'] })
      const site = await openSite(withCache(makeListener(framework, [inner], count), { cache: bench.cache }))
      const miss = await site.get('/a')
      expect(miss.header('cache-status')).to.match(/^cachewell; fwd=uri-miss; ttl=300; stored; key="R 1 front/)
      expect(bench.outcomes).to.have.length(1)
      expect(bench.cache.stats().stats.keyCount).to.equal(1)
      await bench.cache.invalidate({ tags: ['inner'] })
      expect((await site.get('/a')).text).to.equal('2')
    })

    it('obeys the refusals of an inner cacheMiddleware', async () => {
      for (const options of [{ skip: () => true }, { shouldStore: () => false }]) {
        const inner = cacheMiddleware({ cache: bench.cache, ...options })
        const site = await openSite(withCache(makeListener(framework, [inner], count), { cache: bench.cache }))
        const path = `/${Object.keys(options)[0]}`
        calls = 0
        await site.get(path)
        expect((await site.get(path)).text).to.equal('2')
      }
    })

    it('keeps its entries apart from those inside, and forgets both', async () => {
      const listener = makeListener(framework, [cacheMiddleware({ cache: bench.cache })], count)
      const [inside, front] = [await openSite(listener), await openSite(withCache(listener, { cache: bench.cache }))]
      await inside.get('/a')
      expect((await front.get('/a')).text).to.equal('2')
      await front.send({ method: 'POST', path: '/a' })
      expect((await inside.get('/a')).text).to.equal('4')
      expect((await front.get('/a')).text).to.equal('5')
    })

    it('lets a cacheRoute answer its partition behind the application', async () => {
      const route = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers.cookie) })
      const site = await openSite(withCache(makeListener(framework, [counting, route], count), { cache: bench.cache }))
      for (let turn = 0; turn < 2; turn++) {
        for (const [index, cookie] of ['a=1', 'a=2'].entries())
          expect((await site.get('/a', { Cookie: cookie })).text).to.equal(String(index + 1))
      }
      expect({ calls, passed }).to.deep.equal({ calls: 2, passed: 4 })
    })

    it('keeps many hits on one connection apart', async () => {
      const site = await openSite(
        withCache(
          makeListener(framework, [], (req, res) => res.end(`${req.url} ${++calls}`)),
          { cache: bench.cache },
        ),
      )
      const texts = await Promise.all(
        Array.from({ length: 30 }, async (_, index) => (await fetch(`${site.url}/${index % 3}`)).text()),
      )
      expect(new Set(texts)).to.have.property('size', 3)
      expect(calls).to.equal(3)
    })
  })
}

describe('withCache in front of a plain listener', () => {
  afterEach(closeSites)

  it('takes an async one', async () => {
    const bench = makeBench()
    let calls = 0
    const site = await openSite(
      withCache(
        async (_req, res) => {
          await Promise.resolve()
          res.end(`${++calls}`)
        },
        { cache: bench.cache },
      ),
    )
    await site.get('/a')
    expect((await site.get('/a')).text).to.equal('1')
  })

  it('runs it once, although it throws after waiting for another request', async () => {
    const bench = makeBench()
    let calls = 0
    let release: () => void = () => {}
    const seen: unknown[] = []
    const listener = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => seen.push(error))
    try {
      const site = await openSite(
        withCache(
          (_req, res) => {
            calls++
            if (calls === 1) {
              release = () => res.writeHead(200, { 'Cache-Control': 'private' }).end()
              return
            }
            res.end('half')
            throw new Error('boom')
          },
          { cache: bench.cache },
        ),
      )
      const first = site.get('/a')
      while (calls === 0) await new Promise((resolve) => setImmediate(resolve))
      const second = site.get('/a')
      await new Promise((resolve) => setTimeout(resolve, 20))
      release()
      await Promise.all([first, second])
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const one of listener) process.on('uncaughtException', one)
    }
    expect(calls).to.equal(2)
    expect(seen).to.have.length(1)
  })

  it('refuses wrong options', () => {
    expect(() => withCache(() => {}, { onhit: () => {} } as never)).to.throw('onHit')
  })
})

for (const framework of EXPRESSES) {
  describe(`withCache in front of an application of ${framework}`, () => {
    afterEach(closeSites)

    for (const [trust, expected] of [
      [true, '2'],
      [false, '1'],
    ] as const) {
      it(`takes 'trust proxy' ${String(trust)} from it`, async () => {
        const { cache } = makeBench()
        const app = makeExpress(framework)
        let calls = 0
        app.set('trust proxy', trust)
        app.use((_req, res) => void res.send(String(++calls)))
        const site = await openSite(withCache(app, { cache }))
        await site.get('/a', { 'X-Forwarded-Host': 'other.example' })
        expect((await site.get('/a')).text).to.equal(expected)
      })
    }

    it('leaves req.app to sub-applications', async () => {
      const { cache } = makeBench()
      const [app, sub] = [makeExpress(framework), makeExpress(framework)]
      sub.set('name', 'sub')
      sub.get('/a', (req, res) => void res.send(String(req.app.get('name'))))
      app.set('name', 'main')
      app.use('/sub', sub)
      const site = await openSite(withCache(app, { cache }))
      expect((await site.get('/sub/a')).text).to.equal('sub')
    })

    it('keeps the fields of Express', async () => {
      const { cache } = makeBench()
      const app = makeExpress(framework)
      app.get('/a', (_req, res) => void res.json({ a: 1 }))
      const site = await openSite(withCache(app, { cache }))
      const [miss, hit] = [await site.get('/a'), await site.get('/a')]
      for (const name of ['x-powered-by', 'etag', 'content-type', 'content-length'])
        expect(hit.header(name), name).to.equal(miss.header(name)).and.not.equal(undefined)
    })
  })
}
