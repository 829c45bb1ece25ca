import { expect } from 'chai'
import fc from 'fast-check'
import CachePolicy from 'http-cache-semantics'
import { parseCacheControl } from '../../../lib/http/cache-control.ts'
import type { Fields } from '../../../lib/http/fields.ts'
import { HEURISTIC_STATUSES } from '../../../lib/http/freshness.ts'
import { judgeReuse } from '../../../lib/http/reuse.ts'
import { storedResponse } from '../../../lib/http/stored-response.ts'
import { judgeStoring } from '../../../lib/http/storing.ts'
import { type Directive, type Exchange, exchanges, RECEIVED, type SentDate } from '../../fuzz/exchanges.ts'

/**
 * Our verdicts beside those of http-cache-semantics 4.3, on exchanges that it knows nothing about beforehand. Where it differs
 * from RFC 9111 it is told so: an explanation changes what it is asked, or what it answers, in the way the RFC says. With all
 * explanations it must say exactly what we say, and each of them must be needed.
 */

const RUNS = Number(process.env['DIFF_RUNS'] ?? 100_000)
const SEED = Number(process.env['DIFF_SEED'] ?? 9111)
/** With DIFF_REPORT=1 it says how often each explanation was needed; that takes longer. */
const REPORT = process.env['DIFF_REPORT'] === '1'

/** Seconds after the response at which somebody asks again. */
const MOMENTS = [0, 29, 30, 59, 60, 61, 90, 600, 3600, 8000]

type Answer = 'serve' | 'serve-stale' | 'ask'

/** What can be seen of a cache. */
interface View {
  readonly stored: boolean
  /** Ms of freshness left on arrival, 0 for none. */
  readonly lifetime: number
  readonly answers: readonly Answer[]
}

const NOTHING: View = { stored: false, lifetime: 0, answers: MOMENTS.map(() => 'ask') }

/** What time has done to a response. Seconds. */
interface Moment {
  /** From when the response was generated. */
  readonly lifetime: number
  /** Since it arrived. */
  readonly since: number
  /** Freshness that is left, negative when it is stale. */
  readonly left: number
}

interface Explanation {
  readonly name: string
  /** Where the RFCs say so. */
  readonly by: string
  /** Is there anything in it that this is about? */
  applies(exchange: Exchange): boolean
  /** What it should have been given; where it knows no difference the exchange is made one that it judges rightly. */
  given?(exchange: Exchange): Exchange
  /** What it should have heard in the second request; `left` seconds of freshness are left. */
  heard?(wishes: readonly Directive[], exchange: Exchange, left: number): readonly Directive[]
  /** What it should have answered. */
  answered?(answer: Answer, exchange: Exchange, moment: Moment): Answer
  /** What it should have done altogether: nothing. */
  refused?(exchange: Exchange, arrival: Moment): boolean
}

const has = (exchange: Exchange, name: string): boolean =>
  exchange.directives.some((directive) => directive.name === name)
const whole = ({ directives }: Exchange, name: string): boolean =>
  directives.some((directive) => directive.name === name && directive.qualified !== true)
const wants = ({ wishes }: Exchange, name: string): boolean => wishes.some((wish) => wish.name === name)
const lifetimes = ({ directives }: Exchange): readonly Directive[] =>
  directives.filter(({ name }) => name === 'max-age' || name === 's-maxage')
const secondsOf = ({ directives }: Exchange, wanted: string): number[] =>
  directives.flatMap(({ name, seconds }) => (name === wanted && seconds !== undefined ? [seconds] : []))

function changed(exchange: Exchange, change: (directive: Directive) => Directive | undefined): Exchange {
  const directives = exchange.directives.map(change).filter((directive) => directive !== undefined)
  return { ...exchange, directives }
}

/** A lifetime that is no number, two that differ, or a quote without end, behind which anything may stand. */
function contradicts(exchange: Exchange): boolean {
  const differ = (name: string) => new Set(secondsOf(exchange, name)).size > 1
  return exchange.unclosed || lifetimes(exchange).some(({ odd }) => odd) || differ('max-age') || differ('s-maxage')
}

/** It says how long it is fresh, but not so that it can be understood. */
function isInvalid(exchange: Exchange): boolean {
  const { unclosed, expires } = exchange
  return unclosed || lifetimes(exchange).length > 0
    ? contradicts(exchange)
    : expires !== undefined && expires.instant === undefined
}

