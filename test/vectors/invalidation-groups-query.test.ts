import { once } from 'node:events'
import { type ClientHttp2Session, connect, createServer, type Http2Server, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { Response } from 'express'
import sinon from 'sinon'
import { type Listener, withCache } from '../../middleware/front.ts'
import type { Handler } from '../support/app.ts'
import { openExchange, parseAnswer, type RequestShape } from '../support/http-client.ts'
import { closeSites, makeBench, openSite, until } from '../support/site.ts'
import { type Answering, controlled, members, openScene, rawExchange, type Scene, told, type Verdict } from './scene.ts'

describe('test vectors: invalidation, groups, QUERY and the rest (36.6)', () => {
  afterEach(closeSites)
  afterEach(() => sinon.restore())

  /** GET answers that say which groups they are in, and this answer to everything else. */
  function grouped(groups: Readonly<Record<string, string>>, write: Answering = { status: 204 }): Answering {
    return (call, number) => {
      if (call.method !== 'GET') return typeof write === 'function' ? write(call, number) : write
      const list = groups[call.url]
      return controlled('max-age=60', list === undefined ? {} : { 'Cache-Groups': list })
    }
  }

  /** Who answers each of these paths now. */
  async function verdicts(scene: Scene, paths: readonly string[]): Promise<Readonly<Record<string, Verdict>>> {
    const found: Record<string, Verdict> = {}
    for (const path of paths) found[path] = (await scene.get(path)).verdict
    return found
  }

  for (const [method, status, expected] of [
    ['POST', 201, 'miss'],
    ['POST', 500, 'hit'],
    ['M-SEARCH', 200, 'miss'],
  ] as const) {
    it(`TV-97 after a ${method} with ${status} a fresh entry is a ${expected} (INV-1, INV-3)`, async () => {
      const scene = await openScene(({ method: asked }) =>
        asked === 'GET' ? controlled('max-age=60') : { status, body: 'written' },
      )
      await scene.get()
      const write = await scene.ask({ method })
      expect([write.status, write.told?.['fwd'], write.text]).to.deep.equal([status, 'method', 'written'])
      expect((await scene.get()).verdict).to.equal(expected)
    })
  }

  it('TV-98 a Location on this origin is invalidated, too (INV-4)', async () => {
    const scene = await openScene(grouped({}, { status: 201, fields: { Location: '/b' } }))
    for (const path of ['/b', '/c']) await scene.get(path)
    await scene.ask({ method: 'POST' })
    expect(await verdicts(scene, ['/b', '/c'])).to.deep.equal({ '/b': 'miss', '/c': 'hit' })
  })

  it('TV-98 a Location on another origin means nothing there, nor here (INV-5)', async () => {
    const scene = await openScene(grouped({}, { status: 201, fields: { Location: 'https://other/b' } }), {
      options: { trustProxy: true },
    })
    const elsewhere = { Host: 'other', 'X-Forwarded-Proto': 'https' }
    await scene.get('/b')
    await scene.get('/b', elsewhere)
    await scene.ask({ method: 'POST' })
    expect((await scene.get('/b', elsewhere)).verdict).to.equal('hit')
    expect((await scene.get('/b')).verdict).to.equal('hit')
    await scene.ask({ method: 'POST', headers: elsewhere })
    expect((await scene.get('/b', elsewhere)).verdict, 'the same origin').to.equal('miss')
  })

  it('TV-99 a fill that a write has overtaken serves its client and is not stored (STO-13, INV-8)', async () => {
    const held: Response[] = []
    const scene = await openScene(({ method }) =>
      method === 'GET' ? { write: (res) => void held.push(res) } : { status: 200, body: 'written' },
    )
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    expect((await scene.ask({ method: 'POST' })).text).to.equal('written')
    held[0]?.set('Cache-Control', 'max-age=60').end('old')
    expect((await slow).text).to.equal('old')
    scene.reply(controlled('max-age=60'))
    const next = await scene.get()
    expect([next.verdict, next.text]).to.deep.equal(['miss', 'body 3'])
    expect((await scene.get()).text).to.equal('body 3')
  })

  it('TV-100 a write takes the groups of what it hits along, and no groups of those (GRP-4, GRP-5)', async () => {
    const groups = { '/a': '"g1", "g2"', '/b': '"g2", "g3"', '/c': '"g1"', '/d': '"g3"' }
    const paths = Object.keys(groups)
    const scene = await openScene(grouped(groups))
    await verdicts(scene, paths)
    await scene.ask({ method: 'POST', path: '/a' })
    expect(await verdicts(scene, paths)).to.deep.equal({ '/a': 'miss', '/b': 'miss', '/c': 'miss', '/d': 'hit' })
  })

  it('TV-101 Cache-Group-Invalidation on the answer to a GET is ignored (GRP-6)', async () => {
    const scene = await openScene(({ url }) =>
      url === '/a'
        ? controlled('max-age=60', { 'Cache-Groups': '"g1"' })
        : controlled('no-store', { 'Cache-Group-Invalidation': '"g1"' }),
    )
    await scene.get('/a')
    const other = await scene.get('/b')
    expect([other.verdict, other.header('cache-group-invalidation')]).to.deep.equal(['miss', '"g1"'])
    expect((await scene.get('/a')).verdict).to.equal('hit')
  })

  it('TV-101 Cache-Group-Invalidation on the answer to a write counts (GRP-7)', async () => {
    const scene = await openScene(
      grouped({ '/a': '"g1"', '/b': '"G1"' }, { status: 204, fields: { 'Cache-Group-Invalidation': '"g1"' } }),
    )
    for (const path of ['/a', '/b']) await scene.get(path)
    await scene.ask({ method: 'POST', path: '/c' })
    expect(await verdicts(scene, ['/a', '/b'])).to.deep.equal({ '/a': 'miss', '/b': 'hit' })
  })

  it('TV-102 a Cache-Groups that is no list of strings is ignored as a whole, the response stored (GRP-1, SF-2)', async () => {
    const groups = { '/a': 'scripts', '/b': 'scripts', '/c': '"scripts"', '/d': '"scripts", styles' }
    const paths = Object.keys(groups)
    const write = { status: 204, fields: { 'Cache-Group-Invalidation': '"scripts"' } }
    const scene = await openScene(grouped(groups, write))
    await verdicts(scene, paths)
    expect((await scene.get('/a')).header('cache-groups')).to.equal('scripts')
    await scene.ask({ method: 'POST', path: '/e' })
    expect(await verdicts(scene, paths)).to.deep.equal({ '/a': 'hit', '/b': 'hit', '/c': 'miss', '/d': 'hit' })
    await scene.ask({ method: 'POST', path: '/a' })
    expect((await scene.get('/b')).verdict).to.equal('hit')
  })

  context('with QUERY', () => {
    const query = (body: string, type = 'application/json'): RequestShape => ({
      method: 'QUERY',
      headers: { 'Content-Type': type },
      body,
    })

    it('TV-103 is stored by its content and the type of that, which the handler sees intact (QRY-3, QRY-4)', async () => {
      const scene = await openScene(controlled('max-age=60'))
      for (const [shape, expected, text] of [
        [query('{"a":1}'), 'miss', 'body 1'],
        [query('{"a":1}'), 'hit', 'body 1'],
        [query('{"a": 1}'), 'miss', 'body 2'],
        [query('{"a":1}', 'text/plain'), 'miss', 'body 3'],
        [query('{"a": 1}'), 'hit', 'body 2'],
      ] as const) {
        const answer = await scene.ask(shape)
        expect([answer.verdict, answer.status, answer.text]).to.deep.equal([expected, 200, text])
      }
      expect(scene.calls.map(({ method, content }) => [method, content])).to.deep.equal([
        ['QUERY', '{"a":1}'],
        ['QUERY', '{"a": 1}'],
        ['QUERY', '{"a":1}'],
      ])
    })

    it('TV-104 answers no GET, and is invalidated by a write to its URI (QRY-2, QRY-12)', async () => {
      const scene = await openScene(controlled('max-age=60'))
      await scene.ask(query('{"a":1}'))
      expect((await scene.ask(query('{"a":1}'))).verdict).to.equal('hit')
      expect((await scene.get()).verdict).to.equal('miss')
      expect((await scene.ask(query('{"a":1}'))).verdict, 'a safe method invalidates nothing').to.equal('hit')
      await scene.ask({ method: 'POST' })
      expect((await scene.ask(query('{"a":1}'))).verdict).to.equal('miss')
    })
  })

  it('TV-105 an interim response goes to the client of the fill only (INT-1, INT-2)', async () => {
    const scene = await openScene({
      write: (res) => {
        res.writeEarlyHints({ link: '</style.css>; rel=preload' })
        res.set('Cache-Control', 'max-age=60').end('hello world')
      },
    })
    const raw = await rawExchange(scene.site.port, 'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n')
    expect(raw.toString('latin1')).to.match(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload\r\n\r\n/i)
    const final = parseAnswer(raw.subarray(raw.indexOf('\r\n\r\n') + 4))
    expect([final.status, final.text, final.header('link')]).to.deep.equal([200, 'hello world', undefined])
    const hit = await scene.get()
    expect([hit.verdict, hit.status, hit.text, hit.header('link')]).to.deep.equal([
      'hit',
      200,
      'hello world',
      undefined,
    ])
  })

  it('TV-106 a field that an outer middleware sets for each request is not replayed (XPR-3)', async () => {
    let requests = 0
    const identify: Handler = (_req, res, next) => {
      res.setHeader('X-Request-Id', String(++requests))
      next()
    }
    const scene = await openScene(controlled('max-age=60', { 'X-Inner': 'kept' }), { above: [identify] })
    for (const [expected, id] of [
      ['miss', '1'],
      ['hit', '2'],
      ['hit', '3'],
    ]) {
      const answer = await scene.get()
      expect([answer.verdict, answer.lines('x-request-id'), answer.header('x-inner')]).to.deep.equal([
        expected,
        [id],
        'kept',
      ])
    }
  })

  for (const [manner, fail] of Object.entries<(stub: sinon.SinonStub) => unknown>({
    throws: (stub) => stub.throws(new Error('broken')),
    rejects: (stub) => stub.rejects(new Error('broken')),
  })) {
    it(`TV-107 a store that ${manner} costs hits, never answers (STO-14)`, async () => {
      const scene = await openScene(controlled('max-age=60'))
      const { store } = scene.bench.cache.engine
      fail(sinon.stub(store, 'get'))
      fail(sinon.stub(store, 'set'))
      for (const text of ['body 1', 'body 2', 'body 3']) {
        const answer = await scene.get()
        expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['miss', 200, text])
      }
    })
  }
  it('TV-108 an echoed origin without Vary: Origin is not stored, and said so, profile safe (COR-2)', async () => {
    const echoed: Answering = ({ headers }) =>
      controlled('max-age=60', { 'Access-Control-Allow-Origin': headers.origin ?? '*' })
    const scene = await openScene(echoed, { options: { profile: 'safe' } })
    for (const origin of ['https://one.example', 'https://two.example']) {
      const answer = await scene.get('/a', { Origin: origin })
      expect([answer.verdict, answer.header('access-control-allow-origin')]).to.deep.equal(['miss', origin])
    }
    expect(scene.bench.warnings.join())
      .to.match(/Vary/i)
      .and.match(/Origin/i)
  })

  it('TV-108 an echoed origin with Vary: Origin is stored for that origin (COR-3)', async () => {
    const echoed: Answering = ({ headers }) =>
      controlled('max-age=60', { 'Access-Control-Allow-Origin': headers.origin ?? '*', Vary: 'Origin' })
    const scene = await openScene(echoed, { options: { profile: 'safe' } })
    for (const expected of ['miss', 'hit']) {
      for (const origin of ['https://one.example', 'https://two.example']) {
        const answer = await scene.get('/a', { Origin: origin })
        expect([answer.verdict, answer.header('access-control-allow-origin')]).to.deep.equal([expected, origin])
      }
    }
  })

  it('TV-109 a dictionary coding that Vary does not tell apart is not stored (CDT-1)', async () => {
    const coded = { 'Content-Encoding': 'dcb' }
    const scene = await openScene(controlled('max-age=60', { ...coded, Vary: 'Accept-Encoding' }))
    for (let turn = 0; turn < 2; turn++) expect((await scene.get()).verdict).to.equal('miss')
    scene.reply(controlled('max-age=60', { ...coded, Vary: 'Accept-Encoding, Available-Dictionary' }))
    await scene.get('/b')
    expect((await scene.get('/b')).verdict).to.equal('hit')
  })

  it('TV-110 our member of Cache-Status comes after those of others, once (CST-2, CST-13)', async () => {
    const scene = await openScene(controlled('max-age=60', { 'Cache-Status': 'Up; hit' }))
    const fill = await scene.get()
    expect(members(fill).map(({ name }) => name)).to.deep.equal(['Up', 'cachewell'])
    expect(members(fill)[0]).to.deep.equal({ name: 'Up', hit: true })
    expect(members(fill)[1]).to.include({ fwd: 'uri-miss', stored: true }).and.not.have.property('hit')
    for (let turn = 0; turn < 2; turn++) {
      scene.pass(5)
      const hit = await scene.get()
      expect(members(hit).map(({ name }) => name)).to.deep.equal(['Up', 'cachewell'])
      expect(members(hit)[0]).to.deep.equal({ name: 'Up', hit: true })
      expect(members(hit)[1])
        .to.include({ hit: true, ttl: 55 - 5 * turn })
        .and.not.have.any.keys('fwd', 'stored')
    }
  })

  it('TV-111 events are passed on as they come, nobody waits for them, and they are not stored (IFW-3, COL-8)', async () => {
    const streams: Response[] = []
    const scene = await openScene({
      write: (res) => {
        streams.push(res)
        res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'max-age=60' })
        res.write(`data: ${streams.length}\n\n`)
      },
    })
    const listen = async (event: string): Promise<void> => {
      const socket = openExchange(scene.site.port, { path: '/a' })
      let heard = ''
      socket.on('data', (chunk) => {
        heard += String(chunk)
      })
      await until(() => heard.includes(`data: ${event}\n\n`))
    }
    await listen('1')
    await listen('2')
    for (const stream of streams) stream.end()
    scene.reply(controlled('max-age=60'))
    expect((await scene.get()).verdict).to.equal('miss')
  })

  context('with HTTP/2', () => {
    let server: Http2Server
    let session: ClientHttp2Session

    afterEach(() => {
      session.destroy()
      server.close()
    })

    it('TV-112 :authority is the key, and what Host is to HTTP/1 (KEY-5, H2-1)', async () => {
      const { cache } = makeBench()
      let calls = 0
      const listener: Listener = (_req, res) => {
        calls++
        res.setHeader('Cache-Control', 'max-age=60')
        res.end(`body ${calls}`)
      }
      const options = { cache, profile: 'rfc', headers: 'standard' } as const
      const site = await openSite(withCache(listener, options))
      server = createServer(withCache(listener, options)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      const get = async (path: string, authority: string): Promise<readonly [IncomingHttpHeaders, string]> => {
        const stream = session.request({ ':path': path, ':authority': authority })
        const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
        let text = ''
        for await (const chunk of stream) text += String(chunk)
        return [head, text]
      }
      expect((await get('/a', 'shop.example'))[1]).to.equal('body 1')
      const hit = await site.get('/a', { Host: 'shop.example' })
      expect([hit.text, told(hit)?.['hit']]).to.deep.equal(['body 1', true])
      expect(hit.fields.filter(([name]) => name.startsWith(':'))).to.deep.equal([])
      expect((await get('/a', 'other.example'))[1]).to.equal('body 2')
      expect((await site.get('/b', { Host: 'shop.example' })).text).to.equal('body 3')
      const [head, text] = await get('/b', 'shop.example')
      expect([head[':status'], text]).to.deep.equal([200, 'body 3'])
      expect(head['cache-status']).to.match(/^cachewell; hit/)
      expect(calls).to.equal(3)
    })
  })

  it('TV-113 /__proto__ is a path like any other (KEY-11)', async () => {
    const scene = await openScene(({ url }) => ({ ...controlled('max-age=60'), body: url }))
    for (const expected of ['miss', 'hit']) {
      for (const path of ['/__proto__', '/constructor']) {
        const answer = await scene.get(path)
        expect([answer.verdict, answer.text]).to.deep.equal([expected, path])
      }
    }
  })

  // Node writes a head that goes out together with text in UTF-8, any other one in latin1.
  for (const [kind, body, tag] of [
    ['octets', Buffer.from('hello'), '"\xe9"'],
    ['text', 'hello', '"\xc3\xa9"'],
  ] as const) {
    it(`TV-113 octets above 127 in a tag, sent with ${kind}, are compared as octets (PAR-11)`, async () => {
      const scene = await openScene({ ...controlled('max-age=60', { ETag: '"\xe9"' }), body })
      const ask = async (fields = ''): Promise<string> => {
        const head = 'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n'
        return (await rawExchange(scene.site.port, `${head}${fields}\r\n`)).toString('latin1')
      }
      const etag = /\r\netag: (.*)\r\n/i
      expect(etag.exec(await ask())?.[1], 'as the handler gives it').to.equal(tag)
      const same = await ask(`If-None-Match: ${tag}\r\n`)
      expect(same).to.match(/^HTTP\/1\.1 304 /)
      expect(etag.exec(same)?.[1]).to.equal(tag)
      for (const other of ['"\xe8"', '"\xc3\xa8"', '"e"', tag === '"\xe9"' ? '"\xc3\xa9"' : '"\xe9"']) {
        expect(await ask(`If-None-Match: ${other}\r\n`), other).to.match(/^HTTP\/1\.1 200 /)
      }
      expect(scene.calls).to.have.length(1)
    })
  }

  context('with the clock set back an hour', () => {
    async function setBack(): Promise<Scene> {
      const scene = await openScene(controlled('max-age=60'))
      await scene.get()
      scene.pass(10)
      scene.pass(-3_600)
      return scene
    }

    it('TV-114 no age is negative, and no more freshness is left than there ever was (AGE-3, REU-9)', async () => {
      const answer = await (await setBack()).get()
      expect(Number(answer.header('age') ?? 0)).to.be.within(0, 60)
      expect(answer.told?.['ttl']).to.be.within(0, 60)
    })

    it('TV-114 an entry is not fresh for longer than its lifetime (REU-9)', async () => {
      const scene = await setBack()
      await scene.get()
      const before = scene.calls.length
      scene.pass(61)
      const answer = await scene.get()
      // One that was fetched again after the clock went back has the new time, and is as old as it says.
      expect([answer.verdict, answer.text]).to.deep.equal(['miss', `body ${before + 1}`])
    })
  })
})
