import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cacheMiddleware, createCache } from '../../../middleware/index.ts'
import { answerParent, companionOptions, sharedNow } from './companion.ts'

/** One of several processes on one Redis: it reads from memory, invalidates, and answers one hot path over HTTP. */
export interface MemberOptions {
  readonly redis: string
  /** Of the hot path (ms). */
  readonly ttlMs: number
  /** How long the handler takes (ms). @default 10 */
  readonly handlerMs?: number
  /** @default that of the cache */
  readonly deadlineMs?: number
}

/** Invalidate so often, after pauses of about this length (ms). */
export interface Series {
  readonly count: number
  readonly pauseMs: number
}

/** When this process last served a generation from memory (shared ms). */
export type LastServed = ReadonlyMap<number, number>

export interface MemberAnswers {
  readonly port: number
  readonly ready: undefined
  /** How long each acknowledgement by all processes took (ms). */
  readonly invalidate: readonly number[]
  /** Begin to read all the time. */
  readonly watch: undefined
  readonly publish: boolean
  /** When Redis had acknowledged (shared ms). */
  readonly drop: number
  readonly lastServed: LastServed
  /** When each run of the handler began (shared ms). */
  readonly runs: readonly number[]
}

const READ_EVERY_MS = 2
/** What has gone is asked for less often, so that asking is no load of its own. */
const ASK_EVERY_MS = 6
const HANDLER_MS = 10

const { redis, ttlMs, handlerMs = HANDLER_MS, deadlineMs } = companionOptions() as MemberOptions
const patience = deadlineMs === undefined ? {} : { deadlineMs }
const cache = createCache({ redis, namespace: 'fleet', ttl: '1h', ...patience })
const lastServed = new Map<number, number>()
const runs: number[] = []

async function watch(): Promise<void> {
  for (;;) {
    const at = sharedNow()
    const found = await cache.get<number>('watched', { source: true })
    if (found?.source === 'memory') lastServed.set(found.value, at)
    await pause(found === undefined ? ASK_EVERY_MS : READ_EVERY_MS)
  }
}

async function invalidate({ count, pauseMs }: Series): Promise<readonly number[]> {
  const times: number[] = []
  for (let turn = 0; turn < count; turn++) {
    await pause(pauseMs * (0.5 + Math.random()))
    const startedAt = sharedNow()
    await cache.invalidate({ tags: [`tag-${turn % 20}`] })
    times.push(sharedNow() - startedAt)
  }
  return times
}

// What is kept beyond its lifetime must not stand in the way of what another process has just made.
const middleware = cacheMiddleware({ cache, ttl: `${ttlMs}ms`, staleIfError: '10m' })
const server = createServer((req, res) => {
  middleware(req, res, () => {
    runs.push(sharedNow())
    setTimeout(() => res.end('hot'), handlerMs)
  })
}).listen(0, '127.0.0.1')

answerParent({
  port: () => (server.address() as AddressInfo).port,
  ready: async () => {
    while (!(await cache.set('ready', true))) await pause(READ_EVERY_MS)
  },
  invalidate,
  watch: () => void watch(),
  publish: (generation: number) => cache.set('watched', generation, { tags: ['watched'] }),
  drop: async () => {
    await cache.invalidate({ tags: ['watched'] }, { ack: 'redis' })
    return sharedNow()
  },
  lastServed: () => lastServed,
  runs: () => runs,
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
