import { expect } from 'chai'
import type { Response } from 'express'
import sinon from 'sinon'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import type { Handler } from '../support/app.ts'
import { closeSites, until } from '../support/site.ts'
import {
  type Answering,
  controlled,
  type Layout,
  openScene,
  type Scene,
  told,
  type Verdict,
  validating,
} from './scene.ts'

describe('test vectors: reuse, directives, stale (36.3)', () => {
  afterEach(closeSites)

  /** A scene with an entry of this age. */
  async function stored(answering: Answering, seconds: number, layout: Layout = {}): Promise<Scene> {
    const scene = await openScene(answering, layout)
    await scene.get()
    scene.pass(seconds)
    return scene
  }

  for (const [directive, expected] of [
    ['max-age=5', 'validate'],
    ['max-age=10', 'hit'],
    ['min-fresh=51', 'validate'],
    ['min-fresh=50', 'hit'],
  ] as const) {
    it(`TV-48 an entry of 10 s with 50 s left: ${directive} is a ${expected} (CCQ-1, CCQ-4, DR-13, DR-14)`, async () => {
      const scene = await stored(validating(controlled('max-age=60', { ETag: '"1"' })), 10)
      const answer = await scene.get('/a', { 'Cache-Control': directive })
      expect([answer.verdict, answer.status, answer.text]).to.deep.equal([expected, 200, 'body 1'])
      expect(answer.told?.['fwd']).to.equal(expected === 'hit' ? undefined : 'request')
    })
  }

  for (const [directive, expected] of [
    ['max-stale=10', 'hit'],
    ['max-stale', 'hit'],
    ['max-stale=4', 'validate'],
  ] as const) {
    it(`TV-49 an entry stale for 5 s: ${directive} is a ${expected} (CCQ-3, DR-17)`, async () => {
      const scene = await stored(validating(controlled('max-age=60', { ETag: '"1"' })), 65)
      const answer = await scene.get('/a', { 'Cache-Control': directive })
      expect([answer.verdict, answer.status, answer.text]).to.deep.equal([expected, 200, 'body 1'])
      if (expected === 'hit') expect([answer.told?.['ttl'], answer.header('age')]).to.deep.equal([-5, '65'])
      else expect(answer.told?.['fwd']).to.equal('stale')
    })
  }

  for (const directive of ['max-stale=10', 'max-stale', 'max-stale=4']) {
    it(`TV-50 must-revalidate: stale for 5 s is validated, ${directive} or not (STA-1, CCR-2)`, async () => {
      const scene = await stored(validating(controlled('max-age=60, must-revalidate', { ETag: '"1"' })), 65)
      expect((await scene.get('/a', { 'Cache-Control': directive })).verdict).to.equal('validate')
    })
  }

  for (const [failure, answering] of Object.entries<Answering>({
    '500': { status: 500 },
    '503': { status: 503 },
    'an error': () => {
      throw new Error('down')
    },
  })) {
    it(`TV-50 must-revalidate: a handler that fails with ${failure} fails for the client, too (STA-1, STA-3)`, async () => {
      const scene = await stored(controlled('max-age=60, must-revalidate', { ETag: '"1"' }), 65)
      scene.reply(answering)
      const answer = await scene.get('/a', { 'Cache-Control': 'max-stale' })
      expect(answer.status).to.be.within(500, 504)
      expect(answer.text).not.to.equal('body 1')
    })
  }

  it('TV-51 stale-while-revalidate: two at 15 s are hits with one run behind them, 29 s is a hit, 30 s is not (STA-5 to STA-7, STA-13)', async () => {
    const scene = await stored(controlled('max-age=10, stale-while-revalidate=20', { ETag: '"1"' }), 15)
    const held: Response[] = []
    scene.reply(({ background }) =>
      background ? { write: (res) => void held.push(res) } : { status: 503, body: 'unavailable' },
    )
    const two = await Promise.all([scene.site.get('/a'), scene.site.get('/a')])
    for (const answer of two) {
      expect([answer.status, answer.text, answer.header('age')]).to.deep.equal([200, 'body 1', '15'])
      expect([told(answer)?.['hit'], told(answer)?.['ttl']]).to.deep.equal([true, -5])
    }
    await until(() => held.length > 0)
    expect(scene.calls.slice(1).map(({ background }) => background)).to.deep.equal([true])
    held[0]?.status(503).end()
    await scene.refreshed()
    scene.reply({ status: 503, body: 'unavailable' })
    scene.pass(14)
    const last = await scene.get()
    expect([last.verdict, last.text, last.header('age'), last.told?.['ttl']]).to.deep.equal([
      'hit',
      'body 1',
      '29',
      -19,
    ])
    await scene.refreshed()
    scene.pass(1)
    const over = await scene.get()
    expect([over.verdict, over.status, over.text]).to.deep.equal(['validate', 503, 'unavailable'])
  })

  it('TV-52 s-maxage forbids stale-while-revalidate (STA-4)', async () => {
    const control = 's-maxage=10, stale-while-revalidate=20'
    const scene = await stored(validating(controlled(control, { ETag: '"1"' })), 15)
    expect((await scene.get()).verdict).to.equal('validate')
  })

  it('TV-52 s-maxage allows stale-while-revalidate where the option says so (STA-4)', async () => {
    const control = 's-maxage=10, stale-while-revalidate=20'
    const options: CacheMiddlewareOptions = { sMaxageAllowsStale: true }
    const scene = await stored(validating(controlled(control, { ETag: '"1"' })), 15, { options })
    const hit = await scene.get()
    expect([hit.verdict, hit.told?.['ttl']]).to.deep.equal(['hit', -5])
  })

  for (const [age, status, expected] of [
    [900, 500, 200],
    [1_799, 500, 200],
    [1_801, 500, 500],
    [900, 501, 501],
  ] as const) {
    it(`TV-53 stale-if-error=1200 after max-age=600: a ${status} at ${age} s becomes a ${expected} (STA-9, STA-10)`, async () => {
      const scene = await stored(controlled('max-age=600, stale-if-error=1200', { ETag: '"1"' }), age)
      scene.reply({ status, body: 'failed' })
      const answer = await scene.get()
      expect(answer.status).to.equal(expected)
      if (expected === 200) {
        expect([answer.verdict, answer.text, answer.header('age')]).to.deep.equal(['validate', 'body 1', String(age)])
        expect(answer.told).to.include({ fwd: 'stale', 'fwd-status': status, ttl: 600 - age })
      } else expect(answer.text).to.equal('failed')
    })
  }

  it('TV-54 a background answer with no-store ends the entry (STA-14, VAL-14)', async () => {
    const scene = await stored(controlled('max-age=10, stale-while-revalidate=20', { ETag: '"1"' }), 15)
    scene.reply(controlled('no-store'))
    expect((await scene.get()).verdict).to.equal('hit')
    await scene.refreshed()
    const next = await scene.get()
    expect([next.verdict, next.told?.['fwd'], next.text]).to.deep.equal(['miss', 'uri-miss', 'body 3'])
  })

  it('TV-55 no-cache is stored and validated each time (CCR-4, FRE-13)', async () => {
    const scene = await stored(validating(controlled('no-cache, max-age=60', { ETag: '"1"' })), 0)
    for (let turn = 0; turn < 2; turn++) {
      const answer = await scene.get()
      expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['validate', 200, 'body 1'])
      expect([answer.told?.['fwd'], answer.told?.['fwd-status']]).to.deep.equal(['stale', 304])
    }
    expect(scene.calls).to.have.length(3)
  })

  for (const [directive, expected] of [
    ['max-age=0', 'hit'],
    ['no-cache', 'validate'],
  ] as const) {
    it(`TV-56 immutable and fresh: ${directive} is a ${expected} (CCR-12, DR-13)`, async () => {
      const scene = await stored(validating(controlled('immutable, max-age=60', { ETag: '"1"' })), 10)
      expect((await scene.get('/a', { 'Cache-Control': directive })).verdict).to.equal(expected)
    })
  }

  it('TV-56 immutable counts for nothing once it is stale (CCR-12)', async () => {
    const scene = await stored(validating(controlled('immutable, max-age=60', { ETag: '"1"' })), 60)
    expect((await scene.get('/a', { 'Cache-Control': 'max-age=0' })).verdict).to.equal('validate')
  })

  for (const profile of ['rfc', 'safe'] as const) {
    const onlyIfCached = { 'Cache-Control': 'only-if-cached' }

    it(`TV-57 only-if-cached without an entry is a 504 of our own, profile ${profile} (CCQ-8, CST-3)`, async () => {
      const scene = await openScene(controlled('max-age=60'), { options: { profile } })
      const answer = await scene.get('/a', onlyIfCached)
      expect([answer.status, answer.header('cache-status')]).to.deep.equal([504, undefined])
      expect(scene.calls).to.have.length(0)
    })

    it(`TV-57 only-if-cached with a stale entry is a 504, profile ${profile} (CCQ-8)`, async () => {
      const scene = await stored(controlled('max-age=60', { ETag: '"1"' }), 65, { options: { profile } })
      const answer = await scene.get('/a', onlyIfCached)
      expect([answer.status, answer.header('cache-status')]).to.deep.equal([504, undefined])
      expect(scene.calls).to.have.length(1)
    })

    it(`TV-57 only-if-cached with a fresh entry is a hit, profile ${profile} (CCQ-8)`, async () => {
      const scene = await stored(controlled('max-age=60'), 5, { options: { profile } })
      expect((await scene.get('/a', onlyIfCached)).verdict).to.equal('hit')
    })
  }

  for (const [control, expected] of Object.entries<Verdict>({
    'max-age=60': 'miss',
    'public, max-age=60': 'hit',
    's-maxage=60': 'hit',
    'must-revalidate, max-age=60': 'hit',
    'proxy-revalidate, max-age=60': 'miss',
  })) {
    it(`TV-58 ${control} in answer to Authorization is a ${expected} for the same request (AUT-1, AUT-2)`, async () => {
      const scene = await openScene(controlled(control))
      const credentials = { Authorization: 'Bearer a' }
      expect((await scene.get('/a', credentials)).verdict).to.equal('miss')
      expect((await scene.get('/a', credentials)).verdict).to.equal(expected)
      expect(scene.calls[0]?.headers.authorization).to.equal('Bearer a')
    })
  }

  it('TV-59 an entry filled without credentials is not for Authorization, profile safe (AUT-4)', async () => {
    const scene = await stored(controlled('max-age=60'), 5, { options: { profile: 'safe' } })
    const answer = await scene.get('/a', { Authorization: 'Bearer a' })
    expect([answer.verdict, answer.told?.['fwd'], answer.text]).to.deep.equal(['miss', 'bypass', 'body 2'])
    expect((await scene.get()).text).to.equal('body 1')
  })

  it('TV-59 an entry filled without credentials answers Authorization, profile rfc (AUT-4)', async () => {
    const scene = await stored(controlled('max-age=60'), 5)
    expect((await scene.get('/a', { Authorization: 'Bearer a' })).verdict).to.equal('hit')
  })

  context('with time-outs that never come', () => {
    let timers: sinon.SinonFakeTimers

    beforeEach(() => {
      timers = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    })
    afterEach(() => timers.restore())

    it('TV-60 a private answer is waited for no longer than its head (COL-2)', async () => {
      const held: Response[] = []
      let arrived = 0
      const counting: Handler = (_req, _res, next) => {
        arrived++
        next()
      }
      const scene = await openScene({ write: (res) => void held.push(res) }, { above: [counting] })
      const first = scene.site.get('/a')
      await until(() => held.length === 1)
      const second = scene.site.get('/a')
      await until(() => arrived === 2)
      const [leader] = held as [Response]
      leader.set('Cache-Control', 'private, max-age=60').write('first ')
      await until(() => held.length === 2)
      expect(leader.writableEnded).to.equal(false)
      held[1]?.set('Cache-Control', 'private, max-age=60').end('second')
      expect((await second).text).to.equal('second')
      leader.end('of all')
      expect((await first).text).to.equal('first of all')
    })
  })

  it('TV-61 HEAD is answered from a stored GET, with its length and no body (MET-4, REU-3)', async () => {
    const scene = await openScene({
      ...controlled('max-age=60', { 'Content-Type': 'text/plain' }),
      body: 'hello world',
    })
    await scene.get()
    scene.pass(5)
    const head = await scene.ask({ method: 'HEAD' })
    expect([head.verdict, head.status, head.body.length]).to.deep.equal(['hit', 200, 0])
    expect([head.header('content-length'), head.header('age')]).to.deep.equal(['11', '5'])
    expect(head.header('content-type')).to.equal('text/plain')
  })

  it('TV-62 a HEAD stores nothing for GET (VAL-22)', async () => {
    const scene = await openScene({ write: (res) => res.set('Cache-Control', 'max-age=60').end('hello world') })
    expect((await scene.ask({ method: 'HEAD' })).verdict).to.equal('miss')
    const answer = await scene.get()
    expect([answer.verdict, answer.text]).to.deep.equal(['miss', 'hello world'])
    expect(scene.calls.map(({ method }) => method)).to.deep.equal(['HEAD', 'GET'])
  })

  it('TV-63 a hit has the Date of the first answer, once (REU-6, HDR-8)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    const first = await scene.get()
    expect(first.lines('date')).to.have.length(1)
    scene.pass(5)
    const hit = await scene.get()
    expect([hit.verdict, hit.lines('date')]).to.deep.equal(['hit', first.lines('date')])
  })

  context('with X-Cache-Control as the target list', () => {
    const layout: Layout = { options: { targets: ['X-Cache-Control'] } }

    it('TV-64 the targeted field governs and is for us alone (TGT-3, TGT-12)', async () => {
      const reply = controlled('no-store', { 'X-Cache-Control': 'max-age=60' })
      const scene = await openScene(reply, layout)
      for (const expected of ['miss', 'hit']) {
        const answer = await scene.get()
        expect(answer.verdict).to.equal(expected)
        expect(answer.header('cache-control')).to.equal('no-store')
        expect(answer.header('x-cache-control')).to.equal(undefined)
      }
      scene.pass(60)
      expect((await scene.get()).verdict).to.equal('miss')
    })

    it('TV-65 a targeted field that cannot be parsed does not govern (TGT-4)', async () => {
      const scene = await openScene(controlled('max-age=5', { 'X-Cache-Control': 'Max-Age=60' }), layout)
      await scene.get()
      scene.pass(4)
      expect((await scene.get()).verdict).to.equal('hit')
      scene.pass(1)
      expect((await scene.get()).verdict).to.equal('miss')
    })

    it('TV-66 a targeted max-age of the wrong type governs and is stale (TGT-7)', async () => {
      const scene = await openScene(controlled('max-age=5', { 'X-Cache-Control': 'max-age="60"' }), layout)
      await scene.get()
      expect((await scene.get()).verdict).to.equal('miss')
    })
  })

  for (const options of [{ targets: [] }, { profile: 'safe' }] satisfies CacheMiddlewareOptions[]) {
    it(`TV-67 a field off the list changes nothing and is passed on, with ${JSON.stringify(options)} (TGT-1)`, async () => {
      const scene = await openScene(controlled('max-age=60', { 'CDN-Cache-Control': 'no-store' }), { options })
      for (const expected of ['miss', 'hit']) {
        const answer = await scene.get()
        expect([answer.verdict, answer.header('cdn-cache-control')]).to.deep.equal([expected, 'no-store'])
      }
      scene.pass(60)
      expect((await scene.get()).verdict).to.equal('miss')
    })
  }
})
