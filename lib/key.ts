import { targetUri } from './http/target.ts'

/**
 * Keys, made so that no value of one part can imitate another (RFC 9111 s. 2): the parts before the URI contain no space, a
 * URI contains none, and what follows it is JSON.
 *
 *     R <version> <mount> <class> <target URI>[ +<extra material as JSON>][ ~<Vary names> <values as JSON>]
 *     V <version> <service key>
 */

/** The constant start of all keys of one mounted cache: compute it once. */
export function keyPrefix(version: number, mount: string): string {
  return `R ${version} ${encodeURIComponent(mount.toWellFormed())} G `
}

/** The key of a resource: GET and HEAD share it. */
export function primaryKey(prefix: string, uri: string, extra?: readonly (string | undefined)[]): string {
  return extra === undefined ? prefix + uri : `${prefix}${uri} +${JSON.stringify(extra)}`
}

/** The key of a QUERY: one more class, told apart by its content (RFC 10008 s. 2.7). */
export function queryPrimaryKey(primary: string, content: string): string {
  return `${primary} ?${content}`
}

/** The key of the variant that these values of the fields in `Vary` select; undefined is an absent field. */
export function variantKey(primary: string, names: readonly string[], values: readonly (string | undefined)[]): string {
  return `${primary} ~${names.join(',')} ${JSON.stringify(values)}`
}

/** The key of a value of the service; lone surrogates become U+FFFD, as they do on the way to Redis. */
export function serviceKey(version: number, key: string): string {
  return `V ${version} ${key.toWellFormed()}`
}

/** What decides the partition: target URI or service key, without version and mount, so that all versions meet in one. */
export function routingPart(key: string): string {
  if (key.startsWith('V ')) return key.slice(key.indexOf(' ', 2) + 1)
  let start = 0
  for (let part = 0; part < 4; part++) start = key.indexOf(' ', start) + 1
  const end = key.indexOf(' ', start)
  return end === -1 ? key.slice(start) : key.slice(start, end)
}

/** The partition of a key: FNV-1a, the same in every process. */
export function partitionOf(key: string, partitions: number): number {
  if (partitions === 1) return 0
  const text = routingPart(key)
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) % partitions
}

/** Prefixes keep user tags, keys and URLs apart; lone surrogates become U+FFFD, so that Redis means the same tag. */
export const tagOf = {
  tag: (tag: string): string => `t:${tag.toWellFormed()}`,
  key: (key: string): string => `k:${key.toWellFormed()}`,
  uri: (uri: string): string => `u:${uri.toWellFormed()}`,
  path: (path: string): string => `p:${path.toWellFormed()}`,
  /** A group belongs to an origin (RFC 9875 s. 2.1), which contains no space. */
  group: (origin: string, group: string): string => `g:${origin} ${group.toWellFormed()}`,
} as const

/** Does this tag name a service key, so that no more than one entry of a version carries it? */
export function isKeyTag(tag: string): boolean {
  return tag.startsWith('k:')
}

/** The full key of the one entry that carries this tag; undefined where any number may. */
export function keyOfTag(version: number, tag: string): string | undefined {
  return isKeyTag(tag) ? serviceKey(version, tag.slice(2)) : undefined
}

/**
 * The tags by which a URL makes wrong what is stored for other URLs of the same path, too (No-Vary-Search): no process knows all of
 * those that another one has found equal, so the path stands for them (INV-6).
 */
export function classTags(tags: readonly string[]): string[] {
  return tags
    .filter((tag) => tag.startsWith('u:') || tag.startsWith('p:'))
    .map((tag) => `${tag.includes('?') ? tag.slice(0, tag.indexOf('?')) : tag} *`)
}

/** The tag of what has more tags than it may carry: every invalidation by tag names it, so that none is missed. */
export const UNNAMED_TAGS = 'o:'

/** What else an invalidation of these tags makes wrong. */
export function impliedTags(tags: readonly string[]): string[] {
  const implied = classTags(tags)
  if (tags.some((tag) => tag.startsWith('t:'))) implied.push(UNNAMED_TAGS)
  return implied
}

/** Scheme and host in lower case, without the default port: as entries have it. */
function normalUri(url: string): string {
  const [, scheme = '', authority = '', rest = ''] = /^([a-z]+):\/\/([^/?]*)(.*)$/is.exec(url) ?? []
  const path = rest.startsWith('/') ? rest : `/${rest}`
  return targetUri({ scheme: scheme.toLowerCase(), authority, originalUrl: path })?.uri ?? url
}

/** The tags that a URL to invalidate names: a path under every host, `//host/p` under both schemes, or exactly one URI. */
export function urlTags(url: string): readonly string[] {
  if (url.startsWith('//')) return ['http:', 'https:'].map((scheme) => tagOf.uri(normalUri(scheme + url)))
  if (url.startsWith('/')) return [tagOf.path(url)]
  return [tagOf.uri(normalUri(url))]
}
