import type { ServerResponse } from 'node:http'
import type { Duration } from '../lib/duration.ts'
import { badOption, duration, flag, readOptions } from '../lib/options.ts'
import { type Watcher, watch } from './intercept.ts'
import type { Middleware } from './types.ts'

/** Options of `cacheControl`: the directives of RFC 9111 s. 5.2.2, RFC 5861 and RFC 8246. False is the same as absent. */
export interface CacheControlOptions {
  /** How long everybody may reuse the response. */
  readonly maxAge?: Duration
  /** The same for shared caches, instead of `maxAge`; they must not serve it stale (RFC 9111 s. 5.2.2.10). */
  readonly sMaxage?: Duration
  /** How long after that it may be served while it is refreshed (RFC 5861 s. 3). */
  readonly staleWhileRevalidate?: Duration
  /** How long after that it may stand in for an error (RFC 5861 s. 4). */
  readonly staleIfError?: Duration
  /** Shared caches may keep it, also for requests with `Authorization`. */
  readonly public?: boolean
  /** Only the client itself may keep it. */
  readonly private?: boolean
  /** Nobody may keep it. */
  readonly noStore?: boolean
  /** It may be kept, but is validated before each use. */
  readonly noCache?: boolean
  /** Never served stale. */
  readonly mustRevalidate?: boolean
  /** Never served stale by shared caches. */
  readonly proxyRevalidate?: boolean
  /** Only caches that know the status code may keep it; goes with `noStore` for the others (RFC 9111 s. 5.2.2.3). */
  readonly mustUnderstand?: boolean
  /** The content is not changed on the way. */
  readonly noTransform?: boolean
  /** While fresh it is not validated, even on reload (RFC 8246). */
  readonly immutable?: boolean
}

/** One row per directive, in the order in which they are written. */
const DIRECTIVES = {
  public: { name: 'public', reader: flag },
  private: { name: 'private', reader: flag },
  noStore: { name: 'no-store', reader: flag },
  noCache: { name: 'no-cache', reader: flag },
  maxAge: { name: 'max-age', reader: duration },
  sMaxage: { name: 's-maxage', reader: duration },
  staleWhileRevalidate: { name: 'stale-while-revalidate', reader: duration },
  staleIfError: { name: 'stale-if-error', reader: duration },
  mustRevalidate: { name: 'must-revalidate', reader: flag },
  proxyRevalidate: { name: 'proxy-revalidate', reader: flag },
  mustUnderstand: { name: 'must-understand', reader: flag },
  noTransform: { name: 'no-transform', reader: flag },
  immutable: { name: 'immutable', reader: flag },
} as const

type Member = keyof typeof DIRECTIVES

const MEMBERS = Object.keys(DIRECTIVES) as readonly Member[]

const OPTIONS = Object.fromEntries(MEMBERS.map((member) => [member, DIRECTIVES[member].reader]))

/**
 * Emit `Cache-Control` on the successful responses behind it, for browsers, CDNs and the cache above alike.
 *
 * Acts when the head is written, on 2xx and 3xx only, and never over a `Cache-Control` that the handler has set; of several on
 * one request the innermost counts. Directives that contradict each other are allowed, with one process warning.
 * @throws CacheError for wrong options, and when no directive is left
 * @example
 * app.get('/feed', cacheControl({ maxAge: '30s', public: true }), handler)
 */
export function cacheControl(options: CacheControlOptions): Middleware {
  const given: Given = readOptions('cacheControl', options, OPTIONS)
  const value = fieldValueOf(given)
  if (value === '') throw badOption('cacheControl', options, "at least one directive, such as { maxAge: '30s' }")
  const slips = contradictions(given)
  if (slips.length > 0) {
    process.emitWarning(`cacheControl: ${value}: ${slips.join(' ')}`, {
      type: 'CacheWarning',
      code: 'CACHEWELL_CACHE_CONTROL',
    })
  }
  return function cacheControl(_req, res, next) {
    announce(res, value)
    next()
  }
}

type Given = { readonly [K in Member]?: number | boolean }

/** Lifetimes are whole seconds, rounded down: nothing is promised for longer than was said. */
function fieldValueOf(given: Given): string {
  const directives: string[] = []
  for (const member of MEMBERS) {
    const argument = given[member]
    const { name } = DIRECTIVES[member]
    if (typeof argument === 'number') directives.push(`${name}=${Math.floor(argument / 1_000)}`)
    else if (argument === true) directives.push(name)
  }
  return directives.join(', ')
}

function contradictions(given: Given): readonly string[] {
  const has = (member: Member): boolean => given[member] !== undefined && given[member] !== false
  const stale = has('staleWhileRevalidate') || has('staleIfError')
  const lifetime = has('maxAge') || has('sMaxage')
  const rows: readonly (readonly [boolean, string])[] = [
    [has('public') && has('private'), 'private wins over public.'],
    [has('private') && has('sMaxage'), 's-maxage is for shared caches, which private keeps out.'],
    [has('noStore') && (lifetime || stale), 'no-store leaves nothing that could have a lifetime.'],
    // CCR-11: the combination RFC 9111 s. 5.2.2.3 recommends is no slip.
    [has('noStore') && has('public') && !has('mustUnderstand'), 'no-store wins over public.'],
    [has('noCache') && stale, 'no-cache forbids what stale-while-revalidate and stale-if-error permit.'],
    [
      (has('mustRevalidate') || has('proxyRevalidate')) && stale,
      'must-revalidate and proxy-revalidate forbid serving stale.',
    ],
    // STA-4, OQ-1: s-maxage contains proxy-revalidate.
    [
      has('sMaxage') && stale,
      's-maxage forbids shared caches to serve stale (RFC 9111 s. 5.2.2.10); use max-age, or sMaxageAllowsStale on this cache.',
    ],
    // CCR-12
    [has('immutable') && !has('maxAge'), 'immutable gives no lifetime by itself; add maxAge.'],
    [
      has('immutable') && (has('noCache') || has('noStore')),
      'immutable is about fresh copies, of which there are none.',
    ],
    // CCR-14
    [
      stale && !lifetime && !has('noStore'),
      'stale-while-revalidate and stale-if-error need a lifetime to begin after.',
    ],
  ]
  return rows.filter(([applies]) => applies).map(([, sentence]) => sentence)
}

const VALUE: unique symbol = Symbol.for('cachewell.cacheControl') as never

/** Watch a response once; whoever is nearer to the handler has the last word. */
function announce(res: ServerResponse, value: string): void {
  const holder = res as { [VALUE]?: string }
  const known = holder[VALUE] !== undefined
  holder[VALUE] = value
  if (known) return
  const watcher: Watcher = {
    setFields() {
      const { statusCode } = res
      if (res.headersSent || statusCode < 200 || statusCode >= 400 || res.hasHeader('cache-control')) return
      res.setHeader('Cache-Control', holder[VALUE] ?? value)
    },
  }
  watch(res, watcher)
}
