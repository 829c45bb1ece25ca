import { parseArgs } from 'node:util'
import { MUTANTS } from './mutants.ts'
import { tryMutants } from './mutation.ts'
import { faultLines, type Minimum, merged, problems, table, versions } from './report.ts'
import type { Outcome } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'
import { SCRIPTS } from './scripts/all.ts'
import { World } from './scripts/world.ts'

/**
 * Nothing stale is read after an acknowledged invalidation, whatever goes wrong: processes read and write while things break, rare
 * courses of events are played from scripts, and each guard in the source is switched off once to see that its loss is noticed.
 *
 *     --seconds 120    for all scenarios together; 0 plays none
 *     --seed 1         the same faults in the same order
 *     --scenario name  only this one; may be repeated
 *     --mutants name   only these, or `none`; may be repeated
 *     --soak           again and again until there is enough for a release, an hour at most; no mutants
 *
 * Ends with 1 on any stale read, any failed read, a mutant that nobody noticed, or too few reads or faults to prove anything.
 */

const SHORT = { seconds: 120, reads: 3_000_000, redisReads: 50_000, faults: 60 }
/** Of each round. */
const SOAK = { seconds: 300, reads: 100_000_000, redisReads: 1_000_000, faults: 1_000 }
const MAX_SOAK_MS = 3_600_000
const NOTHING: Minimum = { reads: 0, redisReads: 0, faults: 0 }

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string' },
    scenario: { type: 'string', multiple: true },
    mutants: { type: 'string', multiple: true },
    soak: { type: 'boolean', default: false },
  },
})
const size = values.soak ? SOAK : SHORT
const seconds = Number(values.seconds ?? size.seconds)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const chosen = SCENARIOS.filter(({ name }) => values.scenario?.includes(name) ?? true)
const mutants = values.mutants ?? (values.soak ? ['none'] : MUTANTS.map(({ name }) => name))
if (chosen.length === 0) throw new Error(`There is no such scenario; there are ${SCENARIOS.map(({ name }) => name)}`)

console.log(`seed ${seed}, ${versions()}`)
const found: string[] = []
if (seconds > 0) found.push(...(await playScenarios()))
if (!values.soak) found.push(...(await playScripts()))
if (!mutants.includes('none')) found.push(...(await playMutants(mutants)))
for (const problem of found) console.error(problem)
process.exit(found.length === 0 ? 0 : 1)

async function playScenarios(): Promise<readonly string[]> {
  const rounds: Outcome[] = []
  const startedAt = performance.now()
  for (let round = 0; round === 0 || (values.soak && isShort(rounds)); round++) {
    if (performance.now() - startedAt > MAX_SOAK_MS) break
    rounds.push(...(await playRound(seed + round)))
  }
  const outcomes = merged(rounds)
  console.log(`\n${table(outcomes)}\n\n${faultLines(outcomes).join('\n')}\n`)
  // A part of a run has to prove its part only.
  const isWhole = chosen.length === SCENARIOS.length && seconds >= SHORT.seconds
  return problems(outcomes, isWhole ? size : NOTHING)
}

/** Nothing is wrong yet, but too little has happened. */
function isShort(outcomes: readonly Outcome[]): boolean {
  return problems(outcomes, NOTHING).length === 0 && problems(outcomes, size).length > 0
}

async function playRound(roundSeed: number): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const shares = chosen.reduce((sum, { share }) => sum + share, 0)
  for (const { share, play } of chosen) {
    const outcome = await play((seconds * share) / shares, roundSeed)
    const { scenario, reads, faults, stale } = outcome
    console.log(`${scenario}: ${reads} reads, ${faults.length} faults, ${stale} stale (seed ${roundSeed})`)
    outcomes.push(outcome)
  }
  return outcomes
}

async function playScripts(): Promise<readonly string[]> {
  const breaches: string[] = []
  for (const [name, script] of Object.entries(SCRIPTS)) {
    for (const breach of await World.run(script)) breaches.push(`${name}: ${breach}`)
  }
  console.log(`${Object.keys(SCRIPTS).length} scripts, ${breaches.length} stale`)
  return breaches
}

async function playMutants(names: readonly string[]): Promise<readonly string[]> {
  const survivors: string[] = []
  await tryMutants(({ mutant: { name, guard, partner }, breaches, fault }) => {
    console.log(`${breaches.length > 0 ? 'noticed ' : 'SURVIVED'} ${name.padEnd(20)} ${guard}`)
    if (breaches.length === 0) survivors.push(`Mutant ${name} survives "${partner}" ${fault ?? ''}`)
  }, names)
  return survivors
}
