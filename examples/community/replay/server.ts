import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Request, type Response } from 'express'
import { cacheMiddleware, createCache } from '../../../middleware/index.ts'

/**
 * The origin of a replay and the cache in front of it, in a process of their own so that their memory can be told. Every
 * request carries, in fields of ours, the time of its log line and what the origin shall answer.
 */

export interface ReplayOrder {
  readonly ttl: string
}

export interface ReplayFigures {
  /** Requests that the origin had to answer. */
  readonly handlerCalls: number
  readonly peakRssBytes: number
  readonly peakMemoryUsed: number
  readonly keyCount: number
}

export const TIME_FIELD = 'x-replay-time'
export const STATUS_FIELD = 'x-replay-status'
export const SIZE_FIELD = 'x-replay-size'

/** How often memory is looked at, in requests. */
const SAMPLE_EVERY = 64

const CHUNK: Buffer = Buffer.alloc(64 * 1024, 'cachewell replays an access log. ')

process.once('message', (order: ReplayOrder) => {
  let now = 0
  let requests = 0
  let handlerCalls = 0
  let peakMemoryUsed = 0
  let peakRssBytes = 0
  const cache = createCache({ redis: false, namespace: 'replay', ttl: order.ttl, clock: { now: () => now } })

  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.use(cacheMiddleware({ cache, headers: 'standard' }))
  app.use((req, res) => {
    handlerCalls += 1
    answer({ req, res, now })
  })

  const sample = (): void => {
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss())
    peakMemoryUsed = Math.max(peakMemoryUsed, cache.stats().stats.memoryUsed)
  }
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    // Servers write a line when a request ends, so that times may step back a little; the clock does not.
    now = Math.max(now, Number(req.headers[TIME_FIELD]))
    requests += 1
    if (requests % SAMPLE_EVERY === 0) sample()
    app(req, res)
  })
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as AddressInfo).port })
  })

  process.once('message', () => {
    sample()
    const figures: ReplayFigures = {
      handlerCalls,
      peakRssBytes,
      peakMemoryUsed,
      keyCount: cache.stats().stats.keyCount,
    }
    process.send?.(figures)
  })
  process.once('disconnect', () => {
    server.close()
    server.closeAllConnections()
    void cache.close().then(() => process.exit(0))
  })
})

process.on('SIGINT', () => undefined)

function answer({ req, res, now }: { req: Request; res: Response; now: number }): void {
  const status = Number(req.headers[STATUS_FIELD])
  const size = Number(req.headers[SIZE_FIELD])
  res.status(status)
  res.setHeader('Date', new Date(now).toUTCString())
  if (status >= 300 && status < 400) res.setHeader('Location', '/')
  if (status === 204 || status === 304) {
    res.end()
    return
  }
  const range = status === 200 ? req.range(size) : undefined
  if (range === -1) {
    res.status(416).setHeader('Content-Range', `bytes */${size}`)
    res.end()
    return
  }
  const part = Array.isArray(range) && range.type === 'bytes' ? range[0] : undefined
  if (part !== undefined) res.status(206).setHeader('Content-Range', `bytes ${part.start}-${part.end}/${size}`)
  res.setHeader('Content-Type', 'application/octet-stream')
  res.setHeader('Accept-Ranges', 'bytes')
  send({ req, res, length: part === undefined ? size : part.end - part.start + 1 })
}

/** So many bytes, no more of them in memory than the client can take. */
function send({ req, res, length }: { req: Request; res: Response; length: number }): void {
  res.setHeader('Content-Length', length)
  let left = req.method === 'HEAD' ? 0 : length
  const more = (): void => {
    while (left > CHUNK.length) {
      left -= CHUNK.length
      if (!res.write(CHUNK)) {
        res.once('drain', more)
        return
      }
    }
    res.end(CHUNK.subarray(0, left))
  }
  more()
}
