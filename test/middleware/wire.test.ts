import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Framework, type Handler, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

/** A field line, a character for an octet. */
type Line = readonly [name: string, value: string]

/** One message of a connection, octet by octet. */
interface Message {
  readonly status: number
  readonly reason: string
  readonly fields: readonly Line[]
  readonly text: string
  readonly trailers: readonly Line[]
  /** The values of a field, line by line. */
  lines(name: string): string[]
}

/** What a client says; `Host` is added. */
interface Question {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>> | readonly Line[]
  readonly body?: string
  readonly version?: '1.0' | '1.1'
}

function linesOf(headers: Question['headers'] = {}): readonly Line[] {
  return Array.isArray(headers) ? (headers as readonly Line[]) : Object.entries(headers)
}

/** Say it all at once on one connection, and read until the server closes it. */
async function talk(site: Site, questions: readonly Question[]): Promise<readonly Message[]> {
  const texts = questions.map(({ method = 'GET', path = '/a', headers, body = '', version = '1.1' }, index) => {
    const length = body === '' ? [] : [['Content-Length', String(body.length)]]
    const last = index === questions.length - 1 ? [['Connection', 'close']] : []
    const lines = [['Host', 'shop.example'], ...linesOf(headers), ...length, ...last]
    return `${method} ${path} HTTP/${version}\r\n${lines.map((line) => `${line.join(': ')}\r\n`).join('')}\r\n${body}`
  })
  const socket = connect(site.port, '127.0.0.1')
  socket.write(texts.join(''), 'latin1')
  const raw = Buffer.concat(await socket.toArray()).toString('latin1')
  return messagesIn(
    raw,
    questions.map(({ method = 'GET' }) => method),
  )
}

/** The only message to one question. */
async function ask(site: Site, question: Question = {}): Promise<Message> {
  const messages = await talk(site, [question])
  expect(messages).to.have.length(1)
  return messages[0] as Message
}

/** Read the messages one after another; fails where one does not begin where the one before it ends (RFC 9112 s. 6.3). */
function messagesIn(raw: string, methods: readonly string[]): readonly Message[] {
  const messages: Message[] = []
  const left = [...methods]
  let rest = raw
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const [, code = '', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine) ?? []
    expect(code, `out of frame: ${JSON.stringify(rest.slice(0, 60))}`).not.to.equal('')
    rest = rest.slice(end + 4)
    const fields = lines.map(lineOf)
    const valuesOf = (name: string): string[] =>
      fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
    const status = Number(code)
    const method = status < 200 ? 'interim' : left.shift()
    let text = ''
    let trailers: Line[] = []
    const [length] = valuesOf('content-length')
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') text = ''
    else if (valuesOf('transfer-encoding').includes('chunked')) [text, trailers, rest] = readChunks(rest)
    else {
      const size = length === undefined ? rest.length : Number(length)
      expect(rest.length, 'octets left').to.be.at.least(size)
      ;[text, rest] = [rest.slice(0, size), rest.slice(size)]
    }
    messages.push({ status, reason, fields, text, trailers, lines: (name) => valuesOf(name.toLowerCase()) })
  }
  return messages
}

function lineOf(text: string): Line {
  const colon = text.indexOf(':')
  return [text.slice(0, colon), text.slice(colon + 2)]
}

function readChunks(framed: string): [text: string, trailers: Line[], rest: string] {
  let text = ''
  let rest = framed
  for (;;) {
    const [line = ''] = rest.split('\r\n', 1)
    expect(line, 'size of a chunk').to.match(/^[0-9a-f]+$/i)
    const size = Number.parseInt(line, 16)
    rest = rest.slice(line.length + 2)
    if (size === 0) break
    text += rest.slice(0, size)
    rest = rest.slice(size + 2)
  }
  const end = rest.startsWith('\r\n') ? 0 : rest.indexOf('\r\n\r\n') + 2
  const trailers = rest.slice(0, end).split('\r\n').slice(0, -1).map(lineOf)
  return [text, trailers, rest.slice(end + 2)]
}

/** What caches and framing add. */
const ADDED: ReadonlySet<string> = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
])

function saidIn({ fields }: Message): string[] {
  return fields.filter(([name]) => !ADDED.has(name.toLowerCase())).map((line) => line.join(': '))
}

function isHit(message: Message): boolean {
  return message.lines('cache-status').join().includes('cachewell; hit')
}

type Answering = (res: ServerResponse) => unknown

