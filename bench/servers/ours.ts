import type { RequestListener } from 'node:http'
import express, { type Express } from 'express'
import type { CacheMiddlewareOptions } from '../../middleware/index.ts'
import { cacheMiddleware, createCache, withCache } from '../built.ts'
import { type Contestants, serveContestant, type Task } from '../contestant.ts'
import { originOf } from '../origin.ts'
import { inExpress, servedUncached } from './express.ts'

type Cache = ReturnType<typeof createCache>

/** The product, mounted the two ways there are. */
const OURS: Contestants = {
  withCache: ({ size }) => front(createCache(), size),
  cacheMiddleware: ({ size }) => inside(createCache(), size),
  'withCache, Redis only': async (task) => front(await inRedis(task), task.size),
  'cacheMiddleware, Redis only': async (task) => inside(await inRedis(task), task.size),
  'cacheMiddleware, never hit': ({ size }) => {
    const app = express()
    app.use(cacheMiddleware(evicting()))
    return servedUncached(app, size)
  },
  'withCache, never hit': ({ size }) => withCache(servedUncached(express(), size), evicting()),
}

/** A memory small enough to evict all the time. */
function evicting(): CacheMiddlewareOptions {
  return { cache: createCache({ memory: { maxSize: '32mb' } }), headers: 'standard', encodings: false }
}

function front(cache: Cache, size: number): RequestListener {
  return withCache(inExpress(originOf(size)), { cache, headers: 'standard' })
}

function inside(cache: Cache, size: number): Express {
  const app = express()
  app.use(cacheMiddleware({ cache, headers: 'standard' }))
  const origin = originOf(size)
  app.use((req, res) => origin(req, res))
  return app
}

async function inRedis({ redis = '' }: Task): Promise<Cache> {
  // A busy machine that keeps Redis waiting is not to turn hits into misses.
  const cache = createCache({ redis, memory: false, namespace: 'bench', deadlineMs: '2s' })
  await cache.ready()
  return cache
}

serveContestant(OURS)
