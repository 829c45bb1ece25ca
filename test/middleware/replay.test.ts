import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'chai'
import type { ResponseEntry } from '../../lib/responses.ts'
import { MemoryStore } from '../../lib/stores/memory.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { heededIn } from '../../middleware/heeded.ts'
import { type Client, replay } from '../../middleware/replay.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import { responseEntry } from '../support/entries.ts'
import { FakeClock } from '../support/fake-clock.ts'
import type { Answer } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

const BODY = '0123456789'

/** The lines of each part of a multipart answer; fails when its framing is wrong. */
function partsOf(answer: Answer): string[][] {
  const [, boundary = ''] = /^multipart\/byteranges; boundary=([0-9A-Za-z]{1,70})$/.exec(
    answer.header('content-type') ?? '',
  ) ?? ['']
  expect(boundary).not.to.equal('')
  const [start, ...parts] = `\r\n${answer.text}`.split(`\r\n--${boundary}`)
  expect([start, parts.pop()]).to.deep.equal(['', '--\r\n'])
  return parts.map((part) => part.slice(2).split('\r\n'))
}

for (const framework of FRAMEWORKS) {
  describe(`answering from memory on ${framework}`, () => {
    let bench: Bench

    beforeEach(() => {
      bench = makeBench()
    })
    afterEach(closeSites)

    function start(
      answering: (res: ServerResponse, req: IncomingMessage) => unknown,
      options: CacheMiddlewareOptions = {},
      above: readonly Handler[] = [],
    ): Promise<Site> {
      const cached = cacheMiddleware({ cache: bench.cache, ...options })
      return openSite(makeListener(framework, [...above, cached], (req, res) => answering(res, req)))
    }

    context('with the fields that tell of it', () => {
      const cacheStatus = async (site: Site, headers = {}): Promise<string | undefined> =>
        (await site.get('/a', headers)).header('cache-status')

      it('says exactly what happened in standard form', async () => {
        const site = await start((res) => res.end('x'), { headers: 'standard', ttl: '30s' })
        expect(await cacheStatus(site)).to.equal('cachewell; fwd=uri-miss; ttl=30; stored')
        bench.clock.advance(1_500)
        expect(await cacheStatus(site)).to.equal('cachewell; hit; ttl=28')
        expect(await cacheStatus(site, { Cookie: 'a=1' })).to.equal('cachewell; fwd=bypass; detail=cookie')
        bench.clock.advance(30_000)
        expect(await cacheStatus(site)).to.equal('cachewell; fwd=uri-miss; ttl=30; stored')
        expect((await site.send({ method: 'POST', path: '/a' })).header('cache-status')).to.equal(
          'cachewell; fwd=method',
        )
      })

      it('says why it went to the handler', async () => {
        const site = await start(
          (res, req) => {
            if (req.url === '/a') res.setHeader('Vary', 'Accept-Language')
            else res.setHeader('Cache-Control', 'private')
            res.end('x')
          },
          { headers: 'standard' },
        )
        await site.get('/a', { 'Accept-Language': 'de' })
        expect(await cacheStatus(site, { 'Accept-Language': 'fr' })).to.equal(
          'cachewell; fwd=vary-miss; ttl=60; stored',
        )
        expect((await site.get('/b')).header('cache-status')).to.equal(
          'cachewell; fwd=uri-miss; stored=?0; detail=private',
        )
      })

      it('adds the key and X-Cache for debugging', async () => {
        const site = await start((res) => res.end('x'), { headers: 'debug' })
        const [miss, hit] = [await site.get('/a?b=1'), await site.get('/a?b=1')]
        const key = 'key="R 1 app G http://shop.example/a?b=1"'
        expect(miss.header('cache-status')).to.equal(`cachewell; fwd=uri-miss; ttl=60; stored; ${key}`)
        expect(hit.header('cache-status')).to.equal(`cachewell; hit; ttl=60; ${key}`)
        expect([miss.header('x-cache'), hit.header('x-cache')]).to.deep.equal(['MISS', 'HIT'])
      })

      it('says nothing with headers: false', async () => {
        const site = await start((res) => res.end('x'), { headers: false })
        for (const answer of [await site.get('/a'), await site.get('/a'), await site.send({ method: 'POST' })]) {
          expect(answer.header('cache-status')).to.equal(undefined)
          expect(answer.header('x-cache')).to.equal(undefined)
        }
        expect((await site.get('/a')).header('age')).to.equal('0')
      })

      for (const [environment, expected] of [
        ['production', undefined],
        ['development', 'MISS'],
      ] as const) {
        it(`reads NODE_ENV=${environment} when it is made`, async () => {
          const before = process.env['NODE_ENV']
          process.env['NODE_ENV'] = environment
          const starting = start((res) => res.end('x'))
          if (before === undefined) delete process.env['NODE_ENV']
          else process.env['NODE_ENV'] = before
          const answer = await (await starting).get('/a')
          expect(answer.header('x-cache')).to.equal(expected)
          expect(answer.header('cache-status')).to.contain('cachewell')
        })
      }

      it('comes after the Cache-Status of the handler, on misses and hits', async () => {
        const site = await start(
          (res) => {
            res.setHeader('Cache-Status', 'upstream; hit')
            res.end('x')
          },
          { headers: 'standard' },
        )
        expect(await cacheStatus(site)).to.equal('upstream; hit, cachewell; fwd=uri-miss; ttl=60; stored')
        expect(await cacheStatus(site)).to.equal('upstream; hit, cachewell; hit; ttl=60')
      })

      it('shows one X-Cache where the handler sends one of its own', async () => {
        const site = await start((res) => {
          res.setHeader('X-Cache', 'Miss from cloudfront')
          res.end('x')
        })
        for (const expected of ['MISS', 'HIT'])
          expect((await site.get('/a')).lines('x-cache')).to.deep.equal([expected])
      })

      it('keeps an X-Cache of the handler in standard form', async () => {
        const site = await start(
          (res) => {
            res.setHeader('X-Cache', 'Miss from cloudfront')
            res.end('x')
          },
          { headers: 'standard' },
        )
        for (let turn = 0; turn < 2; turn++) expect((await site.get('/a')).lines('x-cache')).to.have.length(1)
      })

      it('counts Age from the miss, in whole seconds', async () => {
        const site = await start((res) => res.end('x'))
        expect((await site.get('/a')).header('age')).to.equal(undefined)
        const ages: (string | undefined)[] = []
        for (const ms of [0, 999, 1, 9_000]) {
          bench.clock.advance(ms)
          ages.push((await site.get('/a')).header('age'))
        }
        expect(ages).to.deep.equal(['0', '0', '1', '10'])
      })

      it('adds its Age to that of the response, on one line', async () => {
        const site = await start((res) => {
          res.setHeader('Age', '30')
          res.setHeader('Cache-Control', 'max-age=60')
          res.end('x')
        })
        expect((await site.get('/a')).lines('age')).to.deep.equal(['30'])
        bench.clock.advance(5_000)
        expect((await site.get('/a')).lines('age')).to.deep.equal(['35'])
      })

      it('keeps the Date of the miss', async () => {
        const site = await start((res) => res.end('x'))
        const miss = (await site.get('/a')).lines('date')
        bench.clock.advance(10_000)
        expect((await site.get('/a')).lines('date')).to.deep.equal(miss)
        expect(miss).to.deep.equal(['Fri, 20 Nov 2026 12:00:00 GMT'])
      })

      it('keeps a Date of the handler', async () => {
        const date = 'Fri, 20 Nov 2026 11:59:58 GMT'
        const site = await start((res) => {
          res.setHeader('Date', date)
          res.end('x')
        })
        for (let turn = 0; turn < 2; turn++) expect((await site.get('/a')).lines('date')).to.deep.equal([date])
      })

      it('leaves fields of outer middlewares to them, request by request', async () => {
        let count = 0
        const outer: Handler = (_req, res, next) => {
          res.setHeader('X-Request-Id', String(++count))
          res.setHeader('X-Frame-Options', 'DENY')
          next()
        }
        const site = await start(
          (res) => {
            res.setHeader('X-Frame-Options', 'SAMEORIGIN')
            res.end('x')
          },
          {},
          [outer],
        )
        for (const id of ['1', '2', '3']) {
          const answer = await site.get('/a')
          expect(answer.lines('x-request-id')).to.deep.equal([id])
          expect(answer.lines('x-frame-options')).to.deep.equal(['SAMEORIGIN'])
        }
      })

      it('drops fields of the connection, and what Connection names', async () => {
        const site = await start((res) => {
          res.setHeader('Connection', 'close, X-Hop')
          res.setHeader('X-Hop', '1')
          res.setHeader('Keep-Alive', 'timeout=99')
          res.end('x')
        })
        await site.get('/a')
        const hit = await site.get('/a')
        expect(hit.header('x-hop')).to.equal(undefined)
        expect(hit.header('keep-alive')).not.to.equal('timeout=99')
      })

      it('leaves out what no-cache="field" and private="field" name', async () => {
        const site = await start((res) => {
          res.setHeader('Cache-Control', 'max-age=60, no-cache="x-once", private="x-mine"')
          res.setHeader('X-Once', '1')
          res.setHeader('X-Mine', '1')
          res.end('x')
        })
        const [miss, hit] = [await site.get('/a'), await site.get('/a')]
        expect([miss.header('x-once'), miss.header('x-mine')]).to.deep.equal(['1', '1'])
        expect([hit.header('x-once'), hit.header('x-mine')]).to.deep.equal([undefined, undefined])
        expect(hit.header('x-cache')).to.equal('HIT')
      })
    })

    context('with etag: true', () => {
      it('adds a weak entity tag to bodies that have none, and answers 304 to it', async () => {
        const site = await start((res) => res.end('text'), { etag: true })
        const etag = (await site.get('/a')).header('etag') ?? ''
        expect(etag).to.match(/^W\/".+"$/)
        expect((await site.get('/a')).header('etag')).to.equal(etag)
        expect((await site.get('/a', { 'If-None-Match': etag })).status).to.equal(304)
      })

      it('leaves the tag of a handler alone', async () => {
        const site = await start(
          (res) => {
            res.setHeader('ETag', '"mine"')
            res.end('text')
          },
          { etag: true },
        )
        expect((await site.get('/a')).header('etag')).to.equal('"mine"')
      })

      it('adds none without the option, nor to errors', async () => {
        const plain = await start((res) => res.end('text'))
        expect((await plain.get('/a')).header('etag')).to.equal(undefined)
        const failing = await start(
          (res) => {
            res.statusCode = 404
            res.end('text')
          },
          { etag: true },
        )
        expect((await failing.get('/a')).header('etag')).to.equal(undefined)
      })
    })

    context('for conditions', () => {
      const tagged = (res: ServerResponse): void => {
        res.writeHead(200, 'My Words', {
          'Content-Type': 'text/plain',
          ETag: '"v1"',
          'Last-Modified': 'Mon, 02 Nov 2026 10:00:00 GMT',
          'Cache-Control': 'max-age=60',
          'X-Other': '1',
        })
        res.end(BODY)
      }
      for (const value of ['"v1"', 'W/"v1"', '"v0", "v1"', '*']) {
        it(`answers 304 to If-None-Match: ${value}`, async () => {
          const site = await start(tagged)
          await site.get('/a')
          bench.clock.advance(3_000)
          const answer = await site.get('/a', { 'If-None-Match': value })
          expect([answer.status, answer.reason, answer.text]).to.deep.equal([304, 'Not Modified', ''])
          const names = ['etag', 'cache-control', 'age', 'x-other', 'content-type', 'last-modified', 'content-length']
          expect(names.map((name) => answer.header(name))).to.deep.equal([
            '"v1"',
            'max-age=60',
            '3',
            '1',
            undefined,
            undefined,
            undefined,
          ])
        })
      }
      for (const value of ['"v2"', 'v1', 'w/"v1"', '"V1"', '']) {
        it(`answers the whole to If-None-Match: ${value}, whatever the date`, async () => {
          const site = await start(tagged)
          await site.get('/a')
          const since = 'Mon, 02 Nov 2026 10:00:00 GMT'
          const answer = await site.get('/a', { 'If-None-Match': value, 'If-Modified-Since': since })
          expect([answer.status, answer.reason, answer.text]).to.deep.equal([200, 'My Words', BODY])
        })
      }
      it('answers HEAD with 304, too', async () => {
        const site = await start(tagged)
        await site.get('/a')
        const answer = await site.send({ method: 'HEAD', path: '/a', headers: { 'If-None-Match': '"v1"' } })
        expect(answer.status).to.equal(304)
      })
      it('does not evaluate conditions on what is no 200', async () => {
        const site = await start((res) => {
          res.writeHead(301, { Location: '/b', ETag: '"v1"' })
          res.end()
        })
        await site.get('/a')
        expect((await site.get('/a', { 'If-None-Match': '"v1"' })).status).to.equal(301)
      })
    })

    context('for ranges', () => {
      const whole = (res: ServerResponse): void => {
        res.writeHead(200, 'My Words', {
          'Content-Type': 'text/plain',
          ETag: '"v1"',
          'Last-Modified': 'Mon, 02 Nov 2026 10:00:00 GMT',
          'Content-Length': BODY.length,
        })
        res.end(BODY)
      }
      const parts: Readonly<Record<string, readonly [number, string, string | undefined]>> = {
        'bytes=0-3': [206, '0123', 'bytes 0-3/10'],
        'bytes=0-0': [206, '0', 'bytes 0-0/10'],
        'bytes=8-': [206, '89', 'bytes 8-9/10'],
        'bytes=8-99': [206, '89', 'bytes 8-9/10'],
        'bytes=-2': [206, '89', 'bytes 8-9/10'],
        'bytes=-99': [206, BODY, 'bytes 0-9/10'],
        'Bytes=0-0': [206, '0', 'bytes 0-0/10'],
        'bytes=10-': [416, '', 'bytes */10'],
        'bytes=-0': [416, '', 'bytes */10'],
        'bytes=5-2': [200, BODY, undefined],
        'bytes=a-b': [200, BODY, undefined],
        'bytes=0-0,x': [200, BODY, undefined],
        'bytes=0-3,2-5,4-7': [200, BODY, undefined],
        'bytes=0-99999999999999999999999999': [206, BODY, 'bytes 0-9/10'],
        'bytes=0-1,2-3': [206, '0123', 'bytes 0-3/10'],
        'bytes=4-5,0-3': [206, '012345', 'bytes 0-5/10'],
        'bytes=0-0,99-': [206, '0', 'bytes 0-0/10'],
        'bytes=99-,-0': [416, '', 'bytes */10'],
        'items=0-1': [200, BODY, undefined],
      }
      for (const [range, expected] of Object.entries(parts)) {
        it(`answers ${range} with ${expected[0]}`, async () => {
          const site = await start(whole)
          await site.get('/a')
          const answer = await site.get('/a', { Range: range })
          expect([answer.status, answer.text, answer.header('content-range')]).to.deep.equal(expected)
          expect(answer.header('content-length')).to.equal(String(expected[1].length))
          expect(answer.header('x-cache')).to.equal('HIT')
          expect(answer.reason).to.equal(
            { 200: 'My Words', 206: 'Partial Content', 416: 'Range Not Satisfiable' }[expected[0]],
          )
        })
      }
      for (const [condition, status] of [
        ['"v1"', 206],
        ['"v2"', 200],
        ['W/"v1"', 200],
        ['Mon, 02 Nov 2026 10:00:00 GMT', 206],
        ['Mon, 02 Nov 2026 10:00:01 GMT', 200],
        ['nonsense', 200],
      ] as const) {
        it(`answers ${status} where If-Range is ${condition}`, async () => {
          const site = await start(whole)
          await site.get('/a')
          expect((await site.get('/a', { Range: 'bytes=0-0', 'If-Range': condition })).status).to.equal(status)
        })
      }
      it('answers several ranges with one part each (RNG-11, TV-88)', async () => {
        const site = await start(whole)
        await site.get('/a')
        bench.clock.advance(3_000)
        const answer = await site.get('/a', { Range: 'bytes=8-,0-1,4-4' })
        expect([answer.status, answer.reason]).to.deep.equal([206, 'Partial Content'])
        expect(answer.header('content-range')).to.equal(undefined)
        expect(answer.lines('content-length')).to.deep.equal([String(answer.body.length)])
        expect(answer.header('transfer-encoding')).to.equal(undefined)
        expect(partsOf(answer)).to.deep.equal([
          ['Content-Type: text/plain', 'Content-Range: bytes 8-9/10', '', '89'],
          ['Content-Type: text/plain', 'Content-Range: bytes 0-1/10', '', '01'],
          ['Content-Type: text/plain', 'Content-Range: bytes 4-4/10', '', '4'],
        ])
        expect(['etag', 'last-modified', 'age', 'x-cache'].map((name) => answer.header(name))).to.deep.equal([
          '"v1"',
          'Mon, 02 Nov 2026 10:00:00 GMT',
          '3',
          'HIT',
        ])
      })
      it('gives each multipart a boundary of its own (RNG-11)', async () => {
        const site = await start(whole)
        await site.get('/a')
        const types = new Set<string | undefined>()
        for (let turn = 0; turn < 3; turn++) {
          types.add((await site.get('/a', { Range: 'bytes=0-0,2-2' })).header('content-type'))
        }
        expect(types.size).to.equal(3)
      })
      it('gives parts no type where the response has none (RNG-11)', async () => {
        const site = await start((res) => {
          res.setHeader('Content-Length', BODY.length)
          res.end(BODY)
        })
        await site.get('/a')
        const answer = await site.get('/a', { Range: 'bytes=0-0,2-2' })
        expect(partsOf(answer)).to.deep.equal([
          ['Content-Range: bytes 0-0/10', '', '0'],
          ['Content-Range: bytes 2-2/10', '', '2'],
        ])
      })
      it('shows parts no type that is withheld (CCR-3)', async () => {
        const site = await start((res) => {
          res.setHeader('Content-Type', 'text/x-secret')
          res.setHeader('Cache-Control', 'max-age=60, no-cache="content-type"')
          res.end(BODY)
        })
        await site.get('/a')
        const answer = await site.get('/a', { Range: 'bytes=0-0,2-2' })
        expect(partsOf(answer)).to.have.length(2)
        expect(answer.text).not.to.contain('secret')
      })
      it('keeps fields that repeat beside a multipart', async () => {
        const site = await start((res) => {
          res.setHeader('Content-Type', 'text/plain')
          res.setHeader('X-Twice', ['a', 'b'])
          res.end(BODY)
        })
        await site.get('/a')
        const answer = await site.get('/a', { Range: 'bytes=0-0,2-2' })
        expect(partsOf(answer)).to.have.length(2)
        expect(answer.lines('x-twice')).to.deep.equal(['a', 'b'])
        expect(answer.lines('content-type')).to.have.length(1)
      })
      it('answers 20 one-byte ranges with the whole (RNG-14, TV-95)', async () => {
        const site = await start((res) => res.end(BODY.repeat(10)))
        await site.get('/a')
        const list = Array.from({ length: 20 }, (_, index) => `${(index * 37) % 100}-${(index * 37) % 100}`)
        expect((await site.get('/a', { Range: `bytes=${list.join(',')}` })).status).to.equal(200)
      })
      it('ignores a Range that came on two lines (RNG-4)', async () => {
        const site = await start(whole)
        await site.get('/a')
        const answer = await site.get('/a', [
          ['Range', 'bytes=0-1'],
          ['Range', 'bytes=4-5'],
        ])
        expect([answer.status, answer.text]).to.deep.equal([200, BODY])
      })

      context('of a response with every field', () => {
        const dated = { Date: 'Fri, 20 Nov 2026 12:00:00 GMT', Expires: 'Fri, 20 Nov 2026 13:00:00 GMT' }
        const required = {
          ...dated,
          'Cache-Control': 'max-age=60',
          ETag: '"v1"',
          'Content-Location': '/a.txt',
          Vary: 'Accept-Language',
        }
        const ofRepresentation = {
          'Content-Encoding': 'x-rot13',
          'Content-Language': 'de',
          'Last-Modified': 'Mon, 02 Nov 2026 10:00:00 GMT',
          'Repr-Digest': 'sha-256=:AAAA:',
        }
        const ofContent = { 'Content-Digest': 'sha-256=:BBBB:', 'Content-MD5': 'CCCC' }
        const other = { 'X-Other': '1', 'Access-Control-Allow-Origin': '*' }
        const everything = (res: ServerResponse): void => {
          const fields = { ...required, ...ofRepresentation, ...ofContent, ...other, 'Content-Type': 'text/plain' }
          for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
          res.end(BODY)
        }
        const valuesIn = (answer: Answer, fields: object): Record<string, string | undefined> =>
          Object.fromEntries(Object.keys(fields).map((name) => [name, answer.header(name)]))
        const noneOf = (fields: object): Record<string, undefined> =>
          Object.fromEntries(Object.keys(fields).map((name) => [name, undefined]))

        for (const range of ['bytes=0-1', 'bytes=0-1,4-5']) {
          it(`keeps all but digests of the content for ${range} (RNG-15, RNG-16, RNG-17)`, async () => {
            const site = await start(everything)
            await site.get('/a')
            const answer = await site.get('/a', { Range: range })
            expect(answer.status).to.equal(206)
            const kept = { ...required, ...ofRepresentation, ...other, Age: '0' }
            expect(valuesIn(answer, kept)).to.deep.equal(kept)
            expect(valuesIn(answer, ofContent)).to.deep.equal(noneOf(ofContent))
          })
          it(`leaves out what the client has for ${range} with If-Range (RNG-15)`, async () => {
            const site = await start(everything)
            await site.get('/a')
            const answer = await site.get('/a', { Range: range, 'If-Range': '"v1"' })
            expect(answer.status).to.equal(206)
            const kept = { ...required, ...other, Age: '0' }
            expect(valuesIn(answer, kept)).to.deep.equal(kept)
            const gone = { ...ofRepresentation, ...ofContent }
            expect(valuesIn(answer, gone)).to.deep.equal(noneOf(gone))
          })
        }
        it('sends the type of one part only without If-Range, of several always (RNG-11, RNG-15)', async () => {
          const site = await start(everything)
          await site.get('/a')
          expect((await site.get('/a', { Range: 'bytes=0-1' })).header('content-type')).to.equal('text/plain')
          const one = await site.get('/a', { Range: 'bytes=0-1', 'If-Range': '"v1"' })
          expect([one.header('content-type'), one.text]).to.deep.equal([undefined, '01'])
          const several = await site.get('/a', { Range: 'bytes=0-1,4-5', 'If-Range': '"v1"' })
          expect(partsOf(several)).to.deep.equal([
            ['Content-Type: text/plain', 'Content-Range: bytes 0-1/10', '', '01'],
            ['Content-Type: text/plain', 'Content-Range: bytes 4-5/10', '', '45'],
          ])
        })
        it('gives nobody a reason to keep a 416 (RNG-18, TV-86)', async () => {
          const site = await start(everything)
          await site.get('/a')
          const answer = await site.get('/a', { Range: 'bytes=10-' })
          expect(answer.status).to.equal(416)
          const { Date: date, ...gone } = { ...required, ...ofRepresentation, ...ofContent, ...other }
          expect(valuesIn(answer, gone)).to.deep.equal(noneOf(gone))
          expect([answer.header('date'), answer.header('content-range')]).to.deep.equal([date, 'bytes */10'])
        })
        it('answers the whole with all fields where If-Range fails (RNG-7)', async () => {
          const site = await start(everything)
          await site.get('/a')
          const answer = await site.get('/a', { Range: 'bytes=0-1,4-5', 'If-Range': '"v2"' })
          expect([answer.status, answer.text]).to.deep.equal([200, BODY])
          const kept = { ...required, ...ofRepresentation, ...ofContent, ...other }
          expect(valuesIn(answer, kept)).to.deep.equal(kept)
        })
      })

      it('never matches If-Range with a weak tag (RNG-7, TV-90)', async () => {
        const site = await start((res) => {
          res.setHeader('ETag', 'W/"v1"')
          res.end(BODY)
        })
        await site.get('/a')
        for (const tag of ['W/"v1"', '"v1"']) {
          const answer = await site.get('/a', { Range: 'bytes=0-1', 'If-Range': tag })
          expect([answer.status, answer.text]).to.deep.equal([200, BODY])
        }
      })
      it('answers the whole of nothing (RNG-19)', async () => {
        const site = await start((res) => res.end())
        await site.get('/a')
        const answer = await site.get('/a', { Range: 'bytes=0-' })
        expect([answer.status, answer.header('content-length')]).to.deep.equal([200, '0'])
      })
      it('does not advertise ranges that the handler did not (RNG-22)', async () => {
        const site = await start(whole)
        await site.get('/a')
        expect((await site.get('/a')).header('accept-ranges')).to.equal(undefined)
      })
      it('answers a matching condition with 304, not with a part', async () => {
        const site = await start(whole)
        await site.get('/a')
        expect((await site.get('/a', { Range: 'bytes=0-0', 'If-None-Match': '"v1"' })).status).to.equal(304)
      })
      it('ignores ranges on HEAD and on what is no 200', async () => {
        const site = await start((res, req) => {
          if (req.url === '/moved') res.writeHead(301, { Location: '/b' })
          res.end(BODY)
        })
        await site.get('/a')
        await site.get('/moved')
        for (const range of ['bytes=0-0', 'bytes=0-0,2-2', 'bytes=99-']) {
          const head = await site.send({ method: 'HEAD', path: '/a', headers: { Range: range } })
          expect([head.status, head.header('content-length')]).to.deep.equal([200, '10'])
        }
        expect((await site.get('/moved', { Range: 'bytes=0-0' })).status).to.equal(301)
      })
      for (const none of ['none', 'None']) {
        it(`does not cut where the response says Accept-Ranges: ${none} (RNG-22)`, async () => {
          const site = await start((res) => {
            res.setHeader('Accept-Ranges', none)
            res.end(BODY)
          })
          await site.get('/a')
          for (const range of ['bytes=0-0', 'bytes=0-0,2-2', 'bytes=99-']) {
            const answer = await site.get('/a', { Range: range })
            expect([answer.status, answer.header('accept-ranges')]).to.deep.equal([200, none])
          }
        })
      }
    })

    it('answers only-if-cached with 504 where nothing is stored', async () => {
      let calls = 0
      const site = await start((res) => res.end(`${++calls}`))
      expect((await site.get('/a', { 'Cache-Control': 'only-if-cached' })).status).to.equal(504)
      await site.get('/a')
      expect((await site.get('/a', { 'Cache-Control': 'only-if-cached' })).text).to.equal('1')
    })

    it('does not store a response to no-store, but answers it from what is stored', async () => {
      let calls = 0
      const site = await start((res) => res.end(`${++calls}`))
      const headers = { 'Cache-Control': 'no-store' }
      await site.get('/a', headers)
      expect((await site.get('/a')).text).to.equal('2')
      expect((await site.get('/a', headers)).text).to.equal('2')
    })

    it('ignores no-cache and max-age=0 of clients, and honours them with requestDirectives', async () => {
      for (const [requestDirectives, expected] of [
        [false, '1'],
        [true, '2'],
      ] as const) {
        let calls = 0
        bench = makeBench()
        const site = await start((res) => res.end(`${++calls}`), { requestDirectives })
        await site.get('/a')
        expect((await site.get('/a', { 'Cache-Control': 'no-cache' })).text).to.equal(expected)
      }
    })
  })
}

