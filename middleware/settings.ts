import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Cache } from '../lib/cache.ts'
import { AVAILABLE_CODINGS } from '../lib/codings.ts'
import { defaultCache } from '../lib/default-cache.ts'
import type { Duration } from '../lib/duration.ts'
import type { Engine } from '../lib/engine.ts'
import { CacheError, show } from '../lib/errors.ts'
import { Negotiation } from '../lib/http/accept-encoding.ts'
import { CODINGS, type Coding } from '../lib/http/content-coding.ts'
import type { OwnPolicy } from '../lib/http/storing-input.ts'
import { CDN_TARGET, OWN_TARGET } from '../lib/http/targeted.ts'
import {
  anyOf,
  duration,
  flag,
  group,
  listOf,
  milliseconds,
  oneOf,
  optionHints,
  orFalse,
  type Reader,
  readOptions,
  size,
  statuses,
  syncCallback,
  text,
  texts,
  where,
} from '../lib/options.ts'
import type { Outcome } from '../lib/outcome.ts'
import type { Size } from '../lib/size.ts'
import { SearchClasses } from './search-classes.ts'
import type { CacheRequest } from './types.ts'

/** Options of `cacheMiddleware`; all are optional. */
export interface CacheMiddlewareOptions {
  /** @default the process's default cache, made from the environment */
  readonly cache?: Cache
  /** What is stored and reused: with the product's guards, or everything RFC 9111 allows. @default 'safe' */
  readonly profile?: 'safe' | 'rfc'
  /** Lifetime of a response that gives none itself; false stores only what does. @default the cache's, 60 s */
  readonly ttl?: Duration | false
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
  /** Names for invalidation; a function is called when the response's head is complete, so that route parameters are visible. */
  readonly tags?: readonly string[] | TagsCallback['tags']
  /** Request fields to tell responses apart by, beside those in `Vary`. */
  readonly vary?: readonly string[] | VaryCallback['vary']
  /** More material for the key, such as a tenant. */
  key?(req: CacheRequest): string
  /** Query parameters that neither the key nor the handler is to see. */
  readonly query?: { readonly ignore?: readonly string[] }
  /** Obey `No-Vary-Search`: parameters it names are no part of the key, so a handler must not repeat them. @default false */
  readonly noVarySearch?: boolean
  /** Hosts that may be cached; others are passed on. @default all */
  readonly hosts?: readonly string[]
  /** Believe `X-Forwarded-Proto` and `-Host`. @default what Express says, else false */
  readonly trustProxy?: boolean
  /** Whether a request carries credentials that are not in the usual fields. */
  isAuthenticated?(req: CacheRequest): boolean
  /** Requests to keep the cache out of. */
  skip?(req: CacheRequest): boolean
  /** A last word on what would be stored. */
  shouldStore?(req: CacheRequest, res: ServerResponse): boolean
  /** Statuses that `ttl` applies to. @default 200, 203, 204, 300, 301, 308 */
  readonly statuses?: readonly number[]
  /** Larger bodies are passed on without being recorded. @default '1mb' */
  readonly maxBodySize?: Size
  /** Targeted fields to obey (RFC 9213), beside `Cachewell-Cache-Control`. @default none, in 'rfc' CDN-Cache-Control */
  readonly targets?: readonly string[]
  /** Obey all request directives; `no-store` and `only-if-cached` always count. @default false, in 'rfc' true */
  readonly requestDirectives?: boolean
  /** Serve stale what says `s-maxage`, against RFC 9111 s. 5.2.2.10. @default false */
  readonly sMaxageAllowsStale?: boolean
  /** Store responses that set cookies. @default false, in 'rfc' true */
  readonly setCookie?: boolean
  /** How long a handler may take while a stale answer could stand in for it; ms or a string. @default '30s' */
  readonly handlerTimeoutMs?: Duration
  /** Add a weak entity tag to bodies that have none. @default false */
  readonly etag?: boolean
  /**
   * Offer what is stored in these codings, too, the one we like best first; false leaves all coding to others. The first hit of a
   * client that takes one is answered without; it is made meanwhile.
   * @default ['zstd', 'br', 'gzip'], without zstd where this node cannot make it; in 'rfc' false
   */
  readonly encodings?: readonly ('zstd' | 'br' | 'gzip')[] | false
  /** Fields that tell what the cache did. @default 'standard' in production, else 'debug' */
  readonly headers?: 'debug' | 'standard' | false
  /** Name of the place in the application, part of the key: what is recorded in one place is not served in another. */
  readonly mount?: string
}

