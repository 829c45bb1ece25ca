import type { Cache, InvalidateResult } from '../lib/cache.ts'
import { badOption, callback, duration, group, type OptionsOf, readOptions, unknownName } from '../lib/options.ts'
import type { WarmItem, WarmOptions } from '../lib/warm-options.ts'
import type { WarmReport } from '../lib/warm-run.ts'
import { BoundEntity, type EntityLoaders } from './bound-entity.ts'
import { cacheReader } from './cached-loader.ts'
import { type Domain, loadsPerMinute, version } from './domain.ts'
import type { AnyLoader, Entity } from './entity.ts'
import { type DomainEvent, eventMethod, type Wanted } from './events.ts'
import { LoadRate } from './load-rate.ts'
import { mapEntries } from './map-entries.ts'
import { Reloads } from './reloads.ts'

/** A domain over a cache: what its definition and the options of a call come to. */

/** Arguments by entity. */
type Listed = Wanted<Readonly<Record<string, unknown>>>

/** @throws CacheError for wrong options */
export function bindDomain(domain: Domain, options: object): object {
  const bound = new BoundDomain(domain, options)
  return {
    ...mapEntries(bound.entities, ({ method }) => method),
    ...Object.fromEntries(
      [...domain.events].map(([name, event]) => [eventMethod(name), (args: unknown) => bound.happen(event, args)]),
    ),
    on: async (name: string, args: unknown): Promise<InvalidateResult> => bound.happen(bound.eventNamed(name), args),
    warm: async (plan?: Listed | (() => Promise<Listed> | Listed), warming?: WarmOptions): Promise<WarmReport> =>
      bound.warm(plan ?? bound.popular, warming),
    forgetAll: async (): Promise<InvalidateResult> => bound.forgetAll(),
  }
}

class BoundDomain {
  readonly entities: ReadonlyMap<string, BoundEntity>
  readonly #domain: Domain
  readonly #cache: Cache
  readonly #reloads: Reloads

  constructor(domain: Domain, options: object) {
    const { cache, ...read } = readBinding(domain, options)
    this.#domain = domain
    this.#cache = cache
    this.#reloads = new Reloads(cache.engine)
    const number = read.version ?? domain.version
    const most = read.loadsPerMinute ?? domain.loadsPerMinute
    const rate = most === undefined ? undefined : new LoadRate(domain.name, most, cache.engine.clock)
    const entities = new Map<string, BoundEntity>()
    for (const [name, entity] of domain.entities) {
      const loaders = loadersOf(entity, name, options)
      if (loaders === undefined) continue
      const keeping = {
        cache,
        ttl: Reflect.get(Reflect.get(options, 'ttl') ?? {}, name),
        suffix: number === false ? '' : `:v${number}`,
        tagsOf: (args: unknown) => domain.tagsOf(entity, args),
      }
      entities.set(name, new BoundEntity(entity, keeping, rate === undefined ? loaders : rationed(loaders, rate)))
    }
    this.entities = entities
  }

  eventNamed(name: string): DomainEvent {
    const { name: domain, events } = this.#domain
    const event = events.get(name)
    if (event === undefined) throw unknownName(domain, 'event', name, [...events.keys()])
    return event
  }

  async happen(event: DomainEvent, args: unknown): Promise<InvalidateResult> {
    const result = await this.#cache.invalidate({ tags: event.tags(args) })
    try {
      this.#reload(event.refresh?.(args) ?? {})
    } catch (cause) {
      this.#cache.engine.events.emit('error', { where: 'refresh', cause })
    }
    return result
  }

  #reload(wanted: Listed): void {
    for (const [name, list = []] of Object.entries(wanted)) {
      const entity = this.entities.get(name)
      if (entity !== undefined) for (const args of list) this.#reloads.run(entity.keyOf(args), () => entity.read(args))
    }
  }

  /** What everybody asks for of what has a loader. */
  get popular(): Listed {
    const popular = [...this.#domain.entities].filter(([name]) => this.entities.has(name))
    return Object.fromEntries(popular.map(([name, { definition }]) => [name, definition.popular ?? []]))
  }

  warm(plan: Listed | (() => Promise<Listed> | Listed), options?: WarmOptions): Promise<WarmReport> {
    const source = typeof plan === 'function' ? async () => this.#items(await plan()) : this.#items(plan)
    return this.#cache.warm(source, options)
  }

  forgetAll(): Promise<InvalidateResult> {
    return this.#cache.invalidate({ tags: [this.#domain.tag] })
  }

  #items(plan: Listed): readonly WarmItem[] {
    const place = `${this.#domain.name}.warm`
    if (typeof plan !== 'object' || plan === null) throw badOption(place, plan, 'an object with lists of arguments')
    return Object.entries(plan).flatMap(([name, list = []]) => {
      const entity = this.entities.get(name)
      if (entity === undefined) throw unknownName(place, 'entity', name, [...this.entities.keys()])
      if (!Array.isArray(list)) throw badOption(`${place}: ${name}`, list, 'a list of arguments')
      return list.map((args) => entity.warmItem(args))
    })
  }
}

const LOADER = callback<AnyLoader>()

function bindingOptions({ entities }: Domain) {
  const loaders = group(mapEntries(entities, () => LOADER))
  return {
    cache: cacheReader,
    load: loaders,
    loadMany: loaders,
    ttl: group(mapEntries(entities, () => duration)),
    version,
    loadsPerMinute,
  }
}

function readBinding(
  domain: Domain,
  options: object,
): OptionsOf<ReturnType<typeof bindingOptions>> & { readonly cache: Cache } {
  const { cache, ...read } = readOptions(domain.name, options, bindingOptions(domain))
  if (cache === undefined) throw badOption(`${domain.name}: cache`, cache, cacheReader.expects)
  return { ...read, cache }
}

/** What the application brings for an entity replaces all of the definition's: the two may not agree on what they bring. */
function loadersOf({ definition }: Entity, name: string, options: object): EntityLoaders | undefined {
  const own = {
    load: loaderIn(Reflect.get(options, 'load'), name),
    loadMany: loaderIn(Reflect.get(options, 'loadMany'), name),
  }
  const defined = { load: loaderIn(definition, 'load'), loadMany: loaderIn(definition, 'loadMany') }
  return [own, defined].find(({ load, loadMany }) => load !== undefined || loadMany !== undefined)
}

/** A loader, called as the method of its object that it is; undefined where there is none. */
function loaderIn(loaders: object | undefined, name: string): ((...args: unknown[]) => unknown) | undefined {
  const load: unknown = loaders === undefined ? undefined : Reflect.get(loaders, name)
  return typeof load === 'function' ? (...args) => load.apply(loaders, args) : undefined
}

/** The same loaders, no more often than a rate permits. */
function rationed({ load, loadMany }: EntityLoaders, rate: LoadRate): EntityLoaders {
  return { load: load && rate.limit(load), loadMany: loadMany && rate.limit(loadMany) }
}
