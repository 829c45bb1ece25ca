/** What JSON would lose without a sound, or cannot say: found before it is written, with the way to it. */

/** Something inside a value that has no JSON form. */
export interface Unsayable {
  /** The way to it, such as `$.items[3].price`. */
  readonly path: string
  readonly what: string
}

/** The first thing in a value that JSON cannot say. Dates and whatever else has a `toJSON` say themselves what they become. */
export function unsayable(value: unknown): Unsayable | undefined {
  const loss = lossIn(value, new Set())
  return loss === undefined ? undefined : { path: `$${loss.way.reverse().map(shown).join('')}`, what: loss.what }
}

type Step = string | number

interface Loss {
  readonly what: string
  /** From there to the whole. */
  readonly way: Step[]
}

/** Built-in objects that are `{}` in JSON, whatever they hold. */
const LOST = new Set([
  'ArrayBuffer',
  'Error',
  'Map',
  'Promise',
  'RegExp',
  'Set',
  'SharedArrayBuffer',
  'WeakMap',
  'WeakRef',
  'WeakSet',
])

function lossIn(value: unknown, above: Set<object>): Loss | undefined {
  switch (typeof value) {
    case 'function':
      return loss('a function')
    case 'symbol':
      return loss('a symbol')
    case 'bigint':
      return 'toJSON' in BigInt.prototype ? undefined : loss('a bigint')
    case 'object':
      return value === null ? undefined : lossInObject(value, above)
    default:
      return undefined
  }
}

function lossInObject(value: object, above: Set<object>): Loss | undefined {
  if (above.has(value)) return loss('a reference to what contains it')
  // Those of Node say themselves what they become, and it is no Buffer.
  if (ArrayBuffer.isView(value)) return loss(`bytes (${value.constructor.name})`)
  const said = jsonOf(value)
  if (said !== value) return lossIn(said, above)
  above.add(value)
  const found = Array.isArray(value) ? lossInItems(value, above) : (lostWhole(value) ?? lossInMembers(value, above))
  above.delete(value)
  return found
}

function lossInItems(items: readonly unknown[], above: Set<object>): Loss | undefined {
  for (let index = 0; index < items.length; index++) {
    const found = lossIn(items[index], above)
    if (found !== undefined) return within(index, found)
  }
  return undefined
}

function lossInMembers(value: object, above: Set<object>): Loss | undefined {
  for (const name of Object.keys(value)) {
    const found = lossIn((value as Readonly<Record<string, unknown>>)[name], above)
    if (found !== undefined) return within(name, found)
  }
  return undefined
}

function loss(what: string): Loss {
  return { what, way: [] }
}

function within(step: Step, found: Loss): Loss {
  found.way.push(step)
  return found
}

function jsonOf(value: object): unknown {
  const { toJSON } = value as { readonly toJSON?: unknown }
  return typeof toJSON === 'function' ? Reflect.apply(toJSON, value, ['']) : value
}

function lostWhole(value: object): Loss | undefined {
  if (Object.getPrototypeOf(value) === Object.prototype) return undefined
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1)
  return LOST.has(kind) ? loss(`a value of the type ${kind}`) : undefined
}

function shown(step: Step): string {
  if (typeof step === 'number') return `[${step}]`
  return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
}
