import { badOption } from '../lib/options.ts'

/** How deep data may be nested: what is deeper contains itself. */
const MAX_DEPTH = 64

/**
 * Data as JSON in which the order of members does not matter, nor those that are undefined: equal texts are equal data.
 * @throws CacheError for what JSON does not show, because that would make one key of two
 */
export function canonicalJson(place: string, value: unknown, depth = 0): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
    return JSON.stringify(value)
  }
  if (depth === MAX_DEPTH || typeof value !== 'object') throw badOption(place, value, 'plain data')
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item: unknown) => canonicalJson(place, item, depth + 1)).join(',')}]`
  }
  if (!isPlain(value)) throw badOption(place, value, 'plain data')
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(place, member, depth + 1)}`)
  return `{${members.join(',')}}`
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
