import { CacheError, show } from './errors.ts'
import { tagOf, urlTags } from './key.ts'
import type { InvalidationTargets } from './stores/store.ts'

/** What to make wrong; every member is optional and all of them apply. */
export interface Targets {
  /** Exact, case-sensitive. */
  readonly tags?: readonly string[]
  /** Service keys, exact. */
  readonly keys?: readonly string[]
  /** `'/p?q'` under every host, `'//host/p'` under both schemes, absolute is exact; all methods, variants and mounts. */
  readonly urls?: readonly string[]
  /** `*` any run, `?` one character; starting with `/` it matches path and query, otherwise service keys. */
  readonly pattern?: string | readonly string[]
  readonly all?: boolean
}

/** Bounds of tags (DESIGN: 128 of 256 bytes). */
export const MAX_TAGS = 128
export const MAX_TAG_LENGTH = 256

/**
 * Read what an application wants invalidated.
 * @throws CacheError `ERR_CACHE_BAD_OPTION` where a member is not a list of strings
 */
export function invalidationTargets(place: string, targets: Targets): InvalidationTargets {
  const { tags = [], keys = [], urls = [], pattern = [], all = false } = targets
  return {
    tags: [
      ...strings(`${place}: tags`, tags).map(tagOf.tag),
      ...strings(`${place}: keys`, keys).map(tagOf.key),
      ...strings(`${place}: urls`, urls).flatMap(urlTags),
    ],
    patterns: strings(`${place}: pattern`, typeof pattern === 'string' ? [pattern] : pattern),
    all: all === true,
  }
}

/**
 * Read the tags of an entry: prefixed, bounded.
 * @throws CacheError `ERR_CACHE_BAD_OPTION` for what is not a list of strings within the bounds
 */
export function checkTags(place: string, tags: readonly string[]): readonly string[] {
  const list = strings(`${place}: tags`, tags)
  const long = list.find((tag) => Buffer.byteLength(tag) > MAX_TAG_LENGTH)
  if (list.length > MAX_TAGS || long !== undefined) {
    throw new CacheError(
      'ERR_CACHE_BAD_OPTION',
      `${place}: ${long === undefined ? `${list.length} tags` : `tag ${show(long)}`} is too much. Use at most ${MAX_TAGS} tags of ${MAX_TAG_LENGTH} bytes.`,
    )
  }
  return list.map(tagOf.tag)
}

function strings(place: string, list: readonly string[]): readonly string[] {
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string' || item === '')) {
    throw new CacheError(
      'ERR_CACHE_BAD_OPTION',
      `${place}: ${show(list)} is not possible here. Use a list of strings that are not empty.`,
    )
  }
  return list
}
