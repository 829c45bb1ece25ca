import { expect } from 'chai'
import { withMonotonic } from '../../lib/clock.ts'
import type { RequestHeaders } from '../../lib/http/fields.ts'
import { keyPrefix, primaryKey } from '../../lib/key.ts'
import type { Flight } from '../../lib/lease.ts'
import { type Fill, type FillTarget, type Landing, type Lookup, type Miss, Responses } from '../../lib/responses.ts'
import { MemoryStore } from '../../lib/stores/memory.ts'
import type { InvalidationTargets } from '../../lib/stores/store.ts'
import { MAX_VARIANTS } from '../../lib/variant-index.ts'
import { responseParts } from '../support/entries.ts'
import { FakeClock } from '../support/fake-clock.ts'

const MISS: Miss = { kind: 'miss', reason: 'uri-miss', index: undefined }

describe('Responses', () => {
  let clock: FakeClock
  let store: MemoryStore
  let responses: Responses
  const uri = 'http://shop.example/p?q'
  const target: FillTarget = { primary: primaryKey(keyPrefix(1, 'app'), uri), uri, path: '/p?q' }
  beforeEach(() => {
    clock = new FakeClock(1_000_000)
    store = new MemoryStore({ maxBytes: 1e7, clock })
    responses = new Responses({ store, clock: withMonotonic({ now: () => clock.now(), monotonic: () => clock.now() }) })
  })

  const lookup = (headers: RequestHeaders = {}): Lookup => responses.lookup(target.primary, headers) as Lookup
  const bodyOf = (found: Lookup): string => (found.kind === 'miss' ? found.reason : found.value.body.toString())
  const commit = (fill: Fill, body: string, vary: readonly string[] = [], headers: RequestHeaders = {}): unknown =>
    responses.commit(
      fill,
      {
        ...responseParts({ body: Buffer.from(body), vary }),
        cachedAt: clock.now(),
        staleAt: clock.now() + 60_000,
        deleteAt: clock.now() + 60_000,
        tags: ['t:post'],
      },
      headers,
    )
  /** Look up, and fill what is missing. */
  const fillWith = (body: string, vary: readonly string[] = [], headers: RequestHeaders = {}): unknown => {
    const found = lookup(headers)
    return commit(responses.begin(target, found.kind === 'miss' ? found : MISS, headers, true), body, vary, headers)
  }
  const invalidate = (targets: Partial<InvalidationTargets>): void => {
    store.invalidate({ tags: [], patterns: [], all: false, ...targets }, { ack: 'all', timeoutMs: 1 })
  }

  describe('lookup', () => {
    it('misses what was never stored', () => {
      expect(lookup()).to.deep.equal(MISS)
    })

    it('finds what was stored, without a promise', () => {
      expect(fillWith('one')).to.equal('stored')
      const found = lookup()
      expect(bodyOf(found)).to.equal('one')
      expect(found).to.include({ kind: 'response', name: '/p?q' })
      expect(found.kind === 'response' && found.tags).to.deep.equal(['t:post', `u:${uri}`, 'p:/p?q'])
    })

    it('tells variants apart by the fields in Vary (RFC 9111 s. 4.1)', () => {
      fillWith('german', ['accept-language'], { 'accept-language': 'de' })
      expect(bodyOf(lookup({ 'accept-language': 'en' }))).to.equal('vary-miss')
      fillWith('english', ['accept-language'], { 'accept-language': 'en' })
      fillWith('none', ['accept-language'], {})
      expect(bodyOf(lookup({ 'accept-language': 'de' }))).to.equal('german')
      expect(bodyOf(lookup({ 'accept-language': 'en' }))).to.equal('english')
      expect(bodyOf(lookup({}))).to.equal('none')
    })

    it('prefers the latest of several that fit, and one with Vary to one without', () => {
      fillWith('by a', ['a'], { a: '1', b: '1' })
      clock.advance(10)
      commit(responses.begin(target, lookup({ a: '2' }) as Miss, {}, true), 'by b', ['b'], { a: '9', b: '1' })
      expect(bodyOf(lookup({ a: '1', b: '1' }))).to.equal('by b')
      clock.advance(10)
      commit(responses.begin(target, lookup({ a: '7', b: '7' }) as Miss, {}, true), 'plain', [], {})
      expect(bodyOf(lookup({ a: '1', b: '1' }))).to.equal('by b')
      expect(bodyOf(lookup({ a: '7', b: '7' }))).to.equal('plain')
    })

    it('drops all variants by tag, URL and pattern', () => {
      for (const targets of [{ tags: ['t:post'] }, { tags: [`u:${uri}`] }, { patterns: ['/p*'] }, { all: true }]) {
        fillWith('german', ['accept-language'], { 'accept-language': 'de' })
        fillWith('english', ['accept-language'], { 'accept-language': 'en' })
        invalidate(targets)
        expect(bodyOf(lookup({ 'accept-language': 'de' }))).to.match(/miss$/)
        expect(bodyOf(lookup({ 'accept-language': 'en' }))).to.match(/miss$/)
      }
    })
  })

  it('keeps a bounded number of variants, the oldest go', () => {
    for (let index = 0; index < MAX_VARIANTS + 10; index++) fillWith(String(index), ['a'], { a: String(index) })
    expect(bodyOf(lookup({ a: '9' }))).to.equal('vary-miss')
    expect(bodyOf(lookup({ a: '10' }))).to.equal('10')
    expect(responses.stats().variants).to.deep.equal({
      limit: MAX_VARIANTS,
      current: MAX_VARIANTS,
      peak: MAX_VARIANTS,
      refused: 10,
    })
    expect(store.stats().entries, 'and the index').to.equal(MAX_VARIANTS + 1)
  })

  describe('a fill', () => {
    it('is joined by others, who get what it brings', async () => {
      const fill = responses.begin(target, MISS, {}, true)
      const flight = responses.join(target, MISS, {})
      expect(flight).to.equal(fill.flight)
      const waiting = responses.await(fill.flight as never, { target, headers: {}, timeoutMs: 1_000 })
      commit(fill, 'shared')
      expect(bodyOf(await waiting)).to.equal('shared')
      expect(responses.join(target, MISS, {})).to.equal(undefined)
    })

    it('is joined, but not to be used, by those who came after it when somebody got no answer', () => {
      const { flight } = responses.begin(target, MISS, {}, true)
      expect(responses.isCertain(target, flight as Flight<Landing>)).to.equal(true)
      store.ledger(target.primary).doubt(clock.now() + 1)
      expect(responses.join(target, MISS, {})).to.equal(flight)
      expect(responses.isCertain(target, flight as Flight<Landing>)).to.equal(false)
      clock.advance(1)
      const next = responses.begin(target, MISS, {}, true)
      expect(responses.join(target, MISS, {})).to.equal(next.flight)
      expect(responses.isCertain(target, next.flight as Flight<Landing>)).to.equal(true)
    })

    it('sends those on whose request it does not answer', async () => {
      const fill = responses.begin(target, MISS, { a: '1' }, true)
      const waiting = responses.await(fill.flight as never, { target, headers: { a: '2' }, timeoutMs: 1_000 })
      commit(fill, 'one', ['a'], { a: '1' })
      expect(bodyOf(await waiting)).to.equal('vary-miss')
    })

    it('is waited for by 1,000 at most; the next one begins another', async () => {
      const fill = responses.begin(target, MISS, {}, true)
      const request = { target, headers: {}, timeoutMs: 1_000 }
      const join = (): Flight<Landing> | undefined => responses.join(target, MISS, {})
      const waiting = Array.from({ length: 1_000 }, () => responses.awaitFirst(join() as Flight<Landing>, request))
      expect(join()).to.equal(undefined)
      expect(responses.stats().waiters).to.deep.equal({ limit: 10_000, current: 1_000, peak: 1_000, refused: 1 })
      const another = responses.begin(target, MISS, {}, true)
      expect(join()).to.equal(another.flight)
      commit(fill, 'shared')
      for (const found of await Promise.all(waiting)) expect(bodyOf(found as Lookup)).to.equal('shared')
      expect(responses.stats().waiters.current).to.equal(0)
    })

    it('is waited for by nobody where 10,000 wait in all', async () => {
      const waiting: Promise<unknown>[] = []
      const targets = Array.from({ length: 11 }, (_, index) => ({ ...target, primary: `${target.primary}${index}` }))
      const fills = targets.map((one) => responses.begin(one, MISS, {}, true))
      for (const one of targets.slice(0, 10))
        for (let count = 0; count < 1_000; count++) {
          const flight = responses.join(one, MISS, {}) as Flight<Landing>
          waiting.push(responses.await(flight, { target: one, headers: {}, timeoutMs: 1_000 }))
        }
      expect(responses.join(targets[10] as FillTarget, MISS, {})).to.equal(undefined)
      expect(responses.stats().waiters).to.include({ current: 10_000, refused: 1 })
      for (const fill of fills) responses.abandon(fill, false)
      await Promise.all(waiting)
      expect(responses.stats().waiters.current).to.equal(0)
    })

    it('is one for each variant where the Vary is known', () => {
      fillWith('one', ['a'], { a: '1' })
      const miss = lookup({ a: '2' }) as Miss
      responses.begin(target, miss, { a: '2' }, true)
      expect(responses.join(target, miss, { a: '2' })).to.not.equal(undefined)
      expect(responses.join(target, miss, { a: '3' })).to.equal(undefined)
    })

    it('is refused when a write has overtaken it, and lets nobody have it (I1)', async () => {
      for (const targets of [
        { tags: ['t:post'] },
        { tags: [`u:${uri}`] },
        { tags: ['p:/p?q'] },
        { patterns: ['/p\\?q'] },
        { all: true },
      ]) {
        const fill = responses.begin(target, MISS, {}, true)
        const waiting = responses.await(fill.flight as never, { target, headers: {}, timeoutMs: 1_000 })
        invalidate(targets)
        expect(commit(fill, 'old')).to.equal('invalidated')
        expect(bodyOf(await waiting)).to.equal('uri-miss')
        expect(bodyOf(lookup())).to.equal('uri-miss')
      }
    })

    it('is not joined by those who come after an invalidation, whatever it named (I23)', () => {
      responses.begin(target, MISS, {}, true)
      invalidate({ tags: ['t:other'] })
      expect(responses.join(target, MISS, {})).to.equal(undefined)
    })

    it('of before an invalidation does not replace the one of after', () => {
      const old = responses.begin(target, MISS, {}, true)
      invalidate({ tags: ['t:post'] })
      fillWith('new')
      expect(commit(old, 'old')).to.equal('invalidated')
      expect(bodyOf(lookup())).to.equal('new')
    })

    it('that could not be shared is not waited for during the next 10 s', async () => {
      const fill = responses.begin(target, MISS, {}, true)
      const waiting = responses.await(fill.flight as never, { target, headers: {}, timeoutMs: 1_000 })
      responses.abandon(fill, true)
      expect(bodyOf(await waiting)).to.equal('uri-miss')
      expect(responses.begin(target, MISS, {}, true).flight).to.equal(undefined)
      clock.advance(10_000)
      expect(responses.begin(target, MISS, {}, true).flight).to.not.equal(undefined)
    })

    it('that failed for its own reasons may be waited for again at once', () => {
      responses.abandon(responses.begin(target, MISS, {}, true), false)
      expect(responses.begin(target, MISS, {}, true).flight).to.not.equal(undefined)
    })

    it('that was stored may be waited for again, though it could not be shared before', () => {
      responses.abandon(responses.begin(target, MISS, {}, true), true)
      commit(responses.begin(target, MISS, {}, true), 'one')
      expect(responses.begin(target, MISS, {}, true).flight).to.not.equal(undefined)
    })

    it('that nobody may wait for has no flight', () => {
      const fill = responses.begin(target, MISS, {}, false)
      expect(fill.flight).to.equal(undefined)
      expect(responses.join(target, MISS, {})).to.equal(undefined)
      expect(commit(fill, 'one')).to.equal('stored')
    })

    it('counts among the flights while it is under way', () => {
      const fill = responses.begin(target, MISS, {}, true)
      expect(responses.stats().flights).to.include({ current: 1, peak: 1 })
      responses.abandon(fill, false)
      expect(responses.stats().flights).to.include({ current: 0, peak: 1 })
    })
  })
})
