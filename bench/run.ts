import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { CONTESTANTS } from './servers.ts'

/**
 * What a hit costs, as ratios within one run: server CPU per request, each contestant against its reference, in interleaved
 * rounds of short slices. Absolute figures are this machine's and this minute's.
 */

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 12)
const SLICE_SECONDS = 1
const CONNECTIONS = 32

/** Contestant, and what it is compared with. */
const PAIRS = [
  ['cacheMiddleware in Express 5, hit in memory', 'Express 5, first middleware, prepared answer'],
  ['withCache in front of Express 5, hit in memory', 'node:http, prepared answer'],
] as const

interface Contestant {
  readonly child: ChildProcess
  readonly url: string
  /** CPU microseconds per request, a figure per round. */
  readonly slices: number[]
}

async function start(name: string): Promise<Contestant> {
  const child = fork(fileURLToPath(new URL('servers.ts', import.meta.url)), [name], {
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return { child, url: `http://127.0.0.1:${port}/`, slices: [] }
}

async function cpuOf({ child }: Contestant): Promise<number> {
  child.send('cpu')
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: NodeJS.CpuUsage }]
  return cpu.user + cpu.system
}

async function slice(contestant: Contestant): Promise<number> {
  const before = await cpuOf(contestant)
  const result = await autocannon({ url: contestant.url, connections: CONNECTIONS, duration: SLICE_SECONDS })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${contestant.url}: ${result.non2xx + result.errors} failures`)
  return ((await cpuOf(contestant)) - before) / result.requests.total
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const contestants = new Map<string, Contestant>()
try {
  for (const name of Object.keys(CONTESTANTS)) contestants.set(name, await start(name))
  // The first round is for the compiler.
  for (const contestant of contestants.values()) await slice(contestant)
  for (let round = 1; round <= ROUNDS; round++) {
    for (const contestant of contestants.values()) contestant.slices.push(await slice(contestant))
    process.stderr.write(`round ${round} of ${ROUNDS}\n`)
  }
  console.log('CPU us per request      best   median')
  for (const [name, { slices }] of contestants) {
    console.log(
      `${name.padEnd(48)} ${Math.min(...slices)
        .toFixed(1)
        .padStart(6)} ${median(slices).toFixed(1).padStart(8)}`,
    )
  }
  console.log('\nratio to its reference (1.00 = a hit costs what the prepared answer costs)')
  for (const [name, reference] of PAIRS) {
    const [own, theirs] = [contestants.get(name)?.slices ?? [], contestants.get(reference)?.slices ?? []]
    const inRound = median(own.map((value, round) => value / (theirs[round] ?? Number.NaN)))
    const best = Math.min(...own) / Math.min(...theirs)
    console.log(`${name}: ${inRound.toFixed(2)} (median of rounds), ${best.toFixed(2)} (best slices)`)
  }
} finally {
  for (const { child } of contestants.values()) child.disconnect()
}
