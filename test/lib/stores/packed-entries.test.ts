import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import type { Entry } from '../../../lib/entry.ts'
import type { StoredResponse } from '../../../lib/http/stored-response.ts'
import { MemoryStore } from '../../../lib/stores/memory.ts'
import { PackedEntries } from '../../../lib/stores/packed-entries.ts'
import { responseEntry, valueEntry } from '../../support/entries.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const run = promisify(execFile)

describe('PackedEntries', () => {
  const source = new MemoryStore({ maxBytes: 1e6, clock: new FakeClock() })
  const pathOf = (number: number): string => `/items/${number}`
  const keyOf = (number: number): string => responseEntry(source, 0, pathOf(number)).key
  /** Bytes of which each number has its own. */
  const bodyOf = (number: number, size: number): Buffer => Buffer.alloc(size, `${number} `)
  const add = (entries: PackedEntries, number: number, size: number): boolean =>
    entries.set(responseEntry(source, 0, pathOf(number), { value: bodyOf(number, size) }))
  const read = (entries: PackedEntries, number: number): Buffer | undefined =>
    (entries.get(keyOf(number))?.entry.value as StoredResponse | undefined)?.body

  it('never have more bytes than they may, whatever is put in', () => {
    for (const maxBytes of [3_000, 20_000, 100_000, 1_000_000]) {
      const entries = new PackedEntries(maxBytes)
      for (let number = 0; number < 3_000; number++) {
        const size = (number * 7_919) % (number % 50 === 0 ? 60_000 : 3_000)
        add(entries, number % 2_000, size)
        if (number % 3 === 0) read(entries, (number * 31) % 2_000)
        if (number % 7 === 0) entries.delete(keyOf((number * 17) % 2_000))
        expect(entries.bytes, `${maxBytes}: ${number}`).to.be.at.most(maxBytes)
      }
    }
  })

  it('keep what is wanted as it was, where most of what comes is replaced at once', () => {
    const entries = new PackedEntries(1_000_000)
    for (let number = 0; number < 500; number++) {
      add(entries, number, 1_000)
      // Between two that stay.
      for (let times = 0; times < 10; times++) add(entries, 1_000 + times, 1_000)
    }
    expect(entries.evicted).to.equal(0)
    for (let number = 0; number < 500; number++) expect(read(entries, number)).to.deep.equal(bodyOf(number, 1_000))
  })

  it('keep ready what is asked for again, and not what is asked for once', () => {
    const entries = new PackedEntries(10_000_000)
    for (let number = 0; number < 5_000; number++) add(entries, number, 10)
    read(entries, 0)
    const kept = entries.get(keyOf(0))
    const { bytes } = entries
    for (let number = 1; number < 4_000; number++) read(entries, number)
    expect(entries.bytes).to.equal(bytes)
    expect(entries.get(keyOf(0))).to.equal(kept)
    for (let number = 0; number < 4_000; number++) for (let times = 0; times < 2; times++) read(entries, number)
    expect(entries.bytes - bytes, 'a bound of its own').to.be.within(1_000_000, 1_250_000)
  })

  it('leave bodies that were given out as they were, however much comes after', () => {
    const entries = new PackedEntries(2_000_000)
    const given: (readonly [Buffer, Buffer])[] = []
    for (let number = 0; number < 4_000; number++) {
      const size = number % 40 === 0 ? 50_000 : 1_000
      add(entries, number, size)
      // Some of the large ones among them: the memory of the others is used again.
      if (number % 30 === 0) given.push([read(entries, number) as Buffer, bodyOf(number, size)])
    }
    expect(entries.evicted).to.be.greaterThan(1_500)
    for (const [body, original] of given) expect(body.equals(original)).to.equal(true)
  })

  it('let go in the order of use, however many are kept ready', () => {
    const entries = new PackedEntries(1_000_000)
    for (let number = 0; number < 100; number++) add(entries, number, 1_000)
    for (let times = 0; times < 3; times++) for (let number = 0; number < 50; number++) read(entries, number)
    while (entries.evicted < 60) add(entries, 1_000 + entries.size + entries.evicted, 1_000)
    const left = Array.from({ length: 100 }, (_, number) => number).filter((number) => entries.has(keyOf(number)))
    expect(left).to.deep.equal(Array.from({ length: left.length }, (_, number) => 50 - left.length + number))
    expect(left.length).to.be.greaterThan(0)
  })

  it('find an entry by its key, however long, of whatever characters, and like whichever other', () => {
    const entries = new PackedEntries(10_000_000)
    const long = 'x'.repeat(100_000)
    const keys = [
      '',
      'a',
      'a\0',
      'A',
      '\u00e9',
      'e\u0301',
      '\u0131',
      '\ud83d\ude00',
      '\u{1f601}',
      '\ufffd',
      long,
      `${long}y`,
      `\u0100${long}`,
    ]
    const of = (key: string, value: string): Entry => valueEntry(source, 0, key, { value })
    for (const key of keys) entries.set(of(key, `first of ${key.length}`))
    for (const key of keys) entries.set(of(key, `of ${key}`))
    expect(entries.size).to.equal(keys.length)
    expect([...entries.keys()].reverse()).to.deep.equal(keys.map((key) => of(key, '').key))
    for (const key of keys) expect(entries.peek(of(key, '').key)?.entry).to.deep.equal(of(key, `of ${key}`))
    for (const key of keys) {
      entries.delete(of(key, '').key)
      expect(entries.has(of(key, '').key)).to.equal(false)
    }
    expect([entries.size, [...entries.keys()]]).to.deep.equal([0, []])
  })

  it('take at most 600 bytes for an entry beside its body, head and key, and no more than they count', async function () {
    this.timeout(60_000)
    const script = `
      import { MemoryStore } from './lib/stores/memory.ts'
      import { responseEntry } from './test/support/entries.ts'
      const used = () => { globalThis.gc(); const { heapUsed, external } = process.memoryUsage(); return heapUsed + external }
      const store = new MemoryStore({ maxBytes: 1e9, clock: { now: () => 0 } })
      const fill = (from, to) => { for (let n = from; n < to; n++) store.set(responseEntry(store, 0, '/items/' + n, { value: 'x'.repeat(1024) })) }
      fill(0, 100)
      const [before, counted] = [used(), store.stats().bytes]
      fill(100, 20100)
      const entry = store.get(responseEntry(store, 0, '/items/100').key)
      const text = entry.key.length + entry.value.head.join('').length
      console.log(JSON.stringify([(used() - before) / 20000 - 1024 - text, (store.stats().bytes - counted) / 20000 - 1024 - text]))`
    const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '--eval', script]
    const { stdout } = await run(process.execPath, args)
    const [taken, counted] = JSON.parse(stdout) as [number, number]
    expect(taken).to.be.lessThan(600)
    // The chunk that is being filled is there as a whole.
    expect((counted + 1024 ** 2 / 20_000) * 1.1).to.be.within(taken, 600)
  })
})
