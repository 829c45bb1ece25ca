import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import sinon from 'sinon'
import { adminRouter } from '../../middleware/admin/admin.ts'
import { type Listener, withCache } from '../../middleware/front.ts'
import { watch } from '../../middleware/intercept.ts'
import { cachePolicy } from '../../middleware/policy.ts'
import { cacheRoute } from '../../middleware/route.ts'
import type { WithCacheOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import {
  callHttp2,
  closeSpeakers,
  isHttp2,
  isSecure,
  openSpeaker,
  PROTOCOLS,
  type Protocol,
  type Reply,
  type Speaker,
} from '../support/protocols.ts'
import { type Bench, makeBench, until } from '../support/site.ts'

/** What stands behind `withCache`. */
const LISTENERS = [...FRAMEWORKS, 'an async listener'] as const
type Kind = (typeof LISTENERS)[number]

/** Express does not speak HTTP/2. */
function speaks(kind: Kind, protocol: Protocol): boolean {
  return !(isHttp2(protocol) && kind.startsWith('Express'))
}

function listenerOf(kind: Kind, handler: Handler): Listener {
  if (kind !== 'an async listener') return makeListener(kind, [], handler)
  return async (req, res) => {
    await sleep(0)
    await handler(req, res, () => {})
  }
}

/** Connect prints what nobody handles: no more than a line of it. */
const broken = Object.assign(new Error('broken'), { stack: 'Error: broken' })

/** What caches add, and what says how the bytes come. */
const ADDED: ReadonlySet<string> = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
])

/** What the application has said. */
function said({ status, reason, fields, text }: Reply) {
  return {
    status,
    reason,
    text,
    fields: fields
      .filter(([name]) => !ADDED.has(name))
      .map((line) => line.join(': '))
      .sort(),
  }
}

function isHit(reply: Reply): boolean {
  return reply.header('cache-status')?.startsWith('cachewell; hit') === true
}

const TEXT = '0123456789'.repeat(10)

/** Ways of giving one answer. */
const ANSWERS: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
  'fields one by one': (res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.setHeader('X-Custom', 'über')
    res.setHeader('Content-Type', 'text/plain')
    res.end(TEXT)
  },
  'a head at once': (res) => {
    const head = { 'Set-Cookie': ['a=1', 'b=2'], 'X-Custom': 'one', 'Content-Length': TEXT.length }
    res.writeHead(203, head).end(TEXT)
  },
  'a body in pieces': (res) => {
    res.setHeader('X-Custom', 'pieces')
    res.write(TEXT.slice(0, 10))
    setImmediate(() => res.end(TEXT.slice(10)))
  },
  'no body': (res) => res.writeHead(204, { 'X-Custom': 'none' }).end(),
  'a redirection': (res) => res.writeHead(301, { Location: '/b' }).end('moved'),
}

