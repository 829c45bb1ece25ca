import type { Duration } from '../lib/duration.ts'
import type { LoadContext } from '../lib/load-context.ts'
import {
  badOption,
  callback,
  duration,
  oneOf,
  type Reader,
  readOptions,
  share,
  syncCallback,
  where,
} from '../lib/options.ts'
import type { Id } from './names.ts'

/** An entity is one kind of value of a domain: how long it is kept, what identifies it, and what makes it wrong. */

/** Members of an entity's arguments that must be given: they identify it, the optional ones select a view of it. */
export type IdentifyingKeys<A> = A extends Id
  ? never
  : { [K in keyof A]-?: Partial<Pick<A, K>> extends Pick<A, K> ? never : K }[keyof A]

/** What tags are made from, which a route has too, as text. */
export type IdsOf<A> = A extends string
  ? A
  : A extends Id
    ? Id
    : { readonly [K in IdentifyingKeys<A>]: A[K] extends Id ? Id : A[K] }

/** Lifetimes of an entity. */
export interface EntityLifetimes {
  readonly ttl: Duration
  /** Stale-while-revalidate: for so long after `ttl` the old value is answered at once, while one load brings the new one. @default the cache's */
  readonly stale?: Duration
  /** For so long after `ttl` the old value stands in for a load that fails. @default the cache's */
  readonly staleIfError?: Duration
  /** Share of `ttl`, 0 to 1, after which what is read often is loaded anew in the background. @default never */
  readonly refreshAhead?: number
  /** How long a process remembers that the load failed or brought undefined. @default not at all */
  readonly negativeTtl?: Duration
}

interface Identity<A> {
  /**
   * The arguments that identify it, in the order of its key, or the name of its only one; also the names of the route parameters
   * that `cacheRoute` reads.
   */
  readonly by: A extends Id ? string : readonly (IdentifyingKeys<A> & string)[]
  /** The parts of its key, where they are not what `by` names: different arguments need different ones. */
  key(args: A): readonly Id[]
}

interface Loading<A> {
  /** Brings the value when there is none; the context says how it is to be kept, as with `cache.remember`. */
  load?(args: A, context: LoadContext): unknown
  /**
   * Brings several values in one call: for each argument, in the same order, its value, undefined where there is none, or an
   * Error that is this one's failure.
   */
  loadMany?(list: readonly A[]): unknown
}

/** One kind of value of a domain; `A` is what identifies it or selects a view of it: an object, or a string or number. */
export type EntityDefinition<A> = EntityLifetimes &
  Loading<A> &
  Partial<Identity<A>> &
  (Pick<Identity<A>, 'by'> | Pick<Identity<A>, 'key'>) & {
    /** Names for invalidation. */
    tags(ids: IdsOf<A>): readonly string[]
    /** Arguments that everybody asks for: what `warm()` loads when it is told nothing else. */
    readonly popular?: readonly NoInfer<A>[]
    /** Not for everyone: on a route it is stored only where the route says with a `scope` who may share it. */
    readonly private?: true
  }

const LOADER = callback<AnyLoader>()

const OPTIONS = {
  ttl: duration,
  stale: duration,
  staleIfError: duration,
  refreshAhead: share,
  negativeTtl: duration,
  private: oneOf(true),
  popular: where<readonly unknown[]>('a list of arguments', Array.isArray),
  by: where<string | readonly string[]>(
    'the name of an argument, or a list of names',
    (value) => (typeof value === 'string' && value !== '') || Array.isArray(value),
  ),
  key: syncCallback<(args: unknown) => readonly Id[]>(),
  tags: syncCallback<(args: unknown) => readonly string[]>(),
  load: LOADER,
  loadMany: LOADER,
} as const satisfies Record<keyof CheckedDefinition, Reader<unknown>>

export type AnyLoader = (...args: never) => unknown

/** A definition, checked, whatever its arguments are. */
interface CheckedDefinition extends EntityLifetimes, Loading<unknown> {
  readonly by?: string | readonly string[]
  key?(args: unknown): readonly Id[]
  tags(ids: unknown): readonly string[]
  readonly popular?: readonly unknown[]
  readonly private?: true
}

export interface Entity {
  /** Where it stands in messages and keys: `shop:product`. */
  readonly place: string
  readonly definition: CheckedDefinition
}

/** @throws CacheError for a definition that is none */
export function readEntity(place: string, definition: object): Entity {
  const read = readOptions(place, definition, OPTIONS)
  for (const name of ['ttl', 'tags'] as const) {
    if (read[name] === undefined) throw badOption(`${place}: ${name}`, read[name], OPTIONS[name].expects)
  }
  if (read.by === undefined && read.key === undefined) {
    throw badOption(`${place}: by`, read.by, `${OPTIONS.by.expects}; or give a \`key\``)
  }
  return { place, definition: definition as CheckedDefinition }
}
