import type { IncomingMessage } from 'node:http'
import type { Cache } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import { judgeReuse } from '../lib/http/reuse.ts'
import { keyPrefix } from '../lib/key.ts'
import { anyOf, badOption, oneOf, optionHints, readOptions, syncCallback } from '../lib/options.ts'
import { type Miss, NOTHING_STORED, type ResponseEntry } from '../lib/responses.ts'
import type { Size } from '../lib/size.ts'
import type { Annotation } from './annotations.ts'
import { type Exchange, exchangeOf } from './exchange.ts'
import { type Mount, partitioned } from './mount.ts'
import { rethrow, serve } from './serve.ts'
import {
  cacheOption,
  callForText,
  listOrCallback,
  readSettings,
  type Settings,
  STORING_OPTIONS,
  type TagsCallback,
  type VaryCallback,
  varyOption,
} from './settings.ts'
import { type CacheRequest, callbackRequest, type Middleware, type Next, type RoutedRequest } from './types.ts'

/** Options of `cacheRoute`: what is decided when a response is stored. */
export interface CacheRouteOptions {
  /** @default the cache above, else the process's default cache */
  readonly cache?: Cache
  /** Lifetime, over the response's own fields; false never stores. */
  readonly ttl?: Duration | false
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
  /** Names for invalidation. */
  readonly tags?: readonly string[] | TagsCallback['tags']
  /** Request fields to tell responses apart by, beside those in `Vary`. */
  readonly vary?: readonly string[] | VaryCallback['vary']
  /** Who may share a response to a request with credentials: everyone, or those for whom the function gives the same string. */
  readonly scope?: 'public' | ScopeCallback['scope']
  /** @default 200, 203, 204, 300, 301, 308 */
  readonly statuses?: readonly number[]
  /** @default '1mb' */
  readonly maxBodySize?: Size
}

interface ScopeCallback {
  scope(req: CacheRequest): string
}

const OPTIONS = {
  ...STORING_OPTIONS,
  cache: cacheOption,
  vary: varyOption,
  scope: anyOf(oneOf('public'), syncCallback<ScopeCallback['scope']>()),
} as const

/**
 * Say how long the responses of one route are kept, what makes them wrong, and who may share them. Below a `cacheMiddleware` it
 * annotates; without one it caches by itself. `cacheRoute(false)` never stores.
 * @throws CacheError for wrong options
 * @example
 * app.get('/posts/:id', cacheRoute({ ttl: '5m', tags: (req) => [`post:${req.params.id}`] }), handler)
 */
export function cacheRoute(options: CacheRouteOptions | false): Middleware {
  if (options === false) {
    return function cacheRoute(_req, res, next) {
      exchangeOf(res)?.annotate({ refuse: 'route' })
      next()
    }
  }
  if (options === undefined || options === null) throw badOption('cacheRoute', options, 'an options object, or false')
  const read = readOptions('cacheRoute', options, OPTIONS)
  const { scope, vary } = read
  const annotation: Annotation = {
    policy: policyOf(read),
    ...(read.tags === undefined ? {} : { tagger: listOrCallback(read.tags) }),
    ...(read.maxBodySize === undefined ? {} : { maxBodySize: read.maxBodySize }),
    ...(vary === undefined ? {} : { vary: listOrCallback(vary) }),
    ...(scope === undefined ? {} : { permitted: true }),
  }
  let own: Settings | false | undefined
  const prefixes = new Map<string, string>()
  const prefixOf = (req: IncomingMessage): string => {
    const { engine, mount } = own as Settings
    const name = mount ?? routeOf(req)
    const prefix = prefixes.get(name) ?? keyPrefix(engine.version, name)
    // A route has one pattern, but routers may be mounted under any number of paths (`/users/:id`).
    if (prefixes.size < MAX_PREFIXES) prefixes.set(name, prefix)
    return prefix
  }
  const partitionOf =
    typeof scope === 'function'
      ? (req: IncomingMessage): string => callForText('scope', () => scope(callbackRequest(req)))
      : undefined

  return function cacheRoute(req, res, next) {
    const exchange = exchangeOf(res)
    if (exchange !== undefined) {
      if (read.cache !== undefined && read.cache.engine !== exchange.settings.engine) {
        exchange.warnOnce(
          'route-cache',
          'A cacheRoute names another cache than the cacheMiddleware above it; the outer one is used.',
        )
      }
      exchange.annotate(annotation)
      if (partitionOf === undefined) return next()
      return servePartition(exchange, partitionOf, req, next)
    }
    own ??= settingsOf(read.cache, options)
    // The environment asks for a default cache that cannot be made: it was said once, and the handler answers.
    if (own === false) return next()
    const mount: Mount = {
      settings: own,
      prefixOf,
      prepare: (made) => made.annotate(annotation),
      ...(partitionOf === undefined ? {} : { partitionOf }),
    }
    serve(mount, req, res, next)
  }
}

