import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { cacheMiddleware, createCache, withCache } from '../middleware/index.ts'

/**
 * The contestants, each answering 1 KB of JSON. Started as a process of its own by `run.ts`, which asks over IPC for the
 * CPU time used: that does not count being descheduled, so it holds on noisy machines.
 */

const BODY = Buffer.from(JSON.stringify({ id: 1, text: 'x'.repeat(1_000) }))
/** The fields of a hit, so that all contestants put the same bytes on the wire. */
const HEAD = [
  ...['Content-Type', 'application/json; charset=utf-8', 'ETag', '"bench"', 'Date', new Date().toUTCString()],
  ...['Content-Length', String(BODY.length), 'Age', '0', 'Cache-Status', 'cachewell; hit; ttl=3599'],
]

const prepared: RequestListener = (_req, res) => {
  res.writeHead(200, HEAD)
  res.end(BODY)
}

/** What stands behind a cache: it sends what the prepared answer sends. */
function handler(res: { setHeader(name: string, value: string): unknown; end(body: Buffer): unknown }): void {
  res.setHeader('Content-Type', 'application/json; charset=utf-8')
  res.setHeader('ETag', '"bench"')
  res.end(BODY)
}

export const CONTESTANTS: Readonly<Record<string, () => RequestListener>> = {
  'node:http, prepared answer': () => prepared,
  'withCache in front of Express 5, hit in memory': () =>
    withCache(origin(), { cache: createCache(), ttl: '1h', headers: 'standard' }),
  'Express 5, first middleware, prepared answer': () => {
    const app = express()
    app.use(prepared)
    return app
  },
  'cacheMiddleware in Express 5, hit in memory': () => {
    const app = express()
    app.use(cacheMiddleware({ cache: createCache(), ttl: '1h', headers: 'standard' }))
    app.use((_req, res) => handler(res))
    return app
  },
}

function origin(): RequestListener {
  const app = express()
  app.use((_req, res) => handler(res))
  return app
}

const name = process.argv[2]
const make = name === undefined ? undefined : CONTESTANTS[name]
if (make !== undefined && process.send !== undefined) {
  const server = createServer(make()).listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as AddressInfo).port })
  })
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }))
  process.on('disconnect', () => process.exit(0))
}
