import {
  CLUSTER_FAULTS,
  CONNECTION_FAULTS,
  FAILOVER_FAULTS,
  MEMORY_FAULTS,
  METADATA_FAULTS,
  NETWORK_FAULTS,
  PROCESS_FAULTS,
  ROLLBACK_FAULTS,
  SENTINEL_FAULTS,
  SERVER_FAULTS,
} from './faults.ts'
import { type Outcome, play, type Scenario } from './scenario.ts'
import { clusterSite, failoverSite, sentinelSite, singleSite, wiredSite } from './site.ts'

const HOUR_MS = 3_600_000
const FRONT = { memory: '50mb', http: false, clockOffsetMs: 0 } as const
const SMALL = { ...FRONT, memory: '60kb' } as const
const BARE = { ...FRONT, memory: false } as const
const PAGES = { ...FRONT, http: true } as const

const USUAL = { pauseMs: [50, 400], mayClear: true, writeEveryMs: 30 } as const
const MIXED = [PAGES, { ...SMALL, clockOffsetMs: HOUR_MS }, { ...BARE, clockOffsetMs: -HOUR_MS }, FRONT] as const
/** Where what was acknowledged can get lost: only a process that knew can notice, and every acknowledgement waits for memory. */
const KNOWING = [PAGES, SMALL, FRONT, FRONT] as const

/** One server, and everything that happens to it. */
const single: Scenario = {
  ...USUAL,
  name: 'single',
  seats: MIXED,
  faults: { ...PROCESS_FAULTS, ...SERVER_FAULTS, ...CONNECTION_FAULTS, ...METADATA_FAULTS, ...MEMORY_FAULTS },
  share: 9,
  open: singleSite,
}

/** Links that fail one by one, and processes that stand still. */
const network: Scenario<Awaited<ReturnType<typeof wiredSite>>> = {
  ...USUAL,
  name: 'network',
  seats: MIXED,
  faults: { ...NETWORK_FAULTS, ...PROCESS_FAULTS },
  share: 5,
  open: wiredSite,
}

/** What was acknowledged is lost. */
const rollback: Scenario = {
  ...USUAL,
  name: 'rollback',
  seats: KNOWING,
  faults: ROLLBACK_FAULTS,
  share: 3,
  pauseMs: [100, 600],
  open: singleSite,
}

const failover: Scenario<Awaited<ReturnType<typeof failoverSite>>> = {
  ...USUAL,
  name: 'failover',
  seats: KNOWING,
  faults: FAILOVER_FAULTS,
  share: 4,
  pauseMs: [300, 800],
  open: failoverSite,
}

const sentinel: Scenario<Awaited<ReturnType<typeof sentinelSite>>> = {
  ...USUAL,
  name: 'sentinel',
  seats: KNOWING,
  faults: SENTINEL_FAULTS,
  share: 5,
  pauseMs: [1_000, 2_000],
  open: sentinelSite,
}

const cluster: Scenario<Awaited<ReturnType<typeof clusterSite>>> = {
  ...USUAL,
  name: 'cluster',
  seats: [PAGES, SMALL, BARE],
  faults: { ...CLUSTER_FAULTS, ...PROCESS_FAULTS, ...CONNECTION_FAULTS, ...METADATA_FAULTS },
  share: 7,
  open: clusterSite,
}

/** A scenario that is ready to be played. */
export interface Playable {
  readonly name: string
  /** Its part of the time of a run. */
  readonly share: number
  play(seconds: number, seed: number): Promise<Outcome>
}

export const SCENARIOS: readonly Playable[] = [
  playable(single),
  playable(network),
  playable(rollback),
  playable(failover),
  playable(sentinel),
  playable(cluster),
]

function playable<S extends Parameters<Scenario['faults'][string]>[0]['site']>(scenario: Scenario<S>): Playable {
  const { name, share } = scenario
  return { name, share, play: (seconds, seed) => play(scenario, seconds, seed) }
}
