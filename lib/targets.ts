import { CacheError, show } from './errors.ts'
import { tagOf, UNNAMED_TAGS, urlTags } from './key.ts'
import { anyOf, badOption, flag, listOf, readOptions, text, texts, where } from './options.ts'
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

/** Are these more than an entry may carry? */
export function tooManyTags(tags: readonly string[]): boolean {
  return tags.length - (tags.includes(UNNAMED_TAGS) ? 1 : 0) > MAX_TAGS
}

/** Is this a tag that an entry may carry? */
export function isTag(tag: string): boolean {
  return tag !== '' && Buffer.byteLength(tag) <= MAX_TAG_LENGTH
}

const TARGETS = {
  tags: texts,
  keys: texts,
  urls: listOf(
    where<string>(
      "'/path?query', '//host/path' or an absolute http(s) URL",
      (value) => typeof value === 'string' && /^(?:https?:\/)?\//i.test(value),
    ),
  ),
  pattern: anyOf(text, texts),
  all: flag,
} as const

/**
 * Read what an application wants invalidated; a slip here would leave wrong answers in place without a sound.
 * @throws CacheError `ERR_CACHE_BAD_OPTION` where a member is not a list of strings, `ERR_CACHE_UNKNOWN_OPTION`
 */
export function invalidationTargets(place: string, targets: Targets): InvalidationTargets {
  if (targets === undefined) throw badOption(place, targets, 'an object with tags, keys, urls, pattern or all')
  const { tags = [], keys = [], urls = [], pattern = [], all = false } = readOptions(place, targets, TARGETS)
  return {
    tags: [...tags.map(tagOf.tag), ...keys.map(tagOf.key), ...urls.flatMap(urlTags)],
    patterns: typeof pattern === 'string' ? [pattern] : pattern,
    all,
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
