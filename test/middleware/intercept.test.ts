import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { expect } from 'chai'
import type { Response } from 'express'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { EXPRESSES, FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import { type Answer, openExchange } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

const directory = mkdtempSync(join(tmpdir(), 'cachewell-'))
const file = join(directory, 'page.html')
writeFileSync(file, `<p>${'text '.repeat(5_000)}</p>`)
after(() => rmSync(directory, { recursive: true }))

type Shape = (res: ServerResponse, req: IncomingMessage) => unknown

/** Every way in which a handler may write an answer that can be kept, on any framework. */
const SHAPES: Readonly<Record<string, Shape>> = {
  'end(string)': (res) => res.end('text'),
  'end(Buffer)': (res) => res.end(Buffer.from([0, 255, 13, 10])),
  'end(Uint8Array)': (res) => res.end(new Uint8Array([1, 2, 3])),
  'end()': (res) => res.end(),
  'end(callback)': (res) => res.end(() => {}),
  'end(string, encoding)': (res) => res.end('4869', 'hex'),
  'end(string, encoding, callback)': (res) => res.end('SGk=', 'base64', () => {}),
  'end(string, callback)': (res) => res.end('text', () => {}),
  'end of text beyond ASCII': (res) => res.end('\u00e4\u20ac\u{1f600}'),
  'end in latin1': (res) => res.end('\u00e4', 'latin1'),
  'setHeader, end': (res) => {
    res.setHeader('Content-Type', 'text/plain')
    res.setHeader('X-Case-KEPT', 'Yes')
    res.setHeader('x-lower', '1')
    res.end('text')
  },
  'setHeader of lists': (res) => {
    res.setHeader('X-First', '1')
    res.setHeader('Link', ['</a>; rel=preload', '</b>; rel=preload'])
    res.setHeader('X-Last', '2')
    res.end('text')
  },
  appendHeader: (res) => {
    res.appendHeader('Link', '</a>; rel=preload')
    res.setHeader('X-Between', '1')
    res.appendHeader('Link', '</b>; rel=preload')
    res.end('text')
  },
  'a number as value': (res) => {
    res.setHeader('X-Count', 42)
    res.end('text')
  },
  'an empty value': (res) => {
    res.setHeader('X-Empty', '')
    res.end('text')
  },
  'writeHead(status)': (res) => {
    res.writeHead(203)
    res.end('text')
  },
  'writeHead(status, object)': (res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'X-List': ['1', '2'], 'X-Number': 3 })
    res.end('text')
  },
  'writeHead(status, flat array)': (res) => {
    res.writeHead(200, ['Content-Type', 'text/plain', 'X-Last', 'z'])
    res.end('text')
  },
  'writeHead(status, reason)': (res) => {
    res.writeHead(200, 'Quite Fine')
    res.end('text')
  },
  'writeHead(status, reason, object)': (res) => {
    res.writeHead(200, 'Quite Fine', { 'X-A': '1' })
    res.end('text')
  },
  'writeHead(status, reason, flat array)': (res) => {
    res.writeHead(200, 'Quite Fine', ['X-A', '1', 'X-B', '2'])
    res.end('text')
  },
  'writeHead with undefined in the middle': (res) => {
    res.writeHead(200, undefined as never, { 'X-A': '1' } as never)
    res.end('text')
  },
  'setHeader, writeHead(status, object)': (res) => {
    res.setHeader('X-A', 'replaced')
    res.setHeader('X-B', 'kept')
    res.writeHead(200, { 'X-A': 'new', 'X-C': '3' })
    res.end('text')
  },
  'setHeader, writeHead(status, flat array)': (res) => {
    res.setHeader('X-A', 'replaced')
    res.writeHead(200, ['X-A', 'new', 'X-C', '3'])
    res.end('text')
  },
  statusMessage: (res) => {
    res.statusMessage = 'My Words'
    res.end('text')
  },
  'declared length, writeHead, end': (res) => {
    res.writeHead(200, { 'Content-Length': '4' })
    res.end('text')
  },
  'flushHeaders, write, end': (res) => {
    res.setHeader('X-A', '1')
    res.flushHeaders()
    res.write('one ')
    res.end('two')
  },
  'flushHeaders, end': (res) => {
    res.flushHeaders()
    res.end()
  },
  'write, write, end': (res) => {
    res.write('one ')
    res.write(Buffer.from('two '))
    res.end()
  },
  'write(string, encoding), write(callback)': (res) => {
    res.write('4869', 'hex')
    res.write('more', () => {})
    res.write('bGVzcw==', 'base64', () => {})
    res.end()
  },
  'write of nothing': (res) => {
    res.write('')
    res.end('text')
  },
  'late end': (res) => {
    res.write('early')
    setImmediate(() => res.end())
  },
  'pipe of a stream': (res) => Readable.from([Buffer.from('one '), Buffer.from('two')]).pipe(res),
  'pipe of a file': (res) => createReadStream(file).pipe(res),
  pipeline: (res) => pipeline(Readable.from(['one ', 'two']), res, () => {}),
  'cork, write, uncork': (res) => {
    res.cork()
    res.write('one ')
    res.write('two')
    res.uncork()
    res.end()
  },
  'status 204': (res) => {
    res.statusCode = 204
    res.end()
  },
  'status 204 with a body that node drops': (res) => {
    res.statusCode = 204
    res.end('dropped')
  },
  'status 301': (res) => {
    res.writeHead(301, { Location: '/b' })
    res.end()
  },
  'status 301 with a body': (res) => {
    res.writeHead(301, { Location: '/b' })
    res.end('moved')
  },
  'a buffer that is used again after write': (res) => {
    const buffer = Buffer.from('abcd')
    res.write(buffer, () => {
      buffer.fill('x')
      res.end()
    })
  },
}

