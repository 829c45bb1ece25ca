/**
 * What the model reads of fields. Slow, short and its own: nothing here may come from `lib/http`, or the model would repeat the
 * mistakes that it is there to find.
 */

/** Field lines as name/value pairs, in order. */
export type Lines = readonly (readonly [name: string, value: string])[]

/** The values of a field, line by line. */
export function linesOf(fields: Lines, name: string): string[] {
  return fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value.trim())
}

/** The combined value of a field, undefined when it is absent. */
export function valueOf(fields: Lines, name: string): string | undefined {
  const values = linesOf(fields, name)
  return values.length === 0 ? undefined : values.join(', ')
}

/** The fields without those of these (lower-case) names. */
export function without(fields: Lines, names: readonly string[]): Lines {
  return fields.filter(([name]) => !names.includes(name.toLowerCase()))
}

/** The members of a list, split at commas outside quotes; empty ones do not count. */
export function membersOf(list: string): string[] {
  const members: string[] = []
  let member = ''
  let quoted = false
  for (let index = 0; index < list.length; index++) {
    const char = list.charAt(index)
    if (quoted && char === '\\') {
      member += char + list.charAt(++index)
      continue
    }
    if (char === '"') quoted = !quoted
    if (char === ',' && !quoted) {
      members.push(member)
      member = ''
    } else member += char
  }
  return [...members, member].map((text) => text.trim()).filter((text) => text !== '')
}

/** Directives by lower-case name; each argument as it stands there, undefined where there is none. */
export type Directives = ReadonlyMap<string, readonly (string | undefined)[]>

/** The directives of a `Cache-Control` value. */
export function directivesOf(value: string | undefined): Directives {
  const directives = new Map<string, (string | undefined)[]>()
  for (const member of membersOf(value ?? '')) {
    const equals = member.indexOf('=')
    const name = (equals === -1 ? member : member.slice(0, equals)).toLowerCase()
    const argument = equals === -1 ? undefined : member.slice(equals + 1)
    // PAR-8: white space around "=" spoils the argument.
    const spoiled = name.trim() !== name || argument?.trim() !== argument
    directives.set(name.trim(), [...(directives.get(name.trim()) ?? []), spoiled ? '?' : argument])
  }
  return directives
}

/** The directives of a targeted field (RFC 9213): a Dictionary, read strictly; undefined where it is none or empty (TGT-4). */
export function targetedOf(value: string | undefined): Directives | undefined {
  const directives = new Map<string, (string | undefined)[]>()
  for (const member of membersOf(value ?? '')) {
    const parts = /^([a-z*][a-z0-9_.*-]*)(?:=(-?\d{1,15}(?:\.\d{1,3})?|"[^"\\]*"|\?[01]|[A-Za-z*][\w*.!-]*))?$/.exec(
      member,
    )
    if (parts === null) return undefined
    const [, name = '', argument] = parts
    if (argument !== '?0') directives.set(name, [argument === '?1' ? undefined : argument])
  }
  return directives.size === 0 ? undefined : directives
}

/** The largest number of seconds that counts (PAR-9). */
const MOST_SECONDS = 2 ** 31

/**
 * The seconds of a directive; undefined where it is absent, `'invalid'` where it says no number or two different ones.
 * `strict`: a quoted number is none (TGT-7).
 */
export function secondsOf(directives: Directives, name: string, strict = false): number | 'invalid' | undefined {
  const given = directives.get(name)
  if (given === undefined) return undefined
  const plain = given.map((argument) => (strict ? argument : argument?.replace(/^"(.*)"$/, '$1')))
  const [first] = plain
  // FRE-7
  if (first === undefined || !/^\d+$/.test(first) || plain.some((other) => other !== first)) return 'invalid'
  return Math.min(Number(first), MOST_SECONDS)
}

/** Does it say this about the whole response: without names of fields, or with none in the quotes (CCR-4, CCR-9)? */
export function saysPlainly(directives: Directives, name: string): boolean {
  return (directives.get(name) ?? []).some((argument) => argument === undefined || namesIn(argument).length === 0)
}

/** The lower-case field names in the arguments of a directive. */
export function fieldsNamed(directives: Directives, name: string): string[] {
  return (directives.get(name) ?? []).flatMap((argument) => (argument === undefined ? [] : namesIn(argument)))
}

function namesIn(argument: string): string[] {
  const names = argument.replace(/^"(.*)"$/, '$1').split(',')
  return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '')
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The instant of a date in the modern form (epoch ms), which is the only one that the generator writes. */
export function dateOf(text: string | undefined): number | undefined {
  const parts = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/.exec(text ?? '')
  if (parts === null) return undefined
  const [, day, month = '', year, hour, minute, second] = parts
  return Date.UTC(Number(year), MONTHS.indexOf(month), Number(day), Number(hour), Number(minute), Number(second))
}

/** The date of an instant, in whole seconds. */
export function dateText(instant: number): string {
  return new Date(Math.floor(instant / 1_000) * 1_000).toUTCString()
}

/** The entity tag of a response, undefined where there is none or something else (CON-23). */
export function tagOf(fields: Lines): string | undefined {
  const tag = valueOf(fields, 'etag')
  return tag !== undefined && /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag) ? tag : undefined
}

/** Are these the same by weak comparison (CON-5)? */
export function sameWeakly(one: string, other: string): boolean {
  return one.replace(/^W\//, '') === other.replace(/^W\//, '')
}
