import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { Health } from '../../../lib/cache.ts'
import { cacheMiddleware, createCache, invalidateMiddleware } from '../../../middleware/index.ts'
import { answerParent, companionOptions, sharedNow } from './companion.ts'

/** An application under test: 1 KB of JSON per path, and writes that change it. Without `redis` there is no cache at all. */
export interface AppOptions {
  readonly redis?: string
  readonly memory?: false
}

/** When its cache gave up Redis, and when it took it up again (shared ms). */
export interface Turn {
  readonly kind: 'degraded' | 'recovered'
  readonly at: number
}

export interface AppAnswers {
  readonly port: number
  readonly turns: readonly Turn[]
  readonly health: Health | undefined
  /** When each warning was given (shared ms). */
  readonly warnings: readonly number[]
  /** Rejections that nobody handled. */
  readonly rejections: readonly string[]
}

const { redis, memory } = companionOptions() as AppOptions
const turns: Turn[] = []
const warnings: number[] = []
const rejections: string[] = []
process.on('unhandledRejection', (cause) => rejections.push(String(cause)))

const logger = { info() {}, warn: () => void warnings.push(sharedNow()) }
const cache =
  redis === undefined
    ? undefined
    : createCache({ redis, namespace: 'outage', logger, ...(memory === undefined ? {} : { memory }) })
cache?.on('degraded', () => turns.push({ kind: 'degraded', at: sharedNow() }))
cache?.on('recovered', () => turns.push({ kind: 'recovered', at: sharedNow() }))

const app = express()
if (cache !== undefined) {
  app.use(cacheMiddleware({ cache, ttl: '1h', tags: (req) => [req.url ?? ''] }))
  app.use(invalidateMiddleware({ cache, tags: (req) => [req.url ?? ''] }))
}
const body = JSON.stringify({ text: 'x'.repeat(1_000) })
app.use((req, res) => {
  if (req.method === 'GET') res.type('json').send(body)
  else res.status(204).end()
})

// A server that closes idle connections would look like a fault.
const server = createServer({ keepAliveTimeout: 600_000 }, app).listen(0, '127.0.0.1')
answerParent({
  port: () => (server.address() as AddressInfo).port,
  turns: () => turns,
  health: () => cache?.health(),
  warnings: () => warnings,
  rejections: () => rejections,
})
