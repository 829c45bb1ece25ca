/** A request that asks for something impossible; the message is for the caller. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'
}

/** The query of a request by parameter, each with all its values. */
export type Query = ReadonlyMap<string, readonly string[]>

/**
 * Read a query strictly: what a caller wrote and we do not understand must not become a wider request than was meant.
 * @throws BadRequest for malformed percent-encoding and for parameters that are not in `known`
 */
export function readQuery(text: string, known: readonly string[]): Query {
  const query = new Map<string, string[]>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals === -1 ? part : part.slice(0, equals), part)
    if (!known.includes(name)) {
      const possible = known.length === 0 ? 'none' : known.join(', ')
      throw new BadRequest(
        `Unknown parameter "${name}"; possible here: ${possible}. Percent-encode values that contain "&", "#" or "+".`,
      )
    }
    const values = query.get(name) ?? []
    values.push(equals === -1 ? '' : decode(part.slice(equals + 1), part))
    query.set(name, values)
  }
  return query
}

/**
 * The one value of a parameter, undefined when it is absent.
 * @throws BadRequest when it is empty or there are several
 */
export function single(query: Query, name: string): string | undefined {
  const values = query.get(name)
  if (values === undefined) return undefined
  const [value] = values
  if (values.length > 1 || value === undefined || value === '') throw new BadRequest(`Give one ${name}= with a value.`)
  return value
}

/** @throws BadRequest for malformed percent-encoding */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new BadRequest(`"${segment}" is not percent-encoded correctly.`)
  }
}

/** In a query a plus is a space, as in forms. */
function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new BadRequest(`"${part}" is not percent-encoded correctly.`)
  }
}
