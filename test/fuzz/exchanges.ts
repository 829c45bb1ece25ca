import fc from 'fast-check'
import { formatHttpDate } from '../../lib/http/dates.ts'

/** A directive as it is sent, and what it means by RFC 9111. */
export interface Directive {
  readonly text: string
  /** Lower-case; '' for what is only there to confuse. */
  readonly name: string
  /** Seconds, where that is what it should say; undefined where it says something else. */
  readonly seconds?: number | undefined
  /** Field names follow: it is about these fields only. */
  readonly qualified?: boolean
  /** An argument that it does not have, or an empty one. */
  readonly odd?: boolean
}

/** A date as it is sent, and the instant it names; undefined for what is no HTTP-date. */
export interface SentDate {
  readonly text: string
  readonly instant: number | undefined
}

/** A response, the request it answers, and what a second request for the same asks for. */
export interface Exchange {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly authorized: boolean
  /** The first request says `no-store`. */
  readonly noStore: boolean
  readonly status: number
  readonly directives: readonly Directive[]
  /** A quote without end follows them. */
  readonly unclosed: boolean
  readonly date: SentDate | undefined
  readonly expires: SentDate | undefined
  readonly lastModified: SentDate | undefined
  readonly age: string | undefined
  readonly etag: string | undefined
  readonly vary: string | undefined
  readonly setCookie: boolean
  readonly pragma: boolean
  readonly contentType: string | undefined
  readonly contentLocation: string | undefined
  /** Seconds from the request to the response. */
  readonly delay: number
  /** Directives of the second request. */
  readonly wishes: readonly Directive[]
}

/** When the head of every response is complete: at the end of a second, so that `Date` of that second is no age. */
export const RECEIVED: number = Date.UTC(2026, 10, 21) + 999

/** Exchanges that tell caches apart. */
export const exchanges: fc.Arbitrary<Exchange> = fc.record({
  method: mostly<Exchange['method']>('GET', ['HEAD', 'POST', 'POST']),
  authorized: mostly(false, [true]),
  noStore: mostly(false, [true]),
  status: fc.oneof(
    { weight: 3, arbitrary: fc.constant(200) },
    { weight: 4, arbitrary: fc.constantFrom(203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501) },
    { weight: 1, arbitrary: fc.constantFrom(201, 206, 304, 400, 403, 412, 429, 451, 500, 503, 599) },
  ),
  directives: fc.array(fc.oneof({ weight: 3, arbitrary: plain() }, { weight: 1, arbitrary: odd() }), { maxLength: 4 }),
  unclosed: mostly(false, [true]),
  date: often<SentDate | undefined>(imf(0), [
    undefined,
    imf(-100),
    imf(-4000),
    imf(100),
    noDate('x'),
    noDate('2026-11-20T23:00:00Z'),
  ]),
  expires: often<SentDate | undefined>(undefined, [
    imf(-3600),
    imf(3600),
    imf(7200),
    { text: 'Saturday, 21-Nov-26 01:00:00 GMT', instant: Date.UTC(2026, 10, 21, 1) },
    { text: 'Friday, 21-Nov-70 01:00:00 GMT', instant: Date.UTC(2070, 10, 21, 1) },
    { text: 'Sat Nov 21 01:00:00 2026', instant: Date.UTC(2026, 10, 21, 1) },
    noDate('Sat, 21 Nov 2026 01:00:00 UTC'),
    noDate('Sat, 21 Nov 2026 1:00:00 GMT'),
    noDate('0'),
  ]),
  lastModified: often<SentDate | undefined>(undefined, [
    imf(-36_000),
    imf(-8_640_000),
    imf(3600),
    noDate('Fri, 20 Nov 2026 14:00:00 +0000'),
  ]),
  age: often<string | undefined>(undefined, ['0', '30', '100', '30, 7200', '5;x', '-50', '1.5', '99999999999']),
  etag: often<string | undefined>(undefined, ['"a"', 'W/"a"', 'a']),
  vary: mostly<string | undefined>(undefined, ['accept', '*', 'accept, *']),
  setCookie: mostly(false, [true]),
  pragma: mostly(false, [true]),
  contentType: mostly<string | undefined>(undefined, ['text/event-stream']),
  contentLocation: often<string | undefined>('/', [undefined, '/other']),
  delay: often(0, [7]),
  wishes: fc.uniqueArray(wish(), { maxLength: 3, selector: ({ name }) => name }),
})

