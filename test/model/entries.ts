import type { Profile, Run, Sent } from './history.ts'
import {
  type Directives,
  dateOf,
  dateText,
  directivesOf,
  fieldsNamed,
  type Lines,
  linesOf,
  membersOf,
  sameWeakly,
  saysPlainly,
  secondsOf,
  tagOf,
  targetedOf,
  valueOf,
  without,
} from './parse.ts'

/** A response that the cache may hold: one run of the handler, and what later runs have confirmed and changed of it. */
export interface Entry {
  /** Which runs it comes from. */
  readonly name: string
  readonly uri: string
  /** It answers HEAD only (REU-3). */
  readonly headOnly: boolean
  readonly status: number
  readonly fields: Lines
  /** Names of fields that a cache need not have kept: no answer before its confirmation could have them (HDR-6). */
  readonly unkept: readonly string[]
  readonly body: string
  readonly requestedAt: number
  readonly respondedAt: number
  /** When the run began that made or last confirmed it: a write after that makes it wrong. */
  readonly sinceTick: number
  /** When it was whole enough to be kept: runs that began before know nothing of it. */
  readonly madeTick: number
  /** The requests that select it, by the fields that its `Vary` names. */
  readonly selectors: Lines[]
  /** Why it may not be used without asking the handler, once that is so. */
  spoiled: string | undefined
  /** From when on it is not there any more, not even to be asked about. */
  goneTick: number
}

/** What governs a response: a targeted field, or `Cache-Control` with `Expires` (table P). */
export interface Policy {
  readonly directives: Directives
  readonly targeted: boolean
}

/** Table P */
export function policyOf(fields: Lines, profile: Profile): Policy {
  // DP-1
  for (const name of ['cachewell-cache-control', ...(profile === 'rfc' ? ['cdn-cache-control'] : [])]) {
    const directives = targetedOf(valueOf(fields, name))
    if (directives !== undefined) return { directives, targeted: true }
  }
  // DP-2
  return { directives: directivesOf(valueOf(fields, 'cache-control')), targeted: false }
}

/** How long a response is fresh (ms), between what is certain and what can be argued for. */
export interface Lifetime {
  readonly least: number
  readonly most: number
  /** `own` counts from the head, whatever the response's age (DESIGN, "Precedence"). */
  readonly basis: 'fields' | 'invalid' | 'own' | 'heuristic' | 'none'
}

const INVALID: Lifetime = { least: 0, most: 0, basis: 'invalid' }

/** Statuses that our own `ttl` applies to. */
const OWN_STATUSES = [200, 203, 204, 300, 301, 308]

/** FRE-10 */
const HEURISTIC_STATUSES = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 451, 501]

/** Our own `ttl` in profile safe (ms). */
const OWN_TTL = 60_000

/** What of a response decides its lifetime. */
interface Timed {
  readonly status: number
  readonly fields: Lines
  readonly respondedAt: number
}

export function lifetimeOf({ status, fields, respondedAt }: Timed, profile: Profile): Lifetime {
  const { directives, targeted } = policyOf(fields, profile)
  // FRE-2 to FRE-4, FRE-8
  for (const name of ['s-maxage', 'max-age']) {
    const seconds = secondsOf(directives, name, targeted)
    if (seconds === 'invalid') return INVALID
    if (seconds !== undefined) return { least: seconds * 1_000, most: seconds * 1_000, basis: 'fields' }
  }
  const date = dateOf(valueOf(fields, 'date'))
  const expires = targeted ? [] : linesOf(fields, 'expires')
  if (expires.length > 0) {
    // FRE-5, FRE-6
    const at = expires.length === 1 ? dateOf(expires[0]) : undefined
    if (at === undefined) return INVALID
    const [least, most] = [date ?? respondedAt, date ?? Math.floor(respondedAt / 1_000) * 1_000]
    return { least: Math.max(0, at - least), most: Math.max(0, at - most), basis: 'fields' }
  }
  if (profile === 'safe') {
    return OWN_STATUSES.includes(status)
      ? { least: OWN_TTL, most: OWN_TTL, basis: 'own' }
      : { least: 0, most: 0, basis: 'none' }
  }
  const modified = dateOf(valueOf(fields, 'last-modified'))
  if (modified === undefined || !(HEURISTIC_STATUSES.includes(status) || directives.has('public'))) {
    return { least: 0, most: 0, basis: 'none' }
  }
  // FRE-11; a `Date` of our own is the second that the response came in.
  const guess = Math.max(0, (date ?? respondedAt) + 999 - modified) / 10
  return { least: 0, most: Math.min(guess, 24 * 3_600_000), basis: 'heuristic' }
}

