import { randomBytes } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { Codings } from '../../lib/codings.ts'
import { Events } from '../../lib/events.ts'
import type { ResponseEntry } from '../../lib/responses.ts'
import { MemoryStore } from '../../lib/stores/memory.ts'
import { responseEntry } from '../support/entries.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/site.ts'

const TEXT = 'text that can be compressed '.repeat(100)

describe('Codings', () => {
  let clock: FakeClock
  let store: MemoryStore
  let codings: Codings
  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryStore({ maxBytes: 1e6, clock })
    codings = new Codings({ store, events: new Events({ info() {}, warn() {} }) })
  })

  const done = (): Promise<void> => until(() => codings.stats().current === 0)

  function keep(path: string, value: string | Buffer = TEXT): ResponseEntry {
    const entry = responseEntry(store, clock.now(), path, { value }) as ResponseEntry
    store.set(entry)
    return entry
  }

  const kept = (entry: ResponseEntry): ResponseEntry => store.get(entry.key) as ResponseEntry

  it('puts what a client likes best beside the body, and counts it', async () => {
    const entry = keep('/a')
    codings.want(entry, ['br', 'gzip'])
    await done()
    codings.want(kept(entry), ['gzip'])
    await done()
    const { value, size } = kept(entry)
    const [br, gzip] = value.coded
    expect([br?.coding, brotliDecompressSync(br?.body ?? '').toString()]).to.deep.equal(['br', TEXT])
    expect([gzip?.coding, gunzipSync(gzip?.body ?? '').toString()]).to.deep.equal(['gzip', TEXT])
    const bytes = (br?.body?.length ?? 0) + (gzip?.body?.length ?? 0)
    expect(size - entry.size).to.be.within(bytes, bytes + 2_000)
    expect(store.stats().bytes).to.be.at.least(size)
  })

  it('makes each once, however many ask', async () => {
    const entry = keep('/a')
    for (let turn = 0; turn < 10; turn++) codings.want(entry, ['gzip'])
    expect(codings.stats()).to.include({ current: 1, peak: 1, refused: 0 })
    await done()
    const { value } = kept(entry)
    codings.want(kept(entry), ['gzip'])
    expect(codings.stats().current).to.equal(0)
    expect(kept(entry).value).to.equal(value)
  })

  it('keeps both where two are made at the same time', async () => {
    const entry = keep('/a')
    codings.want(entry, ['br'])
    codings.want(entry, ['gzip'])
    await done()
    expect(kept(entry).value.coded.map(({ coding }) => coding)).to.have.members(['br', 'gzip'])
  })

  it('remembers what does not get smaller, and tries it no more', async () => {
    const entry = keep('/a', randomBytes(4_096))
    codings.want(entry, ['br', 'gzip'])
    await done()
    codings.want(kept(entry), ['br', 'gzip'])
    await done()
    expect(kept(entry).value.coded).to.deep.equal([
      { coding: 'br', body: undefined },
      { coding: 'gzip', body: undefined },
    ])
    codings.want(kept(entry), ['br', 'gzip'])
    expect(codings.stats().current).to.equal(0)
  })

  it('does not try again what does not fit', async () => {
    store = new MemoryStore({ maxBytes: 5_600, clock })
    codings = new Codings({ store, events: new Events({ info() {}, warn() {} }) })
    // Its gzip spares some bytes, but not enough for both.
    const entry = keep('/a', randomBytes(1_000).toString('hex').slice(0, 1_900))
    codings.want(entry, ['gzip'])
    await done()
    expect(kept(entry).value.coded).to.deep.equal([{ coding: 'gzip', body: undefined }])
  })

  it('puts nothing beside what has come in its place meanwhile', async () => {
    const entry = keep('/a')
    codings.want(entry, ['gzip'])
    clock.advance(1)
    const other = keep('/a', TEXT.toUpperCase())
    await done()
    expect(kept(other).value.coded).to.deep.equal([])
  })

  it('brings nothing back that is gone', async () => {
    const entry = keep('/a')
    codings.want(entry, ['gzip'])
    store.evict([entry.key])
    await done()
    expect(store.get(entry.key)).to.equal(undefined)
  })

  it('makes nothing for what memory does not have', () => {
    const entry = keep('/a')
    store.evict([entry.key])
    codings.want(entry, ['gzip'])
    expect(codings.stats()).to.include({ current: 0, peak: 0 })
  })

  it('refuses what is beyond its limit', async () => {
    const { limit } = codings.stats()
    const entries = Array.from({ length: limit + 3 }, (_, index) => keep(`/${index}`))
    for (const entry of entries) codings.want(entry, ['gzip'])
    expect(codings.stats()).to.deep.equal({ limit, current: limit, peak: limit, refused: 3 })
    await done()
    const made = entries.filter((entry) => kept(entry).value.coded.length > 0)
    expect(made).to.have.length(limit)
  })
})
