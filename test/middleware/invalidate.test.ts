import { expect } from 'chai'
import type { RequestHandler } from 'express'
import type { Cache } from '../../lib/cache.ts'
import type { InvalidationReceipt } from '../../lib/stores/store.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { type InvalidateMiddlewareOptions, invalidateMiddleware } from '../../middleware/invalidate.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeExpress, makeListener } from '../support/app.ts'
import { openExchange } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

interface Held {
  readonly asked: number
  confirm(): void
  fail(): void
}

/** Let invalidations of this cache take until the test says so, as with Redis. */
function hold(cache: Cache): Held {
  const { engine } = cache
  const invalidate = engine.invalidate.bind(engine)
  const state = { asked: 0, confirm: (): void => {}, fail: (): void => {} }
  Object.assign(engine, {
    invalidate: (...args: Parameters<typeof invalidate>): Promise<InvalidationReceipt> => {
      state.asked++
      void invalidate(...args)
      return new Promise((resolve, reject) => {
        state.confirm = () => resolve({ ack: 'all', partitions: 1, tokens: new Map(), wasAlone: false })
        state.fail = () => reject(new Error('Redis is away'))
      })
    },
  })
  return state
}

for (const framework of FRAMEWORKS) {
  describe(`invalidateMiddleware on ${framework}`, () => {
    let bench: Bench
    let calls: number

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    const start = (options: InvalidateMiddlewareOptions, handler?: Handler): Promise<Site> =>
      openSite(
        makeListener(
          framework,
          [
            cacheMiddleware({ cache: bench.cache, tags: (req) => [String(req.url)] }),
            invalidateMiddleware({ cache: bench.cache, ...options }),
          ],
          handler ?? ((_req, res) => res.end(`${++calls}`)),
        ),
      )

    const targets: Readonly<Record<string, InvalidateMiddlewareOptions>> = {
      tags: { tags: ['/one'] },
      'tags by callback': { tags: () => ['/one'] },
      urls: { urls: ['/one'] },
      'urls with a host': { urls: ['//shop.example/one'] },
      'absolute urls': { urls: ['http://shop.example/one'] },
      'urls by callback': { urls: () => ['/one'] },
      'a pattern': { pattern: '/o*' },
      'a pattern by callback': { pattern: () => ['/on?'] },
      'several patterns': { pattern: ['/none', '/o*'] },
    }
    for (const [name, options] of Object.entries(targets)) {
      it(`forgets what ${name} name, and nothing else`, async () => {
        const site = await start(options)
        for (const path of ['/one', '/two']) await site.get(path)
        await site.send({ method: 'POST', path: '/write' })
        expect((await site.get('/one')).text).to.equal('4')
        expect((await site.get('/two')).text).to.equal('2')
      })
    }

    it('forgets service keys', async () => {
      const site = await start({ keys: ['k1'] })
      await bench.cache.set('k1', 1)
      await bench.cache.set('k2', 2)
      await site.send({ method: 'POST', path: '/write' })
      expect(await bench.cache.getMany(['k1', 'k2'])).to.deep.equal([undefined, 2])
    })

    it('does nothing on safe methods and failed writes', async () => {
      const site = await start({ tags: ['/one'] }, (req, res) => {
        if (req.method === 'POST') res.statusCode = 400
        res.end(`${++calls}`)
      })
      await site.get('/one')
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) await site.send({ method, path: '/write' })
      expect((await site.get('/one')).text).to.equal('1')
      expect(bench.invalidations).to.have.length(0)
    })

    it('gives callbacks the response, too', async () => {
      const site = await start({ tags: (_req, res) => [String(res.getHeader('x-made'))] }, (_req, res) => {
        res.setHeader('X-Made', '/one')
        res.end(`${++calls}`)
      })
      await site.get('/one')
      await site.send({ method: 'POST', path: '/write' })
      expect((await site.get('/one')).text).to.equal('3')
    })

    it('works without a cacheMiddleware above', async () => {
      const site = await openSite(
        makeListener(framework, [invalidateMiddleware({ cache: bench.cache, tags: ['a'] })], (_req, res) =>
          res.end('x'),
        ),
      )
      await bench.cache.set('k', 1, { tags: ['a'] })
      await site.send({ method: 'DELETE', path: '/write' })
      expect(await bench.cache.get('k')).to.equal(undefined)
    })

    it('softly lets stand what a window allows, but not the URL that was written to', async () => {
      const { cache, clock } = bench
      const site = await openSite(
        makeListener(
          framework,
          [
            cacheMiddleware({ cache, staleIfError: '1m', tags: (req) => [String(req.url)] }),
            invalidateMiddleware({ cache, tags: ['/one', '/two'], soft: true }),
          ],
          (req, res) => {
            if (req.method === 'GET' && calls >= 3) res.statusCode = 503
            res.end(`${++calls}`)
          },
        ),
      )
      for (const path of ['/one', '/two']) await site.get(path)
      await site.send({ method: 'POST', path: '/two' })
      clock.advance(1_000)
      expect((await site.get('/one')).text).to.equal('1')
      expect((await site.get('/two')).status).to.equal(503)
      clock.advance(60_000)
      expect((await site.get('/one')).status).to.equal(503)
    })

    it('invalidates once however many are mounted', async () => {
      const more = ['a', 'b', 'c'].map((tag) => invalidateMiddleware({ cache: bench.cache, tags: [tag] }))
      const cached = [cacheMiddleware({ cache: bench.cache }), cacheMiddleware({ cache: bench.cache })]
      const site = await openSite(makeListener(framework, [...cached, ...more], (_req, res) => res.end('x')))
      await site.send({ method: 'POST', path: '/write' })
      expect(bench.invalidations).to.have.length(1)
      expect(bench.invalidations[0]?.tags).to.include.members(['t:a', 't:b', 't:c', 'u:http://shop.example/write'])
    })

    it('answers, warns and tells an error where naming the targets fails', async () => {
      const site = await start({
        tags: () => {
          throw new Error('boom')
        },
      })
      const answer = await site.send({ method: 'POST', path: '/write' })
      expect([answer.status, answer.text]).to.deep.equal([200, '1'])
      expect(bench.errors).to.have.length(1)
      expect(bench.warnings).to.have.length(1)
      expect(bench.invalidations).to.have.length(1)
    })

    context('while the invalidation is not confirmed', () => {
      it('holds the answer, and tells the handler that it has gone', async () => {
        const held = hold(bench.cache)
        const seen: unknown[] = []
        const site = await start({ tags: ['a'] }, (_req, res) => {
          seen.push(res.headersSent, res.writableEnded)
          res.statusCode = 201
          res.end('done', () => seen.push('called back'))
          seen.push(res.headersSent, res.writableEnded)
        })
        let answered = false
        const asking = site.send({ method: 'POST', path: '/write' }).then((answer) => {
          answered = true
          return answer
        })
        await until(() => held.asked === 1)
        await new Promise((resolve) => setTimeout(resolve, 20))
        expect(answered).to.equal(false)
        expect(seen).to.deep.equal([false, false, true, true])
        held.confirm()
        const answer = await asking
        expect([answer.status, answer.text]).to.deep.equal([201, 'done'])
        await until(() => seen.includes('called back'))
      })

      it('lets the answer go when it is not confirmed at all', async () => {
        const held = hold(bench.cache)
        const site = await start({ tags: ['a'] }, (_req, res) => res.end('done'))
        const asking = site.send({ method: 'POST', path: '/write' })
        await until(() => held.asked === 1)
        held.fail()
        expect((await asking).text).to.equal('done')
      })

      const shapes: Readonly<Record<string, Handler>> = {
        'writeHead, write, write, end': (_req, res) => {
          res.writeHead(201, 'Made', { 'X-A': '1', Link: ['</a>', '</b>'] })
          res.write('one ')
          const buffer = Buffer.from('two ')
          res.write(buffer)
          buffer.fill('x')
          res.end('three')
        },
        'write, end': (_req, res) => {
          res.statusCode = 201
          res.statusMessage = 'Made'
          res.setHeader('X-A', '1')
          res.setHeader('Link', ['</a>', '</b>'])
          res.write('one ')
          res.end(Buffer.from('two three'))
        },
        'flushHeaders, late end': (_req, res) => {
          res.writeHead(201, 'Made', ['X-A', '1', 'Link', '</a>', 'Link', '</b>'])
          res.flushHeaders()
          setImmediate(() => {
            res.write('one two ')
            setImmediate(() => res.end('three'))
          })
        },
      }
      for (const [name, shape] of Object.entries(shapes)) {
        it(`sends ${name} afterwards, in order`, async () => {
          const held = hold(bench.cache)
          const site = await start({ tags: ['a'] }, shape)
          const asking = site.send({ method: 'POST', path: '/write' })
          await until(() => held.asked === 1)
          await new Promise((resolve) => setTimeout(resolve, 10))
          held.confirm()
          const answer = await asking
          expect([answer.status, answer.reason, answer.text]).to.deep.equal([201, 'Made', 'one two three'])
          expect([answer.header('x-a'), answer.lines('link')]).to.deep.equal(['1', ['</a>', '</b>']])
        })
      }

      it('tells the writer to wait, and that it may go on', async () => {
        const held = hold(bench.cache)
        let flowing: boolean | undefined
        const site = await start({ tags: ['a'] }, (_req, res) => {
          flowing = res.write('one ')
          res.once('drain', () => res.end('two'))
        })
        const asking = site.send({ method: 'POST', path: '/write' })
        await until(() => flowing !== undefined)
        expect(flowing).to.equal(false)
        held.confirm()
        expect((await asking).text).to.equal('one two')
      })

      it('ignores a second end and refuses a second head', async () => {
        const held = hold(bench.cache)
        const codes: unknown[] = []
        const site = await start({ tags: ['a'] }, (_req, res) => {
          res.statusCode = 201
          res.setHeader('X-A', 'first')
          res.end('first')
          for (const wrong of [
            () => res.writeHead(500),
            () => res.setHeader('X-A', 'second'),
            () => res.removeHeader('X-A'),
            () => res.appendHeader('X-A', 'second'),
          ]) {
            try {
              wrong()
            } catch (error) {
              codes.push((error as { code?: unknown }).code)
            }
          }
          res.statusCode = 500
          res.end('second')
        })
        const asking = site.send({ method: 'POST', path: '/write' })
        await until(() => held.asked === 1)
        held.confirm()
        const answer = await asking
        expect([answer.status, answer.header('x-a'), answer.text]).to.deep.equal([201, 'first', 'first'])
        expect(codes).to.deep.equal(Array(4).fill('ERR_HTTP_HEADERS_SENT'))
      })

      it('refuses a head after a write', async () => {
        const held = hold(bench.cache)
        let code: unknown
        const site = await start({ tags: ['a'] }, (_req, res) => {
          res.write('x')
          try {
            res.writeHead(500)
          } catch (error) {
            code = (error as { code?: unknown }).code
          }
          res.end()
        })
        const asking = site.send({ method: 'POST', path: '/write' })
        await until(() => held.asked === 1)
        held.confirm()
        expect([(await asking).status, code]).to.deep.equal([200, 'ERR_HTTP_HEADERS_SENT'])
      })

      it('survives a client that leaves', async () => {
        const held = hold(bench.cache)
        const site = await start({ tags: ['a'] }, (_req, res) => res.end('done'))
        const socket = openExchange(site.port, { method: 'POST', path: '/write' })
        await until(() => held.asked === 1)
        socket.destroy()
        await new Promise((resolve) => setTimeout(resolve, 10))
        held.confirm()
        const asking = site.send({ method: 'POST', path: '/write' })
        await until(() => held.asked === 2)
        held.confirm()
        expect((await asking).text).to.equal('done')
      })
    })
  })
}

