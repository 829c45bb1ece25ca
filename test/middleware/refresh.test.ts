import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { cacheRoute } from '../../middleware/route.ts'
import { isRefresh } from '../../middleware/second-pass.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import type { Answer } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

interface Call {
  readonly refresh: boolean
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

for (const framework of FRAMEWORKS) {
  describe(`staleness on ${framework}`, () => {
    let bench: Bench
    let calls: Call[]

    beforeEach(() => {
      bench = makeBench()
      calls = []
    })
    afterEach(closeSites)

    function start(
      answering: (call: Call, number: number) => unknown,
      {
        options = {},
        front = false,
        above = [],
      }: {
        readonly options?: CacheMiddlewareOptions
        readonly front?: boolean
        readonly above?: readonly Handler[]
      } = {},
    ): Promise<Site> {
      const all: CacheMiddlewareOptions = { cache: bench.cache, ttl: '10s', headers: 'standard', ...options }
      const handler: Handler = (req, res) => {
        const call = { refresh: isRefresh(req), req, res }
        calls.push(call)
        answering(call, calls.length)
      }
      return openSite(
        front
          ? withCache(makeListener(framework, above, handler), all)
          : makeListener(framework, [...above, cacheMiddleware(all)], handler),
      )
    }
    /** A background refresh has come to its end. */
    const refreshed = (): Promise<void> => until(() => bench.cache.stats().limits.refreshes.current === 0)

    for (const front of [false, true]) {
      context(`with stale-while-revalidate, ${front ? 'in front' : 'inside'}`, () => {
        const layout = { options: { staleWhileRevalidate: '30s' }, front } as const

        it('answers stale at once and refreshes once behind it', async () => {
          const site = await start(({ res }, number) => res.end(`${number}`), layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          const stale = await site.get('/a')
          expect([stale.text, stale.header('age')]).to.deep.equal(['1', '12'])
          expect(stale.header('cache-status')).to.match(/^cachewell; hit; ttl=-2; detail=/)
          await refreshed()
          expect(calls.map((call) => call.refresh)).to.deep.equal([false, true])
          const fresh = await site.get('/a')
          expect([fresh.text, fresh.header('cache-status')]).to.deep.equal(['2', 'cachewell; hit; ttl=10'])
        })

        it('asks the handler once the window is over', async () => {
          const site = await start(({ res }, number) => res.end(`${number}`), layout)
          await site.get('/a')
          bench.clock.advance(40_000)
          expect((await site.get('/a')).text).to.equal('2')
        })

        it('refreshes once for many', async () => {
          const waiting: (() => void)[] = []
          const site = await start(({ res, refresh }, number) => {
            if (refresh) waiting.push(() => res.end(`${number}`))
            else res.end(`${number}`)
          }, layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          const answers = await Promise.all(Array.from({ length: 20 }, () => site.get('/a')))
          expect(new Set(answers.map((answer) => answer.text))).to.deep.equal(new Set(['1']))
          expect(waiting).to.have.length(1)
          waiting[0]?.()
          await refreshed()
          expect((await site.get('/a')).text).to.equal('2')
        })

        it('refreshes for nobody in particular: no credentials, conditions or ranges, but what selects the variant', async () => {
          const site = await start(({ res }) => {
            res.writeHead(200, {
              'Cache-Control': 'public, max-age=10',
              Vary: 'Accept-Language',
              ETag: '"v1"',
            })
            res.end('x')
          }, layout)
          const language = { 'Accept-Language': 'de' }
          await site.get('/a?q=1', language)
          bench.clock.advance(12_000)
          await site.get('/a?q=1', {
            ...language,
            Cookie: 'sid=1',
            Authorization: 'Bearer a',
            'X-Api-Key': 'k',
            'If-None-Match': '"v1"',
            Range: 'bytes=0-0',
            'Cache-Control': 'max-stale',
          })
          await refreshed()
          const { req } = calls[1] as Call
          expect([req.method, req.url, req.headers.host]).to.deep.equal(['GET', '/a?q=1', 'shop.example'])
          expect(req.headers['accept-language']).to.equal('de')
          for (const name of ['cookie', 'authorization', 'x-api-key', 'if-none-match', 'range', 'cache-control']) {
            expect(req.headers[name], name).to.equal(undefined)
            expect(req.rawHeaders.map((text) => text.toLowerCase())).not.to.include(name)
          }
          expect((await site.get('/a?q=1', language)).header('cache-status')).to.equal('cachewell; hit; ttl=10')
        })

        it('keeps the entry when the refresh fails, and tries again, but not within a second (STA-7, STA-14)', async () => {
          const site = await start(({ res }, number) => {
            if (number === 2) res.statusCode = 500
            res.end(`${number}`)
          }, layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          expect((await site.get('/a')).text).to.equal('1')
          await refreshed()
          bench.clock.advance(999)
          expect((await site.get('/a')).text).to.equal('1')
          expect(calls).to.have.length(2)
          bench.clock.advance(1)
          expect((await site.get('/a')).text).to.equal('1')
          await refreshed()
          expect((await site.get('/a')).text).to.equal('3')
        })

        it('asks with the validators of the entry, and lets a 304 renew it (DV-1, VAL-8)', async () => {
          const modified = 'Mon, 02 Nov 2026 10:00:00 GMT'
          const asked: unknown[] = []
          const site = await start(({ req, res }, number) => {
            asked.push([req.headers['if-none-match'], req.headers['if-modified-since']])
            res.setHeader('ETag', '"v1"')
            res.setHeader('X-Run', String(number))
            if (req.headers['if-none-match'] === '"v1"') {
              res.statusCode = 304
              return res.end()
            }
            res.setHeader('Last-Modified', modified)
            return res.end('good')
          }, layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          await site.get('/a', { 'If-None-Match': '"mine"', 'If-Modified-Since': 'Mon, 02 Nov 2026 09:00:00 GMT' })
          await refreshed()
          expect(asked).to.deep.equal([
            [undefined, undefined],
            ['"v1"', modified],
          ])
          bench.clock.advance(4_000)
          const fresh = await site.get('/a')
          expect([fresh.status, fresh.text, fresh.header('age'), fresh.header('x-run')]).to.deep.equal([
            200,
            'good',
            '4',
            '2',
          ])
          expect(fresh.header('cache-status')).to.equal('cachewell; hit; ttl=6')
          expect(calls).to.have.length(2)
        })

        it('drops the entry where the refresh brings what may not be stored (VAL-14, TV-54)', async () => {
          const site = await start(({ res }, number) => {
            if (number === 2) res.setHeader('Cache-Control', 'no-store')
            res.end(`${number}`)
          }, layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          expect((await site.get('/a')).text).to.equal('1')
          await refreshed()
          expect((await site.get('/a')).text).to.equal('3')
        })

        for (const body of ['question', '']) {
          it(`gives the handler the content of a QUERY again, ${body.length} octets (QRY-3, QRY-4)`, async () => {
            const site = await start(async ({ req, res }, number) => {
              let content = ''
              for await (const chunk of req) content += String(chunk)
              res.end(`${number} ${req.method} ${content}`)
            }, layout)
            const headers = { 'Content-Type': 'text/plain' }
            const ask = (content: string): Promise<Answer> =>
              site.send({ method: 'QUERY', path: '/a', headers, body: content })
            for (const content of [body, 'another']) await ask(content)
            bench.clock.advance(12_000)
            expect((await ask(body)).text).to.equal(`1 QUERY ${body}`)
            await refreshed()
            expect(calls.map((call) => call.refresh)).to.deep.equal([false, false, true])
            const fresh = await ask(body)
            expect([fresh.text, fresh.header('cache-status')]).to.deep.equal([
              `3 QUERY ${body}`,
              'cachewell; hit; ttl=10',
            ])
            expect((await ask('another')).text).to.equal('2 QUERY another')
          })
        }

        it('survives a handler that destroys the refresh', async () => {
          const site = await start(
            ({ res, refresh }, number) => (refresh ? res.destroy() : res.end(`${number}`)),
            layout,
          )
          await site.get('/a')
          bench.clock.advance(12_000)
          await site.get('/a')
          await refreshed()
          expect((await site.get('/a')).text).to.equal('1')
        })

        it('does not overwrite what a write has made wrong meanwhile', async () => {
          let finish: () => void = () => {}
          const site = await start(({ req, res, refresh }, number) => {
            if (refresh && number === 2) finish = () => res.end('old')
            else res.end(req.method === 'GET' ? `new ${number}` : 'written')
          }, layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          await site.get('/a')
          await until(() => calls.length === 2)
          await site.send({ method: 'POST', path: '/a' })
          finish()
          await refreshed()
          expect((await site.get('/a')).text).to.equal('new 4')
        })

        it('asks the handler where the variant hangs on what a refresh does not carry', async () => {
          const site = await start(({ req, res }) => {
            res.writeHead(200, { 'Cache-Control': 'public, max-age=10, stale-while-revalidate=30', Vary: 'Cookie' })
            res.end(`${calls.length} ${String(req.headers.cookie)}`)
          }, layout)
          const headers = { Cookie: 'a=1' }
          await site.get('/a', headers)
          bench.clock.advance(12_000)
          await site.get('/a', headers)
          await refreshed()
          expect((await site.get('/a', headers)).text).to.equal('2 a=1')
        })

        it('counts the stale answer, not the refresh', async () => {
          const site = await start(({ res }) => res.end('x'), layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          await site.get('/a')
          await refreshed()
          expect(bench.outcomes).to.have.length(2)
        })

        it('refreshes a large body whole', async () => {
          const site = await start(({ res }, number) => {
            res.write(String(number).repeat(200_000))
            setImmediate(() => res.end(String(number).repeat(200_000)))
          }, layout)
          await site.get('/a')
          bench.clock.advance(12_000)
          await site.get('/a')
          await refreshed()
          expect((await site.get('/a')).text).to.equal('2'.repeat(400_000))
        })
      })
    }

    it('takes the window from the response, which must-revalidate and s-maxage close', async () => {
      const controls = {
        'max-age=10, stale-while-revalidate=30': '1',
        'max-age=10, stale-while-revalidate=30, must-revalidate': '2',
        's-maxage=10, stale-while-revalidate=30': '2',
      }
      for (const [control, expected] of Object.entries(controls)) {
        bench = makeBench()
        calls = []
        const site = await start(({ res }, number) => {
          res.setHeader('Cache-Control', control)
          res.end(`${number}`)
        })
        await site.get('/a')
        bench.clock.advance(12_000)
        expect((await site.get('/a')).text, control).to.equal(expected)
        await refreshed()
      }
    })

    context('with stale-if-error', () => {
      const options = { staleIfError: '30s' } as const
      const failing = (status: number): Parameters<typeof start>[0] => {
        return ({ res }, number) => {
          res.setHeader('X-From', String(number))
          if (number > 1) res.writeHead(status, { 'X-Error': 'yes', 'Content-Type': 'text/plain', 'Set-Cookie': 'e=1' })
          res.end(`${number}`)
        }
      }
      for (const status of [500, 502, 503, 504]) {
        it(`answers stale instead of ${status}, within the window`, async () => {
          const site = await start(failing(status), { options })
          await site.get('/a')
          bench.clock.advance(15_000)
          const answer = await site.get('/a')
          expect([answer.status, answer.reason, answer.text]).to.deep.equal([200, 'OK', '1'])
          expect(answer.lines('x-from')).to.deep.equal(['1'])
          for (const name of ['x-error', 'content-type', 'set-cookie']) expect(answer.header(name)).to.equal(undefined)
          expect(answer.header('cache-status')).to.equal(
            `cachewell; fwd=stale; fwd-status=${status}; ttl=-5; detail=stale-if-error`,
          )
          expect(answer.header('age')).to.equal('15')
          expect(bench.outcomes).to.have.length(2)
          bench.clock.advance(25_000)
          expect((await site.get('/a')).status).to.equal(status)
        })
      }
      for (const status of [400, 404, 501, 505]) {
        it(`lets ${status} through`, async () => {
          const site = await start(failing(status), { options })
          await site.get('/a')
          bench.clock.advance(15_000)
          expect((await site.get('/a')).status).to.equal(status)
        })
      }
      it('lets errors through where the response says must-revalidate', async () => {
        const site = await start(
          ({ res }, number) => {
            res.setHeader('Cache-Control', 'max-age=10, must-revalidate')
            res.statusCode = number === 1 ? 200 : 503
            res.end()
          },
          { options },
        )
        await site.get('/a')
        bench.clock.advance(15_000)
        expect((await site.get('/a')).status).to.equal(503)
      })
      it('swallows what the failed handler streams', async () => {
        let told = 0
        const site = await start(
          ({ res }, number) => {
            if (number === 1) return res.end('good')
            res.statusCode = 500
            res.flushHeaders()
            res.write('bad', () => told++)
            return setImmediate(() => res.end('worse', () => told++))
          },
          { options },
        )
        await site.get('/a')
        bench.clock.advance(15_000)
        expect((await site.get('/a')).text).to.equal('good')
        await until(() => told === 2)
      })
      it('answers HEAD and conditions from the stale entry', async () => {
        const site = await start(
          ({ res }, number) => {
            res.setHeader('ETag', '"v1"')
            res.statusCode = number === 1 ? 200 : 500
            res.end('good')
          },
          { options },
        )
        await site.get('/a')
        bench.clock.advance(15_000)
        const head = await site.send({ method: 'HEAD', path: '/a' })
        expect([head.status, head.header('content-length')]).to.deep.equal([200, '4'])
        expect((await site.get('/a', { 'If-None-Match': '"v1"' })).status).to.equal(304)
      })
      it('answers with the fields of outer middlewares as they were before the failure', async () => {
        const outer: Handler = (_req, res, next) => {
          res.setHeader('Content-Security-Policy', "default-src 'self'")
          next()
        }
        const site = await start(
          ({ res }, number) => {
            if (number > 1) {
              res.statusCode = 500
              res.setHeader('Content-Security-Policy', "default-src 'none'")
            }
            res.end('x')
          },
          { options, above: [outer] },
        )
        await site.get('/a')
        bench.clock.advance(15_000)
        expect((await site.get('/a')).lines('content-security-policy')).to.deep.equal(["default-src 'self'"])
      })
      it('takes a success that comes after the failure', async () => {
        const site = await start(
          ({ res }, number) => {
            if (number === 2) res.statusCode = 503
            res.end(`${number}`)
          },
          { options },
        )
        const texts: string[] = []
        for (let turn = 0; turn < 3; turn++) {
          texts.push((await site.get('/a')).text)
          bench.clock.advance(12_000)
        }
        expect(texts).to.deep.equal(['1', '1', '3'])
      })
      it('takes the window of a route', async () => {
        const route = cacheRoute({ ttl: '10s', staleIfError: '30s' })
        let turn = 0
        const site = await openSite(
          makeListener(framework, [cacheMiddleware({ cache: bench.cache }), route], (_req, res) => {
            res.statusCode = ++turn === 1 ? 200 : 500
            res.end(String(turn))
          }),
        )
        await site.get('/a')
        bench.clock.advance(15_000)
        expect((await site.get('/a')).text).to.equal('1')
      })
    })
  })
}

for (const framework of EXPRESSES) {
  describe(`stale-if-error with errors of ${framework}`, () => {
    afterEach(closeSites)

    const failures: Record<string, Handler> = {
      'next(error)': (_req, _res, next) => next(new Error('boom')),
      'a thrown error': () => {
        throw new Error('boom')
      },
    }
    if (framework === 'Express 5') failures['a rejection'] = async () => Promise.reject(new Error('boom'))
    for (const [name, fail] of Object.entries(failures)) {
      it(`answers stale instead of the page of ${name}`, async () => {
        const bench = makeBench()
        let calls = 0
        const outer: Handler = (_req, res, next) => {
          res.setHeader('Content-Security-Policy', "default-src 'self'")
          next()
        }
        const cached = cacheMiddleware({ cache: bench.cache, ttl: '10s', staleIfError: '1m' })
        const site = await openSite(
          makeListener(framework, [outer, cached], (req, res, next) =>
            ++calls === 1 ? (res as never as { send(body: string): unknown }).send('good') : fail(req, res, next),
          ),
        )
        const first = await site.get('/a')
        bench.clock.advance(15_000)
        const second = await site.get('/a')
        expect([second.status, second.text]).to.deep.equal([200, 'good'])
        expect(second.header('x-cache')).to.equal('STALE')
        for (const field of ['content-security-policy', 'x-content-type-options', 'content-type', 'etag'])
          expect(second.header(field), field).to.equal(first.header(field))
        bench.clock.advance(60_000)
        expect((await site.get('/a')).status).to.equal(500)
      })
    }
  })
}
