import { expect } from 'chai'
import { Statistics } from '../../../lib/analytics/statistics.ts'

describe('Statistics', () => {
  it('begins at nothing', () => {
    const statistics = new Statistics()
    expect(new Set(Object.values(statistics.counters))).to.deep.equal(new Set([0]))
    expect(statistics.hitRate).to.equal(0)
  })

  it('counts every outcome under its one word', () => {
    const statistics = new Statistics()
    statistics.count({ hit: true })
    statistics.count({ hit: true, ttl: 5 })
    statistics.count({ hit: true, ttl: 0 })
    statistics.count({ hit: true, ttl: -3, detail: 'swr' })
    statistics.count({ hit: false, forward: 'stale', forwardStatus: 304, stored: true })
    statistics.count({ hit: false, forward: 'stale', forwardStatus: 503, detail: 'stale-if-error' })
    statistics.count({ hit: false, forward: 'uri-miss', stored: true })
    statistics.count({ hit: false, forward: 'vary-miss', collapsed: true })
    statistics.count({ hit: false, forward: 'bypass' })
    statistics.count({ hit: false, forward: 'method' })
    statistics.increment('invalidations')
    statistics.increment('errors')
    expect(statistics.counters).to.deep.equal({
      hits: 6,
      misses: 2,
      stale: 2,
      revalidated: 1,
      bypassed: 2,
      collapsed: 1,
      stored: 1,
      invalidations: 1,
      unconfirmed: 0,
      refreshes: 0,
      errors: 1,
    })
  })

  it('gives the hit rate as a percentage with two decimals', () => {
    const statistics = new Statistics()
    const miss = { hit: false, forward: 'uri-miss' } as const
    for (let hit = 0; hit < 5; hit++) statistics.count({ hit: true })
    expect(statistics.hitRate).to.equal(100)
    statistics.count(miss)
    expect(statistics.hitRate).to.equal(83.33)
    for (let more = 0; more < 9; more++) statistics.count(miss)
    expect(statistics.hitRate).to.equal(33.33)
    statistics.count({ hit: false, forward: 'bypass' })
    expect(statistics.hitRate, 'a bypass is no lookup').to.equal(33.33)
  })

  it('hands out a copy', () => {
    const statistics = new Statistics()
    const { counters } = statistics
    statistics.count({ hit: true })
    expect(counters.hits).to.equal(0)
  })
})