for (const protocol of PROTOCOLS) {
  for (const kind of LISTENERS.filter((one) => speaks(one, protocol))) {
    describe(`withCache over ${protocol} in front of ${kind}`, () => {
      let bench: Bench
      /** How often the handler ran. */
      let calls: number
      beforeEach(() => {
        bench = makeBench()
        calls = 0
      })
      afterEach(closeSpeakers)

      const counting =
        (handler: Handler): Handler =>
        (req, res, next) => {
          calls++
          return handler(req, res, next)
        }
      const start = (handler: Handler, options: WithCacheOptions = {}): Promise<Speaker> => {
        const all: WithCacheOptions = { cache: bench.cache, headers: 'standard', setCookie: true, ...options }
        return openSpeaker(protocol, withCache(listenerOf(kind, counting(handler)), all))
      }
      const startWithout = (handler: Handler): Promise<Speaker> => openSpeaker(protocol, listenerOf(kind, handler))

      for (const [what, answer] of Object.entries(ANSWERS)) {
        it(`repeats ${what} as it is without a cache`, async () => {
          const handler: Handler = (_req, res) => answer(res)
          const [plain, cached] = [await startWithout(handler), await start(handler)]
          const expected = said(await plain.call())
          const [miss, hit] = [await cached.call(), await cached.call()]
          expect([isHit(miss), isHit(hit), calls]).to.deep.equal([false, true, 1])
          expect(said(miss)).to.deep.equal(expected)
          expect(said(hit)).to.deep.equal(expected)
          const head = await cached.call({ method: 'HEAD' })
          expect([isHit(head), said(head)]).to.deep.equal([true, { ...expected, text: '' }])
        })
      }

      it('keeps a reason where the protocol has one', async () => {
        const speaker = await start((_req, res) => {
          if (!isHttp2(protocol)) res.statusMessage = 'Fine'
          res.end('x')
        })
        const reasons = [await speaker.call(), await speaker.call()].map(({ reason }) => reason)
        expect(reasons).to.deep.equal(isHttp2(protocol) ? ['', ''] : ['Fine', 'Fine'])
      })

      it('answers conditions and ranges, on the way and from the store', async () => {
        const speaker = await start((_req, res) => {
          res.setHeader('ETag', '"v1"')
          res.setHeader('Content-Type', 'text/plain')
          res.end(TEXT)
        })
        for (const path of ['/a', '/a', '/b', '/b']) {
          const asked = path === '/a' ? { 'if-none-match': '"v1"' } : { range: 'bytes=2-4' }
          const { status, text, header } = await speaker.call({ path, headers: asked })
          const expected = path === '/a' ? [304, '', undefined] : [206, '234', 'bytes 2-4/100']
          expect([status, text, header('content-range')]).to.deep.equal(expected)
        }
        expect(calls).to.equal(2)
        expect((await speaker.call({ path: '/a' })).text).to.equal(TEXT)
      })

      it('leaves the content of a request to the listener, and lets a write end what is stored', async () => {
        const big = 'content '.repeat(60_000)
        const speaker = await start(async (req, res) => {
          let content = ''
          for await (const chunk of req) content += String(chunk)
          res.end(req.method === 'GET' ? `${calls}` : `${req.method} ${content.length} ${content === big}`)
        })
        expect((await speaker.call()).text).to.equal('1')
        const length = { 'content-length': String(big.length) }
        expect((await speaker.call({ method: 'POST', headers: length, body: big })).text).to.equal('POST 480000 true')
        expect((await speaker.call()).text).to.equal('3')
        expect((await speaker.call({ method: 'PUT', body: big })).text).to.equal('PUT 480000 true')
        expect((await speaker.call()).text).to.equal('5')
        expect((await speaker.call()).text).to.equal('5')
      })

      it('keeps out of a GET with content (KEY-13)', async () => {
        const speaker = await start(async (req, res) => {
          let content = ''
          for await (const chunk of req) content += String(chunk)
          res.end(`[${content}]`)
        })
        for (const body of ['one', 'two']) {
          for (const headers of [{ 'content-length': '3' }, {}]) {
            const chunked =
              isHttp2(protocol) || 'content-length' in headers ? headers : { 'transfer-encoding': 'chunked' }
            const reply = await speaker.call({ body, headers: chunked as Record<string, string> })
            expect([reply.text, isHit(reply)]).to.deep.equal([`[${body}]`, false])
          }
        }
        expect((await speaker.call()).text).to.equal('[]')
      })

      it('tells onHit of each answer that the listener does not see', async () => {
        const hits: unknown[] = []
        const onHit: WithCacheOptions['onHit'] = (req, res, { hit }) =>
          void hits.push([req.method, req.url, res.headersSent, hit])
        const speaker = await start((_req, res) => res.end('x'), { onHit })
        for (const method of ['GET', 'GET', 'HEAD']) await speaker.call({ method, path: '/a?b' })
        expect(hits).to.deep.equal([
          ['GET', '/a?b', false, true],
          ['HEAD', '/a?b', false, true],
        ])
      })

      it('heeds what is said behind it', async () => {
        const speaker = await start((_req, res) => {
          cachePolicy(res).ttl('5m').tag('page')
          res.end(`${calls}`)
        })
        expect((await speaker.call()).header('cache-status')).to.equal('cachewell; fwd=uri-miss; ttl=300; stored')
        expect((await speaker.call()).text).to.equal('1')
        await bench.cache.invalidate({ tags: ['page'] })
        expect((await speaker.call()).text).to.equal('2')
      })

      it('lets a route answer what it keeps for some', async () => {
        const route = cacheRoute({ ttl: '1m', scope: (req) => String(req.headers.cookie) })
        let runs = 0
        const speaker = await start((req, res) => route(req, res, () => res.end(`${++runs} ${TEXT}`)))
        for (let turn = 0; turn < 2; turn++) {
          for (const [index, cookie] of ['a=1', 'a=2'].entries())
            expect((await speaker.call({ headers: { cookie } })).text).to.equal(`${index + 1} ${TEXT}`)
        }
        expect([calls, runs]).to.deep.equal([4, 2])
      })

      it('passes interim answers and trailers on', async () => {
        const speaker = await start((_req, res) => {
          res.writeContinue()
          res.writeEarlyHints({ link: '</style.css>; rel=preload' })
          res.setHeader('Trailer', 'X-Sum')
          res.write('a')
          res.addTrailers({ 'X-Sum': '1' })
          res.end('b')
        })
        const [miss, hit] = [await speaker.call(), await speaker.call()]
        expect([miss.text, miss.interim, { ...miss.trailers }['x-sum']]).to.deep.equal(['ab', [100, 103], '1'])
        expect([hit.text, hit.interim, Object.keys(hit.trailers), isHit(hit)]).to.deep.equal(['ab', [], [], true])
      })

      it('lets the client see each piece as it comes', async () => {
        let finish = (): void => {}
        const speaker = await start((_req, res) => {
          res.write('first')
          finish = () => void res.end('last')
        })
        const answer = speaker.call()
        await until(() => calls === 1)
        await sleep(20)
        expect(bench.outcomes).to.have.length(1)
        finish()
        expect((await answer).text).to.equal('firstlast')
      })

      for (const [failure, fail] of [
        ['an answer of 503', (res: ServerResponse) => void res.writeHead(503).end('broken')],
        ['a destroyed response', (res: ServerResponse) => void res.destroy()],
        [
          'an error',
          () => {
            throw broken
          },
        ],
      ] as const) {
        it(`lets what is stored stand in for ${failure}, whole`, async () => {
          const speaker = await start((_req, res) => {
            if (calls > 1) return fail(res)
            res.setHeader('Cache-Control', 'max-age=10, stale-if-error=100')
            return res.end(TEXT)
          })
          const first = await speaker.call()
          bench.clock.advance(60_000)
          const reply = await speaker.call()
          expect(reply.header('cache-status')).to.match(/^cachewell; fwd=stale; .*detail=stale-if-error/)
          expect(said(reply)).to.deep.equal(said(first))
        })
      }

      it('renews what the listener confirms, and answers with it, whole', async () => {
        const speaker = await start((req, res) => {
          res.setHeader('Cache-Control', 'max-age=10')
          res.setHeader('ETag', '"v1"')
          if (req.headers['if-none-match'] === '"v1"') return res.writeHead(304).end()
          return res.end(TEXT)
        })
        await speaker.call()
        bench.clock.advance(20_000)
        const reply = await speaker.call()
        expect([reply.status, reply.text, reply.header('cache-status')]).to.deep.equal([
          200,
          TEXT,
          'cachewell; fwd=stale; fwd-status=304; ttl=10; stored',
        ])
        expect(isHit(await speaker.call())).to.equal(true)
      })

      it('runs the listener again behind a stale answer', async () => {
        const seen: unknown[] = []
        const speaker = await start((req, res) => {
          seen.push([req.method, req.url, req.headers.host ?? (req as unknown as Http2ServerRequest).authority])
          res.setHeader('Cache-Control', 'max-age=10, stale-while-revalidate=100')
          res.end(`${calls}`)
        })
        await speaker.call({ path: '/a?b' })
        bench.clock.advance(20_000)
        expect((await speaker.call({ path: '/a?b' })).text).to.equal('1')
        await until(() => bench.cache.stats().limits.refreshes.current === 0 && calls === 2)
        const fresh = await speaker.call({ path: '/a?b' })
        expect([fresh.text, isHit(fresh)]).to.deep.equal(['2', true])
        expect(seen).to.deep.equal(Array.from({ length: 2 }, () => ['GET', '/a?b', 'shop.example']))
      })

      it('asks the listener once, however many ask at once', async () => {
        let finish = (): void => {}
        const speaker = await start((_req, res) => {
          finish = () => void res.end(TEXT)
        })
        const answers = Array.from({ length: 8 }, () => speaker.call())
        await until(() => calls === 1)
        await sleep(50)
        finish()
        for (const { text } of await Promise.all(answers)) expect(text).to.equal(TEXT)
        expect(calls).to.equal(1)
      })

      it('stores nothing that was broken off', async () => {
        const speaker = await start((_req, res) => {
          if (calls > 1) return res.end('whole')
          res.setHeader('Content-Type', 'text/plain')
          res.write('half')
          return setTimeout(() => res.destroy(), 20)
        })
        const broken = await speaker.call().then(
          ({ text }) => text,
          () => 'broken',
        )
        // A client of HTTP/2 sees a stream that ends early with an error, or none.
        expect(broken).to.be.oneOf(['broken', 'half'])
        const next = await speaker.call()
        expect([next.text, isHit(next)]).to.deep.equal(['whole', false])
      })

      it('lets the time run out as the listener wants', async () => {
        const speaker = await start((_req, res) => {
          if (calls > 1) return res.end('in time')
          return res.setTimeout(20, () => void res.writeHead(503).end('late'))
        })
        const late = await speaker.call()
        expect([late.status, late.text]).to.deep.equal([503, 'late'])
        expect((await speaker.call()).text).to.equal('in time')
      })

      it('leaves the fields of connections to the server', async () => {
        const speaker = await start((_req, res) => {
          if (!isHttp2(protocol)) res.setHeader('Connection', 'close')
          res.end('x')
        })
        await speaker.call()
        const hit = await speaker.call({ headers: isHttp2(protocol) ? {} : { connection: 'keep-alive' } })
        expect(isHit(hit)).to.equal(true)
        expect(hit.header('connection')).to.equal(isHttp2(protocol) ? undefined : 'keep-alive')
        expect(hit.header('transfer-encoding')).to.equal(undefined)
      })
    })
  }

  describe(`a server of ${protocol} with withCache`, () => {
    let bench: Bench
    let calls: number
    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSpeakers)
    const count: Handler = (_req, res) => res.end(`${++calls}`)
    const start = (): Promise<Speaker> =>
      openSpeaker(protocol, withCache(listenerOf('node:http', count), { cache: bench.cache }))

    it('has its scheme in the key', async () => {
      const speaker = await start()
      await speaker.call({ path: '/a' })
      const scheme = isSecure(protocol) ? 'https' : 'http'
      expect((await speaker.call({ path: '/a' })).header('cache-status')).to.include(`G ${scheme}://shop.example/a"`)
    })

    if (isSecure(protocol)) {
      it('knows a client by its certificate', async () => {
        const speaker = await start()
        const told = async (certified: boolean): Promise<string | undefined> =>
          (await speaker.call({ path: '/a', certified })).header('cache-status')
        expect(await told(true)).to.include('; detail=client-certificate')
        expect(await told(false)).to.match(/^cachewell; fwd=uri-miss; ttl=60; stored/)
        expect(await told(true)).to.match(/^cachewell; fwd=bypass; .*detail=client-certificate/)
        expect(await told(false)).to.match(/^cachewell; hit/)
        expect(calls).to.equal(3)
      })
    }

    it('lets its other events be', async () => {
      const speaker = await start()
      const events: string[] = []
      const { server } = speaker
      server.on('checkContinue', (req: unknown, res: ServerResponse) => {
        events.push('checkContinue')
        res.writeContinue()
        server.emit('request', req, res)
      })
      const expecting = { method: 'POST', headers: { expect: '100-continue' }, body: 'x' }
      const reply = await speaker.call(expecting)
      expect([reply.text, reply.interim]).to.deep.equal(['1', [100]])
      server.on('connect', (_req: unknown, stream: Duplex & Http2ServerResponse) => {
        events.push('connect')
        if (isHttp2(protocol)) stream.end('through')
        else stream.end('HTTP/1.1 200 OK\r\n\r\nthrough')
      })
      if (isHttp2(protocol)) {
        const tunnel = speaker.session().request({ ':method': 'CONNECT', ':authority': 'shop.example:80' })
        expect(Buffer.concat(await tunnel.toArray()).toString()).to.equal('through')
        expect(events).to.deep.equal(['checkContinue', 'connect'])
        return
      }
      const say = async (text: string): Promise<string> => {
        const socket = speaker.socket()
        socket.write(text)
        return Buffer.concat(await socket.toArray()).toString()
      }
      expect(await say('CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example\r\n\r\n')).to.match(/through$/)
      server.on('upgrade', (_req: unknown, socket: Duplex) => {
        events.push('upgrade')
        socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nswitched')
      })
      const upgrade = 'Host: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
      expect(await say(`GET / HTTP/1.1\r\n${upgrade}`)).to.match(/switched$/)
      server.on('clientError', (_error: unknown, socket: Duplex) => {
        events.push('clientError')
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\nnonsense')
      })
      expect(await say('nonsense\r\n\r\n')).to.match(/nonsense$/)
      expect(events).to.deep.equal(['checkContinue', 'connect', 'upgrade', 'clientError'])
    })

    if (isHttp2(protocol)) return

    it('answers on one connection in the order of the questions, and closes it when asked to', async () => {
      const speaker = await start()
      const socket = speaker.socket()
      const question = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n${more}\r\n`
      socket.write(
        ['/a', '/b', '/a', '/b'].map((path) => question(path)).join('') + question('/a', 'Connection: close\r\n'),
      )
      const heads = Buffer.concat(await socket.toArray())
        .toString()
        .split('HTTP/1.1 200 OK')
        .slice(1)
      expect(heads.map((text) => text.at(-1))).to.deep.equal(['1', '2', '1', '2', '1'])
      expect(heads.map((text) => /^connection: (.*)\r$/im.exec(text)?.[1])).to.deep.equal([
        ...Array.from({ length: 4 }, () => 'keep-alive'),
        'close',
      ])
    })
  })
}

for (const protocol of PROTOCOLS.filter(isHttp2)) {
  describe(`withCache over ${protocol} alone`, () => {
    let bench: Bench
    let calls: number
    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSpeakers)
    const start = (
      listener: (req: Http2ServerRequest, res: Http2ServerResponse) => unknown,
      handlerTimeoutMs = 30_000,
    ): Promise<Speaker> =>
      openSpeaker(
        protocol,
        withCache(
          ((req: Http2ServerRequest, res: Http2ServerResponse) => {
            calls++
            return listener(req, res)
          }) as never,
          { cache: bench.cache, headers: 'standard', handlerTimeoutMs },
        ),
      )

    it('tells authorities apart, and keeps out where a Host says another (KEY-5)', async () => {
      const speaker = await start((req, res) => res.end(`${req.authority} ${req.headers.host}`))
      const ask = (authority: string, host?: string): Promise<Reply> =>
        speaker.call({ headers: { ':authority': authority, ...(host === undefined ? {} : { host }) } })
      for (const name of ['one.example', 'two.example']) {
        for (let turn = 0; turn < 2; turn++) expect((await ask(name)).text).to.equal(`${name} undefined`)
      }
      expect(calls).to.equal(2)
      for (const [authority, host] of [
        ['evil.example', 'one.example'],
        ['one.example', 'evil.example'],
      ] as const) {
        const reply = await ask(authority, host)
        expect([reply.text, isHit(reply)]).to.deep.equal([`${authority} ${host}`, false])
      }
      expect((await ask('one.example')).text).to.equal('one.example undefined')
      expect(isHit(await ask('one.example', 'ONE.example'))).to.equal(true)
    })

    for (const [what, respond] of [
      [
        'answers',
        (res: Http2ServerResponse) => {
          res.stream.respond({ ':status': 200, 'x-by': 'stream' })
          res.stream.end('stream')
        },
      ],
      [
        'answers, and ends the response, too,',
        (res: Http2ServerResponse) => {
          res.stream.respond({ ':status': 200, 'x-by': 'stream' })
          res.stream.write('stream')
          res.end()
        },
      ],
      [
        'begins to answer, and goes on with the response,',
        (res: Http2ServerResponse) => {
          res.stream.respond({ ':status': 200, 'x-by': 'stream' })
          res.write('str')
          res.end('eam')
        },
      ],
      [
        'answers with a file',
        (res: Http2ServerResponse) => {
          res.stream.respondWithFile(new URL('../support/tls/certificate.pem', import.meta.url).pathname, {
            'x-by': 'stream',
          })
        },
      ],
    ] as const) {
      it(`stores nothing of a listener that ${what} by its stream`, async () => {
        const speaker = await start((_req, res) => respond(res))
        const replies = [await speaker.call(), await speaker.call()]
        for (const { status, text, header } of replies) {
          expect([status, header('x-by'), text.length > 5]).to.deep.equal([200, 'stream', true])
        }
        expect(calls).to.equal(2)
        expect(bench.cache.stats().stats.keyCount).to.equal(0)
        expect(bench.outcomes.map(({ outcome }) => [outcome.forward, outcome.stored, outcome.detail])).to.deep.equal(
          Array.from({ length: 2 }, () => ['uri-miss', false, 'stream']),
        )
      })
    }

    it('lets nothing stand in for what a stream has begun to answer', async () => {
      const failures = [
        (res: Http2ServerResponse) => res.destroy(),
        (res: Http2ServerResponse) => setTimeout(() => res.stream.end('stream'), 50),
        (res: Http2ServerResponse) => {
          res.stream.end('stream')
          throw broken
        },
      ]
      const seen: unknown[] = []
      const kept = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.on('uncaughtException', (error) => seen.push(error))
      try {
        const speaker = await start((_req, res) => {
          const fail = failures[calls - 2]
          if (fail === undefined) {
            res.setHeader('Cache-Control', 'max-age=10, stale-if-error=1000')
            return res.end('stored')
          }
          res.stream.respond({ ':status': 200, 'x-by': 'stream' })
          return fail(res)
        }, 10)
        expect((await speaker.call()).text).to.equal('stored')
        bench.clock.advance(20_000)
        expect((await speaker.call().catch(() => ({ text: '' }))).text).to.equal('')
        for (let turn = 0; turn < 2; turn++) expect((await speaker.call()).text).to.equal('stream')
        expect(calls).to.equal(4)
      } finally {
        process.removeAllListeners('uncaughtException')
        for (const one of kept) process.on('uncaughtException', one)
      }
      expect(seen).to.deep.equal([broken])
    })

    for (const [status, next] of [
      [204, '3'],
      [400, '1'],
    ] as const) {
      it(`lets a write that answers ${status} by its stream end what is stored, or not`, async () => {
        const speaker = await start((req, res) => {
          if (req.method === 'GET') return res.end(`${calls}`)
          return res.stream.respond({ ':status': status }, { endStream: true })
        })
        await speaker.call()
        expect((await speaker.call({ method: 'PUT' })).status).to.equal(status)
        expect((await speaker.call()).text).to.equal(next)
        expect(bench.outcomes.map(({ outcome }) => outcome.rule)[1]).to.equal(status === 204 ? 'DI-2' : 'DI-5')
      })
    }

    it('holds an answer whole until what it waits for is there', async () => {
      let release = (): void => {}
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      const speaker = await start((_req, res) => {
        watch(res as never, { hold: () => held })
        res.writeHead(201, { 'x-custom': 'one' })
        res.write('first')
        res.end('last')
        expect([res.headersSent, res.writableEnded]).to.deep.equal([true, true])
      })
      const answer = speaker.call({ method: 'PUT' })
      await until(() => calls === 1)
      release()
      const { status, text, header } = await answer
      expect([status, text, header('x-custom')]).to.deep.equal([201, 'firstlast', 'one'])
    })

    it('is administered like any other', async () => {
      const admin = adminRouter({ cache: bench.cache, path: '/cache' })
      const speaker = await start((req, res) => admin(req as never, res as never, () => void res.end(`${calls}`)))
      await speaker.call({ path: '/a' })
      const ask = async (method: string, headers: Readonly<Record<string, string>>): Promise<number> =>
        (await speaker.call({ method, path: '/cache/keys/a', headers })).status
      const local = { ':authority': `localhost:${speaker.port}` }
      const scheme = isSecure(protocol) ? 'https' : 'http'
      const origin = `${scheme}://localhost:${speaker.port}`
      expect((await speaker.call({ path: '/cache/stats', headers: local })).text).to.include('"keyCount":1')
      expect(await ask('DELETE', { ...local, origin })).to.equal(200)
      expect(await ask('DELETE', { ...local, origin: `${scheme}://evil.example` })).to.equal(403)
      expect(await ask('DELETE', { ...local, host: 'evil.example' })).to.equal(403)
      expect(await ask('DELETE', { ':authority': 'evil.example', host: 'localhost' })).to.equal(403)
      expect(await ask('DELETE', { ':authority': 'evil.example' })).to.equal(403)
    })

    it('goes on with one stream when another is reset', async () => {
      const finish: (() => void)[] = []
      const speaker = await start((_req, res) => {
        finish.push(() => void res.end(TEXT))
      })
      const session = speaker.session()
      const left = session.request({ ':path': '/a', ':authority': 'shop.example' })
      left.on('error', () => {})
      await until(() => calls === 1)
      const stays = callHttp2(session, { path: '/a' })
      left.close(8)
      await once(left, 'close')
      await until(() => finish.length === 2)
      for (const end of finish) end()
      expect((await stays).text).to.equal(TEXT)
    })

    it('answers many streams of one session', async () => {
      const speaker = await start((req, res) => res.end(`${req.url} ${TEXT}`))
      const session = speaker.session()
      const texts = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => (await callHttp2(session, { path: `/${index % 3}` })).text),
      )
      expect(texts).to.deep.equal(Array.from({ length: 60 }, (_, index) => `/${index % 3} ${TEXT}`))
      expect(calls).to.equal(3)
    })
  })
}

