import { MUTANTS, type Mutant } from './mutants.ts'
import { tryMutant, type Verdict } from './mutate.ts'

/** Mutants that run at the same time: most of their time they wait. */
const AT_ONCE = 3

/** Try all mutants of these names, all there are by default; `onVerdict` hears of each as it comes. */
export async function tryMutants(
  onVerdict: (verdict: Verdict) => void,
  names: readonly string[] = MUTANTS.map(({ name }) => name),
): Promise<void> {
  const waiting = MUTANTS.filter(({ name }) => names.includes(name))
  const work = async (): Promise<void> => {
    for (let mutant: Mutant | undefined = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      onVerdict(await tryMutant(mutant))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}
