import { badOption } from '../lib/options.ts'

/** An event is something that happens in a domain, and the tags that it makes wrong. */

/** Values to load again, by entity: the arguments of each. */
export type Wanted<E> = { readonly [K in keyof E]?: readonly E[K][] }

/** The tags that an event makes wrong, and what of it is wanted at once. */
interface RefreshingEvent<A, E> {
  tags(args: A): readonly string[]
  /** What is loaded again in the background, where there is a loader: the next reader need not wait. */
  refresh(args: A): Wanted<E>
}

/** The tags that an event makes wrong, or these and what is loaded again in the background. */
export type EventDefinition<A, E> = ((args: A) => readonly string[]) | RefreshingEvent<A, E>

/** The method of an event: `onPostCreated` of `postCreated`. */
export type EventMethod<K extends string> = `on${Capitalize<K>}`

export function eventMethod(event: string): string {
  return `on${event.charAt(0).toUpperCase()}${event.slice(1)}`
}

/** An event's definition, checked, whatever its arguments are. */
export interface DomainEvent {
  readonly tags: (args: unknown) => readonly string[]
  readonly refresh: ((args: unknown) => Readonly<Record<string, readonly unknown[] | undefined>>) | undefined
}

/** @throws CacheError for a definition that is none */
export function readEvent(place: string, definition: unknown): DomainEvent {
  if (typeof definition === 'function') return { tags: definition as DomainEvent['tags'], refresh: undefined }
  const { tags, refresh } = (
    typeof definition === 'object' && definition !== null ? definition : {}
  ) as Partial<DomainEvent>
  if (typeof tags !== 'function' || typeof refresh !== 'function') {
    throw badOption(place, definition, 'a function that gives tags, or an object with tags() and refresh()')
  }
  return { tags: (args) => tags.call(definition, args), refresh: (args) => refresh.call(definition, args) }
}
