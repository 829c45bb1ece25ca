import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CacheControl, parseCacheControl } from '../lib/http/cache-control.ts'
import { requestField } from '../lib/http/fields.ts'
import { invalidatedUris, isSafeMethod } from '../lib/http/methods.ts'
import { judgeReuse } from '../lib/http/reuse.ts'
import type { Credentials } from '../lib/http/storing.ts'
import { primaryKey, tagOf } from '../lib/key.ts'
import { type Flight, LOCK_WAIT_MS } from '../lib/lease.ts'
import type { Forward, Outcome } from '../lib/outcome.ts'
import type { Fill, FillTarget, Lookup, Miss, ResponseEntry } from '../lib/responses.ts'
import { Exchange, exchangeOf } from './exchange.ts'
import { fieldsOf, watch } from './intercept.ts'
import { announceWrite } from './invalidate.ts'
import { isRefresh, refresh } from './refresh.ts'
import { replay } from './replay.ts'
import { bypassReason, credentialsOf, hideStrippedQuery, requestTarget } from './request.ts'
import { callForText, type Settings } from './settings.ts'
import { callbackRequest, type ExpressApp } from './types.ts'

/**
 * The life of a request in a mounted cache: lookup, judge, then serve what is stored or let the handler answer and record it.
 * With the entry in memory all of it happens before `serve` returns: no promise, no timer.
 */

/** What is done with a request that the cache does not answer: call the handler. */
export type Pass = (error?: unknown) => void

/** One place in an application where a cache stands. */
export interface Mount {
  readonly settings: Settings
  /** The constant start of the keys of this place. */
  readonly prefixOf: (req: IncomingMessage) => string
  /** The application behind, where it does not say so on the request. */
  readonly app?: ExpressApp
  /** Who the response is for, where a route says so; part of the key. */
  readonly partitionOf?: (req: IncomingMessage) => string
  /** Look at the exchange before the handler runs: a route that caches by itself annotates it. */
  readonly prepare?: (exchange: Exchange) => void
}

/** One request on its way, and what it names here. */
interface Visit extends FillTarget {
  readonly mount: Mount
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly pass: Pass
  /** Query parameters were taken out: the handler must see the shorter path, too. */
  readonly stripped: boolean
  readonly credentials: Credentials | undefined
  readonly directives: CacheControl | undefined
}

const NOTHING: Miss = { kind: 'miss', reason: 'uri-miss', index: undefined }

/** Answer from the cache, or pass the request on and record what comes back. */
export function serve(mount: Mount, req: IncomingMessage, res: ServerResponse, pass: Pass): void {
  const { settings } = mount
  if (!settings.enabled) return pass()
  const outer = exchangeOf(res)
  if (outer !== undefined) {
    outer.adopt(settings)
    return pass()
  }
  if (res.headersSent) {
    settings.engine.events.warnOnce(
      'headers-sent',
      `The response to ${req.method} ${req.url} had already started when the cache saw it, so it cannot be cached. ` +
        'An earlier middleware wrote to it; mount the cache before it.',
    )
    return pass()
  }
  const { method } = req
  if (method !== 'GET' && method !== 'HEAD') return passMethod(mount, req, res, pass)
  let visit: Visit | string
  try {
    visit = enter(mount, req, res, pass)
  } catch (cause) {
    // A callback of the options failed: a request is never lost to the cache.
    settings.engine.events.emit('error', { where: 'options', cause })
    settings.engine.events.warnOnce('callback:request', `A callback of the cache's options failed: ${String(cause)}`)
    visit = 'error'
  }
  if (typeof visit === 'string') return passUnkeyed(mount, req, res, pass, visit)
  if (isRefresh(req)) return fill(visit, NOTHING, { forward: 'stale', background: true })
  const found = settings.engine.responses.lookup(visit.primary, req.headers)
  if (!(found instanceof Promise)) return decide(visit, found, undefined)
  const entered = visit
  found
    .then((late) => {
      // A fill that landed while Redis was asked leaves nothing to join, and a miss that is out of date.
      const landed = late.kind === 'miss' ? settings.engine.responses.peek(entered.primary, req.headers) : undefined
      decide(entered, landed ?? late, undefined)
    })
    .catch((cause) => failed(entered, cause))
}

/** Something failed after a wait: what the handler threw is the process's, as it is without us; the rest is the next one's. */
function failed({ res, pass }: Visit, cause: unknown): void {
  if (exchangeOf(res) === undefined) pass(cause)
  else rethrow(cause)
}

