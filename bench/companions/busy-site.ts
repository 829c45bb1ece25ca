import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import express from 'express'
import { answerParent, companionOptions } from '../../test/faults/outages/companion.ts'
import { cacheMiddleware, createCache } from '../built.ts'
import { Filling } from '../filling.ts'

/** A site that stores, evicts, invalidates and compresses all the time, and how late its timers are. */
export interface BusySiteOptions {
  /** The same application without a cache, to compare with. */
  readonly isCached: boolean
  /** How many small pages are there from the beginning. */
  readonly filled: number
}

/** How late timers were (ms), and what went on meanwhile. */
export interface Delays {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly hits: number
  readonly stored: number
  readonly evicted: number
  readonly invalidations: number
}

export interface BusySiteAnswers {
  /** The port; the cache is filled. */
  readonly open: number
  readonly watch: undefined
  /** Since the last `watch`. */
  readonly delays: Delays
}

/** Room for a few thousand pages. */
const MAX_SIZE = '64mb'
const PAGE_BYTES = 10_000
const RESOLUTION_MS = 1
const TAGS = 100

const { isCached, filled } = companionOptions() as BusySiteOptions
const cache = createCache({ memory: { maxSize: MAX_SIZE }, ttl: '1h' })
const counts = { stored: 0, invalidations: 0 }
cache.on('outcome', ({ outcome }) => {
  if (outcome.stored === true) counts.stored++
})
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
let before = cache.stats().stats

function pageOf(url: string): string {
  const items = Array.from({ length: 200 }, (_, id) => ({ id, url, title: `Item ${id * 7_919} of ${url}` }))
  return JSON.stringify(items).slice(0, PAGE_BYTES)
}

const app = express()
if (isCached) app.use(cacheMiddleware({ cache, headers: 'standard', tags: (req) => [tagOf(req.url ?? '')] }))
app.post('/*all', async (req, res) => {
  counts.invalidations++
  await cache.invalidate({ tags: [tagOf(req.url)] })
  res.status(204).end()
})
app.use((req, res) => void res.type('json').send(pageOf(req.url)))

function tagOf(path: string): string {
  return `tag-${Number(/\d+$/.exec(path)?.[0] ?? 0) % TAGS}`
}

async function open(): Promise<number> {
  if (isCached) {
    const filling = await Filling.start({ cache, listener: app })
    await filling.fill(0, filled, (id) => ({
      path: `/old/${id}`,
      body: Buffer.alloc(1_000, 'x'),
      tags: [`tag-${id % TAGS}`],
    }))
  }
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

answerParent({
  open,
  watch: () => {
    Object.assign(counts, { stored: 0, invalidations: 0 })
    before = cache.stats().stats
    delays.enable()
    delays.reset()
  },
  delays: (): Delays => {
    delays.disable()
    const { hits, evictedKeys } = cache.stats().stats
    const at = (percentile: number): number => delays.percentile(percentile) / 1e6
    return {
      ...counts,
      p50: at(50),
      p99: at(99),
      max: delays.max / 1e6,
      hits: hits - before.hits,
      evicted: evictedKeys - before.evictedKeys,
    }
  },
})
