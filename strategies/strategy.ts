import type { Cache, InvalidateResult } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import {
  anyOf,
  badOption,
  callback,
  duration,
  group,
  integer,
  oneOf,
  readOptions,
  unknownName,
  where,
} from '../lib/options.ts'
import { type BoundEntity, bindEntity, type EntityMethod, loaderOf } from './bound-entity.ts'
import { cacheReader } from './cache-aside.ts'
import { type AnyLoader, type Entity, type EntityDefinition, readEntity } from './entity.ts'
import { type DomainEvent, type EventDefinition, type EventMethod, eventMethod, readEvent } from './events.ts'
import { tagName } from './names.ts'
import { Reloads } from './reloads.ts'
import { type RoutePolicy, routePolicy } from './route-policy.ts'

/**
 * A strategy is one domain as data: its entities with lifetime and tags, and which of its events make which tags wrong. The
 * same data serves typed methods over a loader, `cacheRoute`, and `invalidateMiddleware`.
 */

type None = Readonly<Record<never, never>>

/**
 * What `defineStrategy` is given: `E` maps entities to their arguments, `V` events to theirs, `R` and `M` entities to the loaders that
 * the definition has itself.
 */
export interface StrategyDefinition<E, V, R = None, M = None> {
  /** The first part of all keys. */
  readonly name: string
  /** The last part of all keys, written `v1`: another one leaves all that is kept behind. False writes none. @default 1 */
  readonly version?: number | false
  readonly entities: { readonly [K in keyof E]: EntityDefinition<E[K]> } & {
    readonly [K in keyof R]: { readonly load?: R[K] }
  } & { readonly [K in keyof M]: { readonly loadMany?: M[K] } }
  /** The tags that each event makes wrong. */
  readonly events: { readonly [K in keyof V]: EventDefinition<V[K], E> }
}

/** Loaders by entity. */
export type Loaders<E> = { readonly [K in keyof E]?: (args: E[K]) => unknown }

/** Loaders of several values by entity; an Error at a position is the failure of that one. */
export type ManyLoaders<E> = {
  readonly [K in keyof E]?: (list: readonly E[K][]) => Promise<readonly unknown[]> | readonly unknown[]
}

/** Options of a strategy: where to keep, and where to get. `L` and `N` are what the application's loaders bring. */
export interface StrategyOptions<E, L = None, N = None> {
  readonly cache: Cache
  /** Loaders by entity, before those of the definition; entities without one are absent from the result. */
  readonly load?: L & { readonly [K in Exclude<keyof L, keyof E>]: never }
  /** Loaders of several values: what is missing for the calls of one turn is brought by one call. */
  readonly loadMany?: N & { readonly [K in Exclude<keyof N, keyof E>]: never }
  /** Lifetimes other than the defaults. */
  readonly ttl?: { readonly [K in keyof E]?: Duration }
  /** Raise it to leave all that is kept behind. @default the definition's */
  readonly version?: number
}

type LoaderOf<O, K> = K extends keyof O ? (O[K] extends AnyLoader ? O[K] : undefined) : undefined
type Brought<F> = F extends (...args: never) => infer T ? Awaited<T> : never
type BroughtEach<F> = Brought<F> extends readonly (infer T)[] ? Exclude<T, Error> : never

/** What the loaders for an entity bring; never where there is none. */
type ValueOf<L, N, K> =
  LoaderOf<L, K> extends AnyLoader
    ? Brought<LoaderOf<L, K>>
    : LoaderOf<N, K> extends AnyLoader
      ? BroughtEach<LoaderOf<N, K>>
      : never

type IsLoaded<L, N, K> = LoaderOf<L, K> extends AnyLoader ? true : LoaderOf<N, K> extends AnyLoader ? true : false

