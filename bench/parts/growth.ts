import { type Companion, startCompanion } from '../../test/faults/outages/companion.ts'
import { quantile } from '../../test/faults/outages/figures.ts'
import type { FirstInvalidation, GrowthAnswers } from '../companions/growth.ts'
import type { Context } from '../part.ts'
import type { Section, Verdict } from '../section.ts'

const MOST = 1_000_000
const SIZES = [1_000, 10_000, 100_000, MOST] as const
const SHORT_SIZES = [100, 1_000] as const
const RATIO_BAR = 2
const ROUNDS = 7

type Subject = Companion<GrowthAnswers>

/** What operations cost with a few entries and with a million. */
export async function run({ short }: Context): Promise<Section> {
  const sizes: readonly number[] = short ? SHORT_SIZES : SIZES
  const subjects: Subject[] = []
  try {
    const haste = short ? 20 : 1
    const file = new URL('../companions/growth.ts', import.meta.url)
    const flags = ['--max-old-space-size=8192']
    for (const entries of sizes) subjects.push(await startCompanion<GrowthAnswers>(file, { entries, haste }, flags))
    process.stderr.write(`filling ${sizes.map((size) => size.toLocaleString('en')).join(', ')} entries\n`)
    const filled = await Promise.all(subjects.map((subject) => subject.ask('fill')))
    const costs = await measure(subjects, short ? 1 : ROUNDS)
    const [largest, most] = [subjects.at(-1) as Subject, filled.at(-1) ?? 0]
    // The largest tags are on the last entries.
    const firsts = most < MOST ? [] : await largest.ask('firstInvalidations')
    return section(filled, costs, firsts)
  } finally {
    await Promise.all(subjects.map((subject) => subject.end()))
  }
}

/** Costs by operation, one for each size. */
type Costs = ReadonlyMap<string, readonly number[]>

/** The sizes by turns, so that a slow moment of the machine is not that of one size. */
async function measure(subjects: readonly Subject[], rounds: number): Promise<Costs> {
  const costs = new Map<string, readonly number[]>()
  for (const operation of (await subjects[0]?.ask('operations')) ?? []) {
    const slices = subjects.map((): number[] => [])
    // The first one is for the compiler.
    for (const subject of subjects) await subject.ask('slice', operation)
    for (let round = 0; round < rounds; round++) {
      for (const [at, subject] of subjects.entries()) slices[at]?.push(await subject.ask('slice', operation))
    }
    costs.set(
      operation,
      slices.map((own) => quantile(own, 0.5)),
    )
  }
  return costs
}

function section(sizes: readonly number[], costs: Costs, firsts: readonly FirstInvalidation[]): Section {
  const rows = [...costs].map(([operation, own]) => {
    return [operation, ...own.map((cost) => `${cost.toFixed(1)} us`), ratioOf(own).toFixed(2)]
  })
  const stale = firsts.reduce((sum, first) => sum + first.stale, 0)
  return {
    title: 'Growth: cost of an operation by number of entries',
    note: [
      'CPU time per operation, garbage collection included, median of interleaved slices; requests over all entries, through `withCache`',
      'with objects of `node:http` that have no socket. The last column is the largest size against the smallest.',
      ...(firsts.length > 0
        ? [`With ${(sizes.at(-1) ?? 0).toLocaleString('en')} entries: ${firsts.map(told).join('; ')}.`]
        : []),
    ].join(' '),
    columns: ['', ...sizes.map((size) => size.toLocaleString('en')), 'ratio'],
    rows,
    verdicts: [
      { what: 'Entries in the largest', figure: sizes.at(-1) ?? 0, bar: { atLeast: MOST } },
      ...[...costs].map(([operation, own]) => atMost(`${operation}, most entries / fewest`, ratioOf(own), RATIO_BAR)),
      ...(firsts.length === 0
        ? []
        : [
            atMost('Invalidation of a tag with 100,000 entries / with 1', ratioOf(firsts.map(typical)), RATIO_BAR),
            atMost(
              'Next request for what carried it, 100,000 / 1',
              ratioOf(firsts.map(({ nextRequest }) => nextRequest)),
              RATIO_BAR,
            ),
            atMost('Answers that were still given after their invalidation', stale, 0),
          ]),
    ],
  }
}

function told(first: FirstInvalidation): string {
  const entries = `${first.under.toLocaleString('en')} ${first.under === 1 ? 'entry' : 'entries'}`
  const [once, next] = [typical(first), first.nextRequest].map((us) => us.toFixed(1))
  return `a tag with ${entries} is invalidated in ${once} us, and the next request for each costs ${next} us`
}

function typical({ times }: FirstInvalidation): number {
  return quantile(times, 0.5)
}

function ratioOf(costs: readonly number[]): number {
  return (costs.at(-1) ?? Number.NaN) / (costs[0] ?? Number.NaN)
}

function atMost(what: string, figure: number, bar: number): Verdict {
  return { what, figure, bar: { atMost: bar } }
}
