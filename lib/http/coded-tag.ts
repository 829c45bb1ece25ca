import { acceptableCodings } from './accept-encoding.ts'
import { isNotModified } from './conditional.ts'
import { CODINGS, type Coding, TAG_MARK } from './content-coding.ts'
import { type RequestHeaders, requestField } from './fields.ts'

/**
 * Entity tags of coded contents. A strong tag names bytes, so each coding has its own, made from the handler's (MSG-3, RFC 9110
 * s. 8.8.3.3); a weak one names the content and is the same in all codings (CMP-2).
 */

/** What stands at the end of a tag of ours. */
const SUFFIX = new RegExp(`${TAG_MARK}(${CODINGS.join('|')})(?=")`, 'g')

/** The tag of a content in this coding. */
export function codedTag(etag: string | undefined, coding: Coding): string | undefined {
  return etag === undefined || etag.startsWith('W/') ? etag : `${etag.slice(0, -1)}${TAG_MARK}${coding}"`
}

/**
 * The conditions of a request whose tags are ours, as the handler knows them: it has never seen ours. `If-None-Match` only where
 * the client still takes that coding. `If-Range` stays: a part of what the handler has does not fit to coded bytes (RNG-7).
 */
export function ownConditions(headers: RequestHeaders): readonly (readonly [name: string, value: string])[] {
  const conditions: (readonly [string, string])[] = []
  const holds = requestField(headers, 'if-none-match')
  if (holds?.includes(TAG_MARK) === true) {
    const acceptable = acceptableCodings(headers)
    const own = holds.replace(SUFFIX, (suffix, coding: Coding) => (acceptable.includes(coding) ? '' : suffix))
    if (own !== holds) conditions.push(['if-none-match', own])
  }
  const matches = requestField(headers, 'if-match')
  if (matches?.includes(TAG_MARK) === true) {
    const own = matches.replace(SUFFIX, '')
    if (own !== matches) conditions.push(['if-match', own])
  }
  return conditions
}

/** The request as the handler would have been asked. */
export function withOwnConditions(headers: RequestHeaders): RequestHeaders {
  const own = ownConditions(headers)
  return own.length === 0 ? headers : { ...headers, ...Object.fromEntries(own) }
}

/**
 * By which tag the client holds the content with this tag of the handler's, in whatever coding it takes; undefined where its
 * `If-None-Match` names none of them.
 */
export function heldTag(headers: RequestHeaders, etag: string | undefined): string | undefined {
  if (etag === undefined || headers['if-none-match'] === undefined) return undefined
  const acceptable = acceptableCodings(headers)
  const tags = [
    etag,
    ...CODINGS.filter((coding) => acceptable.includes(coding)).map((coding) => codedTag(etag, coding)),
  ]
  return tags.find((tag) => isNotModified(headers, { etag: tag, modifiedAt: undefined }, 0))
}
