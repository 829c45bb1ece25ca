import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fields } from '../lib/http/fields.ts'
import { judgeReuse, type Reuse } from '../lib/http/reuse.ts'
import { classTags, queryPrimaryKey, tagOf } from '../lib/key.ts'
import { type Flight, LOCK_WAIT_MS, TURN_WAIT_MS } from '../lib/lease.ts'
import type { LiveResponse } from '../lib/live-response.ts'
import type { Outcome } from '../lib/outcome.ts'
import {
  type Fill,
  type Landing,
  type Lookup,
  type Miss,
  NOTHING_STORED,
  type ResponseEntry,
  type WaitingRequest,
} from '../lib/responses.ts'
import type { Awaitable } from '../lib/stores/store.ts'
import { codeLater } from './coding.ts'
import { contentKey, takeContent } from './content.ts'
import type { Place } from './deposit.ts'
import { Exchange, exchangeOf, type Why } from './exchange.ts'
import { CODING } from './heeded.ts'
import { watch } from './intercept.ts'
import { LiveCopy } from './live-copy.ts'
import { goOn, keyOf, type Mount, type Pass } from './mount.ts'
import { passExchange } from './pass.ts'
import { refresh } from './refresh.ts'
import { type Client, hasOwnHead, mayBeCut, replay } from './replay.ts'
import { directivesOf, hideStrippedQuery } from './request.ts'
import type { SearchClasses } from './search-classes.ts'
import { isRefreshing, refreshOf } from './second-pass.ts'
import type { Settings } from './settings.ts'
import { shareShape } from './shared-shape.ts'
import { nameTarget, Visit } from './visit.ts'
import { passMethod } from './write.ts'

/**
 * The life of a request in a mounted cache: lookup, judge, then serve what is stored or let the handler answer and record it.
 * With the entry in memory all of it happens before `serve` returns: no promise, no timer.
 */

/** Answer from the cache, or pass the request on and record what comes back. */
export function serve(mount: Mount, req: IncomingMessage, res: ServerResponse, next?: Pass): void {
  const { settings } = mount
  if (!settings.enabled) return goOn(mount, req, res, next)
  // In front of an application nobody has given them other prototypes yet.
  if (next !== undefined) shareShape(req, res)
  // Who has an exchange has replaced its methods: most have not, and are asked no more.
  const isPlain = hasOwnHead(res)
  const outer = isPlain ? undefined : exchangeOf(res)
  if (outer !== undefined) {
    outer.adopt(settings)
    return goOn(mount, req, res, next)
  }
  if (res.headersSent) {
    settings.engine.events.warnOnce(
      'headers-sent',
      `The response to ${req.method} ${req.url} had already started when the cache saw it, so it cannot be cached. ` +
        'An earlier middleware wrote to it; mount the cache before it.',
    )
    return goOn(mount, req, res, next)
  }
  const visit = new Visit(mount, req, res, isPlain, next)
  const { method } = visit
  if (method !== 'GET' && method !== 'HEAD' && method !== 'QUERY') {
    return passMethod(mount, visit, res, (error) => visit.pass(error))
  }
  let refusal: string | undefined
  try {
    refusal = nameTarget(visit)
  } catch (cause) {
    // A callback of the options failed: a request is never lost to the cache.
    settings.engine.events.emit('error', { where: 'options', cause })
    settings.engine.events.warnOnce('callback:request', `A callback of the cache's options failed: ${String(cause)}`)
    refusal = 'error'
  }
  if (refusal !== undefined) return passUnkeyed(visit, refusal)
  if (method === 'QUERY') void serveQuery(visit)
  // Asking the clock once more would be half of what a lookup costs.
  else proceed(visit, settings.engine.clock.nowAt(visit.arrivedAt))
}

/** QRY-3, QRY-4: the key of a QUERY contains its content, which the handler finds as it came. */
async function serveQuery(visit: Visit): Promise<void> {
  try {
    const content = await takeContent(visit.req, visit.settings.maxBodySize)
    const key = content === undefined ? undefined : contentKey(content, visit.headers)
    if (key === undefined) return passUnkeyed(visit, 'body', 'DR-3')
    visit.content = content
    visit.primary = queryPrimaryKey(visit.primary, key)
    visit.own = visit.primary
    proceed(visit, visit.settings.engine.clock.now())
  } catch (cause) {
    failed(visit, cause)
  }
}

function proceed(visit: Visit, now: number): void {
  if (isRefreshing(visit.socket)) return refill(visit)
  const found = lookup(visit, now)
  if (!(found instanceof Promise)) return decide(visit, found, undefined, now)
  found.then(
    (late) => decideLate(visit, late),
    (cause: unknown) => decideLate(visit, missed(visit, cause)),
  )
}

