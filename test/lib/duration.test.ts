import { expect } from 'chai'
import fc from 'fast-check'
import { formatDuration, looksLikeMs, parseDuration, parseMs } from '../../lib/duration.ts'
import { CacheError } from '../../lib/errors.ts'

const DAY = 86_400_000

describe('parseDuration', () => {
  const accepted: readonly [unknown, number][] = [
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1d', DAY],
    ['1w', 7 * DAY],
    ['1y', 365 * DAY],
    ['250ms', 250],
    ['1.5h', 5_400_000],
    ['1w2d3h4m5s6ms', 9 * DAY + 3 * 3_600_000 + 4 * 60_000 + 5_006],
    ['0s', 0],
    [0, 0],
    [60, 60_000],
    [0.5, 500],
  ]
  for (const [value, ms] of accepted) {
    it(`reads ${JSON.stringify(value)} as ${ms} ms`, () => {
      expect(parseDuration('ttl', value)).to.equal(ms)
    })
  }

  const wrongTexts = [
    '',
    '10',
    '5 mins ago',
    '5 m',
    ' 5m',
    '5m ',
    '-5m',
    '5x',
    '5M',
    '1m1h',
    '1m1m',
    '1e3s',
    '.5s',
    '5.s',
    'm',
    'Infinity',
    '9999999y',
  ]
  const wrongValues: readonly unknown[] = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    1e300,
    null,
    undefined,
    true,
    {},
    [],
    5n,
    () => 5,
  ]
  for (const value of [...wrongTexts, ...wrongValues]) {
    it(`refuses ${typeof value === 'string' ? JSON.stringify(value) : String(value)} of type ${typeof value}`, () => {
      expect(() => parseDuration('ttl', value))
        .to.throw(CacheError, /^ttl: .* is not a duration\. Use a string such as '30s'/)
        .with.property('code', 'ERR_CACHE_BAD_DURATION')
    })
  }

  it('shows the value received and the fix', () => {
    expect(() => parseDuration('cacheRoute: ttl', '5 mins ago')).to.throw(
      'cacheRoute: ttl: "5 mins ago" is not a duration. ' +
        "Use a string such as '30s', '5m', '1h30m', '1d', or a number of seconds.",
    )
  })

  it('reads what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (ms) => {
        expect(parseDuration('ttl', formatDuration(ms))).to.equal(ms)
      }),
    )
  })

  it('answers with a number that is no problem for a clock, or throws, for every string', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,4}[a-z]{0,2}[0-9.]{0,4}[smhdwy]{0,2}$/)),
        (text) => {
          let ms: number | undefined
          try {
            ms = parseDuration('ttl', text)
          } catch (error) {
            expect(error).to.be.instanceOf(CacheError)
          }
          if (ms !== undefined) expect(Number.isSafeInteger(ms) && ms >= 0).to.equal(true)
        },
      ),
    )
  })
})

describe('parseMs', () => {
  it('counts a plain number as ms', () => {
    expect(parseMs('deadlineMs', 50)).to.equal(50)
  })

  it('reads a string like a lifetime', () => {
    expect(parseMs('deadlineMs', '2s')).to.equal(2_000)
  })

  it('refuses what no timer can wait for', () => {
    expect(() => parseMs('deadlineMs', '25d')).to.throw(CacheError, /deadlineMs: "25d" is not a duration/)
  })

  it('speaks of ms in its message', () => {
    expect(() => parseMs('deadlineMs', Number.NaN)).to.throw(
      CacheError,
      /deadlineMs: NaN .* or a number of milliseconds/,
    )
  })
})

describe('looksLikeMs', () => {
  it('suspects whole thousands from 10,000 on', () => {
    expect([300_000, 10_000].map(looksLikeMs)).to.deep.equal([true, true])
  })

  it('suspects neither usual lifetimes nor strings', () => {
    expect([60, 9_000, 86_400, '300000s', Number.NaN].map(looksLikeMs)).to.deep.equal([
      false,
      false,
      false,
      false,
      false,
    ])
  })
})

describe('formatDuration', () => {
  it('writes the largest units first', () => {
    expect([0, 250, 90_000, 5_400_000, 300_000_000, -1_500].map(formatDuration)).to.deep.equal([
      '0s',
      '250ms',
      '1m30s',
      '1h30m',
      '3d11h20m',
      '-1s500ms',
    ])
  })
})
