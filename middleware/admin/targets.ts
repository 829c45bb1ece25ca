import { MAX_TAG_LENGTH } from '../../lib/targets.ts'
import { BadRequest } from './query.ts'

/** What callers may name; each check returns the value to use or throws a `BadRequest` that says what is possible. */

const MAX_PATTERN = 256
const MAX_STARS = 8
const MAX_URL = 8_192

/** @throws BadRequest for a tag that no entry can have */
export function checkTag(tag: string): string {
  if (Buffer.byteLength(tag) > MAX_TAG_LENGTH) throw new BadRequest(`A tag has at most ${MAX_TAG_LENGTH} bytes.`)
  return tag
}

/** @throws BadRequest for a pattern that is empty or expensive */
export function checkPattern(pattern: string): string {
  const stars = pattern.replaceAll(/\\./gs, '').split('*').length - 1
  if (pattern === '' || pattern.length > MAX_PATTERN || stars > MAX_STARS) {
    throw new BadRequest(`A pattern has 1 to ${MAX_PATTERN} characters and at most ${MAX_STARS} stars.`)
  }
  return pattern
}

/**
 * A URL as entries have it. What cannot stand on a request line was percent-encoded there, so it is here.
 * @throws BadRequest for what is neither a path nor an absolute URL
 */
export function checkUrl(url: string): string {
  if (!/^(?:\/|https?:\/\/)/.test(url) || url.length > MAX_URL) {
    throw new BadRequest(
      `A url is '/path?query' under every host, '//host/path', or 'https://host/path', of at most ${MAX_URL} characters.`,
    )
  }
  return url.toWellFormed().replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent)
}
