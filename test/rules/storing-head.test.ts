import type { ServerResponse } from 'node:http'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { cachePolicy } from '../../middleware/policy.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { openExchange, type RequestShape } from '../support/http-client.ts'
import { closeSites, makeBench, until } from '../support/site.ts'
import {
  controlled,
  httpDate,
  openScene,
  type Reply,
  type ReplyFields,
  rawExchange,
  type Scene,
} from '../vectors/scene.ts'
import { type Fate, fateOf, lastOutcome } from './rows.ts'

const KEPT: Fate = { kept: true, rule: 'DS-22' }
const refused = (rule: string): Fate => ({ kept: false, rule })

const SAFE: CacheMiddlewareOptions = { profile: 'safe' }
const MODIFIED = 'Mon, 02 Nov 2026 10:00:00 GMT'
const FRESH = 'max-age=60'

/** What becomes of the answer to this request with these fields, besides a lifetime. */
async function fate(
  fields: ReplyFields,
  options: CacheMiddlewareOptions = {},
  shape: RequestShape = {},
): Promise<Fate> {
  return fateOf(await openScene(controlled(FRESH, fields), { options }), shape)
}

/** What becomes of an answer with this `Cache-Control`. */
async function said(control: string, reply: Reply = {}, shape: RequestShape = {}): Promise<Fate> {
  const fields = { 'Cache-Control': control, ...reply.fields }
  return fateOf(await openScene({ ...reply, fields }), shape)
}

const statusFate = (status: number): Promise<Fate> => said(`public, ${FRESH}`, { status })

