import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { withoutGuard } from '../mutate.ts'
import { QUEUE_MUTANTS } from './mutants.ts'

const run = promisify(execFile)

/** Enough for each loss to show, and what a run of them takes at most on a busy machine (ms). */
const UPDATES = '2000'
const RUN_MS = 300_000

/** Whether the loss of each guard is noticed. */
export async function tryMutants(): Promise<boolean> {
  let isNoticed = await tell('unguarded', 'an update compares versions', breachIn(process.cwd(), ['--unguarded']))
  for (const mutant of QUEUE_MUTANTS) {
    const breach = withoutGuard(mutant, (directory) => breachIn(directory))
    isNoticed = (await tell(mutant.name, mutant.guard, breach)) && isNoticed
  }
  return isNoticed
}

/** The first breach of a run; undefined when all was well. */
async function breachIn(cwd: string, flags: readonly string[] = []): Promise<string | undefined> {
  const args = ['--import', 'tsx', 'test/faults/write-behind/run.ts', '--updates', UPDATES, ...flags]
  const { stderr } = await run(process.execPath, args, { cwd, timeout: RUN_MS }).catch(
    (error: { stderr: string }) => error,
  )
  return stderr.split('\n').find((line) => line !== '')
}

async function tell(name: string, guard: string, breach: Promise<string | undefined>): Promise<boolean> {
  const found = await breach
  console.log(
    `${found === undefined ? 'SURVIVED' : 'noticed '} ${name.padEnd(14)} ${guard}${found === undefined ? '' : `: ${found}`}`,
  )
  return found !== undefined
}
