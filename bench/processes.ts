import { readdir, readFile } from 'node:fs/promises'

/** CPU time of a process and of all that descend from it (us): user and system, in the ticks that /proc counts. */
export async function cpuOfTree(root: number): Promise<number> {
  const processes = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(readStat))
  const tree = new Set([root])
  // A child has a higher number than its parent, unless the numbers began anew: then it is found the next time round.
  for (let known = 0; known < tree.size; ) {
    known = tree.size
    for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid)
  }
  return processes.filter(({ pid }) => tree.has(pid)).reduce((sum, { ticks }) => sum + ticks * TICK_US, 0)
}

/** Linux tells user programs 100 ticks per second on every machine. */
const TICK_US = 10_000

interface Stat {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
}

async function readStat(name: string): Promise<Stat> {
  const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
  // The name in brackets may itself contain spaces and brackets; proc(5) numbers the fields from before it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3] ?? 0)
  return { pid: Number(name), parent: field(4), ticks: field(14) + field(15) }
}
