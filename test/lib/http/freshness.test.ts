import { expect } from 'chai'
import { parseCacheControl } from '../../../lib/http/cache-control.ts'
import { formatHttpDate } from '../../../lib/http/dates.ts'
import { type Fields, fieldValue } from '../../../lib/http/fields.ts'
import { freshnessLifetime, HEURISTIC_STATUSES, initialAge } from '../../../lib/http/freshness.ts'

const NOW = Date.UTC(2026, 10, 21)
const HOUR = 3_600_000
const DAY = 24 * HOUR
const at = (offset: number) => formatHttpDate(NOW + offset)

function freshness(fields: Fields, options: { targeted?: boolean; status?: number; heuristics?: boolean } = {}) {
  return freshnessLifetime({
    directives: parseCacheControl(fieldValue(fields, 'cache-control')),
    targeted: options.targeted ?? false,
    fields,
    status: options.status ?? 200,
    heuristics: options.heuristics ?? false,
    receivedAt: NOW,
  })
}

describe('freshnessLifetime', () => {
  it('prefers s-maxage to max-age to Expires, longer or shorter (FRE-2 to FRE-4)', () => {
    const expires = ['Expires', at(HOUR)] as const
    expect(freshness([['Cache-Control', 'max-age=3600, s-maxage=10'], expires])).to.deep.equal({
      lifetime: 10_000,
      basis: 's-maxage',
    })
    expect(
      freshness([
        ['Cache-Control', 'max-age=0'],
        ['cache-control', 's-maxage=60'],
      ]),
    ).to.include({ lifetime: 60_000 })
    expect(freshness([['Cache-Control', 'max-age=0'], expires])).to.deep.equal({ lifetime: 0, basis: 'max-age' })
    expect(
      freshness([
        ['Cache-Control', 'max-age=60'],
        ['Expires', '0'],
      ]),
    ).to.include({ lifetime: 60_000 })
    expect(freshness([expires])).to.deep.equal({ lifetime: HOUR, basis: 'expires' })
  })

  it('measures Expires from Date (FRE-5)', () => {
    expect(
      freshness([
        ['Date', at(HOUR)],
        ['Expires', at(HOUR / 2)],
      ]),
    ).to.deep.equal({ lifetime: 0, basis: 'expires' })
    expect(
      freshness([
        ['Date', at(-HOUR)],
        ['Expires', at(HOUR)],
      ]),
    ).to.include({ lifetime: 2 * HOUR })
    expect(
      freshness([
        ['Date', 'x'],
        ['Expires', at(HOUR)],
      ]),
    ).to.include({ lifetime: HOUR })
    expect(freshness([['Expires', at(0)]])).to.include({ lifetime: 0 })
  })

  it('takes an invalid Expires for an expired one (FRE-6, EXP-1)', () => {
    for (const value of ['0', '-1', '', 'Thu, 18 Aug 2050 02:01:18 UTC', `${at(HOUR)}, ${at(HOUR)}`]) {
      expect(
        freshness(
          [
            ['Expires', value],
            ['Last-Modified', at(-DAY)],
          ],
          { heuristics: true },
        ),
        value,
      ).to.deep.equal({
        lifetime: 0,
        basis: 'invalid',
      })
    }
    expect(
      freshness([
        ['Expires', at(HOUR)],
        ['Expires', at(HOUR)],
      ]),
    ).to.include({ basis: 'invalid' })
  })

  it('takes an invalid lifetime for an expired one (FRE-8)', () => {
    for (const value of ['max-age=x', 'max-age=1, max-age=2', 's-maxage=x, max-age=60', 'max-age=60, a="']) {
      expect(
        freshness([
          ['Cache-Control', value],
          ['Expires', at(HOUR)],
        ]),
        value,
      ).to.deep.equal({ lifetime: 0, basis: 'invalid' })
    }
  })

  it('does not see Expires beside a targeted field (FRE-15)', () => {
    expect(freshness([['Expires', at(HOUR)]], { targeted: true })).to.deep.equal({ lifetime: 0, basis: 'none' })
  })

  it('guesses a tenth of the time since the last change, at most a day (FRE-11)', () => {
    const guess = (modified: string, more: Fields = []) =>
      freshness([['Last-Modified', modified], ...more], { heuristics: true })
    expect(guess(at(-10 * HOUR))).to.deep.equal({ lifetime: HOUR, basis: 'heuristic' })
    expect(guess(at(-10 * HOUR), [['Date', at(-5 * HOUR)]])).to.include({ lifetime: HOUR / 2 })
    expect(guess(at(-100 * DAY))).to.include({ lifetime: DAY })
    expect(guess(at(HOUR))).to.include({ lifetime: 0 })
    expect(guess('x')).to.include({ basis: 'none' })
    expect(freshness([['Last-Modified', at(-DAY)]])).to.include({ basis: 'none' })
  })

  it('guesses only for statuses that permit it, and for what is public (FRE-10)', () => {
    const guess = (status: number, control = '') =>
      freshness(
        [
          ['Cache-Control', control],
          ['Last-Modified', at(-DAY)],
        ],
        { heuristics: true, status },
      ).basis
    for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 451, 501])
      expect(guess(status)).to.equal('heuristic')
    for (const status of [201, 202, 302, 303, 307, 403, 421, 500, 502, 503, 504, 599])
      expect(guess(status)).to.equal('none')
    expect(guess(599, 'public')).to.equal('heuristic')
    expect(HEURISTIC_STATUSES.has(206)).to.equal(true)
  })
})

describe('initialAge', () => {
  const age = (fields: Fields, requestedAt = NOW) => initialAge({ fields, requestedAt, respondedAt: NOW })

  it('is Age plus the time the handler took (AGE-1)', () => {
    expect(age([])).to.equal(0)
    expect(age([['Age', '60']], NOW - 1500)).to.equal(61_500)
    expect(age([], NOW + 5)).to.equal(0)
  })

  it('is at least the time since Date, but never negative (AGE-2)', () => {
    expect(age([['Date', at(-HOUR)]])).to.be.within(HOUR - 1000, HOUR)
    expect(
      age([
        ['Date', at(-HOUR)],
        ['Age', '7200'],
      ]),
    ).to.equal(2 * HOUR)
    expect(age([['Date', at(HOUR)]])).to.equal(0)
  })

  it('does not take the rounding of Date for age', () => {
    expect(initialAge({ fields: [['Date', at(0)]], requestedAt: NOW + 999, respondedAt: NOW + 999 })).to.equal(0)
    expect(initialAge({ fields: [['Date', at(0)]], requestedAt: NOW + 1100, respondedAt: NOW + 1100 })).to.be.below(
      1000,
    )
  })

  it('uses the first member of the first line (AGE-5)', () => {
    expect(age([['Age', '7200, 0']])).to.equal(7_200_000)
    expect(age([['Age', '0, 7200']])).to.equal(0)
    expect(
      age([
        ['Age', '1'],
        ['Age', '2'],
      ]),
    ).to.equal(1000)
  })

  it('ignores an invalid Age and saturates a huge one (AGE-6, AGE-7)', () => {
    for (const value of ['abc', '-5', '1.5', '5;x', '', '+5']) expect(age([['Age', value]]), value).to.equal(0)
    expect(age([['Age', '99999999999']])).to.equal(2_147_483_648_000)
  })
})