/** Options of `withCache`. */
export interface WithCacheOptions extends CacheMiddlewareOptions {
  /** Called for each answer that the listener does not see, for logs and counters. */
  onHit?(req: IncomingMessage, res: ServerResponse, outcome: Outcome): void
}

export interface TagsCallback {
  tags(req: CacheRequest, res: ServerResponse): readonly string[]
}

export interface VaryCallback {
  vary(req: CacheRequest): readonly string[]
}

/** Callbacks in method syntax, so that their parameters may be annotated with Express's types. */
type Callbacks = Pick<WithCacheOptions, 'key' | 'isAuthenticated' | 'skip' | 'shouldStore' | 'onHit'>
type Callback<K extends keyof Callbacks> = NonNullable<Callbacks[K]>

/** A mounted cache's options, checked and with defaults. */
export interface Settings {
  readonly engine: Engine
  readonly enabled: boolean
  readonly profile: 'safe' | 'rfc'
  readonly defaults: OwnPolicy
  readonly tags: TagsCallback['tags'] | undefined
  readonly vary: VaryCallback['vary'] | undefined
  readonly key: Callback<'key'> | undefined
  readonly ignoredQuery: readonly string[]
  /** Undefined where `No-Vary-Search` is not obeyed. */
  readonly searchClasses: SearchClasses | undefined
  readonly hosts: ReadonlySet<string> | undefined
  readonly trustProxy: boolean | undefined
  readonly isAuthenticated: Callback<'isAuthenticated'> | undefined
  readonly skip: Callback<'skip'> | undefined
  readonly shouldStore: Callback<'shouldStore'> | undefined
  readonly maxBodySize: number
  readonly targets: readonly string[]
  readonly heuristics: boolean
  readonly requestDirectives: boolean
  readonly sMaxageAllowsStale: boolean
  readonly storeSetCookie: boolean
  /** Ms. */
  readonly handlerTimeoutMs: number
  readonly etag: boolean
  /** Undefined where what is stored goes out as the handler gave it. */
  readonly encodings: Negotiation | undefined
  readonly headers: 'debug' | 'standard' | false
  readonly mount: string | undefined
  readonly onHit: Callback<'onHit'> | undefined
}

/** The largest body that is recorded unless options say otherwise (DESIGN: 1 MiB). */
export const MAX_BODY_SIZE: number = 1024 ** 2

/** One for all, so that targets are known to be the same. */
const NO_PARAMETERS: readonly string[] = []

/** A handler that has said nothing by then has failed, where something stale is at hand. */
const HANDLER_TIMEOUT_MS = 30_000

/** Options that decide what is stored, of `cacheMiddleware` and `cacheRoute` alike. */
export const STORING_OPTIONS: {
  readonly ttl: Reader<number | false>
  readonly staleWhileRevalidate: Reader<number>
  readonly staleIfError: Reader<number>
  readonly tags: Reader<readonly string[] | TagsCallback['tags']>
  readonly statuses: Reader<readonly number[]>
  readonly maxBodySize: Reader<number>
} = {
  ttl: orFalse(duration),
  staleWhileRevalidate: duration,
  staleIfError: duration,
  tags: anyOf(texts, syncCallback<TagsCallback['tags']>()),
  statuses: statuses,
  maxBodySize: size,
}

/** A cache made by this package, whichever build it came from. */
export const cacheOption: Reader<Cache> = where(
  'a cache made by createCache()',
  (value) => typeof value === 'object' && value !== null && typeof Reflect.get(value, 'engine') === 'object',
)

/** Names of request fields, or a function of the request that gives them. */
export const varyOption: Reader<readonly string[] | VaryCallback['vary']> = anyOf(
  texts,
  syncCallback<VaryCallback['vary']>(),
)

/** A list as the callback that always gives it. */
export function listOrCallback<F extends (...args: never[]) => readonly string[]>(option: readonly string[] | F): F {
  return typeof option === 'function' ? option : ((() => option) as unknown as F)
}

const MIDDLEWARE_OPTIONS = {
  ...STORING_OPTIONS,
  cache: cacheOption,
  profile: oneOf('safe', 'rfc'),
  vary: varyOption,
  key: syncCallback<Callback<'key'>>(),
  query: group({ ignore: texts }),
  noVarySearch: flag,
  hosts: texts,
  trustProxy: flag,
  isAuthenticated: syncCallback<Callback<'isAuthenticated'>>(),
  skip: syncCallback<Callback<'skip'>>(),
  shouldStore: syncCallback<Callback<'shouldStore'>>(),
  targets: texts,
  requestDirectives: flag,
  sMaxageAllowsStale: flag,
  setCookie: flag,
  handlerTimeoutMs: milliseconds,
  etag: flag,
  encodings: orFalse(listOf(oneOf(...CODINGS))),
  headers: oneOf('debug', 'standard', false),
  mount: text,
} as const

