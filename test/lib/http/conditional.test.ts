import { expect } from 'chai'
import { hasOriginCondition, isNotModified } from '../../../lib/http/conditional.ts'

const NOW = Date.UTC(2026, 10, 21)
const MODIFIED = Date.UTC(1994, 10, 6, 8, 49, 37)
const validators = { etag: 'W/"a"', modifiedAt: MODIFIED }

describe('isNotModified', () => {
  const byTag = (value: string, etag: string | undefined = 'W/"a"') =>
    isNotModified({ 'if-none-match': value }, { etag, modifiedAt: undefined }, NOW)
  const byDate = (value: string) => isNotModified({ 'if-modified-since': value }, validators, NOW)

  it('is false without a condition', () => {
    expect(isNotModified({}, validators, NOW)).to.equal(false)
  })

  it('compares tags weakly, anywhere in the list (CON-5, CON-7)', () => {
    expect(byTag('"a"')).to.equal(true)
    expect(byTag('W/"a"')).to.equal(true)
    expect(byTag('"x", "a,b"', '"a,b"')).to.equal(true)
    expect(byTag('"b"')).to.equal(false)
    expect(byTag('"A"')).to.equal(false)
  })

  it('matches nothing where the condition is malformed (CON-6, CON-8)', () => {
    for (const value of ['w/"a"', 'a', '*, "a"', '']) expect(byTag(value), value).to.equal(false)
    expect(isNotModified({ 'if-none-match': '"a"' }, { etag: undefined, modifiedAt: MODIFIED }, NOW)).to.equal(false)
  })

  it('takes * for whatever is stored (CON-8)', () => {
    expect(isNotModified({ 'if-none-match': '*' }, { etag: undefined, modifiedAt: undefined }, NOW)).to.equal(true)
  })

  it('ignores If-Modified-Since beside If-None-Match, even a malformed one (CON-4)', () => {
    const since = { 'if-modified-since': 'Sun, 06 Nov 2050 08:49:37 GMT' }
    expect(isNotModified({ ...since, 'if-none-match': '"z"' }, validators, NOW)).to.equal(false)
    expect(isNotModified({ ...since, 'if-none-match': 'z' }, validators, NOW)).to.equal(false)
  })

  it('is true for the same or a later date in any of its forms (CON-12)', () => {
    expect(byDate('Sun, 06 Nov 1994 08:49:37 GMT')).to.equal(true)
    expect(byDate('Sunday, 06-Nov-94 08:49:37 GMT')).to.equal(true)
    expect(byDate('Sun Nov  6 08:49:38 1994')).to.equal(true)
    expect(byDate('Sun, 06 Nov 1994 08:49:36 GMT')).to.equal(false)
  })

  it('ignores what is not one valid date (CON-10)', () => {
    expect(byDate('Sun, 06 Nov 2050 08:49:37 UTC')).to.equal(false)
    expect(
      isNotModified(
        { 'if-modified-since': ['Sun, 06 Nov 2050 08:49:37 GMT', 'Sun, 06 Nov 2050 08:49:37 GMT'] },
        validators,
        NOW,
      ),
    ).to.equal(false)
  })
})

describe('hasOriginCondition', () => {
  it('sees the conditions that only the origin evaluates (CON-17)', () => {
    expect(hasOriginCondition({ 'if-match': '"a"' })).to.equal(true)
    expect(hasOriginCondition({ 'if-unmodified-since': 'x' })).to.equal(true)
    expect(hasOriginCondition({ 'if-none-match': '"a"' })).to.equal(false)
  })
})
