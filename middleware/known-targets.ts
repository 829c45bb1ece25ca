import { stripQuery, type Target, targetUri } from '../lib/http/target.ts'
import { primaryKey } from '../lib/key.ts'

/** The target of a request, and the key that it has where it was asked for last. */
export class KnownTarget implements Target {
  readonly scheme: string
  readonly authority: string | undefined
  /** As it was received. */
  readonly url: string
  readonly uri: string
  readonly path: string
  #prefix: string | undefined
  #key = ''

  constructor(scheme: string, authority: string | undefined, url: string, { uri, path }: Target) {
    this.scheme = scheme
    this.authority = authority
    this.url = url
    this.uri = uri
    this.path = path
  }

  /** The key behind a prefix: the same string each time, so that its characters are looked at once. */
  keyBehind(prefix: string): string {
    if (prefix !== this.#prefix) {
      this.#prefix = prefix
      this.#key = primaryKey(prefix, this.uri)
    }
    return this.#key
  }
}

/** How many are remembered; of those with the same place the last one. */
const PLACES = 2048
/** Longer ones (characters) are not, so that it is never much that is remembered. */
const MAX_LENGTH = 256

/** The targets that requests have named lately: to check a target and to make its key takes half of what a hit takes here. */
export class KnownTargets {
  readonly #ignoredQuery: readonly string[]
  readonly #places: (KnownTarget | undefined)[] = Array.from({ length: PLACES })

  /** `ignoredQuery`: the parameters that are no part of a target. */
  constructor(ignoredQuery: readonly string[]) {
    this.#ignoredQuery = ignoredQuery
  }

  /** What a request names; undefined where that is not one resource without doubt. `url`: as received. */
  named(scheme: string, authority: string | undefined, url: string): KnownTarget | undefined {
    if (url.length > MAX_LENGTH) return this.#read(scheme, authority, url)
    const place = placeOf(url)
    const known = this.#places[place]
    if (known?.url === url && known.authority === authority && known.scheme === scheme) return known
    const target = this.#read(scheme, authority, url)
    if (target !== undefined) this.#places[place] = target
    return target
  }

  #read(scheme: string, authority: string | undefined, url: string): KnownTarget | undefined {
    const target = targetUri({ scheme, authority, originalUrl: stripQuery(url, this.#ignoredQuery) })
    return target === undefined ? undefined : new KnownTarget(scheme, authority, url, target)
  }
}

function placeOf(url: string): number {
  let hash = 0
  for (let index = 0; index < url.length; index++) hash = (Math.imul(hash, 31) + url.charCodeAt(index)) | 0
  return (hash >>> 0) % PLACES
}
