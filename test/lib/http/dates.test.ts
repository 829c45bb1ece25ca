import { expect } from 'chai'
import fc from 'fast-check'
import { formatHttpDate, parseHttpDate } from '../../../lib/http/dates.ts'

const NOW = Date.UTC(2026, 10, 21)

describe('parseHttpDate', () => {
  it('reads the three forms (DAT-1)', () => {
    const expected = Date.UTC(1994, 10, 6, 8, 49, 37)
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
      ' Sun, 06 Nov 1994 08:49:37 GMT\t',
    ]) {
      expect(parseHttpDate(text, NOW), text).to.equal(expected)
    }
    expect(parseHttpDate('Wed Nov 16 08:49:37 1994', NOW)).to.equal(Date.UTC(1994, 10, 16, 8, 49, 37))
  })

  it('ignores case, and day names that do not fit (DAT-5, DAT-8)', () => {
    const expected = Date.UTC(2050, 7, 18, 2, 1, 18)
    expect(parseHttpDate('thu, 18 AUG 2050 02:01:18 gmt', NOW)).to.equal(expected)
    expect(parseHttpDate('Mon, 18 Aug 2050 02:01:18 GMT', NOW)).to.equal(expected)
  })

  it('takes two digits of a year for the future up to 50 years ahead (DAT-2)', () => {
    const year = (text: string, now: number) => new Date(parseHttpDate(text, now) ?? Number.NaN).getUTCFullYear()
    expect(year('Thursday, 18-Aug-50 02:01:18 GMT', NOW)).to.equal(2050)
    expect(year('Thursday, 18-Aug-76 02:01:18 GMT', NOW)).to.equal(2076)
    expect(year('Thursday, 18-Dec-76 02:01:18 GMT', NOW)).to.equal(1976)
    expect(year('Thursday, 18-Aug-26 02:01:18 GMT', NOW)).to.equal(2026)
    expect(year('Thursday, 18-Aug-25 02:01:18 GMT', NOW)).to.equal(2025)
    expect(year('Thursday, 18-Aug-05 02:01:18 GMT', Date.UTC(2080, 0, 1))).to.equal(2105)
    expect(parseHttpDate('Thursday, 18-Aug-50 02:01:18 GMT', Number.NaN)).to.equal(undefined)
  })

  it('accepts a leap second (DAT-7)', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW)).to.equal(Date.UTC(2017, 0, 1))
  })

  it('reads years before 1970 and after 2038 (DAT-10)', () => {
    expect(parseHttpDate('Sun, 06 Nov 1904 08:49:37 GMT', NOW)).to.equal(Date.UTC(1904, 10, 6, 8, 49, 37))
    expect(parseHttpDate('Sun, 20 Nov 2286 17:46:40 GMT', NOW)).to.equal(1e13)
    expect(new Date(parseHttpDate('Sun, 06 Nov 0050 08:49:37 GMT', NOW) ?? 0).getUTCFullYear()).to.equal(50)
  })

  for (const text of [
    '',
    '0',
    '-1',
    '2026-11-21T00:00:00Z',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun 06 Nov 1994 08:49:37 GMT',
    'Sun,  06 Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08.49.37 GMT',
    'Sun, 06 Nov 1994 8:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 23:60:00 GMT',
    'Sun, 06 Nov 1994 23:59:61 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Xxx, 06 Nov 1994 08:49:37 GMT',
    'Sun Nov 6 08:49:37 1994',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
    'Monday, 29-Feb-27 08:49:37 GMT',
  ]) {
    it(`is strict: "${text}" is no date (DAT-6, DAT-7)`, () => {
      expect(parseHttpDate(text, NOW)).to.equal(undefined)
    })
  }
})

describe('formatHttpDate', () => {
  it('writes IMF-fixdate', () => {
    expect(formatHttpDate(784111777000)).to.equal('Sun, 06 Nov 1994 08:49:37 GMT')
    expect(formatHttpDate(784111777999)).to.equal('Sun, 06 Nov 1994 08:49:37 GMT')
    expect(formatHttpDate(784111778000)).to.equal('Sun, 06 Nov 1994 08:49:38 GMT')
  })

  it('writes what parseHttpDate reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: -2e9, max: 2e11 }), (seconds) => {
        expect(parseHttpDate(formatHttpDate(seconds * 1000), NOW)).to.equal(seconds * 1000)
      }),
    )
  })
})