/** The same for what Express adds. */
const EXPRESS_SHAPES: Readonly<Record<string, (res: Response) => unknown>> = {
  'send(string)': (res) => res.send('<p>text</p>'),
  'send(Buffer)': (res) => res.send(Buffer.from([1, 2, 3])),
  'send(object)': (res) => res.send({ a: 1 }),
  'send of nothing': (res) => res.send(),
  json: (res) => res.json([1, { b: null }]),
  'status, set, send': (res) => res.status(203).set({ 'X-A': '1', 'X-B': '2' }).type('txt').send('text'),
  'sendStatus(204)': (res) => res.sendStatus(204),
  append: (res) => res.append('Link', '</a>').append('Link', '</b>').send('text'),
  'redirect(301)': (res) => res.redirect(301, '/elsewhere'),
  sendFile: (res) => res.sendFile(file, { maxAge: '1h' }),
  download: (res) => res.download(file, 'name.html', { maxAge: '1h' } as never),
  attachment: (res) => res.attachment('a.txt').send('text'),
  format: (res) => res.format({ text: () => res.send('text'), json: () => res.json('json') }),
}

/** What must be equal: everything but what caches add, framing and the time. */
function comparable({ status, reason, fields, text }: Answer): unknown {
  const left = fields.filter(([name]) => !OWN.has(name.toLowerCase())).map(([name, value]) => `${name}: ${value}`)
  return { status, reason, text, fields: left }
}

const OWN = new Set([
  'age',
  'cache-status',
  'x-cache',
  'date',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
])

