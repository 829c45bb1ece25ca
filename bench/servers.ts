import type { RequestListener } from 'node:http'
import express from 'express'
import { answer, BODY, HEAD } from './answer.ts'
import { cacheMiddleware, createCache, withCache } from './built.ts'
import { serveContestant } from './contestant.ts'

/** Hits in memory, against an answer that is only sent. */
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
    app.use((_req, res) => answer(res))
    return app
  },
}

const prepared: RequestListener = (_req, res) => {
  res.writeHead(200, [...HEAD])
  res.end(BODY)
}

function origin(): RequestListener {
  const app = express()
  app.use((_req, res) => answer(res))
  return app
}

await serveContestant(CONTESTANTS)
