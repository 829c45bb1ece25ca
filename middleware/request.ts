import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type CacheControl, NOTHING, parseCacheControl } from '../lib/http/cache-control.ts'
import { hasOriginCondition } from '../lib/http/conditional.ts'
import { requestField, splitList } from '../lib/http/fields.ts'
import type { Credentials } from '../lib/http/storing-input.ts'
import { stripQuery } from '../lib/http/target.ts'
import { CONTENT, CREDENTIALS, FORWARDED, OVERRIDE, PRECONDITION, UPGRADE } from './heeded.ts'
import { hasUntoldContent, hostOf } from './http2.ts'
import { type KnownTarget, knownTarget } from './known-targets.ts'
import { callSync, type Settings } from './settings.ts'
import { callbackRequest, type ExpressApp, type RoutedRequest } from './types.ts'

/** A request, and what is often looked at of it. */
export interface Received {
  readonly req: IncomingMessage
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** Which fields there are that a cache heeds. */
  readonly heeded: number
  readonly socket: Socket
}

/** Why the cache keeps out of this GET or HEAD, or undefined: the `detail` of `fwd=bypass`. */
export function bypassReason({ req, method, headers, heeded }: Received, settings: Settings): string | undefined {
  // KEY-13: content on a GET is no part of the key.
  if ((heeded & CONTENT) !== 0 && method !== 'QUERY' && hasContent(req, headers)) return 'body'
  if ((heeded & PRECONDITION) !== 0 && hasOriginCondition(headers)) return 'precondition'
  if ((heeded & UPGRADE) !== 0 && headers.upgrade !== undefined) return 'upgrade'
  if ((heeded & OVERRIDE) !== 0 && isOverridden(headers)) return 'method-override'
  // KEY-14
  const original = (req as RoutedRequest).originalMethod
  if (original !== undefined && original !== method) return 'method-override'
  const { skip } = settings
  return skip !== undefined && callSync('skip', () => skip(callbackRequest(req))) ? 'skip' : undefined
}

/** Fields that make a handler treat a GET as another method (CPDoS, method override). */
function isOverridden(headers: IncomingHttpHeaders): boolean {
  return (
    headers['x-http-method-override'] !== undefined ||
    headers['x-http-method'] !== undefined ||
    headers['x-method-override'] !== undefined
  )
}

function hasContent(req: IncomingMessage, headers: IncomingHttpHeaders): boolean {
  const length = headers['content-length']
  if (headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) return true
  return headers[':method'] !== undefined && hasUntoldContent(req)
}

/** The target URI, from what may be believed; undefined where there is no unambiguous one. */
export function requestTarget(
  request: Received,
  settings: Settings,
  app: ExpressApp | undefined,
): KnownTarget | undefined {
  const { req, headers, heeded, socket } = request
  let scheme = (socket as { encrypted?: boolean }).encrypted === true ? 'https' : 'http'
  let authority = hostOf(headers)
  if ((heeded & FORWARDED) !== 0 && isTrusted(request, settings, app)) {
    scheme = firstMember(headers['x-forwarded-proto']) ?? scheme
    authority = firstMember(headers['x-forwarded-host']) ?? authority
  }
  if (settings.hosts !== undefined && !settings.hosts.has(authority?.toLowerCase() ?? '')) return undefined
  const url = (req as RoutedRequest).originalUrl ?? req.url ?? ''
  return knownTarget({ scheme, authority, url, ignoredQuery: settings.ignoredQuery })
}

/** What the request says about caching; undefined where it says nothing. */
export function directivesOf(headers: IncomingHttpHeaders): CacheControl | undefined {
  if (headers['cache-control'] === undefined && headers.pragma === undefined) return undefined
  const cacheControl = requestField(headers, 'cache-control')
  if (cacheControl !== undefined) return parseCacheControl(cacheControl)
  // CCQ-11: only `no-cache`, and only where there is no `Cache-Control`.
  const pragma = requestField(headers, 'pragma')
  if (pragma === undefined || !splitList(pragma).some((member) => member.toLowerCase() === 'no-cache')) return undefined
  return { ...NOTHING, noCache: true }
}

/** Let the handler see the URL that the key has, where parameters were taken out. */
export function hideStrippedQuery(req: IncomingMessage, settings: Settings): void {
  const received = (req as RoutedRequest).originalUrl ?? req.url ?? ''
  if (stripQuery(received, settings.ignoredQuery) === received) return
  const routed = req as { url?: string; originalUrl?: string; query?: unknown; _parsedUrl?: unknown }
  for (const name of ['url', 'originalUrl'] as const) {
    const url = routed[name]
    if (url !== undefined) routed[name] = stripQuery(url, settings.ignoredQuery)
  }
  // Express 4 has parsed the query before any middleware ran.
  const query = Object.getOwnPropertyDescriptor(req, 'query')?.value as Record<string, unknown> | undefined
  if (typeof query === 'object' && query !== null) for (const name of settings.ignoredQuery) delete query[name]
}

/** The strongest sign that this request is somebody's (DESIGN, "Cookies and credentials"). */
export function credentialsOf({ req, headers, heeded, socket }: Received, settings: Settings): Credentials | undefined {
  const mayHave = (heeded & CREDENTIALS) !== 0
  if (mayHave && headers.authorization !== undefined) return 'authorization'
  const { isAuthenticated } = settings
  if (isAuthenticated !== undefined && callSync('isAuthenticated', () => isAuthenticated(callbackRequest(req)))) {
    return 'authenticated'
  }
  if (settings.profile === 'rfc') return undefined
  if (mayHave && headers['x-api-key'] !== undefined) return 'x-api-key'
  if (mayHave && headers['proxy-authorization'] !== undefined) return 'proxy-authorization'
  if ((socket as { authorized?: boolean }).authorized === true) return 'client-certificate'
  return mayHave && headers.cookie !== undefined ? 'cookie' : undefined
}

// An Express application is named by the prototype that it gives to its requests.
let lastPrototype: object | undefined
let lastApp: ExpressApp | undefined

function appOf(req: RoutedRequest): ExpressApp | undefined {
  const prototype = Object.getPrototypeOf(req) as RoutedRequest
  if (prototype === lastPrototype) return lastApp
  const { app } = req
  if (app !== undefined && Object.hasOwn(prototype, 'app') && prototype.app === app) {
    lastPrototype = prototype
    lastApp = app
  }
  return app
}

/** Express knows whom it trusts; elsewhere the option says. */
function isTrusted({ req, socket }: Received, settings: Settings, app: ExpressApp | undefined): boolean {
  if (settings.trustProxy !== undefined) return settings.trustProxy
  const trust = (app ?? appOf(req))?.get('trust proxy fn') as ((address: unknown, hop: number) => unknown) | undefined
  return typeof trust === 'function' && Boolean(trust(socket.remoteAddress, 0))
}

function firstMember(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value[0] : value
  const member = text?.split(',', 1)[0]?.trim()
  return member === '' ? undefined : member
}
