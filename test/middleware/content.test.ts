import { Agent, IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect } from 'chai'
import express5 from 'express'
import express4 from 'express-4'
import { contentKey, takeContent } from '../../middleware/content.ts'
import { EXPRESSES, FRAMEWORKS, type Framework, type Handler, makeExpress, makeListener } from '../support/app.ts'
import { openExchange, parseAnswer, type RequestShape } from '../support/http-client.ts'
import { closeSites, openSite, type Site, until } from '../support/site.ts'

const MAX = 100_000
const CHUNKED = { 'Transfer-Encoding': 'chunked' }

/** What came of each `takeContent`, in order. */
let taken: (Buffer | undefined)[] = []

/** When a middleware asks: before anything of the content has arrived, or with all of it waiting. */
const MOMENTS = {
  'at once': () => true,
  'when all has arrived': (req: IncomingMessage) => req.complete || req.destroyed,
} as const

function takeWhen(isTime: (req: IncomingMessage) => boolean): Handler {
  return (req, _res, next) => {
    const take = (): Promise<void> => takeContent(req, MAX).then((content) => void taken.push(content))
    // Without a wait it must happen within the request event.
    void (isTime(req) ? take() : until(() => isTime(req)).then(take)).then(() => next(), next)
  }
}

async function readAll(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const piece of req) chunks.push(piece as Buffer)
  return Buffer.concat(chunks)
}

/** Ways to read a request; each resolves with what it read. */
const READERS: Readonly<Record<string, (req: IncomingMessage) => Promise<Buffer>>> = {
  'for await': readAll,
  'data and end': (req) =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('end', () => resolve(Buffer.concat(chunks)))
      req.on('error', reject)
    }),
  'readable and read': (req) =>
    new Promise((resolve) => {
      const chunks: Buffer[] = []
      req.on('readable', () => {
        for (let chunk = req.read(); chunk !== null; chunk = req.read()) chunks.push(chunk as Buffer)
      })
      req.on('end', () => resolve(Buffer.concat(chunks)))
    }),
  pipe: async (req) => {
    const through = new PassThrough()
    req.pipe(through)
    return Buffer.concat(await through.toArray())
  },
  pipeline: async (req) => {
    const through = new PassThrough()
    const all = through.toArray()
    await pipeline(req, through)
    return Buffer.concat(await all)
  },
  'setEncoding and end': (req) =>
    new Promise((resolve) => {
      let text = ''
      req.setEncoding('latin1')
      req.on('data', (chunk: string) => {
        text += chunk
      })
      req.on('end', () => resolve(Buffer.from(text, 'latin1')))
    }),
}

/** Answers with the content, in hex so that every octet shows. */
function echo(read: (req: IncomingMessage) => Promise<Buffer> = readAll): Handler {
  return (req, res, next) => void read(req).then((content) => res.end(content.toString('hex')), next)
}

function hex(content: string): string {
  return Buffer.from(content).toString('hex')
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
}

function post(body: string, headers: Readonly<Record<string, string>> = {}): RequestShape {
  return { method: 'POST', path: '/a', headers, body }
}

