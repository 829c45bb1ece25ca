import { monitorEventLoopDelay } from 'node:perf_hooks'
import { startRedis } from '../../support/redis-server.ts'
import { type Companion, startCompanion } from './companion.ts'
import type { CrowdAnswers } from './crowd.ts'
import { distribution, type Figure, print } from './figures.ts'
import type { MemberAnswers, MemberOptions, Series } from './member.ts'

type Member = Companion<MemberAnswers>

const PROCESSES = 8
const CONNECTIONS = 200
const CONNECTION_PAUSE_MS = 40
const LEASE_MS = 400
const ACK_BAR_MS = 75
const LAG_BAR_MS = 25

const SERIES: Series = { count: 150, pauseMs: 50 }
const DROPS = 160
/** Until every process has the generation in memory (ms). */
const SPREAD_MS = 25

const TTL_MS = 60
const EXPIRIES = 100
/** A holder that stands still for longer than the lock wait is overtaken: that is allowed, and rare. */
const RUNS_PER_EXPIRY = 1.05

/** Eight processes on one Redis that does not fail: what an acknowledgement takes, and how often a hot key is made anew. */
export async function measureFleet(): Promise<boolean> {
  const redis = await startRedis()
  const members: Member[] = []
  try {
    const start = async (): Promise<void> => {
      const options: MemberOptions = { redis: redis.url, ttlMs: TTL_MS }
      members.push(await startCompanion<MemberAnswers>(new URL('member.ts', import.meta.url), options))
    }
    await Promise.all(Array.from({ length: PROCESSES }, start))
    await Promise.all(members.map((member) => member.ask('ready')))
    const expiries = print(
      `${PROCESSES} processes, ${CONNECTIONS} connections: a hot key expires`,
      await expire(members),
    )
    await Promise.all(members.map((member) => member.ask('watch')))
    const lag = print(
      `${PROCESSES} processes: ack 'redis', age of what memory still served`,
      await withNoise(
        () => drop(members),
        (lags, noise) => distribution(`of ${lags.length}`, lags, { 'p99.9': LAG_BAR_MS + 2 * noise, max: LEASE_MS }),
      ),
    )
    const acks = print(
      `${PROCESSES} processes: ack 'all'`,
      await withNoise(
        () => acknowledge(members),
        (times, noise) => distribution(`of ${times.length}`, times, { p99: ACK_BAR_MS + 2 * noise }),
      ),
    )
    return expiries && lag && acks
  } finally {
    await Promise.all(members.map((member) => member.end()))
    await redis.stop()
  }
}

/** What a measurement gives, and how late timers were meanwhile (ms): a busy machine is not the cache's. */
async function withNoise(
  measure: () => Promise<readonly number[]>,
  figures: (times: readonly number[], noise: number) => readonly Figure[],
): Promise<readonly Figure[]> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const times = await measure()
  delays.disable()
  const noise = delays.percentile(99.9) / 1e6
  return [...figures(times, noise), { what: 'timers of this process late, p99.9 (noise)', value: noise, unit: 'ms' }]
}

async function acknowledge(members: readonly Member[]): Promise<readonly number[]> {
  const times = await Promise.all(members.map((member) => member.ask('invalidate', SERIES)))
  return times.flat()
}

/** How long after Redis had acknowledged other processes still served what was dropped. */
async function drop(members: readonly Member[]): Promise<readonly number[]> {
  const acknowledged: number[] = []
  for (let generation = 0; generation < DROPS; generation++) {
    const writer = members[generation % members.length] as Member
    await writer.ask('publish', generation)
    await pause(SPREAD_MS)
    acknowledged.push(await writer.ask('drop'))
  }
  const served = await Promise.all(members.map((member) => member.ask('lastServed')))
  return served.flatMap((generations) =>
    [...generations].map(([generation, at]) => Math.max(0, at - (acknowledged[generation] ?? Number.NaN))),
  )
}

async function expire(members: readonly Member[]): Promise<readonly Figure[]> {
  const crowd = await startCompanion<CrowdAnswers>(new URL('crowd.ts', import.meta.url))
  try {
    const ports = await Promise.all(members.map((member) => member.ask('port')))
    await crowd.ask('start', { ports, connections: CONNECTIONS, pauseMs: CONNECTION_PAUSE_MS })
    let generations: readonly number[] = []
    for (let round = 0; round < EXPIRIES && generations.length < EXPIRIES; round++) {
      await pause(2 * TTL_MS)
      generations = generationsOf(await runsOf(members))
    }
    const { failures, times } = await crowd.ask('stop')
    const runs = await runsOf(members)
    const { length: expiries } = generationsOf(runs)
    return [
      { what: 'requests', value: times.length, unit: '', atLeast: EXPIRIES },
      { what: 'errors', value: failures, unit: '', atMost: 0 },
      { what: 'expiries', value: expiries, unit: '', atLeast: EXPIRIES },
      { what: 'runs of the handler', value: runs.length, unit: '' },
      { what: 'runs per expiry', value: runs.length / expiries, unit: '', atMost: RUNS_PER_EXPIRY },
      ...distribution('time of a request', times),
    ]
  } finally {
    await crowd.end()
  }
}

async function runsOf(members: readonly Member[]): Promise<readonly number[]> {
  const runs = await Promise.all(members.map((member) => member.ask('runs')))
  return runs.flat().sort((a, b) => a - b)
}

/** The first run of each lifetime: what begins within one belongs to it. */
function generationsOf(runs: readonly number[]): readonly number[] {
  const firsts: number[] = []
  for (const at of runs) if (at - (firsts.at(-1) ?? Number.NEGATIVE_INFINITY) >= TTL_MS) firsts.push(at)
  return firsts
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
