import type { Cache } from '../lib/cache.ts'
import type { Duration } from '../lib/duration.ts'
import { badOption } from '../lib/options.ts'
import type { RememberOptions } from '../lib/values.ts'
import { Batches, type LoadMany } from './batch.ts'
import type { CachedLoader } from './cache-aside.ts'
import type { Entity } from './entity.ts'
import { entityKey } from './entity-key.ts'

/** The method of an entity: its value for these arguments, kept or loaded. */
export interface EntityMethod<A, T> extends CachedLoader<A, T> {
  /** The values for these arguments, in order: one read of what is kept and one `loadMany` for the rest. Rejects when one fails. */
  many(list: readonly A[]): Promise<T[]>
}

/** An entity over a cache, whatever its arguments are. */
export interface BoundEntity {
  readonly method: EntityMethod<unknown, unknown>
  keyOf(args: unknown): string
  read(args: unknown): Promise<unknown>
}

type AnyLoad = (args: unknown) => unknown

/** What the application adds to an entity. */
interface Binding {
  readonly cache: Cache
  readonly ttl: Duration | undefined
  /** The end of its keys. */
  readonly suffix: string
  tagsOf(args: unknown): readonly string[]
  readonly load: AnyLoad | undefined
  readonly loadMany: AnyLoad | undefined
}

/** An entity over a cache; undefined where nothing loads it. */
export function bindEntity(entity: Entity, { cache, ttl, suffix, tagsOf, ...own }: Binding): BoundEntity | undefined {
  const { definition } = entity
  // What the application brings replaces all of the definition's: the two may not agree on what they bring.
  const isOwn = own.load !== undefined || own.loadMany !== undefined
  const load = isOwn ? own.load : loaderOf(definition, 'load')
  const loadMany = isOwn ? own.loadMany : loaderOf(definition, 'loadMany')
  if (load === undefined && loadMany === undefined) return undefined
  const { stale, staleIfError } = definition
  const lifetimes: RememberOptions = {
    ttl: ttl ?? definition.ttl,
    ...(stale === undefined ? {} : { staleWhileRevalidate: stale }),
    ...(staleIfError === undefined ? {} : { staleIfError }),
  }
  const keyOf = (args: unknown): string => entityKey(entity, args) + suffix
  const bring = (key: string, args: unknown, loader: () => unknown): Promise<unknown> =>
    cache.remember(key, { ...lifetimes, tags: tagsOf(args) }, loader)
  const batches =
    loadMany === undefined
      ? undefined
      : new Batches<unknown, unknown>({ place: entity.place, loadMany: loadMany as LoadMany<unknown, unknown>, load })
  const read =
    batches === undefined
      ? async (args: unknown): Promise<unknown> => bring(keyOf(args), args, () => load?.(args))
      : async (args: unknown): Promise<unknown> => {
          const key = keyOf(args)
          return batches.run(key, args, (ask) => bring(key, args, ask))
        }
  const method = Object.assign(async (args: unknown) => read(args), {
    forget: async (args: unknown): Promise<boolean> => cache.delete(keyOf(args)),
    many: async (list: readonly unknown[]): Promise<unknown[]> => {
      if (!Array.isArray(list)) throw badOption(`${entity.place}.many`, list, 'a list of arguments')
      return Promise.all(list.map(read))
    },
  })
  return { method, keyOf, read }
}

/** A loader, called as the method of its object that it is; undefined where there is none. */
export function loaderOf(loaders: object, name: string): AnyLoad | undefined {
  if (Reflect.get(loaders, name) === undefined) return undefined
  return (args) => (Reflect.get(loaders, name) as AnyLoad).call(loaders, args)
}