/** Ways to write `text`: node sends a head as UTF-8 or as Latin-1, as the first that goes out with it. */
const BODIES: Readonly<Record<string, Answering>> = {
  'end(string)': (res) => res.end('text'),
  'end(string, utf8)': (res) => res.end('text', 'utf8'),
  'end(string, utf-8)': (res) => res.end('text', 'utf-8'),
  'end(string, UTF8)': (res) => res.end('text', 'UTF8' as BufferEncoding),
  'end(string, latin1)': (res) => res.end('text', 'latin1'),
  'end(string, binary)': (res) => res.end('text', 'binary'),
  'end(string, ascii)': (res) => res.end('text', 'ascii'),
  'end(string, hex)': (res) => res.end('74657874', 'hex'),
  'end(string, callback)': (res) => res.end('text', () => {}),
  'end(buffer)': (res) => res.end(Buffer.from('text')),
  'end()': (res) => res.end(),
  'end of an empty string': (res) => res.end(''),
  'Content-Length, end(string)': (res) => {
    res.setHeader('Content-Length', 4)
    res.end('text')
  },
  'Content-Length, end(buffer)': (res) => {
    res.setHeader('Content-Length', 4)
    res.end(Buffer.from('text'))
  },
  'write(string)': (res) => {
    res.write('te')
    res.end('xt')
  },
  'write(buffer)': (res) => {
    res.write(Buffer.from('te'))
    res.end('xt')
  },
  'Content-Length, write(string)': (res) => {
    res.setHeader('Content-Length', 4)
    res.write('te')
    res.end('xt')
  },
  'Content-Length, write(string, utf-8)': (res) => {
    res.setHeader('Content-Length', 4)
    res.write('te', 'utf-8')
    res.end('xt')
  },
  'Content-Length, write(string, latin1)': (res) => {
    res.setHeader('Content-Length', 4)
    res.write('te', 'latin1')
    res.end('xt')
  },
  'Content-Length, write(buffer)': (res) => {
    res.setHeader('Content-Length', 4)
    res.write(Buffer.from('te'))
    res.end('xt')
  },
  'write of an empty string, end(buffer)': (res) => {
    res.write('')
    res.end(Buffer.from('text'))
  },
  'write of an empty buffer, end(string)': (res) => {
    res.write(Buffer.alloc(0))
    res.end('text')
  },
  'Content-Length, write of an empty buffer, end(string)': (res) => {
    res.setHeader('Content-Length', 4)
    res.write(Buffer.alloc(0))
    res.end('text')
  },
  'flushHeaders, end(buffer)': (res) => {
    res.flushHeaders()
    res.end(Buffer.from('text'))
  },
  'flushHeaders, late end(string)': (res) => {
    res.flushHeaders()
    setImmediate(() => res.end('text'))
  },
  'writeHead, end(string)': (res) => {
    res.writeHead(200)
    res.end('text')
  },
  'writeHead with a length, late end(string)': (res) => {
    res.writeHead(200, { 'Content-Length': 4 })
    setImmediate(() => res.end('text'))
  },
  'cork, write(string), uncork': (res) => {
    res.cork()
    res.write('te')
    res.uncork()
    res.end('xt')
  },
  'pipe of strings': (res) => Readable.from(['te', 'xt']).pipe(res),
  'a 204 whose text is dropped': (res) => {
    res.statusCode = 204
    res.end('text')
  },
  'a 301 with a text': (res) => {
    res.statusCode = 301
    res.end('text')
  },
}

const PLACES = ['inside', 'in front of'] as const

