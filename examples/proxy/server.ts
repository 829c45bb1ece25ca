import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import express, { type NextFunction, type Request, type Response } from 'express'
import { type Cache, cacheMiddleware, createCache, withCache } from '../../middleware/index.ts'
import { type ListenOptions, listen } from '../shared/http-server.ts'
import { answerError } from './errors.ts'
import { dropConnectionFields } from './hop-by-hop.ts'
import { makeProxy, type Proxy, type ProxyOptions } from './proxy.ts'

export const PROFILES = ['rfc', 'safe'] as const
export const MOUNTS = ['app', 'front'] as const

export interface ProxyServerOptions extends ProxyOptions, ListenOptions {
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

/** Take the port and answer. */
export async function startProxy(options: ProxyServerOptions): Promise<RunningProxy> {
  const { server, port, close } = await listen(options)
  const cache = options.cached ? createCache({ redis: false, namespace: 'proxy' }) : undefined
  const proxy = makeProxy(options)
  const listener = listenerOf(options, proxy, cache)
  // Node would leave out what comes after the first thousand fields.
  server.maxHeadersCount = 0
  server.on('request', listener)
  // The origin says whether to go on, not node.
  server.on('checkContinue', listener)
  server.on('checkExpectation', listener)
  return {
    port,
    close: async () => {
      await close()
      proxy.close()
      await cache?.close()
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