/** The same for what had to be waited for; in one step, since each promise costs every hit in Redis. */
function decideLate(visit: Visit, late: Lookup): void {
  try {
    // A fill that landed while Redis was asked leaves nothing to join, and a miss that is out of date.
    const { responses } = visit.settings.engine
    const landed = late.kind === 'miss' ? responses.peek(visit.primary, visit.headers) : undefined
    decide(visit, landed ?? late, undefined)
  } catch (cause) {
    failed(visit, cause)
  }
}

function lookup(visit: Visit, now: number): Awaitable<Lookup> {
  try {
    return visit.settings.engine.responses.lookup(visit.primary, visit.headers, now)
  } catch (cause) {
    return missed(visit, cause)
  }
}

/** STO-14: a store that fails is a miss. */
function missed({ settings }: Visit, cause: unknown): Miss {
  settings.engine.events.emit('error', { where: 'lookup', cause })
  return NOTHING_STORED
}

/** Something failed after a wait: what the handler threw is the process's, as it is without us; the rest is the next one's. */
function failed(visit: Visit, cause: unknown): void {
  if (exchangeOf(visit.res) === undefined) visit.pass(cause)
  else rethrow(cause)
}

/** Let an error that a promise has caught go where it would have gone without one. */
export function rethrow(cause: unknown): void {
  process.nextTick(() => {
    throw cause
  })
}

/** Judge what was found as of `now`; `since`: when the visit began to wait for somebody else's fill (monotonic ms). */
function decide(
  visit: Visit,
  found: Lookup,
  since: number | undefined,
  now: number = visit.settings.engine.clock.now(),
): void {
  if (found.kind === 'miss') {
    const rule = found.reason === 'uri-miss' ? 'DR-4' : 'DR-6'
    return forward(visit, found, { forward: found.reason, rule, ...variantsOf(visit, found) }, since)
  }
  const { req, settings, directives } = visit
  const reuse = judge(visit, found, now)
  const { rule } = reuse
  const ttl = secondsLeft(found.staleAt, now)
  switch (reuse.kind) {
    case 'serve': {
      const { detail } = reuse
      if (since !== undefined) return answer(visit, found, collapsed(found, rule, now), now)
      return answer(
        visit,
        found,
        detail === undefined ? { hit: true, ttl, rule } : { hit: true, ttl, detail, rule },
        now,
      )
    }
    case 'serve-stale': {
      const { detail } = reuse
      if (directives?.onlyIfCached !== true && !refresh({ req, settings, entry: found, content: visit.content })) {
        return forward(visit, NOTHING_STORED, { forward: 'stale', rule: 'DR-19', spare: found }, since)
      }
      return answer(visit, found, { hit: true, ttl, detail, rule }, now)
    }
    case 'refuse':
      return forward(visit, NOTHING_STORED, { forward: reuse.forward, rule, ...detailOf(visit) }, since)
    case 'validate':
      return forward(visit, NOTHING_STORED, { forward: reuse.forward, rule, spare: found }, since)
  }
}

function judge({ credentials, directives, settings }: Visit, entry: ResponseEntry, now: number): Reuse {
  return judgeReuse(entry, {
    credentialed: credentials !== undefined,
    directives: settings.requestDirectives ? directives : undefined,
    now,
  })
}

function secondsLeft(staleAt: number, now: number): number {
  return Math.floor((staleAt - now) / 1_000)
}

/** DR-6: what the handler may name instead of answering anew. */
function variantsOf({ method, settings }: Visit, miss: Miss): Pick<Why, 'variants'> {
  const { profile, engine } = settings
  return profile === 'rfc' && method === 'GET' ? { variants: engine.responses.variants(miss) } : {}
}

function detailOf({ credentials }: Visit): { readonly detail?: string } {
  return credentials === undefined ? {} : { detail: credentials }
}

/** `client`: where the answer goes, where that is not the response itself. */
function answer(visit: Visit, entry: ResponseEntry, outcome: Outcome, now: number, client: Client = visit): void {
  const { settings } = visit
  settings.engine.report(visit.primary, outcome)
  if (settings.onHit !== undefined) tellHit(settings, visit.req, visit.res, outcome)
  replay(client, entry, outcome, now)
  settings.engine.time(outcome, visit.arrivedAt)
  // What is still being made has no body yet.
  if (entry.value.codable && (visit.heeded & CODING) !== 0 && client === visit)
    codeLater(settings, entry, visit.headers)
}

