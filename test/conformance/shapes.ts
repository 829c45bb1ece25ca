import type { Asked, Expectation, Fields, FieldWanted, Moment, OriginAnswer, Step } from './behaviour.ts'

/** Fresh for longer than any run. */
export const FRESH = 'max-age=3600'

/** A validator that says nothing about freshness. */
export const TAG = '"one"'

/** A modification date long ago. */
export const OLD = 'Wed, 09 Mar 2016 14:30:00 GMT'

/** A date in seconds from the moment the message is made; negative: before. */
export function inSeconds(seconds: number, form: Moment['form'] = 'imf'): Moment {
  return { inSeconds: seconds, form }
}

/** The same request twice; the second is answered from the cache. */
export function reused(fields: Fields, answer: OriginAnswer = {}, expect: Expectation = {}): readonly Step[] {
  return [{ answer: { ...answer, fields } }, { expect: { from: 'cache', ...expect } }]
}

/** The same request twice; both reach the origin. */
export function notReused(fields: Fields, answer: OriginAnswer = {}): readonly Step[] {
  return [{ answer: { ...answer, fields } }, { expect: { from: 'origin' } }]
}

/** An answer is stored, then another request is answered from the cache. */
export function reusedFor(first: Asked, second: Asked, fields: Fields, expect: Expectation = {}): readonly Step[] {
  return [
    { request: first, answer: { fields } },
    { request: second, expect: { from: 'cache', ...expect } },
  ]
}

/** An answer is stored, then another request reaches the origin. */
export function notReusedFor(first: Asked, second: Asked, fields: Fields): readonly Step[] {
  return [
    { request: first, answer: { fields } },
    { request: second, expect: { from: 'origin' } },
  ]
}

/** Stale from the start, with this long to go back (seconds): what is validated, or served stale. */
export function stale(cacheControl = '', age = 20): Fields {
  return { 'Cache-Control': `max-age=10${cacheControl === '' ? '' : `, ${cacheControl}`}`, Age: String(age) }
}

/** Stale from the start, and it has a tag. */
export const STALE_TAGGED: Fields = { ...stale(), ETag: TAG }

/** Lines as they came. A cache may join them into one (RFC 9110, 5.3), but for Set-Cookie. */
export function linesWanted(name: string, value: Fields[string]): FieldWanted {
  const lines = [value].flat().map(String)
  return name === 'Set-Cookie' ? lines : lines.join(', ')
}
