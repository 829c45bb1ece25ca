import { type Fields, fieldLines } from './fields.ts'

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

/**
 * The URIs whose stored responses a finished request has made wrong (RFC 9111 s. 4.4): the target and, on the same origin,
 * `Location` and `Content-Location`. Empty for safe methods and errors.
 */
export function invalidatedUris({ method, status, uri, fields }: Exchange): string[] {
  // DI-1, DI-5
  if (isSafeMethod(method) || status < 200 || status > 399) return []
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
  if (!URL.canParse(reference, base)) return undefined
  const url = new URL(reference, base)
  if (url.origin !== new URL(base).origin) return undefined
  url.username = ''
  url.password = ''
  url.hash = ''
  // The path as the URL has it, the origin as the key has it.
  return base.slice(0, base.indexOf('/', base.indexOf('://') + 3)) + url.href.slice(url.origin.length)
}
