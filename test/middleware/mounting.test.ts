import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { expect } from 'chai'
import compression from 'compression'
import cors, { type CorsOptions } from 'cors'
import express5 from 'express'
import express4 from 'express-4'
import session from 'express-session'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { EXPRESSES, FRAMEWORKS, type Framework, type Handler, makeListener } from '../support/app.ts'
import type { Answer } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

/** Where a neighbour stands in relation to the cache. */
const PLACES = ['above the cache', 'below the cache', 'behind withCache'] as const
type Place = (typeof PLACES)[number]

const PROFILES = ['safe', 'rfc'] as const

/** What a profile decides does not hang on the framework: two of them show it. */
function profilesOn(framework: Framework): readonly (typeof PROFILES)[number][] {
  return framework === 'Express 5' || framework === 'node:http' ? PROFILES : ['safe']
}

interface Layout {
  readonly framework: Framework
  readonly place: Place
  readonly options: CacheMiddlewareOptions
  readonly neighbours: readonly Handler[]
  readonly handler: Handler
}

/** An application with these neighbours on this side of its cache. */
function mount({ framework, place, options, neighbours, handler }: Layout): RequestListener {
  switch (place) {
    case 'above the cache':
      return makeListener(framework, [...neighbours, cacheMiddleware(options)], handler)
    case 'below the cache':
      return makeListener(framework, [cacheMiddleware(options), ...neighbours], handler)
    case 'behind withCache':
      return withCache(makeListener(framework, neighbours, handler), options)
  }
}

/** What sessions and body parsers add to a request. */
type WithParts = IncomingMessage & { session?: { user?: string }; body?: { user?: string } }

/** Connect prints what nobody handles: no more than a line of it. */
const broken = Object.assign(new Error('broken'), { stack: 'Error: broken' })

const TEXT = 'text that can be compressed '.repeat(100)

/** What a client makes of a body. */
function decoded({ body, header }: Answer): string {
  switch (header('content-encoding')) {
    case undefined:
      return body.toString()
    case 'gzip':
      return gunzipSync(body).toString()
    case 'br':
      return brotliDecompressSync(body).toString()
    case 'deflate':
      return inflateSync(body).toString()
    default:
      throw new Error(`No client understands ${header('content-encoding')}`)
  }
}

/** The field names in `Vary`, lower-case and sorted. */
function variesBy(answer: Answer): string[] {
  const names = (answer.header('vary') ?? '').split(',').map((name) => name.trim().toLowerCase())
  return names.filter((name) => name !== '').sort()
}

function isHit(answer: Answer): boolean {
  return answer.header('cache-status')?.startsWith('cachewell; hit') === true
}

/** The parts of a 206, one or several: where each begins, and its bytes. */
function partsOf({
  body,
  header,
}: Answer): readonly { readonly start: number; readonly total: number; readonly bytes: Buffer }[] {
  const boundary = /boundary=(\w+)/.exec(header('content-type') ?? '')?.[1]
  const texts =
    boundary === undefined
      ? [`Content-Range: ${header('content-range')}\r\n\r\n${body.toString('latin1')}`]
      : `\r\n${body.toString('latin1')}`.split(`\r\n--${boundary}`).slice(1, -1)
  return texts.map((text) => {
    const head = text.slice(0, text.indexOf('\r\n\r\n'))
    const [, start, end, total] = /Content-Range: bytes (\d+)-(\d+)\/(\d+)/.exec(head) ?? []
    const bytes = Buffer.from(text.slice(head.length + 4), 'latin1')
    expect(bytes, 'length of a part').to.have.length(Number(end) - Number(start) + 1)
    return { start: Number(start), total: Number(total), bytes }
  })
}

