import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type ClientHttp2Stream, connect, constants, createServer, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import compression from 'compression'
import fc from 'fast-check'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Framework, type Handler, makeListener } from '../support/app.ts'
import type { RequestShape } from '../support/http-client.ts'
import { isWhole, Reading } from '../support/reading.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

const PLACES = ['cacheMiddleware', 'withCache'] as const
const PIECES = ['one, ', 'two, ', 'three, ', 'four, ', 'five'] as const
const WHOLE = PIECES.join('')

/** Let the event loop turn, so that what may happen does. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** An application whose handler writes what a test tells it to, and those who ask for its only page. */
class Stage {
  readonly bench: Bench = makeBench()
  /** The responses that the handler was given. */
  readonly made: ServerResponse[] = []
  /** The responses of all requests, as the server has made them. */
  readonly all: ServerResponse[] = []
  #site: Site | undefined

  async open(
    framework: Framework,
    place: (typeof PLACES)[number],
    options: CacheMiddlewareOptions = {},
    above: readonly Handler[] = [],
    handler: Handler = () => {},
  ): Promise<void> {
    const { cache } = this.bench
    const all = { cache, headers: 'standard', ...options } as const
    const note: Handler = (_req, res, next) => {
      this.all.push(res)
      next()
    }
    const last: Handler = (req, res, next) => {
      this.made.push(res)
      return handler(req, res, next)
    }
    const listener =
      place === 'withCache'
        ? makeListener('node:http', [note, ...above], withCache(makeListener(framework, [], last), all))
        : makeListener(framework, [note, ...above, cacheMiddleware(all)], last)
    this.#site = await openSite(listener)
  }

