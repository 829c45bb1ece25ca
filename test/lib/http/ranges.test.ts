import { expect } from 'chai'
import fc from 'fast-check'
import { type ByteRange, byteRanges, rangeApplies } from '../../../lib/http/ranges.ts'

type Expected = readonly (readonly [start: number, end: number])[] | 'unsatisfiable' | undefined

const asPairs = (ranges: ReturnType<typeof byteRanges>): Expected =>
  Array.isArray(ranges) ? (ranges as readonly ByteRange[]).map(({ start, end }) => [start, end]) : (ranges as Expected)

describe('byteRanges', () => {
  const cases: readonly (readonly [string, Expected])[] = [
    ['bytes=0-1', [[0, 1]]],
    ['Bytes=0-1', [[0, 1]]],
    ['bytes=0-', [[0, 10]]],
    ['bytes=1-', [[1, 10]]],
    ['bytes=-1', [[10, 10]]],
    ['bytes=-99', [[0, 10]]],
    ['bytes=5-999', [[5, 10]]],
    ['bytes=10-10', [[10, 10]]],
    ['bytes=0-99999999999999999999999999', [[0, 10]]],
    ['bytes=0000000000000000000000000002-003', [[2, 3]]],
    ['bytes=-99999999999999999999999999', [[0, 10]]],
    ['bytes=0-0,', [[0, 0]]],
    ['bytes=11-', 'unsatisfiable'],
    ['bytes=99999999999999999999999999-', 'unsatisfiable'],
    ['bytes=99999999999999999999999998-99999999999999999999999999', 'unsatisfiable'],
    ['bytes=99999999999999999999999999-99999999999999999999999998', undefined],
    ['bytes=99999999999999999999999999-99999999999999999999', undefined],
    ['bytes=0009-08', undefined],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', undefined],
    ['lines=0-1', undefined],
    ['bytes=a-b', undefined],
    ['bytes=--1', undefined],
    ['bytes=1-2-3', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['bytes=,', undefined],
    ['bytes=1', undefined],
    ['bytes=1 - 2', undefined],
    ['bytes=+1-2', undefined],
    ['bytes=1e0-2', undefined],
    ['bytes=\u0661-2', undefined],
    ['bytes 0-1', undefined],
    ['', undefined],
  ]
  for (const [range, expected] of cases) {
    it(`reads "${range}" (RNG-3 to RNG-6, RNG-18)`, () => {
      expect(asPairs(byteRanges(range, 11))).to.deep.equal(expected)
    })
  }

  it('ignores a range of nothing (RNG-19)', () => {
    expect(byteRanges('bytes=0-', 0)).to.equal(undefined)
    expect(byteRanges(undefined, 11)).to.equal(undefined)
  })

  it('reads digits without end in linear time (RNG-6)', () => {
    const nines = '9'.repeat(1_000_000)
    expect(asPairs(byteRanges(`bytes=0-${nines}`, 11))).to.deep.equal([[0, 10]])
    expect(byteRanges(`bytes=${nines}-`, 11)).to.equal('unsatisfiable')
    expect(byteRanges(`bytes=${nines}9-${nines}`, 11)).to.equal(undefined)
  })

  context('of a list', () => {
    const lists: readonly (readonly [string, Expected, string])[] = [
      [
        'bytes=0-1,4-5',
        [
          [0, 1],
          [4, 5],
        ],
        'keeps what has a gap apart (RNG-11)',
      ],
      [
        'bytes=0-1 ,\t, 4-5 ,',
        [
          [0, 1],
          [4, 5],
        ],
        'allows white space and empty members (RNG-5, PAR-4)',
      ],
      [
        'bytes=8-9,0-1,4-5',
        [
          [8, 9],
          [0, 1],
          [4, 5],
        ],
        'keeps the order of the request (RNG-13)',
      ],
      ['bytes=0-4,3-6', [[0, 6]], 'joins what overlaps (RNG-13)'],
      ['bytes=0-,-1', [[0, 10]], 'joins a part with the whole (RNG-12)'],
      ['bytes=0-1,2-3', [[0, 3]], 'joins what touches (RNG-13)'],
      ['bytes=2-3,0-1', [[0, 3]], 'joins what touches the other way round (RNG-13)'],
      ['bytes=0-1,2-3,4-5,6-7', [[0, 7]], 'joins a chain (RNG-13)'],
      [
        'bytes=4-5,10-10,0-1,6-7',
        [
          [4, 7],
          [10, 10],
          [0, 1],
        ],
        'puts what it joined where the first was asked for (RNG-13)',
      ],
      [
        'bytes=9-9,0-1,10-10',
        [
          [9, 10],
          [0, 1],
        ],
        'joins across others (RNG-13)',
      ],
      ['bytes=0-1,99-,-0', [[0, 1]], 'drops what cannot be satisfied (RNG-12)'],
      ['bytes=99-,-0', 'unsatisfiable', 'is unsatisfiable when all of it is (RNG-18)'],
      ['bytes=0-1,x', undefined, 'is malformed when one member is (RNG-4)'],
      ['bytes=0-1,5-2', undefined, 'is malformed when one member ends before it begins (RNG-4)'],
      ['bytes=99-,x', undefined, 'is malformed rather than unsatisfiable (RNG-4)'],
      ['bytes=0-1, bytes=4-5', undefined, 'is malformed when two lines were joined (RNG-4)'],
      ['bytes="0-1,4-5"', undefined, 'knows no quotes (RNG-4)'],
    ]
    for (const [range, expected, what] of lists) {
      it(`${what}: ${range}`, () => {
        expect(asPairs(byteRanges(range, 11))).to.deep.equal(expected)
      })
    }

    const list = (count: number, member: (index: number) => string): string =>
      `bytes=${Array.from({ length: count }, (_, index) => member(index)).join(',')}`

    it('cuts 16 ranges and not 17 (RNG-14)', () => {
      const member = (index: number): string => `${index * 10}-${index * 10}`
      expect(byteRanges(list(16, member), 1_000)).to.have.length(16)
      expect(byteRanges(list(17, member), 1_000)).to.equal(undefined)
    })

    it('counts what cannot be satisfied, and does not count empty members (RNG-14)', () => {
      expect(byteRanges(`${list(16, () => '2000-')},0-1`, 1_000)).to.equal(undefined)
      expect(byteRanges(`${list(15, () => '2000-')},0-1`, 1_000)).to.deep.equal([{ start: 0, end: 1 }])
      expect(byteRanges(`bytes=${','.repeat(100)}0-1`, 1_000)).to.deep.equal([{ start: 0, end: 1 }])
    })

    it('cuts two overlapping ranges and not three (RNG-14)', () => {
      expect(asPairs(byteRanges('bytes=0-5,3-8', 100))).to.deep.equal([[0, 8]])
      expect(byteRanges('bytes=0-5,3-8,7-9', 100)).to.equal(undefined)
      expect(byteRanges('bytes=0-5,5-8,8-9', 100)).to.equal(undefined)
      expect(byteRanges('bytes=0-5,3-8,20-25,23-28', 100)).to.equal(undefined)
      expect(byteRanges('bytes=0-,0-,0-', 100)).to.equal(undefined)
    })

    it('judges overlaps by what is there to overlap (RNG-14)', () => {
      expect(asPairs(byteRanges('bytes=0-5,-6,10-', 10))).to.deep.equal([[0, 9]])
      expect(byteRanges('bytes=0-5,-6,1-99', 10)).to.equal(undefined)
    })

    it('does not take ranges that only touch for overlapping ones (RNG-14)', () => {
      expect(asPairs(byteRanges('bytes=0-1,2-3,4-5', 100))).to.deep.equal([[0, 5]])
    })

    it('ignores many small ranges that are out of order (RNG-14)', () => {
      const descending = (index: number): string => `${5_000 - index * 100}-${5_000 - index * 100}`
      expect(byteRanges(list(9, descending), 10_000)).to.equal(undefined)
      expect(byteRanges(list(8, descending), 10_000)).to.have.length(8)
      expect(
        byteRanges(
          list(9, (index) => descending(8 - index)),
          10_000,
        ),
      ).to.have.length(9)
    })

    it('cuts many large ranges that are out of order (RNG-14)', () => {
      const large = (size: number) => (index: number) => `${(9 - index) * 5_000}-${(9 - index) * 5_000 + size - 1}`
      expect(byteRanges(list(9, large(1_024)), 100_000)).to.have.length(9)
      expect(byteRanges(list(9, large(1_023)), 100_000)).to.equal(undefined)
    })
  })

  it('selects the bytes that were asked for, each once, or all of them', () => {
    const bound = fc.option(fc.nat(30), { nil: undefined })
    const slice = fc.tuple(fc.nat(30), fc.nat(5)).map(([first, more]) => [first, first + more] as const)
    const member = fc.oneof({ arbitrary: slice, weight: 9 }, { arbitrary: fc.tuple(bound, bound), weight: 1 })
    const members = fc.array(member, { minLength: 1, maxLength: 6 })
    let cut = 0
    fc.assert(
      fc.property(members, fc.integer({ min: 1, max: 30 }), (specs, length) => {
        const field = `bytes=${specs.map(([first, last]) => `${first ?? ''}-${last ?? ''}`).join(',')}`
        const isMalformed = specs.some(([first, last]) =>
          first === undefined ? last === undefined : last !== undefined && last < first,
        )
        const asked = specs.flatMap(([first, last]) =>
          Array.from({ length }, (_, byte) => byte).filter((byte) =>
            first === undefined ? byte >= length - (last ?? 0) : byte >= first && byte <= (last ?? length),
          ),
        )
        const ranges = byteRanges(field, length)
        if (isMalformed) {
          expect(ranges).to.equal(undefined)
          return
        }
        if (asked.length === 0) {
          expect(ranges).to.equal('unsatisfiable')
          return
        }
        expect(ranges).not.to.equal('unsatisfiable')
        if (!Array.isArray(ranges)) {
          // More than two of them overlap.
          expect(asked.length - new Set(asked).size).to.be.at.least(1)
          return
        }
        cut++
        const given = (ranges as readonly ByteRange[]).map(({ start, end }) =>
          Array.from({ length: end - start + 1 }, (_, index) => start + index),
        )
        const ascending = (bytes: Iterable<number>): number[] => [...bytes].sort((a, b) => a - b)
        expect(ascending(given.flat())).to.deep.equal(ascending(new Set(asked)))
        // The byte that was asked for first comes in the first part, and so on.
        const places = given.map((bytes) => Math.min(...bytes.map((byte) => asked.indexOf(byte))))
        expect(places).to.deep.equal(ascending(places))
        const starts = new Set(given.map(([start]) => start))
        expect(given.filter((bytes) => starts.has((bytes.at(-1) ?? 0) + 1))).to.deep.equal([])
      }),
      { numRuns: 1_000 },
    )
    expect(cut).to.be.above(100)
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

  it('trusts no tag where other codings may carry the same (MSG-3)', () => {
    expect(applies('"s"', { ...stored, negotiated: true })).to.equal(false)
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
