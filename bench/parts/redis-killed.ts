import { setTimeout as sleep } from 'node:timers/promises'
import { type Companion, sharedNow, startCompanion } from '../../test/faults/outages/companion.ts'
import { quantile } from '../../test/faults/outages/figures.ts'
import { hasRedisServer, startRedis } from '../../test/support/redis-server.ts'
import type { ClientsAnswers, ClientsOptions, Visit } from '../companions/clients.ts'
import type { SiteAnswers, SiteName } from '../companions/site.ts'
import type { Context } from '../part.ts'
import { installedValuePeers } from '../peer-values.ts'
import type { Section } from '../section.ts'

const CLIENTS = 16
const PAUSE_MS = 20
const HANDLER_MS = 5
const WARM_UP_MS = 1_500
const BEFORE_MS = 1_000
const DOWN_MS = 2_000
const AFTER_MS = 2_000
/** Whoever still takes so long (ms) after Redis is back has not recovered. */
const SLOW_MS = 500
const OURS: readonly SiteName[] = ['cachewell', 'cachewell, Redis only']

interface Subject {
  readonly name: SiteName
  readonly site: Companion<SiteAnswers>
  readonly port: number
}

/** When what happened (shared ms), and how often each handler had run by then. */
interface Moment {
  readonly at: number
  readonly runs: readonly number[]
}

/** Redis is killed under load, and comes back empty. */
export async function run({ short }: Context): Promise<Section> {
  if (!hasRedisServer()) return section([], [])
  const redis = await startRedis()
  const subjects: Subject[] = []
  const clients = await startCompanion<ClientsAnswers>(new URL('../companions/clients.ts', import.meta.url))
  const scale = short ? 0.1 : 1
  try {
    const peers = short ? [] : await installedValuePeers()
    for (const name of [...OURS, 'ioredis by hand' as const, ...peers]) {
      const options = { redis: redis.port, handlerMs: HANDLER_MS }
      const site = await startCompanion<SiteAnswers>(new URL('../companions/site.ts', import.meta.url), options)
      subjects.push({ name, site, port: await site.ask('open', name) })
    }
    const load: ClientsOptions = { ports: subjects.map(({ port }) => port), clients: CLIENTS, pauseMs: PAUSE_MS }
    await clients.ask('start', load)
    await sleep(WARM_UP_MS * scale)
    const moments = [await momentOf(subjects)]
    await sleep(BEFORE_MS * scale)
    moments.push(await momentOf(subjects))
    await redis.kill9()
    await sleep(DOWN_MS * scale)
    moments.push(await momentOf(subjects))
    await redis.restart()
    await sleep((AFTER_MS / 2) * scale)
    moments.push(await momentOf(subjects))
    await sleep((AFTER_MS / 2) * scale)
    moments.push(await momentOf(subjects))
    const visits = await clients.ask('stop')
    return section(
      subjects.map(({ name, port }, at) => ({
        name,
        visits: visits.filter((visit) => visit.port === port),
        runs: moments.map(({ runs }) => runs[at] ?? Number.NaN),
      })),
      moments.map(({ at }) => at),
    )
  } finally {
    await Promise.all([clients, ...subjects.map(({ site }) => site)].map((companion) => companion.end()))
    await redis.stop()
  }
}

async function momentOf(subjects: readonly Subject[]): Promise<Moment> {
  const runs = await Promise.all(subjects.map(({ name, site }) => site.ask('runs', name)))
  return { at: sharedNow(), runs }
}

interface Suffered {
  readonly name: SiteName
  readonly visits: readonly Visit[]
  /** At each moment. */
  readonly runs: readonly number[]
}

/** Moments: measured from, killed, back, later, the end. */
function section(suffered: readonly Suffered[], moments: readonly number[]): Section {
  const [start = 0, killed = 0, back = 0, later = 0, end = 0] = moments
  return {
    title: `Redis killed for ${DOWN_MS / 1_000} s under load`,
    note:
      suffered.length === 0
        ? 'No redis-server here: left out.'
        : `${CLIENTS} clients each, ${HANDLER_MS} ms of handler; half of the requests are for 50 hot pages, half for new ones, so that without an ` +
          'outage every second request runs the handler. An error is a 5xx, a broken connection, or no answer within 3 s. Times are of ' +
          `requests that began while Redis was down; recovered is when the last request of more than ${SLOW_MS} ms or with an error ended.`,
    columns: [
      '',
      'errors',
      'requests',
      'p50 ms',
      'p99 ms',
      'runs / request: before',
      'down',
      'later',
      'recovered after ms',
    ],
    rows: suffered.map(({ name, visits, runs }) => {
      const down = between(visits, killed, back)
      const times = down.map(({ from, to }) => to - from)
      const slow = between(visits, killed, end).filter(({ from, to, failed }) => failed || to - from > SLOW_MS)
      const share = (from: number, to: number, at: number): string =>
        (((runs[at + 1] ?? 0) - (runs[at] ?? 0)) / between(visits, from, to).length).toFixed(2)
      return [
        name,
        String(errorsOf(visits)),
        String(down.length),
        quantile(times, 0.5).toFixed(1),
        quantile(times, 0.99).toFixed(1),
        share(start, killed, 0),
        share(killed, back, 1),
        share(later, end, 3),
        Math.max(0, ...slow.map(({ to }) => to - back)).toFixed(0),
      ]
    }),
    verdicts: suffered
      .filter(({ name }) => OURS.includes(name))
      .map(({ name, visits }) => ({ what: `Errors of ${name}`, figure: errorsOf(visits), bar: { atMost: 0 } })),
  }
}

function between(visits: readonly Visit[], from: number, to: number): readonly Visit[] {
  return visits.filter((visit) => visit.from >= from && visit.from < to)
}

function errorsOf(visits: readonly Visit[]): number {
  return visits.filter(({ failed }) => failed).length
}