for (const framework of FRAMEWORKS) {
  describe(`intercepting a response on ${framework}`, () => {
    let bench: Bench
    let calls: number

    beforeEach(() => {
      bench = makeBench()
      calls = 0
    })
    afterEach(closeSites)

    const listener = (shape: Shape, options = {}): Handler =>
      makeListener(framework, [cacheMiddleware({ cache: bench.cache, ...options })], (req, res) => {
        calls++
        shape(res, req)
      }) as Handler
    const start = (shape: Shape, options = {}): Promise<Site> => openSite(listener(shape, options) as never)

    context('of any call shape', () => {
      const shapes: Readonly<Record<string, Shape>> = framework.startsWith('Express')
        ? { ...SHAPES, ...(EXPRESS_SHAPES as Readonly<Record<string, unknown>> as typeof SHAPES) }
        : SHAPES
      for (const [name, shape] of Object.entries(shapes)) {
        it(`answers ${name} as without the cache, the first time and from memory`, async () => {
          const plain = await openSite(makeListener(framework, [], (req, res) => void shape(res, req)))
          const site = await start(shape, { encodings: false })
          const [wanted, miss, hit] = [await plain.get(), await site.get(), await site.get()]
          expect(comparable(miss), 'miss').to.deep.equal(comparable(wanted))
          expect(comparable(hit), 'hit').to.deep.equal(comparable(wanted))
          expect(hit.header('x-cache')).to.equal('HIT')
          expect(calls).to.equal(1)
          expect(miss.header('content-length')).to.equal(wanted.header('content-length'))
          expect(miss.header('transfer-encoding')).to.equal(wanted.header('transfer-encoding'))
          const length = wanted.status === 204 ? undefined : String(wanted.body.length)
          expect(hit.header('content-length')).to.equal(length)
        })

        it(`answers ${name} with no more than a word in Vary where it may be coded`, async () => {
          const plain = await openSite(makeListener(framework, [], (req, res) => void shape(res, req)))
          const site = await start(shape)
          const wanted = comparable(await plain.get())
          for (const answer of [await site.get(), await site.get()]) {
            const fields = answer.fields.filter(([field, value]) => !(field === 'Vary' && value === 'Accept-Encoding'))
            expect(comparable({ ...answer, fields })).to.deep.equal(wanted)
          }
        })
      }
    })

    // Node 20 drops lines and refuses pairs where fields were set before, as Express does: we do not.
    for (const [name, lines] of Object.entries({
      'a flat array with repeats': ['X-A', '1', 'Link', '</a>', 'Link', '</b>', 'X-Z', '2'],
      'an array of pairs': [
        ['X-A', '1'],
        ['Link', '</a>'],
        ['Link', '</b>'],
        ['X-Z', '2'],
      ],
    })) {
      it(`keeps every line of ${name}, in order`, async () => {
        const site = await start((res) => {
          res.setHeader('X-Before', '0')
          res.writeHead(200, lines as string[])
          res.end('text')
        })
        for (const answer of [await site.get(), await site.get()]) {
          const sent = answer.fields.filter(([field]) => /^(x-[abz]|link)/i.test(field))
          expect(sent.map((line) => line.join(': '))).to.deep.equal([
            'X-Before: 0',
            'X-A: 1',
            'Link: </a>',
            'Link: </b>',
            'X-Z: 2',
          ])
        }
        expect(calls).to.equal(1)
      })
    }

    context('that other middlewares change, too', () => {
      /** What `on-headers` does, in its oldest form: it knows objects and pairs only. */
      function onHead(res: ServerResponse, listener: () => void): void {
        const { writeHead } = res
        let fired = false
        res.writeHead = function (this: ServerResponse, status: number, ...rest: unknown[]) {
          const reason = typeof rest[0] === 'string' ? [rest.shift()] : []
          this.statusCode = status
          const fields = rest[0]
          if (Array.isArray(fields))
            for (const [name, value] of fields as [string, string][]) this.setHeader(name, value)
          else if (typeof fields === 'object' && fields !== null)
            for (const [name, value] of Object.entries(fields)) this.setHeader(name, value as string)
          if (!fired) {
            fired = true
            listener()
          }
          return Reflect.apply(writeHead, this, [this.statusCode, ...reason]) as ServerResponse
        } as ServerResponse['writeHead']
      }

      for (const [name, answer] of Object.entries({
        'end(chunk)': (res: ServerResponse) => res.end('text'),
        'write and end': (res: ServerResponse) => {
          res.write('te')
          res.end('xt')
        },
        writeHead: (res: ServerResponse) => {
          res.writeHead(200, { 'X-H': '1' })
          res.end('text')
        },
      })) {
        it(`keeps what a hook below the cache sets while the head is written by ${name}`, async () => {
          const hook: Handler = (_req, res, next) => {
            onHead(res, () => res.setHeader('X-Late', 'late'))
            next()
          }
          const site = await openSite(
            makeListener(framework, [cacheMiddleware({ cache: bench.cache }), hook], (_req, res) => void answer(res)),
          )
          const [miss, hit] = [await site.get(), await site.get()]
          expect(hit.header('x-cache')).to.equal('HIT')
          expect(miss.header('x-late')).to.equal('late')
          expect(comparable(hit)).to.deep.equal(comparable(miss))
        })

        it(`lets a hook above the cache act on hits, too, with ${name}`, async () => {
          let count = 0
          const hook: Handler = (_req, res, next) => {
            onHead(res, () => res.setHeader('X-Outer', String(++count)))
            next()
          }
          const site = await openSite(
            makeListener(framework, [hook, cacheMiddleware({ cache: bench.cache })], (_req, res) => {
              res.setHeader('Content-Type', 'text/plain')
              answer(res)
            }),
          )
          const [miss, hit] = [await site.get(), await site.get()]
          expect([miss.header('x-outer'), hit.header('x-outer')]).to.deep.equal(['1', '2'])
          expect(hit.header('content-type')).to.equal('text/plain')
          expect(hit.header('x-cache')).to.equal('HIT')
          expect(hit.text).to.equal('text')
        })

        for (const place of ['above', 'below'] as const) {
          it(`does not store what gets a cookie from a hook ${place} the cache, with ${name}`, async () => {
            const hook: Handler = (_req, res, next) => {
              onHead(res, () => res.setHeader('Set-Cookie', `sid=${++calls}`))
              next()
            }
            const cached = cacheMiddleware({ cache: bench.cache })
            const site = await openSite(
              makeListener(framework, place === 'above' ? [hook, cached] : [cached, hook], (_req, res) => {
                res.setHeader('Cache-Control', 'public, max-age=60')
                answer(res)
              }),
            )
            const answers = [await site.get(), await site.get()]
            expect(answers.map((one) => one.header('set-cookie'))).to.deep.equal(['sid=1', 'sid=2'])
            expect(answers[1]?.header('x-cache')).to.equal('MISS')
          })
        }

        it(`does not store what a hook makes private while the head is written by ${name}`, async () => {
          const hook: Handler = (_req, res, next) => {
            onHead(res, () => res.setHeader('Cache-Control', 'private'))
            next()
          }
          const site = await openSite(
            makeListener(framework, [hook, cacheMiddleware({ cache: bench.cache })], (_req, res) => {
              calls++
              answer(res)
            }),
          )
          await site.get()
          await site.get()
          expect(calls).to.equal(2)
        })

        it(`does not store as 200 what a hook turns into an error while the head is written by ${name}`, async () => {
          const hook: Handler = (_req, res, next) => {
            onHead(res, () => {
              res.statusCode = 503
            })
            next()
          }
          const site = await openSite(
            makeListener(framework, [cacheMiddleware({ cache: bench.cache }), hook], (_req, res) => void answer(res)),
          )
          expect((await site.get()).status).to.equal(503)
          expect((await site.get()).header('x-cache')).to.equal('MISS')
        })
      }
    })

    context('that is streamed', () => {
      it('lets the first byte go before the handler has ended', async () => {
        let finish: () => void = () => {}
        const site = await start((res) => {
          res.write('first')
          finish = () => res.end(' last')
        })
        const socket = openExchange(site.port)
        let seen = ''
        socket.on('data', (chunk) => {
          seen += chunk.toString()
        })
        await until(() => seen.includes('first'))
        expect(seen).not.to.contain('last')
        finish()
        await until(() => seen.includes('last'))
        expect((await site.get()).text).to.equal('first last')
        expect(calls).to.equal(1)
      })

      it('lets the head go with flushHeaders', async () => {
        let finish: () => void = () => {}
        const site = await start((res) => {
          res.flushHeaders()
          finish = () => res.end('x')
        })
        const socket = openExchange(site.port)
        let seen = ''
        socket.on('data', (chunk) => {
          seen += chunk.toString()
        })
        await until(() => seen.includes('\r\n\r\n'))
        finish()
        await until(() => seen.includes('x\r\n0'))
      })

      it('keeps back-pressure: write returns false, drain comes, little is buffered', async () => {
        let highest = 0
        let drained = 0
        const chunk = Buffer.alloc(64 * 1024, 'x')
        const chunks = 500
        const site = await start(
          (res) => {
            let left = chunks
            const more = (): void => {
              while (left > 0) {
                left--
                const go = res.write(chunk)
                highest = Math.max(highest, res.writableLength)
                if (go) continue
                res.once('drain', () => {
                  drained++
                  more()
                })
                return
              }
              res.end()
            }
            more()
          },
          { maxBodySize: '100kb' },
        )
        const socket = openExchange(site.port)
        let received = 0
        socket.pause()
        await until(() => calls === 1)
        await new Promise((resolve) => setTimeout(resolve, 50))
        socket.on('data', (data) => {
          received += data.length
        })
        socket.resume()
        await until(() => received >= chunks * chunk.length)
        expect(highest).to.be.below(2 * 1024 ** 2)
        expect(drained).to.be.above(10)
      })

      it('passes a body on that is too large to be kept, whole', async () => {
        const site = await start(
          (res) => {
            for (let index = 0; index < 30; index++) res.write('x'.repeat(1_000))
            res.end()
          },
          { maxBodySize: 10_000 },
        )
        expect((await site.get()).body).to.have.length(30_000)
        expect((await site.get()).body).to.have.length(30_000)
        expect(calls).to.equal(2)
      })

      it('keeps a body of exactly the limit, and not one byte more', async () => {
        const site = await start((res, req) => res.end('x'.repeat(Number(req.url?.slice(1)))), { maxBodySize: 1_000 })
        for (const path of ['/1000', '/1000', '/1001', '/1001']) await site.get(path)
        expect(calls).to.equal(3)
      })

      it('says at the head that a declared length is too large', async () => {
        const site = await start(
          (res) => {
            res.setHeader('Content-Length', 20_000)
            res.write('x'.repeat(10_000))
            res.end('x'.repeat(10_000))
          },
          { maxBodySize: 10_000 },
        )
        expect((await site.get()).header('cache-status'))
          .to.contain('stored=?0')
          .and.contain('detail=too-large')
      })
    })

    context('that is not whole', () => {
      const broken: Readonly<Record<string, Shape>> = {
        'a body shorter than declared': (res) => {
          res.setHeader('Content-Length', 10)
          res.end('short')
        },
        'a body longer than declared': (res) => {
          res.setHeader('Content-Length', 2)
          res.write('long')
          res.end('er')
        },
        'a response destroyed by its handler': (res) => {
          res.write('part')
          setImmediate(() => res.destroy())
        },
        'a response destroyed before its head': (res) => res.destroy(),
        'a failing source under pipe': (res) => {
          const source = new PassThrough()
          source.on('error', () => res.destroy())
          source.pipe(res)
          source.write('part')
          setImmediate(() => source.destroy(new Error('disk')))
        },
        'a failing source under pipeline': (res) => {
          const source = new PassThrough()
          pipeline(source, res, () => {})
          source.write('part')
          setImmediate(() => source.destroy(new Error('disk')))
        },
        'a response whose socket is written to directly': (res) => {
          res.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
        },
      }
      for (const [name, shape] of Object.entries(broken)) {
        it(`does not store ${name}`, async () => {
          const site = await start(shape)
          await site.get().catch(() => {})
          await site.get().catch(() => {})
          expect(calls).to.equal(2)
        })

        it(`lets nobody wait in vain for ${name}`, async () => {
          let release: () => void = () => {}
          const gate = new Promise<void>((resolve) => {
            release = resolve
          })
          const site = await start((res, req) => {
            if (calls === 1) void gate.then(() => shape(res, req))
            else res.end('whole')
          })
          const first = site.get().catch(() => {})
          await until(() => calls === 1)
          const second = site.get()
          const begun = performance.now()
          await new Promise((resolve) => setImmediate(resolve))
          release()
          await first
          expect((await second).text).to.equal('whole')
          expect(performance.now() - begun).to.be.below(700)
        })
      }

      it('stores nothing when the client leaves while the handler streams', async () => {
        let closed = false
        const site = await start((res) => {
          res.write('part')
          if (calls > 1) return res.end('whole')
          return res.on('close', () => {
            closed = true
            res.end('rest')
          })
        })
        const socket = openExchange(site.port)
        await new Promise((resolve) => socket.once('data', resolve))
        socket.destroy()
        await until(() => closed)
        expect((await site.get()).text).to.equal('partwhole')
        expect((await site.get()).header('x-cache')).to.equal('HIT')
      })
    })

    context('of a handler that goes wrong', () => {
      const wrong: Readonly<Record<string, Shape>> = {
        'writes something that is no chunk': (res) => res.write(42 as never),
        'writes null': (res) => res.write(null as never),
        'ends with something that is no chunk': (res) => res.end(42 as never),
        'gives a reason phrase that is none': (res) => res.writeHead(200, 'bad\nreason'),
        'leaves a reason phrase that is none': (res) => {
          res.statusMessage = 'bad\nreason'
          res.end('text')
        },
        'gives a field value that is none': (res) => res.writeHead(200, { 'X-A': 'bad\nvalue' }),
        'gives a field value that is undefined': (res) => res.writeHead(200, { 'X-A': undefined }),
        'gives a field name that is none': (res) => res.writeHead(200, { 'bad name': '1' }),
        'gives a status that is none': (res) => res.writeHead(99),
        'gives an odd array': (res) => res.writeHead(200, ['X-A']),
      }
      for (const [name, shape] of Object.entries(wrong)) {
        it(`answers as without the cache and stores nothing when it ${name}`, async () => {
          const guarded: Handler = (req, res) => {
            calls++
            try {
              shape(res, req)
            } catch {
              res.statusCode = 500
              res.statusMessage = ''
              res.end('sorry')
            }
          }
          const plain = await openSite(makeListener(framework, [], guarded))
          const site = await openSite(makeListener(framework, [cacheMiddleware({ cache: bench.cache })], guarded))
          const wanted = await plain.get()
          expect(wanted.status).to.equal(500)
          calls = 0
          for (let turn = 1; turn <= 2; turn++) {
            const answer = await site.get()
            expect([answer.status, answer.text]).to.deep.equal([wanted.status, wanted.text])
            expect(answer.header('x-cache')).to.equal('MISS')
            expect(answer.header('cache-status')).to.contain('stored=?0')
            expect(calls).to.equal(turn)
          }
          expect(bench.outcomes).to.have.length(2)
        })
      }

      const thrown: Readonly<Record<string, Shape>> = {
        'writeHead twice': (res) => {
          res.writeHead(200)
          res.writeHead(200)
        },
        'writeHead after write': (res) => {
          res.write('x')
          res.writeHead(200)
        },
        'setHeader after write': (res) => {
          res.write('x')
          res.setHeader('X-A', '1')
        },
        'setHeader after flushHeaders': (res) => {
          res.flushHeaders()
          res.setHeader('X-A', '1')
        },
        'writeHead after end': (res) => {
          res.end('x')
          res.writeHead(200)
        },
      }
      for (const [name, shape] of Object.entries(thrown)) {
        it(`throws ERR_HTTP_HEADERS_SENT for ${name}`, async () => {
          let code: unknown
          const site = await start((res, req) => {
            try {
              shape(res, req)
            } catch (error) {
              code = (error as { code?: unknown }).code
            }
            if (!res.writableEnded) res.end()
          })
          await site.get()
          expect(code).to.equal('ERR_HTTP_HEADERS_SENT')
        })
      }

      it('ignores a second end', async () => {
        const site = await start((res) => {
          res.end('one')
          res.end()
        })
        expect((await site.get()).text).to.equal('one')
        expect((await site.get()).text).to.equal('one')
        expect(calls).to.equal(1)
      })

      it('does not add what is written after the end', async () => {
        const site = await start((res) => {
          res.on('error', () => {})
          res.end('one')
          res.write('two')
        })
        await site.get()
        expect((await site.get()).text).to.equal('one')
      })
    })

    it('calls back and chains as node does', async () => {
      const told: unknown[] = []
      const site = await start((res) => {
        told.push(res.writeHead(200) === res)
        res.write('a', () => told.push('written'))
        told.push(res.end('b', () => told.push('ended')) === res)
      })
      await site.get()
      expect(told).to.deep.equal([true, true, 'written', 'ended'])
    })
  })
}

