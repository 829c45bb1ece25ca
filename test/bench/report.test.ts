import { expect } from 'chai'
import { contextOf } from '../../bench/part.ts'
import { partNames } from '../../bench/parts.ts'
import { report } from '../../bench/report.ts'
import type { Section } from '../../bench/section.ts'

const SECTION: Section = {
  title: 'Hits',
  note: 'Of made-up figures.',
  columns: ['', 'CPU'],
  rows: [
    ['ours', '12.0'],
    ['theirs', '10.0'],
  ],
  verdicts: [
    { what: 'A hit, of theirs', figure: 0.849, bar: { atLeast: 0.85 } },
    { what: 'A miss, times theirs', figure: 1.08, bar: { atMost: 1.08 } },
  ],
}

const WRITTEN = `## Hits

Of made-up figures.

|  | CPU |
| --- | --- |
| ours | 12.0 |
| theirs | 10.0 |

- A hit, of theirs: 0.849 (at least 0.85) MISSED
- A miss, times theirs: 1.08 (at most 1.08)
`

const FULL = { rounds: 15, short: false } as const

describe('the report of the benchmark', () => {
  it('is a table with its bars, and a missed one is a failure', async () => {
    const { markdown, failures, exitCode } = await report([partOf(SECTION)], FULL, () => {})
    expect(markdown).to.equal(WRITTEN)
    expect(failures).to.deep.equal(['A hit, of theirs: 0.849 (at least 0.85) MISSED'])
    expect(exitCode).to.equal(1)
  })

  it('is a success when all bars are met', async () => {
    const section = { ...SECTION, verdicts: SECTION.verdicts.slice(1) }
    expect(await report([partOf(section)], FULL, () => {})).to.include({ exitCode: 0 })
  })

  it('counts what could not be measured as missed', async () => {
    const section = { ...SECTION, verdicts: [{ what: 'A hit', figure: Number.NaN, bar: { atMost: 1 } }] }
    expect(await report([partOf(section)], FULL, () => {})).to.include({ exitCode: 1 })
  })

  it('decides nothing in the short form', async () => {
    const { markdown, exitCode } = await report([partOf(SECTION)], { rounds: 1, short: true }, () => {})
    expect(markdown).not.to.include('MISSED')
    expect(exitCode).to.equal(0)
  })

  it('goes on after a part that fails, and says so', async () => {
    const printed: string[] = []
    const broken = { name: 'broken', load: () => Promise.reject(new Error('no such server')) }
    const { markdown, failures, exitCode } = await report([broken, partOf(SECTION)], FULL, (text) => printed.push(text))
    expect(markdown).to.equal(`## broken\n\nFAILED: no such server\n\n${WRITTEN}`)
    expect(failures[0]).to.equal('broken failed: no such server')
    expect(printed.join('\n')).to.match(/Error: no such server\n +at .*## broken.*## Hits/s)
    expect(exitCode).to.equal(1)
  })

  it('is made of the parts that are asked for, in the order in which they are read', () => {
    expect(partNames(['conditional', 'hits'])).to.deep.equal(['hits', 'conditional'])
    expect(partNames([])).to.include.members(['hits', 'peers', 'redis-hits'])
    expect(() => partNames(['hit'])).to.throw('There is no part "hit"; there are ')
  })

  it('takes the number of rounds from the environment', () => {
    expect(contextOf([], {})).to.deep.equal({ rounds: 15, short: false })
    expect(contextOf(['--short'], {})).to.deep.equal({ rounds: 1, short: true })
    expect(contextOf([], { BENCH_ROUNDS: '3' })).to.deep.equal({ rounds: 3, short: false })
    expect(() => contextOf([], { BENCH_ROUNDS: 'many' })).to.throw('BENCH_ROUNDS')
  })
})

function partOf(section: Section): Parameters<typeof report>[0][number] {
  return { name: section.title, load: () => Promise.resolve({ run: () => Promise.resolve(section) }) }
}
