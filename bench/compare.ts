import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

/**
 * What a hit costs, as ratios within one run: server CPU per request, each contestant against its reference, in interleaved
 * rounds of short slices. Absolute figures are this machine's and this minute's.
 */
export interface Comparison {
  /** The file that runs one contestant, by its name, as a process of its own. */
  readonly servers: URL
  readonly contestants: readonly string[]
  /** Contestant, what it is compared with, and how much more it may cost. */
  readonly pairs: readonly (readonly [name: string, reference: string, atMost?: number])[]
  /** Asked for by each connection in an order of its own. @default the root */
  readonly paths?: readonly string[]
  /** Given to each contestant. */
  readonly env?: Readonly<Record<string, string>>
}

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 12)
const SLICE_SECONDS = 1
const CONNECTIONS = 32

interface Contestant {
  readonly child: ChildProcess
  readonly url: string
  /** CPU microseconds per request, a figure per round. */
  readonly slices: number[]
}

/** Run and print a comparison; true when every ratio is within its bar. */
export async function compare({ servers, contestants, pairs, paths = ['/'], env = {} }: Comparison): Promise<boolean> {
  const running = new Map<string, Contestant>()
  try {
    for (const name of contestants) running.set(name, await start(servers, name, env))
    for (const contestant of running.values()) {
      await visit(contestant, paths)
      // The first round is for the compiler.
      await slice(contestant, paths)
    }
    for (let round = 1; round <= ROUNDS; round++) {
      for (const contestant of running.values()) contestant.slices.push(await slice(contestant, paths))
      process.stderr.write(`round ${round} of ${ROUNDS}\n`)
    }
  } finally {
    for (const { child } of running.values()) child.disconnect()
  }
  printCosts(running)
  return pairs.map(([name, reference, atMost]) => printRatio(running, { name, reference, atMost })).every(Boolean)
}

async function start(servers: URL, name: string, env: Readonly<Record<string, string>>): Promise<Contestant> {
  const child = fork(fileURLToPath(servers), [name], { env: { ...process.env, NODE_ENV: 'production', ...env } })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return { child, url: `http://127.0.0.1:${port}`, slices: [] }
}

async function cpuOf({ child }: Contestant): Promise<number> {
  child.send('cpu')
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: NodeJS.CpuUsage }]
  return cpu.user + cpu.system
}

async function slice(contestant: Contestant, paths: readonly string[]): Promise<number> {
  const before = await cpuOf(contestant)
  const result = await autocannon({
    url: contestant.url,
    connections: CONNECTIONS,
    duration: SLICE_SECONDS,
    setupClient: (client) => client.setRequests(startingAnywhere(paths).map((path) => ({ path }))),
  })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${contestant.url}: ${result.non2xx + result.errors} failures`)
  return ((await cpuOf(contestant)) - before) / result.requests.total
}

/** Ask for each path once, so that everything is there. */
async function visit({ url }: Contestant, paths: readonly string[]): Promise<void> {
  const asked = [...paths]
  const visitor = async (): Promise<void> => {
    for (let path = asked.pop(); path !== undefined; path = asked.pop()) await (await fetch(url + path)).arrayBuffer()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, visitor))
}

/** So that connections do not ask for the same path at the same time. */
function startingAnywhere(paths: readonly string[]): readonly string[] {
  const first = Math.floor(Math.random() * paths.length)
  return [...paths.slice(first), ...paths.slice(0, first)]
}

function printCosts(running: ReadonlyMap<string, Contestant>): void {
  console.log('CPU us per request      best   median')
  for (const [name, { slices }] of running) {
    const [best, typical] = [Math.min(...slices).toFixed(1), median(slices).toFixed(1)]
    console.log(`${name.padEnd(48)} ${best.padStart(6)} ${typical.padStart(8)}`)
  }
  console.log('\nratio to its reference (1.00 = a hit costs what the reference costs)')
}

interface Pair {
  readonly name: string
  readonly reference: string
  readonly atMost: number | undefined
}

function printRatio(running: ReadonlyMap<string, Contestant>, { name, reference, atMost }: Pair): boolean {
  const [own, theirs] = [running.get(name)?.slices ?? [], running.get(reference)?.slices ?? []]
  const inRound = median(own.map((value, round) => value / (theirs[round] ?? Number.NaN)))
  const best = Math.min(...own) / Math.min(...theirs)
  const isKept = atMost === undefined || inRound <= atMost
  const bar = atMost === undefined ? '' : ` (<= ${atMost.toFixed(2)})${isKept ? '' : ' MISSED'}`
  console.log(`${name}: ${inRound.toFixed(2)} (median of rounds)${bar}, ${best.toFixed(2)} (best slices)`)
  return isKept
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
