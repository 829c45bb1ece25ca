import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type NextFunction, type Request, type Response } from 'express'
import { type Cache, cacheMiddleware, createCache, withCache } from '../../middleware/index.ts'
import { answerError } from './errors.ts'
import { dropConnectionFields } from './hop-by-hop.ts'
import { makeProxy, type Proxy, type ProxyOptions } from './proxy.ts'

export const PROFILES = ['rfc', 'safe'] as const
export const MOUNTS = ['app', 'front'] as const

export interface ProxyServerOptions extends ProxyOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** False leaves the cache out. */
  readonly cached: boolean
  readonly profile: (typeof PROFILES)[number]
  /** Where the cache stands: in an Express application, or in front of the bare handler. */
  readonly mount: (typeof MOUNTS)[number]
}

export interface RunningProxy {
  readonly port: number
  /** Finish what is being answered, then let go of the port, the cache and the origin. */
  readonly close: () => Promise<void>
}

/** How long open requests may take to finish when the proxy is stopped. */
const GRACE_MS = 1_000

/** Take the port and answer. */
export async function startProxy(options: ProxyServerOptions): Promise<RunningProxy> {
  const cache = options.cached ? createCache({ redis: false, namespace: 'proxy' }) : undefined
  const proxy = makeProxy(options)
  const listener = listenerOf(options, proxy, cache)
  const server = createServer(listener)
  // Node would leave out what comes after the first thousand fields.
  server.maxHeadersCount = 0
  // The origin says whether to go on, not node.
  server.on('checkContinue', listener)
  server.on('checkExpectation', listener)
  const release = async (): Promise<void> => {
    proxy.close()
    await cache?.close()
  }
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, resolve)
    })
  } catch (error) {
    await release()
    throw error
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await closeServer(server)
      await release()
    },
  }
}

function listenerOf(options: ProxyServerOptions, proxy: Proxy, cache: Cache | undefined): RequestListener {
  const handler = (req: IncomingMessage, res: ServerResponse): void => {
    proxy(req, res, (error) => answerError(error, res))
  }
  if (cache === undefined) return handler
  const { mount, profile } = options
  const cached = mount === 'front' ? withCache(handler, { cache, profile }) : applicationOf(proxy, cache, profile)
  return (req, res) => {
    dropConnectionFields(req)
    cached(req, res)
  }
}

function applicationOf(proxy: Proxy, cache: Cache, profile: ProxyServerOptions['profile']): RequestListener {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(cacheMiddleware({ cache, profile }))
  app.use(proxy)
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => answerError(error, res))
  return app
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeIdleConnections()
  const patience = setTimeout(() => server.closeAllConnections(), GRACE_MS)
  await closed
  clearTimeout(patience)
}
