import {
  type CacheControl,
  MAX_DELTA_SECONDS,
  parseCacheControl,
  parseDeltaSeconds,
} from '../../../lib/http/cache-control.ts'
import { type GoverningPolicy, governingPolicy } from '../../../lib/http/targeted.ts'
import { CACHE_CONTROL, DELTA_SECONDS, DICTIONARY } from '../seeds.ts'
import { firstOf, isAmount, isLowerToken, linesOf, type Subject } from '../subject.ts'

const TARGETS = ['cachewell-cache-control', 'cdn-cache-control']

const cacheControl: Subject<CacheControl> = {
  name: 'parseCacheControl',
  slots: [{ name: 'Cache-Control', seeds: CACHE_CONTROL, optional: true }],
  run: ([value]) => parseCacheControl(value),
  problem: (result, [value]) =>
    badDirectives(result) ??
    firstOf({
      // PAR-10
      'no-store behind anything at all is heard': parseCacheControl(`${value ?? ''}, no-store`).noStore,
      // PAR-2
      'no-store before anything at all is heard': parseCacheControl(`no-store, ${value ?? ''}`).noStore,
    }),
}

const deltaSeconds: Subject<number | undefined> = {
  name: 'parseDeltaSeconds',
  slots: [{ name: 'seconds', seeds: DELTA_SECONDS }],
  run: ([text = '']) => parseDeltaSeconds(text),
  problem: (result, [text = '']) =>
    firstOf({
      'a number for digits only (PAR-9)': /^[0-9]+$/.test(text) === (result !== undefined),
      'a whole number up to the largest (PAR-9)': isSeconds(result),
    }),
}

const targeted: Subject<GoverningPolicy> = {
  name: 'governingPolicy',
  slots: [
    { name: 'CDN-Cache-Control', seeds: DICTIONARY, optional: true },
    { name: 'Cache-Control', seeds: CACHE_CONTROL, optional: true },
  ],
  run: ([own, everybody]) =>
    governingPolicy([...linesOf('cdn-cache-control', own), ...linesOf('Cache-Control', everybody)], TARGETS),
  problem: (result, [own]) =>
    badDirectives(result.directives) ??
    firstOf({
      'the source is named': result.source === (result.targeted ? 'cdn-cache-control' : 'cache-control'),
      'what is absent does not govern': own !== undefined || !result.targeted,
    }),
}

/** Parsers of directives. */
export const DIRECTIVES: readonly Subject[] = [cacheControl, deltaSeconds, targeted]

function isSeconds(value: number | undefined): boolean {
  return value === undefined || (isAmount(value) && Number.isInteger(value) && value <= MAX_DELTA_SECONDS)
}

const FLAGS = [
  'noStore',
  'private',
  'noCache',
  'public',
  'mustRevalidate',
  'proxyRevalidate',
  'mustUnderstand',
  'immutable',
  'noTransform',
  'onlyIfCached',
  'invalidFreshness',
  'broken',
] as const

function badDirectives(result: CacheControl): string | undefined {
  const { maxAge, sMaxage, staleWhileRevalidate, staleIfError, minFresh, maxStale, privateFields, noCacheFields } =
    result
  return firstOf({
    'flags are booleans': FLAGS.every((flag) => typeof result[flag] === 'boolean'),
    'times are whole seconds': [maxAge, sMaxage, staleWhileRevalidate, staleIfError, minFresh].every(isSeconds),
    'max-stale is seconds or for ever': maxStale === Number.POSITIVE_INFINITY || isSeconds(maxStale),
    'named fields are names': [...privateFields, ...noCacheFields].every(isLowerToken),
  })
}
