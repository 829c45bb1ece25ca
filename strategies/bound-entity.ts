import type { Cache } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import type { LoadContext } from '../lib/load-context.ts'
import type { Loader } from '../lib/loads.ts'
import { badOption } from '../lib/options.ts'
import type { Remembered, RememberOptions } from '../lib/values.ts'
import type { WarmItem } from '../lib/warm-options.ts'
import { Batches, type LoadMany } from './batch.ts'
import type { CachedLoader } from './cached-loader.ts'
import type { Entity } from './entity.ts'
import { entityKey } from './entity-key.ts'

/** The method of an entity: its value for these arguments, kept or loaded. */
export interface EntityMethod<A, T> extends CachedLoader<A, T> {
  /** The same, and where it came from; `'origin'` is the loader. */
  (args: A, options: { readonly source: true }): Promise<Remembered<T>>
  /** The values for these arguments, in order: one read of what is kept and one `loadMany` for the rest. Rejects when one fails. */
  many(list: readonly A[]): Promise<T[]>
}

/** What brings the values of an entity; one of the two there is. */
export interface EntityLoaders {
  readonly load: ((args: unknown, context: LoadContext) => unknown) | undefined
  readonly loadMany: ((list: readonly unknown[]) => unknown) | undefined
}

/** How an entity is kept. */
interface Keeping {
  readonly cache: Cache
  /** Another lifetime than the definition's. */
  readonly ttl: Duration | undefined
  /** The end of its keys. */
  readonly suffix: string
  tagsOf(args: unknown): readonly string[]
}

/** An entity over a cache, whatever its arguments are. */
export class BoundEntity {
  readonly #entity: Entity
  readonly #keeping: Keeping
  readonly #lifetimes: RememberOptions
  readonly #load: EntityLoaders['load']
  readonly #batches: Batches<unknown, unknown> | undefined

  constructor(entity: Entity, keeping: Keeping, { load, loadMany }: EntityLoaders) {
    const { place, definition } = entity
    const { stale, staleIfError, refreshAhead, negativeTtl } = definition
    this.#entity = entity
    this.#keeping = keeping
    this.#lifetimes = {
      ttl: keeping.ttl ?? definition.ttl,
      ...(stale === undefined ? {} : { staleWhileRevalidate: stale }),
      ...(staleIfError === undefined ? {} : { staleIfError }),
      ...(refreshAhead === undefined ? {} : { refreshAhead }),
      ...(negativeTtl === undefined ? {} : { negativeTtl }),
    }
    this.#load = load
    this.#batches =
      loadMany === undefined
        ? undefined
        : new Batches<unknown, unknown>({ place, load, loadMany: loadMany as LoadMany<unknown, unknown> })
  }

  get method(): EntityMethod<unknown, unknown> {
    const call = async (args: unknown, options?: { readonly source: true }): Promise<unknown> =>
      this.read(args, options?.source)
    return Object.assign(call as EntityMethod<unknown, unknown>, {
      forget: async (args: unknown): Promise<boolean> => this.#keeping.cache.delete(this.keyOf(args)),
      many: async (list: readonly unknown[]): Promise<unknown[]> => {
        if (!Array.isArray(list)) throw badOption(`${this.#entity.place}.many`, list, 'a list of arguments')
        return Promise.all(list.map((args) => this.read(args)))
      },
    })
  }

  /** @throws CacheError for arguments that identify nothing */
  keyOf(args: unknown): string {
    return entityKey(this.#entity, args) + this.#keeping.suffix
  }

  async read(args: unknown, source?: true): Promise<unknown> {
    const key = this.keyOf(args)
    const remember = (loader: Loader<unknown>): Promise<unknown> => {
      const { cache, tagsOf } = this.#keeping
      const options = { ...this.#lifetimes, tags: tagsOf(args) }
      return source === true
        ? cache.remember(key, { ...options, source }, loader)
        : cache.remember(key, options, loader)
    }
    return this.#batches?.run(key, args, remember) ?? remember((context) => this.#load?.(args, context))
  }

  /** @throws CacheError for arguments that identify nothing */
  warmItem(args: unknown): WarmItem {
    const key = this.keyOf(args)
    const load = this.#batches?.asking(key, args) ?? ((context: LoadContext): unknown => this.#load?.(args, context))
    return { ...this.#lifetimes, key, tags: this.#keeping.tagsOf(args), load }
  }
}
