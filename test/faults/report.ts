import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Counts } from './messages.ts'
import type { FaultRecord, Outcome } from './scenario.ts'

/** What a run has to reach to prove anything. */
export interface Minimum {
  readonly reads: number
  readonly redisReads: number
  readonly faults: number
}

/** The servers and clients of this machine that a run was made with. */
export function versions(): string {
  const redis = /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1]
  const file = new URL('../../node_modules/ioredis/package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }
  return `node ${process.version.slice(1)}, redis ${redis}, ioredis ${version}`
}

const COLUMNS: readonly (readonly [name: string, figure: (outcome: Outcome) => string | number])[] = [
  ['scenario', (outcome) => outcome.scenario],
  ['seconds', ({ seconds }) => Math.round(seconds)],
  ['reads', ({ reads }) => reads],
  ['from memory', ({ counts }) => counts.memory],
  ['from Redis', ({ counts }) => counts.redis],
  ['from fallbacks', ({ counts }) => counts.fallback],
  ['loaded', ({ counts }) => counts.origin],
  ['over HTTP', ({ counts }) => counts.http],
  ['failed', ({ counts }) => counts.failed],
  ['acknowledged', ({ acknowledged }) => acknowledged],
  ['unconfirmed', ({ counts }) => counts.rejected],
  ['faults', ({ faults }) => faults.length],
  ['stale', ({ stale }) => stale],
]

/** All figures, as a table in Markdown. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => COLUMNS.map(([, figure]) => textOf(figure(outcome))))
  const sums = COLUMNS.map(([, figure]) => {
    const figures = outcomes.map(figure).filter((value) => typeof value === 'number')
    return figures.length === 0 ? 'all' : textOf(figures.reduce((sum, value) => sum + value, 0))
  })
  const lines = [COLUMNS.map(([name]) => name), COLUMNS.map((_, at) => (at === 0 ? '---' : '---:')), ...rows, sums]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The outcomes of several rounds, one for each scenario. */
export function merged(rounds: readonly Outcome[]): readonly Outcome[] {
  const outcomes = new Map<string, Outcome>()
  for (const round of rounds) {
    const before = outcomes.get(round.scenario)
    outcomes.set(round.scenario, before === undefined ? round : added(before, round))
  }
  return [...outcomes.values()]
}

function added(a: Outcome, b: Outcome): Outcome {
  const counts = Object.fromEntries(
    Object.entries(a.counts).map(([name, count]) => [name, count + b.counts[name as keyof Counts]]),
  )
  return {
    scenario: a.scenario,
    seconds: a.seconds + b.seconds,
    counts: counts as unknown as Counts,
    reads: a.reads + b.reads,
    acknowledged: a.acknowledged + b.acknowledged,
    faults: [...a.faults, ...b.faults],
    stale: a.stale + b.stale,
    examples: [...a.examples, ...b.examples],
    mishaps: [...a.mishaps, ...b.mishaps],
    failures: [...a.failures, ...b.failures],
  }
}

/** How often each fault happened, the most frequent first. */
export function faultLines(outcomes: readonly Outcome[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { name } of outcomes.flatMap(({ faults }) => faults)) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${String(count).padStart(6)} ${name}`)
}

/** What is wrong with a run: nothing, when this is empty. */
export function problems(outcomes: readonly Outcome[], minimum: Minimum): readonly string[] {
  const sum = (figure: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + figure(outcome), 0)
  const reached = [
    ['reads', sum(({ reads }) => reads), minimum.reads],
    ['reads from Redis', sum(({ counts }) => counts.redis), minimum.redisReads],
    ['faults', sum(({ faults }) => faults.length), minimum.faults],
  ] as const
  return [
    ...outcomes.flatMap(problemsOf),
    ...reached
      .filter(([, count, least]) => count < least)
      .map(([what, count, least]) => `${count} ${what}, not ${least}`),
  ]
}

/** Around a stale read so much is told of the faults (ms). */
const AROUND_MS = 2_000

function problemsOf({ scenario, stale, examples, counts, failures, mishaps, faults }: Outcome): readonly string[] {
  const facts = examples.map(({ read, acknowledged }) => {
    const { key, version, lastAt, count, process, source } = read
    const late = (lastAt - acknowledged.at).toFixed(1)
    return [
      `${scenario}: process ${process} read version ${version} of ${key} from ${source}, in a run of ${count},`,
      `${late} ms after process ${acknowledged.process} got version ${acknowledged.version} acknowledged`,
      ...faults.filter(({ from, to }) => from < lastAt && to > lastAt - AROUND_MS).map(faultText(acknowledged.at)),
    ].join('\n    ')
  })
  return [
    ...(stale === 0 ? [] : [`${scenario}: ${stale} stale reads`]),
    ...facts,
    ...(counts.failed === 0 ? [] : [`${scenario}: ${counts.failed} reads failed`]),
    ...failures.map((failure) => `${scenario}: ${failure}`),
    ...(mishaps.length > faults.length / 10 ? mishaps.map((mishap) => `${scenario}: ${mishap}`) : []),
  ]
}

function faultText(zero: number): (fault: FaultRecord) => string {
  return ({ name, from, to }) => `${name}, from ${(from - zero).toFixed(0)} to ${(to - zero).toFixed(0)} ms`
}

function textOf(figure: string | number): string {
  return typeof figure === 'number' ? figure.toLocaleString('en') : figure
}
