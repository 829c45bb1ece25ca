import { expect } from 'chai'
import type { RequestHandler } from 'express'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { cachePolicy } from '../../middleware/policy.ts'
import { cacheRoute } from '../../middleware/route.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeExpress, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, until } from '../support/site.ts'

const boom = (): never => {
  throw new Error('boom')
}
const later = (): never => Promise.resolve('x') as never

for (const framework of FRAMEWORKS) {
  describe(`cacheRoute on ${framework}`, () => {
    let bench: Bench
    let calls: number
    let count: Handler

    beforeEach(() => {
      bench = makeBench()
      calls = 0
      count = (_req, res) => res.end(`${++calls}`)
    })
    afterEach(closeSites)

    const layouts: Readonly<Record<string, () => Handler[]>> = {
      alone: () => [],
      'below a cacheMiddleware': () => [cacheMiddleware({ cache: bench.cache })],
    }
    for (const [name, above] of Object.entries(layouts)) {
      context(name, () => {
        it('keeps for its lifetime', async () => {
          const site = await openSite(
            makeListener(framework, [...above(), cacheRoute({ cache: bench.cache, ttl: '5m' })], count),
          )
          await site.get('/a')
          bench.clock.advance(299_999)
          expect((await site.get('/a')).text).to.equal('1')
          bench.clock.advance(1)
          expect((await site.get('/a')).text).to.equal('2')
        })

        it('never stores with ttl: false', async () => {
          const site = await openSite(
            makeListener(framework, [...above(), cacheRoute({ cache: bench.cache, ttl: false })], count),
          )
          await site.get('/a')
          expect((await site.get('/a')).text).to.equal('2')
        })

        it('passes on with false', async () => {
          const site = await openSite(makeListener(framework, [...above(), cacheRoute(false)], count))
          await site.get('/a')
          expect((await site.get('/a')).text).to.equal('2')
        })

        it('keeps apart by identity, and serves each their own', async () => {
          const route = cacheRoute({ cache: bench.cache, ttl: '1m', scope: (req) => String(req.headers['x-user']) })
          const handler: Handler = (req, res) => res.end(`${++calls} ${String(req.headers['x-user'])}`)
          const site = await openSite(makeListener(framework, [...above(), route], handler))
          for (let turn = 0; turn < 3; turn++) {
            for (const [index, user] of ['a', 'b'].entries()) {
              const answer = await site.get('/a', { 'X-User': user, Cookie: `sid=${user}` })
              expect(answer.text).to.equal(`${index + 1} ${user}`)
              if (turn > 0) expect(answer.header('x-cache')).to.equal('HIT')
            }
          }
        })

        it('does not share a partition while it is filled', async () => {
          const route = cacheRoute({ cache: bench.cache, ttl: '1m', scope: (req) => String(req.headers['x-user']) })
          const waiting: (() => void)[] = []
          const handler: Handler = (req, res) => void waiting.push(() => res.end(String(req.headers['x-user'])))
          const site = await openSite(makeListener(framework, [...above(), route], handler))
          const asks = ['a', 'b', 'c'].map((user) => site.get('/a', { 'X-User': user }))
          await until(() => waiting.length === 3)
          for (const release of waiting) release()
          expect((await Promise.all(asks)).map((answer) => answer.text)).to.deep.equal(['a', 'b', 'c'])
        })

        it('answers HEAD, conditions and ranges from a partition', async () => {
          const route = cacheRoute({ cache: bench.cache, ttl: '1m', scope: () => 'me' })
          const handler: Handler = (_req, res) => {
            calls++
            res.setHeader('ETag', '"v1"')
            res.end('0123')
          }
          const site = await openSite(makeListener(framework, [...above(), route], handler))
          const headers = { Cookie: 'sid=1' }
          await site.get('/a', headers)
          const head = await site.send({ method: 'HEAD', path: '/a', headers })
          const conditional = await site.get('/a', { ...headers, 'If-None-Match': '"v1"' })
          const part = await site.get('/a', { ...headers, Range: 'bytes=1-2' })
          expect([head.status, conditional.status, part.status, part.text]).to.deep.equal([200, 304, 206, '12'])
          expect(head.header('content-length')).to.equal('4')
          expect(calls).to.equal(1)
        })

        it('forgets every partition of a URL on a write', async () => {
          const route = cacheRoute({ cache: bench.cache, ttl: '1m', scope: (req) => String(req.headers['x-user']) })
          const site = await openSite(makeListener(framework, [...above(), route], count))
          for (const user of ['a', 'b']) await site.get('/a', { 'X-User': user })
          await site.send({ method: 'POST', path: '/a' })
          expect((await site.get('/a', { 'X-User': 'a' })).text).to.equal('4')
        })

        for (const [how, scope] of [
          ['throws', boom],
          ['returns a promise', later],
          ['returns an object', () => ({ id: 1 }) as never],
          ['returns nothing', () => undefined as never],
        ] as const) {
          it(`answers, stores nothing and tells an error when scope ${how}`, async () => {
            const site = await openSite(
              makeListener(framework, [...above(), cacheRoute({ cache: bench.cache, ttl: '1m', scope })], count),
            )
            for (const expected of ['1', '2']) {
              const answer = await site.get('/a')
              expect([answer.status, answer.text]).to.deep.equal([200, expected])
            }
            expect(bench.errors).to.have.length(2)
            expect(bench.warnings).to.have.length(1)
          })
        }

        it('does not ask scope for writes', async () => {
          const site = await openSite(
            makeListener(framework, [...above(), cacheRoute({ cache: bench.cache, ttl: '1m', scope: boom })], count),
          )
          expect((await site.send({ method: 'POST', path: '/a' })).status).to.equal(200)
        })
      })
    }

    context('behind authentication', () => {
      const authenticate: Handler = (req, res, next) => {
        if (req.headers.authorization?.startsWith('Bearer ') === true) return next()
        res.statusCode = 401
        return res.end('who are you?')
      }

      it('never answers a partition before it', async () => {
        const route = cacheRoute({ ttl: '1m', scope: (req) => req.headers.authorization ?? '' })
        const handler: Handler = (req, res) => res.end(`secret of ${String(req.headers.authorization)}`)
        const site = await openSite(
          makeListener(framework, [cacheMiddleware({ cache: bench.cache }), authenticate, route], handler),
        )
        for (let turn = 0; turn < 2; turn++) {
          for (const user of ['a', 'b']) {
            const answer = await site.get('/a', { Authorization: `Bearer ${user}` })
            expect(answer.text).to.equal(`secret of Bearer ${user}`)
          }
          expect((await site.get('/a')).status).to.equal(401)
          expect((await site.get('/a', { Authorization: 'Basic x' })).status).to.equal(401)
        }
      })

      it('does not store the refusal for those who are let in', async () => {
        const site = await openSite(
          makeListener(framework, [cacheMiddleware({ cache: bench.cache }), authenticate], count),
        )
        await site.get('/a')
        expect((await site.get('/a', { Authorization: 'Bearer a' })).text).to.equal('1')
        expect((await site.get('/a')).status).to.equal(401)
      })
    })

    it('asks the default of each other once where it is mounted twice', async () => {
      const routes = [
        cacheRoute({ cache: bench.cache, ttl: '1m', tags: () => ['one'] }),
        cacheRoute({ cache: bench.cache, ttl: '2m', tags: () => ['two'] }),
      ]
      const site = await openSite(makeListener(framework, routes, count))
      const miss = await site.get('/a')
      expect(miss.lines('cache-status')).to.have.length(1)
      expect(miss.header('cache-status')).to.match(/^cachewell;[^,]*ttl=120/)
      expect(bench.outcomes).to.have.length(1)
      await bench.cache.invalidate({ tags: ['one'] })
      await site.get('/a')
      await bench.cache.invalidate({ tags: ['two'] })
      expect((await site.get('/a')).text).to.equal('3')
    })

    it('warns once of another cache than the one above, which wins', async () => {
      const other = makeBench()
      const middlewares = [cacheMiddleware({ cache: bench.cache }), cacheRoute({ cache: other.cache, ttl: '5m' })]
      const site = await openSite(makeListener(framework, middlewares, count))
      for (let turn = 0; turn < 3; turn++) await site.get(`/a`)
      await site.get('/b')
      expect(bench.warnings).to.have.length(1)
      expect(bench.warnings[0]).to.contain('cacheRoute')
      expect(bench.cache.stats().stats.keyCount).to.equal(2)
      expect(other.cache.stats().stats.keyCount).to.equal(0)
    })

    it('bounds the body by its own maxBodySize', async () => {
      const route = cacheRoute({ ttl: '1m', maxBodySize: 3 })
      const site = await openSite(
        makeListener(framework, [cacheMiddleware({ cache: bench.cache }), route], (_req, res) => {
          calls++
          res.end('four')
        }),
      )
      await site.get('/a')
      await site.get('/a')
      expect(calls).to.equal(2)
    })
  })

  describe(`cachePolicy on ${framework}`, () => {
    let bench: Bench
    let calls: number

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    const start = (handler: Handler) =>
      openSite(
        makeListener(framework, [cacheMiddleware({ cache: bench.cache })], (req, res, next) => {
          calls++
          return handler(req, res, next)
        }),
      )

    it('sets lifetime and tags, the last lifetime and all tags', async () => {
      const site = await start((_req, res) => {
        cachePolicy(res).ttl('1h').tag('a', 'b').ttl('5s').tag('c')
        res.end('x')
      })
      expect((await site.get('/a')).header('cache-status')).to.contain('ttl=5;')
      for (const tag of ['a', 'b', 'c']) {
        calls = 0
        await bench.cache.invalidate({ tags: [tag] })
        await site.get('/a')
        expect(calls, tag).to.equal(1)
      }
    })

    it('keeps from storing, and says why', async () => {
      const site = await start((_req, res) => {
        cachePolicy(res).skip('draft').ttl('1h')
        res.end('x')
      })
      const answer = await site.get('/a')
      await site.get('/a')
      expect(calls).to.equal(2)
      expect(answer.header('cache-status')).to.contain('stored=?0').and.contain('detail=draft')
    })

    it('shows reasons that are no token as text, and none that cannot be shown', async () => {
      const site = await start((req, res) => {
        cachePolicy(res).skip(req.url === '/a' ? 'not "this"' : 'bad\nreason')
        res.end('x')
      })
      expect((await site.get('/a')).header('cache-status')).to.contain('detail="not \\"this\\""')
      expect((await site.get('/b')).header('cache-status'))
        .to.contain('stored=?0')
        .and.not.contain('detail')
    })

    it('does nothing after the head but warn once', async () => {
      const site = await start((_req, res) => {
        res.write('x')
        cachePolicy(res).ttl('1s').tag('late').skip()
        res.end()
      })
      expect((await site.get('/a')).header('cache-status')).to.contain('ttl=60')
      await site.get('/b')
      expect(bench.warnings).to.have.length(1)
      expect((await site.get('/a')).header('x-cache')).to.equal('HIT')
    })

    it('does nothing without a cache', async () => {
      const site = await openSite(
        makeListener(framework, [], (_req, res) => {
          cachePolicy(res).ttl('1s').tag('a').skip()
          res.end('x')
        }),
      )
      expect((await site.get('/a')).text).to.equal('x')
    })

    it('refuses lifetimes and tags that are none', async () => {
      const seen: unknown[] = []
      const site = await start((_req, res) => {
        for (const wrong of [
          () => cachePolicy(res).ttl('soon' as never),
          () => cachePolicy(res).tag(''),
          () => cachePolicy(res).tag('x'.repeat(300)),
        ]) {
          try {
            wrong()
          } catch (error) {
            seen.push((error as { code?: unknown }).code)
          }
        }
        res.end('x')
      })
      await site.get('/a')
      expect(seen).to.have.length(3)
      for (const code of seen) expect(code).to.match(/^ERR_CACHE_/)
    })

    it('finds the policy of a request that has no key', async () => {
      const site = await start((_req, res) => {
        cachePolicy(res).ttl('1h').tag('a')
        res.end('x')
      })
      expect((await site.send({ method: 'POST', path: '/a' })).text).to.equal('x')
      expect((await site.get('/a', { 'If-Match': '"1"' })).text).to.equal('x')
    })
  })
}

