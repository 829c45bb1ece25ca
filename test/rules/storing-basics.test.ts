import { expect } from 'chai'
import type { Response } from 'express'
import sinon from 'sinon'
import { type Fields } from '../../lib/http/fields.ts'
import { judgeStoring, type Verdict } from '../../lib/http/storing.ts'
import type { StoringInput } from '../../lib/http/storing-input.ts'
import { closeSites, until } from '../support/site.ts'
import { controlled, httpDate, openScene, type Reply, rawExchange } from '../vectors/scene.ts'
import { fateOf, lastOutcome } from './rows.ts'

const NOW = Date.UTC(2026, 10, 21)
const FRESH = 'max-age=60'
const TAGGED = { ETag: '"a"' }

const RFC: StoringInput = {
  status: 200,
  fields: [],
  method: 'GET',
  uri: 'http://shop.example/a',
  headers: {},
  requestNoStore: false,
  credentials: undefined,
  permitted: false,
  defaults: { ttl: false },
  profile: 'rfc',
  storeSetCookie: true,
  targets: ['cachewell-cache-control'],
  heuristics: true,
  sMaxageAllowsStale: false,
  requestedAt: NOW,
  respondedAt: NOW,
}

/** The verdict on an answer with this `Cache-Control`, in profile rfc. */
function judge(control: string, options: Partial<StoringInput> = {}): Verdict {
  const fields: Fields = [['Cache-Control', control], ...(options.fields ?? [])]
  return judgeStoring({ ...RFC, ...options, fields })
}

