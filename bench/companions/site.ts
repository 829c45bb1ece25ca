import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Redis } from 'ioredis'
import { answerParent, companionOptions } from '../../test/faults/outages/companion.ts'
import { cacheMiddleware, createCache } from '../built.ts'
import { openValues, type PeerName } from '../peer-values.ts'

/** One process of a site: the same pages behind any of several caches. */
export interface SiteOptions {
  /** Port of a Redis on this machine; without it there is memory alone. */
  readonly redis?: number
  /** How long the handler takes. */
  readonly handlerMs: number
}

/** What stands before the handler. Those without `only` have memory, too, where they know how. */
export type SiteName = 'cachewell' | 'cachewell, Redis only' | 'ioredis by hand' | 'held' | PeerName

export interface SiteAnswers {
  /** The port of a server with this cache. */
  readonly open: number
  /** How often the handler ran behind this cache. */
  readonly runs: number
}

/** What every answer ends with. */
const END = '!'
const BODY = `${'x'.repeat(999)}${END}`
const LIFE_SECONDS = 3_600

const { redis, handlerMs } = companionOptions() as SiteOptions
const runs = new Map<SiteName, number>()

/** The handler that all have behind them. */
function page(name: SiteName): Promise<string> {
  runs.set(name, (runs.get(name) ?? 0) + 1)
  return new Promise((resolve) => setTimeout(() => resolve(BODY), handlerMs))
}

async function ours(name: SiteName, memory: false | undefined): Promise<RequestListener> {
  const cache = createCache({
    redis: redis === undefined ? false : `redis://127.0.0.1:${redis}`,
    namespace: memory === false ? 'redis-only' : 'tiered',
    ttl: LIFE_SECONDS,
    logger: { info() {}, warn() {} },
    ...(memory === undefined ? {} : { memory }),
  })
  await cache.ready()
  const app = express()
  app.use(cacheMiddleware({ cache, headers: 'standard' }))
  app.use(async (_req, res) => void res.end(await page(name)))
  return app
}

/** What is written in an afternoon, with the settings that a client has by itself. */
function byHand(name: SiteName): RequestListener {
  const client = new Redis({ host: '127.0.0.1', port: redis ?? 0 })
  client.on('error', () => {})
  const app = express()
  app.use(async (req, res) => {
    const key = `by-hand:${req.originalUrl}`
    const found = await client.get(key)
    const body = found ?? (await page(name))
    res.end(body)
    if (found === null) await client.set(key, body, 'EX', LIFE_SECONDS)
  })
  return app
}

/** No cache, and no work either: whoever asks for a page meanwhile gets it at the same time. */
function held(name: SiteName): RequestListener {
  const pages = new Map<string, Promise<string>>()
  return (req, res) => {
    const path = req.url ?? ''
    const pending = pages.get(path) ?? page(name)
    pages.set(path, pending)
    void pending.then((body) => res.end(body))
  }
}

async function peer(name: PeerName): Promise<RequestListener> {
  const values = await openValues(name, redis === undefined ? {} : { redis: { host: '127.0.0.1', port: redis } })
  const app = express()
  app.use(async (req, res) => void res.end(await values.getOrSet(req.originalUrl, () => page(name))))
  return app
}

async function listenerOf(name: SiteName): Promise<RequestListener> {
  if (name === 'cachewell') return ours(name, undefined)
  if (name === 'cachewell, Redis only') return ours(name, false)
  if (name === 'ioredis by hand') return byHand(name)
  return name === 'held' ? held(name) : peer(name)
}

async function open(name: SiteName): Promise<number> {
  const server = createServer({ keepAliveTimeout: 600_000 }, await listenerOf(name))
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 }, resolve))
  return (server.address() as AddressInfo).port
}

// Peers let errors of their clients go unhandled; what becomes of the requests is what counts here.
process.on('unhandledRejection', () => {})
answerParent({ open, runs: (name: SiteName) => runs.get(name) ?? 0 })
