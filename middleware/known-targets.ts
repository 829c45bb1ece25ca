import { stripQuery, type Target, targetUri } from '../lib/http/target.ts'
import { primaryKey } from '../lib/key.ts'

/** What a target was read from. */
export interface ReceivedTarget {
  readonly scheme: string
  readonly authority: string | undefined
  /** As it was received. */
  readonly url: string
  /** The parameters that are no part of it: one list for each place in an application. */
  readonly ignoredQuery: readonly string[]
}

/** The target of a request, and the key that it has where it was asked for last. */
export class KnownTarget implements Target {
  readonly received: ReceivedTarget
  readonly uri: string
  readonly path: string
  #prefix: string | undefined
  #key = ''

  constructor(received: ReceivedTarget, { uri, path }: Target) {
    this.received = received
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

// Of all caches of the process: to check a target and to make its key takes half of what a hit takes here.
const known: (KnownTarget | undefined)[] = Array.from({ length: PLACES })

/** What a request names; undefined where that is not one resource without doubt. */
export function knownTarget(received: ReceivedTarget): KnownTarget | undefined {
  const { url } = received
  if (url.length > MAX_LENGTH) return read(received)
  const place = placeOf(url)
  const last = known[place]
  if (last !== undefined && isSame(last.received, received)) return last
  const target = read(received)
  if (target !== undefined) known[place] = target
  return target
}

function isSame(one: ReceivedTarget, other: ReceivedTarget): boolean {
  return (
    one.url === other.url &&
    one.authority === other.authority &&
    one.scheme === other.scheme &&
    one.ignoredQuery === other.ignoredQuery
  )
}

function read(received: ReceivedTarget): KnownTarget | undefined {
  const { scheme, authority, url, ignoredQuery } = received
  const target = targetUri({ scheme, authority, originalUrl: stripQuery(url, ignoredQuery) })
  return target === undefined ? undefined : new KnownTarget(received, target)
}

function placeOf(url: string): number {
  let hash = 0
  for (let index = 0; index < url.length; index++) hash = (Math.imul(hash, 31) + url.charCodeAt(index)) | 0
  return (hash >>> 0) % PLACES
}