for (const framework of EXPRESSES) {
  describe(`invalidateMiddleware in routers of ${framework}`, () => {
    let bench: Bench

    beforeEach(() => {
      bench = makeBench()
    })
    afterEach(closeSites)

    it('sees the parameters of the route that answered, mounted by app.use', async () => {
      const app = makeExpress(framework)
      app.use(invalidateMiddleware({ cache: bench.cache, tags: (req) => [`post:${String(req.params['id'])}`] }))
      app.put('/posts/:id', (_req, res) => void res.sendStatus(204))
      const site = await openSite(app)
      await site.send({ method: 'PUT', path: '/posts/7' })
      expect(bench.invalidations[0]?.tags).to.deep.equal(['t:post:7'])
    })

    it('does not write a second head for an error after the answer', async () => {
      const held = hold(bench.cache)
      const app = makeExpress(framework)
      app.use(invalidateMiddleware({ cache: bench.cache, tags: ['a'] }))
      app.post('/write', (_req, res, next) => {
        res.json({ done: true })
        next(new Error('late'))
      })
      const site = await openSite(app)
      const asking = site.send({ method: 'POST', path: '/write' }).catch(() => undefined)
      await until(() => held.asked === 1)
      held.confirm()
      const answer = await asking
      expect(answer?.status ?? 200).to.equal(200)
    })

    it('does not spoil the first answer by a second res.json', async () => {
      const held = hold(bench.cache)
      const app = makeExpress(framework)
      app.use(invalidateMiddleware({ cache: bench.cache, tags: ['a'] }))
      app.post('/write', (_req, res) => {
        res.json({ done: true })
        try {
          res.status(500).json({ error: 'a much longer body than the first one' })
        } catch {
          // As without the cache.
        }
      })
      const site = await openSite(app)
      const asking = site.send({ method: 'POST', path: '/write' })
      await until(() => held.asked === 1)
      held.confirm()
      const answer = await asking
      expect([answer.status, answer.text, answer.header('content-length')]).to.deep.equal([200, '{"done":true}', '13'])
    })

    it('forgets before the writer sees the answer of a redirect', async () => {
      const app = makeExpress(framework)
      let calls = 0
      app.use(cacheMiddleware({ cache: bench.cache }))
      app.use('/posts', invalidateMiddleware({ cache: bench.cache, urls: ['/posts'] }) as RequestHandler)
      app.get('/posts', (_req, res) => void res.json(++calls))
      app.post('/posts/new', (_req, res) => res.redirect(303, '/posts'))
      const site = await openSite(app)
      await site.get('/posts')
      await site.send({ method: 'POST', path: '/posts/new' })
      expect((await site.get('/posts')).text).to.equal('2')
    })
  })
}