function hasValidator({ etag, lastModified }: Exchange): boolean {
  return (etag !== undefined && etag !== 'a') || lastModified?.instant !== undefined
}

/** May a lifetime be guessed (RFC 9111 s. 4.2.2)? */
function mayBeGuessed(exchange: Exchange): boolean {
  return HEURISTIC_STATUSES.has(exchange.status) || has(exchange, 'public')
}

/** Does anything say or suggest how long it is fresh? */
function givesLifetime(exchange: Exchange): boolean {
  const { unclosed, expires, pragma, lastModified } = exchange
  if (unclosed || expires !== undefined || lifetimes(exchange).length > 0) return true
  return mayBeGuessed(exchange) && !pragma && lastModified?.instant !== undefined
}

/** Does the response forbid to use it stale? */
function forbidsStale(exchange: Exchange): boolean {
  const named = ['must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) => has(exchange, name))
  return named || whole(exchange, 'no-cache') || isInvalid(exchange)
}

/** How long (s) after the end of its freshness it may be used stale, or kept for that. */
function windowOf(exchange: Exchange, name: 'stale-while-revalidate' | 'stale-if-error'): number {
  return forbidsStale(exchange)
    ? 0
    : Math.min(...secondsOf(exchange, name), Number.POSITIVE_INFINITY) % Number.POSITIVE_INFINITY || 0
}

/** May it stand in where there is no answer at all? Not where it says itself for how long (RFC 9111 s. 4.2.4). */
function mayStandIn(exchange: Exchange): boolean {
  return !forbidsStale(exchange) && secondsOf(exchange, 'stale-if-error').length === 0
}

/** Seconds after its arrival until the end of what its directives allow. */
function allowedFor(exchange: Exchange, { since, left }: Moment): number {
  return since + left + Math.max(windowOf(exchange, 'stale-while-revalidate'), windowOf(exchange, 'stale-if-error'))
}

/** For how many seconds after its arrival we keep a response. */
function keptFor(exchange: Exchange, moment: Moment): number {
  const allowed = allowedFor(exchange, moment)
  if (!mayStandIn(exchange) && !hasValidator(exchange)) return allowed
  // As long again, a minute at least and an hour at most.
  const fresh = Math.max(0, moment.since + moment.left)
  return Math.max(allowed, fresh + Math.min(3600, Math.max(60, fresh)))
}

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/
const rewritten = (date: SentDate | undefined, otherwise: SentDate | undefined): SentDate | undefined =>
  date?.instant === undefined ? date && otherwise : { ...date, text: new Date(date.instant).toUTCString() }

/** In this order: the later ones see what the earlier ones have made of the exchange. */
const EXPLANATIONS: readonly Explanation[] = [
  {
    name: 'what stands in quotes is no directive',
    by: 'RFC 9110 5.6.4',
    applies: ({ directives }) => directives.some(({ text }) => text.startsWith('foo="')),
    given: (exchange) => changed(exchange, (directive) => (directive.text.startsWith('foo="') ? undefined : directive)),
  },
  {
    name: 'names have no case',
    by: 'RFC 9111 5.2',
    applies: ({ directives, wishes }) => [...directives, ...wishes].some(({ text }) => text !== text.toLowerCase()),
    given: (exchange) => changed(exchange, (directive) => ({ ...directive, text: directive.text.toLowerCase() })),
    heard: (wishes) => wishes.map((wish) => ({ ...wish, text: wish.text.toLowerCase() })),
  },
  {
    name: 'an argument permits nothing',
    by: 'RFC 9111 5.2',
    applies: ({ directives }) => directives.some(({ text }) => text.startsWith('public=')),
    given: (exchange) =>
      changed(exchange, (directive) => (directive.text.startsWith('public=') ? undefined : directive)),
  },
  {
    name: 'an empty argument lifts no restriction',
    by: 'RFC 9111 5.2',
    applies: ({ directives }) => directives.some(({ name, odd }) => odd && RESTRICTIONS.has(name)),
    given: (exchange) =>
      changed(exchange, (directive) =>
        directive.odd && RESTRICTIONS.has(directive.name) ? { ...directive, text: directive.name } : directive,
      ),
  },
  {
    name: 'private and no-cache may be about some fields only',
    by: 'RFC 9111 5.2.2.4, 5.2.2.7',
    applies: ({ directives }) => directives.some(({ qualified }) => qualified),
    given: (exchange) => changed(exchange, (directive) => (directive.qualified ? undefined : directive)),
  },
  {
    name: 'a lifetime that is no number, contradicts itself or stands beside an open quote is none',
    by: 'RFC 9111 4.2.1',
    applies: contradicts,
    given: (exchange) => {
      const others = exchange.directives.filter((directive) => !lifetimes(exchange).includes(directive))
      const nothing = [...new Set(['max-age', ...lifetimes(exchange).map(({ name }) => name)])]
      return {
        ...exchange,
        unclosed: false,
        directives: [...others, ...nothing.map((name) => ({ name, text: `${name}=0` }))],
      }
    },
  },
  {
    name: 'no time is longer than 2^31 seconds',
    by: 'RFC 9111 1.2.2',
    applies: ({ directives, age }) => [...directives.map(({ text }) => text), age].some((text) => text?.includes(HUGE)),
    given: (exchange) => ({
      ...changed(exchange, (directive) => ({ ...directive, text: directive.text.replace(HUGE, '2147483648') })),
      age: exchange.age?.replace(HUGE, '2147483648'),
    }),
  },
  {
    name: 'of several stale-while-revalidate the strictest counts, of malformed ones none',
    by: 'RFC 5861 3',
    applies: (exchange) => has(exchange, 'stale-while-revalidate'),
    given: (exchange) => {
      const seconds = secondsOf(exchange, 'stale-while-revalidate')
      const strictest: Directive[] =
        seconds.length === 0
          ? []
          : [{ text: `stale-while-revalidate=${Math.min(...seconds)}`, name: 'stale-while-revalidate' }]
      const others = exchange.directives.filter(({ name }) => name !== 'stale-while-revalidate')
      return { ...exchange, directives: [...others, ...strictest] }
    },
  },
  {
    name: 'must-understand decides about no-store',
    by: 'RFC 9111 5.2.2.3',
    applies: (exchange) => has(exchange, 'must-understand'),
    given: (exchange) => {
      if (exchange.status === 599) return { ...exchange, noStore: true }
      return changed(exchange, (directive) => (directive.name === 'no-store' ? undefined : directive))
    },
  },
  {
    name: 'with explicit freshness any final status is stored',
    by: 'RFC 9111 3',
    applies: ({ status }) => [201, 400, 403, 451, 500, 503, 599].includes(status),
    // Statuses that it understands, with and without heuristics.
    given: (exchange) => ({ ...exchange, status: HEURISTIC_STATUSES.has(exchange.status) ? 410 : 302 }),
  },
  {
    name: 'the answer to POST is for GET, where it says so',
    by: 'RFC 9110 9.3.3',
    applies: (exchange) => exchange.method === 'POST' && answersGet(exchange),
    given: (exchange) => ({ ...exchange, method: 'GET' }),
  },
  {
    name: 'the answer to POST is for nobody else, where it does not say so',
    by: 'RFC 9110 9.3.3',
    applies: (exchange) => exchange.method === 'POST' && !answersGet(exchange),
    refused: () => true,
  },
  {
    name: 'the answer to HEAD has no content to answer GET with, and need not be stored',
    by: 'RFC 9111 3',
    applies: ({ method }) => method === 'HEAD',
    refused: () => true,
  },
  {
    name: 'what varies by everything need not be stored',
    by: 'RFC 9111 4.1',
    applies: ({ vary }) => vary?.includes('*') === true,
    refused: () => true,
  },
  {
    name: 'what never ends need not be stored',
    by: 'RFC 9111 3',
    applies: ({ contentType }) => contentType !== undefined,
    refused: () => true,
  },
  {
    name: 'a cookie does not keep from storing',
    by: 'RFC 9111 7.3',
    applies: ({ setCookie }) => setCookie,
    given: (exchange) => ({ ...exchange, setCookie: false }),
  },
  {
    name: 'Pragma in a response means nothing but that nothing is guessed',
    by: 'RFC 9111 5.4',
    applies: ({ pragma }) => pragma,
    given: (exchange) => ({ ...exchange, pragma: false, lastModified: undefined }),
  },
  {
    name: 'a date is one of three forms',
    by: 'RFC 9110 5.6.7',
    applies: ({ date, expires, lastModified }) =>
      [date, expires, lastModified].some((sent) => sent !== undefined && !IMF_FIXDATE.test(sent.text)),
    given: ({ date, expires, lastModified, ...exchange }) => ({
      ...exchange,
      date: rewritten(date, undefined),
      expires: rewritten(expires, { text: '0', instant: undefined }),
      lastModified: rewritten(lastModified, undefined),
    }),
  },
  {
    name: 'a guess is a day at most',
    by: 'RFC 9111 4.2.2',
    applies: (exchange) =>
      lifetimes(exchange).length === 0 && exchange.expires === undefined && oldest(exchange) !== undefined,
    given: (exchange) => ({ ...exchange, ...oldest(exchange) }),
  },
  {
    name: 'an Age that is no number is none',
    by: 'RFC 9111 5.1',
    applies: ({ age }) => age !== undefined && !/^\d+(?:,|$)/.test(age),
    given: (exchange) => ({ ...exchange, age: undefined }),
  },
  {
    name: 'the time the response took is part of its age',
    by: 'RFC 9111 4.2.3',
    applies: ({ delay }) => delay > 0,
    given: (exchange) => ({ ...exchange, age: String(Number.parseInt(exchange.age ?? '0', 10) + exchange.delay) }),
  },
  {
    name: 'the time since Date is part of its age',
    by: 'RFC 9111 4.2.3',
    applies: ({ date }) => date?.instant !== undefined && date.instant < RECEIVED - 999,
    given: (exchange) => {
      const since = (RECEIVED - 999 - (exchange.date?.instant ?? RECEIVED)) / 1000
      return { ...exchange, age: String(Math.max(since, Number.parseInt(exchange.age ?? '0', 10))) }
    },
  },
  {
    name: 'must-revalidate is about stale responses',
    by: 'RFC 9111 5.2.2.2',
    applies: (exchange) => has(exchange, 'must-revalidate'),
    // It also permits what `authorization` forbids.
    given: (exchange) => ({
      ...changed(exchange, (directive) => (directive.name === 'must-revalidate' ? undefined : directive)),
      authorized: false,
    }),
  },
  {
    name: 'proxy-revalidate is about stale responses',
    by: 'RFC 9111 5.2.2.8',
    applies: (exchange) => has(exchange, 'proxy-revalidate'),
    given: (exchange) =>
      changed(exchange, (directive) => (directive.name === 'proxy-revalidate' ? undefined : directive)),
  },
  {
    name: 'what is immutable is not validated for a reload while it is fresh',
    by: 'RFC 8246 2',
    applies: (exchange) => has(exchange, 'immutable') && wants(exchange, 'max-age'),
    heard: (wishes, _exchange, left) => (left > 0 ? wishes.filter(({ name }) => name !== 'max-age') : wishes),
  },
  {
    name: 'max-age=0, or one that is no number, asks for validation',
    by: 'RFC 9111 5.2.1.1',
    applies: ({ wishes }) => wishes.some(({ name, seconds }) => name === 'max-age' && !seconds),
    heard: (wishes) =>
      wishes.map((wish) => (wish.name === 'max-age' && !wish.seconds ? { ...wish, text: 'no-cache' } : wish)),
  },
  {
    name: 'max-stale permits as much as it says',
    by: 'RFC 9111 5.2.1.2',
    applies: ({ wishes }) => wishes.some(({ name, seconds }) => name === 'max-stale' && Number.isFinite(seconds)),
    heard: (wishes) =>
      wishes.map((wish) =>
        wish.name === 'max-stale' && Number.isFinite(wish.seconds) ? { ...wish, text: `${wish.text}.5` } : wish,
      ),
  },
  {
    name: 'no-cache is never used without validation',
    by: 'RFC 9111 5.2.2.4',
    applies: (exchange) => whole(exchange, 'no-cache'),
    // It has a lifetime like any other: for that it is kept.
    given: (exchange) => changed(exchange, (directive) => (directive.name === 'no-cache' ? undefined : directive)),
    answered: () => 'ask',
  },
  {
    name: 'nobody is served stale where the response forbids it',
    by: 'RFC 9111 4.2.4',
    applies: forbidsStale,
    answered: (answer, _exchange, { left }) => (left <= 0 ? 'ask' : answer),
  },
  {
    name: 'who asks for freshness is not served stale meanwhile',
    by: 'RFC 9111 5.2.1',
    applies: (exchange) => wants(exchange, 'max-age') || wants(exchange, 'min-fresh'),
    answered: (answer) => (answer === 'serve-stale' ? 'ask' : answer),
  },
  {
    name: 'what nothing gives a lifetime is stored for validation only',
    by: 'RFC 9111 3, RFC 5861 3',
    applies: (exchange) => !givesLifetime(exchange) && !(mayBeGuessed(exchange) && hasValidator(exchange)),
    refused: () => true,
  },
  {
    name: 'what is stale is not kept for ever',
    by: 'RFC 9111 4.2.4',
    applies: ({ wishes }) => wishes.some(({ name }) => name === 'max-stale'),
    answered: (answer, exchange, moment) => (moment.since >= keptFor(exchange, moment) ? 'ask' : answer),
  },
  {
    name: 'what nobody can be served with is not stored',
    by: 'RFC 9111 3',
    applies: (exchange) => !hasValidator(exchange),
    refused: (exchange, arrival) =>
      whole(exchange, 'no-cache') ||
      (allowedFor(exchange, arrival) <= 0 && !(arrival.lifetime > 0 && mayStandIn(exchange))),
  },
]

/** The dates between which lies what makes the longest guess, where the ones that were sent make a longer one. */
function oldest({ date, lastModified }: Exchange): Pick<Exchange, 'date' | 'lastModified'> | undefined {
  const generated = date?.instant ?? RECEIVED - 999
  const instant = generated - 864_000_000
  if (lastModified?.instant === undefined || lastModified.instant >= instant) return undefined
  const sent = (ms: number): SentDate => ({ text: new Date(ms).toUTCString(), instant: ms })
  return { date: sent(generated), lastModified: sent(instant) }
}

/** More seconds than anybody counts. */
const HUGE = '99999999999'

const RESTRICTIONS: ReadonlySet<string> = new Set(['no-store', 'private', 'no-cache'])

/** Only an answer with a lifetime of its own and with the target's own URI (RFC 9110 s. 9.3.3). */
function answersGet(exchange: Exchange): boolean {
  const { status, contentLocation, expires, unclosed } = exchange
  const explicit = unclosed || lifetimes(exchange).length > 0 || expires !== undefined
  return status < 300 && contentLocation === '/' && explicit && !isInvalid(exchange)
}

function fieldsOf(exchange: Exchange): Record<string, string> {
  const control = [...exchange.directives.map(({ text }) => text), ...(exchange.unclosed ? ['foo="a'] : [])]

  const { date, expires, lastModified, age, etag, vary, setCookie, pragma, contentType, contentLocation } = exchange
  const fields = {
    'cache-control': control.length === 0 ? undefined : control.join(', '),
    date: date?.text,
    expires: expires?.text,
    'last-modified': lastModified?.text,
    age,
    etag,
    vary,
    'set-cookie': setCookie ? 'a=b' : undefined,
    pragma: pragma ? 'no-cache' : undefined,
    'content-type': contentType,
    'content-location': contentLocation,
  }
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

function textOf(wishes: readonly Directive[]): string | undefined {
  return wishes.length === 0 ? undefined : wishes.map(({ text }) => text).join(', ')
}

/** What our cache does, in the profile rfc. */
function ours(exchange: Exchange): View {
  const fields: Fields = Object.entries(fieldsOf(exchange))
  const verdict = judgeStoring({
    status: exchange.status,
    fields,
    method: exchange.method,
    uri: 'http://example.com/',
    headers: {},
    requestNoStore: exchange.noStore,
    credentials: exchange.authorized ? 'authorization' : undefined,
    permitted: false,
    defaults: { ttl: false },
    profile: 'rfc',
    storeSetCookie: true,
    targets: ['cachewell-cache-control', 'cdn-cache-control'],
    heuristics: true,
    sMaxageAllowsStale: false,
    requestedAt: RECEIVED - exchange.delay * 1000,
    respondedAt: RECEIVED,
  })
  if (!verdict.store) return NOTHING
  const { cachedAt, staleAt, deleteAt } = verdict
  const value = storedResponse({
    ...verdict,
    status: exchange.status,
    reason: undefined,
    fields,
    body: Buffer.alloc(0),
  })
  const entry = { ...PLACE, cachedAt, staleAt, deleteAt, value }
  const wish = textOf(exchange.wishes)
  const directives = wish === undefined ? undefined : parseCacheControl(wish)
  return {
    stored: true,
    lifetime: Math.round(Math.max(0, staleAt - RECEIVED)),
    answers: MOMENTS.map((since) => {
      const now = RECEIVED + since * 1000
      if (now >= deleteAt) return 'ask'
      const { kind } = judgeReuse(entry, { credentialed: exchange.authorized, directives, now })
      return kind === 'serve' || kind === 'serve-stale' ? kind : 'ask'
    }),
  }
}

/** Where an entry is kept makes no difference here. */
const PLACE = { kind: 'response', key: '', name: '', tags: [], incarnation: '', seq: 0, fence: 0, size: 0 } as const

/** What time it is for the other one, which asks in its constructor already. */
let time = RECEIVED

class Oracle extends CachePolicy {
  override now(): number {
    return time
  }
}

/** What http-cache-semantics does, after these explanations. */
function theirs(original: Exchange, explanations: readonly Explanation[]): View {
  let exchange = original
  for (const { given } of explanations) exchange = given?.(exchange) ?? exchange
  const { method, authorized, noStore, status } = exchange
  const request = {
    method,
    url: '/',
    headers: { ...(authorized ? { authorization: 'x' } : {}), ...(noStore ? { 'cache-control': 'no-store' } : {}) },
  }
  time = RECEIVED
  const oracle = new Oracle(
    request,
    { status, headers: fieldsOf(exchange) },
    { shared: true, immutableMinTimeToLive: 0 },
  )
  if (!oracle.storable()) return NOTHING
  const lifetime = oracle.maxAge()
  const arrival: Moment = { lifetime, since: 0, left: lifetime - oracle.age() }
  if (explanations.some(({ refused }) => refused?.(original, arrival))) return NOTHING
  return {
    stored: true,
    lifetime: Math.round(Math.max(0, arrival.left) * 1000),
    answers: MOMENTS.map((since) => {
      time = RECEIVED + since * 1000
      const left = arrival.left - since
      let wishes = original.wishes
      for (const { heard } of explanations) wishes = heard?.(wishes, original, left) ?? wishes
      let answer = theirAnswer(oracle, wishes)
      for (const { answered } of explanations)
        answer = answered?.(answer, original, { lifetime, since, left }) ?? answer
      return answer
    }),
  }
}

function theirAnswer(oracle: Oracle, wishes: readonly Directive[]): Answer {
  const wish = textOf(wishes)
  const headers: Record<string, string> = wish === undefined ? {} : { 'cache-control': wish }
  const { response, revalidation } = oracle.evaluateRequest({ method: 'GET', url: '/', headers })
  if (response === undefined) return 'ask'
  return revalidation === undefined ? 'serve' : 'serve-stale'
}

describe('beside http-cache-semantics', () => {
  it('stores, keeps and serves the same, but for what is explained, and needs each explanation', () => {
    const needed = new Map(EXPLANATIONS.map(({ name }) => [name, 0]))
    let [kept, equal] = [0, 0]
    const property = fc.property(exchanges, (exchange) => {
      const expected = JSON.stringify(ours(exchange))
      const says = (explanations: readonly Explanation[]) => JSON.stringify(theirs(exchange, explanations))
      const relevant = EXPLANATIONS.filter(({ applies }) => applies(exchange))
      expect(says(relevant)).to.equal(expected)
      for (const explanation of relevant) {
        const { name } = explanation
        const times = needed.get(name) ?? 0
        // Once is enough to know, unless somebody wants to see how often.
        if ((times > 0 && !REPORT) || says(relevant.filter((other) => other !== explanation)) === expected) continue
        needed.set(name, times + 1)
      }
      if (!REPORT) return
      if (says([]) === expected) equal++
      if (ours(exchange).stored) kept++
    })
    fc.assert(property, { numRuns: RUNS, seed: SEED })
    if (REPORT) report(needed, kept, equal)
    expect([...needed].filter(([, times]) => times === 0)).to.deep.equal([])
  }).timeout(60_000)
})

function report(needed: ReadonlyMap<string, number>, kept: number, equal: number): void {
  console.log(`${RUNS} exchanges, seed ${SEED}: ${kept} stored, ${equal} the same without explanation; needed were`)
  for (const { name, by } of EXPLANATIONS) console.log(`${String(needed.get(name)).padStart(6)}  ${name} (${by})`)
}