function tellHit({ engine, onHit }: Settings, req: IncomingMessage, res: ServerResponse, outcome: Outcome): void {
  try {
    onHit?.(req, res, outcome)
  } catch (cause) {
    engine.events.emit('error', { where: 'onHit', cause })
    engine.events.warnOnce('callback:onHit', `onHit failed: ${String(cause)}`)
  }
}

/** Nothing to serve: wait for a fill that is under way, else begin one. */
function forward(visit: Visit, miss: Miss, why: Why, since: number | undefined): void {
  const { res, settings, directives } = visit
  if (directives?.onlyIfCached === true) return answerUncached(res)
  const unrecorded = unrecordedReason(visit, miss)
  if (unrecorded !== undefined) return unfilled(visit, { detail: unrecorded, ...why })
  if (!settings.engine.reachable && why.forward !== 'bypass') {
    return forward(visit, miss, { ...why, forward: 'bypass', detail: 'store-unavailable' }, since)
  }
  const flight = why.forward === 'request' ? undefined : joinable(visit, miss)
  const now = settings.engine.clock.monotonic()
  const began = since ?? now
  // CST-5: who has waited says so, also where it was in vain.
  const waited = since === undefined ? why : { ...why, collapsed: false as const }
  if (flight === undefined) return fill(visit, miss, waited, since)
  const isUsable = flight.startedAt >= began || isCertain(visit, flight)
  const timeoutMs = (isUsable ? LOCK_WAIT_MS : TURN_WAIT_MS) - (now - began)
  if (timeoutMs <= 0) return fill(visit, miss, waited, since)
  return wait(visit, flight, { miss, why, since: began, isUsable, timeoutMs })
}

/** CCQ-8, CST-3: ours, not the handler's, so it says nothing of a stored response. */
function answerUncached(res: ServerResponse): void {
  res.writeHead(504, { 'Content-Length': 0 })
  res.end()
}

/** A fill that is under way and that this request may share. */
function joinable(visit: Visit, miss: Miss): Flight<Landing> | undefined {
  if (visit.credentials !== undefined) return undefined
  return visit.settings.engine.responses.join(visit, miss, visit.headers)
}

/** I23: where Redis did not answer nothing says who has written since a fill began; only one that began later will do. */
function isCertain(visit: Visit, flight: Flight<Landing>): boolean {
  const { responses, reachable } = visit.settings.engine
  return reachable && responses.isCertain(visit, flight)
}

interface Waiting {
  readonly miss: Miss
  readonly why: Why
  /** When the visit began to wait (monotonic ms). */
  readonly since: number
  /** What the fill brings may be shared; else its end is waited for, and the next one is. */
  readonly isUsable: boolean
  readonly timeoutMs: number
}

/** Wait for somebody else's fill, then share it or go on. */
function wait(visit: Visit, flight: Flight<Landing>, { miss, why, since, isUsable, timeoutMs }: Waiting): void {
  const { responses } = visit.settings.engine
  const request = waitingRequest(visit, timeoutMs)
  const over = isUsable
    ? responses.awaitFirst(flight, request).then((found) => share(visit, flight, found, since))
    : responses.await(flight, request).then(() => forward(visit, miss, why, since))
  over.catch((cause) => failed(visit, cause))
}

function waitingRequest(visit: Visit, timeoutMs: number): WaitingRequest {
  return { target: visit, headers: visit.headers, timeoutMs }
}

/** Take what a fill has brought. What is still being made may be begun with where it answers as it is; else its end counts. */
async function share(
  visit: Visit,
  flight: Flight<Landing>,
  found: Lookup | LiveResponse,
  since: number,
): Promise<void> {
  if (found.kind !== 'live') return decide(visit, found, since)
  if (follow(visit, found)) return
  const { responses, clock } = visit.settings.engine
  const leftMs = LOCK_WAIT_MS - (clock.monotonic() - since)
  decide(visit, await responses.await(flight, waitingRequest(visit, leftMs)), since)
}

/** Answer with a response while it is made; false where that cannot be. */
function follow(visit: Visit, live: LiveResponse): boolean {
  const { method, headers, heeded, res, settings } = visit
  const { events, clock } = settings.engine
  const { entry } = live
  // RNG-20: parts are cut from the whole.
  if (entry === undefined || headers.range !== undefined) return false
  const now = clock.now()
  const reuse = judge(visit, entry, now)
  if (reuse.kind !== 'serve' || !live.admits()) return false
  const onError = (cause: unknown): void => events.emit('error', { where: 'collapse', cause })
  const copy = new LiveCopy({ live, method, res, onError })
  answer(visit, entry, collapsed(entry, reuse.rule, now), now, { method, headers, heeded, settings, res: copy })
  return true
}

