import { expect } from 'chai'
import type { Entry } from '../../../lib/entry.ts'
import { tagOf } from '../../../lib/key.ts'
import { MemoryStore } from '../../../lib/stores/memory.ts'
import { TagLedger } from '../../../lib/tags.ts'
import { valueEntry } from '../../support/entries.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const NOTHING = { tags: [], patterns: [], all: false }
const NOW = { ack: 'all', timeoutMs: 100 } as const

describe('MemoryStore', () => {
  let clock: FakeClock
  let store: MemoryStore
  beforeEach(() => {
    clock = new FakeClock(1_000_000)
    store = new MemoryStore({ maxBytes: 100_000, clock })
  })

  /** An entry that takes so many bytes, and a few more. */
  const sized = (key: string, size: number): Entry => valueEntry(store, clock.now(), key, { value: 'x'.repeat(size) })
  /** What this entry takes where it is alone. */
  const bytesOf = (entry: Entry): number => {
    const own = new MemoryStore({ maxBytes: 1e6, clock, ledgerOf: () => store.ledger(entry.key) })
    own.set(entry)
    return own.stats().bytes
  }

  it('answers at once, never with a promise', () => {
    const entry = valueEntry(store, clock.now(), 'a')
    expect(store.set(entry)).to.equal('stored')
    expect(store.get(entry.key)).to.deep.equal(entry)
    expect(store.touch(entry.key, clock.now() + 5, clock.now() + 5)).to.equal(true)
    expect(store.invalidate({ ...NOTHING, all: true }, NOW)).to.include({ ack: 'memory', partitions: 1 })
  })

  it('gives no new end to what is stale', () => {
    const entry = valueEntry(store, clock.now(), 'a', { tags: ['x'] })
    store.set({ ...entry, deleteAt: entry.staleAt + 60_000 })
    store.invalidate({ ...NOTHING, tags: [tagOf.tag('x')] }, { ...NOW, soft: true })
    expect(store.get(entry.key)?.staleAt).to.equal(clock.now())
    expect(store.touch(entry.key, clock.now() + 5, clock.now() + 5)).to.equal(false)
  })

  it('gives out the same object again and again, where it is asked for again and again', () => {
    const entry = valueEntry(store, clock.now(), 'a')
    store.set(entry)
    store.get(entry.key)
    const kept = store.get(entry.key)
    expect(kept).to.deep.equal(entry)
    expect(store.get(entry.key)).to.equal(kept)
    store.set({ ...entry, value: '"other"' })
    expect(store.get(entry.key)).to.include({ value: '"other"' })
  })

  it('lets the least recently used go first', () => {
    for (const key of ['a', 'b', 'c']) store.set(sized(key, 25_000))
    store.get('V 1 a')
    store.set(sized('d', 25_000))
    expect(['a', 'b', 'c', 'd'].filter((key) => store.has(`V 1 ${key}`))).to.deep.equal(['a', 'c', 'd'])
    expect(store.stats()).to.include({ entries: 3, evicted: 1, refused: 0 })
    expect(store.stats().bytes).to.be.within(75_000, 85_000)
    expect(store.stats().peakBytes).to.be.within(75_000, 85_000)
  })

  it('takes what fits exactly and refuses what does not, leaving the rest alone', () => {
    const bytes = bytesOf(sized('a', 10_000))
    const exact = new MemoryStore({ maxBytes: bytes, clock, ledgerOf: () => store.ledger('') })
    expect(exact.set(sized('a', 10_000))).to.equal('stored')
    expect(exact.set(sized('b', 10_008))).to.equal('too-large')
    expect(exact.stats()).to.include({ entries: 1, bytes, evicted: 0, refused: 1, maxBytes: bytes })
    expect(exact.get('V 1 a')).to.not.equal(undefined)
  })

  it('counts an entry that is replaced once', () => {
    store.set(sized('a', 4_000))
    store.set(sized('a', 5_000))
    expect(store.stats()).to.include({ entries: 1, bytes: bytesOf(sized('a', 5_000)), evicted: 0 })
  })

  it('keeps neither what is neither text nor bytes, nor anything of it', () => {
    const entry = { ...valueEntry(store, clock.now(), 'a'), value: { n: 1 } }
    expect(() => store.set(entry)).to.throw(TypeError, 'object')
    expect(store.stats()).to.include({ entries: 0, bytes: 0 })
  })

  it('gives the bytes of what is over or wrong back when it is met', () => {
    store.set(sized('a', 4_000))
    store.set({ ...sized('b', 4_000), deleteAt: clock.now() + 1 })
    clock.advance(1)
    store.invalidate({ ...NOTHING, tags: [tagOf.key('a')] }, NOW)
    expect([store.get('V 1 a'), store.get('V 1 b')]).to.deep.equal([undefined, undefined])
    expect(store.stats()).to.include({ entries: 0, bytes: 0, evicted: 0 })
  })

  it('gives all bytes back at once when everything is invalidated, and when it is closed', () => {
    store.set(sized('a', 4_000))
    store.invalidate({ ...NOTHING, all: true }, NOW)
    expect(store.stats()).to.include({ entries: 0, bytes: 0, peakBytes: bytesOf(sized('a', 4_000)) })
    store.set(sized('a', 4_000))
    store.close()
    expect(store.stats()).to.include({ entries: 0, bytes: 0 })
  })

  it('does not keep what ends before it comes', () => {
    store.set({ ...sized('a', 100), deleteAt: clock.now() })
    expect(store.get('V 1 a')).to.equal(undefined)
  })

  it('keeps nothing that the ledger in front of Redis cannot judge', () => {
    const ledger = new TagLedger({ incarnation: 'aaaaaaaaaaaaaaaa', seq: 5, nonce: '00000000' })
    const mirrored = new MemoryStore({ maxBytes: 10_000, clock, ledgerOf: () => ledger })
    const entry = valueEntry(mirrored, clock.now(), 'a')
    expect(mirrored.set({ ...entry, seq: 4 }), 'from before what it has seen').to.equal('unavailable')
    expect(mirrored.set({ ...entry, seq: 6 }), 'from after').to.equal('unavailable')
    expect(mirrored.set({ ...entry, incarnation: 'bbbbbbbbbbbbbbbb' })).to.equal('invalidated')
    expect(mirrored.set(entry)).to.equal('stored')
  })

  it('judges what it keeps by what the mirror learns', () => {
    const ledger = new TagLedger({ incarnation: 'aaaaaaaaaaaaaaaa', seq: 5, nonce: '00000000' })
    const mirrored = new MemoryStore({ maxBytes: 10_000, clock, ledgerOf: () => ledger })
    for (const key of ['a', 'b']) mirrored.set(valueEntry(mirrored, clock.now(), key))
    const token = { incarnation: 'aaaaaaaaaaaaaaaa', seq: 6, nonce: '11111111' }
    ledger.advance(token, [{ tag: tagOf.key('a'), seq: 6 }], [], 0)
    expect(mirrored.get('V 1 a')).to.equal(undefined)
    expect(mirrored.get('V 1 b')).to.include({ name: 'b' })
    ledger.reset({ ...token, incarnation: 'bbbbbbbbbbbbbbbb' })
    expect(mirrored.get('V 1 b')).to.equal(undefined)
  })

  it('serves nothing that is announced as wrong but not yet confirmed', () => {
    const ledger = new TagLedger()
    const mirrored = new MemoryStore({ maxBytes: 10_000, clock, ledgerOf: () => ledger })
    const entry = valueEntry(mirrored, clock.now(), 'a', { tags: ['t'] })
    mirrored.set(entry)
    const release = ledger.hold({ ...NOTHING, tags: [tagOf.tag('t')] })
    expect(mirrored.get('V 1 a')).to.equal(undefined)
    expect(mirrored.set(entry)).to.equal('invalidated')
    release()
    expect(mirrored.set(entry)).to.equal('stored')
  })

  it('lists from the most recently used on, and takes nonsense for the beginning', () => {
    for (const key of ['a', 'b', 'c']) store.set(valueEntry(store, clock.now(), key))
    const page = store.list({ cursor: 'nonsense', limit: 2 })
    expect(page.entries.map(({ name }) => name)).to.deep.equal(['c', 'b'])
    const rest = store.list({ cursor: page.cursor, limit: 2 })
    expect(rest.entries.map(({ name }) => name)).to.deep.equal(['a'])
    expect(rest.cursor).to.equal(undefined)
  })

  it('does not take looking at a list for use', () => {
    for (const key of ['a', 'b', 'c']) store.set(sized(key, 25_000))
    store.list({ cursor: undefined, limit: 10 })
    store.set(sized('d', 25_000))
    expect(store.has('V 1 a')).to.equal(false)
  })
})
