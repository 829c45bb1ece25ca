import { expect } from 'chai'
import fc from 'fast-check'
import { rangeApplies, singleRange } from '../../../lib/http/ranges.ts'

describe('singleRange', () => {
  const cases: [string, [number, number] | 'unsatisfiable' | undefined][] = [
    ['bytes=0-1', [0, 1]],
    ['Bytes=0-1', [0, 1]],
    ['bytes=1-', [1, 10]],
    ['bytes=-1', [10, 10]],
    ['bytes=-99', [0, 10]],
    ['bytes=5-999', [5, 10]],
    ['bytes=0-99999999999999999999999999', [0, 10]],
    ['bytes=0-0,', [0, 0]],
    ['bytes=11-', 'unsatisfiable'],
    ['bytes=99999999999999999999999999-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', undefined],
    ['lines=0-1', undefined],
    ['bytes=0-1,x', undefined],
    ['bytes=0-1, 4-5', undefined],
    ['bytes=a-b', undefined],
    ['bytes=--1', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['bytes=1', undefined],
    ['bytes=1 - 2', undefined],
    ['bytes 0-1', undefined],
    ['', undefined],
  ]
  for (const [range, expected] of cases) {
    it(`reads "${range}" (RNG-3 to RNG-6, RNG-18)`, () => {
      const wanted = Array.isArray(expected) ? { start: expected[0], end: expected[1] } : expected
      expect(singleRange(range, 11)).to.deep.equal(wanted)
    })
  }

  it('ignores a range of nothing (RNG-19)', () => {
    expect(singleRange('bytes=0-', 0)).to.equal(undefined)
    expect(singleRange(undefined, 11)).to.equal(undefined)
  })

  it('stays within the body', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 20 }), (first, last, length) => {
        for (const range of [`bytes=${first}-${last}`, `bytes=${first}-`, `bytes=-${last}`]) {
          const slice = singleRange(range, length)
          if (typeof slice !== 'object') continue
          expect(slice.start).to.be.within(0, slice.end)
          expect(slice.end).to.be.below(length)
        }
      }),
    )
  })
})

describe('rangeApplies', () => {
  const NOW = Date.UTC(2026, 10, 21)
  const stored = { etag: '"s"', lastModified: 'Sun, 06 Nov 1994 08:49:37 GMT', date: 'Sun, 06 Nov 1994 08:49:38 GMT' }
  const applies = (condition: string | undefined, validators: Parameters<typeof rangeApplies>[1] = stored) =>
    rangeApplies({ range: 'bytes=0-1', 'if-range': condition }, validators, NOW)

  it('needs a Range (RNG-7)', () => {
    expect(rangeApplies({ 'if-range': '"s"' }, stored, NOW)).to.equal(false)
    expect(applies(undefined)).to.equal(true)
  })

  it('compares tags strongly (RNG-7)', () => {
    expect(applies('"s"')).to.equal(true)
    expect(applies('"t"')).to.equal(false)
    expect(applies('W/"s"')).to.equal(false)
    expect(applies('W/"s"', { ...stored, etag: 'W/"s"' })).to.equal(false)
    expect(applies('"s"', { ...stored, etag: undefined })).to.equal(false)
  })

  it('wants exactly the stored date, and a strong one (RNG-8, RNG-9)', () => {
    expect(applies('Sun, 06 Nov 1994 08:49:37 GMT')).to.equal(true)
    expect(applies('Sun Nov  6 08:49:37 1994')).to.equal(true)
    expect(applies('Sun, 06 Nov 1994 08:49:38 GMT')).to.equal(false)
    expect(applies('Sun, 06 Nov 1994 08:49:37 GMT', { ...stored, date: stored.lastModified })).to.equal(false)
    expect(applies('Sun, 06 Nov 1994 08:49:37 GMT', { ...stored, date: undefined })).to.equal(false)
    expect(applies('nonsense')).to.equal(false)
  })
})
