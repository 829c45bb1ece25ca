import { parseHttpDate } from './dates.ts'
import { parseEntityTag, parseEntityTagList, weakMatch } from './entity-tag.ts'
import { type Fields, fieldValue, type RequestHeaders, requestField } from './fields.ts'

/** What a stored response is recognised by. */
export interface Validators {
  /** A valid entity tag. */
  readonly etag: string | undefined
  /** Epoch ms of `Last-Modified`, else of `Date`. */
  readonly modifiedAt: number | undefined
}

/**
 * May this GET or HEAD be answered with 304, because the client holds what is stored (RFC 9110 s. 13.2.2)? Ask it only for a
 * response with a 2xx status (s. 13.2.1). `now` (epoch ms) decides the century of two-digit years.
 */
export function isNotModified(headers: RequestHeaders, validators: Validators, now: number): boolean {
  const tags = requestField(headers, 'if-none-match')
  // CON-4: `If-Modified-Since` counts for nothing beside `If-None-Match`, even a malformed one.
  if (tags !== undefined) return holdsTag(tags, validators.etag)
  const since = requestField(headers, 'if-modified-since')
  if (since === undefined || validators.modifiedAt === undefined) return false
  // CON-10: what is not exactly one date is no condition.
  const date = parseHttpDate(since, now)
  // CON-12
  return date !== undefined && validators.modifiedAt <= date
}

/** What a response whose fields these are is recognised by; `now` as above. */
export function validatorsOf(fields: Fields, now: number): Validators {
  return {
    etag: parseEntityTag(fieldValue(fields, 'etag') ?? ''),
    modifiedAt: parseHttpDate(fieldValue(fields, 'last-modified') ?? '', now),
  }
}

/** Does the request carry a condition that only the origin may evaluate (RFC 9111 s. 4.3.2)? Such a request bypasses the cache. */
export function hasOriginCondition(headers: RequestHeaders): boolean {
  // CON-17
  return headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined
}

function holdsTag(value: string, etag: string | undefined): boolean {
  if (value === etag) return true
  const list = parseEntityTagList(value)
  // CON-8
  if (list === '*') return true
  // CON-5, CON-6
  return list !== undefined && etag !== undefined && list.some((tag) => weakMatch(tag, etag))
}
