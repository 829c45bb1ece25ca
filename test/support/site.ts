import type { RequestListener, ServerOptions } from 'node:http'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheEvents } from '../../lib/events.ts'
import { listen, type Running } from './app.ts'
import { FakeClock } from './fake-clock.ts'
import { type Answer, exchange, type RequestShape } from './http-client.ts'

/** A cache whose time stands still until a test moves it, and what it said. */
export interface Bench {
  readonly cache: Cache
  readonly clock: FakeClock
  readonly warnings: string[]
  readonly errors: CacheEvents['error'][]
  readonly outcomes: CacheEvents['outcome'][]
  readonly invalidations: CacheEvents['invalidate'][]
}

/** A cache in memory with a fake clock, silent. */
export function makeBench(options: CacheOptions = {}): Bench {
  const clock = new FakeClock(Date.UTC(2026, 10, 20, 12))
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message) }
  const cache = createCache({ logger, clock, ...options })
  const bench: Bench = { cache, clock, warnings, errors: [], outcomes: [], invalidations: [] }
  cache.on('error', (event) => bench.errors.push(event))
  cache.on('outcome', (event) => bench.outcomes.push(event))
  cache.on('invalidate', (event) => bench.invalidations.push(event))
  return bench
}

/** A listening application and a client for it. */
export interface Site extends Running {
  send(shape?: RequestShape): Promise<Answer>
  get(path?: string, headers?: RequestShape['headers']): Promise<Answer>
}

const open = new Set<Running>()

/** Listen until the end of the test. */
export async function openSite(listener: RequestListener, options: ServerOptions = {}): Promise<Site> {
  const running = await listen(listener, options)
  open.add(running)
  const send = (shape?: RequestShape): Promise<Answer> => exchange(running.port, shape)
  return { ...running, send, get: (path = '/', headers = {}) => send({ path, headers }) }
}

/** Close what the test opened; for `afterEach`. */
export async function closeSites(): Promise<void> {
  await Promise.all([...open].map((running) => running.close()))
  open.clear()
}

/** Longer than any test may take (ms): a wait in vain must end, or the run never does. */
const VAIN_MS = 30_000

/** Let the event loop turn until something has happened. */
export async function until(condition: () => boolean): Promise<void> {
  const startedAt = performance.now()
  while (!condition()) {
    if (performance.now() - startedAt > VAIN_MS) throw new Error('It never happened')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
