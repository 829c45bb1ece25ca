/** Field lines as they were written: order, case and repeats survive (RFC 9110 s. 5.3). */
export type Fields = readonly (readonly [name: string, value: string])[]

/** Request fields with lower-case names; `IncomingMessage.headers` fits. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

/** All lines of one field in the order they came; names compare without case (RFC 9110 s. 5.1). */
export function fieldLines(fields: Fields, name: string): string[] {
  const lines: string[] = []
  for (const [key, value] of fields) if (isSameName(key, name)) lines.push(value)
  return lines
}

/** The combined value of one field, undefined when it is absent. Not for `Set-Cookie` (RFC 9110 s. 5.3). */
export function fieldValue(fields: Fields, name: string): string | undefined {
  let combined: string | undefined
  for (const [key, value] of fields) {
    if (isSameName(key, name)) combined = combined === undefined ? value : `${combined}, ${value}`
  }
  return combined
}

/** Most fields that are looked for are not there: their names are told apart by length alone. */
function isSameName(a: string, b: string): boolean {
  return a.length === b.length && (a === b || a.toLowerCase() === b.toLowerCase())
}

/** Whether these are the names of the lines, one after the other and in this very case. */
export function areNamed(fields: Fields, names: readonly string[]): boolean {
  return fields.length === names.length && names.every((name, index) => name === fields[index]?.[0])
}

export function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index])
}

/** The combined value of a request field by its lower-case name, undefined when it is absent. */
export function requestField(headers: RequestHeaders, lowerName: string): string | undefined {
  const value = headers[lowerName]
  if (typeof value === 'string') return value
  // Whatever else a plain object answers (`constructor`, `__proto__`) was not sent by the client.
  return Array.isArray(value) ? value.join(', ') : undefined
}

/**
 * The fields that are kept: without connection options, credentials between proxies, framing and pseudo-fields
 * (RFC 9111 s. 3.1). Read the policy before: `Connection: cache-control` must not hide a `no-store`.
 */
export function storableFields(fields: Fields): Fields {
  const connection = fieldValue(fields, 'connection')
  const named = new Set(connection?.split(',').map((name) => trimOws(name).toLowerCase()))
  return fields.filter(([name]) => {
    const lower = name.toLowerCase()
    // HDR-11: `getHeaders()` of HTTP/2 contains `:status`.
    return !lower.startsWith(':') && !NEVER_STORED.has(lower) && !named.has(lower)
  })
}

/** The members of a comma-separated list: quotes are respected, empty members dropped (RFC 9110 s. 5.6.1.2). */
export function splitList(value: string): string[] {
  return splitOutsideQuotes(value, ',').filter((member) => member !== '')
}

/** The parts between separators that stand outside quoted strings, without the white space around them. */
export function splitOutsideQuotes(value: string, separator: ',' | ';'): string[] {
  const wanted = separator.charCodeAt(0)
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code === QUOTE) quoted = !quoted
    else if (quoted) {
      if (code === BACKSLASH) index++
    } else if (code === wanted) {
      parts.push(trimOws(value.slice(start, index)))
      start = index + 1
    }
  }
  parts.push(trimOws(value.slice(start)))
  return parts
}

/** Without the spaces and tabs around it: what RFC 9110 s. 5.6.3 calls OWS, and nothing else. */
export function trimOws(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isOws(value.charCodeAt(start))) start++
  while (end > start && isOws(value.charCodeAt(end - 1))) end--
  return start === 0 && end === value.length ? value : value.slice(start, end)
}

/** Is it a token, as field names, directive names and methods are (RFC 9110 s. 5.6.2)? */
export function isToken(value: string): boolean {
  for (let index = 0; index < value.length; index++) if (!isTokenChar(value.charCodeAt(index))) return false
  return value !== ''
}

/** May this character stand in a token? */
export function isTokenChar(code: number): boolean {
  return code < 128 && TOKEN_CHARS[code] === 1
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** HDR-2 to HDR-4; `Content-Length` because the framing of a stored answer is ours. */
const NEVER_STORED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const TOKEN_CHARS: Uint8Array = new Uint8Array(128)
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN_CHARS[char.charCodeAt(0)] = 1
}

function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09
}
