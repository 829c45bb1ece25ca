import { CacheError, show } from '../lib/errors.ts'

/** Identifies something: 7 and '7' are the same. */
export type Id = string | number

/**
 * Make a tag from its parts: `tagName('community', 7, 'posts')` is `'community:7:posts'`. A colon within a part is written
 * `%3A` and a percent sign `%25`, so that no part can imitate another tag.
 * @throws CacheError for a part that is missing, because a tag with a hole in it would invalidate nothing
 */
export function tagName(...parts: readonly Id[]): string {
  for (const part of parts) if (!isId(part)) throw nothing(`tag ${parts.join(':')}`, part)
  return parts.map((part) => String(part).replace(/[%:]/g, (char) => (char === '%' ? '%25' : '%3A'))).join(':')
}

/** A part of a key: no two texts look alike, and none contains a separator. */
export function encoded(text: string): string {
  if (text.isWellFormed()) return encodeURIComponent(text)
  // What stands for a lone surrogate contains a percent sign that no encoding produces.
  return text
    .split(LONE_SURROGATE)
    .map((piece, index) => (index % 2 === 0 ? encodeURIComponent(piece) : `%u${piece.charCodeAt(0).toString(16)}`))
    .join('')
}

const LONE_SURROGATE = /(\p{Surrogate})/u

/**
 * What identifies something, as text.
 * @throws CacheError for everything else, an empty text included
 */
export function idText(place: string, value: unknown): string {
  if (isId(value)) return String(value)
  throw nothing(place, value)
}

function isId(value: unknown): value is Id {
  return (typeof value === 'string' && value !== '') || Number.isFinite(value)
}

function nothing(place: string, value: unknown): CacheError {
  return new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `${place}: ${show(value)} identifies nothing. Use a number, or a string that is not empty.`,
  )
}