/** One value in half of the cases, else one of the others. */
function often<T>(usual: T, others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(fc.constant(usual), fc.constantFrom(...others))
}

/** One value in most cases, seldom one of the others. */
function mostly<T>(usual: T, others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })
}

function imf(seconds: number): SentDate {
  const instant = Math.floor(RECEIVED / 1000 + seconds) * 1000
  return { text: formatHttpDate(instant), instant }
}

function noDate(text: string): SentDate {
  return { text, instant: undefined }
}

function flag(text: string): Directive {
  return { text, name: text.toLowerCase() }
}

function timed(name: string, seconds: number, text = `${name}=${seconds}`): Directive {
  return { text, name, seconds }
}

/** It should say how many seconds, but does not. */
function untimed(name: string, text: string): Directive {
  return { text, name, odd: true }
}

function plain(): fc.Arbitrary<Directive> {
  return fc.constantFrom(
    ...['public', 'private', 'no-store', 'no-cache', 'must-revalidate', 'proxy-revalidate', 'immutable'].map(flag),
    flag('must-understand'),
    ...[0, 60, 60, 3600].map((seconds) => timed('max-age', seconds)),
    ...[0, 60, 600].map((seconds) => timed('s-maxage', seconds)),
    ...[30, 900].map((seconds) => timed('stale-while-revalidate', seconds)),
    timed('stale-if-error', 300),
    { text: 'foo=1', name: '' },
  )
}

function odd(): fc.Arbitrary<Directive> {
  return fc.constantFrom<Directive>(
    // Without case.
    flag('Public'),
    flag('PRIVATE'),
    flag('No-Store'),
    flag('No-Cache'),
    flag('Must-Revalidate'),
    timed('max-age', 60, 'MAX-AGE=60'),
    timed('s-maxage', 600, 'S-MaxAge=600'),
    // Other ways to write a number, and what is none.
    timed('max-age', 60, 'max-age="60"'),
    timed('max-age', 60, 'max-age=0060'),
    timed('max-age', 2_147_483_648, 'max-age=99999999999'),
    untimed('max-age', 'max-age'),
    untimed('max-age', 'max-age='),
    untimed('max-age', 'max-age= 60'),
    untimed('max-age', 'max-age =60'),
    untimed('max-age', 'max-age=60s'),
    untimed('max-age', 'max-age=-60'),
    untimed('s-maxage', 's-maxage=60.5'),
    untimed('s-maxage', 's-maxage='),
    untimed('stale-while-revalidate', 'stale-while-revalidate=x'),
    untimed('stale-while-revalidate', 'stale-while-revalidate=60x'),
    // About some fields, or about the whole response after all.
    { text: 'private="x-user"', name: 'private', qualified: true },
    { text: 'private=x-user', name: 'private', qualified: true },
    { text: 'no-cache="set-cookie, x-user"', name: 'no-cache', qualified: true },
    { text: 'private=""', name: 'private', odd: true },
    { text: 'no-cache=""', name: 'no-cache', odd: true },
    { text: 'no-store=', name: 'no-store', odd: true },
    // Arguments that permit nothing.
    { text: 'public=1', name: '', odd: true },
    { text: 'public=""', name: '', odd: true },
    // What stands in quotes, or does not.
    { text: 'foo="a, no-store"', name: '' },
    { text: 'foo="a, max-age=3600, b"', name: '' },
  )
}

function wish(): fc.Arbitrary<Directive> {
  return fc.constantFrom<Directive>(
    flag('no-cache'),
    flag('NO-CACHE'),
    timed('max-age', 0),
    timed('max-age', 30),
    timed('max-age', 3600, 'Max-Age=3600'),
    untimed('max-age', 'max-age=soon'),
    timed('min-fresh', 30),
    timed('min-fresh', 600, 'MIN-FRESH=600'),
    timed('max-stale', Number.POSITIVE_INFINITY, 'max-stale'),
    timed('max-stale', 30),
    timed('max-stale', 600),
    untimed('max-stale', 'max-stale=x'),
    { text: 'foo=1', name: '' },
  )
}
