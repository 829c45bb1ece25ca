import { expect } from 'chai'
import { parseGroups } from '../../../lib/http/cache-groups.ts'

const LONGEST = 'g'.repeat(256)

/** A field value of so many groups. */
function many(count: number): string {
  return Array.from({ length: count }, (_, index) => `"g${index}"`).join(', ')
}

describe('parseGroups', () => {
  it('reads a list of strings, case and all (GRP-1, GRP-3)', () => {
    expect(parseGroups('"g1", "G1","with \\"quotes\\", commas"  ,\t""')).to.deep.equal([
      'g1',
      'G1',
      'with "quotes", commas',
      '',
    ])
  })

  it('ignores parameters (GRP-1)', () => {
    expect(parseGroups('"g1";a=1;b, "g2";c="x, y"')).to.deep.equal(['g1', 'g2'])
  })

  it('names a group once', () => {
    expect(parseGroups('"g1", "g2", "g1";again')).to.deep.equal(['g1', 'g2'])
  })

  it('finds none without the field, and none in an empty one', () => {
    expect(parseGroups(undefined)).to.deep.equal([])
    expect(parseGroups('')).to.deep.equal([])
  })

  for (const value of [
    'scripts',
    '"g1", scripts',
    '"g1", 1',
    '"g1", ?1',
    '"g1", ("g2")',
    '("g1")',
    '"g1", :Zzw=:',
    '"g1", @0',
    '"g1", %"g2"',
    '"g1",',
    '"g1" "g2"',
    '"g1',
    '"g1", "\u00e9"',
    '"g1", "\\x"',
    '"g1";A',
    ', "g1"',
  ]) {
    it(`ignores the whole of ${value} (GRP-1, TV-102)`, () => {
      expect(parseGroups(value)).to.deep.equal([])
    })
  }

  it('keeps 128 groups of 256 characters (GRP-2)', () => {
    expect(parseGroups(many(128))).to.have.lengthOf(128)
    expect(parseGroups(`"${LONGEST}"`)).to.deep.equal([LONGEST])
  })

  it('says so when it cannot keep them all', () => {
    expect(parseGroups(many(129))).to.equal(undefined)
    expect(parseGroups(`"g1", "${LONGEST}g"`)).to.equal(undefined)
  })

  it('counts a repeated group once', () => {
    expect(parseGroups(`${many(128)}, ${many(128)}`)).to.have.lengthOf(128)
  })

  it('does not take an invalid field for one that is too large', () => {
    expect(parseGroups(`${many(129)}, token`)).to.deep.equal([])
  })
})
