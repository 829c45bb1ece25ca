import type { Cache, InvalidateResult } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import type { LoadContext } from '../lib/load-context.ts'
import type { WarmOptions } from '../lib/warm-options.ts'
import type { WarmReport } from '../lib/warm-run.ts'
import { bindDomain } from './bind.ts'
import type { EntityMethod } from './bound-entity.ts'
import { readDomain } from './domain.ts'
import type { AnyLoader, EntityDefinition } from './entity.ts'
import type { EventDefinition, EventMethod, Wanted } from './events.ts'
import { mapEntries } from './map-entries.ts'
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
  /**
   * How many times the loaders may run within any 60 s: beyond, calls that would have to load reject with `ERR_CACHE_RATE_LIMITED`.
   * What is kept is answered all the same. Each process counts for itself; a call of `loadMany` counts once. @default no limit
   */
  readonly loadsPerMinute?: number
  readonly entities: { readonly [K in keyof E]: EntityDefinition<E[K]> } & {
    readonly [K in keyof R]: { readonly load?: R[K] }
  } & { readonly [K in keyof M]: { readonly loadMany?: M[K] } }
  /** The tags that each event makes wrong. */
  readonly events: { readonly [K in keyof V]: EventDefinition<V[K], E> }
}

/** Loaders by entity. */
export type Loaders<E> = { readonly [K in keyof E]?: (args: E[K], context: LoadContext) => unknown }

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
  /** How many times the loaders may run within any 60 s in this process. @default the definition's */
  readonly loadsPerMinute?: number
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

type Awaitable<T> = Promise<T> | T

/** The arguments of what to load, by entity. */
type Plan<E, R, M, L, N> = Pick<Wanted<E>, keyof MethodsOf<E, R, M, L, N> & keyof E>

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
  /**
   * Load what will be asked for before anybody does, like `cache.warm`: for each entity the arguments, the most popular first;
   * without a plan what the definition says is popular. A function is asked anew for each run.
   * @throws CacheError for an entity that has no loader, and for arguments that identify nothing
   */
  warm(plan?: Plan<E, R, M, L, N> | (() => Awaitable<Plan<E, R, M, L, N>>), options?: WarmOptions): Promise<WarmReport>
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
  const bind = (options: object): object => bindDomain(domain, options)
  Object.defineProperty(bind, 'name', { value: name })
  const policies = mapEntries(entities, (entity) => routePolicy(entity, (ids) => domain.tagsOf(entity, ids)))
  const tags = mapEntries(events, (event) => event.tags)
  return Object.assign(bind, policies, { events: tags }) as unknown as Strategy<E, V, R, M>
}