/** Let an error that a promise has caught go where it would have gone without one. */
export function rethrow(cause: unknown): void {
  process.nextTick(() => {
    throw cause
  })
}

/** Everything about a request that the lookup needs, or why the cache keeps out of it. */
function enter(mount: Mount, req: IncomingMessage, res: ServerResponse, pass: Pass): Visit | string {
  const { settings } = mount
  const reason = bypassReason(req, settings)
  if (reason !== undefined) return reason
  const target = requestTarget(req, settings, mount.app)
  if (target === undefined) return 'target'
  const { uri, path, stripped } = target
  const cacheControl = requestField(req.headers, 'cache-control')
  return {
    mount,
    req,
    res,
    pass,
    primary: keyOf(mount, req, uri),
    uri,
    path,
    stripped,
    credentials: credentialsOf(req, settings),
    directives: cacheControl === undefined ? undefined : parseCacheControl(cacheControl),
  }
}

function keyOf(mount: Mount, req: IncomingMessage, uri: string): string {
  const { partitionOf } = mount
  const { key } = mount.settings
  const prefix = mount.prefixOf(req)
  if (key === undefined && partitionOf === undefined) return primaryKey(prefix, uri)
  const material = key === undefined ? undefined : callForText('key', () => key(callbackRequest(req)))
  return primaryKey(prefix, uri, [material, partitionOf?.(req)])
}

/** The same resource for one group of people only. */
export function partitioned(target: FillTarget, partition: string): FillTarget {
  return { ...target, primary: primaryKey(target.primary, '', [partition]) }
}

/** Judge what was found; `since`: when the visit began to wait for somebody else's fill (monotonic ms). */
function decide(visit: Visit, found: Lookup, since: number | undefined): void {
  if (found.kind === 'miss') return forward(visit, found, { forward: found.reason }, since)
  const { req, mount, directives } = visit
  const { settings } = mount
  const { engine } = settings
  const now = engine.clock.now()
  const reuse = judgeReuse(found, {
    credentialed: visit.credentials !== undefined,
    directives: settings.requestDirectives ? directives : undefined,
    now,
  })
  const ttl = Math.floor((found.staleAt - now) / 1_000)
  switch (reuse) {
    case 'serve': {
      const outcome: Outcome =
        since !== undefined ? { hit: false, forward: 'uri-miss', ttl, collapsed: true } : { hit: true, ttl }
      return answer(visit, found, outcome, now)
    }
    case 'serve-stale': {
      if (!refresh({ req, settings, entry: found }))
        return forward(visit, NOTHING, { forward: 'stale', spare: found }, since)
      return answer(visit, found, { hit: true, ttl, detail: 'swr' }, now)
    }
    case 'refuse':
      return forward(visit, NOTHING, { forward: 'bypass', ...detailOf(visit) }, since)
    default:
      return forward(visit, NOTHING, { forward: reuse, spare: found }, since)
  }
}

function detailOf({ credentials }: Visit): { readonly detail?: string } {
  return credentials === undefined ? {} : { detail: credentials }
}

function answer(visit: Visit, entry: ResponseEntry, outcome: Outcome, now: number): void {
  const { req, res } = visit
  const { settings } = visit.mount
  settings.engine.report(visit.primary, outcome)
  if (settings.onHit !== undefined) tellHit(settings, req, res, outcome)
  replay({ req, res, entry, outcome, settings, key: entry.key, now })
}

function tellHit({ engine, onHit }: Settings, req: IncomingMessage, res: ServerResponse, outcome: Outcome): void {
  try {
    onHit?.(req, res, outcome)
  } catch (cause) {
    engine.events.emit('error', { where: 'onHit', cause })
    engine.events.warnOnce('callback:onHit', `onHit failed: ${String(cause)}`)
  }
}

interface Fallback {
  readonly forward: Forward
  readonly detail?: string
  readonly spare?: ResponseEntry
  readonly background?: boolean
}

