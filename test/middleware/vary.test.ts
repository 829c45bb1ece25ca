import type { IncomingMessage, ServerResponse } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import compression from 'compression'
import { MAX_VARIANTS } from '../../lib/variant-index.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { cacheRoute } from '../../middleware/route.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import type { Answer } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

const compress = compression({ threshold: 0 }) as unknown as Handler
const TEXT = 'compressible '.repeat(200)

function decoded({ body, header }: Answer): string {
  const coding = header('content-encoding')
  if (coding === 'gzip') return gunzipSync(body).toString()
  return coding === 'br' ? brotliDecompressSync(body).toString() : body.toString()
}

for (const framework of FRAMEWORKS) {
  describe(`variants on ${framework}`, () => {
    let bench: Bench
    let calls: number

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    function start(
      answering: (res: ServerResponse, req: IncomingMessage) => unknown,
      { options = {}, middlewares }: { options?: CacheMiddlewareOptions; middlewares?: readonly Handler[] } = {},
    ): Promise<Site> {
      const all = middlewares ?? [cacheMiddleware({ cache: bench.cache, ...options })]
      return openSite(
        makeListener(framework, all, (req, res) => {
          calls++
          return answering(res, req)
        }),
      )
    }

    const byLanguage = (res: ServerResponse, req: IncomingMessage): void => {
      res.setHeader('Vary', 'Accept-Language')
      res.end(`${req.headers['accept-language'] ?? 'none'}`)
    }
    const inLanguage = async (site: Site, language: string): Promise<string> =>
      (await site.get('/a', { 'Accept-Language': language })).text

    it('keeps one for each value, absent and empty included', async () => {
      const site = await start(byLanguage)
      for (let turn = 0; turn < 2; turn++) {
        for (const language of ['de', 'fr', 'en, de']) expect(await inLanguage(site, language)).to.equal(language)
        expect((await site.get('/a')).text).to.equal('none')
        expect(await inLanguage(site, '')).to.equal('')
      }
      expect(calls).to.equal(5)
    })

    it('takes what differs only in writing for the same', async () => {
      const site = await start(byLanguage)
      for (const language of ['de, en', 'DE,en', 'de;q=1,  en'])
        expect(await inLanguage(site, language)).to.equal('de, en')
      expect(calls).to.equal(1)
    })

    it('keeps variants apart that name different fields', async () => {
      const site = await start((res, req) => {
        const [a, b] = [String(req.headers['x-a']), String(req.headers['x-b'])]
        res.setHeader('Vary', a === '1' ? 'X-A' : 'X-A, X-B')
        res.end(a === '1' ? a : a + b)
      })
      const asks = { '1': { 'X-A': '1' }, '2undefined': { 'X-A': '2' }, '21': { 'X-A': '2', 'X-B': '1' } }
      for (let turn = 0; turn < 2; turn++) {
        for (const [expected, headers] of Object.entries(asks))
          expect((await site.get('/a', headers)).text).to.equal(expected)
      }
      expect((await site.get('/a', { 'X-A': '1', 'X-B': '9' })).text).to.equal('1')
      expect(calls).to.equal(3)
    })

    it('compares with the fields as they arrived', async () => {
      const site = await start((res, req) => {
        const language = req.headers['accept-language']
        req.headers['accept-language'] = 'xx'
        res.setHeader('Vary', 'Accept-Language')
        res.end(language)
      })
      await inLanguage(site, 'de')
      expect(await inLanguage(site, 'xx')).to.equal('xx')
      expect(await inLanguage(site, 'de')).to.equal('de')
      expect(calls).to.equal(2)
    })

    it(`keeps at most ${MAX_VARIANTS}, the newest, and never answers with a wrong one`, async () => {
      const site = await start(byLanguage)
      const languages = Array.from({ length: MAX_VARIANTS + 20 }, (_, index) => `x-${index}`)
      for (const language of languages) expect(await inLanguage(site, language)).to.equal(language)
      expect(bench.cache.stats().stats.keyCount).to.be.at.most(MAX_VARIANTS + 1)
      calls = 0
      for (const language of languages.slice(-MAX_VARIANTS)) expect(await inLanguage(site, language)).to.equal(language)
      expect(calls).to.equal(0)
      expect(await inLanguage(site, 'x-0')).to.equal('x-0')
      expect(calls).to.equal(1)
    })

    it('goes to the handler for values that are too long to be kept, each time', async () => {
      const site = await start(byLanguage)
      await inLanguage(site, 'de')
      const long = 'x'.repeat(1_100)
      for (let turn = 0; turn < 2; turn++) expect(await inLanguage(site, long)).to.equal(long)
      expect(calls).to.equal(3)
    })

    it('forgets all of them by URL', async () => {
      const site = await start(byLanguage)
      for (const language of ['de', 'fr']) await inLanguage(site, language)
      await bench.cache.invalidate({ urls: ['/a'] })
      for (const language of ['de', 'fr']) await inLanguage(site, language)
      expect(calls).to.equal(4)
    })

    it('adds the fields of the option vary, of caches and routes', async () => {
      const answering = (res: ServerResponse, req: IncomingMessage): unknown =>
        res.end(`${String(req.headers['x-a'])}${String(req.headers['x-b'])}`)
      const cached = cacheMiddleware({ cache: bench.cache, vary: ['X-A'] })
      const site = await start(answering, { middlewares: [cached, cacheRoute({ vary: () => ['X-B'] })] })
      for (let turn = 0; turn < 2; turn++) {
        for (const [a, b] of [
          ['1', '1'],
          ['1', '2'],
          ['2', '1'],
        ] as const) {
          const answer = await site.get('/a', { 'X-A': a, 'X-B': b })
          expect(answer.text).to.equal(a + b)
          expect(answer.header('vary')).to.equal(undefined)
        }
      }
      expect(calls).to.equal(3)
    })

    it('unites Vary of outer middlewares with that of the handler', async () => {
      const cors: Handler = (_req, res, next) => {
        res.setHeader('Vary', 'Origin')
        next()
      }
      const site = await start((res, req) => res.end(req.headers.origin), {
        middlewares: [cors, cacheMiddleware({ cache: bench.cache })],
      })
      for (const origin of ['http://a.example', 'http://b.example', 'http://a.example'])
        expect((await site.get('/a', { Origin: origin })).text).to.equal(origin)
      expect(calls).to.equal(2)
    })

    for (const [place, stored] of [
      ['above', 'identity'],
      ['below', 'coded'],
    ] as const) {
      context(`with compression() ${place} the cache`, () => {
        const middlewares = (): Handler[] => {
          const cached = cacheMiddleware({ cache: bench.cache })
          return place === 'above' ? [compress, cached] : [cached, compress]
        }
        const answers: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
          'end(text)': (res) => {
            res.setHeader('Content-Type', 'text/plain')
            res.end(TEXT)
          },
          'write and end': (res) => {
            res.setHeader('Content-Type', 'text/plain')
            res.write(TEXT.slice(0, 100))
            setImmediate(() => res.end(TEXT.slice(100)))
          },
          'writeHead and end': (res) => {
            res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': TEXT.length })
            res.end(TEXT)
          },
        }
        for (const [name, answering] of Object.entries(answers)) {
          it(`answers everybody in a coding they know, with ${name}`, async () => {
            const site = await start(answering, { middlewares: middlewares() })
            for (let turn = 0; turn < 2; turn++) {
              for (const coding of ['gzip', 'br', 'identity']) {
                const answer = await site.get('/a', { 'Accept-Encoding': coding })
                expect(answer.header('content-encoding') ?? 'identity', coding).to.equal(coding)
                expect(decoded(answer)).to.equal(TEXT)
                expect(answer.header('vary')).to.equal('Accept-Encoding')
                if (turn === 1) expect(answer.header('x-cache')).to.equal('HIT')
              }
            }
            expect(calls).to.equal(stored === 'identity' ? 1 : 3)
          })
        }
      })
    }
  })
}