for (const framework of FRAMEWORKS) {
  for (const place of PLACES) {
    for (const profile of profilesOn(framework)) {
      describe(`${place}, profile ${profile}, on ${framework}`, () => {
        let bench: Bench
        /** How often the handler ran. */
        let calls: number

        beforeEach(() => {
          bench = makeBench()
          calls = 0
        })
        afterEach(closeSites)

        function start(
          neighbours: readonly unknown[],
          answering: Handler,
          options: CacheMiddlewareOptions = {},
        ): Promise<Site> {
          const handler: Handler = (req, res, next) => {
            calls++
            return answering(req, res, next)
          }
          const all = { cache: bench.cache, profile, headers: 'standard', ...options } as const
          return openSite(mount({ framework, place, options: all, neighbours: neighbours as Handler[], handler }))
        }

        // What the cache codes itself comes by and by: with compression below nothing, above all that it has stored.
        const isCoding = place === 'above the cache' && profile === 'safe'
        for (const encodings of isCoding ? ([undefined, false] as const) : ([undefined] as const)) {
          context(`compression()${encodings === false ? ', the cache coding nothing' : ''}`, () => {
            const compress = compression({ threshold: 0 })
            /** What a client says it reads, and what it may be sent. */
            const CODINGS: Readonly<Record<string, readonly string[]>> = {
              gzip: ['gzip'],
              br: ['br'],
              deflate: ['deflate'],
              identity: ['identity'],
              'br, gzip;q=0': ['br'],
            }
            let failing: boolean
            beforeEach(() => {
              failing = false
            })

            /** Text with a strong tag, by length or in pieces; answers its own condition, as Express does. */
            const paged: Handler = (req, res) => {
              if (failing) {
                res.statusCode = 500
                res.setHeader('Content-Type', 'text/html')
                res.end(`<p>${'broken '.repeat(300)}</p>`)
                return
              }
              res.setHeader('Content-Type', 'text/plain')
              res.setHeader('Cache-Control', 'max-age=60, stale-if-error=600')
              res.setHeader('ETag', '"v1"')
              if (req.headers['if-none-match'] === '"v1"') {
                res.statusCode = 304
                res.removeHeader('Content-Type')
                res.end()
              } else if (req.url === '/pieces') {
                res.write(TEXT.slice(0, 100))
                setImmediate(() => res.end(TEXT.slice(100)))
              } else {
                res.setHeader('Content-Length', TEXT.length)
                res.end(TEXT)
              }
            }

            const startCompressing = (answering: Handler): Promise<Site> =>
              start([compress], answering, encodings === undefined ? {} : { encodings })

            const inCoding = (site: Site, path: string, coding: string, headers = {}): Promise<Answer> =>
              site.get(path, { 'Accept-Encoding': coding, ...headers })

            /** The handler's tag, or that of the cache's own coding. */
            function tagsOf(answer: Answer): readonly string[] {
              const ours = `"v1;cw-${answer.header('content-encoding')}"`
              return isCoding && encodings === undefined ? ['"v1"', ours] : ['"v1"']
            }

            /** A whole that the client can read, with its tag. */
            function expectWhole(answer: Answer, coding: string): void {
              expect(answer.status, coding).to.equal(200)
              expect(answer.header('etag'), coding).to.be.oneOf(tagsOf(answer))
              expect(answer.header('content-encoding') ?? 'identity', coding).to.be.oneOf(CODINGS[coding] ?? [])
              expect(decoded(answer), coding).to.equal(TEXT)
              expect(variesBy(answer), coding).to.deep.equal(['accept-encoding'])
            }

            /** A part of what this client would get whole, or the whole. */
            function expectPartOf(whole: Answer, answer: Answer, coding: string): void {
              if (answer.status !== 206) return expectWhole(answer, coding)
              expect(answer.header('content-encoding'), coding).to.equal(whole.header('content-encoding'))
              for (const { start, total, bytes } of partsOf(answer)) {
                expect(total, coding).to.equal(whole.body.length)
                expect(bytes.equals(whole.body.subarray(start, start + bytes.length)), coding).to.equal(true)
              }
            }

            for (const path of ['/length', '/pieces']) {
              it(`lets everybody read ${path}, the first time and from memory (CMP-1)`, async () => {
                const site = await startCompressing(paged)
                for (const turn of ['miss', 'hit']) {
                  for (const coding of Object.keys(CODINGS)) {
                    const answer = await inCoding(site, path, coding)
                    expectWhole(answer, coding)
                    if (turn === 'hit') expect(isHit(answer), coding).to.equal(true)
                  }
                  const none = await site.get(path)
                  expect([none.header('content-encoding'), none.text]).to.deep.equal([undefined, TEXT])
                }
                expect(calls).to.equal(place === 'above the cache' ? 1 : 6)
              })

              it(`answers 304 for ${path} in every coding, cold and from memory (CMP-5)`, async () => {
                const site = await startCompressing(paged)
                for (const turn of ['cold', 'hit']) {
                  for (const coding of ['gzip', 'br', 'identity']) {
                    const answer = await inCoding(site, path, coding, { 'If-None-Match': '"v1"' })
                    expect([answer.status, answer.header('etag'), answer.body.length], turn).to.deep.equal([
                      304,
                      '"v1"',
                      0,
                    ])
                    for (const name of ['content-encoding', 'content-length', 'content-type', 'transfer-encoding'])
                      expect(answer.header(name), `${turn}, ${coding}, ${name}`).to.equal(undefined)
                  }
                }
                for (const coding of ['gzip', 'br', 'identity']) {
                  const answer = await inCoding(site, path, coding)
                  expectWhole(answer, coding)
                  expect(isHit(answer), coding).to.equal(true)
                }
              })
            }

            it('says of HEAD what is true in that coding (CMP-8, MET-4)', async () => {
              const site = await startCompressing(paged)
              const headers = { 'Accept-Encoding': 'gzip' }
              const plain = await inCoding(site, '/length', 'identity')
              let coded: Answer | undefined
              for (const turn of ['cold', 'hit']) {
                const head = await site.send({ method: 'HEAD', path: '/length', headers })
                expect([head.status, head.text], turn).to.deep.equal([200, ''])
                expect(head.header('etag'), turn).to.be.oneOf(tagsOf(head))
                if (head.header('etag') !== '"v1"') coded = await site.get('/length', headers)
                const whole = head.header('content-encoding') === undefined ? plain : coded
                const length = head.header('content-length')
                if (length !== undefined) expect(length, turn).to.equal(String(whole?.body.length))
                coded = await site.get('/length', headers)
              }
              expect(decoded(await site.get('/length', headers))).to.equal(TEXT)
            })

            it('is validated in every coding (VRY-17, TV-82)', async () => {
              const site = await startCompressing(paged)
              const codings = ['gzip', 'br', 'identity']
              for (const coding of codings) await inCoding(site, '/length', coding)
              bench.clock.advance(90_000)
              for (const coding of codings) {
                expectWhole(await inCoding(site, '/length', coding), coding)
                const hit = await inCoding(site, '/length', coding)
                expectWhole(hit, coding)
                expect(isHit(hit), coding).to.equal(true)
              }
              const { outcome } = bench.outcomes.find((event) => event.outcome.forwardStatus === 304) ?? {}
              expect(outcome?.rule).to.equal('DV-1')
            })

            for (const [path, coding, ranged] of [
              ['/length', 'gzip', { Range: 'bytes=5-' }],
              ['/pieces', 'gzip', { Range: 'bytes=0-1199,1400-2600' }],
              ['/length', 'gzip', { Range: 'bytes=1-9', 'If-Range': '"v1"' }],
              ['/length', 'identity', { Range: 'bytes=1-9', 'If-Range': '"v1"' }],
            ] as const) {
              const title = `${Object.values(ranged).join(' if ')} of ${path} in ${coding}`
              it(`never sends a part that has been coded for ${title} (CMP-4, RNG-16, RNG-23)`, async () => {
                const site = await startCompressing(paged)
                const cold = await inCoding(site, path, coding, ranged)
                const whole = await inCoding(site, path, coding)
                expectWhole(whole, coding)
                expectPartOf(whole, cold, coding)
                expectPartOf(whole, await inCoding(site, path, coding, ranged), coding)
                bench.clock.advance(90_000)
                expectPartOf(whole, await inCoding(site, path, coding, ranged), coding)
                bench.clock.advance(90_000)
                failing = true
                const spare = await inCoding(site, path, coding, ranged)
                expect(bench.outcomes.at(-1)?.outcome.detail).to.equal('stale-if-error')
                expectPartOf(whole, spare, coding)
              })
            }

            it('leaves alone what says no-transform, ranges included (CMP-6)', async () => {
              const site = await startCompressing((_req, res) => {
                res.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'max-age=60, no-transform' })
                res.end(TEXT)
              })
              for (let turn = 0; turn < 2; turn++) {
                const whole = await inCoding(site, '/a', 'gzip')
                expect([whole.header('content-encoding'), whole.text]).to.deep.equal([undefined, TEXT])
                const part = await inCoding(site, '/a', 'gzip', { Range: 'bytes=0-3' })
                expect([part.header('content-encoding'), part.text]).to.be.deep.oneOf([
                  [undefined, 'text'],
                  [undefined, TEXT],
                ])
              }
              expect(calls).to.equal(1)
            })

            it('does not take a tag that several codings have for a strong one (MSG-3, CMP-2)', async () => {
              const site = await startCompressing(paged)
              for (const coding of ['gzip', 'identity']) await inCoding(site, '/length', coding)
              for (const coding of ['gzip', 'identity']) {
                const answer = await inCoding(site, '/length', coding, { Range: 'bytes=1-9', 'If-Range': '"v1"' })
                expectWhole(answer, coding)
                expect(isHit(answer)).to.equal(true)
              }
            })

            it('takes a weak tag for every coding, as Express gives one (CMP-2)', async () => {
              const site = await startCompressing((_req, res) => {
                res.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'max-age=60', ETag: 'W/"v1"' })
                res.end(TEXT)
              })
              for (const coding of ['gzip', 'identity', 'br']) {
                const answer = await inCoding(site, '/a', coding)
                expect([decoded(answer), answer.header('etag')]).to.deep.equal([TEXT, 'W/"v1"'])
                expect((await inCoding(site, '/a', coding, { 'If-None-Match': '"v1"' })).status).to.equal(304)
                const part = await inCoding(site, '/a', coding, { Range: 'bytes=0-1', 'If-Range': 'W/"v1"' })
                expect([part.status, decoded(part)]).to.deep.equal([200, TEXT])
              }
            })
          })
        }

        context('cors()', () => {
          const [A, B, EVIL] = ['https://a.example', 'https://b.example', 'https://evil.example']
          const shared: Handler = (_req, res) => {
            res.setHeader('Cache-Control', 'max-age=60')
            res.setHeader('ETag', '"v1"')
            res.end('shared')
          }
          const from = (site: Site, origin: string | undefined, headers = {}): Promise<Answer> =>
            site.get('/a', origin === undefined ? headers : { Origin: origin, ...headers })

          it('allows everybody with *, and keeps one answer for all (COR-4)', async () => {
            const site = await start([cors()], shared)
            for (const origin of [A, undefined, B]) {
              const answer = await from(site, origin)
              expect([answer.text, answer.lines('access-control-allow-origin')]).to.deep.equal(['shared', ['*']])
              expect(variesBy(answer)).to.deep.equal([])
              const same = await from(site, origin, { 'If-None-Match': '"v1"' })
              expect([same.status, same.lines('access-control-allow-origin')]).to.deep.equal([304, ['*']])
            }
            expect(calls).to.equal(1)
          })

          const echoes: Readonly<Record<string, CorsOptions['origin']>> = {
            true: true,
            'a function': (_origin, tell) => tell(null, true),
          }
          for (const [name, origin] of Object.entries(echoes)) {
            it(`allows each their own origin with ${name}, from memory too (COR-2, COR-3, CON-14)`, async () => {
              const site = await start([cors({ origin, credentials: true })], shared)
              for (const turn of ['miss', 'hit'])
                for (const own of [A, undefined, B]) {
                  const [whole, same] = [await from(site, own), await from(site, own, { 'If-None-Match': '"v1"' })]
                  expect([whole.status, whole.text, same.status]).to.deep.equal([200, 'shared', 304])
                  for (const answer of [whole, same]) {
                    expect(answer.lines('access-control-allow-origin')).to.deep.equal(own === undefined ? [] : [own])
                    expect(answer.lines('access-control-allow-credentials')).to.deep.equal(['true'])
                    expect(variesBy(answer)).to.deep.equal(['origin'])
                  }
                  if (turn === 'hit') expect(isHit(whole)).to.equal(true)
                }
              expect(calls).to.equal(3)
            })
          }

          it('allows nobody the origin of another where a function chooses', async () => {
            const origin: CorsOptions['origin'] = (asking, tell) => tell(null, asking === A || asking === B)
            const site = await start([cors({ origin })], shared)
            for (let turn = 0; turn < 2; turn++)
              for (const own of [A, B, EVIL]) {
                const answer = await from(site, own)
                const wanted = own === EVIL ? [] : [own]
                expect([answer.text, answer.lines('access-control-allow-origin')]).to.deep.equal(['shared', wanted])
              }
          })

          it('answers each preflight by itself (COR-1, XPR-15)', async () => {
            const site = await start([cors({ origin: true, maxAge: 600 })], shared)
            for (const own of [A, B, A]) {
              const headers = { Origin: own, 'Access-Control-Request-Method': 'PUT' }
              const answer = await site.send({ method: 'OPTIONS', path: '/a', headers })
              expect([answer.status, answer.header('access-control-allow-origin')]).to.deep.equal([204, own])
            }
            expect(bench.cache.stats().stats.keyCount).to.equal(0)
            expect((await from(site, A)).text).to.equal('shared')
          })

          it('keeps no origin that is echoed without Vary in safe, and warns once (COR-2, TV-108)', async () => {
            const careless: Handler = (req, res, next) => {
              if (req.headers.origin !== undefined) res.setHeader('Access-Control-Allow-Origin', req.headers.origin)
              next()
            }
            const site = await start([careless], shared)
            for (const own of [A, B, A]) {
              const answer = await from(site, own)
              if (profile === 'safe' || place === 'above the cache')
                expect(answer.lines('access-control-allow-origin')).to.deep.equal([own])
            }
            expect(calls).to.equal(profile === 'safe' ? 3 : 1)
            expect(bench.warnings.filter((warning) => warning.includes('Vary'))).to.have.length(
              profile === 'safe' ? 1 : 0,
            )
          })
        })

        context('express-session', () => {
          const makeSession = (options: Partial<session.SessionOptions>): unknown =>
            session({ secret: 'for tests', resave: false, saveUninitialized: false, ...options })

          /** `/login` makes a session, `/me` says whose it is, `/page` is for everyone. */
          const answering: Handler = (req, res) => {
            const { session: own } = req as WithParts
            const url = new URL(req.url ?? '', 'http://shop.example')
            if (url.pathname === '/login' && own !== undefined) own.user = url.searchParams.get('user') ?? ''
            if (url.pathname === '/page') res.setHeader('Cache-Control', 'public, max-age=60')
            if (url.pathname === '/covered') res.setHeader('Cache-Control', 'public, max-age=60, no-cache="Set-Cookie"')
            res.setHeader('Content-Type', 'text/plain')
            res.end(url.pathname === '/me' ? (own?.user ?? 'nobody') : 'page')
          }

          /** Browsers that keep their cookie; nobody may ever be given that of another. */
          function visitors(site: Site): { visit(who: string, path: string, method?: string): Promise<Answer> } {
            const jar = new Map<string, string>()
            const owners = new Map<string, string>()
            return {
              visit: async (who, path, method = 'GET') => {
                const cookie = jar.get(who)
                const answer = await site.send({
                  method,
                  path,
                  headers: cookie === undefined ? {} : { Cookie: cookie },
                })
                for (const line of answer.lines('set-cookie')) {
                  const given = line.split(';', 1)[0] ?? ''
                  expect(owners.get(given) ?? who, `${method} ${path} of ${who}`).to.equal(who)
                  owners.set(given, who)
                  jar.set(who, given)
                }
                return answer
              },
            }
          }

          const kinds: Readonly<Record<string, Partial<session.SessionOptions>>> = {
            'saved when used': { saveUninitialized: false },
            'saved for everyone': { saveUninitialized: true },
            rolling: { rolling: true, cookie: { maxAge: 60_000 } },
          }
          for (const [name, options] of Object.entries(kinds)) {
            it(`gives everybody their own cookie and name with sessions ${name} (CKI-2, CKI-3, XPR-17)`, async () => {
              const site = await start([makeSession(options)], answering, { setCookie: false })
              const { visit } = visitors(site)
              await visit('anonymous', '/page')
              for (const user of ['ann', 'bob']) await visit(user, `/login?user=${user}`, 'POST')
              for (let turn = 0; turn < 2; turn++)
                for (const who of ['ann', 'anonymous', 'bob', `new in turn ${turn}`]) {
                  expect((await visit(who, '/me')).text, who).to.equal(['ann', 'bob'].includes(who) ? who : 'nobody')
                  expect((await visit(who, '/page')).text, who).to.equal('page')
                }
            })
          }

          it('keeps what no cookie came with, and shares it with everybody', async () => {
            const site = await start([makeSession({})], answering)
            const { visit } = visitors(site)
            await visit('ann', '/login?user=ann', 'POST')
            calls = 0
            for (const who of ['anonymous', 'ann', 'bob', 'ann']) {
              const answer = await visit(who, '/page')
              expect([answer.text, answer.lines('set-cookie'), isHit(answer)]).to.deep.equal([
                'page',
                [],
                who !== 'anonymous',
              ])
            }
            expect(calls).to.equal(1)
          })

          it('keeps what says that its cookie is apart from it, without the cookie (HDR-6)', async () => {
            const site = await start([makeSession({ saveUninitialized: true })], answering)
            const first = await site.get('/covered')
            expect(first.lines('set-cookie')).to.have.length(1)
            const second = await site.get('/covered')
            expect([second.text, isHit(second), calls]).to.deep.equal(['page', true, 1])
            expect(second.lines('set-cookie')).to.have.length(place === 'above the cache' ? 1 : 0)
            expect(second.lines('set-cookie')).not.to.deep.equal(first.lines('set-cookie'))
          })

          it('keeps a cookie only where rfc says so, and only one that came from below (CKI-2)', async () => {
            const site = await start([makeSession({ saveUninitialized: true })], answering)
            const [first, second] = [await site.get('/page'), await site.get('/page')]
            expect(first.lines('set-cookie')).to.have.length(1)
            const isShared = profile === 'rfc' && place !== 'above the cache'
            expect(String(second.lines('set-cookie')) === String(first.lines('set-cookie'))).to.equal(isShared)
            expect(second.lines('set-cookie')).to.have.length(1)
            expect(isHit(second)).to.equal(profile === 'rfc')
          })
        })

        context('a body parser', () => {
          const { json, text } = framework === 'Express 4' ? (express4 as unknown as typeof express5) : express5
          const echo: Handler = (req, res) => {
            res.setHeader('Cache-Control', 'max-age=60')
            res.end(JSON.stringify({ call: calls, body: (req as { body?: unknown }).body }))
          }
          const asJson = { 'Content-Type': 'application/json' }
          const bodyOf = (answer: Answer): unknown => (JSON.parse(answer.text) as { body?: unknown }).body

          it('finds the content of a POST, by length and in chunks (MET-9)', async () => {
            const site = await start([json(), text()], echo)
            await site.get('/a')
            for (const [wanted, shape] of [
              [{ a: 1 }, { headers: asJson, body: '{"a":1}' }],
              [
                { a: 1 },
                { headers: { ...asJson, 'Transfer-Encoding': 'chunked' }, body: '3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n' },
              ],
              ['x'.repeat(90_000), { headers: { 'Content-Type': 'text/plain' }, body: 'x'.repeat(90_000) }],
            ] as const)
              expect(bodyOf(await site.send({ method: 'POST', path: '/a', ...shape }))).to.deep.equal(wanted)
            expect(JSON.parse((await site.get('/a')).text)).to.include({ call: 5 })
          })

          it('finds the content of each QUERY, whose answers are kept apart by it (QRY-3, QRY-4, TV-103)', async () => {
            const site = await start([json(), text()], echo)
            const query = (body: string, headers: Readonly<Record<string, string>> = asJson): Promise<Answer> =>
              site.send({ method: 'QUERY', path: '/a', headers, body })
            for (const turn of ['miss', 'hit']) {
              for (const body of ['{"a":1}', '{"a": 1}', '{"a":2}']) {
                const answer = await query(body)
                expect(bodyOf(answer), turn).to.deep.equal(JSON.parse(body))
                // What has been read before the cache cannot be part of a key.
                expect(isHit(answer), turn).to.equal(turn === 'hit' && place !== 'above the cache')
              }
              expect(bodyOf(await query('{"a":1}', { 'Content-Type': 'text/plain' })), turn).to.equal('{"a":1}')
            }
            await site.send({ method: 'POST', path: '/a', headers: asJson, body: '{}' })
            const before = calls
            await query('{"a":1}')
            expect(calls).to.equal(before + 1)
          })

          it('finds the content of a GET, which the cache keeps out of (KEY-13, TV-43)', async () => {
            const site = await start([json(), text()], echo)
            await site.get('/a')
            for (const body of ['{"q":1}', '{"q":2}'])
              expect(bodyOf(await site.send({ method: 'GET', path: '/a', headers: asJson, body }))).to.deep.equal(
                JSON.parse(body),
              )
            expect(JSON.parse((await site.get('/a')).text)).to.include({ call: 1 })
          })

          it('refuses what it cannot read, each time, and nothing of that is kept', async () => {
            const site = await start([json()], echo)
            const wrong = { method: 'QUERY', path: '/a', headers: asJson, body: '{"a":' }
            for (let turn = 0; turn < 2; turn++) {
              const answer = await site.send(wrong)
              expect(answer.status).to.equal(framework === 'node:http' ? 500 : 400)
              expect(isHit(answer)).to.equal(false)
            }
            expect(calls).to.equal(0)
            expect(bodyOf(await site.send({ ...wrong, body: '{"a":1}' }))).to.deep.equal({ a: 1 })
          })
        })

        context('when the handler fails', () => {
          const own = { 'Accept-Encoding': 'gzip', Origin: 'https://a.example' }
          let fail: Handler | undefined
          beforeEach(() => {
            fail = undefined
          })
          const answering: Handler = (req, res, next) => {
            res.setHeader('Cache-Control', 'public, max-age=10, stale-if-error=100')
            res.setHeader('Last-Modified', 'Mon, 02 Nov 2026 10:00:00 GMT')
            if (fail !== undefined) return fail(req, res, next)
            res.setHeader('Content-Type', 'text/plain')
            return res.end(TEXT)
          }
          const failures: Readonly<Record<string, Handler>> = {
            throws: () => {
              throw broken
            },
            'calls next with an error': (_req, _res, next) => next(broken),
            'answers 500': (_req, res) => {
              res.writeHead(500, { 'Content-Type': 'text/html', 'X-Error': '1', 'Set-Cookie': 'e=1' })
              res.write('<p>')
              res.end('broken '.repeat(300))
            },
          }

          const neighbours: Readonly<Record<string, () => unknown>> = {
            'compression()': () => compression({ threshold: 0 }),
            'cors()': () => cors({ origin: true }),
            'express-session': () => session({ secret: 'for tests', resave: false, saveUninitialized: false }),
            'express.json()': () => express5.json(),
          }
          for (const [name, make] of Object.entries(neighbours)) {
            for (const [failure, failing] of Object.entries(failures)) {
              it(`that ${failure} is answered for through ${name} (DV-5)`, async () => {
                const site = await start([make()], answering)
                const first = await site.get('/a', own)
                expect(decoded(first)).to.equal(TEXT)
                bench.clock.advance(60_000)
                fail = failing
                const spare = await site.get('/a', own)
                expect([spare.status, spare.reason, decoded(spare)]).to.deep.equal([200, 'OK', TEXT])
                expect(bench.outcomes.at(-1)?.outcome.rule).to.equal('DV-5')
                for (const field of ['access-control-allow-origin', 'content-type', 'content-encoding', 'vary', 'date'])
                  expect(spare.lines(field), field).to.deep.equal(first.lines(field))
                for (const field of ['x-error', 'set-cookie', 'content-security-policy'])
                  expect(spare.header(field), field).to.equal(undefined)
                const since = { ...own, 'If-Modified-Since': 'Mon, 02 Nov 2026 10:00:00 GMT' }
                const same = await site.get('/a', since)
                expect([same.status, same.text]).to.deep.equal([304, ''])
                expect(same.lines('access-control-allow-origin')).to.deep.equal(
                  first.lines('access-control-allow-origin'),
                )
                const head = await site.send({ method: 'HEAD', path: '/a', headers: own })
                expect([head.status, head.text]).to.deep.equal([200, ''])
                expect(calls).to.equal(4)
              })
            }
          }

          // Only these have error handlers.
          if (framework === 'node:http') return
          let handled: number

          /** An error handler inside the cache, or around the application that has one. */
          function startHandled(answerError: (res: ServerResponse) => unknown): Promise<Site> {
            handled = 0
            // Four parameters make it one.
            const onError = (_error: unknown, _req: unknown, res: ServerResponse, _next: unknown): unknown => {
              handled++
              return answerError(res)
            }
            const last = onError as unknown as Handler
            const options = { cache: bench.cache, profile, headers: 'standard' } as const
            const counted: Handler = (req, res, next) => {
              calls++
              return answering(req, res, next)
            }
            switch (place) {
              case 'above the cache': {
                const inner = makeListener(framework, [cacheMiddleware(options)], counted)
                return openSite(makeListener(framework, [inner as Handler], last))
              }
              case 'below the cache':
                return openSite(makeListener(framework, [cacheMiddleware(options), counted], last))
              case 'behind withCache':
                return openSite(withCache(makeListener(framework, [counted], last), options))
            }
          }
          const sorry = (res: ServerResponse): void => {
            res.statusCode = 500
            res.setHeader('Content-Type', 'application/json')
            res.end(JSON.stringify({ sorry: handled }))
          }

          for (const failure of ['throws', 'calls next with an error']) {
            it(`that ${failure} is answered for before an error handler is heard (STA-11)`, async () => {
              const site = await startHandled(sorry)
              await site.get('/a')
              bench.clock.advance(60_000)
              fail = failures[failure]
              const spare = await site.get('/a')
              expect([spare.status, spare.text, spare.header('content-type')]).to.deep.equal([200, TEXT, 'text/plain'])
              expect(handled).to.equal(1)
              bench.clock.advance(60_000)
              expect((await site.get('/a')).text).to.equal('{"sorry":2}')
            })

            it(`that ${failure} is answered by an error handler, anew each time (STC-8, XPR-12, TV-33)`, async () => {
              const site = await startHandled(sorry)
              fail = failures[failure]
              for (const turn of [1, 2]) {
                const answer = await site.get('/a')
                expect([answer.status, answer.text]).to.deep.equal([500, `{"sorry":${turn}}`])
              }
              fail = undefined
              expect((await site.get('/a')).text).to.equal(TEXT)
            })
          }

          it('and an error handler answers 200 instead, that is an answer like any other', async () => {
            const site = await startHandled((res) => res.end('instead'))
            await site.get('/a')
            bench.clock.advance(60_000)
            fail = failures['throws']
            expect((await site.get('/a')).text).to.equal('instead')
            const hit = await site.get('/a')
            expect([hit.text, isHit(hit), handled]).to.deep.equal(['instead', true, 1])
          })
        })
      })
    }
  }

  describe(`neighbours on both sides of the cache on ${framework}`, () => {
    afterEach(closeSites)

    const NEIGHBOURS = {
      compression: () => compression({ threshold: 0 }),
      cors: () => cors({ origin: true }),
      session: () => session({ secret: 'for tests', resave: false, saveUninitialized: false }),
      parser: () => express5.json(),
    } as const
    const names = Object.keys(NEIGHBOURS) as (keyof typeof NEIGHBOURS)[]

    for (let mask = 0; mask < 2 ** names.length; mask++) {
      const above = names.filter((_name, index) => (mask >> index) % 2 === 1)
      const below = names.filter((name) => !above.includes(name))

      // Each of them meets both profiles on one framework or another.
      const profile = PROFILES[(mask + FRAMEWORKS.indexOf(framework)) % 2] ?? 'safe'

      it(`serve everybody what is theirs with ${above.join(', ') || 'none'} above, profile ${profile}`, async () => {
        const { cache } = makeBench()
        let text = TEXT
        const handler: Handler = (req, res) => {
          const { session: own, body } = req as WithParts
          if (req.method === 'POST') {
            if (own !== undefined) own.user = body?.user ?? ''
            text = TEXT.toUpperCase()
            res.statusCode = 204
            return res.end()
          }
          res.setHeader('Content-Type', 'text/plain')
          if (req.url === '/me') return res.end(own?.user ?? 'nobody')
          res.setHeader('Cache-Control', 'public, max-age=60')
          res.setHeader('Last-Modified', 'Mon, 02 Nov 2026 10:00:00 GMT')
          return res.end(text)
        }
        const make = (some: readonly (keyof typeof NEIGHBOURS)[]): Handler[] =>
          some.map((name) => NEIGHBOURS[name]() as unknown as Handler)
        const cached = cacheMiddleware({ cache, profile, headers: 'standard' })
        const site = await openSite(makeListener(framework, [...make(above), cached, ...make(below)], handler))
        const clients = [
          { coding: 'gzip', origin: 'https://a.example' },
          { coding: 'br', origin: 'https://b.example' },
          { coding: 'identity', origin: undefined },
        ]
        const since = { 'If-Modified-Since': 'Mon, 02 Nov 2026 10:00:00 GMT' }
        const cookies = new Map<string, string>()
        for (const visit of ['miss', 'hit']) {
          for (const { coding, origin } of clients) {
            const headers = { 'Accept-Encoding': coding, ...(origin === undefined ? {} : { Origin: origin }) }
            const whole = await site.get('/a', headers)
            const where = `${visit}, ${coding}`
            expect(whole.header('content-encoding') ?? 'identity', where).to.equal(coding)
            expect(decoded(whole) === TEXT, where).to.equal(true)
            expect(whole.header('set-cookie'), where).to.equal(undefined)
            expect(variesBy(whole), where).to.include('origin')
            const same = await site.get('/a', { ...headers, ...since })
            expect([same.status, same.text], where).to.deep.equal([304, ''])
            for (const answer of [whole, same])
              expect(answer.header('access-control-allow-origin'), where).to.equal(origin)
            if (visit === 'hit') expect(isHit(whole), where).to.equal(true)
          }
        }
        for (const user of ['ann', 'bob']) {
          const headers = { 'Content-Type': 'application/json' }
          const login = await site.send({ method: 'POST', path: '/a', headers, body: JSON.stringify({ user }) })
          cookies.set(user, login.header('set-cookie')?.split(';', 1)[0] ?? '')
        }
        expect(decoded(await site.get('/a', { 'Accept-Encoding': 'gzip' })) === TEXT.toUpperCase()).to.equal(true)
        for (const [user, cookie] of cookies) expect((await site.get('/me', { Cookie: cookie })).text).to.equal(user)
        expect((await site.get('/me')).text).to.equal('nobody')
      })
    }
  })
}

