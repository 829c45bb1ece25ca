import { anyOf, badOption, integer, oneOf, type Reader, readOptions, where } from '../lib/options.ts'
import { type Entity, readEntity } from './entity.ts'
import { type DomainEvent, eventMethod, readEvent } from './events.ts'
import { tagName } from './names.ts'

/** A definition, checked. */
export interface Domain {
  readonly name: string
  readonly version: number | false
  readonly entities: ReadonlyMap<string, Entity>
  readonly events: ReadonlyMap<string, DomainEvent>
  readonly loadsPerMinute: number | undefined
  /** On everything of the domain. */
  readonly tag: string
  tagsOf(entity: Entity, ids: unknown): readonly string[]
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
  '__proto__',
]

/** The last part of keys: a number, or none. */
export const version: Reader<number | false> = anyOf(integer({ min: 1 }), oneOf(false))

/** How many times loaders may run in a minute. */
export const loadsPerMinute: Reader<number> = integer({ min: 1, max: 100_000 })

const DEFINITION = {
  name: where<string>(
    "a name of letters, digits, '-', '_' and '.'",
    (value) => typeof value === 'string' && /^[\w.-]+$/.test(value),
  ),
  version,
  loadsPerMinute,
  entities: where<Readonly<Record<string, object>>>('an object of entities', isObject),
  events: where<Readonly<Record<string, unknown>>>('an object of events', isObject),
} as const

/** @throws CacheError for a definition that is none */
export function readDomain(definition: object): Domain {
  const { name, entities, events, ...read } = readOptions('defineStrategy', definition, DEFINITION)
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
    version: read.version ?? 1,
    loadsPerMinute: read.loadsPerMinute,
    entities: new Map(Object.entries(entities).map(([entity, one]) => [entity, readEntity(`${name}:${entity}`, one)])),
    events: new Map(Object.entries(events).map(([event, one]) => [event, readEvent(`${name}: events.${event}`, one)])),
    tag,
    tagsOf: ({ definition: { tags } }, ids) => [...tags(ids as never), tag],
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