const FRONT_OPTIONS = { ...MIDDLEWARE_OPTIONS, onHit: syncCallback<Callback<'onHit'>>() } as const

/** Check the options of a mounted cache. @throws CacheError naming option, value and fix */
export function readSettings(place: 'cacheMiddleware' | 'withCache', options: WithCacheOptions): Settings {
  const table = place === 'withCache' ? FRONT_OPTIONS : MIDDLEWARE_OPTIONS
  const read = readOptions(place, options, table as typeof FRONT_OPTIONS)
  const { cache, enabled } = read.cache === undefined ? defaultCache() : { cache: read.cache, enabled: true }
  const { engine } = cache
  for (const hint of optionHints(place, options, table)) engine.events.warn(hint)
  const rfc = read.profile === 'rfc'
  const { vary } = read
  return {
    engine,
    enabled,
    profile: read.profile ?? 'safe',
    defaults: {
      ttl: read.ttl ?? (rfc ? false : engine.defaults.ttl),
      staleWhileRevalidate: read.staleWhileRevalidate ?? engine.defaults.staleWhileRevalidate,
      staleIfError: read.staleIfError ?? engine.defaults.staleIfError,
      ...(read.statuses === undefined ? {} : { statuses: read.statuses }),
    },
    tags: read.tags === undefined ? undefined : listOrCallback(read.tags),
    vary: vary === undefined ? undefined : listOrCallback(vary),
    key: read.key,
    ignoredQuery: read.query?.ignore ?? NO_PARAMETERS,
    searchClasses: read.noVarySearch === true ? new SearchClasses() : undefined,
    hosts: read.hosts === undefined ? undefined : new Set(read.hosts.map((host) => host.toLowerCase())),
    trustProxy: read.trustProxy,
    isAuthenticated: read.isAuthenticated,
    skip: read.skip,
    shouldStore: read.shouldStore,
    maxBodySize: read.maxBodySize ?? MAX_BODY_SIZE,
    targets: [OWN_TARGET, ...(read.targets ?? (rfc ? [CDN_TARGET] : [])).map((name) => name.toLowerCase())],
    heuristics: rfc,
    requestDirectives: read.requestDirectives ?? rfc,
    sMaxageAllowsStale: read.sMaxageAllowsStale ?? false,
    storeSetCookie: read.setCookie ?? rfc,
    handlerTimeoutMs: read.handlerTimeoutMs ?? HANDLER_TIMEOUT_MS,
    etag: read.etag ?? false,
    encodings: negotiationOf(read.encodings ?? (rfc ? false : CODINGS)),
    headers: read.headers ?? (process.env['NODE_ENV'] === 'production' ? 'standard' : 'debug'),
    mount: read.mount,
    onHit: read.onHit,
  }
}

/** A list may be longer than what this node can make: the same options are good for all. */
function negotiationOf(encodings: readonly Coding[] | false): Negotiation | undefined {
  const offered = new Set(encodings === false ? [] : encodings.filter((coding) => AVAILABLE_CODINGS.includes(coding)))
  return offered.size === 0 ? undefined : new Negotiation([...offered])
}

/**
 * Call a callback whose answer is needed at once.
 * @throws CacheError `ERR_CACHE_ASYNC_OPTION` when it returns a promise
 */
export function callSync<T>(option: string, call: () => T): T {
  const result = call()
  if (typeof result === 'object' && result !== null && typeof Reflect.get(result, 'then') === 'function') {
    void Promise.resolve(result).catch(() => {})
    throw new CacheError(
      'ERR_CACHE_ASYNC_OPTION',
      `${option} returned a promise (${show(result)}), but its answer is needed at once. Do the waiting in a middleware before ` +
        'the cache and read the result from the request here.',
    )
  }
  return result
}

/**
 * Call a callback whose answer goes into a key. Anything but text or a number would be the same text for everybody.
 * @throws CacheError `ERR_CACHE_ASYNC_OPTION` for a promise, `ERR_CACHE_BAD_OPTION` for anything else
 */
export function callForText(option: string, call: () => unknown): string {
  const result = callSync(option, call)
  if (typeof result === 'string' || typeof result === 'number') return String(result)
  throw new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `${option} returned ${show(result)}, which tells nobody apart. Return a string, such as req.user.id.`,
  )
}
