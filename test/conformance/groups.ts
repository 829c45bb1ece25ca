import { type Behaviour, type Group, needsOf } from './behaviour.ts'
import { notModifiedUpdates } from './groups/304-updates.ts'
import { ageDateKeysCookies } from './groups/age-date-keys-cookies.ts'
import { ageParsing } from './groups/age-parsing.ts'
import { authorization } from './groups/authorization.ts'
import { cacheControlFreshness } from './groups/cache-control-freshness.ts'
import { cacheControlParsing } from './groups/cache-control-parsing.ts'
import { cdnCacheControl } from './groups/cdn-cache-control.ts'
import { expiresFreshness } from './groups/expires-freshness.ts'
import { expiresParsing } from './groups/expires-parsing.ts'
import { headUpdates } from './groups/head-updates.ts'
import { heuristicFreshness } from './groups/heuristic-freshness.ts'
import { ifModifiedSince } from './groups/if-modified-since.ts'
import { ifNoneMatch } from './groups/if-none-match.ts'
import { interim1xx } from './groups/interim-1xx.ts'
import { invalidation } from './groups/invalidation.ts'
import { methods } from './groups/methods.ts'
import { partialContent } from './groups/partial-content.ts'
import { pragma } from './groups/pragma.ts'
import { requestDirectives } from './groups/request-directives.ts'
import { responseDirectives } from './groups/response-directives.ts'
import { servingStale } from './groups/serving-stale.ts'
import { statusCodes } from './groups/status-codes.ts'
import { storedFields } from './groups/stored-fields.ts'
import { varyAndKeys } from './groups/vary-and-keys.ts'
import { varyParsing } from './groups/vary-parsing.ts'

/** Everything that the suite knows, in the order of its table. */
export const GROUPS: readonly Group[] = [
  cacheControlFreshness,
  cacheControlParsing,
  ageParsing,
  expiresFreshness,
  expiresParsing,
  responseDirectives,
  servingStale,
  heuristicFreshness,
  methods,
  statusCodes,
  requestDirectives,
  pragma,
  varyAndKeys,
  varyParsing,
  ifModifiedSince,
  ifNoneMatch,
  storedFields,
  notModifiedUpdates,
  headUpdates,
  invalidation,
  partialContent,
  authorization,
  ageDateKeysCookies,
  cdnCacheControl,
  interim1xx,
]

/** The behaviours of these groups, and whatever they hang on. */
export function playedFor(groups: readonly Group[]): readonly Behaviour[] {
  const byId = new Map(GROUPS.flatMap(({ behaviours }) => behaviours).map((behaviour) => [behaviour.id, behaviour]))
  const played = new Set<Behaviour>()
  const add = (behaviour: Behaviour | undefined): void => {
    if (behaviour === undefined || played.has(behaviour)) return
    played.add(behaviour)
    for (const id of needsOf(behaviour)) add(byId.get(id))
  }
  for (const { behaviours } of groups) behaviours.forEach(add)
  return [...played]
}
