import { expect } from 'chai'
import type { StoredResponse } from '../../lib/http/stored-response.ts'
import { tagOf, urlTags } from '../../lib/key.ts'
import type { InvalidationTargets, Store } from '../../lib/stores/store.ts'
import { responseEntry, valueEntry } from '../support/entries.ts'
import type { FakeClock } from '../support/fake-clock.ts'

/** A store under test, and what belongs to it. */
export interface StoreUnderTest {
  readonly store: Store
  readonly clock: FakeClock
  close(): Promise<void>
}

const NOTHING: InvalidationTargets = { tags: [], patterns: [], all: false }

/** What every store promises, whatever it is made of. */
export function describeStoreContract(title: string, make: () => Promise<StoreUnderTest>): void {
  describe(`Store contract: ${title}`, () => {
    let under: StoreUnderTest
    let store: Store
    beforeEach(async () => {
      under = await make()
      store = under.store
    })
    afterEach(() => under.close())

    const now = (): number => under.clock.now()
    const invalidate = async (targets: Partial<InvalidationTargets>): Promise<void> => {
      await store.invalidate({ ...NOTHING, ...targets }, { ack: 'all', timeoutMs: 2_000 })
    }

    it('answers with what was set', async () => {
      const entry = valueEntry(store, now(), 'a', { value: JSON.stringify({ n: 1 }) })
      expect(await store.set(entry)).to.equal('stored')
      const found = await store.get(entry.key)
      expect(found).to.include({ key: entry.key, name: 'a', kind: 'value', value: '{"n":1}', staleAt: entry.staleAt })
      expect(found?.tags).to.deep.equal(entry.tags)
    })

    it('answers with nothing for a key that was never set', async () => {
      expect(await store.get('V 1 nobody')).to.equal(undefined)
    })

    it('keeps bytes as bytes', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
      const entry = valueEntry(store, now(), 'bytes', { value: bytes })
      await store.set(entry)
      expect(Buffer.compare((await store.get(entry.key))?.value as Buffer, bytes)).to.equal(0)
    })

    it('keeps the fields of a response: case, order and repeats', async () => {
      const entry = responseEntry(store, now(), '/a?b=1')
      await store.set(entry)
      const response = (await store.get(entry.key))?.value as StoredResponse
      expect(response.fields).to.deep.equal((entry.value as StoredResponse).fields)
      expect(response.head).to.deep.equal((entry.value as StoredResponse).head)
      expect(response.body.toString()).to.equal('body of /a?b=1')
    })

    it('replaces an entry by a later one', async () => {
      const entry = valueEntry(store, now(), 'a', { value: '1' })
      await store.set(entry)
      await store.set({ ...entry, value: '2' })
      expect((await store.get(entry.key))?.value).to.equal('2')
    })

    it('takes down the state that fills begin from', async () => {
      const { key } = valueEntry(store, now(), 'a')
      const asOf = store.asOf()
      expect(asOf(key)).to.equal(store.ledger(key).token)
      await invalidate({ tags: [tagOf.tag('t')] })
      expect(asOf(key).seq).to.equal(store.ledger(key).token.seq - 1)
    })

    it('answers with nothing once an entry is past its end', async () => {
      const entry = valueEntry(store, now(), 'a', { ttlMs: 1_000 })
      await store.set(entry)
      under.clock.advance(999)
      expect(await store.get(entry.key)).to.not.equal(undefined)
      under.clock.advance(1)
      expect(await store.get(entry.key)).to.equal(undefined)
    })

    it('moves the end of an entry', async () => {
      const entry = valueEntry(store, now(), 'a', { ttlMs: 1_000 })
      await store.set(entry)
      expect(await store.touch(entry.key, now() + 5_000, now() + 5_000)).to.equal(true)
      under.clock.advance(2_000)
      expect((await store.get(entry.key))?.staleAt).to.equal(now() + 3_000)
      expect(await store.touch('V 1 nobody', now(), now())).to.equal(false)
    })

    it('keeps a richer form of what it still has, or what it had', async () => {
      const entry = valueEntry(store, now(), 'a', { value: 'plain' })
      await store.set(entry)
      await store.touch(entry.key, now() + 5_000, now() + 5_000)
      const rich = { ...entry, size: entry.size + 100, value: 'rich' }
      const isKept = store.enrich(rich)
      const found = await store.get(entry.key)
      expect(found?.value).to.equal(isKept ? 'rich' : 'plain')
      // What has been said of it since stays true.
      expect(found?.staleAt).to.equal(now() + 5_000)
    })

    it('does not put a richer form in the place of another fill, or of none', async () => {
      const entry = valueEntry(store, now(), 'a', { value: 'plain', fence: 2, tags: ['x'] })
      const rich = { ...entry, value: 'rich' }
      expect(store.enrich(rich)).to.equal(false)
      expect(await store.get(entry.key)).to.equal(undefined)
      await store.set(entry)
      for (const other of [{ cachedAt: entry.cachedAt + 1 }, { fence: 1 }, { seq: entry.seq + 1 }]) {
        expect(store.enrich({ ...rich, ...other })).to.equal(false)
      }
      expect((await store.get(entry.key))?.value).to.equal('plain')
      await invalidate({ tags: [tagOf.tag('x')] })
      store.enrich(rich)
      expect(await store.get(entry.key)).to.equal(undefined)
      await store.evict([entry.key])
      expect(store.enrich(rich)).to.equal(false)
    })

    it('drops entries that are evicted and leaves the others', async () => {
      const [a, b] = [valueEntry(store, now(), 'a'), valueEntry(store, now(), 'b')]
      await store.set(a)
      await store.set(b)
      await store.evict([a.key])
      expect(await store.get(a.key)).to.equal(undefined)
      expect(await store.get(b.key)).to.not.equal(undefined)
    })

    it('drops what carries an invalidated tag and nothing else', async () => {
      const [a, b] = [
        valueEntry(store, now(), 'a', { tags: ['x', 'y'] }),
        valueEntry(store, now(), 'b', { tags: ['X'] }),
      ]
      await store.set(a)
      await store.set(b)
      await invalidate({ tags: [tagOf.tag('x')] })
      expect(await store.get(a.key)).to.equal(undefined)
      expect(await store.get(b.key)).to.not.equal(undefined)
    })

    it('drops a key, a URL under every host, and one URL exactly', async () => {
      const value = valueEntry(store, now(), 'a')
      const [one, two] = [responseEntry(store, now(), '/one'), responseEntry(store, now(), '/two')]
      for (const entry of [value, one, two]) await store.set(entry)
      await invalidate({ tags: [tagOf.key('a'), ...urlTags('/one')] })
      expect(await store.get(value.key)).to.equal(undefined)
      expect(await store.get(one.key)).to.equal(undefined)
      expect(await store.get(two.key)).to.not.equal(undefined)
      await invalidate({ tags: [...urlTags('http://example.test/two')] })
      expect(await store.get(two.key)).to.equal(undefined)
    })

    it('drops what a pattern names: paths with a leading slash, keys without', async () => {
      const [user, post] = [valueEntry(store, now(), 'user:1'), valueEntry(store, now(), 'post:1')]
      const [list, other] = [responseEntry(store, now(), '/user:1/posts'), responseEntry(store, now(), '/about')]
      for (const entry of [user, post, list, other]) await store.set(entry)
      await invalidate({ patterns: ['user:*'] })
      expect(await store.get(user.key)).to.equal(undefined)
      expect(await store.get(post.key)).to.not.equal(undefined)
      expect(await store.get(list.key)).to.not.equal(undefined)
      await invalidate({ patterns: ['/user:?/*'] })
      expect(await store.get(list.key)).to.equal(undefined)
      expect(await store.get(other.key)).to.not.equal(undefined)
    })

    it('drops everything', async () => {
      const [value, response] = [valueEntry(store, now(), 'a'), responseEntry(store, now(), '/a')]
      await store.set(value)
      await store.set(response)
      await invalidate({ all: true })
      expect(await store.get(value.key)).to.equal(undefined)
      expect(await store.get(response.key)).to.equal(undefined)
    })

    it('keeps what is set after an invalidation', async () => {
      await store.set(valueEntry(store, now(), 'a', { tags: ['x'] }))
      await invalidate({ tags: [tagOf.tag('x')] })
      const again = valueEntry(store, now(), 'a', { tags: ['x'] })
      expect(await store.set(again)).to.equal('stored')
      expect(await store.get(again.key)).to.not.equal(undefined)
    })

    for (const [what, targets] of [
      ['tag', { tags: [tagOf.tag('x')] }],
      ['key', { tags: [tagOf.key('a')] }],
      ['pattern', { patterns: ['a*'] }],
      ['everything', { all: true }],
    ] as const) {
      it(`refuses a fill that began before its ${what} was invalidated`, async () => {
        await store.set(valueEntry(store, now(), 'warm-up'))
        const began = valueEntry(store, now(), 'a', { tags: ['x'] })
        await invalidate(targets)
        expect(await store.set(began)).to.equal('invalidated')
        expect(await store.get(began.key)).to.equal(undefined)
      })
    }

    it('refuses a fill with an older fence than the one kept', async () => {
      const newer = valueEntry(store, now(), 'a', { fence: 2, value: '"newer"' })
      await store.set(newer)
      expect(await store.set({ ...newer, fence: 1, value: '"older"' })).to.equal('fenced')
      expect((await store.get(newer.key))?.value).to.equal('"newer"')
    })

    it('lists what it keeps, page by page, without what has become wrong', async () => {
      for (const key of ['a', 'b', 'c', 'd', 'e']) await store.set(valueEntry(store, now(), key, { tags: [key] }))
      await invalidate({ tags: [tagOf.tag('c')] })
      const seen = new Set<string>()
      let cursor: string | undefined
      do {
        const page = await store.list({ cursor, limit: 2 })
        for (const entry of page.entries) seen.add(entry.name)
        cursor = page.cursor
      } while (cursor !== undefined)
      expect([...seen].sort()).to.deep.equal(['a', 'b', 'd', 'e'])
    })

    it('takes names that look like parts of an object', async () => {
      for (const key of ['__proto__', 'constructor', 'toString']) {
        const entry = valueEntry(store, now(), key, { tags: [key] })
        expect(await store.set(entry)).to.equal('stored')
        expect((await store.get(entry.key))?.name).to.equal(key)
        await invalidate({ tags: [tagOf.tag(key)] })
        expect(await store.get(entry.key)).to.equal(undefined)
      }
      expect(Reflect.get({}, 'polluted')).to.equal(undefined)
    })
  })
}
