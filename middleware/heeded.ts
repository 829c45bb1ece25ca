import type { RequestHeaders } from '../lib/http/fields.ts'

/** What the fields of a request may ask of a cache, one bit each. */
export const CONTENT = 1
export const PRECONDITION = 2
export const UPGRADE = 4
export const OVERRIDE = 8
export const FORWARDED = 16
export const CREDENTIALS = 32
export const DIRECTIVES = 64
export const CONDITION = 128
export const RANGE = 256
export const CODING = 512

const MEANING: ReadonlyMap<string, number> = new Map([
  [':method', CONTENT],
  ['content-length', CONTENT],
  ['transfer-encoding', CONTENT],
  ['if-match', PRECONDITION],
  ['if-unmodified-since', PRECONDITION],
  ['upgrade', UPGRADE],
  ['x-http-method', OVERRIDE],
  ['x-http-method-override', OVERRIDE],
  ['x-method-override', OVERRIDE],
  ['x-forwarded-host', FORWARDED],
  ['x-forwarded-proto', FORWARDED],
  ['authorization', CREDENTIALS],
  ['cookie', CREDENTIALS],
  ['proxy-authorization', CREDENTIALS],
  ['x-api-key', CREDENTIALS],
  ['cache-control', DIRECTIVES],
  ['pragma', DIRECTIVES],
  ['if-modified-since', CONDITION],
  ['if-none-match', CONDITION],
  ['range', RANGE],
  ['accept-encoding', CODING],
])

/**
 * Which of these a request asks. One look at each of its fields costs less than asking for those that may be there, of which most never
 * are: node gives the fields of hardly two clients the same hidden class.
 */
export function heededIn(headers: RequestHeaders): number {
  let heeded = 0
  for (const name in headers) heeded |= MEANING.get(name) ?? 0
  return heeded
}