/** Somebody else's fill was this one's answer. */
function collapsed({ staleAt }: ResponseEntry, rule: string, now: number): Outcome {
  return { hit: false, forward: 'uri-miss', ttl: secondsLeft(staleAt, now), collapsed: true, rule }
}

/** Why the handler's answer is of no use to others. */
function unrecordedReason(visit: Visit, miss: Miss): string | undefined {
  const { headers, res, settings, directives } = visit
  // DS-7: nobody waits for what will not be stored.
  if (directives?.noStore === true) return 'request-no-store'
  if (headers.range === undefined) return undefined
  // CMP-4: compression above us would compress a part of the whole. And what could lately not be kept whole is the handler's to cut.
  const { responses } = settings.engine
  return !mayBeCut(res) || responses.isUnshared(visit, miss, headers) ? 'range' : undefined
}

/** Let the handler answer, and record it. */
function fill(visit: Visit, miss: Miss, why: Why, since: number | undefined): void {
  const { method, headers, credentials } = visit
  const { responses } = visit.settings.engine
  if (method === 'HEAD') {
    // VAL-20: it creates no entry, but may confirm or contradict the one at hand.
    const heeding = why.spare === undefined ? undefined : responses.begin(visit, miss, headers, false)
    return passOn(visit, heeding, { detail: 'head', ...why })
  }
  const fill = responses.begin(visit, miss, headers, credentials === undefined)
  // CCQ-5: who reloads wants the handler's word, whoever else is asking for it.
  if (fill.flight === undefined || why.forward === 'request') return passOn(visit, fill, why)
  claim(visit, fill, why, since)
}

/** Of all processes one asks the handler; the others wait for what it stores, no longer than the lock wait. */
function claim(visit: Visit, fill: Fill, why: Why, since: number | undefined): void {
  const { responses, clock } = visit.settings.engine
  const began = since ?? clock.monotonic()
  const waitMs = LOCK_WAIT_MS - (clock.monotonic() - began)
  const claimed = responses.claim(fill, { headers: visit.headers, spare: why.spare, waitMs })
  if (!(claimed instanceof Promise)) return passOn(visit, fill, why)
  claimed
    .then((won) => {
      switch (won.kind) {
        case 'won':
          return passOn(visit, responses.leased(fill, won.lease), why)
        case 'found':
          responses.land(fill, won.found)
          return decide(visit, won.found, began)
        case 'late':
          return passOn(visit, responses.leased(fill, undefined), { ...why, collapsed: false })
        case 'unshared':
          responses.unshare(fill)
          return passOn(visit, fill, why)
      }
    })
    .catch((cause) => failed(visit, cause))
}

/** A background refresh: nobody waits, and what is stored is asked about. */
function refill(visit: Visit): void {
  const { entry, lease } = refreshOf(visit.req) ?? {}
  const spare = entry?.key.startsWith(visit.primary) === true ? { spare: entry } : {}
  const { responses } = visit.settings.engine
  const fill = responses.begin(visit, NOTHING_STORED, visit.headers, visit.credentials === undefined)
  passOn(visit, responses.leased(fill, lease), { forward: 'stale', background: true, ...spare })
}

/** Let the handler answer, and leave it at that. */
function unfilled(visit: Visit, why: Why): void {
  passOn(visit, undefined, why)
}

function passOn(visit: Visit, fill: Fill | undefined, why: Why): void {
  const { settings, req, res, arrivedAt, own, classes, credentials, uri, path, content } = visit
  const target = { primary: own, uri, path }
  const classify = classes === undefined ? undefined : (fields: Fields) => placeOf(visit, classes, fields)
  const exchange = new Exchange({ settings, req, res, arrivedAt, target, credentials, fill, classify, content, ...why })
  hideStrippedQuery(req, settings)
  visit.mount.prepare?.(exchange)
  watch(res, exchange)
  try {
    visit.pass()
  } catch (error) {
    if (!exchange.failed()) throw error
  }
}

/** Where an answer is kept that may say which URLs it is good for. */
function placeOf({ mount, req, own, uri, path }: Visit, classes: SearchClasses, fields: Fields): Place {
  const name = classes.learn(uri, fields)
  if (name === undefined) return { primary: own, tags: [] }
  return { primary: keyOf(mount, req, name), tags: classTags([tagOf.uri(uri), tagOf.path(path)]) }
}

/** A GET or HEAD that has no key here. */
function passUnkeyed(visit: Visit, detail: string, rule: string = 'DR-1'): void {
  const { mount, req, res, headers } = visit
  // Whatever keeps the cache out, the client does not want the handler's answer.
  if (directivesOf(headers)?.onlyIfCached === true) return answerUncached(res)
  passExchange(mount, req, res, () => visit.pass(), { forward: 'bypass', detail, rule })
}
