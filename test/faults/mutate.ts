import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Guard, Mutant } from './mutants.ts'

const run = promisify(execFile)

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PARTS = [
  'lib',
  'middleware',
  'strategies',
  'test/support',
  'test/faults',
  'test/fuzz',
  'package.json',
  'tsconfig.json',
] as const
/** Longer than any script takes on a busy machine (ms). */
const SCRIPT_MS = 60_000

/** What a script has shown of a mutant. */
export interface Verdict {
  readonly mutant: Mutant
  /** Empty when it survived. */
  readonly breaches: readonly string[]
  /** Why the script came to no end, which shows nothing. */
  readonly fault?: string
}

/**
 * The text of a mutant's file with its guard switched off.
 *
 * @throws when the guard is not there, or more than once: then the table is no longer true
 */
export async function mutated({ name, file, find, replace }: Guard, root: string = ROOT): Promise<string> {
  const text = await readFile(join(root, file), 'utf8')
  const count = text.split(find).length - 1
  if (count !== 1) throw new Error(`Mutant ${name}: its text occurs ${count} times in ${file}: ${find}`)
  return text.replace(find, () => replace)
}

/** Run the partner of a mutant in a copy of the source without the guard. Never rejects. */
export async function tryMutant(mutant: Mutant): Promise<Verdict> {
  try {
    return { mutant, breaches: await withoutGuard(mutant, (directory) => breachesIn(directory, mutant.partner)) }
  } catch (error) {
    return { mutant, breaches: [], fault: String(error) }
  }
}

/** Do something in a copy of the source without the guard of a mutant. */
export async function withoutGuard<T>(mutant: Guard, work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cachewell-mutant-'))
  try {
    const text = await mutated(mutant)
    for (const part of PARTS) await cp(join(ROOT, part), join(directory, part), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    await writeFile(join(directory, mutant.file), text)
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function breachesIn(directory: string, script: string): Promise<readonly string[]> {
  const args = ['--import', 'tsx', 'test/faults/scripts/play.ts', script]
  const { stdout } = await run(process.execPath, args, { cwd: directory, timeout: SCRIPT_MS })
  return JSON.parse(stdout) as string[]
}
