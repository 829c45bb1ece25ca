import { fuzz, type Report } from './fuzz.ts'
import { countSteps, growthProblems, slowRuns } from './growth.ts'
import { SUBJECTS } from './subjects.ts'

/**
 * All parsers of lib/http, at full size: FUZZ_RUNS inputs (a million by default, more where that does not divide evenly) made
 * from FUZZ_SEED, then the work for texts from 1 to 128 kB. Ends with 1 when anything is wrong.
 */

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1_000_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000)

/** No more than this for all but one of 10,000 inputs (ms). */
const LONGEST = 5

const LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128].map((kilobytes) => kilobytes * 1024)

/** For the longest text of any shape (ms): many times what a linear parser takes, a fraction of what a quadratic one takes. */
const LONGEST_FOR_LARGEST = 500

const problems: string[] = []

console.log(`seed ${SEED}`)
console.log(`${'parser'.padEnd(22)} ${['inputs', 'p50 us', 'p99 us', 'p99.99 us', 'max us'].map(column).join(' ')}`)
let inputs = 0
for (const subject of SUBJECTS) {
  const report = fuzz(subject, Math.ceil(RUNS / SUBJECTS.length), SEED)
  inputs += report.runs
  console.log(line(report))
  problems.push(...report.failures)
  if (report.failed > report.failures.length) problems.push(`${report.name}: ${report.failed} failures in all`)
  if (report.p9999 > LONGEST)
    problems.push(`${report.name}: p99.99 is ${report.p9999.toFixed(1)} ms, not below ${LONGEST}`)
}
console.log(`${inputs} inputs`)

const series = await countSteps({ lengths: LENGTHS, subjects: 'parsers', oneIn: 1 })
const tooFast = growthProblems(series)
console.log(
  `${series.length} series of texts from ${LENGTHS[0]} to ${LENGTHS.at(-1)} characters, ${tooFast.length} not linear`,
)
problems.push(...tooFast)
problems.push(...slowRuns(SUBJECTS, LENGTHS.at(-1) ?? 0, LONGEST_FOR_LARGEST))

for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1

function line({ name, runs, p50, p99, p9999, max }: Report): string {
  const times = [p50, p99, p9999, max].map((ms) => (ms * 1000).toFixed(1))
  return `${name.padEnd(22)} ${[String(runs), ...times].map(column).join(' ')}`
}

function column(text: string): string {
  return text.padStart(10)
}
