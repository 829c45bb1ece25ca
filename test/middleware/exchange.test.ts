import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { cachePolicy } from '../../middleware/policy.ts'
import { type CacheRouteOptions, cacheRoute } from '../../middleware/route.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

type Answering = (res: ServerResponse, req: IncomingMessage) => unknown

interface Layout {
  readonly options?: CacheMiddlewareOptions
  readonly route?: CacheRouteOptions | false
  readonly above?: readonly Handler[]
}

for (const framework of FRAMEWORKS) {
  describe(`storing on ${framework}`, () => {
    let bench: Bench
    let calls: number

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    function start(answering: Answering, { options = {}, route, above = [] }: Layout = {}): Promise<Site> {
      const cached = cacheMiddleware({ cache: bench.cache, ...options })
      const middlewares = [...above, cached, ...(route === undefined ? [] : [cacheRoute(route)])]
      return openSite(
        makeListener(framework, middlewares, (req, res) => {
          calls++
          return answering(res, req)
        }),
      )
    }

    async function isStored(site: Site, headers: Readonly<Record<string, string>> = {}): Promise<boolean> {
      calls = 0
      await site.get('/a', headers)
      await site.get('/a', headers)
      return calls === 1
    }

    context('with fields that forbid it', () => {
      const refused: Readonly<Record<string, readonly [string, string]>> = {
        'no-store': ['Cache-Control', 'no-store'],
        'no-store beside a lifetime': ['Cache-Control', 'max-age=60, no-store'],
        'NO-STORE': ['Cache-Control', 'public, NO-STORE'],
        private: ['Cache-Control', 'private, max-age=60'],
        'malformed private': ['Cache-Control', 'private="'],
        'no-cache': ['Cache-Control', 'no-cache'],
        'max-age=0': ['Cache-Control', 'max-age=0'],
        'max-age that is no number': ['Cache-Control', 'max-age=abc'],
        'Set-Cookie': ['Set-Cookie', 'a=1'],
        'Vary: *': ['Vary', '*'],
        'Vary with a * inside': ['Vary', 'Accept, *'],
        'Expires in the past': ['Expires', 'Thu, 01 Jan 1970 00:00:00 GMT'],
        'Expires: 0': ['Expires', '0'],
        'text/event-stream': ['Content-Type', 'text/event-stream'],
      }
      for (const [name, [field, value]] of Object.entries(refused)) {
        it(`does not store ${name}`, async () => {
          const site = await start((res) => {
            res.setHeader(field, value)
            res.end('x')
          })
          expect(await isStored(site)).to.equal(false)
        })
      }

      it('does not store Set-Cookie however public the response is', async () => {
        const site = await start((res) => {
          res.writeHead(200, { 'Cache-Control': 'public, s-maxage=60', 'Set-Cookie': ['a=1', 'b=2'] })
          res.end('x')
        })
        expect(await isStored(site)).to.equal(false)
        expect((await site.get('/a')).lines('set-cookie')).to.deep.equal(['a=1', 'b=2'])
      })

      for (const field of ['no-store', 'private']) {
        it(`does not store ${field} that an outer middleware set, annotations or not`, async () => {
          const above: Handler = (_req, res, next) => {
            res.setHeader('Cache-Control', field)
            next()
          }
          const site = await start((res) => res.end('x'), { above: [above], route: { ttl: '1m' } })
          expect(await isStored(site)).to.equal(false)
        })
      }

      it('does not let an annotation override a refusal', async () => {
        const site = await start(
          (res) => {
            cachePolicy(res).ttl('1h')
            res.setHeader('Cache-Control', 'no-store')
            res.end('x')
          },
          { route: { ttl: '1h', scope: 'public' } },
        )
        expect(await isStored(site)).to.equal(false)
      })
    })

    context('with credentials in the request', () => {
      const carriers: Readonly<Record<string, string>> = {
        Authorization: 'Bearer a',
        Cookie: 'sid=1',
        'X-Api-Key': 'k',
        'Proxy-Authorization': 'Basic x',
      }
      for (const [name, value] of Object.entries(carriers)) {
        it(`neither stores nor serves with ${name}`, async () => {
          const site = await start((res) => res.end(`${calls}`))
          expect(await isStored(site, { [name]: value })).to.equal(false)
          await site.get('/a')
          const answer = await site.get('/a', { [name]: value })
          expect(answer.text).to.equal('4')
          expect(answer.header('cache-status')).to.contain('fwd=bypass')
          expect((await site.get('/a')).text).to.equal('3')
        })

        for (const control of ['public, max-age=60', 's-maxage=60']) {
          it(`shares ${control} with ${name}`, async () => {
            const site = await start((res) => {
              res.setHeader('Cache-Control', control)
              res.end('x')
            })
            expect(await isStored(site, { [name]: value })).to.equal(true)
            expect((await site.get('/a')).header('x-cache')).to.equal('HIT')
          })
        }

        it(`does not share public without a lifetime with ${name}`, async () => {
          const site = await start((res) => {
            res.setHeader('Cache-Control', 'public')
            res.end('x')
          })
          expect(await isStored(site, { [name]: value })).to.equal(false)
        })

        it(`does not take the response's public for the lifetime of a route with ${name}`, async () => {
          const site = await start(
            (res) => {
              res.setHeader('Cache-Control', 'public, max-age=60')
              res.end('x')
            },
            { route: { ttl: '1m' } },
          )
          expect(await isStored(site, { [name]: value })).to.equal(false)
        })

        it(`shares with ${name} where the route says scope: 'public'`, async () => {
          const site = await start((res) => res.end('x'), { route: { ttl: '1m', scope: 'public' } })
          expect(await isStored(site, { [name]: value })).to.equal(true)
        })
      }

      it('asks isAuthenticated', async () => {
        const site = await start((res) => res.end('x'), {
          options: { isAuthenticated: (req) => req.headers['x-user'] !== undefined },
        })
        expect(await isStored(site, { 'X-User': '1' })).to.equal(false)
        expect(await isStored(site)).to.equal(true)
      })

      it('warns once, naming scope, where a bare cacheRoute meets a cookie', async () => {
        const site = await start((res) => res.end('x'), { route: { ttl: '1m' } })
        for (let turn = 0; turn < 3; turn++) await site.get('/a', { Cookie: 'a=1' })
        expect(calls).to.equal(3)
        expect(bench.warnings).to.have.length(1)
        expect(bench.warnings[0]).to.contain('scope').and.contain('/a')
      })

      it('honours Vary: Cookie on what is public', async () => {
        const site = await start((res, req) => {
          res.writeHead(200, { 'Cache-Control': 'public, max-age=60', Vary: 'Cookie' })
          res.end(req.headers.cookie ?? 'none')
        })
        for (const cookie of ['a=1', 'a=2', 'a=1', 'a=2'])
          expect((await site.get('/a', { Cookie: cookie })).text).to.equal(cookie)
        expect((await site.get('/a')).text).to.equal('none')
        expect(calls).to.equal(3)
      })
    })

    context('with statuses', () => {
      const by = (status: number): Answering => {
        return (res) => {
          res.statusCode = status
          if (status === 206) res.setHeader('Content-Range', 'bytes 0-0/1')
          res.end(status === 304 ? undefined : 'x')
        }
      }
      for (const status of [200, 203, 204, 300, 301, 308]) {
        it(`stores ${status}`, async () => {
          expect(await isStored(await start(by(status)))).to.equal(true)
        })
      }
      for (const status of [201, 202, 205, 206, 302, 303, 304, 307, 400, 401, 403, 404, 410, 429, 500, 502, 503]) {
        it(`does not store ${status}`, async () => {
          expect(await isStored(await start(by(status)))).to.equal(false)
        })
      }
      for (const status of [404, 410, 500]) {
        it(`stores ${status} where statuses names it`, async () => {
          expect(await isStored(await start(by(status), { options: { statuses: [200, status] } }))).to.equal(true)
        })
        it(`stores ${status} where the route's statuses name it`, async () => {
          const route = { ttl: '1m', statuses: [status] }
          expect(await isStored(await start(by(status), { route }))).to.equal(true)
        })
        it(`does not store ${status} only because it has a lifetime`, async () => {
          const site = await start((res) => {
            res.writeHead(status, { 'Cache-Control': 'public, max-age=60' })
            res.end('x')
          })
          expect(await isStored(site)).to.equal(false)
        })
      }
      for (const status of [206, 304]) {
        it(`never stores ${status}, whatever statuses says`, async () => {
          const site = await start(by(status), {
            options: { statuses: [status] },
            route: { ttl: '1m', statuses: [status] },
          })
          expect(await isStored(site)).to.equal(false)
        })
      }
      it('stores 302 with a lifetime of its own', async () => {
        const site = await start((res) => {
          res.writeHead(302, { Location: '/b', 'Cache-Control': 'max-age=60' })
          res.end()
        })
        expect(await isStored(site)).to.equal(true)
      })
    })

    context('when the client brings a condition', () => {
      const withTag: Answering = (res, req) => {
        res.setHeader('ETag', '"v1"')
        res.setHeader('Content-Type', 'text/plain')
        res.end(`full ${req.headers['if-none-match'] ?? '-'} ${req.headers['if-modified-since'] ?? '-'}`)
      }

      it('hides it from the handler, stores the whole, and answers 304 where it holds', async () => {
        const site = await start(withTag)
        const miss = await site.get('/a', { 'If-None-Match': '"v1"' })
        expect([miss.status, miss.text, miss.header('etag')]).to.deep.equal([304, '', '"v1"'])
        expect(miss.header('content-type')).to.equal(undefined)
        expect(miss.header('content-length')).to.equal(undefined)
        expect(miss.header('transfer-encoding')).to.equal(undefined)
        expect(miss.header('cache-status')).to.contain('fwd-status=200').and.contain('stored')
        const hit = await site.get('/a')
        expect([hit.status, hit.text]).to.deep.equal([200, 'full - -'])
        expect(hit.header('content-type')).to.equal('text/plain')
        expect(calls).to.equal(1)
      })

      it('answers the whole where it does not hold', async () => {
        const site = await start(withTag)
        const miss = await site.get('/a', { 'If-None-Match': '"v0"' })
        expect([miss.status, miss.text]).to.deep.equal([200, 'full - -'])
      })

      it('does the same with dates', async () => {
        const modified = 'Mon, 02 Nov 2026 10:00:00 GMT'
        const site = await start((res, req) => {
          res.setHeader('Last-Modified', modified)
          res.end(`full ${req.headers['if-modified-since'] ?? '-'}`)
        })
        expect((await site.get('/a', { 'If-Modified-Since': modified })).status).to.equal(304)
        expect((await site.get('/a')).text).to.equal('full -')
        expect((await site.get('/a', { 'If-Modified-Since': modified })).status).to.equal(304)
        expect((await site.get('/a', { 'If-Modified-Since': 'Mon, 02 Nov 2026 09:59:59 GMT' })).status).to.equal(200)
      })

      it('answers 304 for what is streamed, and keeps the whole', async () => {
        const site = await start((res) => {
          res.setHeader('ETag', '"v1"')
          res.write('one ')
          setImmediate(() => res.end('two'))
        })
        const miss = await site.get('/a', { 'If-None-Match': 'W/"v1"' })
        expect([miss.status, miss.text]).to.deep.equal([304, ''])
        expect((await site.get('/a')).text).to.equal('one two')
        expect(calls).to.equal(1)
      })

      it('answers 304 also where nothing may be stored', async () => {
        const site = await start((res) => {
          res.writeHead(200, { ETag: '"v1"', 'Cache-Control': 'private' })
          res.end('x')
        })
        expect((await site.get('/a', { 'If-None-Match': '"v1"' })).status).to.equal(304)
        expect((await site.get('/a', { 'If-None-Match': '"v0"' })).status).to.equal(200)
      })

      it('does not make a 304 of an error', async () => {
        const site = await start((res) => {
          res.writeHead(404, { ETag: '"v1"' })
          res.end('x')
        })
        expect((await site.get('/a', { 'If-None-Match': '"v1"' })).status).to.equal(404)
      })

      it('answers 304 on a server that refuses bodies where none belong', async () => {
        for (const answering of [
          withTag,
          (res: ServerResponse) => {
            res.setHeader('ETag', '"v1"')
            res.write('one ')
            res.end('two')
          },
        ]) {
          const bench = makeBench()
          const site = await openSite(
            makeListener(framework, [cacheMiddleware({ cache: bench.cache })], (req, res) => answering(res, req)),
            { rejectNonStandardBodyWrites: true },
          )
          expect((await site.get('/a', { 'If-None-Match': '"v1"' })).status).to.equal(304)
          expect((await site.get('/a')).header('x-cache')).to.equal('HIT')
          expect((await site.get('/a', { 'If-None-Match': '"v1"' })).status).to.equal(304)
        }
      })

      it('gives the fields back to whoever looks at the request when it has finished', async () => {
        const seen: unknown[] = []
        const above: Handler = (req, res, next) => {
          res.on('finish', () => seen.push(req.headers['if-none-match'], req.headers['if-modified-since']))
          next()
        }
        const site = await start(withTag, { above: [above] })
        const since = 'Mon, 02 Nov 2026 10:00:00 GMT'
        await site.get('/a', { 'If-None-Match': '"v1"', 'If-Modified-Since': since })
        expect(seen).to.deep.equal(['"v1"', since])
      })

      context('with a Range', () => {
        const words: Answering = (res, req) => {
          if (req.headers.range !== undefined || req.headers['if-range'] !== undefined) return res.end('seen')
          res.setHeader('Content-Type', 'text/plain')
          res.setHeader('Content-Length', 10)
          return res.end('0123456789')
        }
        const streamed: Answering = (res) => {
          res.write('01234')
          setImmediate(() => res.end('56789'))
        }

        for (const [range, status, text, contentRange] of [
          ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
          ['bytes=3-5', 206, '345', 'bytes 3-5/10'],
          ['bytes=-2', 206, '89', 'bytes 8-9/10'],
          ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
          ['bytes=10-', 416, '', 'bytes */10'],
          ['bytes=5-2', 200, '0123456789', undefined],
          ['lines=0-1', 200, '0123456789', undefined],
        ] as const) {
          it(`hides ${range} from the handler, stores the whole, and answers ${status} (RNG-20)`, async () => {
            const site = await start(words)
            const miss = await site.get('/a', { Range: range })
            expect([miss.status, miss.text, miss.header('content-range')]).to.deep.equal([status, text, contentRange])
            expect(miss.header('content-length')).to.equal(String(text.length))
            expect(miss.header('cache-status')).to.contain('fwd=uri-miss').and.contain('stored')
            expect((await site.get('/a')).text).to.equal('0123456789')
            expect((await site.get('/a', { Range: range })).text).to.equal(text)
            expect(calls).to.equal(1)
          })
        }

        it('cuts a part out of what comes in pieces', async () => {
          const site = await start((res) => {
            res.setHeader('Content-Length', 10)
            for (const piece of ['012', '345', '678']) res.write(piece)
            setImmediate(() => res.end('9'))
          })
          expect((await site.get('/a', { Range: 'bytes=2-6' })).text).to.equal('23456')
          expect((await site.get('/a', { Range: 'bytes=9-' })).text).to.equal('9')
          expect(calls).to.equal(1)
        })

        it('answers the whole where its length is not known, and cuts it from then on (RNG-20)', async () => {
          const site = await start(streamed)
          const miss = await site.get('/a', { Range: 'bytes=0-0' })
          expect([miss.status, miss.text, miss.header('content-range')]).to.deep.equal([200, '0123456789', undefined])
          const hit = await site.get('/a', { Range: 'bytes=0-0' })
          expect([hit.status, hit.text]).to.deep.equal([206, '0'])
          expect(calls).to.equal(1)
        })

        it('answers several ranges with the whole on a miss, and with parts from then on', async () => {
          const site = await start(words)
          const miss = await site.get('/a', { Range: 'bytes=0-0,4-5' })
          expect([miss.status, miss.text]).to.deep.equal([200, '0123456789'])
          expect((await site.get('/a', { Range: 'bytes=0-0,4-5' })).status).to.equal(206)
          expect(calls).to.equal(1)
        })

        it('cuts also what may not be stored, and leaves the next range to the handler', async () => {
          const site = await start((res, req) => {
            res.setHeader('Cache-Control', 'private')
            words(res, req)
          })
          const first = await site.get('/a', { Range: 'bytes=1-1' })
          expect([first.status, first.text]).to.deep.equal([206, '1'])
          const second = await site.get('/a', { Range: 'bytes=1-1' })
          expect([second.status, second.text, calls]).to.deep.equal([200, 'seen', 2])
        })

        it("holds If-Range against the handler's answer (RNG-7)", async () => {
          const tagged: Answering = (res, req) => {
            res.setHeader('ETag', '"v1"')
            words(res, req)
          }
          const site = await start(tagged)
          const other = await site.get('/b', { Range: 'bytes=0-0', 'If-Range': '"v0"' })
          expect([other.status, other.text]).to.deep.equal([200, '0123456789'])
          const same = await site.get('/a', { Range: 'bytes=0-0', 'If-Range': '"v1"' })
          expect([same.status, same.text]).to.deep.equal([206, '0'])
        })

        it('answers a condition that holds before a range (CON-22)', async () => {
          const site = await start((res, req) => {
            res.setHeader('ETag', '"v1"')
            words(res, req)
          })
          expect((await site.get('/a', { Range: 'bytes=0-0', 'If-None-Match': '"v1"' })).status).to.equal(304)
          expect((await site.get('/a')).text).to.equal('0123456789')
        })

        it('passes on and does not store a part that the handler gives nevertheless (INC-11)', async () => {
          const site = await start((res) => {
            res.writeHead(206, { 'Content-Range': 'bytes 0-0/5', 'Cache-Control': 'max-age=60' })
            res.end('w')
          })
          for (let turn = 1; turn < 3; turn++) {
            const part = await site.get('/a', { Range: 'bytes=0-0' })
            expect([part.status, part.text, part.header('content-range'), calls]).to.deep.equal([
              206,
              'w',
              'bytes 0-0/5',
              turn,
            ])
          }
        })

        it('hides it from the handler of a HEAD, which ignores it (RNG-1)', async () => {
          const site = await start(words)
          const head = await site.send({ method: 'HEAD', path: '/a', headers: { Range: 'bytes=0-0' } })
          expect([head.status, head.header('content-length')]).to.deep.equal([200, '10'])
        })

        it('leaves it to the handler where the whole was too large lately (RNG-20)', async () => {
          const parting: Answering = (res, req) => {
            if (req.headers.range === undefined) return words(res, req)
            res.writeHead(206, { 'Content-Range': 'bytes 0-0/10' })
            return res.end('0')
          }
          const site = await start(parting, { options: { maxBodySize: 5 } })
          expect((await site.get('/a', { Range: 'bytes=3-3' })).text).to.equal('3')
          const passed = await site.get('/a', { Range: 'bytes=0-0' })
          expect([passed.status, passed.text]).to.deep.equal([206, '0'])
          expect(passed.header('cache-status')).to.contain('detail=range')
        })

        it('leaves it to the handler below a compression, which would code a part (CMP-4)', async () => {
          const compression: Handler = (_req, res, next) => {
            ;(res as { flush?: () => void }).flush = () => {}
            next()
          }
          const site = await start((res, req) => res.end(String(req.headers.range)), { above: [compression] })
          const passed = await site.get('/a', { Range: 'bytes=0-0' })
          expect([passed.status, passed.text]).to.deep.equal([200, 'bytes=0-0'])
          expect(passed.header('cache-status')).to.contain('detail=range')
          expect((await site.get('/a')).text).to.equal('undefined')
        })
      })

      for (const [name, value] of [
        ['If-Match', '"v1"'],
        ['If-Unmodified-Since', 'Mon, 02 Nov 2026 10:00:00 GMT'],
      ] as const) {
        it(`leaves ${name} to the handler, stored or not`, async () => {
          const site = await start((res, req) => res.end(`${calls} ${String(req.headers[name.toLowerCase()])}`))
          await site.get('/a')
          const answer = await site.get('/a', { [name]: value })
          expect(answer.text).to.equal(`2 ${value}`)
          expect(answer.header('cache-status')).to.match(/fwd=bypass.*detail=precondition/)
          expect((await site.get('/a')).text).to.equal('1 undefined')
        })
      }
    })

    context('with lifetimes from several places', () => {
      const seconds = async (answering: Answering, layout: Layout): Promise<number | undefined> => {
        const site = await start(answering, layout)
        const status = (await site.get('/a')).header('cache-status') ?? ''
        const [, ttl] = /ttl=(-?\d+)/.exec(status) ?? []
        return ttl === undefined ? undefined : Number(ttl)
      }
      const all: Answering = (res) => {
        cachePolicy(res).ttl(50)
        res.setHeader('Cachewell-Cache-Control', 'max-age=30')
        res.setHeader('Cache-Control', 'max-age=20')
        res.end('x')
      }
      const options = { ttl: 10 }

      it('takes cachePolicy over everything', async () => {
        expect(await seconds(all, { options, route: { ttl: 40 } })).to.equal(50)
      })
      it('takes cacheRoute over fields', async () => {
        const fields: Answering = (res) => {
          res.setHeader('Cachewell-Cache-Control', 'max-age=30')
          res.setHeader('Cache-Control', 'max-age=20')
          res.end('x')
        }
        expect(await seconds(fields, { options, route: { ttl: 40 } })).to.equal(40)
      })
      it('takes Cachewell-Cache-Control over Cache-Control, its no-store included', async () => {
        const fields: Answering = (res) => {
          res.setHeader('Cachewell-Cache-Control', 'max-age=30')
          res.setHeader('Cache-Control', 'no-store')
          res.end('x')
        }
        expect(await seconds(fields, { options })).to.equal(30)
      })
      it('takes Cache-Control over the option', async () => {
        const fields: Answering = (res) => {
          res.setHeader('Cache-Control', 'max-age=20')
          res.end('x')
        }
        expect(await seconds(fields, { options })).to.equal(20)
      })
      it('takes the option where nothing else is said', async () => {
        expect(await seconds((res) => res.end('x'), { options })).to.equal(10)
      })
      it('replaces no-cache, max-age and must-revalidate by an annotation and still shows them to clients', async () => {
        const site = await start(
          (res) => {
            res.setHeader('Cache-Control', 'no-cache, max-age=0, must-revalidate')
            res.end('x')
          },
          { route: { ttl: 40 } },
        )
        await site.get('/a')
        const hit = await site.get('/a')
        expect(hit.header('x-cache')).to.equal('HIT')
        expect(hit.header('cache-control')).to.equal('no-cache, max-age=0, must-revalidate')
      })
      it('counts the Age of the response against its lifetime', async () => {
        const fields: Answering = (res) => {
          res.setHeader('Cache-Control', 'max-age=20')
          res.setHeader('Age', '5')
          res.end('x')
        }
        expect(await seconds(fields, { options })).to.equal(15)
      })
    })

    context('with callbacks', () => {
      it('asks shouldStore last', async () => {
        const site = await start(
          (res, req) => {
            res.setHeader('X-Keep', req.url === '/a' ? 'yes' : 'no')
            res.end('x')
          },
          { options: { shouldStore: (_req, res) => res.getHeader('x-keep') === 'yes' } },
        )
        expect(await isStored(site)).to.equal(true)
        calls = 0
        const answer = await site.get('/b')
        await site.get('/b')
        expect(calls).to.equal(2)
        expect(answer.header('cache-status')).to.contain('detail=should-store')
      })

      it('keeps out where skip says so', async () => {
        const site = await start((res) => res.end('x'), { options: { skip: (req) => req.headers['x-skip'] === '1' } })
        expect(await isStored(site, { 'X-Skip': '1' })).to.equal(false)
        expect(await isStored(site)).to.equal(true)
        expect((await site.get('/a', { 'X-Skip': '1' })).header('cache-status')).to.match(/fwd=bypass.*detail=skip/)
      })

      it('partitions by key', async () => {
        const site = await start((res, req) => res.end(String(req.headers['x-tenant'])), {
          options: { key: (req) => String(req.headers['x-tenant']) },
        })
        for (const tenant of ['a', 'b', 'a', 'b'])
          expect((await site.get('/a', { 'X-Tenant': tenant })).text).to.equal(tenant)
        expect(calls).to.equal(2)
      })

      const boom = (): never => {
        throw new Error('boom')
      }
      const later = (): never => Promise.resolve('x') as never
      for (const option of ['key', 'skip', 'vary', 'tags', 'shouldStore', 'isAuthenticated'] as const) {
        for (const [how, callback] of [
          ['throws', boom],
          ['returns a promise', later],
        ] as const) {
          it(`answers, stores nothing and tells an error when ${option} ${how}`, async () => {
            const site = await start((res) => res.end('x'), { options: { [option]: callback } })
            const answer = await site.get('/a')
            expect([answer.status, answer.text]).to.deep.equal([200, 'x'])
            await site.get('/a')
            expect(calls).to.equal(2)
            expect(bench.errors).to.have.length(2)
            expect(bench.warnings).to.have.length(1)
          })
        }
      }

      it('stores nothing where key tells nobody apart', async () => {
        const site = await start((res) => res.end('x'), { options: { key: () => ({ tenant: 1 }) as never } })
        expect(await isStored(site)).to.equal(false)
        expect(bench.errors).to.have.length(2)
      })

      it('runs tags once for each stored response, none on hits', async () => {
        let ran = 0
        const tags = (): string[] => {
          ran++
          return ['a']
        }
        const site = await start((res) => res.end('x'), { options: { tags } })
        await site.get('/a')
        await site.get('/a')
        expect(ran).to.equal(1)
        await bench.cache.invalidate({ tags: ['a'] })
        await site.get('/a')
        expect(calls).to.equal(2)
      })

      it('takes tags from Cache-Tag and Surrogate-Key', async () => {
        const site = await start((res) => {
          res.setHeader('Cache-Tag', 'one, two')
          res.setHeader('Surrogate-Key', 'three four')
          res.end('x')
        })
        for (const tag of ['one', 'two', 'three', 'four']) {
          await site.get('/a')
          calls = 0
          await bench.cache.invalidate({ tags: [tag] })
          await site.get('/a')
          expect(calls, tag).to.equal(1)
        }
      })

      for (const [what, field, dropped] of [
        ['more than 128', Array.from({ length: 131 }, (_, index) => `t${index}`).join(), 3],
        ['longer than 256 bytes', `t0,${'\u00e4'.repeat(129)}`, 1],
      ] as const) {
        it(`drops tags of a field that are ${what}, counts them, and misses no invalidation by one`, async () => {
          const site = await start((res) => {
            res.setHeader('Cache-Tag', Buffer.from(field).toString('latin1'))
            res.end('x')
          })
          const tags = field.split(',')
          for (const tag of [tags[0] ?? '', tags.at(-1) ?? '', 'any other']) {
            await site.get('/a')
            expect(await site.get('/a').then((answer) => answer.header('cache-status'))).to.match(/^cachewell; hit/)
            calls = 0
            await bench.cache.invalidate({ tags: [tag] })
            await site.get('/a')
            expect(calls, tag).to.equal(1)
          }
          const { limit, peak, refused } = bench.cache.stats().limits.tags
          expect({ limit, peak, refused: refused % dropped }).to.deep.equal({
            limit: 128,
            peak: Math.min(tags.length - dropped, 128),
            refused: 0,
          })
          expect(refused).to.be.at.least(dropped)
          expect(bench.warnings).to.have.length(1)
        })
      }

      it('leaves what its fields have tagged within the limits alone when another tag is invalidated', async () => {
        const site = await start((res) => {
          res.setHeader('Cache-Tag', Array.from({ length: 128 }, (_, index) => `t${index}`).join())
          res.end('x')
        })
        await site.get('/a')
        await bench.cache.invalidate({ tags: ['any other'] })
        await site.get('/a')
        expect(calls).to.equal(1)
        expect(bench.cache.stats().limits.tags).to.include({ current: 128, refused: 0 })
      })

      it('does not store what has more tags than can be kept', async () => {
        const site = await start((res) => res.end('x'), {
          options: { tags: () => Array.from({ length: 129 }, (_, index) => `t${index}`) },
        })
        expect(await isStored(site)).to.equal(false)
      })
    })
  })
}

