import type { IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeExpress, makeListener } from '../support/app.ts'
import type { RequestShape } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

interface Routed extends IncomingMessage {
  readonly originalUrl?: string
  readonly query?: unknown
}

for (const framework of FRAMEWORKS) {
  describe(`keying requests on ${framework}`, () => {
    let bench: Bench
    let calls = 0

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    function start(options: CacheMiddlewareOptions = {}, handler?: Handler): Promise<Site> {
      const count: Handler = (req, res, next) => {
        calls++
        return handler === undefined ? res.end(String(calls)) : handler(req, res, next)
      }
      return openSite(makeListener(framework, [cacheMiddleware({ cache: bench.cache, ...options })], count))
    }

    context('that are not what they seem', () => {
      const strange: Readonly<Record<string, readonly [RequestShape, string]>> = {
        'a GET with a body': [{ path: '/a', body: 'q=evil' }, 'body'],
        'a GET with chunks': [
          { path: '/a', headers: { 'Transfer-Encoding': 'chunked' }, body: '1\r\nq\r\n0\r\n\r\n' },
          'body',
        ],
        'a method override': [{ path: '/a', headers: { 'X-HTTP-Method-Override': 'DELETE' } }, 'method-override'],
        'another method override': [{ path: '/a', headers: { 'X-Method-Override': 'POST' } }, 'method-override'],
        'an upgrade': [{ path: '/a', headers: { Upgrade: 'h2c' } }, 'upgrade'],
        'an absolute target of another host': [{ path: 'http://evil.example/a' }, 'target'],
        'a host with a path': [{ path: '/a', headers: { Host: 'shop.example/x' } }, 'target'],
        'a host that is a list': [{ path: '/a', headers: { Host: 'shop.example, evil.example' } }, 'target'],
        'a host with userinfo': [{ path: '/a', headers: { Host: 'u@shop.example' } }, 'target'],
        'a target with a fragment': [{ path: '/a#b' }, 'target'],
        'an oversized target': [{ path: `/${'a'.repeat(9_000)}` }, 'target'],
      }
      for (const [name, [shape, detail]] of Object.entries(strange)) {
        it(`keeps out of ${name}`, async () => {
          const site = await start()
          const before = await site.get('/a')
          const answers = [await site.send(shape), await site.send(shape)]
          expect(answers.map((answer) => answer.text)).to.deep.equal(['2', '3'])
          for (const answer of answers) {
            expect(answer.header('cache-status')).to.match(new RegExp(`fwd=bypass.*detail=${detail}$`))
          }
          expect((await site.get('/a')).text).to.equal(before.text)
        })
      }

      it('answers an absolute target of its own host from memory', async () => {
        const site = await start({}, (_req, res) => res.end('x'))
        await site.get('/a')
        expect((await site.get('http://shop.example/a')).header('x-cache')).to.equal('HIT')
      })
    })

    context('with hosts', () => {
      it('keeps out of hosts that are not on the list', async () => {
        const site = await start({ hosts: ['Shop.example', 'b.example:8080'] })
        for (const [host, expected] of [
          ['shop.example', 'HIT'],
          ['SHOP.example', 'HIT'],
          ['b.example:8080', 'HIT'],
          ['evil.example', 'BYPASS'],
        ] as const) {
          await site.get('/a', { Host: host })
          expect((await site.get('/a', { Host: host })).header('x-cache'), host).to.equal(expected)
        }
      })
    })

    context('with forwarded fields', () => {
      const forwarded = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' }

      it('does not believe them', async () => {
        const site = await start()
        await site.get('/a', forwarded)
        expect((await site.get('/a')).text).to.equal('1')
      })

      it('believes them with trustProxy: true', async () => {
        const site = await start({ trustProxy: true })
        await site.get('/a', forwarded)
        expect((await site.get('/a')).text).to.equal('2')
        expect((await site.get('/a', forwarded)).text).to.equal('1')
        expect((await site.get('/a', { Host: 'evil.example', 'X-Forwarded-Proto': 'https' })).text).to.equal('1')
        expect((await site.get('/a', { Host: 'evil.example' })).text).to.equal('3')
      })

      it('takes the first of several', async () => {
        const site = await start({ trustProxy: true })
        await site.get('/a', { 'X-Forwarded-Host': 'one.example, two.example' })
        expect((await site.get('/a', { Host: 'one.example' })).text).to.equal('1')
      })
    })

    context('with query.ignore', () => {
      const query = { ignore: ['utm_source', 'fbclid'] }
      const seen: (string | undefined)[] = []
      const look: Handler = (req, res) => {
        seen.push(req.url, (req as Routed).originalUrl)
        res.end('x')
      }
      beforeEach(() => {
        seen.length = 0
      })

      it('shares one entry, and the handler sees what the key says', async () => {
        const site = await start({ query }, look)
        for (const path of ['/a?utm_source=x&id=1', '/a?id=1', '/a?id=1&fbclid=2', '/a?utm_source&id=1'])
          await site.get(path)
        expect(calls).to.equal(1)
        expect(new Set(seen.filter((url) => url !== undefined))).to.deep.equal(new Set(['/a?id=1']))
      })

      it('leaves no question mark behind', async () => {
        const site = await start({ query }, look)
        await site.get('/a?utm_source=x')
        await site.get('/a')
        expect(calls).to.equal(1)
        expect(seen[0]).to.equal('/a')
      })

      it('touches nothing else', async () => {
        const site = await start({ query }, look)
        const path = '/a?utm_sourcex=1&UTM_SOURCE=2&x=utm_source&a[]=1&a=%20&&b'
        await site.get(path)
        expect(seen[0]).to.equal(path)
      })

      it('strips for bodies and credentials, too, or not at all: handler and key agree', async () => {
        const site = await start({ query }, (req, res) => res.end(req.url))
        expect((await site.get('/a?utm_source=x', { Cookie: 'a=1' })).text).to.equal('/a')
      })

      it('invalidates what is stored under the shorter URL', async () => {
        const site = await start({ query })
        await site.get('/a?id=1')
        await site.send({ method: 'POST', path: '/a?id=1&utm_source=x' })
        expect((await site.get('/a?id=1')).text).to.equal('3')
      })
    })
  })
}

