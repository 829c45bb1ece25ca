import type { RequestListener } from 'node:http'
import express from 'express'
import { Redis } from 'ioredis'
import { answer, BODY, HEAD } from './answer.ts'
import { cacheMiddleware, createCache } from './built.ts'
import { serveContestant } from './contestant.ts'

/** Hits in Redis, against what is written by hand in an afternoon: a key per URL, the body as it is, no invalidation. */
export const CONTESTANTS: Readonly<Record<string, () => RequestListener | Promise<RequestListener>>> = {
  'Express 5, ioredis getBuffer by hand': () => {
    const redis = new Redis(url)
    const app = express()
    app.use(async (req, res) => {
      const key = `by-hand:${req.originalUrl}`
      const found = await redis.getBuffer(key)
      if (found === null) await redis.set(key, BODY, 'EX', 3_600)
      res.writeHead(200, HEAD as string[])
      res.end(found ?? BODY)
    })
    return app
  },
  'cacheMiddleware in Express 5, hit in Redis': async () => {
    const cache = createCache({ redis: url, memory: false, namespace: 'bench' })
    await cache.ready()
    const app = express()
    app.use(cacheMiddleware({ cache, ttl: '1h', headers: 'standard' }))
    app.use((_req, res) => answer(res))
    return app
  },
}

const url = process.env['BENCH_REDIS'] ?? ''

await serveContestant(CONTESTANTS)