for (const framework of EXPRESSES) {
  describe(`storing what ${framework} sends`, () => {
    afterEach(closeSites)

    it('answers 304 to its automatic ETag, on the miss and on the hit', async () => {
      const { cache } = makeBench()
      const site = await openSite(
        makeListener(framework, [cacheMiddleware({ cache })], (_req, res) =>
          (res as never as { send(b: string): void }).send('text'),
        ),
      )
      const etag = (await site.get('/a')).header('etag') ?? ''
      await cache.invalidate({ all: true })
      const miss = await site.get('/a', { 'If-None-Match': etag })
      const hit = await site.get('/a', { 'If-None-Match': etag })
      expect([miss.status, hit.status]).to.deep.equal([304, 304])
      expect([miss.header('x-cache'), hit.header('x-cache')]).to.deep.equal(['MISS', 'HIT'])
      expect((await site.get('/a')).text).to.equal('text')
    })

    it('does not store the 404 of a missing route', async () => {
      const { cache } = makeBench()
      const site = await openSite(makeListener(framework, [cacheMiddleware({ cache })], (_req, _res, next) => next()))
      const answers = [await site.get('/a'), await site.get('/a')]
      expect(answers.map((answer) => [answer.status, answer.header('x-cache')])).to.deep.equal([
        [404, 'MISS'],
        [404, 'MISS'],
      ])
    })
  })
}
