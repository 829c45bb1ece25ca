import { expect } from 'chai'
import fc from 'fast-check'
import { parseEntityTag, parseEntityTagList, weakMatch } from '../../../lib/http/entity-tag.ts'

describe('parseEntityTag', () => {
  it('returns a valid tag as it is (CON-7)', () => {
    for (const tag of ['"a"', 'W/"a"', '""', '"a,b"', '"\\"', '"\u00e9"']) expect(parseEntityTag(tag)).to.equal(tag)
    expect(parseEntityTag(' "a" ')).to.equal('"a"')
  })

  it('refuses what is none (CON-6, CON-23)', () => {
    for (const value of [
      '',
      'a',
      '"a',
      'a"',
      'w/"a"',
      'W\\"a"',
      'W"a"',
      '"a b"',
      '"a", "b"',
      '"a"b"',
      'W/',
      '"\u0100"',
    ]) {
      expect(parseEntityTag(value), value).to.equal(undefined)
    }
  })
})

describe('weakMatch', () => {
  it('compares the opaque parts only, with case (CON-5)', () => {
    expect(weakMatch('"1"', 'W/"1"')).to.equal(true)
    expect(weakMatch('W/"1"', '"1"')).to.equal(true)
    expect(weakMatch('W/"1"', 'W/"1"')).to.equal(true)
    expect(weakMatch('W/"1"', 'W/"2"')).to.equal(false)
    expect(weakMatch('"a"', '"A"')).to.equal(false)
  })
})

describe('parseEntityTagList', () => {
  it('respects quotes and empty members (CON-7, PAR-4)', () => {
    expect(parseEntityTagList('"a,b",, W/"c" ,"d"')).to.deep.equal(['"a,b"', 'W/"c"', '"d"'])
  })

  it('knows * alone (CON-8)', () => {
    expect(parseEntityTagList(' * ')).to.equal('*')
    expect(parseEntityTagList('*, "a"')).to.equal(undefined)
    expect(parseEntityTagList('"a", *')).to.equal(undefined)
  })

  it('matches nothing where something is no tag', () => {
    for (const value of ['', ',', 'a', '"a" "b"', '"a", b', '"a', 'w/"a"']) {
      expect(parseEntityTagList(value), value).to.equal(undefined)
    }
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (value) => void parseEntityTagList(value)))
  })
})