/** Octets of every value, more than any buffer on the way holds. */
const LARGE = Buffer.from(Array.from({ length: 90_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff))

const SHAPES: Readonly<Record<string, readonly [RequestShape, content: string]>> = {
  'a Content-Length': [post('{"a":1}'), '{"a":1}'],
  chunks: [post(`${chunk('{"a"')}${chunk(':')}${chunk('1}')}0\r\n\r\n`, CHUNKED), '{"a":1}'],
  'chunks and trailers': [post(`${chunk('abc')}0\r\nX-Sum: 1\r\n\r\n`, CHUNKED), 'abc'],
  'a Content-Length of 0': [post('', { 'Content-Length': '0' }), ''],
  'no chunk but the last': [post('0\r\n\r\n', CHUNKED), ''],
  'neither length nor chunks': [post(''), ''],
  'a large Content-Length': [post('x'.repeat(MAX)), 'x'.repeat(MAX)],
}

beforeEach(() => {
  taken = []
})
afterEach(closeSites)

for (const framework of FRAMEWORKS) {
  for (const [moment, isTime] of Object.entries(MOMENTS)) {
    describe(`takeContent ${moment} on ${framework}`, () => {
      const start = (handler: Handler = echo()): Promise<Site> => serve(framework, [takeWhen(isTime)], handler)

      for (const [name, [shape, content]] of Object.entries(SHAPES)) {
        // Node stops reading before a large content has arrived when nobody takes it.
        if (content.length > 16_000 && moment !== 'at once') continue
        it(`takes the content with ${name} and leaves it to the handler (QRY-4)`, async () => {
          const site = await start()
          const answer = await site.send(shape)
          expect(taken.map(String)).to.deep.equal([content])
          expect(answer.text).to.equal(hex(content))
        })
      }

      for (const [name, read] of Object.entries(READERS)) {
        it(`is invisible to ${name} (QRY-4)`, async () => {
          const site = await start(echo(read))
          const shapes = [post('\u00e9 {"a":1}'), post(`${chunk('ab')}${chunk('c')}0\r\n\r\n`, CHUNKED), post('')]
          const answers = await Promise.all(shapes.map((shape) => site.send(shape)))
          expect(answers.map((answer) => answer.text)).to.deep.equal([hex('\u00e9 {"a":1}'), hex('abc'), ''])
          expect(taken).to.have.lengthOf(3).and.not.include(undefined)
        })
      }

      it('takes every octet as it is (QRY-4)', async () => {
        const site = await start()
        const octets = LARGE.subarray(0, 10_000)
        expect(await upload(site, octets)).to.equal(octets.toString('hex'))
        expect(taken).to.deep.equal([octets])
      })

      it('leaves the content to a handler that begins to read later', async () => {
        const site = await start((req, res, next) => void setImmediate(() => setImmediate(echo(), req, res, next)))
        expect((await site.send(post('later'))).text).to.equal(hex('later'))
        expect((await site.send(post(''))).text).to.equal('')
      })

      it('keeps the connection going when nobody reads the request', async () => {
        const site = await start((_req, res) => res.end('unread'))
        const bodies = ['abc', 'x'.repeat(10_000), '', 'z']
        expect(
          await onOneConnection(
            site,
            bodies.map((body) => post(body)),
          ),
        ).to.deep.equal(Array.from({ length: 4 }, () => 'unread'))
        expect(taken.map(String)).to.deep.equal(bodies)
      })

      it('leaves no listeners and no properties behind', async () => {
        let before: unknown
        let after: unknown
        const look = (req: IncomingMessage): unknown => ({
          events: Object.fromEntries(req.eventNames().map((name) => [name, req.listenerCount(name)])),
          push: Object.hasOwn(req, 'push'),
          flowing: req.readableFlowing,
        })
        const watch: Handler = (req, _res, next) => {
          before = look(req)
          next()
        }
        const site = await serve(framework, [watch, takeWhen(isTime)], (req, res) => {
          after = look(req)
          res.end()
        })
        await site.send(post('abc'))
        expect(taken.map(String)).to.deep.equal(['abc'])
        expect(after).to.deep.equal(before)
        expect(after).to.deep.include({ push: false, flowing: null })
      })
    })
  }
}

describe('takeContent', () => {
  const start = (handler: Handler = echo(), ...before: Handler[]): Promise<Site> =>
    serve('node:http', [...before, takeWhen(MOMENTS['at once'])], handler)

  context('with content that comes in pieces', () => {
    for (const headers of [{ 'Content-Length': '9' }, CHUNKED]) {
      it(`puts several segments together: ${Object.keys(headers)[0]}`, async () => {
        const requests: IncomingMessage[] = []
        const site = await start(echo(), (req, _res, next) => {
          requests.push(req)
          next()
        })
        const framed = headers === CHUNKED
        const socket = openExchange(site.port, { ...post(''), headers })
        const answer = answerOf(socket)
        let sent = 0
        for (const piece of ['one', 'two', 'six']) {
          await until(() => requests[0]?.readableLength === sent)
          expect(taken).to.deep.equal([])
          socket.write(framed ? chunk(piece) : piece)
          sent += piece.length
        }
        if (framed) {
          await until(() => requests[0]?.readableLength === sent)
          expect(taken).to.deep.equal([])
          socket.write('0\r\n\r\n')
        }
        expect(await answer).to.equal(hex('onetwosix'))
        expect(taken.map(String)).to.deep.equal(['onetwosix'])
      })
    }

    it('takes what has partly arrived, beyond what node keeps waiting, when its length is known', async () => {
      const site = await serve(
        'node:http',
        [takeWhen((req) => req.readableLength >= req.readableHighWaterMark && !req.complete)],
        echo(),
      )
      expect(await upload(site, LARGE)).to.equal(LARGE.toString('hex'))
      expect(taken).to.deep.equal([LARGE])
    })

    it('does not begin with chunks that have partly arrived: they may be too large', async () => {
      const site = await serve('node:http', [takeWhen((req) => req.readableLength > 0)], echo())
      const socket = openExchange(site.port, { ...post(''), headers: CHUNKED })
      const answer = answerOf(socket)
      socket.write(chunk('abc'))
      await until(() => taken.length > 0)
      socket.write(`${chunk('def')}0\r\n\r\n`)
      expect(await answer).to.equal(hex('abcdef'))
      expect(taken).to.deep.equal([undefined])
    })

    it('takes requests of one connection apart', async () => {
      const site = await start()
      const bodies = ['first', 'x'.repeat(MAX), '', 'last']
      expect(
        await onOneConnection(
          site,
          bodies.map((body) => post(body)),
        ),
      ).to.deep.equal(bodies.map(hex))
      expect(taken.map(String)).to.deep.equal(bodies)
    })
  })

  context('with more than maxBytes', () => {
    const large = 'x'.repeat(5 * MAX)
    const shapes = {
      'a Content-Length': [post(large), large],
      chunks: [post(`${chunk(large)}0\r\n\r\n`, CHUNKED), large],
      'one octet too many': [post('x'.repeat(MAX + 1)), 'x'.repeat(MAX + 1)],
      'one octet too many in chunks': [
        post(`${chunk('x'.repeat(MAX))}${chunk('y')}0\r\n\r\n`, CHUNKED),
        `${'x'.repeat(MAX)}y`,
      ],
    } as const
    for (const [name, [shape, content]] of Object.entries(shapes)) {
      it(`gives up and leaves all of it to the handler: ${name} (QRY-4)`, async () => {
        const site = await start()
        const { text } = await site.send(shape)
        expect(text === hex(content), 'intact').to.equal(true)
        expect(taken).to.deep.equal([undefined])
      })

      it(`keeps the connection going when nobody reads it: ${name}`, async () => {
        const site = await start((_req, res) => res.end('unread'))
        expect(await onOneConnection(site, [shape, post('next')])).to.deep.equal(['unread', 'unread'])
        expect(taken.map((content) => content?.toString())).to.deep.equal([undefined, 'next'])
      })
    }

    it('does not wait for it when its length is known', async () => {
      const site = await start((_req, res) => res.end('x'))
      const socket = openExchange(site.port, { ...post(''), headers: { 'Content-Length': String(MAX + 1) } })
      expect(await answerOf(socket)).to.equal('x')
      expect(taken).to.deep.equal([undefined])
    })

    it('does not even read when it was all there before', async () => {
      const site = await serve(
        'node:http',
        [
          (req, _res, next) =>
            void until(() => req.complete)
              .then(() => takeContent(req, 2))
              .then((content) => {
                taken.push(content)
                expect(req.readableDidRead).to.equal(false)
              })
              .then(() => next(), next),
        ],
        echo(),
      )
      expect((await site.send(post(`${chunk('abc')}0\r\n\r\n`, CHUNKED))).text).to.equal(hex('abc'))
      expect(taken).to.deep.equal([undefined])
    })

    it('stops the flow, as node does, until the handler reads', async () => {
      let req: IncomingMessage | undefined
      const site = await start((current) => {
        req = current
      })
      const socket = openExchange(site.port, { ...post(''), headers: CHUNKED })
      for (let count = 0; count < 100; count++) socket.write(chunk('x'.repeat(100_000)))
      await until(() => req !== undefined)
      // The client cannot get rid of its 10 MB: they are kept by nobody.
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(req?.readableLength).to.be.within(MAX, 4 * MAX)
      socket.destroy()
    })
  })

  context('when the client leaves', () => {
    for (const [name, headers, part] of [
      ['half way', { 'Content-Length': '10' }, 'half'],
      ['half way through chunks', CHUNKED, chunk('half')],
      ['before the first octet', { 'Content-Length': '10' }, ''],
    ] as const) {
      it(`gives up ${name} (QRY-4)`, async () => {
        const requests: IncomingMessage[] = []
        let passed = false
        const site = await start(
          () => {
            passed = true
          },
          (req, _res, next) => {
            requests.push(req)
            next()
          },
        )
        const socket = openExchange(site.port, { ...post(part), headers })
        await until(() => (requests[0]?.readableLength ?? 0) >= (part === '' ? 0 : 4) && requests.length > 0)
        expect(taken).to.deep.equal([])
        socket.destroy()
        await until(() => passed)
        expect(taken).to.deep.equal([undefined])
        expect(requests[0]?.destroyed).to.equal(true)
      })
    }

    it('gives up on chunks that are none', async () => {
      const site = await start()
      const socket = openExchange(site.port, post(`${chunk('abc')}zzz\r\n`, CHUNKED))
      await until(() => taken.length > 0)
      expect(taken).to.deep.equal([undefined])
      socket.destroy()
    })

    it('gives up at once when the client is gone already', async () => {
      let arrived = false
      const note: Handler = (_req, _res, next) => {
        arrived = true
        next()
      }
      const site = await serve('node:http', [note, takeWhen((req) => req.destroyed)], () => {})
      const socket = openExchange(site.port, { ...post('half'), headers: { 'Content-Length': '10' } })
      await until(() => arrived)
      socket.destroy()
      await until(() => taken.length > 0)
      expect(taken).to.deep.equal([undefined])
    })
  })

  context('when somebody else has the request', () => {
    const others: Readonly<Record<string, (req: IncomingMessage) => unknown>> = {
      'reads it': (req) => req.on('data', () => {}),
      'waits to read it': (req) => req.on('readable', () => {}),
      'pipes it': (req) => req.pipe(new PassThrough()),
      'has paused it': (req) => req.pause(),
      'wants it as text': (req) => req.setEncoding('utf8'),
      'has put a body in its place': (req) => Object.assign(req, { body: {} }),
      'takes its content, too': (req) => takeContent(req, MAX),
      'has dropped it': (req) => req.resume(),
    }
    for (const [name, act] of Object.entries(others)) {
      it(`keeps its hands off: it ${name} (QRY-4)`, async () => {
        const site = await start(
          (_req, res) => res.end('x'),
          (req, _res, next) => {
            act(req)
            next()
          },
        )
        expect((await site.send(post('abc'))).text).to.equal('x')
        expect(taken).to.deep.equal([undefined])
      })
    }

    it('keeps its hands off what has been read to the end, or begun', async () => {
      const readIt: Handler = (req, _res, next) => void readAll(req).then(() => next(), next)
      const readOne: Handler = (req, _res, next) =>
        void until(() => req.complete)
          .then(() => expect(String(req.read(1))).to.equal('a'))
          .then(() => next(), next)
      for (const read of [readIt, readOne]) {
        const site = await start((_req, res) => res.end('x'), read)
        await site.send(post(`${chunk('abc')}0\r\n\r\n`, CHUNKED))
      }
      expect(taken).to.deep.equal([undefined, undefined])
    })

    it('hands nothing to those who have paused it', async () => {
      const got: string[] = []
      const pause: Handler = (req, _res, next) => {
        req.pause()
        req.on('data', (data: Buffer) => got.push(String(data)))
        next()
      }
      const resume: Handler = (req, res) => {
        expect(got).to.deep.equal([])
        req.on('end', () => res.end('x'))
        req.resume()
      }
      const site = await serve('node:http', [pause, takeWhen(MOMENTS['when all has arrived'])], resume)
      expect((await site.send(post('abc'))).text).to.equal('x')
      expect(got).to.deep.equal(['abc'])
      expect(taken).to.deep.equal([undefined])
    })

    it('gives up when they read a part of it meanwhile', async () => {
      const requests: IncomingMessage[] = []
      const site = await start(
        (_req, res) => res.end('x'),
        (req, _res, next) => {
          requests.push(req)
          next()
        },
      )
      const socket = openExchange(site.port, { ...post(chunk('abc')), headers: CHUNKED })
      await until(() => requests[0]?.readableLength === 3)
      expect(String(requests[0]?.read(1))).to.equal('a')
      socket.write('0\r\n\r\n')
      await until(() => taken.length > 0)
      expect(taken).to.deep.equal([undefined])
      socket.destroy()
    })

    it('gives up when they begin meanwhile, and they get it all', async () => {
      const got: string[] = []
      const site = await start(
        (_req, res) => res.end('x'),
        (req, _res, next) => {
          next()
          req.on('data', (data: Buffer) => got.push(String(data)))
        },
      )
      await site.send(post('abc'))
      expect(taken).to.deep.equal([undefined])
      expect(got.join('')).to.equal('abc')
    })

    for (const [name, headers, part, rest] of [
      ['half of it', { 'Content-Length': '8' }, 'half', 'rest'],
      ['none of it', CHUNKED, '', `${chunk('rest')}0\r\n\r\n`],
    ] as const) {
      it(`gives up when the answer is given after ${name}, for then node drops the rest`, async () => {
        const responses: ServerResponse[] = []
        const site = await start(
          () => {},
          (_req, res, next) => {
            responses.push(res)
            next()
          },
        )
        const socket = openExchange(site.port, { ...post(part), headers: { ...headers, Connection: 'keep-alive' } })
        await until(() => responses.length > 0)
        responses[0]?.end()
        await until(() => responses[0]?.writableFinished === true)
        expect(taken).to.deep.equal([])
        socket.write(rest)
        await until(() => taken.length > 0)
        expect(taken).to.deep.equal([undefined])
        socket.destroy()
      })
    }
  })

  it('finds it intact a second time', async () => {
    const site = await start(echo(), takeWhen(MOMENTS['at once']))
    expect((await site.send(post('abc'))).text).to.equal(hex('abc'))
    expect(taken.map(String)).to.deep.equal(['abc', 'abc'])
  })

  it('leaves the request to fetch, which takes none that has been read', async () => {
    const origin = await serve('node:http', [], echo())
    const site = await start(
      (req, res, next) =>
        void fetch(origin.url, { method: 'POST', body: req as never, duplex: 'half' })
          .then((answer) => answer.text())
          .then((text) => res.end(text), next),
    )
    expect((await site.send(post('abc'))).text).to.equal(hex('abc'))
    expect(taken.map(String)).to.deep.equal(['abc'])
  })

  it('gives a copy: what becomes of the request does not change it', async () => {
    const site = await start((req, res) => {
      req.on('data', (data: Buffer) => data.fill(0))
      req.on('end', () => res.end())
    })
    await site.send(post('abc'))
    expect(taken.map(String)).to.deep.equal(['abc'])
  })

  it('waits for nothing that was never sent: a request that an adapter made up', async () => {
    const req = new IncomingMessage(new PassThrough() as unknown as Socket)
    req.headers['content-length'] = '3'
    req.complete = true
    expect(await takeContent(req, MAX)).to.equal(undefined)
  })

  it('finds no content where it has ended', async () => {
    const req = new IncomingMessage(new PassThrough() as unknown as Socket)
    req.complete = true
    req.push(null)
    const content = await new Promise((resolve) => {
      req.once('end', () => resolve(takeContent(req, MAX)))
      req.read()
    })
    expect(content).to.equal(undefined)
  })

  it('keeps out of HTTP/2', async () => {
    const server = createHttp2Server((req, res) => {
      void takeContent(req as never, MAX).then((content) => {
        taken.push(content)
        echo()(req as never, res as never, () => {})
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    try {
      const stream = session.request({ ':method': 'POST', ':path': '/' })
      stream.end('abc')
      expect(Buffer.concat(await stream.toArray()).toString()).to.equal(hex('abc'))
      expect(taken).to.deep.equal([undefined])
    } finally {
      session.destroy()
      server.close()
    }
  })
})

for (const framework of EXPRESSES) {
  for (const [moment, isTime] of Object.entries(MOMENTS)) {
    describe(`takeContent ${moment} before the parsers of ${framework}`, () => {
      async function start(): Promise<Site> {
        const parsers = framework === 'Express 5' ? express5 : (express4 as unknown as typeof express5)
        const app = makeExpress(framework)
        app.use(takeWhen(isTime) as never)
        app.use(parsers.json({ limit: 1000 }), parsers.text(), parsers.urlencoded({ extended: false }), parsers.raw())
        app.use((req, res) => {
          const body: unknown = req.body
          res.json(Buffer.isBuffer(body) ? body.toString() : (body ?? null))
        })
        return openSite(app)
      }

      const bodies: Readonly<Record<string, readonly [body: string, seen: unknown]>> = {
        'application/json': ['{"a":[1,"\u00e9"]}', { a: [1, '\u00e9'] }],
        'text/plain': ['plain', 'plain'],
        'application/x-www-form-urlencoded': ['a=1&b=2', { a: '1', b: '2' }],
        'application/octet-stream': ['octets', 'octets'],
      }
      for (const [type, [body, seen]] of Object.entries(bodies)) {
        it(`leaves ${type} to them, with a length and in chunks (QRY-4, TV-103)`, async () => {
          const site = await start()
          const framed = `${chunk(body.slice(0, 3))}${chunk(body.slice(3))}0\r\n\r\n`
          for (const shape of [
            post(body, { 'Content-Type': type }),
            post(framed, { 'Content-Type': type, ...CHUNKED }),
          ]) {
            expect(JSON.parse((await site.send(shape)).text)).to.deep.equal(seen)
          }
          expect(taken.map(String)).to.deep.equal([body, body])
        })
      }

      it('leaves no content to them', async () => {
        const site = await start()
        const answer = await site.send(post('', { 'Content-Type': 'text/plain', 'Content-Length': '0' }))
        expect(answer.status).to.equal(200)
        expect(taken.map(String)).to.deep.equal([''])
      })

      it('leaves them their own limits and complaints', async () => {
        const site = await start()
        const large = JSON.stringify('x'.repeat(2000))
        expect((await site.send(post(large, { 'Content-Type': 'application/json' }))).status).to.equal(413)
        expect((await site.send(post('{', { 'Content-Type': 'application/json' }))).status).to.equal(400)
      })
    })
  }

  it(`keeps its hands off what a parser of ${framework} has read`, async () => {
    const parsers = framework === 'Express 5' ? express5 : (express4 as unknown as typeof express5)
    const app = makeExpress(framework)
    app.use(parsers.json(), takeWhen(MOMENTS['at once']) as never)
    app.use((req, res) => void res.json(req.body))
    const site = await openSite(app)
    const answer = await site.send(post('{"a":1}', { 'Content-Type': 'application/json' }))
    expect(answer.text).to.equal('{"a":1}')
    expect(taken).to.deep.equal([undefined])
  })
}

describe('contentKey', () => {
  const headers = { 'content-type': 'application/json' }

  it('is a digest of the content and its metadata (QRY-3, TV-103)', () => {
    const key = contentKey(Buffer.from('{"a":1}'), headers)
    expect(key).to.match(/^[0-9a-f]{64}$/)
    expect(contentKey(Buffer.from('{"a":1}'), { ...headers })).to.equal(key)
    expect(contentKey(Buffer.from('{"a": 1}'), headers)).not.to.equal(key)
    expect(contentKey(Buffer.from('{"a":1}'), { 'content-type': 'application/ld+json' })).not.to.equal(key)
  })

  it('is none without a type (QRY-6)', () => {
    expect(contentKey(Buffer.from('x'), {})).to.equal(undefined)
  })
})

function serve(framework: Framework, before: readonly Handler[], handler: Handler): Promise<Site> {
  return openSite(makeListener(framework, before, handler))
}

/** Send octets, and get the text of the answer. */
function upload(site: Site, octets: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = request(site.url, { method: 'POST', headers: { 'Content-Length': octets.length } }, (answer) => {
      answer.toArray().then((chunks) => resolve(Buffer.concat(chunks as Buffer[]).toString()), reject)
    })
    client.on('error', reject)
    client.end(octets)
  })
}

/** The text of the answer on a connection that the server closes. */
async function answerOf(socket: Socket): Promise<string> {
  return parseAnswer(Buffer.concat((await socket.toArray()) as Buffer[])).text
}

/** Send requests one after the other over the same connection, and get the texts of the answers. */
async function onOneConnection(site: Site, shapes: readonly RequestShape[]): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<unknown>()
  const texts: string[] = []
  for (const { headers = {}, body = '' } of shapes) {
    texts.push(
      await new Promise((resolve, reject) => {
        const client = request(site.url, { agent, method: 'POST' }, (answer) => {
          answer.toArray().then((chunks) => resolve(Buffer.concat(chunks as Buffer[]).toString()), reject)
        })
        client.on('socket', (socket) => sockets.add(socket))
        client.on('error', reject)
        // The client makes chunks of its own: the framing in the shape becomes content.
        if ('Transfer-Encoding' in headers) {
          client.write(body.slice(0, 1))
          client.end(body.slice(1))
        } else client.end(body)
      }),
    )
  }
  agent.destroy()
  expect(sockets.size).to.equal(1)
  return texts
}