  get site(): Site {
    if (this.#site === undefined) throw new Error('not open')
    return this.#site
  }

  read(headers: RequestShape['headers'] = {}, shape: RequestShape = {}): Reading {
    return new Reading(this.site.port, { path: '/a', headers, ...shape })
  }

  /** One that leads: the handler has its response. */
  async lead(headers?: RequestShape['headers']): Promise<{ readonly leader: Reading; readonly res: ServerResponse }> {
    const count = this.made.length
    const leader = this.read(headers)
    await until(() => this.made.length > count)
    return { leader, res: this.made[count] as ServerResponse }
  }

  /** So many that wait for what the leader brings. */
  async wait(count: number, headers?: RequestShape['headers']): Promise<Reading[]> {
    const before = this.waiting
    const readings = Array.from({ length: count }, () => this.read(headers))
    await until(() => this.waiting === before + count)
    return readings
  }

  get waiting(): number {
    return this.bench.cache.stats().limits.waiters.current
  }

  get shared(): number {
    return this.bench.cache.stats().limits.shared.current
  }

  /** One leads, others have begun with the first piece. */
  async begin(count: number): Promise<{ leader: Reading; res: ServerResponse; waiters: Reading[] }> {
    const { leader, res } = await this.lead()
    const waiters = await this.wait(count)
    res.setHeader('Content-Length', WHOLE.length)
    res.write(PIECES[0])
    for (const waiter of waiters) await waiter.reaches(PIECES[0])
    return { leader, res, waiters }
  }
}

for (const framework of FRAMEWORKS)
  for (const place of PLACES)
    describe(`a response that others wait for, on ${framework} with ${place}`, () => {
      let stage: Stage
      beforeEach(() => {
        stage = new Stage()
      })
      afterEach(closeSites)

      const open = (options?: CacheMiddlewareOptions, above?: readonly Handler[], handler?: Handler): Promise<void> =>
        stage.open(framework, place, options, above, handler)

      it('is theirs piece by piece while the handler makes it', async () => {
        await open()
        const { leader, res, waiters } = await stage.begin(5)
        let sent = PIECES[0] as string
        for (const piece of PIECES.slice(1, -1)) {
          res.write(piece)
          sent += piece
          for (const waiter of waiters) await waiter.reaches(sent)
        }
        expect(stage.shared).to.equal(WHOLE.length)
        // Joins late, and has the same from the beginning.
        const late = stage.read()
        await late.reaches(sent)
        res.end(PIECES.at(-1))
        for (const reading of [...waiters, late]) {
          const answer = await reading.end()
          expect(answer.text).to.equal(WHOLE)
          expect(answer.header('content-length')).to.equal(String(WHOLE.length))
          expect(answer.header('cache-status')).to.equal('cachewell; fwd=uri-miss; ttl=60; collapsed')
          expect(answer.header('age')).to.equal('0')
        }
        expect((await leader.end()).text).to.equal(WHOLE)
        expect(stage.made).to.have.length(1)
        const hit = await stage.site.get('/a')
        expect([hit.text, hit.header('cache-status')]).to.deep.equal([WHOLE, 'cachewell; hit; ttl=60'])
        expect([stage.waiting, stage.shared]).to.deep.equal([0, 0])
        expect(stage.bench.cache.stats().counters).to.include({ collapsed: 6, stored: 1 })
      })

      it('has its last piece only when the handler has ended it', async () => {
        await open()
        const { res, waiters } = await stage.begin(2)
        for (const piece of PIECES.slice(1)) res.write(piece)
        const withheld = WHOLE.slice(0, -(PIECES.at(-1)?.length ?? 0))
        for (const waiter of waiters) await waiter.reaches(withheld)
        await turns()
        for (const waiter of waiters) expect(waiter.answer.text).to.equal(withheld)
        res.end()
        for (const waiter of waiters) expect((await waiter.end()).text).to.equal(WHOLE)
      })

      it('goes to the handler’s own client at once, whoever waits', async () => {
        await open()
        const { leader, res } = await stage.begin(1)
        await leader.reaches(PIECES[0])
        res.end(WHOLE.slice(PIECES[0].length))
        expect((await leader.end()).header('cache-status')).to.equal('cachewell; fwd=uri-miss; ttl=60; stored')
      })

      it('goes on for the others when one of them leaves', async () => {
        await open()
        const { res, waiters } = await stage.begin(3)
        waiters[0]?.socket.destroy()
        await until(() => stage.waiting === 2)
        res.end(WHOLE.slice(PIECES[0].length))
        for (const waiter of waiters.slice(1)) expect((await waiter.end()).text).to.equal(WHOLE)
        expect(stage.waiting).to.equal(0)
      })

      it('holds no memory when all of them have left', async () => {
        await open()
        const { res, waiters } = await stage.begin(2)
        for (const waiter of waiters) waiter.socket.destroy()
        await until(() => stage.waiting === 0)
        expect(stage.shared).to.equal(0)
        res.end(WHOLE.slice(PIECES[0].length))
      })

      for (const [how, fail] of Object.entries({
        'is destroyed by its handler': (res) => void res.destroy(),
        'is destroyed when all of it was written': (res) => {
          res.write(WHOLE.slice(PIECES[0].length))
          setImmediate(() => res.destroy())
        },
        'loses its connection on this side': (res) => void res.socket?.destroy(),
        'ends too early': (res) => void res.end(PIECES[1]),
        'ends without another word': (res) => void res.end(),
        'grows longer than it said': (res) => void res.end(`${WHOLE}${WHOLE}`),
      } satisfies Record<string, (res: ServerResponse) => void>)) {
        it(`shows those who have begun when it ${how}`, async () => {
          await open()
          const { res, waiters } = await stage.begin(3)
          fail(res)
          for (const waiter of waiters) {
            const answer = await waiter.end()
            expect(answer.status).to.equal(200)
            expect(isWhole(answer), 'whole').to.equal(false)
            expect(WHOLE.startsWith(answer.text), 'the start of it').to.equal(true)
          }
          expect([stage.waiting, stage.shared]).to.deep.equal([0, 0])
          expect((await stage.bench.cache.entries()).entries).to.deep.equal([])
          const { leader, res: next } = await stage.lead()
          next.end('anew')
          expect((await leader.end()).text).to.equal('anew')
        })
      }

      it('shows those who have begun when the handler fails after its head', async () => {
        const fails: ((error: Error) => void)[] = []
        await open({}, [], (_req, _res, next) => void fails.push(next))
        const { waiters } = await stage.begin(2)
        fails[0]?.(new Error('late'))
        for (const waiter of waiters) expect(isWhole(await waiter.end())).to.equal(false)
        expect((await stage.bench.cache.entries()).entries).to.deep.equal([])
      })

      for (const [how, send] of Object.entries({
        pipe: (source, res) => void source.pipe(res),
        pipeline: (source, res) => void pipeline(source, res, () => {}),
      } satisfies Record<string, (source: PassThrough, res: ServerResponse) => unknown>)) {
        it(`ends with the client that leads where it comes by ${how} (NOD-13)`, async () => {
          await open({ handlerTimeoutMs: '1h' })
          const { leader, res } = await stage.lead()
          const [waiter] = (await stage.wait(1)) as [Reading]
          const source = new PassThrough()
          res.setHeader('Content-Length', WHOLE.length)
          send(source, res)
          source.write(PIECES[0])
          await waiter.reaches(PIECES[0])
          leader.socket.destroy()
          expect(isWhole(await waiter.end())).to.equal(false)
        })
      }

      it('goes on without the client that leads, where the handler does (NOD-13)', async () => {
        await open()
        const { leader, res, waiters } = await stage.begin(2)
        const closed = new Promise((resolve) => res.once('close', resolve))
        leader.socket.destroy()
        await closed
        res.write(PIECES[1])
        for (const waiter of waiters) await waiter.reaches(PIECES[0] + PIECES[1])
        res.end(WHOLE.slice((PIECES[0] + PIECES[1]).length))
        for (const waiter of waiters) expect((await waiter.end()).text).to.equal(WHOLE)
        expect((await stage.site.get('/a')).header('cache-status')).to.equal('cachewell; hit; ttl=60')
      })

      it('ends where the handler gives it up without the client that leads', async () => {
        await open({ handlerTimeoutMs: '1h' })
        const { leader, res, waiters } = await stage.begin(2)
        const closed = new Promise((resolve) => res.once('close', resolve))
        leader.socket.destroy()
        await closed
        await turns()
        expect(stage.waiting).to.equal(2)
        res.destroy()
        for (const waiter of waiters) expect(isWhole(await waiter.end())).to.equal(false)
      })

      it('is made anew for those who have not begun when it fails', async () => {
        await open()
        const { res } = await stage.lead()
        const waiters = await stage.wait(2)
        res.setHeader('Content-Length', WHOLE.length)
        res.write(PIECES[0])
        res.destroy()
        await until(() => stage.made.length === 2)
        stage.made[1]?.end('anew')
        for (const waiter of waiters) expect((await waiter.end()).text).to.equal('anew')
      })

      it('ends when the client that leads has left and the handler is silent (NOD-15)', async () => {
        await open({ handlerTimeoutMs: 50 })
        const { leader, waiters } = await stage.begin(2)
        leader.socket.destroy()
        for (const waiter of waiters) expect(isWhole(await waiter.end())).to.equal(false)
        expect([stage.waiting, stage.shared]).to.deep.equal([0, 0])
      })

      it('goes to those who began before a write, and to nobody after it', async () => {
        await open()
        const { res, waiters } = await stage.begin(2)
        const [part] = (await stage.wait(1, { Range: 'bytes=0-1' })) as [Reading]
        await stage.bench.cache.invalidate({ urls: ['/a'] })
        const { leader: newcomer, res: newer } = await stage.lead()
        res.end(WHOLE.slice(PIECES[0].length))
        for (const waiter of waiters) expect((await waiter.end()).text).to.equal(WHOLE)
        newer.end('new')
        expect((await newcomer.end()).text).to.equal('new')
        expect((await part.end()).text).to.equal('ne')
        expect((await stage.site.get('/a')).text).to.equal('new')
      })

      it('goes to nobody whose wait a write has overtaken', async () => {
        await open()
        const { res } = await stage.lead()
        const [waiter] = (await stage.wait(1)) as [Reading]
        await stage.bench.cache.invalidate({ urls: ['/a'] })
        res.setHeader('Content-Length', WHOLE.length)
        res.write(PIECES[0])
        await turns()
        expect(stage.made, 'it waits for the end').to.have.length(1)
        res.end(WHOLE.slice(PIECES[0].length))
        await until(() => stage.made.length === 2)
        expect(waiter.begun).to.equal(false)
        stage.made[1]?.end('new')
        expect((await waiter.end()).text).to.equal('new')
      })

      it('is for everybody in the end where its length is not known', async () => {
        await open()
        const { res } = await stage.lead()
        const waiters = await stage.wait(3)
        res.write(PIECES[0])
        await turns()
        expect(waiters.map((waiter) => waiter.begun)).to.deep.equal([false, false, false])
        res.end(PIECES[1])
        for (const waiter of waiters) {
          const answer = await waiter.end()
          expect([answer.text, answer.header('content-length')]).to.deep.equal(['one, two, ', '10'])
        }
        expect(stage.made).to.have.length(1)
      })

      it('is nobody else’s once it has grown too large, and nobody waits for the next one', async () => {
        await open({ maxBodySize: 10 })
        const { res } = await stage.lead()
        const waiters = await stage.wait(3)
        res.write('0123456789')
        await turns()
        expect(stage.made).to.have.length(1)
        res.write('0')
        await until(() => stage.made.length === 4)
        expect(waiters.map((waiter) => waiter.begun)).to.deep.equal([false, false, false])
        for (const each of stage.made) each.end('!')
        for (const waiter of waiters) {
          const answer = await waiter.end()
          expect(answer.text).to.equal('!')
          expect(answer.header('cache-status')).to.match(/; collapsed=\?0$/)
        }
      })

      it('is not for those who ask for another variant', async () => {
        await open()
        const { res } = await stage.lead({ 'Accept-Language': 'de' })
        const [german] = (await stage.wait(1, { 'Accept-Language': 'de' })) as [Reading]
        const english = (await stage.wait(2, { 'Accept-Language': 'en' })) as [Reading, Reading]
        res.setHeader('Vary', 'Accept-Language')
        res.setHeader('Content-Length', WHOLE.length)
        res.write(PIECES[0])
        // One of them leads, without waiting for the end of the first.
        await until(() => stage.made.length === 2)
        await german.reaches(PIECES[0])
        expect(english.map((reading) => reading.begun)).to.deep.equal([false, false])
        stage.made[1]?.setHeader('Vary', 'Accept-Language')
        stage.made[1]?.end('english')
        for (const reading of english) expect((await reading.end()).text).to.equal('english')
        res.end(WHOLE.slice(PIECES[0].length))
        expect((await german.end()).text).to.equal(WHOLE)
        expect(stage.made).to.have.length(2)
      })

      it('is not for those with credentials', async () => {
        await open()
        const { res } = await stage.begin(1)
        const { leader, res: own } = await stage.lead({ Cookie: 'a=1' })
        own.end('mine')
        expect((await leader.end()).text).to.equal('mine')
        res.end(WHOLE.slice(PIECES[0].length))
      })

      it('answers a condition at once, and a range when it is whole', async () => {
        await open()
        const { res } = await stage.lead()
        const [holds] = (await stage.wait(1, { 'If-None-Match': '"v1"' })) as [Reading]
        const [differs] = (await stage.wait(1, { 'If-None-Match': '"v0"' })) as [Reading]
        const [part] = (await stage.wait(1, { Range: 'bytes=1-3' })) as [Reading]
        res.setHeader('ETag', '"v1"')
        res.setHeader('Content-Length', WHOLE.length)
        res.write(PIECES[0])
        expect((await holds.end()).status).to.equal(304)
        await differs.reaches(PIECES[0])
        expect(part.begun).to.equal(false)
        res.end(WHOLE.slice(PIECES[0].length))
        const ended = await part.end()
        expect([ended.status, ended.text]).to.deep.equal([206, 'ne,'])
        expect((await differs.end()).text).to.equal(WHOLE)
        expect(stage.made).to.have.length(1)
      })

      it('gives its head at once to HEAD', async () => {
        await open()
        const { res } = await stage.begin(1)
        const head = await stage.site.send({ method: 'HEAD', path: '/a' })
        expect([head.header('content-length'), head.header('cache-status')]).to.deep.equal([
          String(WHOLE.length),
          'cachewell; fwd=uri-miss; ttl=60; collapsed',
        ])
        res.end(WHOLE.slice(PIECES[0].length))
      })

      it('is whole where the leader’s client has asked for a part', async () => {
        await open()
        const { leader, res } = await stage.lead({ Range: 'bytes=0-2' })
        const [waiter] = (await stage.wait(1)) as [Reading]
        res.setHeader('Content-Length', WHOLE.length)
        res.write(PIECES[0])
        await waiter.reaches(PIECES[0])
        res.end(WHOLE.slice(PIECES[0].length))
        expect((await waiter.end()).text).to.equal(WHOLE)
        expect((await leader.end()).text).to.equal('one')
      })

      it('is coded for each below compression()', async () => {
        await open({}, [compression({ threshold: 0 }) as unknown as Handler])
        const { res } = await stage.lead({ 'Accept-Encoding': 'gzip' })
        const [coded] = (await stage.wait(1, { 'Accept-Encoding': 'gzip' })) as [Reading]
        const [plain] = (await stage.wait(1)) as [Reading]
        res.setHeader('Content-Type', 'text/plain')
        res.setHeader('Content-Length', WHOLE.length)
        res.write(PIECES[0])
        await plain.reaches(PIECES[0])
        res.end(WHOLE.slice(PIECES[0].length))
        expect((await plain.end()).text).to.equal(WHOLE)
        const { body, header } = await coded.end()
        expect(header('content-encoding')).to.equal('gzip')
        expect(gunzipSync(body).toString()).to.equal(WHOLE)
      })
    })

describe('a response that others wait for', () => {
  let stage: Stage
  beforeEach(() => {
    stage = new Stage()
  })
  afterEach(closeSites)

  it('comes to each as fast as it reads', async () => {
    await stage.open('node:http', 'cacheMiddleware', { maxBodySize: '32mb' })
    const block = Buffer.alloc(64 * 1024, 'x')
    const { leader, res } = await stage.lead()
    const [slow, fast] = (await stage.wait(2)) as [Reading, Reading]
    slow.socket.pause()
    res.setHeader('Content-Length', 256 * block.length)
    let mostHeld = 0
    const [, ...copies] = stage.all
    const held = (): number[] => copies.map((copy) => copy.writableLength).toSorted((a, b) => a - b)
    for (let index = 0; index < 255; index++) {
      res.write(block)
      // The fast one has it before the next.
      await until(() => fast.size > (index + 1) * block.length)
      mostHeld = Math.max(mostHeld, held().at(-1) ?? 0)
    }
    // What the slow one has not read is not written to it: some of it is in the system's buffers, the rest is the recording's.
    expect(mostHeld).to.be.within(1, 3 * block.length)
    res.end(block)
    expect((await fast.end()).body.length).to.equal(256 * block.length)
    expect((await leader.end()).body.length).to.equal(256 * block.length)
    expect(slow.begun).to.equal(false)
    slow.socket.resume()
    const late = await slow.end()
    expect([late.body.length, late.body.every((byte) => byte === 120)]).to.deep.equal([256 * block.length, true])
  })

  it('is joined also when it takes longer than anybody waits for a head', async () => {
    await stage.open('node:http', 'cacheMiddleware')
    const { res, waiters } = await stage.begin(1)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const late = stage.read()
    await late.reaches(PIECES[0])
    res.end(WHOLE.slice(PIECES[0].length))
    for (const reading of [...waiters, late]) expect((await reading.end()).text).to.equal(WHOLE)
    expect(stage.made).to.have.length(1)
  })

  it('is waited for to its end where there is no room to share it', async () => {
    await stage.open('node:http', 'cacheMiddleware', { maxBodySize: '100mb' })
    const { res } = await stage.lead()
    const [waiter] = (await stage.wait(1)) as [Reading]
    res.setHeader('Content-Length', 65 * 1024 ** 2)
    res.write(PIECES[0])
    await until(() => stage.bench.cache.stats().limits.shared.refused === 1)
    res.destroy()
    await until(() => stage.made.length === 2)
    expect(waiter.begun).to.equal(false)
    stage.made[1]?.end('anew')
    expect((await waiter.end()).text).to.equal('anew')
    expect(stage.bench.cache.stats().limits.shared).to.deep.equal({
      limit: 64 * 1024 ** 2,
      current: 0,
      peak: 0,
      refused: 1,
    })
  })

  it('leaves each request its own context', async () => {
    const contexts = new AsyncLocalStorage<string>()
    const seen: string[] = []
    const above: Handler = (req, res, next) => {
      const name = String(req.headers['x-name'])
      res.on('finish', () => seen.push(`${name} in ${contexts.getStore()}`))
      contexts.run(name, () => next())
    }
    await stage.open('node:http', 'cacheMiddleware', {}, [above])
    const { res } = await stage.lead({ 'X-Name': 'leader' })
    const [waiter] = (await stage.wait(1, { 'X-Name': 'waiter' })) as [Reading]
    res.setHeader('Content-Length', WHOLE.length)
    res.write(PIECES[0])
    await waiter.reaches(PIECES[0])
    contexts.run('somebody else', () => res.end(WHOLE.slice(PIECES[0].length)))
    await waiter.end()
    await until(() => seen.length === 2)
    expect(seen).to.include('waiter in waiter')
  })

  it('makes its failure that of the cache where somebody above fails', async () => {
    const above: Handler = (req, res, next) => {
      if (req.headers['x-name'] === 'breaks') {
        res.write = () => {
          throw new Error('above')
        }
      }
      next()
    }
    await stage.open('node:http', 'cacheMiddleware', {}, [above])
    const { res } = await stage.lead()
    const [breaks] = (await stage.wait(1, { 'X-Name': 'breaks' })) as [Reading]
    const [other] = (await stage.wait(1)) as [Reading]
    res.setHeader('Content-Length', WHOLE.length)
    res.write(PIECES[0])
    await other.reaches(PIECES[0])
    await until(() => stage.bench.errors.length === 1)
    expect(stage.bench.errors[0]?.where).to.equal('collapse')
    res.end(WHOLE.slice(PIECES[0].length))
    expect((await other.end()).text).to.equal(WHOLE)
    await until(() => breaks.socket.destroyed)
  })

  it('is for each the handler’s bytes, or shows that it is not, however it is written and read', async function () {
    this.timeout(60_000)
    await stage.open('node:http', 'cacheMiddleware')
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 40_000 }) }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('ask' as const) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'lead away' as const, 'write to it' as const) }),
      },
    )
    const ending = fc.constantFrom(
      'well' as const,
      'well' as const,
      'short' as const,
      'long' as const,
      'destroyed' as const,
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        ending,
        fc.integer({ min: 1, max: 99 }),
        async (steps, how, seed) => {
          await stage.bench.cache.invalidate({ all: true })
          const first = stage.made.length
          const { leader, res } = await stage.lead()
          const length = steps.reduce((sum, one) => sum + (one.do === 'write' ? one.bytes : 0), 1)
          const whole = Buffer.from(Array.from({ length }, (_, index) => (index * seed) % 251))
          res.setHeader('Content-Length', length + (how === 'short' ? 1 : 0))
          const asked: { readonly reading: Reading; left: boolean }[] = [{ reading: leader, left: false }]
          let written = 0
          for (const one of steps) {
            if (one.do === 'write') {
              res.write(whole.subarray(written, written + one.bytes))
              written += one.bytes
            } else if (one.do === 'ask') asked.push({ reading: stage.read(), left: false })
            else if (one.do === 'turn') await new Promise((resolve) => setImmediate(resolve))
            else if (one.do === 'write to it') await stage.bench.cache.invalidate({ urls: ['/a'] })
            else {
              const leaving = one.do === 'leave' ? asked.at(-1) : asked[0]
              if (leaving === undefined) continue
              leaving.reading.socket.destroy()
              leaving.left = true
            }
          }
          if (how === 'destroyed') res.destroy()
          else res.end(how === 'long' ? Buffer.concat([whole.subarray(written), whole]) : whole.subarray(written))
          // Whoever came too late, or in vain, leads by turns.
          let answered = first + 1
          const over = Promise.all(asked.map(async ({ reading }) => reading.end()))
          let isOver = false
          void over.finally(() => {
            isOver = true
          })
          while (!isOver) {
            for (; answered < stage.made.length; answered++) stage.made[answered]?.end(whole)
            await new Promise((resolve) => setImmediate(resolve))
          }
          for (const { reading, left } of asked.slice(1)) {
            if (!reading.begun) {
              expect(left, 'an answer').to.equal(true)
              continue
            }
            const { body } = reading.answer
            expect(whole.subarray(0, body.length).equals(body), 'the bytes').to.equal(true)
            const isComplete = isWhole(reading.answer)
            if (isComplete) expect(body.length).to.equal(length)
            else expect(left || how !== 'well', 'cut off').to.equal(true)
          }
          await until(() => stage.waiting === 0 && stage.shared === 0)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('shows over HTTP/2, too', async () => {
    const made: Http2ServerResponse[] = []
    const cached = cacheMiddleware({ cache: stage.bench.cache, headers: 'standard' })
    const server = createServer((req, res) => cached(req as never, res as never, () => void made.push(res)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const ask = (): { readonly stream: ClientHttp2Stream; text: string } => {
      const asked = { stream: client.request({ ':path': '/a' }), text: '' }
      asked.stream.on('error', () => {})
      asked.stream.setEncoding('utf8').on('data', (text: string) => {
        asked.text += text
      })
      return asked
    }
    const begin = async (count: number): Promise<ReturnType<typeof ask>[]> => {
      const before = made.length
      const leader = ask()
      await until(() => made.length === before + 1)
      const waiters = Array.from({ length: count }, ask)
      await until(() => stage.waiting === count)
      made[before]?.setHeader('Content-Length', WHOLE.length)
      made[before]?.write(PIECES[0])
      await until(() => waiters.every(({ text }) => text === PIECES[0]))
      return [leader, ...waiters]
    }
    try {
      const [failing, ...cut] = await begin(2)
      made[0]?.destroy()
      for (const { stream } of cut) {
        await until(() => stream.destroyed)
        expect(stream.rstCode, 'reset').to.equal(constants.NGHTTP2_INTERNAL_ERROR)
      }
      failing?.stream.destroy()
      const [leader, ...waiters] = await begin(2)
      leader?.stream.close(constants.NGHTTP2_CANCEL)
      await once(made[1] as Http2ServerResponse, 'close')
      made[1]?.end(WHOLE.slice(PIECES[0].length))
      for (const waiter of waiters) {
        await until(() => waiter.stream.destroyed)
        expect([waiter.text, waiter.stream.rstCode]).to.deep.equal([WHOLE, constants.NGHTTP2_NO_ERROR])
      }
      expect(made).to.have.length(2)
    } finally {
      client.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