/** Current age (ms), between what is certain and what can be argued for: `Date` is a second, not an instant. */
export function agesOf(
  { fields, requestedAt, respondedAt }: Entry,
  now: number,
): readonly [least: number, most: number] {
  const date = dateOf(valueOf(fields, 'date')) ?? respondedAt
  const [member = ''] = (linesOf(fields, 'age')[0] ?? '').split(',')
  // AGE-5, AGE-6, AGE-1
  const told = /^\d+$/.test(member.trim()) ? Number(member) * 1_000 : 0
  const corrected = told + respondedAt - requestedAt
  // AGE-2, AGE-3
  const resident = Math.max(0, now - respondedAt)
  return [Math.max(respondedAt - date - 999, corrected) + resident, Math.max(respondedAt - date, corrected) + resident]
}

/** Certainly or arguably fresh (FRE-1): equal is stale. */
export function isFresh(entry: Entry, now: number, profile: Profile): boolean {
  return stalenessOf(entry, now, profile) < 0
}

/** For how long it has been stale at least (ms); negative while it can be called fresh. */
export function stalenessOf(entry: Entry, now: number, profile: Profile): number {
  const { most, basis } = lifetimeOf(entry, profile)
  return (basis === 'own' ? now - entry.respondedAt : agesOf(entry, now)[0]) - most
}

/** Does the request say who it comes from, in a way that keeps answers apart (AUT, DESIGN "Cookies and credentials")? */
export function isCredentialed({ fields }: Pick<Sent, 'fields'>, profile: Profile): boolean {
  const names = profile === 'rfc' ? ['authorization'] : ['authorization', 'cookie', 'x-api-key']
  return names.some((name) => valueOf(fields, name) !== undefined)
}

/** Does the response say that it is for everyone, whoever asked for it? */
export function isForEveryone(response: Timed, profile: Profile): boolean {
  const { directives } = policyOf(response.fields, profile)
  const shared = directives.has('public') || directives.has('s-maxage')
  // STO-6, AUT-2; in safe it has to give the lifetime, too.
  if (profile === 'rfc') return shared || directives.has('must-revalidate')
  return shared && lifetimeOf(response, profile).basis === 'fields'
}

/** DS-9 */
const NEVER_STORED = [304, 407, 408, 412, 416, 417, 421, 425, 426, 428, 429, 431, 511]

/** STC-5, as far as the generator goes. */
const UNDERSTOOD = [200, 203, 204, 301, 302, 404, 410, 500, 501, 502, 503, 504]

/** Why a response to this request may not be stored (table A at the head); undefined when it may. */
export function refusal(response: Timed, sent: Pick<Sent, 'method' | 'fields'>, profile: Profile): string | undefined {
  const { status, fields } = response
  const { directives } = policyOf(fields, profile)
  if (isBypassed(sent)) return 'DS-1 bypass'
  if (sent.method !== 'GET' && sent.method !== 'HEAD') return 'DS-3 method'
  if (directivesOf(valueOf(sent.fields, 'cache-control')).has('no-store')) return 'DS-7 request no-store'
  if (status < 200 || status > 599) return 'DS-8 status'
  if (NEVER_STORED.includes(status)) return 'DS-9 status'
  if (status === 206) return 'DS-10 part'
  const understanding = directives.has('must-understand')
  if (understanding && !UNDERSTOOD.includes(status)) return 'DS-11 must-understand'
  if (directives.has('no-store') && !understanding) return 'DS-12 no-store'
  if (saysPlainly(directives, 'private')) return 'DS-13 private'
  if (isCredentialed(sent, profile) && !isForEveryone(response, profile)) return 'DS-14 credentials'
  if (profile === 'safe') {
    const covered = [...fieldsNamed(directives, 'private'), ...fieldsNamed(directives, 'no-cache')]
    if (valueOf(fields, 'set-cookie') !== undefined && !covered.includes('set-cookie')) return 'DS-15 Set-Cookie'
    if (status >= 400) return 'STC-8 error'
  }
  if (nominated(fields) === '*') return 'DS-16 Vary: *'
  const explicit = ['public', 's-maxage', 'max-age'].some((name) => directives.has(name))
  if (explicit || HEURISTIC_STATUSES.includes(status)) return undefined
  return lifetimeOf(response, profile).basis === 'none' ? 'DS-19 no freshness' : undefined
}

/** DS-1: a condition that only the handler may judge, or content on a GET. */
export function isBypassed({ method, fields }: Pick<Sent, 'method' | 'fields'>): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  return ['if-match', 'if-unmodified-since', 'content-length'].some((name) => valueOf(fields, name) !== undefined)
}

/** Fields that are about the connection or may not be stored (HDR-2 to HDR-4), and framing. */
const NOT_STORED = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
]

/** The entry that a run can have left, or why table A forbids one. */
export function entryOf(run: Run, sent: Pick<Sent, 'method' | 'fields'>, profile: Profile): Entry | string {
  if (run.broken) return 'DS-31 it broke off'
  const validated = ['etag', 'last-modified'].some((name) => valueOf(run.fields, name) !== undefined)
  if (run.thrown && validated) return 'XPR-12 an error page with the validators of what was to be'
  const forbidden = refusal(run, sent, profile)
  if (forbidden !== undefined) return forbidden
  return {
    name: `run ${run.id}`,
    uri: run.uri,
    headOnly: run.method === 'HEAD',
    status: run.status,
    fields: storedFields(run, run.fields, profile),
    unkept: [],
    body: run.body,
    requestedAt: run.startedAt,
    respondedAt: run.respondedAt,
    sinceTick: run.startedTick,
    madeTick: run.headTick,
    selectors: [sent.fields],
    spoiled: undefined,
    goneTick: Number.POSITIVE_INFINITY,
  }
}

