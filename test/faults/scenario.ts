import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../fuzz/random.ts'
import { startRedis } from '../support/redis-server.ts'
import { between, type Faults } from './faults.ts'
import { Fleet, type Seat } from './fleet.ts'
import { History, instant, type StaleRead } from './history.ts'
import type { Counts } from './messages.ts'
import type { Site } from './site.ts'

/** A kind of Redis, what uses it, and what goes wrong. */
export interface Scenario<S extends Site = Site> {
  readonly name: string
  readonly seats: readonly Omit<Seat, 'redis'>[]
  readonly faults: Faults<S>
  /** Its part of the time of a run. */
  readonly share: number
  /** Least and most pause between the end of a fault and the next one (ms). */
  readonly pauseMs: readonly [least: number, most: number]
  readonly mayClear: boolean
  readonly writeEveryMs: number
  open(seats: number): Promise<S>
}

/** When a fault began and ended. */
export interface FaultRecord {
  readonly name: string
  readonly from: number
  readonly to: number
}

export interface Outcome {
  readonly scenario: string
  readonly seconds: number
  readonly counts: Counts
  readonly reads: number
  readonly acknowledged: number
  readonly faults: readonly FaultRecord[]
  readonly stale: number
  /** The first of them. */
  readonly examples: readonly StaleRead[]
  /** Faults that could not be brought about. */
  readonly mishaps: readonly string[]
  /** What went wrong outside of the caches. */
  readonly failures: readonly string[]
}

const LEASE_MS = 400
const MAX_EXAMPLES = 5
/** The last reports are on their way for no longer than this (ms). */
const LAST_REPORT_MS = 300

/** Read, write and break things for some seconds. */
export async function play<S extends Site>(scenario: Scenario<S>, seconds: number, seed: number): Promise<Outcome> {
  const { name, seats, faults, pauseMs, mayClear, writeEveryMs } = scenario
  const random = new Random(seed)
  const examples: StaleRead[] = []
  const history = new History((stale) => {
    if (examples.length < MAX_EXAMPLES) examples.push(stale)
  })
  const authority = await startRedis()
  const site = await scenario.open(seats.length)
  const fleet = new Fleet({
    seats: seats.map((seat, index) => ({ ...seat, redis: site.addressOf(index) })),
    common: { authority: authority.url, leaseMs: LEASE_MS, writeEveryMs, mayClear },
    seed,
    history,
  })
  const records: FaultRecord[] = []
  const mishaps: string[] = []
  try {
    await fleet.start()
    const names = Object.keys(faults)
    const end = instant() + seconds * 1_000
    while (instant() < end && fleet.failures.length === 0) {
      await sleep(between(random, ...pauseMs))
      const fault = random.pick(names)
      const from = instant()
      try {
        await faults[fault]?.({ site, fleet, random })
        records.push({ name: fault, from, to: instant() })
      } catch (error) {
        mishaps.push(`${fault} did not come about: ${error}`)
      }
    }
    await sleep(LAST_REPORT_MS)
  } finally {
    await fleet.stop()
    await site.stop()
    await authority.stop()
  }
  return {
    scenario: name,
    seconds,
    counts: fleet.counts,
    reads: history.reads,
    acknowledged: history.acknowledged,
    faults: records,
    stale: history.stale,
    examples,
    mishaps,
    failures: fleet.failures,
  }
}