for (const framework of EXPRESSES) {
  describe(`intercepting an error page of ${framework}`, () => {
    afterEach(closeSites)

    const failures: Record<string, Handler> = {
      'thrown error': () => {
        throw new Error('boom')
      },
      'next(error)': (_req, _res, next) => next(new Error('boom')),
      'bad write': (_req, res) => void res.write(42 as never),
      'bad end': (_req, res) => void res.end({} as never),
      'error after fields of a success': (_req, res, next) => {
        res.setHeader('Cache-Control', 'public, max-age=600')
        res.setHeader('ETag', '"1"')
        next(new Error('boom'))
      },
      'error after an annotated success': (_req, res, next) => {
        res.statusCode = 200
        next(Object.assign(new Error('boom'), { status: 404 }))
      },
    }
    if (framework === 'Express 5') failures['rejection'] = async () => Promise.reject(new Error('boom'))
    for (const [name, handler] of Object.entries(failures)) {
      it(`does not store the page after a ${name}`, async () => {
        const { cache } = makeBench()
        let calls = 0
        const site = await openSite(
          makeListener(framework, [cacheMiddleware({ cache })], (req, res, next) => {
            calls++
            return handler(req, res, next)
          }),
        )
        const answers = [await site.get(), await site.get()]
        expect(calls).to.equal(2)
        for (const answer of answers) expect(answer.status).to.be.oneOf([404, 500])
      })
    }

    it('destroys and does not store what fails after its head', async () => {
      const { cache } = makeBench()
      let calls = 0
      const site = await openSite(
        makeListener(framework, [cacheMiddleware({ cache })], (_req, res, next) => {
          calls++
          res.write('part')
          next(new Error('boom'))
        }),
      )
      for (let turn = 0; turn < 2; turn++) await site.get().catch(() => {})
      expect(calls).to.equal(2)
    })
  })
}
