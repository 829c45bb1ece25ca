import express from 'express'
import { serveContestant } from '../contestant.ts'
import { bodiesOf, CONTENT_TYPE, ETAG } from '../payload.ts'

/**
 * Caches that are used in Express today, mounted as their own README says. A store that is no HTTP cache gets the plain
 * middleware that its users write: status, fields and text under the URL.
 */
const PEERS = {
  apicache: async (task) => {
    const { default: apicache } = await import('apicache')
    return mounted(apicache.middleware('1 hour'), task)
  },
  'apicache-plus': async (task) => {
    const { default: apicache } = await import('apicache-plus')
    return mounted(apicache('1 hour'), task)
  },
  'route-cache': async (task) => {
    const { default: routeCache } = await import('route-cache')
    return mounted(routeCache.cacheSeconds(3_600), task)
  },
  'cache-manager': async (task) => {
    const { createCache } = await import('cache-manager')
    const cache = createCache({ ttl: 3_600_000 })
    return mounted(readThenRecord(cache), task)
  },
  cacheable: async (task) => {
    const { Cacheable } = await import('cacheable')
    const cache = new Cacheable({ ttl: '1h' })
    return mounted(readThenRecord(cache), task)
  },
  bentocache: async (task) => {
    const { BentoCache, bentostore } = await import('bentocache')
    const { memoryDriver } = await import('bentocache/drivers/memory')
    const bento = new BentoCache({
      default: 'memory',
      stores: { memory: bentostore().useL1Layer(memoryDriver({ maxSize: '100mb' })) },
    })
    const read = (key, factory) => bento.getOrSet({ key, factory, ttl: '1h' })
    return mounted(readOrRun(read), task)
  },
  'async-cache-dedupe': async (task) => {
    const { createCache } = await import('async-cache-dedupe')
    const cache = createCache({ ttl: 3_600, storage: { type: 'memory' } })
    cache.define('page', { serialize: ({ url }) => url }, ({ run }) => run())
    const read = (url, run) => cache.page({ url, run })
    return mounted(readOrRun(read), task)
  },
}

/** The middleware first, then a handler that sends text with a type, as they all expect. */
function mounted(middleware, { size }) {
  const bodyOf = bodiesOf(size)
  const app = express()
  app.use(middleware)
  app.use((req, res) => {
    res
      .set({ 'Content-Type': CONTENT_TYPE, ETag: ETAG, 'Cache-Control': 'max-age=3600' })
      .send(String(bodyOf(req.originalUrl)))
  })
  return app
}

/** For a store with `get` and `set`. */
function readThenRecord(store) {
  return async (req, res, next) => {
    const found = await store.get(req.originalUrl)
    if (found !== undefined) {
      write(res, found)
      return
    }
    const answer = await recorded(res, next)
    await store.set(req.originalUrl, answer)
    write(res, answer)
  }
}

/** For a store that reads, or else runs a function once. */
function readOrRun(read) {
  return async (req, res, next) => {
    write(res, await read(req.originalUrl, () => recorded(res, next)))
  }
}

/** What the handler answers, instead of sending it. */
function recorded(res, next) {
  return new Promise((resolve) => {
    const { end } = res
    res.end = (body) => {
      res.end = end
      resolve({ status: res.statusCode, headers: { ...res.getHeaders() }, body: String(body) })
      return res
    }
    next()
  })
}

function write(res, { status, headers, body }) {
  res.writeHead(status, headers)
  res.end(body)
}

serveContestant(PEERS)