for (const framework of EXPRESSES) {
  describe(`cacheRoute in routes of ${framework}`, () => {
    let bench: Bench

    beforeEach(() => {
      bench = makeBench()
    })
    afterEach(closeSites)

    for (const alone of [true, false]) {
      it(`sees route parameters in tags, ${alone ? 'alone' : 'below a cacheMiddleware'}`, async () => {
        const app = makeExpress(framework)
        let calls = 0
        if (!alone) app.use(cacheMiddleware({ cache: bench.cache }))
        const route = cacheRoute({
          cache: bench.cache,
          ttl: '5m',
          tags: (req) => [`post:${String(req.params['id'])}`],
        })
        app.get('/posts/:id', route as RequestHandler, (_req, res) => void res.json(++calls))
        const site = await openSite(app)
        for (const path of ['/posts/1', '/posts/2']) await site.get(path)
        await bench.cache.invalidate({ tags: ['post:1'] })
        expect((await site.get('/posts/1')).text).to.equal('3')
        expect((await site.get('/posts/2')).text).to.equal('2')
      })
    }

    it('keeps out of one route with false', async () => {
      const app = makeExpress(framework)
      let calls = 0
      app.use(cacheMiddleware({ cache: bench.cache }))
      app.get('/never', cacheRoute(false) as RequestHandler, (_req, res) => void res.json(++calls))
      app.get('/kept', (_req, res) => void res.json(++calls))
      const site = await openSite(app)
      const answers = [
        await site.get('/never'),
        await site.get('/never'),
        await site.get('/kept'),
        await site.get('/kept'),
      ]
      expect(answers.map((answer) => answer.text)).to.deep.equal(['1', '2', '3', '3'])
      expect(answers[0]?.header('cache-status')).to.contain('detail=route')
    })

    it('takes the innermost of several routers', async () => {
      const app = makeExpress(framework)
      app.use(cacheMiddleware({ cache: bench.cache, ttl: '10s' }))
      app.use('/r', cacheRoute({ ttl: '20s' }) as RequestHandler)
      app.get('/r/in', cacheRoute({ ttl: '30s' }) as RequestHandler, (_req, res) => void res.send('x'))
      app.get('/r/out', (_req, res) => void res.send('x'))
      const site = await openSite(app)
      expect((await site.get('/r/in')).header('cache-status')).to.contain('ttl=30')
      expect((await site.get('/r/out')).header('cache-status')).to.contain('ttl=20')
    })

    it('stores what sendFile calls public with max-age=0, for its own lifetime', async () => {
      const app = makeExpress(framework)
      let calls = 0
      app.get('/f', cacheRoute({ cache: bench.cache, ttl: '1m' }) as RequestHandler, (_req, res) => {
        calls++
        res.sendFile(import.meta.filename)
      })
      const site = await openSite(app)
      const [miss, hit] = [await site.get('/f'), await site.get('/f')]
      expect(calls).to.equal(1)
      expect(hit.text).to.equal(miss.text)
      expect(hit.header('cache-control')).to.equal('public, max-age=0')
      await site.get('/f', { Cookie: 'a=1' })
      expect(calls).to.equal(2)
    })

    it('keeps routes apart that share a URL', async () => {
      const app = makeExpress(framework)
      app.get('/a', cacheRoute({ cache: bench.cache, ttl: '1m' }) as RequestHandler, (_req, res, next) =>
        res.getHeader('x-no') === undefined ? void res.send('a') : next(),
      )
      const site = await openSite(app)
      await site.get('/a')
      const { entries } = await bench.cache.entries()
      expect(entries.map((entry) => entry.key)).to.deep.equal(['R 1 %2Fa G http://shop.example/a'])
    })
  })
}

describe('cacheRoute without any cache', () => {
  const shared = globalThis as { [key: symbol]: unknown }
  const state = Symbol.for('cachewell')
  let before: unknown
  const warn = console.warn
  const warnings: string[] = []

  beforeEach(() => {
    before = shared[state]
    delete shared[state]
    process.env['CACHE_DEFAULT_TTL'] = 'soon'
    console.warn = (message: string) => void warnings.push(message)
  })
  afterEach(async () => {
    shared[state] = before
    delete process.env['CACHE_DEFAULT_TTL']
    console.warn = warn
    await closeSites()
  })

  it('answers, uncached and with one warning, where the environment is wrong', async () => {
    let calls = 0
    const site = await openSite(
      makeListener('node:http', [cacheRoute({ ttl: '5m' })], (_req, res) => res.end(`${++calls}`)),
    )
    expect(await site.get('/a')).to.include({ status: 200, text: '1' })
    expect(await site.get('/a')).to.include({ status: 200, text: '2' })
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.contain('CACHE_DEFAULT_TTL')
  })
})