type ReadOptions = ReturnType<typeof readOptions<typeof OPTIONS>>

function policyOf({
  ttl,
  staleWhileRevalidate,
  staleIfError,
  statuses,
}: ReadOptions): NonNullable<Annotation['policy']> {
  return {
    ...(ttl === undefined ? {} : { ttl }),
    ...(staleWhileRevalidate === undefined ? {} : { staleWhileRevalidate }),
    ...(staleIfError === undefined ? {} : { staleIfError }),
    ...(statuses === undefined ? {} : { statuses }),
  }
}

/** How many constant starts of keys one route remembers. */
const MAX_PREFIXES = 1_000

/**
 * The settings of a route that caches by itself; false where the environment asks for a default cache that cannot be made. Only the
 * first request shows that one is needed, and no request fails because of the cache.
 */
function settingsOf(cache: Cache | undefined, options: CacheRouteOptions): Settings | false {
  try {
    const settings = readSettings('cacheMiddleware', cache === undefined ? {} : { cache })
    for (const hint of optionHints('cacheRoute', options, OPTIONS)) settings.engine.events.warn(hint)
    return settings
  } catch (cause) {
    console.warn(`[cache] A cacheRoute does not cache, because the default cache cannot be made: ${String(cause)}`)
    return false
  }
}

/** The pattern of the route where the router tells it. */
function routeOf(req: IncomingMessage): string {
  const { baseUrl, route } = req as RoutedRequest
  return typeof route?.path === 'string' ? `${baseUrl ?? ''}${route.path}` : 'route'
}

/**
 * Below a cache, behind whatever authenticates: what is kept for this group of people is looked up and served here, never by
 * the cache outside.
 */
function servePartition(
  exchange: Exchange,
  partitionOf: (req: IncomingMessage) => string,
  req: IncomingMessage,
  next: Next,
): void {
  // What a write answers is nobody else's: only its own key would keep it apart, and it has none here.
  if (!READS.has(req.method ?? '')) {
    exchange.annotate({ refuse: 'scope' })
    return next()
  }
  const { engine } = exchange.settings
  let partition: string
  try {
    partition = partitionOf(req)
  } catch (cause) {
    engine.events.emit('error', { where: 'scope', cause })
    exchange.warnOnce('callback:scope', `scope failed, so the response is not stored: ${String(cause)}`)
    exchange.annotate({ refuse: 'scope' })
    return next()
  }
  if (exchange.target === undefined) return next()
  const target = partitioned(exchange.target, partition)
  const recorded = req.method !== 'HEAD' && req.headers.range === undefined
  const fill = (miss: Miss): void => {
    exchange.rekey(target, recorded ? engine.responses.begin(target, miss, exchange.headers, false) : undefined)
    next()
  }
  const proceed = (found: Awaited<ReturnType<typeof engine.responses.lookup>>): void => {
    if (found.kind === 'miss') fill(found)
    else serveFound(exchange, found, () => fill(NOTHING_STORED))
  }
  const found = engine.responses.lookup(target.primary, exchange.headers)
  if (found instanceof Promise) found.then(proceed).catch(rethrow)
  else proceed(found)
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'QUERY'])

function serveFound(exchange: Exchange, entry: ResponseEntry, otherwise: () => void): void {
  const now = exchange.settings.engine.clock.now()
  const reuse = judgeReuse(entry, { credentialed: exchange.credentials !== undefined, directives: undefined, now })
  if (reuse.kind !== 'serve') return otherwise()
  exchange.answer(entry, { hit: true, ttl: Math.floor((entry.staleAt - now) / 1_000), rule: reuse.rule })
}
