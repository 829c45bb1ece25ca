import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { timeOf } from './fuzz.ts'
import { SHAPES, type Shape } from './shapes.ts'
import type { Slot, Subject, Texts } from './subject.ts'

/**
 * Is the work of a parser linear in the length of what it reads? Two measures, because each sees what the other does not:
 *
 * - steps, in a process of its own (`steps.ts`): the source text that was executed, by the engine's own counters, and what built-in
 *   functions went over. They are the same on every machine and in every run, so that more than 2.3 times as many for twice the
 *   length is a verdict.
 * - time for the longest text, with a wide bound: what happens inside a regular expression or in a comparison of strings is no
 *   step, but seconds are seconds.
 */

/** What one run did. */
export interface Steps {
  /** Characters of source text that were executed. */
  readonly executed: number
  /** Elements and characters that built-in functions went over. */
  readonly passed: number
}

/** What a parser did with one shape of text at growing lengths. */
export interface Growth {
  readonly subject: string
  readonly slot: string
  readonly shape: string
  /** One for each length, fewer where it was seen to grow too fast or threw. */
  readonly steps: readonly Steps[]
  /** What it threw, if it did. */
  readonly thrown: string | undefined
}

/** What the counting process is asked to do. */
export interface StepsOrder {
  /** Each twice the one before. */
  readonly lengths: readonly number[]
  /** Which parsers to count: those of lib/http, or the ones that are wrong on purpose. */
  readonly subjects: 'parsers' | 'specimens'
  /** Only one in so many of all places and shapes; 1 for all. */
  readonly oneIn: number
}

/** Count the steps of all parsers for all shapes; a series ends where it is seen to grow too fast. */
export async function countSteps(order: StepsOrder): Promise<Growth[]> {
  const { NODE_V8_COVERAGE: _theirs, ...env } = process.env
  // Optimised code does not count every call.
  const child = fork(fileURLToPath(new URL('steps.ts', import.meta.url)), [JSON.stringify(order)], {
    env,
    execArgv: [...process.execArgv, '--no-opt'],
  })
  const series: Growth[] = []
  child.on('message', (growth) => series.push(growth as Growth))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`counting steps ended with ${code}`)
  return series
}

/** Do the last two of these say that the work grows faster than the length? */
export function growsTooFast(steps: readonly Steps[]): boolean {
  const [before, last] = [steps.at(-2), steps.at(-1)]
  if (before === undefined || last === undefined) return false
  const { executed, passed } = last
  return (
    executed > before.executed * LARGEST_FACTOR + SLACK.executed ||
    passed > before.passed * LARGEST_FACTOR + SLACK.passed
  )
}

/** A line for each series that grows too fast or ended with an exception. */
export function growthProblems(series: readonly Growth[]): string[] {
  return series.flatMap(({ subject, slot, shape, steps, thrown }) => {
    const what = `${subject}, ${slot}: ${shape}`
    if (thrown !== undefined) return [`${what}: throws ${thrown} after ${steps.length} lengths`]
    if (!growsTooFast(steps)) return []
    const counts = steps.map(({ executed, passed }) => `${executed} + ${passed}`).join(', ')
    return [`${what}: not linear, steps of code + of built-ins for twice the length each: ${counts}`]
  })
}

/** The runs on texts of this length that take longer than `bound` ms, as lines. */
export function slowRuns(subjects: readonly Subject[], length: number, bound: number): string[] {
  const lines: string[] = []
  for (const subject of subjects) {
    forEachShape(subject, (slot, shape) => {
      const took = timeOf(subject, textsOf(subject, slot, shape.fill(length)))
      if (took > bound)
        lines.push(`${subject.name}, ${slot.name}: ${shape.name}: ${length} characters ${took.toFixed(1)} ms`)
    })
  }
  return lines
}

/** Every place for a text, every shape. */
export function forEachShape(subject: Subject, visit: (slot: Slot, shape: Shape) => void): void {
  for (const slot of subject.slots) for (const shape of SHAPES) visit(slot, shape)
}

/** A text in its slot; in the others what is needed, nothing that is optional. */
export function textsOf(subject: Subject, slot: Slot, text: string): Texts {
  return subject.slots.map((other) => {
    if (other === slot) return text
    return other.optional === true ? undefined : other.seeds[0]
  })
}

/** Twice the length is twice the work, and a little for what is done once. */
const LARGEST_FACTOR = 2.3
const SLACK: Steps = { executed: 5_000, passed: 500 }
