import { type IncomingMessage, type OutgoingHttpHeaders, type RequestListener, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { makeProxy, type Proxy } from '../../examples/proxy/proxy.ts'
import { type Cache, createCache } from '../../lib/cache.ts'
import { cacheMiddleware } from '../../middleware/index.ts'
import { type Handler, makeListener } from '../support/app.ts'

/** What a cache does not see, or sees otherwise: one mistake of a cache that is right apart from it. */
export interface Flaw {
  /** Change a request before the cache sees it. */
  readonly request?: (req: IncomingMessage) => void
  /** Change a field of the origin's answer before the cache sees it; undefined takes it away. */
  readonly field?: (name: string, value: string) => string | undefined
  /** Requests of which the cache is not told. */
  readonly passes?: (req: IncomingMessage) => boolean
}

/** A cache in this process, and how to end it. */
export interface FaultyCache {
  readonly listener: RequestListener
  close(): Promise<void>
}

/** The cache of this package with a mistake built in; without one as it is. */
export function flawedCache(originPort: number, flaw: Flaw = {}): FaultyCache {
  const cache: Cache = createCache({ redis: false, namespace: 'conformance' })
  const proxy: Proxy = makeProxy({ origin: new URL(`http://127.0.0.1:${originPort}`), style: 'setHeader' })
  const pass: Handler = (req, res, next) => {
    const { field } = flaw
    if (field !== undefined) {
      const setHeader = res.setHeader.bind(res)
      res.setHeader = (name, value) => {
        const kept = [value].flat().flatMap((one) => field(name.toLowerCase(), String(one)) ?? [])
        return kept.length === 0 ? res : setHeader(name, kept)
      }
    }
    proxy(req, res, next)
  }
  const cached = makeListener('node:http', [cacheMiddleware({ cache, profile: 'rfc' })], pass)
  const uncached = makeListener('node:http', [], pass)
  return {
    listener: (req, res) => {
      flaw.request?.(req)
      if (flaw.passes?.(req) === true) uncached(req, res)
      else cached(req, res)
    },
    close: async () => {
      proxy.close()
      await cache.close()
    },
  }
}

/** No cache at all. */
export function passThrough(originPort: number): FaultyCache {
  return flawedCache(originPort, { passes: () => true })
}

/** Keeps whatever it gets for its path, for everybody, for ever. */
export function greedyCache(originPort: number): FaultyCache {
  const kept = new Map<string, Kept>()
  return {
    listener: (req, res) => {
      const key = req.url ?? ''
      const known = kept.get(key)
      const answer = known === undefined ? forward(originPort, req) : Promise.resolve(known)
      answer
        .then((one) => {
          kept.set(key, one)
          res.writeHead(one.status, one.headers)
          res.end(one.body)
        })
        .catch(() => res.destroy())
    },
    close: () => Promise.resolve(),
  }
}

interface Kept {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
}

async function forward(port: number, req: IncomingMessage): Promise<Kept> {
  const { method, url, headers } = req
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers }, resolve).on('error', reject)
    req.pipe(outgoing)
  })
  return { status: incoming.statusCode ?? 500, headers: incoming.headers, body: await buffer(incoming) }
}
