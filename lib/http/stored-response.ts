import { parseHttpDate } from './dates.ts'
import { parseEntityTag } from './entity-tag.ts'
import type { Fields } from './fields.ts'

/** What a response is made of before it is kept (RFC 9111 s. 3); the codec writes and reads exactly this. */
export interface ResponseParts {
  readonly status: number
  /** The reason phrase where the handler chose its own. */
  readonly reason: string | undefined
  /** Field lines as name/value pairs, `Date` included, framing and hop-by-hop fields not. */
  readonly fields: Fields
  readonly body: Buffer
  /** Age when the head was complete (ms): corrected_initial_age of RFC 9111 s. 4.2.3. */
  readonly initialAge: number
  /** The names in `Vary`, lower-case and sorted; empty when there are none. */
  readonly vary: readonly string[]
  /** Who may be served: everyone, or only requests without cookies and credentials. */
  readonly audience: 'everyone' | 'anonymous'
  /** Fields named by `no-cache="..."`, lower-case: left out when reused without validation (RFC 9111 s. 5.2.2.4). */
  readonly withheld: readonly string[]
  /** Never reused without validation (`no-cache`, RFC 9111 s. 5.2.2.4). */
  readonly alwaysValidate: boolean
  /** How long after `staleAt` it may be served while a refresh runs (ms), 0 for not at all (RFC 5861 s. 3). */
  readonly staleWhileRevalidate: number
  /** How long after `staleAt` it may stand in for a failed handler (ms), 0 for not at all (RFC 5861 s. 4). */
  readonly staleIfError: number
}

/**
 * A response ready to be sent: what can be computed once is computed when it is stored or read from Redis, because a hit in
 * memory may do nothing but write it.
 */
export interface StoredResponse extends ResponseParts {
  /** Flat `[name, value, name, value, ...]` of a full answer without validation, `Content-Length` included. */
  readonly head: readonly string[]
  /** The same for a 304 (RFC 9110 s. 15.4.5): no representation metadata but validators and dates. */
  readonly notModifiedHead: readonly string[]
  /** Whether some field name occurs, or will occur, on more than one line. */
  readonly repeats: boolean
  /** The entity tag when it is a valid one, else undefined. */
  readonly etag: string | undefined
  /** `Last-Modified`, else `Date` (epoch ms, RFC 9111 s. 4.3.2), for `If-Modified-Since`. */
  readonly modifiedAt: number | undefined
  /** The last full answer's head, good for as long as nothing in it has changed: most hits of a second share one. */
  lastHead: LastHead | undefined
  /** A refresh of this entry is under way: one at a time. */
  refreshing: boolean
}

/** A head with everything in it, and for whom it was put together. */
export interface LastHead {
  readonly settings: object
  readonly age: number
  readonly ttl: number
  readonly lines: string[]
}

/** Fields that describe the representation and have no place in a 304 (RFC 9110 s. 15.4.5). */
const NOT_IN_304 = new Set([
  'content-type',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'content-digest',
  'content-md5',
])

/** Statuses whose messages have no content and no `Content-Length` (RFC 9110 s. 8.6). */
function hasContentLength(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304
}

/** Make a response ready to be sent. */
export function storedResponse(parts: ResponseParts): StoredResponse {
  const head: string[] = []
  const notModifiedHead: string[] = []
  const seen = new Set<string>()
  let repeats = false
  let etag: string | undefined
  let modified: string | undefined
  let date: string | undefined
  for (const [name, value] of parts.fields) {
    const lower = name.toLowerCase()
    if (lower === 'content-length') continue
    if (lower === 'etag') etag = parseEntityTag(value)
    else if (lower === 'last-modified') modified = value
    else if (lower === 'date') date = value
    if (parts.withheld.includes(lower)) continue
    // Ours will be a second line of it.
    if (seen.has(lower) || lower === 'cache-status') repeats = true
    seen.add(lower)
    head.push(name, value)
    if (!NOT_IN_304.has(lower)) notModifiedHead.push(name, value)
  }
  if (hasContentLength(parts.status)) head.push('Content-Length', String(parts.body.length))
  return {
    ...parts,
    head,
    notModifiedHead: etag === undefined ? notModifiedHead : withoutField(notModifiedHead, 'last-modified'),
    repeats,
    etag,
    modifiedAt: modifiedAt(modified, date),
    lastHead: undefined,
    refreshing: false,
  }
}

/** `Last-Modified`, else `Date`. The entry's own date says which century a two-digit year is in (RFC 9110 s. 5.6.7). */
function modifiedAt(modified: string | undefined, date: string | undefined): number | undefined {
  const generated = date === undefined ? undefined : parseHttpDate(date, Number.NaN)
  return modified === undefined ? generated : parseHttpDate(modified, generated ?? Number.NaN)
}

/** RFC 9110 s. 15.4.5: `Last-Modified` only where there is no `ETag`. */
function withoutField(flat: readonly string[], name: string): string[] {
  const kept: string[] = []
  for (let index = 0; index < flat.length; index += 2) {
    const [key, value] = [flat[index] as string, flat[index + 1] as string]
    if (key.toLowerCase() !== name) kept.push(key, value)
  }
  return kept
}
