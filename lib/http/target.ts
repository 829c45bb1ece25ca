/** What a request names (RFC 9110 s. 7.1). */
export interface Target {
  /** Scheme, authority, path and query: what entries are keyed by. */
  readonly uri: string
  /** Path and query exactly as received. */
  readonly path: string
}

/** Where the parts of the target come from. */
export interface TargetParts {
  /** `http` or `https`. */
  readonly scheme: string
  /** The `Host` field or `:authority`. */
  readonly authority: string | undefined
  /** The request target as received, never the `url` that a router has shortened. */
  readonly originalUrl: string
}

/**
 * The target URI of a request; undefined for a request that must bypass the cache, because its target or authority is
 * malformed, oversized, of another form than a path, or names two different hosts (RFC 9110 s. 7.1, RFC 9112 s. 3.2).
 */
export function targetUri(parts: TargetParts): Target | undefined {
  const origin = originOf(parts.scheme, parts.authority)
  const target = parts.originalUrl
  if (origin === undefined || target.length > MAX_LENGTH || !isVisible(target)) return undefined
  if (target.charCodeAt(0) === SLASH) return { uri: origin + target, path: target }
  const path = absolutePath(target, origin)
  return path === undefined ? undefined : { uri: origin + path, path }
}

/**
 * Path and query without the parameters named in `ignore`; names compare byte for byte, everything else stays as it is. The
 * `?` goes when nothing is left behind it.
 */
export function stripQuery(path: string, ignore: readonly string[]): string {
  const mark = ignore.length === 0 ? -1 : path.indexOf('?')
  if (mark === -1) return path
  const all = path.slice(mark + 1).split('&')
  const kept = all.filter((parameter) => {
    const equals = parameter.indexOf('=')
    return !ignore.includes(equals === -1 ? parameter : parameter.slice(0, equals))
  })
  if (kept.length === all.length) return path
  return kept.length === 0 ? path.slice(0, mark) : `${path.slice(0, mark + 1)}${kept.join('&')}`
}

/** Longer targets are not worth a key. */
const MAX_LENGTH = 8192
const SLASH = 0x2f
const HASH = 0x23

// Requests come from the same few hosts: remember the last.
let lastScheme: string | undefined
let lastAuthority: string | undefined
let lastOrigin: string | undefined

function originOf(scheme: string, authority: string | undefined): string | undefined {
  if (scheme === lastScheme && authority === lastAuthority) return lastOrigin
  lastOrigin = authority === undefined ? undefined : normalOrigin(scheme.toLowerCase(), authority)
  lastScheme = scheme
  lastAuthority = authority
  return lastOrigin
}

// KEY-7: a name, an IPv4 or a bracketed IPv6 address, then perhaps a port; no userinfo, white space or path characters.
const AUTHORITY = /^([a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{0,5}))?$/i

/** KEY-2: scheme and host in lower case, the default port dropped. */
function normalOrigin(scheme: string, authority: string): string | undefined {
  const defaultPort = scheme === 'http' ? 80 : scheme === 'https' ? 443 : undefined
  const match = AUTHORITY.exec(authority)
  if (defaultPort === undefined || match === null) return undefined
  const port = match[2] === undefined || match[2] === '' ? defaultPort : Number(match[2])
  if (port > 65_535) return undefined
  const host = (match[1] ?? '').toLowerCase()
  return port === defaultPort ? `${scheme}://${host}` : `${scheme}://${host}:${port}`
}

/** Printable ASCII without space, and no fragment: nothing else belongs on a request line. */
function isVisible(target: string): boolean {
  for (let index = 0; index < target.length; index++) {
    const code = target.charCodeAt(index)
    if (code < 0x21 || code > 0x7e || code === HASH) return false
  }
  return true
}

/** KEY-4: of an absolute-form target whose scheme and authority are those of the connection; else undefined. */
function absolutePath(target: string, origin: string): string | undefined {
  const colon = target.indexOf('://')
  if (colon === -1) return undefined
  const start = colon + 3
  let end = start
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end++
  if (normalOrigin(target.slice(0, colon).toLowerCase(), target.slice(start, end)) !== origin) return undefined
  const rest = target.slice(end)
  return rest.startsWith('/') ? rest : `/${rest}`
}
