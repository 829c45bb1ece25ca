import {
  type Fields,
  fieldLines,
  isToken,
  type RequestHeaders,
  requestField,
  splitList,
  splitOutsideQuotes,
  trimOws,
} from './fields.ts'

/**
 * The names in `Vary`, lower-case, sorted and unique. `*` when it says so anywhere, cannot be read, or names more than 16
 * fields: then no request selects the response (RFC 9111 s. 4.1).
 */
export function parseVary(fields: Fields): readonly string[] | '*' {
  const names = new Set<string>()
  for (const line of fieldLines(fields, 'vary')) {
    for (const member of line.split(',')) {
      const name = trimOws(member).toLowerCase()
      if (name === '') continue
      // VRY-5, VRY-6: `*` is a token, too, but no name; what is no token counts as `*`.
      if (name === '*' || !isToken(name)) return '*'
      names.add(name)
    }
  }
  return names.size > MAX_NAMES ? '*' : [...names].sort()
}

/**
 * What a request says in these fields, normalised so that equal values select the same variant; undefined members are absent
 * fields. Undefined altogether when a value is longer than 1 KB: bypass the cache.
 */
export function variantValues(names: readonly string[], headers: RequestHeaders): (string | undefined)[] | undefined {
  const values: (string | undefined)[] = []
  for (const name of names) {
    const value = requestField(headers, name)
    if (value !== undefined && value.length > MAX_VALUE) return undefined
    // VRY-4: absent matches absent only; an empty value is not absent.
    values.push(value === undefined ? undefined : NEGOTIATION.has(name) ? preferences(value) : tight(value))
  }
  return values
}

const MAX_NAMES = 16
const MAX_VALUE = 1024

/** VRY-10: fields whose syntax is known to be a list of preferences. */
const NEGOTIATION: ReadonlySet<string> = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language'])

/**
 * A list of preferences without what makes no difference: case of names, white space, `;q=1`. The order stays: Express takes
 * the first of several equally preferred ones.
 */
function preferences(value: string): string {
  if (isPlainList(value)) return value
  const known = remembered.get(value)
  if (known !== undefined) return known
  const normal = splitList(value).map(preference).join(', ')
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(value, normal)
  return normal
}

// The same few browsers ask again and again, and normalising takes longer than the rest of a hit.
const remembered = new Map<string, string>()
const MAX_REMEMBERED = 256

function preference(member: string): string {
  const [range = '', ...parameters] = splitOutsideQuotes(member, ';')
  const last = parameters.at(-1)
  // Only the last one: what follows a weight is something else than what precedes it.
  if (last !== undefined && FULL_WEIGHT.test(last)) parameters.pop()
  return [range.toLowerCase(), ...parameters.map(parameterOf)].join(';')
}

const FULL_WEIGHT = /^q=1(?:\.0{0,3})?$/i

/** The name of a parameter has no case, its value may have one. */
function parameterOf(parameter: string): string {
  const equals = parameter.indexOf('=')
  return equals === -1 ? parameter.toLowerCase() : parameter.slice(0, equals).toLowerCase() + parameter.slice(equals)
}

/** VRY-3: of a field whose syntax is unknown only the white space around commas may go. */
function tight(value: string): string {
  return value.includes(',') ? splitOutsideQuotes(value, ',').join(', ') : trimOws(value)
}

const COMMA = 0x2c
const SEMICOLON = 0x3b
const QUOTE = 0x22

/** Is it already what normalising would make of it? `gzip, deflate, br` is the common case. */
function isPlainList(value: string): boolean {
  let atStart = true
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code === COMMA) {
      if (atStart || value.charCodeAt(index + 1) !== 0x20) return false
      index++
      atStart = true
    } else if (code <= 0x20 || code === QUOTE || code === SEMICOLON || (code >= 0x41 && code <= 0x5a)) return false
    else atStart = false
  }
  return value === '' || !atStart
}
