import { parseList } from 'structured-headers'
import { MAX_DELTA_SECONDS, parseCacheControl } from '../../../lib/http/cache-control.ts'
import { formatCacheStatus } from '../../../lib/http/cache-status.ts'
import { type Fields, fieldValue } from '../../../lib/http/fields.ts'
import { type Freshness, freshnessLifetime, initialAge } from '../../../lib/http/freshness.ts'
import { judgeStoring, type Verdict } from '../../../lib/http/storing.ts'
import {
  AGE,
  CACHE_CONTROL,
  CODING,
  DATE,
  DETAIL,
  DICTIONARY,
  ENTITY_TAG,
  HEAD,
  KEY,
  MEDIA_TYPE,
  METHOD,
  PRAGMA,
  REFERENCE,
  STATUS,
  VARY,
} from '../seeds.ts'
import { firstOf, headOf, isAmount, isLowerToken, linesOf, type Slot, type Subject, type Texts } from '../subject.ts'

const NOW = Date.UTC(2026, 10, 21)

function optional(name: string, seeds: readonly string[]): Slot {
  return { name, seeds, optional: true }
}

function fieldsOf(slots: readonly Slot[], texts: Texts): Fields {
  return slots.flatMap(({ name }, index) => linesOf(name, texts[index]))
}

const FRESHNESS_FIELDS: readonly Slot[] = [
  optional('Cache-Control', CACHE_CONTROL),
  optional('Expires', DATE),
  optional('Date', DATE),
  optional('Last-Modified', DATE),
  optional('Pragma', PRAGMA),
]

const freshness: Subject<Freshness> = {
  name: 'freshnessLifetime',
  slots: [...FRESHNESS_FIELDS, { name: 'status', seeds: STATUS }],
  run: (texts) => {
    const fields = fieldsOf(FRESHNESS_FIELDS, texts)
    return freshnessLifetime({
      directives: parseCacheControl(fieldValue(fields, 'cache-control')),
      targeted: false,
      fields,
      status: Number(texts[5]),
      heuristics: true,
      receivedAt: NOW,
    })
  },
  problem: ({ lifetime, basis }) =>
    firstOf({
      'a lifetime is an amount of ms': isAmount(lifetime) && lifetime <= MAX_DELTA_SECONDS * 1000,
      'nothing lasts for nothing': lifetime === 0 || (basis !== 'none' && basis !== 'invalid'),
      'a guess is a day at most (FRE-11)': basis !== 'heuristic' || lifetime <= 86_400_000,
    }),
}

const AGE_FIELDS: readonly Slot[] = [optional('Age', AGE), optional('Date', DATE)]

const age: Subject<number> = {
  name: 'initialAge',
  slots: AGE_FIELDS,
  run: (texts) => initialAge({ fields: fieldsOf(AGE_FIELDS, texts), requestedAt: NOW - 5, respondedAt: NOW }),
  problem: (result) => firstOf({ 'an age is an amount of ms, the delay at least': isAmount(result) && result >= 5 }),
}

const STORING_FIELDS: readonly Slot[] = [
  optional('Cache-Control', CACHE_CONTROL),
  optional('CDN-Cache-Control', DICTIONARY),
  ...FRESHNESS_FIELDS.slice(1),
  optional('Age', AGE),
  optional('Vary', VARY),
  optional('ETag', ENTITY_TAG),
  optional('Content-Encoding', CODING),
  optional('Content-Type', MEDIA_TYPE),
  optional('Content-Location', REFERENCE),
]

const storing: Subject<Verdict> = {
  name: 'judgeStoring',
  slots: [
    ...STORING_FIELDS,
    optional('head', HEAD),
    { name: 'status', seeds: STATUS },
    { name: 'method', seeds: METHOD },
    { name: 'profile', seeds: ['rfc', 'safe'] },
  ],
  run: (texts) => {
    const [head, status, method = '', profile] = texts.slice(STORING_FIELDS.length)
    const rfc = profile === 'rfc'
    return judgeStoring({
      status: Number(status),
      fields: [...fieldsOf(STORING_FIELDS, texts), ...(head === undefined ? [] : headOf(head))],
      method,
      uri: 'http://example.com/posts/1',
      headers: { origin: 'http://other.example', 'accept-encoding': 'gzip' },
      requestNoStore: false,
      credentials: rfc ? undefined : 'cookie',
      permitted: false,
      defaults: rfc ? { ttl: false } : { ttl: 60_000 },
      profile: rfc ? 'rfc' : 'safe',
      storeSetCookie: rfc,
      targets: ['cachewell-cache-control', 'cdn-cache-control'],
      heuristics: rfc,
      sMaxageAllowsStale: false,
      requestedAt: NOW - 5,
      respondedAt: NOW,
    })
  },
  problem: (result) => {
    if (!result.store) {
      return firstOf({
        'a refusal has a reason and a rule': isLowerToken(result.reason) && /^[A-Z]{2,3}-[0-9]+$/.test(result.rule),
      })
    }
    const {
      cachedAt,
      staleAt,
      deleteAt,
      initialAge: initial,
      staleWhileRevalidate,
      staleIfError,
      withheld,
      vary,
    } = result
    return firstOf({
      'instants are numbers': [cachedAt, staleAt, deleteAt].every(Number.isFinite),
      'lengths are amounts': [initial, staleWhileRevalidate, staleIfError].every(isAmount),
      'it is kept for some time (DS-20)': deleteAt > cachedAt,
      'it is kept while it can be used': deleteAt >= staleAt + Math.max(staleWhileRevalidate, staleIfError),
      'named fields are names': [...withheld, ...vary, ...result.dropFields].every(isLowerToken),
    })
  },
}

const status: Subject<string> = {
  name: 'formatCacheStatus',
  slots: [
    { name: 'key', seeds: KEY, optional: true },
    { name: 'detail', seeds: DETAIL, optional: true },
  ],
  run: ([key, detail]) =>
    formatCacheStatus({ hit: false, forward: 'stale', ttl: -1, ...(detail === undefined ? {} : { detail }) }, key),
  problem: (result) => {
    try {
      return firstOf({ 'it is a list of one member (CST-1)': parseList(result).length === 1 })
    } catch {
      return 'it is a structured field (CST-1)'
    }
  },
}

/** What judges a response by its fields. */
export const VERDICTS: readonly Subject[] = [freshness, age, storing, status]
