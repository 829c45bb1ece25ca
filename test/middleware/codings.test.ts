import type { IncomingMessage, RequestListener } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import zlib from 'node:zlib'
import { expect } from 'chai'
import compression from 'compression'
import cors from 'cors'
import sinon from 'sinon'
import { AVAILABLE_CODINGS } from '../../lib/codings.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { cacheRoute } from '../../middleware/route.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Framework, type Handler, makeListener } from '../support/app.ts'
import type { Answer } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'
import { zlibWork } from '../support/zlib-work.ts'

const TEXT = 'text that can be compressed, caf\u00e9 '.repeat(100)
const BYTES = Buffer.from(TEXT)
/** The types are of a node that has no zstd. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (body: Buffer) => Buffer }
const MODIFIED = 'Fri, 20 Nov 2026 10:00:00 GMT'

const MOUNTINGS = ['cacheMiddleware', 'withCache'] as const

function decoded({ body, header }: Pick<Answer, 'body' | 'header'>): Buffer {
  switch (header('content-encoding')) {
    case undefined:
      return body
    case 'gzip':
      return zlib.gunzipSync(body)
    case 'br':
      return zlib.brotliDecompressSync(body)
    case 'zstd':
      return zstdDecompressSync?.(body) ?? body
    default:
      throw new Error(`No client understands ${header('content-encoding')}`)
  }
}

function isHit(answer: Answer): boolean {
  return answer.header('cache-status')?.startsWith('cachewell; hit') === true
}

/** What the handler's answers differ by, beside their text. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '/strong': { ETag: '"v1"', 'Accept-Ranges': 'bytes', 'Last-Modified': MODIFIED },
  '/weak': { ETag: 'W/"v1"' },
  '/untagged': {},
  '/origin': { Vary: 'Origin' },
  '/no-transform': { 'Cache-Control': 'max-age=60, no-transform' },
  '/digest': { 'Content-Digest': 'sha-256=:x:' },
  '/png': { 'Content-Type': 'image/png' },
  '/coded': { 'Content-Encoding': 'x-own', Vary: 'Accept-Encoding' },
  '/negotiated': { Vary: 'Accept-Encoding' },
}

for (const framework of FRAMEWORKS) {
  for (const mounting of MOUNTINGS) {
    describe(`codings, ${mounting} on ${framework}`, () => {
      let bench: Bench
      let calls: number
      /** The request fields of the last call of the handler, and whether it has new text. */
      let seen: IncomingMessage['headers']
      let seenLines: readonly string[]
      let text: string

      beforeEach(() => {
        bench = makeBench()
        calls = 0
        text = TEXT
      })
      afterEach(async () => {
        await closeSites()
        sinon.restore()
      })

      const answering: Handler = (req, res) => {
        calls++
        seen = { ...req.headers }
        seenLines = [...req.rawHeaders]
        const path = (req.url ?? '').split('?', 1)[0] as string
        const etag = text === TEXT ? FIELDS[path]?.['ETag'] : '"v2"'
        if (req.method === 'PUT') {
          res.statusCode = req.headers['if-match'] === etag ? 204 : 412
          res.end()
          return
        }
        res.setHeader('Content-Type', 'text/plain; charset=utf-8')
        res.setHeader('Cache-Control', 'max-age=60')
        for (const [name, value] of Object.entries(FIELDS[path] ?? {})) res.setHeader(name, value)
        if (etag !== undefined) res.setHeader('ETag', etag)
        if (etag !== undefined && req.headers['if-none-match'] === etag) {
          res.statusCode = 304
          res.end()
        } else if (path === '/small') {
          res.end(text.slice(0, 900))
        } else if (path === '/pieces') {
          res.write(text.slice(0, 100))
          setImmediate(() => res.end(text.slice(100)))
        } else {
          res.setHeader('Content-Length', Buffer.byteLength(text))
          res.end(text)
        }
      }

      interface Layout {
        readonly above?: readonly unknown[]
        readonly below?: readonly unknown[]
        readonly options?: CacheMiddlewareOptions
      }

      /** An application with this cache, and neighbours above and below it. */
      function mount({ above = [], below = [], options = {} }: Layout): RequestListener {
        const all = { cache: bench.cache, headers: 'standard', ...options } as const
        if (mounting === 'cacheMiddleware') {
          const middlewares = [...above, cacheMiddleware(all), ...below] as Handler[]
          return makeListener(framework, middlewares, answering)
        }
        const cached = withCache(makeListener(framework, below as Handler[], answering), all)
        return above.length === 0
          ? cached
          : makeListener(framework as Framework, above as Handler[], (req, res) => cached(req, res))
      }

      const start = (layout: Layout = {}): Promise<Site> => openSite(mount(layout))

      const inCoding = (site: Site, path: string, coding: string, headers = {}): Promise<Answer> =>
        site.get(path, { 'Accept-Encoding': coding, ...headers })

      const made = (): Promise<void> => until(() => bench.cache.stats().limits.codings.current === 0)

      /** Ask for a page until all codings of it are there. */
      async function warm(site: Site, path: string, shape = {}): Promise<void> {
        for (const coding of [undefined, ...AVAILABLE_CODINGS]) {
          const headers = coding === undefined ? {} : { 'Accept-Encoding': coding }
          await site.send({ path, headers, ...shape })
          await made()
        }
      }

      for (const path of ['/strong', '/weak', '/untagged', '/pieces', '/origin']) {
        it(`stores ${path} once and serves it to all in what they like`, async () => {
          const site = await start()
          const vary = path === '/origin' ? 'Origin, Accept-Encoding' : 'Accept-Encoding'
          const miss = await inCoding(site, path, 'gzip')
          // The first hit shows that somebody would like it.
          const first = await inCoding(site, path, 'gzip')
          for (const answer of [miss, first]) {
            expect([answer.header('content-encoding'), answer.lines('vary')]).to.deep.equal([undefined, [vary]])
            expect(answer.text).to.equal(TEXT)
          }
          await warm(site, path)
          const tags = new Set<string | undefined>()
          for (const coding of ['identity', ...AVAILABLE_CODINGS]) {
            const answer = await inCoding(site, path, coding)
            expect(isHit(answer), coding).to.equal(true)
            expect(answer.header('content-encoding') ?? 'identity').to.equal(coding)
            expect(decoded(answer).equals(BYTES), coding).to.equal(true)
            expect(answer.header('content-length')).to.equal(String(answer.body.length))
            expect(answer.lines('vary')).to.deep.equal([vary])
            expect(answer.header('accept-ranges') !== undefined).to.equal(path === '/strong' && coding === 'identity')
            tags.add(answer.header('etag'))
          }
          // MSG-3, CMP-2
          expect(tags.size).to.equal(path === '/strong' ? AVAILABLE_CODINGS.length + 1 : 1)
          expect((await site.get(path)).text).to.equal(TEXT)
          expect(calls).to.equal(1)
        })
      }

      it('compresses each once, off the main thread, and never for a hit', async () => {
        const sync = (['gzipSync', 'brotliCompressSync', 'deflateSync', 'deflateRawSync'] as const).map((name) =>
          sinon.spy(zlib, name),
        )
        const site = await start()
        expect(await zlibWork(() => warm(site, '/strong'))).to.equal(AVAILABLE_CODINGS.length)
        const again = await zlibWork(async () => {
          for (let turn = 0; turn < 5; turn++) {
            for (const coding of ['gzip', 'br', 'identity', 'br, gzip', '*']) await inCoding(site, '/strong', coding)
          }
          await made()
        })
        expect(again).to.equal(0)
        for (const spy of sync) expect(spy.callCount).to.equal(0)
        expect(bench.cache.stats().limits.codings).to.include({ current: 0, refused: 0 })
      })

      it('takes what the client likes best, in our order among equals', async () => {
        const site = await start({ options: { encodings: ['gzip', 'br'] } })
        await warm(site, '/strong')
        const rows = {
          'br, gzip': 'gzip',
          'br, gzip;q=0.9': 'br',
          'identity, gzip;q=0.5': undefined,
          'identity;q=0, br': 'br',
          // RFC 9110 s. 12.5.3: better something that it did not ask for than nothing.
          'identity;q=0, x': undefined,
          '*;q=0': undefined,
          '': undefined,
        }
        for (const [value, coding] of Object.entries(rows)) {
          const answer = await inCoding(site, '/strong', value)
          expect([answer.status, answer.header('content-encoding')], value).to.deep.equal([200, coding])
        }
      })

      for (const path of ['/no-transform', '/digest', '/png', '/coded', '/small', '/negotiated']) {
        it(`leaves ${path} as the handler gave it (CMP-6, DIG-4)`, async () => {
          const site = await start()
          const work = await zlibWork(async () => {
            for (let turn = 0; turn < 3; turn++) {
              const answer = await inCoding(site, path, 'gzip')
              const { 'Content-Encoding': coding, Vary: vary } = FIELDS[path] ?? {}
              expect([answer.header('content-encoding'), answer.header('vary')]).to.deep.equal([coding, vary])
              expect(answer.text).to.equal(path === '/small' ? TEXT.slice(0, 900) : TEXT)
            }
          })
          expect([work, calls]).to.deep.equal([0, 1])
        })
      }

      for (const [name, options] of [
        ['encodings: false', { encodings: false }],
        ['an empty list', { encodings: [] }],
        ["profile: 'rfc'", { profile: 'rfc' }],
      ] as const) {
        it(`does nothing of it with ${name}`, async () => {
          const site = await start({ options })
          const work = await zlibWork(() => warm(site, '/strong'))
          const answer = await inCoding(site, '/strong', 'gzip')
          expect([
            work,
            answer.text,
            answer.header('vary'),
            answer.header('etag'),
            answer.header('accept-ranges'),
          ]).to.deep.equal([0, TEXT, undefined, '"v1"', 'bytes'])
          await inCoding(site, '/strong?other', 'gzip', {
            'Cache-Control': 'no-store',
            'If-None-Match': '"v1;cw-gzip"',
          })
          expect(seen['if-none-match']).to.equal('"v1;cw-gzip"')
        })
      }

      it('says 304 to whom the content is known in any coding that they take', async () => {
        const site = await start()
        await warm(site, '/strong')
        for (const [coding, tags, told] of [
          ['gzip', '"v1;cw-gzip"', '"v1;cw-gzip"'],
          ['gzip', 'W/"v1;cw-gzip"', '"v1;cw-gzip"'],
          ['gzip', '"v1"', '"v1"'],
          ['gzip, br', '"v1;cw-gzip"', '"v1;cw-gzip"'],
          // Never made here: another process may have.
          ['zstd', '"v1;cw-zstd"', '"v1;cw-zstd"'],
          ['identity', '"x", "v1"', '"v1"'],
          ['gzip', '*', '"v1;cw-gzip"'],
        ] as const) {
          const answer = await inCoding(site, '/strong', coding, { 'If-None-Match': tags })
          const { status, body, header } = answer
          expect([status, header('etag'), body.length, header('vary')], tags).to.deep.equal([
            304,
            told,
            0,
            'Accept-Encoding',
          ])
          for (const name of ['content-encoding', 'content-length', 'content-type'])
            expect(header(name), name).to.equal(undefined)
        }
        const since = await inCoding(site, '/strong', 'br', { 'If-Modified-Since': MODIFIED })
        expect([since.status, since.header('etag')]).to.deep.equal([304, '"v1;cw-br"'])
        for (const [coding, tags] of [
          ['br', '"v1;cw-gzip"'],
          ['identity', '"v1;cw-gzip"'],
          ['gzip', '"v2;cw-gzip"'],
          ['gzip', '"v1;cw-x"'],
        ] as const) {
          const answer = await inCoding(site, '/strong', coding, { 'If-None-Match': tags })
          expect(answer.status, tags).to.equal(200)
          expect(decoded(answer).equals(BYTES)).to.equal(true)
        }
        expect(calls).to.equal(1)
      })

      it('cuts ranges from the content as it is, whatever the client takes (RNG-16)', async () => {
        const site = await start()
        await warm(site, '/strong')
        for (const condition of [{}, { 'If-Range': '"v1"' }]) {
          const part = await inCoding(site, '/strong', 'gzip', { Range: 'bytes=5-8', ...condition })
          const { status, text: got, header } = part
          expect([status, got, header('content-range')]).to.deep.equal([206, 'that', `bytes 5-8/${BYTES.length}`])
          expect([header('content-encoding'), header('etag'), header('vary')]).to.deep.equal([
            undefined,
            '"v1"',
            'Accept-Encoding',
          ])
        }
        const several = await inCoding(site, '/strong', 'gzip', { Range: 'bytes=0-3,10-13' })
        expect([several.status, several.header('etag')]).to.deep.equal([206, '"v1"'])
        // RNG-7: it has a part of something else.
        const other = await inCoding(site, '/strong', 'gzip', { Range: 'bytes=5-8', 'If-Range': '"v1;cw-gzip"' })
        expect([other.status, decoded(other).equals(BYTES)]).to.deep.equal([200, true])
        const held = await inCoding(site, '/strong', 'gzip', { Range: 'bytes=5-8', 'If-None-Match': '"v1;cw-gzip"' })
        expect([held.status, held.header('etag')]).to.deep.equal([304, '"v1;cw-gzip"'])
      })

      it('says of HEAD what is true of GET', async () => {
        const site = await start()
        const cold = await site.send({ method: 'HEAD', path: '/strong', headers: { 'Accept-Encoding': 'gzip' } })
        expect(cold.header('vary')).to.equal('Accept-Encoding')
        await warm(site, '/strong')
        for (const coding of ['identity', ...AVAILABLE_CODINGS]) {
          const get = await inCoding(site, '/strong', coding)
          const head = await site.send({ method: 'HEAD', path: '/strong', headers: { 'Accept-Encoding': coding } })
          expect([head.status, head.body.length]).to.deep.equal([200, 0])
          for (const name of ['content-encoding', 'content-length', 'etag', 'vary', 'content-type', 'accept-ranges'])
            expect(head.header(name), `${coding}, ${name}`).to.equal(get.header(name))
        }
      })

      it('codes the answer to a QUERY', async () => {
        const site = await start()
        const shape = { method: 'QUERY', body: '{"q":1}' }
        const ask = (coding?: string): Promise<Answer> =>
          site.send({
            ...shape,
            path: '/strong',
            headers: {
              'Content-Type': 'application/json',
              ...(coding === undefined ? {} : { 'Accept-Encoding': coding }),
            },
          })
        await ask()
        for (const coding of AVAILABLE_CODINGS) {
          await ask(coding)
          await made()
        }
        for (const coding of AVAILABLE_CODINGS) {
          const answer = await ask(coding)
          expect([answer.header('content-encoding'), decoded(answer).equals(BYTES)]).to.deep.equal([coding, true])
        }
        expect(calls).to.equal(1)
      })

      it('gives the handler its own tags, and the log what the client sent', async () => {
        const logged: unknown[] = []
        const log: Handler = (req, res, next) => {
          res.once('finish', () => logged.push([req.headers['if-match'], req.rawHeaders.includes('"v1;cw-gzip"')]))
          next()
        }
        const site = await start({ below: [log] })
        await warm(site, '/strong')
        const put = await site.send({ method: 'PUT', path: '/strong', headers: { 'If-Match': '"v1;cw-gzip"' } })
        expect([put.status, seen['if-match']]).to.deep.equal([204, '"v1"'])
        expect(seenLines[seenLines.indexOf('If-Match') + 1]).to.equal('"v1"')
        const get = await inCoding(site, '/strong', 'gzip', { 'If-Match': '"v1;cw-gzip"', 'If-None-Match': '"x"' })
        expect([get.status, seen['if-match'], seen['if-none-match']]).to.deep.equal([200, '"v1"', '"x"'])
        await until(() => logged.length === 3)
        expect(logged.slice(1)).to.deep.equal([
          ['"v1;cw-gzip"', true],
          ['"v1;cw-gzip"', true],
        ])
        const lost = await site.send({ method: 'PUT', path: '/strong', headers: { 'If-Match': '"v0;cw-gzip"' } })
        expect(lost.status).to.equal(412)
      })

      it('knows what a client holds also where nothing is stored, or what is stored is stale', async () => {
        const site = await start()
        const holding = { 'If-None-Match': '"v1;cw-gzip"' }
        for (const turn of ['cold', 'hit', 'stale']) {
          if (turn === 'stale') bench.clock.advance(90_000)
          const answer = await inCoding(site, '/strong', 'gzip', holding)
          expect([answer.status, answer.header('etag')], turn).to.deep.equal([304, '"v1;cw-gzip"'])
          expect(answer.header('vary'), turn).to.equal('Accept-Encoding')
        }
        // Whoever wants nothing kept asks the handler itself.
        const unkept = await inCoding(site, '/strong?other', 'gzip', { ...holding, 'Cache-Control': 'no-store' })
        expect([unkept.status, unkept.header('etag'), seen['if-none-match']]).to.deep.equal([
          304,
          '"v1;cw-gzip"',
          '"v1"',
        ])
        text = TEXT.toUpperCase()
        bench.clock.advance(90_000)
        const changed = await inCoding(site, '/strong', 'gzip', holding)
        expect([changed.status, changed.header('etag'), changed.text]).to.deep.equal([200, '"v2"', text])
      })

      it('keeps the codings where a new answer has the same bytes', async () => {
        const deaf: Handler = (req, _res, next) => {
          delete req.headers['if-none-match']
          next()
        }
        const site = await start({ below: [deaf] })
        await warm(site, '/strong')
        bench.clock.advance(90_000)
        const work = await zlibWork(async () => {
          expect((await inCoding(site, '/strong', 'gzip')).status).to.equal(200)
          for (const coding of AVAILABLE_CODINGS) {
            const answer = await inCoding(site, '/strong', coding)
            expect([isHit(answer), answer.header('content-encoding')]).to.deep.equal([true, coding])
          }
        })
        expect([work, calls]).to.deep.equal([0, 2])
      })

      it('believes a handler that speaks of what the client alone holds (VAL-13)', async () => {
        const site = await start({
          below: [
            (req, res, next) => {
              if (req.headers['if-none-match'] === undefined) return next()
              calls++
              res.writeHead(304, { ETag: '"v2"' }).end()
            },
          ] satisfies Handler[],
        })
        await warm(site, '/strong')
        bench.clock.advance(90_000)
        const answer = await inCoding(site, '/strong', 'gzip', { 'If-None-Match': '"v2;cw-gzip"' })
        expect([answer.status, answer.header('etag'), calls]).to.deep.equal([304, '"v2;cw-gzip"', 2])
      })

      it('codes what is kept for a group of people, and what a route keeps by itself', async () => {
        const scoped = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers['x-group']) })
        const alone = cacheRoute({ cache: bench.cache, ttl: '1m' })
        for (const listener of [mount({ below: [scoped] }), makeListener(framework, [alone], answering)]) {
          const site = await openSite(listener)
          for (let turn = 0; turn < 2; turn++) {
            await inCoding(site, '/strong', 'gzip', { 'X-Group': 'a' })
            await made()
          }
          const answer = await inCoding(site, '/strong', 'gzip', { 'X-Group': 'a' })
          expect([answer.header('etag'), decoded(answer).equals(BYTES)]).to.deep.equal(['"v1;cw-gzip"', true])
        }
      })

      it("offers them in profile 'rfc', too, where they are asked for", async () => {
        const site = await start({ options: { profile: 'rfc', encodings: ['gzip'] } })
        await warm(site, '/strong')
        const answer = await inCoding(site, '/strong', 'br, gzip')
        expect([answer.header('content-encoding'), answer.header('vary')]).to.deep.equal(['gzip', 'Accept-Encoding'])
      })

      it('keeps the codings of what the handler confirms, and drops those of what it replaces', async () => {
        const site = await start()
        await warm(site, '/strong')
        bench.clock.advance(90_000)
        const work = await zlibWork(async () => {
          const answer = await inCoding(site, '/strong', 'gzip')
          expect(bench.outcomes.at(-1)?.outcome.rule).to.equal('DV-1')
          expect(answer.header('content-encoding')).to.equal('gzip')
          expect((await inCoding(site, '/strong', 'br')).header('content-encoding')).to.equal('br')
        })
        expect(work).to.equal(0)
        text = TEXT.toUpperCase()
        await site.send({ method: 'PUT', path: '/strong', headers: { 'If-Match': '"v2"' } })
        for (const coding of ['identity', ...AVAILABLE_CODINGS]) {
          const answer = await inCoding(site, '/strong', coding)
          expect(decoded(answer).toString()).to.equal(text)
        }
        await made()
        const answer = await inCoding(site, '/strong', 'br')
        expect([answer.header('etag'), decoded(answer).toString()]).to.deep.equal(['"v2;cw-br"', text])
      })

      it('leaves it to the outermost cache', async () => {
        const inner = cacheMiddleware({ cache: bench.cache, encodings: false })
        const site = await start({ below: [inner] })
        await warm(site, '/strong')
        expect((await inCoding(site, '/strong', 'gzip')).header('content-encoding')).to.equal('gzip')
        const outer = await start({
          options: { encodings: false, mount: 'other' },
          below: [cacheMiddleware({ cache: bench.cache })],
        })
        await warm(outer, '/strong')
        expect((await inCoding(outer, '/strong', 'gzip')).header('content-encoding')).to.equal(undefined)
      })

      it('does not take the place of a Vary that others set above', async () => {
        const site = await start({ above: [cors({ origin: ['https://a.example', 'https://b.example'] })] })
        await warm(site, '/strong')
        for (const coding of ['gzip', 'identity']) {
          for (const headers of [{}, { 'If-None-Match': '"v1"' }, { Range: 'bytes=0-3' }]) {
            const answer = await inCoding(site, '/strong', coding, { Origin: 'https://a.example', ...headers })
            expect(answer.header('vary'), `${coding} ${answer.status}`).to.equal('Origin, Accept-Encoding')
          }
        }
      })

      for (const where of ['above', 'below'] as const) {
        it(`lets everybody read with compression ${where} the cache`, async () => {
          const site = await start({ [where]: [compression()] })
          for (const path of ['/strong', '/weak', '/pieces', '/small', '/no-transform', '/negotiated']) {
            const expected = path === '/small' ? TEXT.slice(0, 900) : TEXT
            for (const turn of ['miss', 'hit', 'coded']) {
              for (const coding of ['gzip', 'br', 'identity', 'br;q=0.5, gzip']) {
                const answer = await inCoding(site, path, coding)
                const title = `${turn} of ${path} in ${coding}`
                expect(answer.status, title).to.equal(200)
                expect(decoded(answer).toString(), title).to.equal(expected)
                expect(answer.lines('content-encoding').length, title).to.be.below(2)
                if (path !== '/no-transform')
                  expect(answer.header('vary')?.toLowerCase(), title).to.equal('accept-encoding')
              }
              await made()
            }
          }
          if (where === 'above') {
            expect(await zlibWork(() => inCoding(site, '/strong', 'gzip'))).to.equal(0)
            expect((await inCoding(site, '/strong', 'gzip')).header('etag')).to.equal('"v1;cw-gzip"')
          }
        })
      }

      it('takes its word back from a head that could not be written', async () => {
        const failing: Handler = (req, res, next) => {
          if (req.url !== '/failing') return next()
          res.setHeader('Content-Type', 'text/plain')
          try {
            res.writeHead(200, 'not\npossible')
            return res.end(TEXT)
          } catch {
            res.statusMessage = ''
            res.setHeader('Content-Type', 'image/png')
            return res.writeHead(200).end(TEXT)
          }
        }
        const site = await start({ below: [failing] })
        for (let turn = 0; turn < 2; turn++) {
          const answer = await inCoding(site, '/failing', 'gzip')
          expect([answer.text, answer.header('vary')]).to.deep.equal([TEXT, undefined])
        }
      })

      if (framework === 'Connect' || framework === 'node:http') {
        it('speaks HTTP/2', async () => {
          const server = createHttp2Server(mount({}) as never)
          await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
          const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
          const ask = async (
            headers: Readonly<Record<string, string>>,
          ): Promise<Pick<Answer, 'status' | 'body' | 'header'>> => {
            const stream = session.request({ ':path': '/strong', ...headers })
            let fields: Readonly<Record<string, unknown>> = {}
            stream.on('response', (head) => (fields = head))
            const body = Buffer.concat(await stream.toArray())
            const header = (name: string): string | undefined => fields[name]?.toString()
            return { status: Number(fields[':status']), body, header }
          }
          try {
            await ask({})
            for (const coding of AVAILABLE_CODINGS) {
              await ask({ 'accept-encoding': coding })
              await made()
            }
            for (const coding of AVAILABLE_CODINGS) {
              const { status, header, body } = await ask({ 'accept-encoding': coding })
              expect([status, header('content-encoding'), header('vary')]).to.deep.equal([
                200,
                coding,
                'Accept-Encoding',
              ])
              expect(decoded({ header, body }).equals(BYTES)).to.equal(true)
              const etag = header('etag') ?? ''
              const held = await ask({ 'accept-encoding': coding, 'if-none-match': etag })
              expect([held.status, held.header('etag')]).to.deep.equal([304, etag])
            }
            const put = await ask({ ':method': 'PUT', 'if-match': '"v1;cw-gzip"' })
            expect([put.status, seen['if-match']]).to.deep.equal([204, '"v1"'])
          } finally {
            session.destroy()
            server.close()
          }
        })
      }
    })
  }
}
