import { parseGroups } from './cache-groups.ts'
import { type Fields, fieldLines, fieldValue } from './fields.ts'

/** What a finished exchange says about stored responses. */
export interface Exchange {
  readonly method: string
  readonly status: number
  /** The target URI of the request. */
  readonly uri: string
  readonly fields: Fields
}

/** Does the method only read? Methods have a case, and an unknown one is unsafe (RFC 9110 s. 9.2.1). */
export function isSafeMethod(method: string): boolean {
  // MET-1, MET-2
  return SAFE_METHODS.has(method)
}

/** Methods whose answer may stand in for that of a later GET (RFC 9110 s. 9.3.3, RFC 5789 s. 2). */
export function isStorableWrite(method: string): boolean {
  return method === 'POST' || method === 'PATCH'
}

/** What a finished request has made wrong, and the row of table C that says so. */
export interface Invalidation {
  readonly uris: readonly string[]
  /** Groups of the target's origin, named by the response (RFC 9875 s. 3). */
  readonly groups: readonly string[]
  readonly rule: string
}

/**
 * What a finished request has made wrong (RFC 9111 s. 4.4): after a success the target and, on the same origin, `Location` and
 * `Content-Location`; the groups in `Cache-Group-Invalidation` whatever the status. Nothing after safe methods.
 */
export function judgeInvalidation(exchange: Exchange): Invalidation {
  const { method, status, fields } = exchange
  // DI-1
  if (isSafeMethod(method)) return { uris: [], groups: [], rule: 'DI-1' }
  // DI-4. More groups than can be read are as good as none named.
  const groups = parseGroups(fieldValue(fields, 'cache-group-invalidation')) ?? []
  // DI-5
  if (status < 200 || status > 399) return { uris: [], groups, rule: groups.length > 0 ? 'DI-4' : 'DI-5' }
  const uris = urisOf(exchange)
  return { uris, groups, rule: uris.length > 1 ? 'DI-3' : groups.length > 0 ? 'DI-4' : 'DI-2' }
}

/** Does `Content-Location` say that the response is what a GET of this URI would bring (RFC 9110 s. 8.7)? */
export function namesTarget(fields: Fields, uri: string): boolean {
  const [reference, ...others] = fieldLines(fields, 'content-location')
  return reference !== undefined && others.length === 0 && resolve(reference, uri) === uri
}

/** Scheme, host and port of a target URI: what groups belong to (RFC 9875 s. 2.1). */
export function originOf(uri: string): string {
  return uri.slice(0, uri.indexOf('/', uri.indexOf('://') + 3))
}

function urisOf({ uri, fields }: Exchange): string[] {
  // DI-2
  const uris = new Set([uri])
  // DI-3
  for (const name of ['location', 'content-location']) {
    for (const reference of fieldLines(fields, name)) {
      const resolved = resolve(reference, uri)
      if (resolved !== undefined) uris.add(resolved)
    }
  }
  return [...uris]
}

const SAFE_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'QUERY',
  'PROPFIND',
  'REPORT',
  'SEARCH',
])

/** The URI a reference names, in the form of our keys; undefined on another origin (INV-5) or when it is none. */
function resolve(reference: string, base: string): string | undefined {
  const url = urlOf(reference, base)
  if (url === undefined) return undefined
  if (url.origin !== new URL(base).origin) return undefined
  url.username = ''
  url.password = ''
  url.hash = ''
  // The path as the URL has it, the origin as the key has it.
  return originOf(base) + url.href.slice(url.origin.length)
}

/** Not by `URL.canParse`: once optimised, that of node 20 accepts what the constructor refuses. */
function urlOf(reference: string, base: string): URL | undefined {
  try {
    return new URL(reference, base)
  } catch {
    return undefined
  }
}
