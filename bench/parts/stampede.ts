import { type Companion, startCompanion } from '../../test/faults/outages/companion.ts'
import { quantile } from '../../test/faults/outages/figures.ts'
import { hasRedisServer, startRedis } from '../../test/support/redis-server.ts'
import type { Burst, BurstAnswers } from '../companions/burst.ts'
import type { SiteAnswers, SiteName } from '../companions/site.ts'
import type { Context } from '../part.ts'
import { installedValuePeers } from '../peer-values.ts'
import type { Section, Verdict } from '../section.ts'

const CLIENTS = 500
const PROCESSES = 4
const HANDLER_MS = 500
const REPEATS = 5
/** Of the peers, which are not judged. */
const PEER_REPEATS = 1
/** How much later the last answer may be than that of a server with nothing to do. */
const ONE_PROCESS_BAR = 1.3
const FLEET_BAR = 2

type Site = Companion<SiteAnswers>

/** A subject, in one process or in all of them. */
interface Crowd {
  readonly name: SiteName
  readonly sites: readonly Site[]
  readonly ports: readonly number[]
  readonly lastMs: number[]
  readonly runs: number[]
  wrong: number
}

/** Everybody asks for a page that nobody has made yet. */
export async function run({ short }: Context): Promise<Section> {
  const redis = hasRedisServer() ? await startRedis() : undefined
  const options = { handlerMs: short ? 50 : HANDLER_MS }
  const shared = redis === undefined ? options : { ...options, redis: redis.port }
  const [burst, alone, ...fleet] = await Promise.all([
    startCompanion<BurstAnswers>(new URL('../companions/burst.ts', import.meta.url)),
    startSite(options),
    ...(redis === undefined ? [] : Array.from({ length: short ? 2 : PROCESSES }, () => startSite(shared))),
  ])
  try {
    const measured = [await gather('held', [alone]), await gather('cachewell', [alone])]
    if (redis !== undefined) measured.push(await gather('cachewell', fleet))
    const others: Crowd[] = []
    for (const name of short || redis === undefined ? [] : await installedValuePeers())
      others.push(await gather(name, fleet))
    for (let round = short ? 1 : 0; round <= (short ? 1 : REPEATS); round++) {
      process.stderr.write(`round ${round} of ${REPEATS}\n`)
      for (const crowd of round <= PEER_REPEATS ? [...measured, ...others] : measured) {
        const { lastMs, runs, wrong } = await stampede(burst, crowd, `/cold/${round}`)
        crowd.wrong += wrong
        // The first round is for the compiler.
        if (round === 0) continue
        crowd.lastMs.push(lastMs)
        crowd.runs.push(runs)
      }
    }
    return section(measured, others)
  } finally {
    await Promise.all([burst, alone, ...fleet].map((companion) => companion.end()))
    await redis?.stop()
  }
}

function startSite(options: object): Promise<Site> {
  return startCompanion<SiteAnswers>(new URL('../companions/site.ts', import.meta.url), options)
}

async function gather(name: SiteName, sites: readonly Site[]): Promise<Crowd> {
  const ports = await Promise.all(sites.map((site) => site.ask('open', name)))
  return { name, sites, ports, lastMs: [], runs: [], wrong: 0 }
}

async function stampede(
  burst: Companion<BurstAnswers>,
  crowd: Crowd,
  path: string,
): Promise<Burst & { readonly runs: number }> {
  const before = await runsOf(crowd)
  const result = await burst.ask('burst', { ports: crowd.ports, clients: CLIENTS, path })
  return { ...result, runs: (await runsOf(crowd)) - before }
}

async function runsOf({ name, sites }: Crowd): Promise<number> {
  const runs = await Promise.all(sites.map((site) => site.ask('runs', name)))
  return runs.reduce((sum, own) => sum + own, 0)
}

function section(measured: readonly Crowd[], others: readonly Crowd[]): Section {
  const [held, alone, fleet] = measured as [Crowd, Crowd, Crowd | undefined]
  const ratioTo = (crowd: Crowd): number => quantile(crowd.lastMs, 0.5) / quantile(held.lastMs, 0.5)
  const row = (crowd: Crowd): readonly string[] => [
    crowd === held ? 'bare node:http, answers all together' : crowd.name,
    String(crowd.ports.length),
    String(Math.max(...crowd.runs)),
    quantile(crowd.lastMs, 0.5).toFixed(0),
    ratioTo(crowd).toFixed(2),
    String(crowd.wrong),
  ]
  return {
    title: `Stampede: ${CLIENTS} cold requests at once, a handler of ${HANDLER_MS} ms`,
    note:
      'Runs of the handler, the most of any round; from the first request to the last byte of the last answer, median of the ' +
      `rounds (of a peer there is one, in several processes). In ${PROCESSES} processes all share one Redis. Clients are a process of their own.` +
      (fleet === undefined ? ' No redis-server here: several processes are left out.' : ''),
    columns: ['', 'processes', 'runs', 'last answer, ms', 'ratio to bare', 'wrong answers'],
    rows: [...measured, ...others].map(row),
    verdicts: [
      atMost('Runs of the handler in one process', Math.max(...alone.runs), 1),
      atMost('Last answer of one process / bare', ratioTo(alone), ONE_PROCESS_BAR),
      ...(fleet === undefined
        ? []
        : [
            atMost(`Runs of the handler in ${PROCESSES} processes`, Math.max(...fleet.runs), 1),
            atMost(`Last answer of ${PROCESSES} processes / bare`, ratioTo(fleet), FLEET_BAR),
          ]),
      atMost('Answers of ours that were wrong', alone.wrong + (fleet?.wrong ?? 0), 0),
    ],
  }
}

function atMost(what: string, figure: number, bar: number): Verdict {
  return { what, figure, bar: { atMost: bar } }
}