type MethodsOf<E, R, M, L, N> = {
  readonly [K in keyof E as IsLoaded<L, N, K> extends true
    ? K
    : IsLoaded<R, M, K> extends true
      ? K
      : never]: EntityMethod<E[K], IsLoaded<L, N, K> extends true ? ValueOf<L, N, K> : ValueOf<R, M, K>>
}

/** A domain over a cache: a method per entity that has a loader, one per event, and what concerns all of it. */
export type BoundStrategy<E, V, R = None, M = None, L = None, N = None> = MethodsOf<E, R, M, L, N> & {
  /** Say that this has happened: resolves when what it made wrong is gone everywhere, rejects like `cache.invalidate`. */
  readonly [K in keyof V & string as EventMethod<K>]: (args: V[K]) => Promise<InvalidateResult>
} & {
  /**
   * Say that something has happened whose name comes from elsewhere, such as a message: `on('postCreated', args)` is
   * `onPostCreated(args)`.
   * @throws CacheError for an event that the domain does not have
   */
  on<K extends keyof V & string>(event: K, args: V[K]): Promise<InvalidateResult>
  /** Forget everything of this domain, of all versions, also the responses of routes that have its policies. */
  forgetAll(): Promise<InvalidateResult>
}

/** A domain: call it with a cache and loaders; its members are the policies of its entities and the tags of its events. */
export type Strategy<E, V, R = None, M = None> = (<L extends Loaders<E>, N extends ManyLoaders<E>>(
  options: StrategyOptions<E, L, N>,
) => BoundStrategy<E, V, R, M, L, N>) & { readonly [K in keyof E]: RoutePolicy } & {
  /** The tags that an event makes wrong, for `invalidateMiddleware({ tags })`. */
  readonly events: { readonly [K in keyof V]: (args: V[K]) => readonly string[] }
}

