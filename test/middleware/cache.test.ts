import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

for (const framework of FRAMEWORKS) {
  describe(`cacheMiddleware on ${framework}`, () => {
    let bench: Bench
    let calls: string[]

    beforeEach(() => {
      bench = makeBench()
      calls = []
    })
    afterEach(closeSites)

    /** An application that tells how often its handler ran. */
    async function start(options: CacheMiddlewareOptions = {}, handler?: Handler): Promise<Site> {
      const count: Handler = (req, res, next) => {
        calls.push(`${req.method} ${req.url}`)
        return handler === undefined ? res.end(`answer ${calls.length}`) : handler(req, res, next)
      }
      return openSite(makeListener(framework, [cacheMiddleware({ cache: bench.cache, ...options })], count))
    }

    context('when asked twice', () => {
      it('answers the second time without the handler', async () => {
        const site = await start()
        const first = await site.get('/a')
        const second = await site.get('/a')
        expect([first.text, second.text]).to.deep.equal(['answer 1', 'answer 1'])
        expect(calls).to.deep.equal(['GET /a'])
      })

      it('says so in X-Cache', async () => {
        const site = await start()
        const answers = [await site.get('/a'), await site.get('/a')]
        expect(answers.map((answer) => answer.header('x-cache'))).to.deep.equal(['MISS', 'HIT'])
      })

      it('asks the handler again when the lifetime is over, to the ms', async () => {
        const site = await start({ ttl: '30s' })
        await site.get('/a')
        bench.clock.advance(29_999)
        expect((await site.get('/a')).text).to.equal('answer 1')
        bench.clock.advance(1)
        expect((await site.get('/a')).text).to.equal('answer 2')
      })

      it('keeps for 60 s where nobody says anything', async () => {
        const site = await start()
        await site.get('/a')
        bench.clock.advance(59_999)
        await site.get('/a')
        bench.clock.advance(1)
        await site.get('/a')
        expect(calls).to.have.length(2)
      })

      it('stores only explicit lifetimes with ttl: false', async () => {
        const site = await start({ ttl: false }, (req, res) => {
          if (req.url === '/explicit') res.setHeader('Cache-Control', 'max-age=10')
          res.end('x')
        })
        for (const path of ['/a', '/a', '/explicit', '/explicit']) await site.get(path)
        expect(calls).to.deep.equal(['GET /a', 'GET /a', 'GET /explicit'])
      })
    })

    context('with the key', () => {
      it('tells queries apart byte by byte', async () => {
        const site = await start()
        const paths = ['/a', '/a?', '/a?x=1', '/a?x=2', '/a?x=1&y=2', '/a?y=2&x=1', '/a/', '/A', '/a?x=%31', '//a']
        for (const path of paths) await site.get(path)
        for (const path of paths) await site.get(path)
        expect(calls).to.have.length(paths.length)
      })

      it('tells hosts apart, without case and default port', async () => {
        const site = await start()
        for (const host of ['a.example', 'A.example', 'a.example:80', 'b.example', 'a.example:81'])
          await site.get('/a', { Host: host })
        expect(calls).to.have.length(3)
      })
    })

    context('for HEAD', () => {
      it('answers from a stored GET: same head, no body', async () => {
        const site = await start()
        const get = await site.get('/a')
        const head = await site.send({ method: 'HEAD', path: '/a' })
        expect(head.status).to.equal(200)
        expect(head.header('content-length')).to.equal(String(get.body.length))
        expect(head.body).to.have.length(0)
        expect(calls).to.deep.equal(['GET /a'])
      })

      it('answers from a stored GET on a server that refuses bodies where none belong', async () => {
        const listener = makeListener(framework, [cacheMiddleware({ cache: bench.cache })], (_req, res) => res.end('x'))
        const site = await openSite(listener, { rejectNonStandardBodyWrites: true })
        await site.get('/a')
        expect((await site.send({ method: 'HEAD', path: '/a' })).header('x-cache')).to.equal('HIT')
      })

      it('stores nothing on a miss', async () => {
        const site = await start()
        const head = await site.send({ method: 'HEAD', path: '/a' })
        expect(head.header('cache-status')).to.contain('fwd=uri-miss; stored=?0').and.to.contain('detail=head')
        expect((await site.get('/a')).text).to.equal('answer 2')
      })
    })

    context('for other methods', () => {
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'LOCK', 'OPTIONS']) {
        it(`passes ${method} on as fwd=method and never stores it`, async () => {
          const site = await start()
          const first = await site.send({ method, path: '/a' })
          await site.send({ method, path: '/a' })
          expect(calls).to.have.length(2)
          expect(first.header('cache-status')).to.match(/^cachewell; fwd=method($|; key)/)
          expect(first.header('x-cache')).to.equal('BYPASS')
          expect((await site.get('/a')).text).to.equal('answer 3')
        })
      }

      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'LOCK']) {
        for (const status of [200, 201, 204, 302, 303]) {
          it(`forgets the URL of a ${method} answered with ${status}`, async () => {
            const site = await start({}, (req, res) => {
              if (req.method === method) res.statusCode = status
              res.end(`${calls.length}`)
            })
            await site.get('/a')
            await site.get('/b')
            await site.send({ method, path: '/a' })
            expect((await site.get('/a')).text).to.equal('4')
            expect((await site.get('/b')).text).to.equal('2')
          })
        }

        for (const status of [400, 404, 409, 500, 503]) {
          it(`keeps the URL of a ${method} answered with ${status}`, async () => {
            const site = await start({}, (req, res) => {
              if (req.method === method) res.statusCode = status
              res.end(`${calls.length}`)
            })
            await site.get('/a')
            await site.send({ method, path: '/a' })
            expect((await site.get('/a')).text).to.equal('1')
          })
        }
      }

      it('keeps everything on safe methods', async () => {
        const site = await start()
        await site.get('/a')
        for (const method of ['OPTIONS', 'HEAD', 'PROPFIND', 'REPORT', 'SEARCH'])
          await site.send({ method, path: '/a' })
        expect((await site.get('/a')).text).to.equal('answer 1')
      })

      it('forgets Location and Content-Location of the same origin only (RFC 9111 s. 4.4)', async () => {
        const site = await start({}, (req, res) => {
          if (req.method === 'POST') {
            res.setHeader('Location', '/made/1')
            res.setHeader('Content-Location', 'http://shop.example/list?p=1')
            res.statusCode = 201
          }
          if (req.method === 'PUT') res.setHeader('Location', 'http://other.example/kept')
          res.end(`${calls.length}`)
        })
        for (const path of ['/made/1', '/list?p=1', '/list', '/kept']) await site.get(path)
        await site.get('/kept', { Host: 'other.example' })
        await site.send({ method: 'POST', path: '/made' })
        await site.send({ method: 'PUT', path: '/made' })
        calls.length = 0
        for (const path of ['/made/1', '/list?p=1', '/list', '/kept']) await site.get(path)
        await site.get('/kept', { Host: 'other.example' })
        expect(calls).to.deep.equal(['GET /made/1', 'GET /list?p=1'])
      })

      it('refuses what a handler read before a write and answered after it', async () => {
        let finish: () => void = () => {}
        const begun = new Promise<void>((resolve) => {
          finish = resolve
        })
        let started: () => void = () => {}
        const reading = new Promise<void>((resolve) => {
          started = resolve
        })
        const site = await start({}, (req, res) => {
          if (req.method !== 'GET' || calls.length > 2) return res.end(`new ${calls.length}`)
          started()
          return begun.then(() => res.end('old'))
        })
        const slow = site.get('/a')
        await reading
        await site.send({ method: 'PUT', path: '/a' })
        finish()
        expect((await slow).text).to.equal('old')
        expect((await site.get('/a')).text).to.equal('new 3')
      })

      it('does not let a reader after a write join a fill that began before it', async () => {
        const waiting: (() => void)[] = []
        const site = await start({}, (req, res) => {
          if (req.method !== 'GET') return res.end('written')
          const body = `${calls.length}`
          return body === '1' ? waiting.push(() => res.end(body)) : res.end(body)
        })
        const slow = site.get('/a')
        await until(() => waiting.length === 1)
        await site.send({ method: 'PUT', path: '/a' })
        expect((await site.get('/a')).text).to.equal('3')
        for (const release of waiting) release()
        await slow
        expect((await site.get('/a')).text).to.equal('3')
      })
    })

    it('counts each request once', async () => {
      const site = await start()
      await site.get('/a')
      await site.get('/a')
      await site.send({ method: 'POST', path: '/b' })
      const { hits, misses } = bench.cache.stats().stats
      expect({ hits, misses, told: bench.outcomes.length }).to.deep.equal({ hits: 1, misses: 1, told: 3 })
    })

    it('keeps caches with different mounts apart', async () => {
      const handler: Handler = (_req, res) => res.end(`${calls.push('x')}`)
      const one = await openSite(
        makeListener(framework, [cacheMiddleware({ cache: bench.cache, mount: 'one' })], handler),
      )
      const two = await openSite(
        makeListener(framework, [cacheMiddleware({ cache: bench.cache, mount: 'two' })], handler),
      )
      await one.get('/a')
      expect((await two.get('/a')).text).to.equal('2')
      await one.send({ method: 'POST', path: '/a' })
      expect((await two.get('/a')).text).to.equal('4')
    })
  })
}

describe('cacheMiddleware with the entry in memory', () => {
  afterEach(closeSites)

  it('has ended the answer when it returns', async () => {
    const { cache } = makeBench()
    const middleware = cacheMiddleware({ cache })
    const ask = (): ServerResponse => {
      const req = new IncomingMessage(new Socket())
      Object.assign(req, { method: 'GET', url: '/a', headers: { host: 'shop.example' } })
      return new ServerResponse(req)
    }
    const first = ask()
    middleware(first.req, first, () => first.end('x'))
    const second = ask()
    middleware(second.req, second, () => expect.fail('asked the handler'))
    expect(second.writableEnded).to.equal(true)
    expect(second.statusCode).to.equal(200)
  })
})