for (const framework of EXPRESSES) {
  describe(`keying requests in routers of ${framework}`, () => {
    let bench: Bench

    beforeEach(() => {
      bench = makeBench()
    })
    afterEach(closeSites)

    it('hides ignored parameters from req.query', async () => {
      const app = makeExpress(framework)
      app.use(cacheMiddleware({ cache: bench.cache, query: { ignore: ['utm_source'] } }))
      app.get('/a', (req, res) => void res.json(req.query))
      const site = await openSite(app)
      expect((await site.get('/a?utm_source=evil&id=1')).text).to.equal('{"id":"1"}')
      expect((await site.get('/a?id=1')).header('x-cache')).to.equal('HIT')
    })

    it('keys by the whole path in mounted routers', async () => {
      const app = makeExpress(framework)
      let calls = 0
      const cached = cacheMiddleware({ cache: bench.cache, query: { ignore: ['x'] } })
      for (const mount of ['/m', '/n'])
        app.use(mount, cached, (req, res) => void res.send(`${++calls} ${req.originalUrl}`))
      const site = await openSite(app)
      expect((await site.get('/m/in?x=1')).text).to.equal('1 /m/in')
      expect((await site.get('/n/in')).text).to.equal('2 /n/in')
      expect((await site.get('/m/in')).text).to.equal('1 /m/in')
    })

    for (const [trust, expected] of [
      [true, '2'],
      ['loopback', '2'],
      [false, '1'],
      ['10.0.0.0/8', '1'],
    ] as const) {
      it(`takes 'trust proxy' ${String(trust)} from the application`, async () => {
        const app = makeExpress(framework)
        app.set('trust proxy', trust)
        let calls = 0
        app.use(cacheMiddleware({ cache: bench.cache }))
        app.get('/a', (_req, res) => void res.send(String(++calls)))
        const site = await openSite(app)
        await site.get('/a', { 'X-Forwarded-Host': 'other.example' })
        expect((await site.get('/a')).text).to.equal(expected)
      })
    }

    it('treats a method that was rewritten as unsafe where either is', async () => {
      const app = makeExpress(framework)
      let calls = 0
      app.use((req, _res, next) => {
        ;(req as { originalMethod?: string }).originalMethod = req.method
        if (req.headers['x-real'] !== undefined) req.method = String(req.headers['x-real'])
        next()
      })
      app.use(cacheMiddleware({ cache: bench.cache }))
      app.all('/a', (_req, res) => void res.send(String(++calls)))
      const site = await openSite(app)
      const answer = await site.send({ method: 'POST', path: '/a', headers: { 'X-Real': 'GET' } })
      expect(answer.header('x-cache')).to.equal('BYPASS')
      expect((await site.get('/a')).text).to.equal('2')
    })
  })
}