function storedFields({ respondedAt }: Run, fields: Lines, profile: Profile): Lines {
  const { directives } = policyOf(fields, profile)
  // HDR-5
  const dropped = [...NOT_STORED, ...fieldsNamed(directives, 'private')]
  // DS-15
  if (profile === 'safe' && fieldsNamed(directives, 'no-cache').includes('set-cookie')) dropped.push('set-cookie')
  const kept = without(fields, dropped)
  // HDR-8
  return valueOf(kept, 'date') === undefined ? [...kept, ['Date', dateText(respondedAt)]] : kept
}

/** Fields that a stored response keeps whatever an update says (HDR-21, HDR-22). */
const NOT_UPDATED = ['content-length', 'content-encoding', 'content-range', 'content-digest']

/** The entry after this 304 or HEAD (HDR-20 to HDR-24), and why it may not stay in the cache, if so (HDR-25). */
export function updated(
  entry: Entry,
  run: Run,
  sent: Pick<Sent, 'method' | 'fields'>,
  profile: Profile,
): { readonly entry: Entry; readonly refused: string | undefined } {
  const news = without(run.fields, [...NOT_STORED, ...NOT_UPDATED])
  const names = news.map(([name]) => name.toLowerCase())
  // HDR-24
  const merged = [...without(entry.fields, [...names, 'age', 'date']), ...news]
  const { respondedAt } = run
  const refused = refusal({ status: entry.status, fields: merged, respondedAt }, sent, profile)
  return {
    refused,
    entry: {
      ...entry,
      name: `${entry.name} + ${run.status === 304 ? '304' : 'HEAD'} of run ${run.id}`,
      fields: storedFields(run, merged, profile),
      unkept: [...entry.unkept, ...fieldsNamed(policyOf(entry.fields, profile).directives, 'no-cache')].filter(
        (name) => !names.includes(name),
      ),
      requestedAt: run.startedAt,
      respondedAt,
      sinceTick: run.startedTick,
      madeTick: run.headTick,
      selectors: [...entry.selectors, sent.fields],
      spoiled: undefined,
      goneTick: Number.POSITIVE_INFINITY,
    },
  }
}

/** Does a 304 speak of this entry (VAL-12)? */
export function identifies({ fields }: Run, entry: Entry): boolean {
  const [tag, modified] = [tagOf(fields), valueOf(fields, 'last-modified')]
  const known = tagOf(entry.fields)
  if (tag !== undefined && !tag.startsWith('W/')) return tag === known
  if (tag !== undefined && known !== undefined) return sameWeakly(tag, known)
  // One that names nothing is about the one response that was asked about (docs/decisions.md).
  if (tag === undefined && modified === undefined) return true
  return modified !== undefined && modified === valueOf(entry.fields, 'last-modified')
}

/** Does what a HEAD says fit the stored response (VAL-20)? */
export function fits({ fields, body, declared }: Run, entry: Entry): boolean {
  const tag = valueOf(fields, 'etag')
  const modified = valueOf(fields, 'last-modified')
  return (
    (tag === undefined || tag === valueOf(entry.fields, 'etag')) &&
    (modified === undefined || modified === valueOf(entry.fields, 'last-modified')) &&
    (!declared || body.length === entry.body.length)
  )
}

/** The names in `Vary`, lower-case; `*` where no request selects the response (VRY-5). */
export function nominated(fields: Lines): readonly string[] | '*' {
  const names = membersOf(valueOf(fields, 'vary') ?? '').map((name) => name.toLowerCase())
  return names.includes('*') ? '*' : names
}

/** Do the nominated fields of the request say what those of the entry's request said (VRY-1 to VRY-4)? */
export function selects(sent: Pick<Sent, 'fields'>, entry: Entry): boolean {
  return entry.selectors.some((selector) => saysTheSame(selector, sent.fields, entry))
}

/** The same whichever of its requests the cache has filed the entry under. */
export function selectsSurely(sent: Pick<Sent, 'fields'>, entry: Entry): boolean {
  return entry.selectors.every((selector) => saysTheSame(selector, sent.fields, entry))
}

function saysTheSame(one: Lines, other: Lines, entry: Entry): boolean {
  const names = nominated(entry.fields)
  return names !== '*' && names.every((name) => said(one, name) === said(other, name))
}

function said(fields: Lines, name: string): string | undefined {
  const value = valueOf(fields, name)
  if (value === undefined) return undefined
  const members = value.split(',').map((member) => member.trim())
  return name === 'accept-language' ? members.join(',').toLowerCase() : members.join(',')
}
