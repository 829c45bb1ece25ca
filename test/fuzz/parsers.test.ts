import { expect } from 'chai'
import { fuzz } from './fuzz.ts'
import { countSteps, type Growth, growsTooFast, growthProblems, slowRuns } from './growth.ts'
import { SLOW_SPECIMEN, SPECIMENS, WRONG_SPECIMENS } from './specimens.ts'
import { SUBJECTS } from './subjects.ts'

/** The short form of `npm run fuzz`: the same inputs and checks, fewer of them. */

const RUNS = 500
const SEED = 1

describe('parsers of fields', () => {
  for (const subject of SUBJECTS) {
    it(`${subject.name} makes something of the right shape from anything (PAR-10, PAR-13)`, () => {
      expect(fuzz(subject, RUNS, SEED).failures).to.deep.equal([])
    })
  }

  it('do twice the work for twice the length (PAR-13)', async () => {
    const series = await countSteps({ lengths: [2048, 4096], subjects: 'parsers', oneIn: 7 })
    expect(namesIn(series)).to.deep.equal(SUBJECTS.map(({ name }) => name))
    expect(series.every(({ steps }) => steps.every(({ executed }) => executed > 0))).to.equal(true)
    expect(growthProblems(series)).to.deep.equal([])
  }).timeout(30_000)

  it('are done with 8 kB of anything in no time (PAR-13)', () => {
    expect(slowRuns(SUBJECTS, 8192, 50)).to.deep.equal([])
  }).timeout(30_000)
})

describe('the checks of parsers', () => {
  it('find an exception and a number that is none', () => {
    expect(WRONG_SPECIMENS.map((specimen) => fuzz(specimen, RUNS, SEED).failures[0]?.split(': ')[1])).to.deep.equal([
      'it throws SyntaxError',
      'not so',
    ])
  })

  it('make the same inputs from the same seed', () => {
    const failures = (seed: number) => WRONG_SPECIMENS.map((specimen) => fuzz(specimen, RUNS, seed).failed)
    expect(failures(SEED)).to.deep.equal(failures(SEED))
    expect(failures(SEED)).not.to.deep.equal(failures(SEED + 1))
  })

  it('count the same steps in every process', async () => {
    const order = { lengths: [512], subjects: 'parsers', oneIn: 97 } as const
    expect(await countSteps(order)).to.deep.equal(await countSteps(order))
  }).timeout(30_000)

  it('find nested loops, and lists copied or searched in a loop', async () => {
    const series = await countSteps({ lengths: [512, 1024], subjects: 'specimens', oneIn: 1 })
    const found = series.filter(({ steps }) => growsTooFast(steps))
    expect(namesIn(found)).to.deep.equal(SPECIMENS.map(({ name }) => name))
  }).timeout(30_000)

  it('find a regular expression that begins again everywhere', () => {
    expect(slowRuns([SLOW_SPECIMEN], 8192, 10)[0]).to.contain('"a" repeated')
  }).timeout(30_000)
})

function namesIn(series: readonly Growth[]): string[] {
  return [...new Set(series.map(({ subject }) => subject))]
}
