import type { Cache, InvalidateResult } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import { CacheError, show } from '../lib/errors.ts'
import { badOption, callback, duration, group, readOptions } from '../lib/options.ts'
import { type CachedLoader, cacheAside, cacheReader } from './cache-aside.ts'

/**
 * A strategy is one domain as data: its entities with lifetime and tags, and which of its events make which tags wrong. The
 * same data serves typed methods over a loader, `cacheRoute`, and `invalidateMiddleware`.
 */

/** Identifies something: 7 and '7' are the same. */
export type Id = string | number

/** Members of an entity's arguments that must be given: they identify it, the optional ones select a view of it. */
export type IdentifyingKeys<A> = { [K in keyof A]-?: Partial<Pick<A, K>> extends Pick<A, K> ? never : K }[keyof A]

type IdsOf<A> = { readonly [K in IdentifyingKeys<A>]: Id }

/** One kind of value of a domain. */
export interface EntityDefinition<A> {
  readonly ttl: Duration
  /** The arguments that identify it, in the order of its key; also the names of the route parameters that `cacheRoute` reads. */
  readonly by: readonly (IdentifyingKeys<A> & string)[]
  /** Names for invalidation. */
  tags(ids: IdsOf<A>): readonly string[]
}

/** What `defineStrategy` is given: `E` maps entities to their arguments, `V` events to theirs. */
export interface StrategyDefinition<E, V> {
  /** The first part of all keys. */
  readonly name: string
  readonly entities: { readonly [K in keyof E]: EntityDefinition<E[K]> }
  /** The tags that each event makes wrong. */
  readonly events: { readonly [K in keyof V]: (args: V[K]) => readonly string[] }
}

/** Options of a strategy: where to keep, and where to get. `L` is what the application's loaders bring. */
export interface StrategyOptions<E, L> {
  readonly cache: Cache
  /** A loader for each entity that is wanted; the others are absent from the result. */
  readonly load: L & { readonly [K in Exclude<keyof L, keyof E>]: never }
  /** Lifetimes other than the defaults. */
  readonly ttl?: { readonly [K in keyof E]?: Duration }
}

export type Loaders<E> = { readonly [K in keyof E]?: (args: E[K]) => unknown }

/** A domain over a cache: a method per loader, and the events. */
export type BoundStrategy<E, V, L> = {
  readonly [K in keyof L & keyof E]: CachedLoader<E[K], L[K] extends (...args: never) => infer R ? Awaited<R> : never>
} & {
  /** Say that something has happened: resolves when what it made wrong is gone everywhere, rejects like `cache.invalidate`. */
  readonly events: { readonly [K in keyof V]: (args: V[K]) => Promise<InvalidateResult> }
}

/** What `cacheRoute` takes: `cacheRoute(community.posts)`, or `cacheRoute({ ...community.posts, ttl: '1m' })`. */
export interface RoutePolicy {
  readonly ttl: Duration
  /**
   * The entity's tags, from the route parameters named like its identifying arguments.
   * @throws CacheError when the route has no such parameter; the response is then not stored
   */
  tags(req: { readonly params: Readonly<Record<string, string | string[]>> }): readonly string[]
}

/** A domain: call it with a cache and loaders; its members are the policies of its entities and the tags of its events. */
export type Strategy<E, V> = (<L extends Loaders<E>>(options: StrategyOptions<E, L>) => BoundStrategy<E, V, L>) & {
  readonly [K in keyof E]: RoutePolicy
} & {
  /** The tags that an event makes wrong, for `invalidateMiddleware({ tags })`. */
  readonly events: { readonly [K in keyof V]: (args: V[K]) => readonly string[] }
}

/** Names that a function or a strategy has already. */
const TAKEN: readonly string[] = [
  'events',
  'name',
  'length',
  'prototype',
  'caller',
  'arguments',
  'call',
  'apply',
  'bind',
  'then',
]

/**
 * Define a domain.
 *
 * Keys are `{name}:{entity}:{identifier}`; the optional arguments follow, sorted by name, so that no two views share a key.
 * @throws CacheError for an entity's name that a function has already
 * @example
 * const shop: Strategy<{ product: { productId: Id } }, { productChanged: { productId: Id } }> = defineStrategy({
 *   name: 'shop',
 *   entities: { product: { ttl: '10m', by: ['productId'], tags: ({ productId }) => [tagName('product', productId)] } },
 *   events: { productChanged: ({ productId }) => [tagName('product', productId)] },
 * })
 * const { product, events } = shop({ cache, load: { product: ({ productId }) => products.find(productId) } })
 */
