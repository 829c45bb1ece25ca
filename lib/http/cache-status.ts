import { type Outcome, type OutcomeResult, resultOf } from '../outcome.ts'
import { isTokenChar } from './fields.ts'

/** The value of `X-Cache`. */
export type XCache = 'HIT' | 'MISS' | 'STALE' | 'REVALIDATED' | 'BYPASS'

/** Our member of `Cache-Status` for an outcome (RFC 9211 s. 2); `key` is left out when it cannot be written. */
export function formatCacheStatus(outcome: Outcome, key?: string): string {
  let text: string = CACHE_NAME
  if (outcome.hit) text += '; hit'
  else if (outcome.forward !== undefined) text += `; fwd=${outcome.forward}`
  if (!outcome.hit && outcome.forwardStatus !== undefined) text += `; fwd-status=${outcome.forwardStatus}`
  if (outcome.ttl !== undefined) text += `; ttl=${wholeSeconds(outcome.ttl)}`
  // CST-8, CST-9: these two only with `fwd`.
  if (!outcome.hit) text += flag('stored', outcome.stored) + flag('collapsed', outcome.collapsed)
  const quotedKey = key === undefined ? undefined : quote(key)
  if (quotedKey !== undefined) text += `; key=${quotedKey}`
  const detail =
    outcome.detail === undefined ? undefined : isSfToken(outcome.detail) ? outcome.detail : quote(outcome.detail)
  return detail === undefined ? text : `${text}; detail=${detail}`
}

/** The same for a plain hit with `ttl` seconds left, negative when stale. */
export function hitCacheStatus(ttl: number): string {
  return `cachewell; hit; ttl=${Math.floor(ttl)}`
}

/** The value of `X-Cache` for an outcome; a collapsed request is a MISS, a stale answer after an error is STALE. */
export function xCache(outcome: Outcome): XCache {
  return X_CACHE[resultOf(outcome)]
}

/** How this cache is called in `Cache-Status`. */
const CACHE_NAME = 'cachewell'

/** The largest Integer of structured fields (RFC 9651 s. 3.3.1). */
const MAX_INTEGER = 999_999_999_999_999

const X_CACHE: Readonly<Record<OutcomeResult, XCache>> = {
  hit: 'HIT',
  stale: 'STALE',
  revalidated: 'REVALIDATED',
  miss: 'MISS',
  bypass: 'BYPASS',
}

function wholeSeconds(ttl: number): number {
  return Math.max(-MAX_INTEGER, Math.min(MAX_INTEGER, Math.floor(ttl)))
}

/** CST-14: true is bare, false is `?0`. */
function flag(name: string, value: boolean | undefined): string {
  if (value === undefined) return ''
  return value ? `; ${name}` : `; ${name}=?0`
}

/** A String of structured fields, undefined for what is not printable ASCII (RFC 9651 s. 4.1.6). */
function quote(text: string): string | undefined {
  let quoted = '"'
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e) return undefined
    if (code === 0x22 || code === 0x5c) quoted += '\\'
    quoted += text[index]
  }
  return `${quoted}"`
}

/** A Token of structured fields (RFC 9651 s. 3.3.4): may contain `:` and `/`, begins with a letter or `*`. */
function isSfToken(text: string): boolean {
  const first = text.charCodeAt(0) | 0x20
  if (!(first >= 0x61 && first <= 0x7a) && text[0] !== '*') return false
  for (let index = 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (!isTokenChar(code) && code !== 0x3a && code !== 0x2f) return false
  }
  return true
}
