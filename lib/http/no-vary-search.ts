import { type InnerList, type Item, parseDictionary } from 'structured-headers'

/** Which part of a query selects the response (draft-ietf-httpbis-no-vary-search). Names are decoded. */
export interface NoVarySearch {
  /** Only the order of parameters with the same name counts. */
  readonly keyOrder: boolean
  /** These parameters make no difference. Empty with `except`. */
  readonly params: readonly string[]
  /** Only these parameters make a difference; undefined where `params` rules. */
  readonly except: readonly string[] | undefined
}

/**
 * What the combined value of `No-Vary-Search` says; undefined for the default, in which URIs must match exactly: the field is
 * absent, malformed, contradictory, or says just that.
 */
export function parseNoVarySearch(value: string | undefined): NoVarySearch | undefined {
  const dictionary = value === undefined ? undefined : dictionaryOf(value)
  if (dictionary === undefined) return undefined
  const keyOrder = dictionary.get('key-order')?.[0] ?? false
  const params = dictionary.get('params')
  const except = dictionary.get('except')
  // NVS-2
  if (typeof keyOrder !== 'boolean' || (params !== undefined && except !== undefined)) return undefined
  const member = params ?? except
  // NVS-12: `key-order` may stand alone.
  const names = member === undefined ? [] : namesOf(member)
  if (names === undefined) return undefined
  if (except !== undefined) return { keyOrder, params: [], except: names }
  return keyOrder || names.length > 0 ? { keyOrder, params: names, except: undefined } : undefined
}

/**
 * What counts of a raw query string (without its `?`), as a query string: two URLs that differ only in their queries are
 * equivalent exactly when these texts are equal. Undefined for a URL that must not be matched this way: it is too large, or a
 * handler may read something else from it than we do.
 */
export function significantQuery(query: string, config: NoVarySearch): string | undefined {
  if (query.length > MAX_QUERY || !VISIBLE.test(query)) return undefined
  // NVS-10: empty parameters count here because query parsers count them against their limits, and ignore what is beyond.
  if (query.split('&', MAX_PARAMETERS + 1).length > MAX_PARAMETERS) return undefined
  const { keyOrder, params, except } = config
  const listed = new Set(except ?? params)
  const significant = new URLSearchParams()
  // NVS-5. URLSearchParams drops one question mark in front; a second one is part of the first name.
  for (const [name, value] of new URLSearchParams(`?${query}`)) {
    // NVS-10: where we see `id[x]`, other parsers see a part of `id`.
    if (except !== undefined && BRACKET.test(name)) return undefined
    // NVS-3
    if (listed.has(name) === (except !== undefined)) significant.append(name, value)
  }
  if (keyOrder) significant.sort()
  return significant.toString()
}

/** Longer queries (characters) and more parameters are matched exactly; query parsers stop at 1000, too. */
const MAX_QUERY = 8192
const MAX_PARAMETERS = 1000

/** Nothing else stands on a request line, and parsers differ in what they make of the rest. */
const VISIBLE = /^[\x21-\x7e]*$/
const BRACKET = /[[\]]/

function dictionaryOf(value: string): Map<string, Item | InnerList> | undefined {
  try {
    return parseDictionary(value)
  } catch {
    return undefined
  }
}

/** NVS-1, NVS-4: the decoded names of an inner list of Strings; undefined when it is anything else. */
function namesOf([items]: Item | InnerList): string[] | undefined {
  if (!Array.isArray(items)) return undefined
  const names: string[] = []
  for (const [name] of items) {
    if (typeof name !== 'string') return undefined
    names.push(decode(name))
  }
  return names
}

/** Exactly what the parser of queries would make of it. */
function decode(name: string): string {
  return new URLSearchParams(`=${name.replaceAll('&', '%26')}`).get('') ?? ''
}
