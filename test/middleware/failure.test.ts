import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeExpress, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

type Failing = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => unknown

/** Ways in which a handler fails that every framework knows. */
const FAILURES: readonly (readonly [name: string, fail: Failing])[] = [
  ['answers 500', (_req, res) => void res.writeHead(500).end('broken')],
  ['answers 503 in pieces', (_req, res) => void (res.writeHead(503), res.write('bro'), res.end('ken'))],
  ['calls next with an error', (_req, _res, next) => next(new Error('broken'))],
  [
    'throws',
    () => {
      throw new Error('broken')
    },
  ],
]

/** Without a word. */
const DESTROYS: Failing = (_req, res) => void res.destroy()

const FIELD = 'max-age=10, stale-if-error=100'

for (const framework of FRAMEWORKS) {
  describe(`a failed handler on ${framework}`, () => {
    let bench: Bench
    let calls: number

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    /** The first answer is stored, all others fail in this way. */
    function start(fail: Failing, options: CacheMiddlewareOptions = {}, field = FIELD): Promise<Site> {
      const handler: Handler = (req, res, next) => {
        if (calls++ > 0) return fail(req, res, next)
        res.setHeader('Cache-Control', field)
        res.setHeader('X-Of', 'first')
        return res.end('first')
      }
      const cache = cacheMiddleware({ cache: bench.cache, headers: 'standard', ...options })
      return openSite(makeListener(framework, [cache], handler))
    }

    for (const [name, fail] of FAILURES) {
      it(`that ${name} is answered for by what is stored (STA-9, STA-11, DV-5)`, async () => {
        const site = await start(fail)
        await site.get('/a')
        bench.clock.advance(60_000)
        const answer = await site.get('/a')
        expect([answer.status, answer.text, answer.header('age'), answer.header('x-of')]).to.deep.equal([
          200,
          'first',
          '60',
          'first',
        ])
        expect(answer.header('cache-status')).to.match(
          /^cachewell; fwd=stale; fwd-status=50\d; ttl=-50; detail=stale-if-error$/,
        )
        expect(bench.outcomes.at(-1)?.outcome.rule).to.equal('DV-5')
      })

      it(`that ${name} is heard once the window is over (DV-6)`, async () => {
        const site = await start(fail)
        await site.get('/a')
        bench.clock.advance(111_000)
        expect((await site.get('/a')).status).to.be.within(500, 503)
      })
    }

    it('that destroys its response is answered for by what is stored (STA-11)', async () => {
      const site = await start(DESTROYS)
      await site.get('/a')
      bench.clock.advance(60_000)
      const answer = await site.get('/a')
      expect([answer.status, answer.text, answer.header('age')]).to.deep.equal([200, 'first', '60'])
    })

    it('that destroys its response cuts the connection where nothing may stand in', async () => {
      const site = await start(DESTROYS, {}, 'max-age=10')
      await site.get('/a')
      bench.clock.advance(60_000)
      const failure = await site.get('/a').then(() => undefined, String)
      expect(failure).to.match(/closed|reset|hang up/i)
    })

    it('is heard where the response says must-revalidate (STA-1, DR-16)', async () => {
      const site = await start(FAILURES[0]?.[1] as Failing, {}, `${FIELD}, must-revalidate`)
      await site.get('/a')
      bench.clock.advance(60_000)
      expect((await site.get('/a')).text).to.equal('broken')
    })

    it('with 501 is heard, and the entry stays as it was (STA-10, DV-7)', async () => {
      const statuses = [501, 503]
      const site = await start((_req, res) => void res.writeHead(statuses.shift() ?? 200).end())
      await site.get('/a')
      bench.clock.advance(60_000)
      expect((await site.get('/a')).status).to.equal(501)
      expect((await site.get('/a')).text).to.equal('first')
    })

    it('is not answered for by a stored error', async () => {
      const options: CacheMiddlewareOptions = { profile: 'rfc' }
      const handler: Handler = (_req, res) => {
        res.writeHead(calls++ === 0 ? 503 : 500, { 'Cache-Control': FIELD })
        res.end(`error ${calls}`)
      }
      const cache = cacheMiddleware({ cache: bench.cache, ...options })
      const site = await openSite(makeListener(framework, [cache], handler))
      await site.get('/a')
      expect((await site.get('/a')).text).to.equal('error 1')
      bench.clock.advance(60_000)
      expect((await site.get('/a')).text).to.equal('error 2')
    })

    it('that has said nothing in time is answered for, and what it says later goes nowhere (STA-11)', async () => {
      let late: ServerResponse | undefined
      const site = await start(
        (_req, res) => {
          late = res
        },
        { handlerTimeoutMs: 20 },
      )
      await site.get('/a')
      bench.clock.advance(60_000)
      const answer = await site.get('/a')
      expect([answer.status, answer.text]).to.deep.equal([200, 'first'])
      expect(answer.header('cache-status')).to.contain('fwd-status=504')
      expect(() => {
        late?.setHeader('X-Late', 'yes')
        late?.writeHead(200, { 'X-Later': 'yes' }).write('too')
        late?.end('late')
      }).not.to.throw()
    })

    it('that has said nothing in time is waited for where nothing may stand in', async () => {
      const site = await start(
        (_req, res) => void setTimeout(() => res.end('late'), 60),
        { handlerTimeoutMs: 20 },
        'max-age=10',
      )
      await site.get('/a')
      bench.clock.advance(60_000)
      expect((await site.get('/a')).text).to.equal('late')
    })

    context("in profile 'rfc', without stale-if-error", () => {
      const rfc = { profile: 'rfc' } as const

      it('is answered for where it gives no answer at all (9111 s. 4.2.4)', async () => {
        const site = await start((_req, _res, next) => next(new Error('broken')), rfc, 'max-age=10')
        await site.get('/a')
        bench.clock.advance(20_000)
        expect((await site.get('/a')).text).to.equal('first')
      })

      it('is heard where it answers 503', async () => {
        const site = await start((_req, res) => void res.writeHead(503).end('busy'), rfc, 'max-age=10')
        await site.get('/a')
        bench.clock.advance(20_000)
        expect((await site.get('/a')).text).to.equal('busy')
      })

      for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache']) {
        it(`is heard where the response says ${directive} (STA-1)`, async () => {
          const site = await start((_req, _res, next) => next(new Error('broken')), rfc, `max-age=10, ${directive}`)
          await site.get('/a')
          bench.clock.advance(20_000)
          expect((await site.get('/a')).status).to.equal(500)
        })
      }
    })
  })
}

