import { expect } from 'chai'
import fc from 'fast-check'
import { RECORD_HEADER_BYTES, Slabs } from '../../../lib/stores/slabs.ts'

/** Write a record of this length, told from others by its number. */
function put(slabs: Slabs, slot: number, length: number, number: number): void {
  const { chunk, at } = slabs.add(slot, length)
  chunk.bytes.fill(number, at + RECORD_HEADER_BYTES, at + length)
}

/** What was written of it, a byte of each kind. */
function bytesOf(slabs: Slabs, slot: number, length: number): number[] {
  const { chunk, at } = slabs.placeOf(slot)
  return [...new Set(chunk.bytes.subarray(at + RECORD_HEADER_BYTES, at + length))]
}

describe('Slabs', () => {
  it('keep every record whatever is removed, replaced and moved, and count what they have', () => {
    const step = fc.record({
      kind: fc.constantFrom('put', 'put', 'put', 'remove', 'compact'),
      slot: fc.nat(60),
      length: fc.oneof(fc.integer({ min: 9, max: 2_000 }), fc.integer({ min: 9, max: 10_000 })),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const slabs = new Slabs(0)
        const model = new Map<number, { readonly length: number; readonly number: number }>()
        for (const [index, { kind, slot, length }] of steps.entries()) {
          if (kind === 'compact') slabs.compact()
          else {
            if (model.delete(slot)) slabs.remove(slot)
            if (kind === 'put') {
              put(slabs, slot, length, index % 256)
              model.set(slot, { length, number: index % 256 })
            }
          }
          const living = [...model.values()].reduce((sum, record) => sum + record.length, 0)
          expect(slabs.bytes - slabs.deadBytes).to.be.at.least(living)
          expect(slabs.deadBytes).to.be.at.least(0)
        }
        for (const [slot, { length, number }] of model) expect(bytesOf(slabs, slot, length)).to.deep.equal([number])
        for (const slot of model.keys()) slabs.remove(slot)
        expect([slabs.bytes, slabs.deadBytes]).to.deep.equal([0, 0])
      }),
      { seed: 20_261_121, numRuns: 100 },
    )
  })

  it('give back what is dead when it is moved together', () => {
    const slabs = new Slabs(0)
    for (let slot = 1; slot <= 1_000; slot++) put(slabs, slot, 1_000, slot % 256)
    for (let slot = 1; slot <= 1_000; slot++) if (slot % 10 > 0) slabs.remove(slot)
    expect(slabs.deadBytes).to.be.greaterThan(800_000)
    for (let times = 0; times < 100; times++) slabs.compact()
    expect(slabs.deadBytes).to.be.lessThan(40_000)
    for (let slot = 10; slot <= 1_000; slot += 10) expect(bytesOf(slabs, slot, 1_000)).to.deep.equal([slot % 256])
  })

  it('never overwrite what is large and was given out', () => {
    const slabs = new Slabs(1e6)
    put(slabs, 1, 20_000, 7)
    const { chunk, at } = slabs.placeOf(1)
    const given = chunk.bytes.subarray(at + RECORD_HEADER_BYTES, at + 20_000)
    expect(chunk.isShared).to.equal(false)
    chunk.isLent = true
    slabs.remove(1, true)
    for (let slot = 1; slot < 50; slot++) put(slabs, slot, 20_000, 8)
    expect([...new Set(given)]).to.deep.equal([7])
  })

  it('put what is large where another was that nobody has read', () => {
    const slabs = new Slabs(1e6)
    put(slabs, 1, 20_000, 7)
    const { bytes } = slabs.placeOf(1).chunk
    const all = slabs.bytes
    slabs.remove(1, true)
    put(slabs, 2, 19_000, 8)
    expect(slabs.placeOf(2).chunk.bytes).to.equal(bytes)
    expect(slabs.bytes).to.equal(all)
    expect(bytesOf(slabs, 2, 19_000)).to.deep.equal([8])
    slabs.remove(2, true)
    put(slabs, 3, 15_000, 9)
    expect(slabs.placeOf(3).chunk.bytes).not.to.equal(bytes)
  })

  it('give back what was large, and not evicted', () => {
    const slabs = new Slabs(1e6)
    put(slabs, 1, 20_000, 7)
    slabs.remove(1)
    expect(slabs.bytes).to.equal(0)
  })

  it('count what waits for another record, and keep a sixteenth of all for that at most', () => {
    const slabs = new Slabs(1e6)
    for (let slot = 1; slot <= 20; slot++) put(slabs, slot, 20_000, slot)
    for (let slot = 1; slot <= 20; slot++) slabs.remove(slot, true)
    expect([slabs.bytes, slabs.deadBytes]).to.deep.equal([60_000, 0])
  })
})
