import { expect } from 'chai'
import fc from 'fast-check'
import { Histogram } from '../../../lib/analytics/histogram.ts'

/** A bucket is at most so much wider than what falls into it, or 0.1 us. */
const WIDTH = 1 / 32
const UNIT_MS = 1e-4
const LONGEST_MS = 400_000

function histogramOf(times: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const time of times) histogram.record(time)
  return histogram
}

/** The time that so many of a hundred do not exceed. */
function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1] as number
}

describe('Histogram', () => {
  it('knows nothing of nothing', () => {
    expect(new Histogram().stats).to.deep.equal({ count: 0, p50Ms: undefined, p95Ms: undefined, p99Ms: undefined })
  })

  it('tells percentiles that are never too low and hardly too high, whatever the times', () => {
    const time = fc.oneof(
      fc.double({ min: 0, max: 0.05, noNaN: true }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.double({ min: 0, max: LONGEST_MS, noNaN: true }),
    )
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 300 }), (times) => {
        const { count, p50Ms, p95Ms, p99Ms } = histogramOf(times).stats
        expect(count).to.equal(times.length)
        for (const [share, told] of [
          [0.5, p50Ms],
          [0.95, p95Ms],
          [0.99, p99Ms],
        ] as const) {
          const actual = percentile(times, share)
          expect(told).to.be.at.least(actual)
          expect(told).to.be.at.most(actual * (1 + WIDTH) + UNIT_MS * 1.001)
        }
      }),
    )
  })

  it('counts what is beyond all bounds at the bounds', () => {
    const { count, p50Ms, p99Ms } = histogramOf([-1, Number.POSITIVE_INFINITY]).stats
    expect(count).to.equal(2)
    expect(p50Ms).to.equal(UNIT_MS)
    expect(p99Ms).to.be.within(429_496, 443_000)
  })
})