describe('replay', () => {
  const clock = new FakeClock(Date.UTC(2026, 10, 20, 12))
  const entry = responseEntry(new MemoryStore({ maxBytes: 1e6, clock }), clock.now(), '/a', { value: BODY })

  /** What goes out for a request that is no node request. */
  function answerTo(asked: Pick<Client, 'method' | 'headers'>): {
    readonly status: number
    readonly body: string | undefined
  } {
    let status = 0
    let body: Buffer | undefined
    const res = {
      statusMessage: '',
      getHeader: () => undefined,
      setHeader() {},
      writeHead: (code: number) => void (status = code),
      end: (content?: Buffer) => void (body = content),
    }
    const settings = { headers: 'standard', encodings: undefined } as const
    replay(
      { ...asked, heeded: heededIn(asked.headers), res, settings },
      entry as ResponseEntry,
      { hit: true },
      clock.now(),
    )
    return { status, body: body?.toString() }
  }

  it('answers what a client had sent, whatever stands for the request', () => {
    expect(answerTo({ method: 'GET', headers: { range: 'bytes=0-1' } })).to.deep.equal({ status: 206, body: '01' })
    expect(answerTo({ method: 'GET', headers: { 'if-none-match': '*' } })).to.deep.equal({
      status: 304,
      body: undefined,
    })
    expect(answerTo({ method: 'GET', headers: {} })).to.deep.equal({ status: 200, body: BODY })
  })

  it('ignores ranges on every method but GET (RNG-1, QRY-9)', () => {
    for (const range of ['bytes=0-1', 'bytes=0-1,4-5', 'bytes=99-']) {
      expect(answerTo({ method: 'QUERY', headers: { range } })).to.deep.equal({ status: 200, body: BODY })
      expect(answerTo({ method: 'HEAD', headers: { range } })).to.deep.equal({ status: 200, body: undefined })
    }
  })
})
