import { expect } from 'chai'
import { isIncremental } from '../../../lib/http/incremental.ts'

describe('isIncremental', () => {
  for (const value of ['?1', '?1;a', '?1;a="x";b=2', ' ?1 ']) {
    it(`is true for ${JSON.stringify(value)} (IFW-1)`, () => {
      expect(isIncremental([['incremental', value]])).to.equal(true)
    })
  }

  for (const value of ['?0', '1', '"?1"', 'true', '', '?', '?2', '?1, ?1', '(?1)', '?1 x', '?1;', '?1;A', '@1']) {
    it(`is false for ${JSON.stringify(value)} (IFW-1)`, () => {
      expect(isIncremental([['Incremental', value]])).to.equal(false)
    })
  }

  it('is false without the field, whatever the type (IFW-1)', () => {
    expect(isIncremental([])).to.equal(false)
    expect(isIncremental([['Content-Type', 'text/event-stream']])).to.equal(false)
  })

  it('is false when the field stands there twice (SF-1)', () => {
    const line = ['Incremental', '?1'] as const
    expect(isIncremental([line, line])).to.equal(false)
  })
})
