import { existsSync, linkSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'

export interface FileLockOptions {
  /** How long to wait for a process that has it. @default 0 */
  readonly patienceMs?: number
}

const RETRY_MS = 2

/** Files that this process has taken: its pid alone does not tell, since a container gives the same one to each start. */
const taken = new Set<string>()

/**
 * Have a database file to yourself until the returned function is called; a process that was killed has it no longer.
 *
 * SQLite in WebAssembly locks a file by making a directory beside it, which outlives a killed process. The pid file beside
 * both says whose it was.
 * @throws when a living process, this one included, has it for longer than `patienceMs`
 */
export function lockFile(file: string, { patienceMs = 0 }: FileLockOptions = {}): () => void {
  const owner = `${file}.pid`
  const until = process.hrtime.bigint() + BigInt(patienceMs) * 1_000_000n
  while (!tryToOwn(owner, file)) {
    if (taken.has(file)) throw new Error(`${file} is already open in this process.`)
    const pid = ownerOf(owner)
    if (pid === undefined) continue
    if (pid === process.pid || !isAlive(pid)) rmSync(owner, { force: true })
    else if (process.hrtime.bigint() >= until) throw inUse(file, pid)
    else Atomics.wait(SLEEP, 0, 0, RETRY_MS)
  }
  if (existsSync(`${file}.lock`)) rmdirSync(`${file}.lock`)
  taken.add(file)
  return () => {
    taken.delete(file)
    rmSync(owner, { force: true })
  }
}

function inUse(file: string, pid: number): Error {
  return new Error(`${file} is in use by process ${pid}. Stop it, or set DEMO_DATA to another directory.`)
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const SLEEP = new Int32Array(new SharedArrayBuffer(4))

/** A link appears as a whole, with its content, or not at all. */
function tryToOwn(owner: string, file: string): boolean {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    linkSync(mine, owner)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(mine, { force: true })
  }
}

function ownerOf(owner: string): number | undefined {
  try {
    return Number(readFileSync(owner, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