describe('a listener under withCache that returns a promise', () => {
  let bench: Bench
  beforeEach(() => {
    bench = makeBench()
  })
  afterEach(closeSites)

  it('is answered for when the promise is rejected (STA-11)', async () => {
    let calls = 0
    const listener = async (_req: IncomingMessage, res: ServerResponse): Promise<void> => {
      await Promise.resolve()
      if (calls++ > 0) throw new Error('broken')
      res.setHeader('Cache-Control', FIELD)
      res.end('first')
    }
    const site = await openSite(withCache(listener, { cache: bench.cache }))
    await site.get('/a')
    bench.clock.advance(60_000)
    expect((await site.get('/a')).text).to.equal('first')
  })
})

describe('an asynchronous handler of Express 5', () => {
  afterEach(closeSites)

  it('is answered for when its promise is rejected (STA-11)', async () => {
    const bench = makeBench()
    let calls = 0
    const app = makeExpress('Express 5')
    app.use(cacheMiddleware({ cache: bench.cache }) as never)
    app.get('/a', async (_req, res) => {
      await Promise.resolve()
      if (calls++ > 0) throw new Error('broken')
      res.set('Cache-Control', FIELD).send('first')
    })
    const site = await openSite(app)
    await site.get('/a')
    bench.clock.advance(60_000)
    expect((await site.get('/a')).text).to.equal('first')
  })
})

for (const framework of EXPRESSES) {
  describe(`the error page of ${framework}`, () => {
    afterEach(closeSites)

    for (const profile of ['safe', 'rfc'] as const) {
      it(`is not stored, whatever the handler had said of its success, profile ${profile} (XPR-12)`, async () => {
        const bench = makeBench()
        let calls = 0
        const app = makeExpress(framework)
        app.use(cacheMiddleware({ cache: bench.cache, profile }) as never)
        app.get('/a', (_req, res) => {
          calls++
          res.set('Cache-Control', 'public, max-age=60')
          throw new Error('broken')
        })
        const site = await openSite(app)
        for (let run = 0; run < 2; run++) expect((await site.get('/a')).status).to.equal(500)
        expect(calls).to.equal(2)
      })
    }
  })
}
