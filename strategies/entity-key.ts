import { badOption } from '../lib/options.ts'
import { canonicalJson } from './canonical-json.ts'
import type { Entity } from './entity.ts'
import { encoded, idText } from './names.ts'

/**
 * The key of an entity with these arguments: `{service}:{entity}:{identifier}`. No two arguments share one: parts are encoded, and
 * where `by` names what identifies it every other member counts, too, declared or not.
 * @throws CacheError for a part that is missing or empty
 */
export function entityKey(entity: Entity, args: unknown): string {
  return [entity.place, ...partsOf(entity, args)].join(':')
}

function partsOf({ place, definition }: Entity, args: unknown): readonly string[] {
  const { by = [] } = definition
  if (definition.key !== undefined) {
    const parts: unknown = definition.key(args)
    if (!Array.isArray(parts)) throw badOption(`${place}: what key gave`, parts, 'a list of the parts of the key')
    return parts.map((part, index) => encoded(idText(`${place}: key[${index}]`, part)))
  }
  if (typeof by === 'string') return [encoded(idText(`${place}: ${by}`, args))]
  if (typeof args !== 'object' || args === null) throw badOption(place, args, 'an object with the arguments')
  const ids = by.map((name) => encoded(idText(`${place}: ${name}`, Reflect.get(args, name))))
  const views = Object.entries(args)
    .filter(([name, value]) => !by.includes(name) && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => viewOf(`${place}: ${name}`, encoded(name), value))
  return views.length === 0 ? ids : [...ids, views.join('&')]
}

/** Plain values as they would stand in a query, anything else as JSON. */
function viewOf(place: string, name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
    return `${name}=${encoded(String(value))}`
  }
  return `${name}:=${encoded(canonicalJson(place, value))}`
}
