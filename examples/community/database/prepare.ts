import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from '../../shared/file-lock.ts'
import { CommunityDatabase } from './database.ts'
import { TABLES_ONLY } from './migrations.ts'
import { FULL_SIZE, SEED_VERSION, type SeedProgress, type SeedSize, seed } from './seed.ts'

export interface PrepareOptions {
  /** Where the files are; made when missing. */
  readonly directory: string
  /** @default FULL_SIZE */
  readonly size?: SeedSize
  readonly onProgress?: SeedProgress
}

/**
 * The database of the demo, ready to be opened: seeded on the first start, what was written since then on later ones. Returns
 * its file.
 */
export function prepareDatabase(options: PrepareOptions): string {
  const file = join(options.directory, 'community.db')
  if (!existsSync(file)) copyWhole(prepareSeed(options), file)
  return file
}

/** A copy of the seed for one run, in a directory of its own; `remove` deletes it. */
export function prepareScratch(options: PrepareOptions): { readonly file: string; readonly remove: () => void } {
  const seedFile = prepareSeed(options)
  const directory = join(options.directory, `scratch-${process.pid}`)
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'community.db')
  copyFileSync(seedFile, file, constants.COPYFILE_FICLONE)
  return { file, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/**
 * The seed is made once, under another name, and renamed when it is complete: a crash on the way leaves no half of it. It is
 * never opened again, only copied, so that every traffic run starts from the same data.
 */
function prepareSeed({ directory, size = FULL_SIZE, onProgress }: PrepareOptions): string {
  mkdirSync(directory, { recursive: true })
  removeLeftovers(directory)
  const file = join(directory, `seed-v${SEED_VERSION}-${Object.values(size).join('-')}.db`)
  if (existsSync(file)) return file
  const workshop = join(directory, `seeding-${process.pid}`)
  mkdirSync(workshop, { recursive: true })
  const unfinished = join(workshop, 'community.db')
  const tables = new CommunityDatabase(unfinished, { migrations: TABLES_ONLY })
  try {
    seed(tables, size, onProgress)
  } finally {
    tables.close()
  }
  new CommunityDatabase(unfinished).close()
  renameSync(unfinished, file)
  rmSync(workshop, { recursive: true, force: true })
  return file
}

function copyWhole(from: string, to: string): void {
  const unfinished = `${to}.${process.pid}`
  copyFileSync(from, unfinished, constants.COPYFILE_FICLONE)
  renameSync(unfinished, to)
}

/** What processes that were killed left behind: their directories end in their process id. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = /^(?:seeding|scratch)-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(directory, name), { recursive: true, force: true })
  }
}