/** Names that a function or a strategy has already. */
const TAKEN: readonly string[] = [
  'events',
  'on',
  'warm',
  'forgetAll',
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

const DEFINITION = {
  name: where<string>(
    "a name of letters, digits, '-', '_' and '.'",
    (value) => typeof value === 'string' && /^[\w.-]+$/.test(value),
  ),
  version: anyOf(integer({ min: 1 }), oneOf(false)),
  entities: where<Readonly<Record<string, object>>>('an object of entities', isObject),
  events: where<Readonly<Record<string, unknown>>>('an object of events', isObject),
} as const

const LOADER = callback<AnyLoader>()

/**
 * Define a domain.
 *
 * Keys are `{name}:{entity}:{identifier}:{version}`; the optional arguments follow the identifier, sorted by name, so that no two
 * views share a key.
 * @throws CacheError for a wrong definition, such as an entity's name that a function has already
 * @example
 * const shop = defineStrategy({
 *   name: 'shop',
 *   entities: {
 *     product: { ttl: '10m', by: 'productId', tags: (id) => [tagName('product', id)], load: (id: string) => products.find(id) },
 *   },
 *   events: { productChanged: (id: string) => [tagName('product', id)] },
 * })
 * const { product, onProductChanged } = shop({ cache })
 */
export function defineStrategy<E, V, R = None, M = None>(
  definition: StrategyDefinition<E, V, R, M>,
): Strategy<E, V, R, M> {
  const domain = readDomain(definition)
  const { name, entities, events } = domain
  const bind = (given: StrategyOptions<E, Loaders<E>, ManyLoaders<E>>): object => bound(domain, given)
  Object.defineProperty(bind, 'name', { value: name })
  const policies = mapEntries(entities, (entity) => routePolicy(entity, (ids) => domain.tagsOf(entity, ids)))
  const tags = mapEntries(events, (event) => event.tags)
  return Object.assign(bind, policies, { events: tags }) as unknown as Strategy<E, V, R, M>
}

/** A definition, checked. */
interface Domain {
  readonly name: string
  readonly version: number | false
  readonly entities: ReadonlyMap<string, Entity>
  readonly events: ReadonlyMap<string, DomainEvent>
  /** On everything of the domain. */
  readonly tag: string
  tagsOf(entity: Entity, ids: unknown): readonly string[]
}

function readDomain(definition: object): Domain {
  const { name, version = 1, entities, events } = readOptions('defineStrategy', definition, DEFINITION)
  if (name === undefined) throw badOption('defineStrategy: name', name, DEFINITION.name.expects)
  if (entities === undefined) throw badOption(`${name}: entities`, entities, DEFINITION.entities.expects)
  if (events === undefined) throw badOption(`${name}: events`, events, DEFINITION.events.expects)
  const methods = Object.keys(events).map(eventMethod)
  for (const entity of Object.keys(entities)) {
    if (TAKEN.includes(entity) || methods.includes(entity) || !DEFINITION.name.accepts(entity))
      throw badOption(`defineStrategy: entities.${entity}`, entity, 'another name for the entity')
  }
  const twice = methods.find((method, index) => methods.indexOf(method) !== index)
  if (twice !== undefined)
    throw badOption(`defineStrategy: events`, twice, 'names that differ in more than their first letter')
  const tag = tagName('strategy', name)
  return {
    name,
    version,
    entities: new Map(Object.entries(entities).map(([entity, one]) => [entity, readEntity(`${name}:${entity}`, one)])),
    events: new Map(Object.entries(events).map(([event, one]) => [event, readEvent(`${name}: events.${event}`, one)])),
    tag,
    tagsOf: ({ definition: { tags } }, ids) => [...tags(ids as never), tag],
  }
}

function bound<E>(domain: Domain, given: StrategyOptions<E, Loaders<E>, ManyLoaders<E>>): object {
  const { name, entities, events } = domain
  const loaders = group(mapEntries(entities, () => LOADER))
  const table = {
    cache: cacheReader,
    load: loaders,
    loadMany: loaders,
    ttl: group(mapEntries(entities, () => duration)),
    version: DEFINITION.version,
  } as const
  const { cache, ...read } = readOptions(name, given, table)
  if (cache === undefined) throw badOption(`${name}: cache`, cache, cacheReader.expects)
  const version = read.version ?? domain.version
  const methods = new Map<string, BoundEntity>()
  for (const [key, entity] of entities) {
    const method = bindEntity(entity, {
      cache,
      ttl: Reflect.get(given.ttl ?? {}, key) as Duration | undefined,
      suffix: version === false ? '' : `:v${version}`,
      tagsOf: (args) => domain.tagsOf(entity, args),
      load: loaderOf(given.load ?? {}, key),
      loadMany: loaderOf(given.loadMany ?? {}, key),
    })
    if (method !== undefined) methods.set(key, method)
  }
  const reloads = new Reloads(cache.engine)
  const happen = async (event: DomainEvent, args: unknown): Promise<InvalidateResult> => {
    const result = await cache.invalidate({ tags: event.tags(args) })
    for (const [key, list = []] of Object.entries(event.refresh?.(args) ?? {})) {
      const method = methods.get(key)
      if (method !== undefined) for (const one of list) reloads.run(method.keyOf(one), () => method.read(one))
    }
    return result
  }
  return {
    ...mapEntries(methods, ({ method }) => method),
    ...Object.fromEntries(
      [...events].map(([key, event]) => [eventMethod(key), (args: unknown) => happen(event, args)]),
    ),
    on: async (key: string, args: unknown): Promise<InvalidateResult> => {
      const event = events.get(key)
      if (event === undefined) throw unknownName(name, 'event', key, [...events.keys()])
      return happen(event, args)
    },
    forgetAll: (): Promise<InvalidateResult> => cache.invalidate({ tags: [domain.tag] }),
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function mapEntries<T, U>(map: ReadonlyMap<string, T>, change: (value: T) => U): Readonly<Record<string, U>> {
  return Object.fromEntries([...map].map(([name, value]) => [name, change(value)]))
}