export function defineStrategy<E, V>(definition: StrategyDefinition<E, V>): Strategy<E, V> {
  const { name, entities, events } = definition
  const names = Object.keys(entities) as (keyof E & string)[]
  const taken = names.find((entity) => TAKEN.includes(entity))
  if (taken !== undefined) throw badOption(`defineStrategy: entities.${taken}`, taken, 'another name for the entity')
  const options = {
    cache: cacheReader,
    load: group(Object.fromEntries(names.map((entity) => [entity, callback<Loader>()]))),
    ttl: group(Object.fromEntries(names.map((entity) => [entity, duration]))),
  } as const

  const bind = <L extends Loaders<E>>(given: StrategyOptions<E, L>): BoundStrategy<E, V, L> => {
    const { cache, load } = readOptions(name, given, options)
    if (cache === undefined) throw badOption(`${name}: cache`, cache, cacheReader.expects)
    if (load === undefined) throw badOption(`${name}: load`, load, options.load.expects)
    const bound: Record<string, unknown> = {}
    for (const entity of names) {
      if (given.load[entity] !== undefined)
        bound[entity] = methodOf({ strategy: name, entity, ...entities[entity] }, given, cache)
    }
    bound['events'] = mapValues(events, (tagsOf) => {
      return async (args: never): Promise<InvalidateResult> => cache.invalidate({ tags: tagsOf(args) })
    })
    return bound as BoundStrategy<E, V, L>
  }
  const policies = Object.fromEntries(names.map((entity) => [entity, policyOf(`${name}.${entity}`, entities[entity])]))
  Object.defineProperty(bind, 'name', { value: name })
  return Object.assign(bind, policies, { events }) as unknown as Strategy<E, V>
}

/**
 * Make a tag from its parts: `tagName('community', 7, 'posts')` is `'community:7:posts'`.
 * @throws CacheError for a part that is missing, because a tag with a hole in it would invalidate nothing
 */
export function tagName(...parts: readonly Id[]): string {
  for (const part of parts) {
    if ((typeof part !== 'string' && typeof part !== 'number') || part === '')
      throw missing(`tag ${parts.join(':')}`, part)
  }
  return parts.join(':')
}

type Loader = (args: never) => unknown

interface Entity<A> extends EntityDefinition<A> {
  readonly strategy: string
  readonly entity: string
}

function methodOf<E, L extends Loaders<E>, K extends keyof E & string>(
  { strategy, entity, ttl, by, tags }: Entity<E[K]>,
  { load, ttl: lifetimes }: StrategyOptions<E, L>,
  cache: Cache,
): CachedLoader<E[K], unknown> {
  const loaders: Loaders<E> = load
  return cacheAside<E[K], unknown>({
    cache,
    ttl: lifetimes?.[entity as K] ?? ttl,
    key: (args) => keyOf(`${strategy}:${entity}`, by, args as Readonly<Record<string, unknown>>),
    tags: (args) => tags(args as IdsOf<E[K]>),
    load: (args) => loaders[entity as K]?.(args),
  })
}

function policyOf<A>(place: string, { ttl, by, tags }: EntityDefinition<A>): RoutePolicy {
  return {
    ttl,
    tags({ params }) {
      const ids: Record<string, Id> = {}
      for (const name of by) {
        const value = params[name]
        if (value === undefined || value.length === 0) {
          throw new CacheError(
            'ERR_CACHE_BAD_OPTION',
            `${place}: the route has no parameter ":${name}". Name it so in the route's pattern, or give cacheRoute tags of its own.`,
          )
        }
        ids[name] = [value].flat().join('/')
      }
      return tags(ids as IdsOf<A>)
    },
  }
}

/** No two arguments may share a key: parts are encoded, and every member counts, declared or not. */
function keyOf(prefix: string, by: readonly string[], args: Readonly<Record<string, unknown>>): string {
  const ids = by.map((name) => {
    const id = args[name]
    if ((typeof id !== 'string' && typeof id !== 'number') || id === '') throw missing(`${prefix}: ${name}`, id)
    return encoded(String(id))
  })
  const views = Object.keys(args)
    .filter((name) => !by.includes(name) && args[name] !== undefined)
    .sort()
    .map((name) => viewOf(`${prefix}: ${name}`, encoded(name), args[name]))
  return [prefix, ...ids, ...(views.length === 0 ? [] : [views.join('&')])].join(':')
}

/** Plain values as they would stand in a query, anything else as JSON whose members are in order. */
function viewOf(place: string, name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return `${name}=${encoded(String(value))}`
  }
  const json = JSON.stringify(value, (_name, member: unknown) => {
    if (member === undefined || member === null || ['string', 'number', 'boolean'].includes(typeof member))
      return member
    if (Array.isArray(member)) return member
    // What JSON does not show would make one key of two.
    if (!isPlain(member)) throw badOption(place, member, 'plain data')
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
  return `${name}:=${encoded(json)}`
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function missing(place: string, value: unknown): CacheError {
  return new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `${place}: ${show(value)} identifies nothing. Use a string or a number.`,
  )
}

function mapValues<K extends string, T, U>(
  members: { readonly [P in K]: T },
  change: (value: T) => U,
): { readonly [P in K]: U } {
  return Object.fromEntries(Object.entries<T>(members).map(([name, value]) => [name, change(value)])) as { [P in K]: U }
}