describe('what is required to store a response (RFC 9111 s. 3)', () => {
  afterEach(closeSites)
  afterEach(() => sinon.restore())

  it('STO-1 + a method whose caching is not understood forbids it', () => {
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND', 'PURGE', 'get', '']) {
      expect(judge(FRESH, { method }).store, method).to.equal(false)
    }
  })

  it('STO-1 - GET and QUERY do not, nor a POST or PATCH that stands for a GET', () => {
    for (const method of ['GET', 'QUERY']) expect(judge(FRESH, { method }).store, method).to.equal(true)
    for (const method of ['POST', 'PATCH']) {
      expect(judge(FRESH, { method, fields: [['Content-Location', '/a']] }).store, method).to.equal(true)
      expect(judge(FRESH, { method }).store, method).to.equal(false)
    }
  })

  const REQUEST = 'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n'

  it('STO-2 + an interim response is not stored, and its fields are not those of the final one', async () => {
    for (const status of [100, 102, 103]) expect(judge(FRESH, { status }).store, String(status)).to.equal(false)
    const scene = await openScene({
      write: (res) => {
        res.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-early': '1' })
        res.set('Cache-Control', FRESH).end('final')
      },
    })
    await rawExchange(scene.site.port, REQUEST)
    const hit = await scene.get()
    expect([hit.verdict, hit.header('link'), hit.header('x-early')]).to.deep.equal(['hit', undefined, undefined])
  })

  it('STO-2 - fields of the final response are stored, whatever came before it', async () => {
    const scene = await openScene({
      write: (res) => {
        res.writeProcessing()
        res.set({ 'Cache-Control': FRESH, Link: '</b.css>; rel=preload' }).end('final')
      },
    })
    await rawExchange(scene.site.port, REQUEST)
    expect((await scene.get()).header('link')).to.equal('</b.css>; rel=preload')
  })

  it('STO-3 + a part, a 304, and a status that has to be understood and is not', () => {
    const part: Fields = [['Content-Range', 'bytes 0-0/1']]
    expect(judge(FRESH, { status: 206, fields: part }).store).to.equal(false)
    expect(judge(FRESH, { status: 304 }).store).to.equal(false)
    for (const status of [206, 299, 418, 599]) {
      expect(judge(`${FRESH}, must-understand`, { status }).store, String(status)).to.equal(false)
    }
  })

  it('STO-3 - a whole, and a status that is understood or need not be', () => {
    for (const status of [200, 201, 301, 404, 451, 503]) {
      expect(judge(`${FRESH}, must-understand`, { status }).store, String(status)).to.equal(true)
    }
    expect(judge(FRESH, { status: 299 }).store).to.equal(true)
  })

  it('STO-4 + no-store forbids it', () => {
    expect(judge(`no-store, ${FRESH}`)).to.include({ store: false, rule: 'DS-12' })
    expect(judge(`no-store=1, ${FRESH}`).store).to.equal(false)
  })

  it('STO-4 - unless must-understand lifts it, or a targeted field hides it', () => {
    expect(judge(`no-store, must-understand, ${FRESH}`).store).to.equal(true)
    expect(judge('no-store', { fields: [['Cachewell-Cache-Control', FRESH]] }).store).to.equal(true)
  })

  it('STO-5 + private forbids it', () => {
    for (const control of ['private', 'private=""', 'private="a", private']) {
      expect(judge(`${control}, ${FRESH}`), control).to.include({ store: false, rule: 'DS-13' })
    }
  })

  it('STO-5 - private about some fields forbids only those', () => {
    const verdict = judge(`private="X-A, x-b", ${FRESH}`)
    expect(verdict.store && verdict.dropFields).to.deep.equal(['x-a', 'x-b'])
  })

  it('STO-6 + Authorization in the request forbids it', () => {
    for (const control of [FRESH, `${FRESH}, proxy-revalidate`, `${FRESH}, immutable`]) {
      expect(judge(control, { credentials: 'authorization' }), control).to.include({ store: false, rule: 'DS-14' })
    }
  })

  it('STO-6 - unless the response permits it', () => {
    for (const control of ['public', 's-maxage=60', 'must-revalidate']) {
      expect(judge(`${FRESH}, ${control}`, { credentials: 'authorization' }).store, control).to.equal(true)
    }
  })

  const guess: Fields = [['Last-Modified', httpDate(NOW - 86_400_000)]]

  it('STO-7 + nothing that permits it forbids it', () => {
    for (const status of [302, 303, 307, 403, 500]) {
      expect(judge('', { status, fields: guess }), String(status)).to.include({ store: false, rule: 'DS-19' })
    }
    expect(judge('immutable, stale-while-revalidate=60', { status: 302 }).store).to.equal(false)
  })

  it('STO-7 - each of these permits it', () => {
    const expires: Fields = [['Expires', httpDate(NOW + 60_000)]]
    for (const control of ['max-age=1', 's-maxage=1']) expect(judge(control, { status: 302 }).store).to.equal(true)
    expect(judge('', { status: 500, fields: expires }).store).to.equal(true)
    expect(judge('public', { status: 302, fields: guess }).store).to.equal(true)
    for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 451, 501]) {
      expect(judge('', { status, fields: guess }).store, String(status)).to.equal(true)
    }
  })

  it('STO-8 + no-store in the request forbids it, but what is stored is served and stays', async () => {
    const scene = await openScene(controlled(FRESH))
    const noStore = { headers: { 'Cache-Control': 'no-store' } }
    expect(await fateOf(scene, noStore)).to.include({ kept: false })
    const served = await scene.ask(noStore)
    expect([served.verdict, served.text]).to.deep.equal(['hit', 'body 2'])
    expect((await scene.get()).text).to.equal('body 2')
  })

  it('STO-8 - other directives of the request do not', async () => {
    const scene = await openScene(controlled(FRESH))
    expect(await fateOf(scene, { headers: { 'Cache-Control': 'no-cache, no-transform' } })).to.include({ kept: true })
  })

  it('STO-9 + what has neither validator nor lifetime is not kept: it would be of no use', () => {
    expect(judge('')).to.include({ store: false, rule: 'DS-19' })
    expect(judge('public', { fields: [['ETag', 'no-tag']] }).store).to.equal(false)
  })

  it('STO-9 - one of the two is enough', () => {
    expect(judge('', { fields: [['ETag', '"a"']] }).store).to.equal(true)
    expect(judge(FRESH).store).to.equal(true)
  })

  it('STO-10 + an answer that may not be stored leaves what is stored, where it was no validation', async () => {
    const scene = await openScene(controlled(FRESH), { options: { profile: 'safe' } })
    await scene.get()
    for (const shape of [
      { headers: { Authorization: 'Bearer a' } },
      { headers: { 'If-Match': '"a"' } },
      { method: 'HEAD', headers: { 'If-Match': '"a"' } },
    ]) {
      scene.reply(controlled('no-store'))
      expect((await scene.ask(shape)).verdict).to.equal('miss')
    }
    const hit = await scene.get()
    expect([hit.verdict, hit.text]).to.deep.equal(['hit', 'body 1'])
  })

  it('STO-10 - the same answer to a validation makes an end of it', async () => {
    const scene = await openScene(controlled(`${FRESH}, stale-if-error=600`, TAGGED))
    await scene.get()
    scene.pass(70)
    scene.reply(controlled('no-store'))
    expect((await scene.get()).verdict).to.equal('validate')
    scene.reply({ status: 503 })
    expect((await scene.get()).status).to.equal(503)
  })

  it('STO-11 + nothing of a no-store answer is handed to the store', async () => {
    const scene = await openScene(controlled('no-store', TAGGED))
    const { store } = scene.bench.cache.engine
    const set = sinon.spy(store, 'set')
    await scene.get()
    expect(set.callCount).to.equal(0)
  })

  it('STO-11 + it passes without being gathered', async () => {
    const pieces: string[] = []
    const scene = await openScene({
      write: (res) => {
        res.set('Cache-Control', 'no-store')
        for (let turn = 0; turn < 4; turn++) res.write('x'.repeat(1_000))
        const from = sinon.spy(Buffer, 'allocUnsafeSlow')
        res.end(() => pieces.push(`${from.callCount}`))
        expect(from.callCount).to.equal(0)
        from.restore()
      },
    })
    expect((await scene.get()).text).to.have.length(4_000)
  })

  it('STO-11 - what may be stored is handed over once', async () => {
    const scene = await openScene(controlled(FRESH))
    const set = sinon.spy(scene.bench.cache.engine.store, 'set')
    await scene.get()
    expect(set.callCount).to.equal(1)
  })

  /** Writes the head and half of the body; the test writes the rest. */
  function half(held: Response[], fields: Readonly<Record<string, string>> = {}): Reply {
    return {
      write: (res) => {
        res.set({ 'Cache-Control': FRESH, ...fields })
        res.write('half ')
        held.push(res)
      },
    }
  }

  it('STO-12 + it is decided at the head, and there only when it is complete', async () => {
    const held: Response[] = []
    const scene = await openScene(half(held))
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    expect(lastOutcome(scene)).to.deep.include({ stored: true, storingRule: 'DS-22' })
    expect((await scene.bench.cache.entries()).entries).to.have.length(0)
    held[0]?.end('whole')
    await slow
    expect((await scene.get()).text).to.equal('half whole')
  })

  it('STO-12 - it never is where the rest does not come', async () => {
    const held: Response[] = []
    const scene = await openScene(half(held))
    const slow = scene.site.get('/a').catch(() => undefined)
    await until(() => held.length === 1)
    held[0]?.destroy()
    await slow
    expect((await scene.bench.cache.entries()).entries).to.have.length(0)
  })

  it('STO-13 + a fill that an invalidation has overtaken is served and not stored', async () => {
    const held: Response[] = []
    const scene = await openScene(half(held, { 'Cache-Tag': 'mine' }))
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    await scene.bench.cache.invalidate({ tags: ['mine'] })
    held[0]?.end('whole')
    expect((await slow).text).to.equal('half whole')
    expect((await scene.bench.cache.entries()).entries).to.have.length(0)
  })

  for (const [what, control, age] of [
    ['a validation', FRESH, 70],
    ['a background refresh', `${FRESH}, stale-while-revalidate=60`, 70],
  ] as const) {
    it(`STO-13 + so is ${what}: its 304 does not bring back what was invalidated`, async () => {
      const held: Response[] = []
      const scene = await openScene(controlled(control, TAGGED))
      await scene.get()
      scene.pass(age)
      scene.reply({ write: (res) => void held.push(res) })
      const slow = scene.site.get('/a')
      await until(() => held.length === 1)
      await scene.bench.cache.invalidate({ urls: ['/a'] })
      held[0]
        ?.status(304)
        .set({ ...TAGGED, 'Cache-Control': FRESH })
        .end()
      expect((await slow).text).to.equal('body 1')
      await scene.refreshed()
      scene.reply(controlled(FRESH))
      expect((await scene.get()).verdict).to.equal('miss')
    })
  }

  it('STO-13 - an invalidation that was over when the fill began does not matter', async () => {
    const scene = await openScene(controlled(FRESH, { 'Cache-Tag': 'mine' }))
    await scene.bench.cache.invalidate({ tags: ['mine'] })
    expect(await fateOf(scene)).to.include({ kept: true })
  })

  const failing: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error('full')
    },
    rejects: () => Promise.reject(new Error('full')),
  }
  for (const [what, fail] of Object.entries(failing)) {
    it(`STO-14 + a store that ${what} harms neither client nor handler, and nobody else`, async () => {
      const unheard: unknown[] = []
      const hear = (cause: unknown): void => void unheard.push(cause)
      const scene = await openScene({
        write: (res) => {
          res.set('Cache-Control', FRESH)
          try {
            res.end('whole')
          } catch (cause) {
            hear(cause)
          }
        },
      })
      const { store } = scene.bench.cache.engine
      for (const method of ['get', 'set'] as const) sinon.stub(store, method).callsFake(fail as never)
      // That of memory asks `get`.
      sinon.stub(store, 'peek').returns(undefined)
      process.on('unhandledRejection', hear)
      try {
        for (let turn = 0; turn < 2; turn++) {
          const answer = await scene.get()
          expect([answer.status, answer.text, answer.verdict]).to.deep.equal([200, 'whole', 'miss'])
        }
        await new Promise((resolve) => setImmediate(resolve))
      } finally {
        process.off('unhandledRejection', hear)
      }
      expect(unheard.map(String)).to.deep.equal([])
      expect(scene.bench.errors).not.to.deep.equal([])
    })
  }

  it('STO-14 - one that works is used', async () => {
    const scene = await openScene(controlled(FRESH))
    expect(await fateOf(scene)).to.include({ kept: true })
  })
})
