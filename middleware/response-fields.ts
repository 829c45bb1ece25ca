import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** The fields of a response that has not been sent: reading them, and setting them in every shape that `writeHead` takes. */

type Value = number | string | readonly string[]

/** The fields of a response by lower-case name, with the case in which they were set. */
export type Head = ReadonlyMap<string, { readonly name: string; readonly value: Value }>

/** The fields of a response as they stand. */
export function headOf(res: ServerResponse): Head {
  const head = new Map<string, { readonly name: string; readonly value: Value }>()
  // All at once: on a response of Express each look at it takes as long as finding an entry.
  const values = res.getHeaders()
  for (const name of rawNames(res)) {
    const lower = name.toLowerCase()
    const value = values[lower]
    if (value !== undefined) head.set(lower, { name, value })
  }
  return head
}

/** The field lines of a response as they stand, with the case in which they were set. */
export function fieldsOf(res: ServerResponse): [name: string, value: string][] {
  const lines: [string, string][] = []
  const values = res.getHeaders()
  for (const name of rawNames(res)) {
    const value = values[name.toLowerCase()]
    if (Array.isArray(value)) for (const line of value) lines.push([name, String(line)])
    else if (value !== undefined) lines.push([name, String(value)])
  }
  return lines
}

/** Names in the case in which they were set; node's types do not know the method for responses, HTTP/2's lack it. */
export function rawNames(res: ServerResponse): readonly string[] {
  const { getRawHeaderNames } = res as { getRawHeaderNames?(): string[] }
  return getRawHeaderNames === undefined ? res.getHeaderNames() : getRawHeaderNames.call(res)
}

/**
 * Set the fields given to `writeHead` in any of its shapes: object, flat array, array of pairs. They win over fields set
 * before, and lines of one name stay together, which node 20 gets wrong for arrays after a `setHeader`.
 */
export function applyFields(res: ServerResponse, headers: unknown): void {
  if (headers === undefined || headers === null) return
  if (!Array.isArray(headers) && res.getHeaderNames().length > 0) {
    // Node refuses undefined here, and so do we. Of several spellings of a name the last wins.
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) res.setHeader(name, value as string)
    return
  }
  const lines = new Map<string, { readonly name: string; readonly values: string[] }>()
  for (const [name, value] of pairsOf(headers)) {
    const known = lines.get(name.toLowerCase())
    const values = Array.isArray(value) ? value.map(String) : [value as string]
    if (known === undefined) lines.set(name.toLowerCase(), { name, values })
    else known.values.push(...values)
  }
  for (const { name, values } of lines.values())
    res.setHeader(name, values.length === 1 ? (values[0] as string) : values)
}

function* pairsOf(headers: object): Generator<[string, OutgoingHttpHeader]> {
  if (!Array.isArray(headers)) return yield* Object.entries(headers as Record<string, OutgoingHttpHeader>)
  if (Array.isArray(headers[0])) {
    for (const pair of headers as readonly [string, OutgoingHttpHeader][]) yield [String(pair[0]), pair[1]]
    return
  }
  if (headers.length % 2 !== 0) {
    throw Object.assign(new TypeError('The headers given to writeHead are a name without a value'), {
      code: 'ERR_INVALID_ARG_VALUE',
    })
  }
  for (let index = 0; index + 1 < headers.length; index += 2) {
    yield [String(headers[index]), headers[index + 1] as OutgoingHttpHeader]
  }
}
