import autocannon from 'autocannon'
import { startCompanion } from '../../test/faults/outages/companion.ts'
import type { BusySiteAnswers, BusySiteOptions, Delays } from '../companions/busy-site.ts'
import type { Context } from '../part.ts'
import type { Section } from '../section.ts'

const DELAY_BAR_MS = 20
const CONNECTIONS = 32
/** Per second: what a process has time for, so that a late timer is late because of one piece of work. */
const RATE = 1_000
/** More than there is room for. */
const FILLED = 60_000
const WARM_UP_SECONDS = 1
const SECONDS = 4
const HOT_PAGES = 200
/** Of so many requests one is a write that invalidates a hundredth of everything; half of the others are for new pages. */
const WRITE_EVERY = 20

interface Busy extends Delays {
  readonly requests: number
}

/** Whether anything the cache does keeps the process from answering others. */
export async function run({ short }: Context): Promise<Section> {
  const cached = await measure({ isCached: true, filled: short ? 100 : FILLED }, short)
  const bare = await measure({ isCached: false, filled: 0 }, short)
  return {
    title: 'Event loop: how late timers are while the cache is full and busy',
    note:
      'Pages of 10 kB under Express 5 for clients that take gzip, 1,000 requests a second; half of the requests are for new ' +
      'pages, one in twenty is a write that invalidates a tag with a hundredth of all entries; the cache is full before it begins, so that everything stored evicts. Timers of 1 ms.',
    columns: ['', 'requests', 'hits', 'stored', 'evicted', 'invalidations', 'p50 ms', 'p99 ms', 'max ms'],
    rows: [row('cacheMiddleware in Express 5', cached), row('the same application without a cache', bare)],
    verdicts: [{ what: 'Event loop delay p99, ms', figure: cached.p99, bar: { atMost: DELAY_BAR_MS } }],
  }
}

async function measure(options: BusySiteOptions, short: boolean): Promise<Busy> {
  const site = await startCompanion<BusySiteAnswers>(new URL('../companions/busy-site.ts', import.meta.url), options)
  try {
    const url = `http://127.0.0.1:${await site.ask('open')}`
    await load(url, short ? 0.2 : WARM_UP_SECONDS)
    await site.ask('watch')
    const requests = await load(url, short ? 0.3 : SECONDS)
    return { ...(await site.ask('delays')), requests }
  } finally {
    await site.end()
  }
}

async function load(url: string, seconds: number): Promise<number> {
  let sent = 0
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    overallRate: RATE,
    duration: seconds,
    headers: { 'accept-encoding': 'gzip' },
    requests: [
      {
        setupRequest: (request) => {
          const turn = ++sent
          if (turn % WRITE_EVERY === 0) return { ...request, method: 'POST', path: `/write/${turn}` }
          return {
            ...request,
            method: 'GET',
            path: turn % 2 === 0 ? `/hot/${turn % HOT_PAGES}` : `/new/${process.hrtime.bigint()}`,
          }
        },
      },
    ],
  })
  if (result.non2xx + result.errors > 0) throw new Error(`${url}: ${result.non2xx + result.errors} failures`)
  return result.requests.total
}

function row(name: string, { requests, hits, stored, evicted, invalidations, p50, p99, max }: Busy): readonly string[] {
  const counts = [requests, hits, stored, evicted, invalidations].map(String)
  return [name, ...counts, ...[p50, p99, max].map((ms) => ms.toFixed(1))]
}