for (const framework of FRAMEWORKS) {
  for (const place of PLACES) {
    describe(`on the wire, the cache ${place} ${framework}`, () => {
      let bench: Bench
      let calls: number
      beforeEach(() => {
        bench = makeBench()
        calls = 0
      })
      afterEach(closeSites)

      function start(
        answering: Handler,
        { above = [], ...given }: CacheMiddlewareOptions & { readonly above?: readonly Handler[] } = {},
      ): Promise<Site> {
        const options = { cache: bench.cache, headers: 'standard', ...given } as const
        const handler: Handler = (req, res, next) => {
          calls++
          return answering(req, res, next)
        }
        return openSite(listenerOf(framework, place, above, options, handler))
      }

      context('with octets beyond ASCII in the head', () => {
        const VALUE = 'caf\u00e9 \u0080\u00ff'

        /** What is seen of them: the octets of the value, in hex. */
        const octets = (message: Message): string => {
          const [value = ''] = message.lines('x-octets')
          return Buffer.from(value, 'latin1').toString('hex')
        }

        for (const [name, style] of Object.entries(BODIES)) {
          const answering: Handler = (_req, res) => {
            res.setHeader('ETag', '"v1"')
            res.setHeader('X-Octets', VALUE)
            style(res)
          }

          it(`sends them on hits as on the miss, and as without a cache, with ${name}`, async () => {
            const plain = await openSite(makeListener(framework, [], (req, res, next) => answering(req, res, next)))
            for (const version of ['1.1', '1.0'] as const) {
              const path = `/${version}`
              const site = await start(answering)
              const [miss, hit] = [await ask(site, { path, version }), await ask(site, { path })]
              expect(octets(miss), version).to.equal(octets(await ask(plain, { path, version })))
              expect(octets(hit), version).to.equal(octets(miss))
              expect(isHit(hit)).to.equal(true)
            }
          })

          it(`sends them on hits as on a miss that was cut or not modified, with ${name}`, async () => {
            for (const headers of [{ Range: 'bytes=1-2' }, { 'If-None-Match': '"v1"' }] as const) {
              const path = `/${Object.keys(headers)[0]}`
              const site = await start(answering)
              const miss = await ask(site, { path, headers })
              for (const again of [{ path }, { path, headers }]) {
                const hit = await ask(site, again)
                expect(octets(hit), path).to.equal(octets(miss))
                expect(isHit(hit)).to.equal(true)
              }
            }
          })
        }

        it('sends those of a reason phrase on hits as on the miss (REU-7)', async () => {
          for (const body of ['text', Buffer.from('text')]) {
            const path = `/${typeof body}`
            const site = await start((_req, res) => {
              res.statusMessage = 'Tr\u00e8s bien'
              res.end(body)
            })
            const [miss, hit] = [await ask(site, { path }), await ask(site, { path })]
            expect(miss.reason).to.equal(typeof body === 'string' ? 'Tr\u00c3\u00a8s bien' : 'Tr\u00e8s bien')
            expect([hit.reason, isHit(hit)]).to.deep.equal([miss.reason, true])
          }
        })

        it('sends them on hits as on a miss below a middleware that writes buffers', async () => {
          const buffering: Handler = (_req, res, next) => {
            const { end } = res
            res.end = ((chunk: string | Buffer) => end.call(res, Buffer.from(chunk), 'utf8')) as typeof res.end
            next()
          }
          for (const version of ['1.1', '1.0'] as const) {
            const answering: Handler = (_req, res) => {
              res.setHeader('X-Octets', VALUE)
              res.setHeader('Content-Length', 4)
              res.end('text')
            }
            const site = await start(answering, { above: [buffering] })
            const path = `/${version}`
            const [miss, hit] = [await ask(site, { path, version }), await ask(site, { path })]
            expect([octets(hit), isHit(hit)]).to.deep.equal([octets(miss), true])
          }
        })

        it('keeps those of what is stored, and takes those of a 304, when it is validated (HDR-20)', async () => {
          for (const body of ['text', Buffer.from('text')]) {
            const path = `/${typeof body}`
            const site = await start((_req, res) => {
              res.setHeader('ETag', '"v1"')
              res.setHeader('Cache-Control', 'max-age=10')
              if (calls % 2 === 1) {
                res.setHeader('X-Octets', VALUE)
                res.end(body)
              } else {
                res.writeHead(304, { 'X-New': VALUE })
                res.end()
              }
            })
            const miss = await ask(site, { path })
            bench.clock.advance(15_000)
            const [validated, hit] = [await ask(site, { path }), await ask(site, { path })]
            expect(validated.lines('cache-status').join()).to.contain('fwd-status=304')
            for (const answer of [validated, hit]) {
              expect([octets(answer), answer.text]).to.deep.equal([octets(miss), 'text'])
              expect(answer.lines('x-new')).to.deep.equal([VALUE])
            }
          }
        })

        it('compares those of a tag as they were sent (CON-5, TV-113)', async () => {
          for (const body of ['text', Buffer.from('text')]) {
            const path = `/${typeof body}`
            const site = await start((_req, res) => {
              res.setHeader('ETag', '"\u00e9"')
              res.end(body)
            })
            const [tag = ''] = (await ask(site, { path })).lines('etag')
            const same = await ask(site, { path, headers: { 'If-None-Match': tag } })
            expect([same.status, same.lines('etag'), isHit(same)]).to.deep.equal([304, [tag], true])
            const other = tag === '"\u00e9"' ? '"\u00c3\u00a9"' : '"\u00e9"'
            expect((await ask(site, { path, headers: { 'If-None-Match': other } })).status).to.equal(200)
          }
        })
      })

      context('with interim responses', () => {
        const hinting = (res: ServerResponse): void => {
          res.writeContinue()
          res.writeProcessing()
          res.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-early': '1' })
        }
        const statusesOf = (messages: readonly Message[]): number[] => messages.map(({ status }) => status)

        it('lets them through to the client of a miss only (INT-1, INT-2, TV-105)', async () => {
          const site = await start((_req, res) => {
            hinting(res)
            res.setHeader('Cache-Control', 'max-age=60')
            res.write('te')
            setImmediate(() => res.end('xt'))
          })
          const miss = await talk(site, [{}])
          expect(statusesOf(miss)).to.deep.equal([100, 102, 103, 200])
          expect(miss[2]?.lines('x-early')).to.deep.equal(['1'])
          const [hit, ...more] = await talk(site, [{}])
          expect([hit?.status, hit?.text, more]).to.deep.equal([200, 'text', []])
          for (const message of [miss[3], hit])
            for (const name of ['link', 'x-early']) expect(message?.lines(name), name).to.deep.equal([])
        })

        it('lets them through to a client whose condition or range the cache answers (INT-1)', async () => {
          const site = await start((_req, res) => {
            hinting(res)
            res.writeHead(200, { ETag: '"v1"', 'Content-Length': 4 })
            res.end('text')
          })
          for (const [headers, status] of [
            [{ 'If-None-Match': '"v1"' }, 304],
            [{ Range: 'bytes=0-0' }, 206],
          ] as const) {
            const path = `/${status}`
            expect(statusesOf(await talk(site, [{ path, headers }]))).to.deep.equal([100, 102, 103, status])
            expect(statusesOf(await talk(site, [{ path, headers }]))).to.deep.equal([status])
          }
        })

        it('lets them through while a stored response is validated, or stands in (INT-1, IFW-4)', async () => {
          for (const status of [304, 500]) {
            const path = `/${status}`
            calls = 0
            const site = await start((_req, res) => {
              if (calls > 1) hinting(res)
              res.writeHead(calls > 1 ? status : 200, {
                ETag: '"v1"',
                'Cache-Control': 'max-age=10, stale-if-error=60',
              })
              res.end(calls > 1 ? '' : 'text')
            })
            await ask(site, { path })
            bench.clock.advance(15_000)
            const messages = await talk(site, [{ path }])
            expect(statusesOf(messages)).to.deep.equal([100, 102, 103, 200])
            expect([messages[3]?.text, messages[3]?.lines('x-early')]).to.deep.equal(['text', []])
          }
        })

        it('leaves node its own 100 for a QUERY that expects it, hit or not', async () => {
          const site = await start((_req, res) => res.end('text'))
          const headers = { Expect: '100-continue', 'Content-Type': 'text/plain' }
          for (const hit of [false, true]) {
            const [first, second, ...more] = await talk(site, [{ method: 'QUERY', headers, body: 'question' }])
            expect([first?.status, second?.status, second?.text, more]).to.deep.equal([100, 200, 'text', []])
            expect(isHit(second as Message)).to.equal(hit)
          }
        })
      })

      context('with trailers', () => {
        const summing: Handler = (_req, res) => {
          res.setHeader('Trailer', 'X-Sum, X-Other')
          res.setHeader('ETag', '"v1"')
          res.setHeader('Cache-Control', 'max-age=10')
          res.write('te')
          res.addTrailers({ 'X-Sum': '4', 'Cache-Control': 'no-store' })
          res.end('xt')
        }

        it('lets the client of a miss have them, and announces none on hits (MSG-8, HDR-7, CCR-17)', async () => {
          const site = await start(summing)
          const miss = await ask(site)
          expect([miss.text, miss.lines('trailer')]).to.deep.equal(['text', ['X-Sum, X-Other']])
          expect(miss.trailers).to.deep.equal([
            ['X-Sum', '4'],
            ['Cache-Control', 'no-store'],
          ])
          const hit = await ask(site)
          expect([hit.text, hit.lines('trailer'), hit.trailers]).to.deep.equal(['text', [], []])
          expect([hit.lines('content-length'), hit.lines('x-sum')]).to.deep.equal([['4'], []])
        })

        it('sends none where the cache cuts, confirms, or validates (HDR-7)', async () => {
          const site = await start((req, res, next) => {
            if (req.headers['if-none-match'] !== undefined) {
              res.setHeader('Trailer', 'X-Sum')
              res.setHeader('ETag', '"v1"')
              res.statusCode = 304
              return res.end()
            }
            return summing(req, res, next)
          })
          const same = await ask(site, { headers: { 'If-None-Match': '"v1"' } })
          expect([same.status, same.lines('trailer')]).to.deep.equal([304, []])
          expect((await ask(site, { headers: { Range: 'bytes=0-0' } })).lines('trailer')).to.deep.equal([])
          bench.clock.advance(15_000)
          const validated = await ask(site)
          expect([validated.text, validated.lines('trailer'), validated.trailers]).to.deep.equal(['text', [], []])
          expect(validated.lines('cache-status').join()).to.contain('fwd-status=304')
        })

        it('sends none to a client of HTTP/1.0', async () => {
          const site = await start((_req, res) => {
            res.write('te')
            res.addTrailers({ 'X-Sum': '4' })
            res.end('xt')
          })
          const [miss, hit] = [await ask(site, { version: '1.0' }), await ask(site, { version: '1.0' })]
          for (const answer of [miss, hit]) expect([answer.text, answer.trailers]).to.deep.equal(['text', []])
          expect(isHit(hit)).to.equal(true)
        })
      })

      context('with the fields of a handler', () => {
        const outer: Handler = (_req, res, next) => {
          // What on-headers does: replays cannot write their head in one piece.
          const { writeHead } = res
          res.writeHead = ((status: number, ...rest: unknown[]) => {
            if (!res.headersSent) res.setHeader('X-Outer', '1')
            return Reflect.apply(writeHead, res, [status, ...rest]) as ServerResponse
          }) as typeof res.writeHead
          next()
        }
        const once: readonly Line[] = [
          ['content-TYPE', 'text/plain'],
          ['x-lower', '1'],
          ['X-UPPER', '2'],
          ['ETag', '"v1"'],
          ['Cache-Control', 'max-age=10'],
          ['X-Empty', ''],
        ]
        const repeated: readonly Line[] = [
          ['LINK', '</a>'],
          ['LINK', '</b>'],
          ...once,
          ['x-Twice', 'b, c'],
          ['x-Twice', 'a'],
          ['x-Twice', 'a'],
        ]

        for (const [name, fields] of Object.entries({ once, repeated })) {
          for (const [above, neighbours] of Object.entries({ nothing: [], 'a hook': [outer] })) {
            it(`keeps case, order and repeats of fields said ${name} below ${above} (HDR-10, PAR-2)`, async () => {
              const site = await start(
                (req, res) => {
                  if (req.headers['if-none-match'] !== undefined) {
                    res.statusCode = 304
                    return res.end()
                  }
                  for (const [key, value] of fields) res.appendHeader(key, value)
                  return res.end('text')
                },
                { above: neighbours },
              )
              const miss = await ask(site)
              // Some say a field first, some last.
              const mine = (message: Message): string[] =>
                saidIn(message).filter((line) => !/^(x-powered-by|x-outer)/i.test(line))
              const wanted = fields.map((line) => line.join(': '))
              expect(mine(miss).filter((line) => !line.startsWith('Date'))).to.deep.equal(wanted)
              expect(mine(await ask(site))).to.deep.equal(mine(miss))
              expect(mine(await ask(site, { method: 'HEAD' }))).to.deep.equal(mine(miss))
              const part = await ask(site, { headers: { Range: 'bytes=0-0' } })
              expect(part.status).to.equal(206)
              expect(mine(part).filter((line) => !line.startsWith('Content-Range'))).to.deep.equal(mine(miss))
              const same = await ask(site, { headers: { 'If-None-Match': '"v1"' } })
              expect(same.status).to.equal(304)
              expect(mine(same)).to.deep.equal(mine(miss).filter((line) => !/^content-type/i.test(line)))
              bench.clock.advance(15_000)
              const validated = await ask(site)
              expect(validated.lines('cache-status').join()).to.contain('fwd-status=304')
              const dated = (message: Message): string[] =>
                mine(message).map((line) => line.replace(/^Date: .*/, 'Date'))
              expect(dated(validated)).to.deep.equal(dated(miss))
              expect(validated.lines('x-outer')).to.deep.equal(neighbours.length === 0 ? [] : ['1'])
            })
          }
        }

        it('says the date once, and the same on all that comes of one answer (HDR-8, REU-6, TV-63)', async () => {
          const site = await start((req, res) => {
            res.setHeader('ETag', '"v1"')
            res.setHeader('Cache-Control', 'max-age=10')
            if (req.headers['if-none-match'] === undefined) return res.end('text')
            res.statusCode = 304
            return res.end()
          })
          const questions: readonly Question[] = [
            {},
            { method: 'HEAD' },
            { headers: { 'If-None-Match': '"v1"' } },
            { headers: { Range: 'bytes=0-0' } },
            { headers: { Range: 'bytes=0-0,2-2' } },
            { headers: { Range: 'bytes=9-' } },
          ]
          const date = (await ask(site)).lines('date')
          expect(date).to.deep.equal(['Fri, 20 Nov 2026 12:00:00 GMT'])
          bench.clock.advance(5_000)
          const answers = await talk(site, questions)
          expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 304, 206, 206, 416])
          for (const answer of answers) expect(answer.lines('date'), String(answer.status)).to.deep.equal(date)
          bench.clock.advance(10_000)
          for (const answer of [await ask(site), ...(await talk(site, questions))])
            expect(answer.lines('date'), String(answer.status)).to.deep.equal(['Fri, 20 Nov 2026 12:00:15 GMT'])
          expect(calls).to.equal(2)
        })
      })

      context('without a body', () => {
        const answering: Handler = (req, res) => {
          if (req.url === '/204') res.statusCode = 204
          if (req.url === '/301') res.writeHead(301, { Location: '/a' })
          else res.setHeader('ETag', '"v1"')
          res.end('text')
        }
        const lengths = (message: Message): unknown => [
          message.status,
          message.text,
          message.lines('content-length'),
          message.lines('transfer-encoding'),
        ]

        it('frames HEAD, 304 and 204 so that the next answer is found (MET-4, CON-15, STC-9, REU-8)', async () => {
          const site = await start(answering)
          const next = { path: '/next' }
          for (const turn of ['miss', 'hit']) {
            const table: readonly (readonly [Question, unknown])[] = [
              [{ path: '/204' }, [204, '', [], []]],
              [{ path: '/204', method: 'HEAD' }, [204, '', [], []]],
              [{ headers: { 'If-None-Match': '"v1"' } }, [304, '', [], []]],
              [{ method: 'HEAD' }, [200, '', ['4'], []]],
              [{ method: 'HEAD', headers: { 'If-None-Match': '"v1"' } }, [304, '', [], []]],
              [{ method: 'HEAD', headers: { Range: 'bytes=0-0' } }, [200, '', ['4'], []]],
            ]
            for (const [question, wanted] of table) {
              const title = `${turn} ${JSON.stringify(question)}`
              const [answer, following] = await talk(site, [question, next])
              expect(lengths(answer as Message), title).to.deep.equal(wanted)
              expect(following?.text, title).to.equal('text')
            }
            const [moved] = await talk(site, [{ path: '/301' }, next])
            expect([moved?.status, moved?.text], turn).to.deep.equal([301, 'text'])
            const [head] = await talk(site, [{ path: '/301', method: 'HEAD' }, next])
            expect([head?.status, head?.text, head?.lines('content-length')], turn).to.deep.equal([301, '', ['4']])
          }
          expect(calls).to.equal(4)
        })

        it('says of a HEAD that is asked for first what node says without a cache (XPR-14)', async () => {
          const plain = await openSite(makeListener(framework, [], (req, res, next) => answering(req, res, next)))
          const site = await start(answering)
          for (const path of ['/a', '/204', '/301']) {
            const question = { method: 'HEAD', path } as const
            expect(lengths(await ask(site, question)), path).to.deep.equal(lengths(await ask(plain, question)))
          }
        })
      })

      context('to clients of HTTP/1.0', () => {
        const streaming: Handler = (_req, res) => {
          res.setHeader('ETag', '"v1"')
          res.write('te')
          setImmediate(() => res.end('xt'))
        }

        it('sends no chunks, and on hits the length', async () => {
          const site = await start(streaming)
          const [miss, hit] = [await ask(site, { version: '1.0' }), await ask(site, { version: '1.0' })]
          for (const answer of [miss, hit]) {
            expect([answer.status, answer.text]).to.deep.equal([200, 'text'])
            expect(answer.lines('transfer-encoding')).to.deep.equal([])
          }
          expect([hit.lines('content-length'), isHit(hit)]).to.deep.equal([['4'], true])
        })

        it('shares what they and clients of HTTP/1.1 have filled', async () => {
          const site = await start(streaming)
          for (const [path, first, second] of [
            ['/0', '1.0', '1.1'],
            ['/1', '1.1', '1.0'],
          ] as const) {
            await ask(site, { path, version: first })
            const hit = await ask(site, { path, version: second })
            expect([hit.text, isHit(hit)]).to.deep.equal(['text', true])
          }
        })

        it('answers conditions and ranges from memory, and keeps a connection that is asked to be kept', async () => {
          const site = await start(streaming)
          await ask(site)
          const kept = { Connection: 'keep-alive' }
          const answers = await talk(site, [
            { version: '1.0', headers: kept },
            { version: '1.0', headers: { ...kept, Range: 'bytes=1-2' } },
            { version: '1.0', headers: { ...kept, Range: 'bytes=9-' } },
            { version: '1.0', headers: kept, method: 'HEAD' },
            // Node closes what has no length.
            { version: '1.0', headers: { 'If-None-Match': '"v1"' } },
          ])
          expect(answers.map(({ status, text }) => [status, text])).to.deep.equal([
            [200, 'text'],
            [206, 'ex'],
            [416, ''],
            [200, ''],
            [304, ''],
          ])
          expect(calls).to.equal(1)
        })

        it('keeps nothing for those that name no host (KEY-7)', async () => {
          const site = await start(streaming)
          for (let turn = 1; turn < 3; turn++) {
            const socket = connect(site.port, '127.0.0.1')
            socket.write('GET /a HTTP/1.0\r\n\r\n')
            const [answer] = messagesIn(Buffer.concat(await socket.toArray()).toString('latin1'), ['GET'])
            expect([answer?.text, calls]).to.deep.equal(['text', turn])
            expect(answer?.lines('cache-status').join()).to.contain('fwd=bypass')
          }
        })
      })

      context('with many requests at once on one connection', () => {
        /** Every kind of answer, over and over. */
        const QUESTIONS: readonly (readonly [Question, status: number, text: string])[] = [
          [{}, 200, 'GET /a'],
          [{}, 200, 'GET /a'],
          [{ headers: { 'If-None-Match': '"v1"' } }, 304, ''],
          [{ headers: { Range: 'bytes=1-2' } }, 206, 'ET'],
          [{ headers: { Range: 'bytes=99-' } }, 416, ''],
          [{ method: 'HEAD' }, 200, ''],
          [{ path: '/b', headers: { 'If-None-Match': '"v1"' } }, 304, ''],
          [{ path: '/b' }, 200, 'GET /b'],
          [{ path: '/c', headers: { Range: 'bytes=-2' } }, 206, '/c'],
          [{ path: '/d', headers: { Range: 'bytes=99-' } }, 416, ''],
          [{ path: '/e', method: 'HEAD' }, 200, ''],
          [{ path: '/private' }, 200, 'GET /private'],
          [{ path: '/204' }, 204, ''],
          [{ path: '/204' }, 204, ''],
          [{ path: '/never', headers: { 'Cache-Control': 'only-if-cached' } }, 504, ''],
          [{ method: 'POST', body: 'a=1' }, 200, 'POST /a'],
          [{ method: 'QUERY', body: 'q', headers: { 'Content-Type': 'text/plain' } }, 200, 'QUERY /a'],
          [{ method: 'QUERY', body: 'q', headers: { 'Content-Type': 'text/plain' } }, 200, 'QUERY /a'],
          [{}, 200, 'GET /a'],
        ]
        const say: Handler = (req, res) => {
          if (req.url === '/private') res.setHeader('Cache-Control', 'private')
          res.setHeader('ETag', '"v1"')
          if (req.url === '/204') res.statusCode = 204
          const text = `${req.method} ${req.url}`
          if (res.statusCode !== 204) res.setHeader('Content-Length', text.length)
          res.end(req.method === 'HEAD' ? undefined : text)
        }
        const ways: Readonly<Record<string, Handler>> = {
          'at once': say,
          later: (req, res, next) => void setImmediate(() => void say(req, res, next)),
          'in pieces': (req, res) => {
            res.setHeader('ETag', '"v1"')
            res.statusCode = req.url === '/204' ? 204 : 200
            res.write(req.method ?? '')
            setImmediate(() => res.end(` ${req.url}`))
          },
        }
        for (const [way, answering] of Object.entries(ways)) {
          it(`stays in frame and in order where the handler answers ${way} (RFC 9112 s. 9.3.2)`, async () => {
            const site = await start(answering)
            const all = [...QUESTIONS, ...QUESTIONS]
            const answers = await talk(
              site,
              all.map(([question]) => question),
            )
            const seen = answers.map(({ status, text }) => [status, text])
            // A part of what has no length yet is a right answer when it is the whole.
            const wanted = all.map(([{ path = '/a', method }, status, text], index) => {
              const isWhole = [206, 416].includes(status) && way === 'in pieces' && seen[index]?.[0] === 200
              return isWhole ? [200, `${method ?? 'GET'} ${path}`] : [status, text]
            })
            expect(seen).to.deep.equal(wanted)
            // What comes while the handler is at it shares its answer.
            expect(calls).to.be.below(all.length - 10)
          })
        }
      })

      context('with the request that others see', () => {
        /** Everything that the cache would answer itself, twice where clients may. */
        const ASKED: readonly Line[] = [
          ['If-None-Match', '"x"'],
          ['X-Other', '1'],
          ['if-none-match', '"y"'],
          ['If-Modified-Since', 'Mon, 02 Nov 2026 10:00:00 GMT'],
          ['If-Modified-Since', 'Mon, 02 Nov 2026 11:00:00 GMT'],
          ['Range', 'bytes=0-1'],
          ['Range', 'bytes=2-3'],
          ['If-Range', '"x"'],
          ['Cache-Control', 'no-cache'],
          ['Cache-Control', 'max-age=0'],
          ['Pragma', 'no-cache'],
          ['X-Other', '2'],
        ]
        let seen: { readonly event: string; readonly came: Views; readonly left: Views }[]
        let insideViews: Views[]
        beforeEach(() => {
          seen = []
          insideViews = []
        })

        /** A logger, which looks at the request when it comes and when it has been answered. */
        const logging = (looksFirst: boolean): Handler => {
          return (req, res, next) => {
            const raw = [...req.rawHeaders]
            const came: Views = { headers: { ...req.headers }, raw, distinct: distinctOf(raw) }
            // What the cache asks on its own is nobody's request.
            const isClient = req.socket instanceof Socket
            if (isClient && looksFirst) expect(viewsOf(req)).to.deep.equal(came)
            for (const event of isClient ? ['finish', 'close'] : [])
              res.on(event, () => seen.push({ event, came, left: viewsOf(req) }))
            next()
          }
        }

        type Behaviour = (req: IncomingMessage, res: ServerResponse, turn: number) => unknown
        const whole = (res: ServerResponse): unknown => {
          res.setHeader('ETag', '"v1"')
          res.setHeader('Last-Modified', 'Sun, 01 Nov 2026 10:00:00 GMT')
          res.setHeader('Cache-Control', 'max-age=10, stale-if-error=60')
          return res.end('text')
        }
        const second =
          (status: number, tag = '"v1"'): Behaviour =>
          (req, res, turn) => {
            if (turn === 1 || req.headers['if-none-match'] === undefined) return whole(res)
            res.writeHead(status, { ETag: tag, 'Cache-Control': 'max-age=10' })
            return res.end(status === 304 ? undefined : 'new')
          }
        /** How the handler answers, and whether it is asked about what is stored. */
        const BEHAVIOURS: Readonly<Record<string, readonly [asksAgain: boolean, behave: Behaviour]>> = {
          'that is stored': [false, (_req, res) => whole(res)],
          'that is not stored': [
            false,
            (_req, res) => {
              res.setHeader('Cache-Control', 'private')
              return whole(res)
            },
          ],
          'that comes late and in pieces': [
            false,
            (_req, res) => {
              res.write('te')
              setImmediate(() => res.end('xt'))
            },
          ],
          'that confirms (DV-1)': [true, second(304)],
          'that replaces (DV-4)': [true, second(200, '"v2"')],
          'that fails (DV-5)': [true, second(500)],
          'that names something else (DV-3)': [true, second(304, '"zz"')],
        }

        for (const [name, [asksAgain, behave]] of Object.entries(BEHAVIOURS)) {
          for (const looksFirst of [true, false]) {
            const title = `${name}, ${looksFirst ? 'looked at' : 'untouched'} before`
            it(`hides what it answers itself, and gives it back, for an answer ${title} (REU-11, NOD-17, DF-6)`, async () => {
              const site = await start(
                (req, res) => {
                  insideViews.push(viewsOf(req))
                  behave(req, res, calls)
                },
                { profile: 'rfc', above: [logging(looksFirst)] },
              )
              if (asksAgain) {
                await ask(site)
                bench.clock.advance(15_000)
                seen = []
                insideViews = []
              }
              const answer = await ask(site, { headers: ASKED })
              expect(answer.status).to.equal(200)
              const [views] = insideViews
              const asked = asksAgain ? ['"v1"'] : undefined
              const since = asksAgain ? ['Sun, 01 Nov 2026 10:00:00 GMT'] : undefined
              expect(views?.headers).to.include({ host: 'shop.example', 'x-other': '1, 2' })
              expect(views?.distinct).to.deep.equal(distinctOf(views?.raw ?? []))
              for (const [field, wanted] of [
                ['if-none-match', asked],
                ['if-modified-since', since],
                ['range', undefined],
                ['if-range', undefined],
                ...(asksAgain ? ([['cache-control'], ['pragma']] as const) : []),
              ] as const) {
                expect(views?.distinct[field], field).to.deep.equal(wanted)
                expect(views?.headers[field], field).to.equal(wanted?.[0])
              }
              expect(seen.map(({ event }) => event)).to.include('finish')
              for (const { event, came, left } of seen) expect(left, event).to.deep.equal(came)
            })
          }
        }

        it('shows the same in every view of what it asks on its own (VAL-8, NOD-17)', async () => {
          const site = await start((req, res) => {
            insideViews.push(viewsOf(req))
            res.setHeader('Cache-Control', 'max-age=10, stale-while-revalidate=60')
            res.setHeader('Vary', 'X-Other')
            res.end('text')
          })
          const headers: readonly Line[] = [
            ['X-Other', '1'],
            ['X-Other', '2'],
          ]
          await ask(site, { headers })
          bench.clock.advance(15_000)
          await ask(site, { headers })
          await until(() => insideViews.length === 2)
          const [, views] = insideViews
          expect(views?.headers).to.include({ host: 'shop.example', 'x-other': '1, 2' })
          expect(views?.distinct).to.deep.equal(distinctOf(views?.raw ?? []))
        })

        it('leaves it alone on hits, HEAD and what it keeps out of', async () => {
          const site = await start(
            (req, res) => {
              insideViews.push(viewsOf(req))
              whole(res)
            },
            { above: [logging(true)] },
          )
          await ask(site)
          insideViews = []
          for (const question of [
            { headers: ASKED },
            { method: 'HEAD', headers: ASKED },
            { method: 'POST', headers: ASKED },
            { headers: [...ASKED, ['If-Match', '"v1"']] },
          ] satisfies Question[]) {
            seen = []
            await ask(site, question)
            expect(seen).not.to.deep.equal([])
            for (const { event, came, left } of seen) expect(left, event).to.deep.equal(came)
          }
          expect(calls).to.equal(3)
          for (const views of insideViews) expect(views.distinct['if-none-match']).to.deep.equal(['"x"', '"y"'])
        })
      })
    })
  }
}

/** All that node shows of the fields of a request. */
interface Views {
  readonly headers: Readonly<Record<string, unknown>>
  readonly raw: readonly string[]
  readonly distinct: Readonly<Record<string, readonly string[] | undefined>>
}

function viewsOf(req: IncomingMessage): Views {
  return { headers: { ...req.headers }, raw: [...req.rawHeaders], distinct: { ...req.headersDistinct } }
}

/** What `headersDistinct` says of these lines. */
function distinctOf(raw: readonly string[]): Record<string, string[]> {
  const distinct: Record<string, string[]> = {}
  for (let index = 0; index < raw.length; index += 2)
    (distinct[(raw[index] as string).toLowerCase()] ??= []).push(raw[index + 1] as string)
  return distinct
}

function listenerOf(
  framework: Framework,
  place: (typeof PLACES)[number],
  above: readonly Handler[],
  options: CacheMiddlewareOptions,
  handler: Handler,
): RequestListener {
  if (place === 'inside') return makeListener(framework, [...above, cacheMiddleware(options)], handler)
  const front = withCache(makeListener(framework, [], handler), options)
  return makeListener('node:http', above, (req, res) => front(req, res))
}