/** Nothing to serve: wait for a fill that is under way, else begin one. */
function forward(visit: Visit, miss: Miss, why: Fallback, since: number | undefined): void {
  const { res, mount, directives } = visit
  const { settings } = mount
  if (directives?.onlyIfCached === true) {
    // CCQ-8, CST-3: ours, not the handler's, so it says nothing of a stored response.
    res.writeHead(504, { 'Content-Length': 0 })
    res.end()
    return
  }
  const unrecorded = unrecordedReason(visit)
  if (unrecorded !== undefined) return unfilled(visit, { detail: unrecorded, ...why })
  if (!settings.engine.reachable && why.forward !== 'bypass') {
    return forward(visit, miss, { ...why, forward: 'bypass', detail: 'store-unavailable' }, since)
  }
  const flight = why.forward === 'request' ? undefined : joinable(visit, miss)
  const now = settings.engine.clock.monotonic()
  const began = since ?? now
  if (flight === undefined || now - began >= LOCK_WAIT_MS) return fill(visit, miss, why)
  return wait(visit, flight, { miss, why, since: began })
}

/** A fill that is under way and that this request may share. */
function joinable(visit: Visit, miss: Miss): Flight<ResponseEntry> | undefined {
  if (visit.credentials !== undefined) return undefined
  return visit.mount.settings.engine.responses.join(visit, miss, visit.req.headers)
}

interface Waiting {
  readonly miss: Miss
  readonly why: Fallback
  /** When the visit began to wait (monotonic ms). */
  readonly since: number
}

/** Wait for somebody else's fill, but no longer than the lock wait, then share it or go on. */
function wait(visit: Visit, flight: Flight<ResponseEntry>, { miss, why, since }: Waiting): void {
  const { responses, clock, reachable } = visit.mount.settings.engine
  // I23: with Redis away nothing says who has written since a fill began; only one that began later will do.
  const isUsable = reachable || flight.startedAt >= since
  const timeoutMs = LOCK_WAIT_MS - (clock.monotonic() - since)
  responses
    .await(flight, { target: visit, headers: visit.req.headers, timeoutMs })
    .then((found) => (isUsable ? decide(visit, found, since) : forward(visit, miss, why, since)))
    .catch((cause) => failed(visit, cause))
}

/** Why the handler's answer is of no use to others. */
function unrecordedReason({ req, directives }: Visit): string | undefined {
  // A HEAD has nothing to store.
  if (req.method === 'HEAD') return 'head'
  // A range of something unknown is the handler's to cut.
  if (req.headers.range !== undefined) return 'range'
  // DS-7: nobody waits for what will not be stored.
  return directives?.noStore === true ? 'request-no-store' : undefined
}

/** Let the handler answer, and record it. */
function fill(visit: Visit, miss: Miss, why: Fallback): void {
  const { req, credentials } = visit
  passOn(visit, visit.mount.settings.engine.responses.begin(visit, miss, req.headers, credentials === undefined), why)
}

/** Let the handler answer, and leave it at that. */
function unfilled(visit: Visit, why: Fallback): void {
  passOn(visit, undefined, why)
}

function passOn(visit: Visit, fill: Fill | undefined, why: Fallback): void {
  const { mount, req, res, credentials, primary, uri, path } = visit
  const target = { primary, uri, path }
  const exchange = new Exchange({ settings: mount.settings, req, res, target, credentials, fill, ...why })
  if (visit.stripped) hideStrippedQuery(req, mount.settings)
  mount.prepare?.(exchange)
  watch(res, exchange)
  visit.pass()
}

/** A GET or HEAD that has no key here. */
function passUnkeyed(mount: Mount, req: IncomingMessage, res: ServerResponse, next: Pass, detail: string): void {
  passExchange(mount, req, res, next, { forward: 'bypass', detail })
}

/** Any other method: the handler answers, and what a successful write makes wrong goes (RFC 9111 s. 4.4). */
function passMethod(mount: Mount, req: IncomingMessage, res: ServerResponse, next: Pass): void {
  const { settings } = mount
  const method = req.method ?? ''
  if (!isSafeMethod(method)) {
    const target = requestTarget(req, settings, mount.app)
    if (target !== undefined) {
      announceWrite(res, settings.engine, () => ({
        tags: invalidatedUris({ method, status: res.statusCode, uri: target.uri, fields: fieldsOf(res) }).map(
          tagOf.uri,
        ),
        patterns: [],
        all: false,
      }))
    }
  }
  passExchange(mount, req, res, next, { forward: 'method' })
}

function passExchange(mount: Mount, req: IncomingMessage, res: ServerResponse, next: Pass, why: Fallback): void {
  const { settings } = mount
  const exchange = new Exchange({
    settings,
    req,
    res,
    target: undefined,
    credentials: undefined,
    fill: undefined,
    ...why,
  })
  mount.prepare?.(exchange)
  watch(res, exchange)
  next()
}
