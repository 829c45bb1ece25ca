import { formatHttpDate, parseHttpDate } from './dates.ts'
import { parseEntityTag, weakMatch } from './entity-tag.ts'
import { type Fields, fieldValue, storableFields } from './fields.ts'
import type { StoredResponse } from './stored-response.ts'

/**
 * Validation of a stored response (RFC 9111 s. 4.3): what to ask the handler, whether its 304 is about what is stored, and what
 * the stored head is afterwards.
 */

/** What a stored response is recognised by. */
export type Recognised = Pick<StoredResponse, 'etag' | 'lastModified' | 'fields' | 'body'>

/** One of several stored responses of a resource that varies. */
export type Variant = Recognised & Pick<StoredResponse, 'vary'>

/** The request fields that ask whether a stored response is still right; empty where it has no validator. */
export function validatingFields({ etag, lastModified }: Recognised): readonly (readonly [string, string])[] {
  const fields: [string, string][] = []
  // VAL-1: byte for byte, weak or strong.
  if (etag !== undefined) fields.push(['if-none-match', etag])
  // VAL-2: verbatim.
  if (lastModified !== undefined) fields.push(['if-modified-since', lastModified])
  return fields
}

/**
 * May this variant be the answer to a client that has asked for another one, because the handler gives it the same tag? Not where
 * codings are negotiated: compression leaves the tag of the plain content on all of them (MSG-3).
 */
export function isSelectable({ etag, vary, fields }: Variant): boolean {
  return etag !== undefined && !vary.includes('accept-encoding') && fieldValue(fields, 'content-encoding') === undefined
}

/**
 * The request fields that ask whether one of several variants is the one this client would get (RFC 9111 s. 4.1): tags only, for
 * a date would not say which. Empty where none has a tag.
 */
export function selectingFields(variants: readonly Recognised[]): readonly (readonly [string, string])[] {
  // VAL-5
  const tags = new Set(variants.map(({ etag }) => etag).filter((etag) => etag !== undefined))
  return tags.size === 0 ? [] : [['if-none-match', [...tags].join(', ')]]
}

/** Does a 304 name this variant by its tag, so that no other can be meant? */
export function isNamed(notModified: Fields, variant: Recognised): boolean {
  const etag = parseEntityTag(fieldValue(notModified, 'etag') ?? '')
  return etag !== undefined && identifies(notModified, variant)
}

/**
 * Is this 304 about this stored response (RFC 9111 s. 4.3.4)? A strong tag must be the same, a weaker sign correspond. One that
 * names nothing is about the one response whose validators were asked about, for no others were.
 */
export function identifies(notModified: Fields, stored: Recognised): boolean {
  const etag = parseEntityTag(fieldValue(notModified, 'etag') ?? '')
  if (etag !== undefined) {
    if (stored.etag === undefined) return false
    // VAL-12 a, b
    return etag.startsWith('W/') ? weakMatch(etag, stored.etag) : etag === stored.etag
  }
  const modified = fieldValue(notModified, 'last-modified')
  // VAL-12 b: without a tag the date decides.
  if (modified !== undefined) return sameDate(modified, stored.lastModified)
  // VAL-12 c, and what servers do that leave the tag out of a 304.
  return true
}

/**
 * The stored fields after an answer that confirms them (RFC 9111 s. 3.2): what the answer says replaces all lines of that name,
 * what it does not say stays. `now` (epoch ms) becomes the `Date` where the answer has none.
 */
export function freshenedFields(stored: Fields, update: Fields, now: number): Fields {
  const news = new Map<string, (readonly [string, string])[]>()
  for (const line of storableFields(update)) {
    const lower = line[0].toLowerCase()
    if (NOT_IMPORTED.has(lower)) continue
    const lines = news.get(lower)
    if (lines === undefined) news.set(lower, [line])
    else lines.push(line)
  }
  // HDR-24: the age and date of the stored response are not those of its confirmation.
  if (!news.has('date')) news.set('date', [['Date', formatHttpDate(now)]])
  if (!news.has('age')) news.set('age', [])
  const fields: (readonly [string, string])[] = []
  for (const line of stored) {
    const lines = news.get(line[0].toLowerCase())
    if (lines === undefined) fields.push(line)
    else for (const update of lines.splice(0)) fields.push(update)
  }
  for (const lines of news.values()) for (const line of lines) fields.push(line)
  return fields
}

/**
 * What a 200 to HEAD says of the stored answer to GET (RFC 9111 s. 4.3.5): it `confirms` it where nothing in it contradicts, else
 * the stored one is `outdated`.
 */
export function judgeHead(head: Fields, stored: Recognised): 'confirms' | 'outdated' {
  const etag = fieldValue(head, 'etag')
  if (etag !== undefined && etag !== fieldValue(stored.fields, 'etag')) return 'outdated'
  const modified = fieldValue(head, 'last-modified')
  if (modified !== undefined && modified !== fieldValue(stored.fields, 'last-modified')) return 'outdated'
  const length = fieldValue(head, 'content-length')
  // VAL-20: compression leaves HEAD alone, so that the length is that of the plain content.
  const recoded = fieldValue(stored.fields, 'content-encoding') !== fieldValue(head, 'content-encoding')
  return length === undefined || recoded || length === String(stored.body.length) ? 'confirms' : 'outdated'
}

/** HDR-21, HDR-22: what describes the content, of which a 304 has none. */
const NOT_IMPORTED: ReadonlySet<string> = new Set([
  'content-length',
  'content-range',
  'content-encoding',
  'content-digest',
])

function sameDate(modified: string, stored: string | undefined): boolean {
  if (stored === undefined) return false
  if (modified === stored) return true
  const date = parseHttpDate(modified, Number.NaN)
  return date !== undefined && date === parseHttpDate(stored, Number.NaN)
}