describe('withCache in front of HTTP/2 and HTTP/1 on one port', () => {
  afterEach(closeSpeakers)

  for (const first of [true, false]) {
    it(`shares what it stores, begun over HTTP/${first ? '1' : '2'}`, async () => {
      const { cache } = makeBench()
      const speaker = await openSpeaker(
        'h2',
        withCache(
          (req, res) => {
            if (req.httpVersionMajor === 1) {
              res.statusMessage = 'Fine'
              res.setHeader('Connection', 'X-Hop, keep-alive')
              res.setHeader('Keep-Alive', 'timeout=7')
              res.setHeader('X-Hop', 'hop')
              res.setHeader('Upgrade', 'h2c')
            }
            res.setHeader('X-Custom', 'one')
            res.write('0123')
            res.end('456789')
          },
          { cache, headers: 'standard' },
        ),
      )
      await speaker.call({ old: first })
      const [one, two] = [await speaker.call({ old: true }), await speaker.call({ old: false })]
      for (const { status, text, header } of [one, two]) {
        expect([status, text, header('x-custom'), header('x-hop')]).to.deep.equal([200, '0123456789', 'one', undefined])
      }
      expect([isHit(one), isHit(two)]).to.deep.equal([true, true])
      for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade']) {
        expect(two.header(name), name).to.equal(undefined)
      }
    })
  }

  it('never touches the reason that HTTP/2 does not have, of which node would warn', async () => {
    const { cache, clock } = makeBench()
    const touched: string[] = []
    const reason = sinon.stub(Http2ServerResponse.prototype, 'statusMessage')
    reason.get(() => touched.push('read'))
    reason.set(() => void touched.push('set'))
    try {
      let fails = false
      const speaker = await openSpeaker(
        'h2',
        withCache(
          (req, res) => {
            if (fails) return res.writeHead(503).end()
            if (req.httpVersionMajor === 1) res.statusMessage = 'Fine'
            res.setHeader('Cache-Control', 'max-age=10, stale-if-error=100')
            res.setHeader('ETag', '"v1"')
            return res.end(TEXT)
          },
          { cache },
        ),
      )
      const ask = async (path: string, headers = {}): Promise<number> => (await speaker.call({ path, headers })).status
      expect((await speaker.call({ path: '/a', old: true })).reason).to.equal('Fine')
      expect(await ask('/a')).to.equal(200)
      expect(await ask('/a', { range: 'bytes=0-1' })).to.equal(206)
      expect(await ask('/b', { range: 'bytes=900-' })).to.equal(416)
      expect(await ask('/c', { 'if-none-match': '"v1"' })).to.equal(304)
      fails = true
      clock.advance(20_000)
      expect(await ask('/a')).to.equal(200)
    } finally {
      reason.restore()
    }
    expect(touched).to.deep.equal([])
  })
})
