import { expect } from 'chai'
import { compare, cost, median, quiet, type Rounds, ratio, type Slice } from '../../bench/compare.ts'
import { checkSame, learn } from '../../bench/learn.ts'
import { payload, SIZES } from '../../bench/payload.ts'
import { TWELVE_FIELDS } from '../../bench/requests.ts'
import { Servers } from '../../bench/server.ts'

describe('the rounds of the benchmark', () => {
  it('asks each contestant in each round, and counts what that cost', async function () {
    this.timeout(60_000)
    await using servers = new Servers()
    const size = SIZES['1 kB']
    const origin = await servers.contestant('limits.ts', { contestant: 'node:http, origin', size })
    const prepared = await learn(origin, {}, ({ status }) => status === 200)
    const limit = await servers.contestant('limits.ts', { contestant: 'node:http', size, prepared })
    await checkSame(limit, prepared, TWELVE_FIELDS)
    const lanes = [
      { name: 'one', server: origin, ask: {} },
      { name: 'another', server: limit, ask: { ...TWELVE_FIELDS, keys: 10 } },
    ]
    const rounds = await compare(lanes, { rounds: 1, short: true })
    for (const { name } of lanes) {
      const [slice, ...more] = rounds.get(name) ?? []
      expect(more, name).to.deep.equal([])
      expect(slice?.requests, name).to.be.above(0)
      expect(slice?.cost, name).to.be.above(0)
      expect(slice?.p99, name).to.be.at.least(slice?.p50 ?? Number.NaN)
    }
  })

  it('refuses a reference that sends another answer', async function () {
    this.timeout(60_000)
    await using servers = new Servers()
    const origin = await servers.contestant('limits.ts', { contestant: 'node:http, origin', size: SIZES['1 kB'] })
    const prepared = await learn(origin, {}, ({ status }) => status === 200)
    const [refusal] = await Promise.allSettled([checkSame(origin, { ...prepared, body: Buffer.from('{}') })])
    expect(refusal).to.have.property('status', 'rejected')
  })

  it('takes the ratio within each round, and of these the median', () => {
    // A slow second round: the medians of the two would give 20 / 25.
    const rounds = roundsOf({ ours: [20, 80, 25], theirs: [20, 60, 15] })
    expect(ratio(rounds, 'ours', 'theirs')).to.equal(60 / 80)
    expect(ratio(rounds, 'theirs', 'ours')).to.equal(80 / 60)
    expect(cost(rounds, 'ours')).to.equal(25)
    expect(() => ratio(rounds, 'ours', 'nobody')).to.throw('"nobody" was not measured')
  })

  it('takes throughput from the slices in which the server was let run', () => {
    const disturbed = { ...slice(10), busy: 0.2, requests: 100, p99: 90 }
    const quietOnes = [900, 1_100, 1_000].map((requests) => ({ ...slice(10), busy: 0.9, requests }))
    const rounds: Rounds = new Map([['ours', [disturbed, ...quietOnes, disturbed, disturbed]]])
    expect(quiet(rounds, 'ours')).to.deep.equal({ throughput: 1_000, p50: 1, p99: 2 })
  })

  it('takes the middle of two as the median of an even number', () => {
    expect(median([4, 1, 2, 3])).to.equal(2.5)
    expect(median([3, 1, 2])).to.equal(2)
    expect(Number.isNaN(median([]))).to.equal(true)
  })

  it('gives all contestants JSON of exactly the size they are said to answer with', () => {
    for (const [name, size] of Object.entries(SIZES)) {
      expect(payload(size), name).to.have.length(size)
      expect(() => JSON.parse(String(payload(size))), name).not.to.throw()
    }
  })
})

function roundsOf(costs: Readonly<Record<string, readonly number[]>>): Rounds {
  return new Map(Object.entries(costs).map(([name, values]) => [name, values.map(slice)]))
}

function slice(cpu: number): Slice {
  return { cost: cpu, busy: 1, requests: 1_000, seconds: 1, p50: 1, p99: 2 }
}
