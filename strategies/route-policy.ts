import type { Duration } from '../lib/duration.ts'
import { CacheError } from '../lib/errors.ts'
import type { Entity } from './entity.ts'
import type { Id } from './names.ts'

/** Parameters of a route: what a path like `/communities/:communityId` found. */
type RouteParams = Readonly<Record<string, string | string[]>>

/** What `cacheRoute` takes: `cacheRoute(community.posts)`, or `cacheRoute({ ...community.posts, ttl: '1m' })`. */
export interface RoutePolicy {
  readonly ttl: Duration
  readonly staleWhileRevalidate?: Duration
  readonly staleIfError?: Duration
  /**
   * The entity's tags, from the route parameters named like its identifying arguments.
   * @throws CacheError when the route lacks a parameter that a tag needs; the response is then not stored
   */
  tags(req: { readonly params: RouteParams }): readonly string[]
  /**
   * There where an entity is private: put the application's own in its place, such as `(req) => req.user.id`.
   * @throws CacheError always, so that nothing is stored without
   */
  readonly scope?: () => string
}

/** The policy of an entity; `tagsOf` gives its tags. */
export function routePolicy({ place, definition }: Entity, tagsOf: (ids: unknown) => readonly string[]): RoutePolicy {
  const { ttl, stale, staleIfError, by } = definition
  const name = place.replace(':', '.')
  return {
    ttl,
    ...(stale === undefined ? {} : { staleWhileRevalidate: stale }),
    ...(staleIfError === undefined ? {} : { staleIfError }),
    tags({ params }) {
      if (by === undefined)
        throw refusal(`${name}: it has no \`by\` to name route parameters. Add it, or give cacheRoute tags of its own.`)
      return tagsOf(typeof by === 'string' ? parameter(name, params, by) : parameters(name, params, by))
    },
    ...(definition.private === true
      ? {
          scope(): string {
            throw refusal(
              `${name} is not for everyone. Say who may share it: cacheRoute({ ...${name}, scope: (req) => req.user.id }).`,
            )
          },
        }
      : {}),
  }
}

/** The parameters of these names. Each is asked for when a tag needs it: a view may stand in the query. */
function parameters(place: string, params: RouteParams, names: readonly string[]): Readonly<Record<string, Id>> {
  const ids = {}
  for (const name of names) {
    Object.defineProperty(ids, name, { enumerable: true, get: () => parameter(place, params, name) })
  }
  return ids
}

function parameter(place: string, params: RouteParams, name: string): Id {
  const value = params[name]
  if (value === undefined || value.length === 0) {
    throw refusal(
      `${place}: the route has no parameter ":${name}". Name it so in the route's pattern, or give cacheRoute tags of its own.`,
    )
  }
  return [value].flat().join('/')
}

function refusal(message: string): CacheError {
  return new CacheError('ERR_CACHE_BAD_OPTION', message)
}