for (const framework of EXPRESSES) {
  for (const place of PLACES) {
    for (const profile of PROFILES) {
      describe(`compression() ${place}, profile ${profile}, and what ${framework} sends`, () => {
        afterEach(closeSites)

        it('is validated by the tag that Express gives, in every coding (XPR-5, XPR-6, VAL-4)', async () => {
          const { cache, clock, outcomes } = makeBench()
          const send: Handler = (_req, res) => {
            res.setHeader('Cache-Control', 'max-age=60')
            return (res as unknown as { send(body: string): unknown }).send(TEXT)
          }
          const neighbours = [compression({ threshold: 0 }) as unknown as Handler]
          const options = { cache, profile, headers: 'standard' } as const
          const site = await openSite(mount({ framework, place, options, neighbours, handler: send }))
          const codings = ['gzip', 'br', 'identity'] as const
          const tags = new Set<string | undefined>()
          for (const turn of ['miss', 'validated', 'hit']) {
            for (const coding of codings) {
              const whole = await site.get('/a', { 'Accept-Encoding': coding, 'Cache-Control': 'no-cache' })
              expect([whole.status, whole.header('content-encoding') ?? 'identity'], turn).to.deep.equal([200, coding])
              expect(decoded(whole) === TEXT, turn).to.equal(true)
              const tag = whole.header('etag')
              tags.add(tag)
              const same = await site.get('/a', { 'Accept-Encoding': coding, 'If-None-Match': tag ?? '' })
              expect([same.status, same.header('etag'), same.text], turn).to.deep.equal([304, tag, ''])
            }
            if (turn === 'miss') clock.advance(90_000)
          }
          expect([...tags].map((tag) => tag?.slice(0, 3))).to.deep.equal(['W/"'])
          expect(outcomes.filter(({ outcome }) => outcome.forwardStatus === 304)).not.to.deep.equal([])
        })
      })
    }
  }
}