describe('table A: may this response be stored, at its head?', () => {
  afterEach(closeSites)

  context('whose request was bypassed', () => {
    const bypassed: Readonly<Record<string, RequestShape>> = {
      'an authority that is none': { headers: { Host: 'shop.example/x' } },
      'a target of another host': { path: 'http://other.example/a' },
      'content on a GET': { body: 'q=1' },
      'If-Match': { headers: { 'If-Match': '"a"' } },
      'If-Unmodified-Since': { headers: { 'If-Unmodified-Since': MODIFIED } },
      'an upgrade': { headers: { Upgrade: 'h2c' } },
      'what skip keeps out': { headers: { 'X-Skip': '1' } },
    }
    for (const [what, shape] of Object.entries(bypassed)) {
      it(`DS-1 + does not store the answer to ${what}`, async () => {
        const scene = await openScene(controlled(FRESH), {
          options: { skip: (req) => req.headers['x-skip'] === '1' },
        })
        const { told } = await scene.ask(shape)
        expect(told?.['fwd']).to.equal('bypass')
        expect(lastOutcome(scene)).to.include({ rule: 'DR-1', storingRule: 'DS-1' })
        expect((await scene.get()).verdict).to.equal('miss')
      })
    }

    it('DS-1 + stores nothing in a nested cache', async () => {
      const inner = makeBench()
      const scene = await openScene(controlled(FRESH), { inside: [cacheMiddleware({ cache: inner.cache })] })
      expect(await fateOf(scene)).to.deep.equal(KEPT)
      expect(inner.cache.stats().stats.keyCount).to.equal(0)
    })

    it('DS-1 + stores nothing that a handler says is not to be stored', async () => {
      const scene = await openScene({ write: (res) => void (cachePolicy(res).skip('draft'), res.end('x')) })
      expect(await fateOf(scene)).to.deep.equal(refused('DS-1'))
    })

    it('DS-1 - stores the answer to a request that only looks odd', async () => {
      for (const shape of [
        { path: 'http://SHOP.example:80/a' },
        { headers: { Host: 'Shop.Example' } },
        { headers: { 'Content-Length': '0' } },
        { headers: { 'X-Skip': '0' } },
      ] as const) {
        const scene = await openScene(controlled(FRESH), {
          options: { skip: (req) => req.headers['x-skip'] === '1' },
        })
        await scene.ask(shape)
        expect(lastOutcome(scene).storingRule, JSON.stringify(shape)).to.equal('DS-22')
        expect((await scene.get()).verdict).to.equal('hit')
      }
    })
  })

  context('before which there is another one', () => {
    const hinting: Reply = {
      write: (res) => {
        res.writeEarlyHints({ link: '</a.css>; rel=preload' })
        res.set('Cache-Control', FRESH).end('final')
      },
    }

    it('DS-2 + passes the interim response on, and keeps nothing of it', async () => {
      const scene = await openScene(hinting)
      const head = 'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n'
      const raw = (await rawExchange(scene.site.port, head)).toString('latin1')
      expect(raw).to.match(/^HTTP\/1\.1 103 .*\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 /i)
      const hit = (await rawExchange(scene.site.port, head)).toString('latin1')
      expect(hit).to.match(/^HTTP\/1\.1 200 /)
      expect(hit.toLowerCase()).not.to.contain('link:')
    })

    it('DS-2 - stores the final response after it', async () => {
      const scene = await openScene(hinting)
      const raw = 'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n'
      await rawExchange(scene.site.port, raw)
      expect(lastOutcome(scene).storingRule).to.equal('DS-22')
      expect((await scene.get()).text).to.equal('final')
      expect(scene.calls).to.have.length(1)
    })
  })

  context('by the method', () => {
    const located = controlled(FRESH, { 'Content-Location': '/a' })
    const query = { method: 'QUERY', headers: { 'Content-Type': 'text/plain' }, body: 'q' } as const

    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PURGE']) {
      it(`DS-3 + does not store the answer to ${method}`, async () => {
        const scene = await openScene(located)
        expect(await fateOf(scene, { method })).to.deep.equal(refused('DS-3'))
        expect((await scene.ask({ method })).verdict).to.equal('miss')
      })
    }

    it('DS-3 - stores the answers to GET and QUERY', async () => {
      expect(await fate({})).to.deep.equal(KEPT)
      const scene = await openScene(located)
      await scene.ask(query)
      expect(lastOutcome(scene).storingRule).to.equal('DS-22')
      expect((await scene.ask(query)).verdict).to.equal('hit')
    })

    it('DS-4 + does not store the answer to HEAD, neither for GET nor, left out on purpose, for HEAD', async () => {
      const scene = await openScene(located)
      expect(await fateOf(scene, { method: 'HEAD' })).to.deep.equal(refused('DS-4'))
      const other = await openScene(located)
      await other.ask({ method: 'HEAD' })
      expect((await other.ask({ method: 'HEAD' })).verdict).to.equal('miss')
    })

    it('DS-4 + lets a HEAD confirm the stored answer to GET, or make an end of it (VAL-20)', async () => {
      for (const [etag, verdict] of [
        ['"a"', 'hit'],
        ['"b"', 'miss'],
      ] as const) {
        const scene = await openScene(controlled(FRESH, { ETag: '"a"' }))
        await scene.get()
        scene.pass(70)
        scene.reply(controlled('max-age=100', { ETag: etag }))
        expect((await scene.ask({ method: 'HEAD' })).verdict, 'its own').to.equal('miss')
        expect((await scene.get()).verdict, etag).to.equal(verdict)
      }
    })

    it('DS-4 - leaves the stored answer to GET as it is where the HEAD has failed', async () => {
      const scene = await openScene(controlled(FRESH, { ETag: '"a"' }))
      await scene.get()
      scene.pass(70)
      scene.reply({ status: 503, fields: { ETag: '"b"' } })
      await scene.ask({ method: 'HEAD' })
      expect((await scene.get()).verdict).to.equal('validate')
    })

    it('DS-5 + does not store the answer to a QUERY whose content is no key', async () => {
      for (const shape of [
        { method: 'QUERY', body: 'q' },
        { ...query, body: 'q'.repeat(2_000) },
      ]) {
        const scene = await openScene(located, { options: { maxBodySize: 1_000 } })
        const first = await scene.ask(shape)
        expect([first.verdict, first.told?.['fwd']]).to.deep.equal(['miss', 'bypass'])
        expect(scene.calls[0]?.content).to.equal(shape.body)
        expect(lastOutcome(scene).storingRule).to.equal('DS-5')
        expect((await scene.ask(shape)).verdict).to.equal('miss')
        expect((await scene.get()).verdict).to.equal('miss')
      }
    })

    it('DS-5 - stores the answer to a QUERY under its content', async () => {
      const scene = await openScene(located)
      await scene.ask(query)
      expect((await scene.ask(query)).verdict).to.equal('hit')
      expect((await scene.ask({ ...query, body: 'r' })).verdict).to.equal('miss')
    })

    for (const method of ['POST', 'PATCH']) {
      const writes: Readonly<Record<string, readonly [Reply, CacheMiddlewareOptions?]>> = {
        'where the feature is off (profile safe)': [located, SAFE],
        'without a lifetime of its own': [{ fields: { 'Content-Location': '/a', 'Last-Modified': MODIFIED } }],
        'that stands for another resource': [controlled(FRESH, { 'Content-Location': '/b' })],
        'that does not say what it stands for': [controlled(FRESH)],
        'that is no success': [{ ...located, status: 303 }],
      }
      for (const [which, [reply, options]] of Object.entries(writes)) {
        it(`DS-6 + does not store the answer to a ${method} ${which}`, async () => {
          const scene = await openScene(reply, options === undefined ? {} : { options })
          expect(await fateOf(scene, { method })).to.deep.equal(refused('DS-6'))
        })
      }

      it(`DS-6 - files the answer to a ${method} under GET, after the invalidation`, async () => {
        const scene = await openScene(controlled(FRESH))
        await scene.get()
        scene.reply(located)
        const write = await scene.ask({ method })
        expect([write.verdict, write.text]).to.deep.equal(['miss', 'body 2'])
        expect(lastOutcome(scene).storingRule).to.equal('DS-22')
        const later = await scene.get()
        expect([later.verdict, later.text]).to.deep.equal(['hit', 'body 2'])
        expect((await scene.ask({ method })).verdict).to.equal('miss')
      })
    }
  })

  it('DS-7 + does not store the answer to a request that says no-store, in both profiles', async () => {
    for (const profile of ['safe', 'rfc'] as const) {
      const told = await fate({}, { profile }, { headers: { 'Cache-Control': 'max-age=0, No-Store' } })
      expect(told, profile).to.deep.equal(refused('DS-7'))
    }
  })

  it('DS-7 - stores the answer to a request that says something like it', async () => {
    for (const control of ['no-cache', 'x="no-store"', 'no-storage']) {
      expect(await fate({}, {}, { headers: { 'Cache-Control': control } }), control).to.deep.equal(KEPT)
    }
  })

  it('DS-8 + does not store a status that does not exist', async () => {
    for (const status of [600, 999]) expect(await statusFate(status), String(status)).to.deep.equal(refused('DS-8'))
  })

  it('DS-8 - stores a status that nobody has registered', async () => {
    for (const status of [299, 499, 599]) expect(await statusFate(status), String(status)).to.deep.equal(KEPT)
  })

  for (const status of [304, 407, 408, 412, 416, 417, 421, 425, 426, 428, 429, 431, 511]) {
    it(`DS-9 + never stores ${status}`, async () => {
      expect(await statusFate(status)).to.deep.equal(refused('DS-9'))
    })
  }

  for (const status of [300, 409, 410, 414, 418, 451, 501]) {
    it(`DS-9 - stores ${status}`, async () => {
      expect(await statusFate(status)).to.deep.equal(KEPT)
    })
  }

  it('DS-10 + does not store a part, left out on purpose however well it says which', async () => {
    for (const fields of [{ 'Content-Range': 'bytes 0-0/6' }, { 'Content-Range': 'lines 0-0/6' }, {}]) {
      const scene = await openScene({
        status: 206,
        fields: { 'Cache-Control': FRESH, ETag: '"a"', ...fields },
        body: 'b',
      })
      expect(await fateOf(scene)).to.deep.equal(refused('DS-10'))
      expect(await fateOf(scene, { headers: { Range: 'bytes=0-0' } })).to.include({ kept: false })
    }
  })

  it('DS-10 - stores the whole of which it has cut a part itself', async () => {
    const scene = await openScene(controlled(FRESH))
    const shape = { headers: { Range: 'bytes=0-3' } }
    const part = await scene.ask(shape)
    expect([part.status, part.text]).to.deep.equal([206, 'body'])
    expect(lastOutcome(scene).storingRule).to.equal('DS-22')
    const whole = await scene.get()
    expect([whole.verdict, whole.status, whole.text]).to.deep.equal(['hit', 200, 'body 1'])
  })

  it('DS-11 + does not store a status that is to be understood and is not', async () => {
    for (const status of [206, 299, 599]) {
      const expected = refused(status === 206 ? 'DS-10' : 'DS-11')
      expect(await said(`${FRESH}, must-understand`, { status }), String(status)).to.deep.equal(expected)
    }
    expect(await said(`${FRESH}, must-understand, no-store`, { status: 299 })).to.deep.equal(refused('DS-11'))
  })

  it('DS-11 - stores one that is understood, and one that need not be', async () => {
    expect(await said(`${FRESH}, must-understand`, { status: 404 })).to.deep.equal(KEPT)
    expect(await said(FRESH, { status: 299 })).to.deep.equal(KEPT)
  })

  it('DS-12 + does not store no-store, with whatever it comes', async () => {
    for (const control of [`no-store, ${FRESH}`, 'public, NO-STORE, s-maxage=60', `no-store="x", ${FRESH}`]) {
      expect(await said(control), control).to.deep.equal(refused('DS-12'))
    }
  })

  it('DS-12 - stores what must-understand frees of it, and what only looks like it', async () => {
    expect(await said(`no-store, must-understand, ${FRESH}`)).to.deep.equal(KEPT)
    expect(await said(`x="no-store", ${FRESH}`)).to.deep.equal(KEPT)
  })

  it('DS-13 + does not store what is private, also with an empty argument or beside a qualified one', async () => {
    for (const control of [
      'private',
      'private=""',
      'private, private="x-user"',
      'public, private',
      's-maxage=9, private',
    ]) {
      expect(await said(`${control}, ${FRESH}`), control).to.deep.equal(refused('DS-13'))
    }
  })

  it('DS-13 - stores the rest of what is private in some fields', async () => {
    const scene = await openScene(controlled(`${FRESH}, private="X-User"`, { 'X-User': '7', 'X-Other': '8' }))
    expect((await scene.get()).header('x-user')).to.equal('7')
    const hit = await scene.get()
    expect([hit.verdict, hit.header('x-user'), hit.header('x-other')]).to.deep.equal(['hit', undefined, '8'])
  })

  it('DS-14 + does not store the answer to Authorization without permission', async () => {
    const shape = { headers: { Authorization: 'Bearer a' } }
    for (const control of ['', 'proxy-revalidate', 'immutable', 'no-cache="x"']) {
      expect(await said(`${FRESH}, ${control}`, {}, shape), control).to.deep.equal(refused('DS-14'))
    }
    const isAuthenticated: CacheMiddlewareOptions['isAuthenticated'] = (req) => req.headers['x-key'] !== undefined
    expect(await fate({}, { isAuthenticated }, { headers: { 'X-Key': '1' } })).to.deep.equal(refused('DS-14'))
  })

  it('DS-14 - stores it with permission, and any answer to other credentials', async () => {
    const shape = { headers: { Authorization: 'Bearer a' } }
    for (const control of ['public', 's-maxage=60', 'must-revalidate']) {
      expect(await said(`${FRESH}, ${control}`, {}, shape), control).to.deep.equal(KEPT)
    }
    expect(await fate({}, {}, { headers: { Cookie: 'sid=1' } })).to.deep.equal(KEPT)
  })

  it('DS-15 + does not store a response that sets a cookie where that is refused', async () => {
    const fields = { 'Set-Cookie': 'sid=1' }
    expect(await fate(fields, SAFE)).to.deep.equal(refused('DS-15'))
    expect(await fate(fields, { setCookie: false })).to.deep.equal(refused('DS-15'))
  })

  it('DS-15 - stores it where that is permitted, or the cookie alone is private', async () => {
    expect(await fate({ 'Set-Cookie': 'sid=1' })).to.deep.equal(KEPT)
    for (const control of ['private="set-cookie"', 'no-cache="Set-Cookie"']) {
      const fields = { 'Set-Cookie': 'sid=1', 'Cache-Control': `${FRESH}, ${control}` }
      const scene = await openScene({ fields }, { options: SAFE })
      expect(await fateOf(scene), control).to.deep.equal(KEPT)
      expect((await scene.get()).header('set-cookie'), control).to.equal(undefined)
    }
  })

  it('DS-16 + does not store what no request would select', async () => {
    for (const vary of ['*', 'Foo, *', ', *', 'Foo Bar', ['Foo', '*']]) {
      expect(await fate({ Vary: vary }), String(vary)).to.deep.equal(refused('DS-16'))
    }
  })

  it('DS-16 - stores what varies by names', async () => {
    for (const vary of ['Foo', 'Foo, ,Bar', '', 'X-*']) {
      expect(await fate({ Vary: vary }), vary).to.deep.equal(KEPT)
    }
  })

  context('of a kind that is for few', () => {
    const kinds: Readonly<Record<string, ReplyFields>> = {
      'a dictionary coding without its Vary': { 'Content-Encoding': 'dcb', Vary: 'Accept-Encoding' },
      'another dictionary coding': { 'Content-Encoding': 'gzip, DCZ' },
      'an event stream': { 'Content-Type': 'text/event-stream;charset=utf-8' },
      'an incremental message': { Incremental: '?1' },
    }
    for (const [what, fields] of Object.entries(kinds)) {
      it(`DS-17 + does not store ${what}`, async () => {
        expect(await fate(fields)).to.deep.equal(refused('DS-17'))
      })
    }

    it('DS-17 + does not store, in safe, what its guards keep out', async () => {
      const guarded: readonly (readonly [rule: string, fields: ReplyFields, headers: RequestShape['headers']])[] = [
        ['COR-2', { 'Access-Control-Allow-Origin': 'https://a.example' }, { Origin: 'https://a.example' }],
        ['CMP-7', { 'Content-Encoding': 'gzip' }, { 'Accept-Encoding': 'gzip' }],
      ]
      for (const [rule, fields, headers = {}] of guarded) {
        const scene = await openScene(controlled(FRESH, fields), { options: SAFE })
        await scene.get('/a', headers)
        expect(lastOutcome(scene).storingRule).to.equal(rule)
        expect((await scene.get('/a', headers)).verdict).to.equal('miss')
      }
    })

    it('DS-17 + does not store the page that Express makes of an error, with the fields of the success', async () => {
      const scene = await openScene({
        write: (res) => {
          res.set('Cache-Control', `public, ${FRESH}`)
          throw new Error('boom')
        },
      })
      const first = await scene.get()
      expect([first.status, first.told?.['stored']]).to.deep.equal([500, false])
      expect((await scene.get()).verdict).to.equal('miss')
    })

    it('DS-17 - stores what is near to these kinds', async () => {
      for (const fields of [
        { 'Content-Encoding': 'dcb', Vary: 'Accept-Encoding, Available-Dictionary' },
        { 'Content-Type': 'text/plain;x=text/event-stream' },
        { Incremental: '?0' },
      ]) {
        expect(await fate(fields), JSON.stringify(fields)).to.deep.equal(KEPT)
      }
    })

    it('DS-17 - stores, in safe, what Vary tells of and what is for everyone', async () => {
      for (const [fields, headers] of [
        [{ 'Access-Control-Allow-Origin': '*' }, { Origin: 'https://a.example' }],
        [{ 'Access-Control-Allow-Origin': 'https://a.example', Vary: 'Origin' }, { Origin: 'https://a.example' }],
        [{ 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' }, { 'Accept-Encoding': 'gzip' }],
      ] as const) {
        const scene = await openScene(controlled(FRESH, fields), { options: SAFE })
        await scene.get('/a', headers)
        expect((await scene.get('/a', headers)).verdict, JSON.stringify(fields)).to.equal('hit')
      }
    })

    it('DS-17 - stores, in rfc, an error with a lifetime that a handler has written', async () => {
      expect(await statusFate(500)).to.deep.equal(KEPT)
    })
  })

  it('DS-18 + does not store what declares to be too large, and remembers it', async () => {
    const reply = controlled(FRESH, { 'Content-Length': '11' })
    const scene = await openScene({ ...reply, body: '01234567890' }, { options: { maxBodySize: 10 } })
    expect(await fateOf(scene)).to.deep.equal(refused('DS-18'))
    const range = { Range: 'bytes=0-0' }
    await scene.get('/a', range)
    expect(scene.calls.at(-1)?.headers.range).to.equal('bytes=0-0')
  })

  it('DS-18 - stores what declares to be as large as may be', async () => {
    const reply = controlled(FRESH, { 'Content-Length': '10' })
    const scene = await openScene({ ...reply, body: '0123456789' }, { options: { maxBodySize: 10 } })
    expect(await fateOf(scene)).to.deep.equal(KEPT)
  })

  it('DS-19 + does not store what nothing gives a lifetime', async () => {
    for (const reply of [{ status: 302 }, { status: 403, fields: { 'Last-Modified': MODIFIED } }, {}]) {
      expect(await fateOf(await openScene(reply))).to.deep.equal(refused('DS-19'))
    }
    const targeted = { 'X-Cache-Control': 'immutable', Expires: httpDate(Date.UTC(2026, 10, 20, 13)) }
    const scene = await openScene({ status: 302, fields: targeted }, { options: { targets: ['X-Cache-Control'] } })
    expect(await fateOf(scene), 'Expires beside a targeted field').to.deep.equal(refused('DS-19'))
  })

  it('DS-19 - stores what any of these gives one', async () => {
    const given: Readonly<Record<string, readonly [Reply, CacheMiddlewareOptions?]>> = {
      'max-age': [controlled('max-age=9')],
      's-maxage': [controlled('s-maxage=9')],
      Expires: [{ status: 302, fields: { Expires: httpDate(Date.UTC(2026, 10, 20, 13)) } }],
      'its status': [{ status: 404, fields: { 'Last-Modified': MODIFIED } }],
      public: [{ status: 302, fields: { 'Cache-Control': 'public', 'Last-Modified': MODIFIED } }],
      'the option ttl': [{}, { ttl: '9s' }],
    }
    for (const [what, [reply, options]] of Object.entries(given)) {
      expect(await fateOf(await openScene(reply, options === undefined ? {} : { options })), what).to.deep.equal(KEPT)
    }
  })

  it('DS-20 + does not store what nobody could be served with', async () => {
    for (const control of ['max-age=0', 'max-age=x', 'max-age=60, max-age=70']) {
      expect(await said(control), control).to.deep.equal(refused('DS-20'))
    }
    expect(await said(`${FRESH}, must-revalidate`, { fields: { Age: '60' } })).to.deep.equal(refused('DS-20'))
    expect(await said('max-age=0', { fields: { ETag: 'no-tag' } })).to.deep.equal(refused('DS-20'))
  })

  it('DS-20 - stores what came stale and can be validated', async () => {
    const scene = await openScene(controlled('max-age=0', { ETag: '"a"' }))
    await scene.get()
    expect(lastOutcome(scene).storingRule).to.equal('DS-22')
    expect((await scene.get()).verdict).to.equal('validate')
  })

  it('DS-20 - stores what came stale and says that it may be used so', async () => {
    expect(await said('max-age=0, stale-while-revalidate=60')).to.deep.equal(KEPT)
  })

  context('that was overtaken by an invalidation', () => {
    type Invalidate = (scene: Scene) => Promise<unknown>
    const held: ServerResponse[] = []
    const holding: Reply = { write: (res) => void held.push(res.set('Cache-Tag', 'mine').set('Cache-Groups', '"g"')) }
    beforeEach(() => {
      held.length = 0
    })

    const hitting: Readonly<Record<string, Invalidate>> = {
      'its tag': ({ bench }) => bench.cache.invalidate({ tags: ['mine'] }),
      'its URL': ({ bench }) => bench.cache.invalidate({ urls: ['/a'] }),
      all: ({ bench }) => bench.cache.invalidate({ all: true }),
      'a pattern': ({ bench }) => bench.cache.invalidate({ pattern: '/a*' }),
      'a write to its URL': async (scene) => {
        scene.reply({ status: 204 })
        await scene.ask({ method: 'POST' })
      },
      'a write that names its group': async (scene) => {
        scene.reply({ status: 204, fields: { 'Cache-Group-Invalidation': '"g"' } })
        await scene.ask({ method: 'POST', path: '/b' })
      },
    }
    for (const [what, invalidate] of Object.entries(hitting)) {
      it(`DS-21 + is not stored after an invalidation of ${what} since the fill began`, async () => {
        const scene = await openScene(holding)
        const slow = scene.site.get('/a')
        await until(() => held.length === 1)
        await invalidate(scene)
        held[0]?.setHeader('Cache-Control', FRESH)
        held[0]?.end('old')
        expect((await slow).text).to.equal('old')
        scene.reply(controlled(FRESH))
        expect((await scene.get()).verdict).to.equal('miss')
      })
    }

    it('DS-21 - is stored after an invalidation of something else, or one before the fill began', async () => {
      const scene = await openScene(holding)
      await scene.bench.cache.invalidate({ all: true })
      const slow = scene.site.get('/a')
      await until(() => held.length === 1)
      await scene.bench.cache.invalidate({ tags: ['other'], urls: ['/b'] })
      held[0]?.setHeader('Cache-Control', FRESH)
      held[0]?.end('new')
      await slow
      expect((await scene.get()).text).to.equal('new')
      expect(scene.calls).to.have.length(1)
    })
  })

  it('DS-22 + keeps the head without what is for one connection or one client, and the body', async () => {
    const scene = await openScene(
      controlled(`${FRESH}, private="x-secret"`, {
        Connection: 'close, X-Hop',
        'X-Hop': '1',
        'Keep-Alive': 'timeout=9',
        'Proxy-Authenticate': 'Basic',
        'X-Secret': '1',
        'X-Kept': ['1', '2'],
      }),
    )
    const miss = await scene.get()
    expect(lastOutcome(scene)).to.deep.include({ stored: true, storingRule: 'DS-22' })
    const hit = await scene.get()
    expect([hit.verdict, hit.text]).to.deep.equal(['hit', miss.text])
    expect(hit.lines('x-kept')).to.deep.equal(['1', '2'])
    for (const name of ['x-hop', 'keep-alive', 'proxy-authenticate', 'x-secret']) {
      expect(hit.header(name), name).to.equal(undefined)
    }
  })

  it('DS-22 - serves nobody before the body is complete', async () => {
    const held: ServerResponse[] = []
    const scene = await openScene({
      write: (res) => {
        res.set('Cache-Control', FRESH)
        res.write('first ')
        held.push(res)
      },
    })
    const socket = openExchange(scene.site.port, { path: '/a' })
    await until(() => held.length === 1)
    expect(lastOutcome(scene).storingRule).to.equal('DS-22')
    expect(scene.bench.cache.stats().stats.keyCount).to.equal(0)
    held[0]?.end('last')
    expect(scene.bench.cache.stats().stats.keyCount).to.equal(1)
    socket.destroy()
    expect((await scene.get()).text).to.equal('first last')
  })
})
