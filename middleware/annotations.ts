import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseGroups } from '../lib/http/cache-groups.ts'
import { type Fields, fieldValue } from '../lib/http/fields.ts'
import type { OwnPolicy } from '../lib/http/storing-input.ts'
import { tagsOf } from '../lib/http/tag-fields.ts'
import { tagOf, UNNAMED_TAGS } from '../lib/key.ts'
import { isTag, MAX_TAG_LENGTH, MAX_TAGS } from '../lib/targets.ts'
import { callSync, type Settings } from './settings.ts'
import { callbackRequest } from './types.ts'

/** Something said about a response between the cache and its head. */
export interface Annotation {
  /** Lifetimes and windows in ms; later ones win member by member. */
  readonly policy?: OwnPolicy
  /** Prefixed tags; they add up. */
  readonly tags?: readonly string[]
  /** Computed at the head, so that route parameters are visible. */
  readonly tagger?: NonNullable<Settings['tags']>
  readonly maxBodySize?: number
  /** Request fields to tell responses apart by, beside those in `Vary`. */
  readonly vary?: NonNullable<Settings['vary']>
  /** The route says who may share the response. */
  readonly permitted?: boolean
  /** Not to be stored, and why. */
  readonly refuse?: string
}

const NO_TAGS: readonly string[] = []

/** All that options, routes and the handler say about one response, merged in one place: the handler over its route over options. */
export class Annotations {
  readonly #settings: Settings
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #tags: string[] = []
  readonly #taggers: NonNullable<Settings['tags']>[] = []
  readonly #varies: NonNullable<Settings['vary']>[] = []
  readonly #keepers: NonNullable<Settings['shouldStore']>[] = []
  /** The options of the cache that stands nearest to the handler. */
  defaults: OwnPolicy
  maxBodySize: number
  /** Of handler and routes; undefined when none has said anything. */
  policy: OwnPolicy | undefined
  permitted = false
  refuse: string | undefined

  constructor(settings: Settings, req: IncomingMessage, res: ServerResponse) {
    this.#settings = settings
    this.#req = req
    this.#res = res
    this.defaults = settings.defaults
    this.maxBodySize = settings.maxBodySize
    this.#take(settings)
  }

  add({ policy, tags, tagger, maxBodySize, vary, permitted, refuse }: Annotation): void {
    if (policy !== undefined) this.policy = { ...this.policy, ...policy }
    if (tags !== undefined) this.#tags.push(...tags)
    if (tagger !== undefined) this.#taggers.push(tagger)
    if (maxBodySize !== undefined) this.maxBodySize = maxBodySize
    if (vary !== undefined) this.#varies.push(vary)
    if (permitted !== undefined) this.permitted = permitted
    if (refuse !== undefined) this.refuse = refuse
  }

  /** An inner `cacheMiddleware`: its options are this response's defaults. */
  adopt(inner: Settings): void {
    this.defaults = inner.defaults
    this.maxBodySize = inner.maxBodySize
    this.#take(inner)
    const { skip } = inner
    if (skip !== undefined && this.#ask('skip', () => skip(callbackRequest(this.#req))) !== false) this.refuse = 'skip'
  }

  /**
   * All tags, prefixed, groups with this origin; undefined when those of the application cannot all be kept, for then an
   * invalidation could miss the response. Those that its fields name beyond the limits are dropped: every invalidation by tag
   * ends it instead.
   */
  tagsFor(fields: Fields, origin: string): readonly string[] | undefined {
    const groups = parseGroups(fieldValue(fields, 'cache-groups'))
    if (groups === undefined) return undefined
    const named = tagsOf(fields)
    const { statistics, events } = this.#settings.engine
    if (groups.length === 0 && named.length === 0 && this.#tags.length === 0 && this.#taggers.length === 0) {
      statistics.countTags(0, 0)
      return NO_TAGS
    }
    const tags = new Set([...this.#tags, ...groups.map((group) => tagOf.group(origin, group))])
    for (const tagger of this.#taggers) {
      const more: unknown = this.#ask('tags', () => tagger(callbackRequest(this.#req), this.#res))
      if (!Array.isArray(more)) return undefined
      for (const tag of more as unknown[]) {
        if (typeof tag !== 'string' || !isTag(tag)) return undefined
        tags.add(tagOf.tag(tag))
      }
    }
    let dropped = 0
    for (const tag of new Set(named)) {
      const name = tagOf.tag(tag)
      if (isTag(tag) && (tags.size < MAX_TAGS || tags.has(name))) tags.add(name)
      else dropped++
    }
    statistics.countTags(tags.size, dropped)
    if (dropped === 0) return [...tags]
    events.warnOnce(
      'tags',
      `The response to ${this.#req.method} ${this.#req.url} names ${dropped} tags more than can be kept (${MAX_TAGS} of ` +
        `${MAX_TAG_LENGTH} bytes): every invalidation by tag ends it. Name fewer in Cache-Tag or Surrogate-Key.`,
    )
    return [...tags, UNNAMED_TAGS]
  }

  /** The request fields that tell responses apart, lower-case and sorted; undefined when a callback failed to say. */
  varyFor(names: readonly string[]): readonly string[] | undefined {
    if (this.#varies.length === 0) return names
    const all = new Set(names)
    for (const vary of this.#varies) {
      const more: unknown = this.#ask('vary', () => vary(callbackRequest(this.#req)))
      if (!Array.isArray(more)) return undefined
      for (const name of more as string[]) all.add(name.toLowerCase())
    }
    return [...all].sort()
  }

  /** The last word of the option `shouldStore`. */
  shouldStore(): boolean {
    return this.#keepers.every(
      (keeper) => this.#ask('shouldStore', () => keeper(callbackRequest(this.#req), this.#res)) === true,
    )
  }

  #take(settings: Settings): void {
    if (settings.tags !== undefined) this.#taggers.push(settings.tags)
    if (settings.vary !== undefined) this.#varies.push(settings.vary)
    if (settings.shouldStore !== undefined) this.#keepers.push(settings.shouldStore)
  }

  /** A callback's answer at the head, where an error can reach its author only as an event. */
  #ask<T>(name: string, call: () => T): T | undefined {
    const { events } = this.#settings.engine
    try {
      return callSync(name, call)
    } catch (cause) {
      events.emit('error', { where: name, cause })
      events.warnOnce(
        `callback:${name}`,
        `${name} failed, so the response to GET ${this.#req.url} is not stored: ${String(cause)}`,
      )
      return undefined
    }
  }
}
