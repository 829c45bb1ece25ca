import { huge, mutated } from './mutations.ts'
import { Random } from './random.ts'
import type { Subject, Texts } from './subject.ts'

/** What a parser did with many texts. Times are ms. */
export interface Report {
  readonly name: string
  readonly runs: number
  readonly p50: number
  readonly p99: number
  readonly p9999: number
  readonly max: number
  /** How many runs ended with an exception or a wrong result. */
  readonly failed: number
  /** The first of them: enough to see what it is. */
  readonly failures: readonly string[]
}

/** Give a parser `runs` made-up inputs. The same seed makes the same inputs. */
export function fuzz(subject: Subject, runs: number, seed: number): Report {
  const random = new Random(seed)
  const times = new Float64Array(runs)
  const failures: string[] = []
  let failed = 0
  for (let run = 0; run < runs; run++) {
    const texts = textsFor(subject, random)
    const sentence = attempt(subject, texts)
    if (sentence !== undefined) {
      failed++
      if (failures.length < SHOWN)
        failures.push(`${subject.name} (seed ${seed}, run ${run}): ${sentence}: ${shown(texts)}`)
    }
    times[run] = timeOf(subject, texts)
  }
  times.sort()
  const at = (share: number) => times[Math.min(runs - 1, Math.floor(runs * share))] ?? 0
  const [p50, p99, p9999, max] = [at(0.5), at(0.99), at(0.9999), at(1)]
  return { name: subject.name, runs, p50, p99, p9999, max, failed, failures }
}

/**
 * How long a run takes (ms): the shortest of three where it seems to be slow, for a pause of the process is no property of a
 * parser. 0 for one that throws.
 */
export function timeOf(subject: Subject, texts: Texts): number {
  let best = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 3; tries++) {
    const start = performance.now()
    try {
      subject.run(texts)
    } catch {
      return 0
    }
    best = Math.min(best, performance.now() - start)
    if (best < SLOW || best > HOPELESS) break
  }
  return best
}

const SHOWN = 3
/** Ms: below, nobody asks; above, no pause explains it. */
const SLOW = 0.5
const HOPELESS = 2000

/** One input in so many has a huge text: four times as many as p99.99 leaves out. */
const ONE_HUGE_IN = 2500

function textsFor(subject: Subject, random: Random): Texts {
  const hugeAt = random.below(ONE_HUGE_IN) === 0 ? random.below(subject.slots.length) : undefined
  return subject.slots.map(({ seeds, optional }, index) => {
    if (index === hugeAt) return huge(random)
    return optional === true && random.chance(0.1) ? undefined : mutated(random, seeds)
  })
}

/** What is wrong with the parser for these texts; undefined when nothing is. */
function attempt(subject: Subject, texts: Texts): string | undefined {
  let result: unknown
  try {
    result = subject.run(texts)
  } catch (error) {
    return `it throws ${String(error)}`
  }
  const problem = subject.problem(result, texts)
  return problem === undefined ? undefined : `not so: ${problem}, but ${shown(result)}`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length <= 600 ? text : `${text.slice(0, 600)}... (${text.length} characters)`
}
