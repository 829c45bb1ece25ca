import { type InnerList, type Item, parseDictionary } from 'structured-headers'
import {
  applyDirective,
  type CacheControl,
  type Directive,
  type MutableCacheControl,
  NOTHING,
  parseCacheControl,
} from './cache-control.ts'
import { type Fields, fieldValue, splitOutsideQuotes } from './fields.ts'

/** The targeted field of our own, lower-case: always obeyed. */
export const OWN_TARGET = 'cachewell-cache-control'
/** The one that all caches of a delivery network obey. */
export const CDN_TARGET = 'cdn-cache-control'

/** TGT-12: is a targeted field that is obeyed here nobody else's business? Then clients do not see it. */
export function isForUs(target: string): boolean {
  return target !== CDN_TARGET
}

/** The directives that rule a response, and which field they stand in. */
export interface GoverningPolicy {
  /** `cache-control`, or the lower-case name of the targeted field. */
  readonly source: string
  readonly directives: CacheControl
  /** A targeted field governs: `Cache-Control` and `Expires` do not exist. */
  readonly targeted: boolean
}

/**
 * Which field decides about a response: the first of `targets` that is a valid, non-empty dictionary, else `Cache-Control`
 * (RFC 9213 s. 2.2). What a targeted field hides it hides completely, refusals included.
 */
export function governingPolicy(fields: Fields, targets: readonly string[]): GoverningPolicy {
  // DP-1
  for (const target of targets) {
    const value = fieldValue(fields, target)
    const directives = value === undefined ? undefined : parseTargeted(value)
    if (directives !== undefined) return { source: target.toLowerCase(), directives, targeted: true }
  }
  // DP-2
  return {
    source: 'cache-control',
    directives: parseCacheControl(fieldValue(fields, 'cache-control')),
    targeted: false,
  }
}

/** TGT-4: undefined for what is empty or no dictionary; the field then counts as absent. */
function parseTargeted(value: string): CacheControl | undefined {
  const dictionary = dictionaryOf(value)
  if (dictionary === undefined || dictionary.size === 0) return undefined
  const directives: MutableCacheControl = { ...NOTHING }
  for (const [name, member] of dictionary) {
    const directive = directiveOf(name, member, value)
    if (directive !== undefined) applyDirective(directives, directive)
  }
  return directives
}

function dictionaryOf(value: string): Map<string, Item | InnerList> | undefined {
  try {
    return parseDictionary(value)
  } catch {
    return undefined
  }
}

/**
 * TGT-5, TGT-7: a member of the wrong type becomes a malformed directive, which restricts where it can and permits nothing.
 * `?0` is a member that is not there.
 */
function directiveOf(name: string, [value]: Item | InnerList, text: string): Directive | undefined {
  const lifetime = name === 'max-age' || name === 's-maxage'
  if (value === false) return lifetime ? { name, value: null } : undefined
  if (value === true) return { name, value: undefined }
  // TGT-9: the fields that `no-cache` and `private` are about stand in a String.
  if (name === 'no-cache' || name === 'private') return { name, value: typeof value === 'string' ? value : null }
  if (typeof value !== 'number' || value < 0) return { name, value: null }
  if (TIMES.has(name) && isDecimal(name, text)) return { name, value: null }
  return { name, value: String(value) }
}

/** Directives whose value is a number of seconds. */
const TIMES: ReadonlySet<string> = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'])

/** Was the last member of this name written with a decimal point? The parser gives `60.0` and `60` as the same number. */
function isDecimal(name: string, text: string): boolean {
  const member = splitOutsideQuotes(text, ',').findLast((candidate) => candidate.startsWith(`${name}=`))
  return member !== undefined && splitOutsideQuotes(member, ';')[0]?.includes('.') === true
}
