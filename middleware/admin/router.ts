import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Cache } from '../../lib/cache.ts'
import { defaultCache } from '../../lib/default-cache.ts'
import { callback, readOptions, where } from '../../lib/options.ts'
import { cacheOption } from '../settings.ts'
import type { Next } from '../types.ts'
import { type AccessOptions, accessOf, foreignWrite } from './access.ts'
import { type Answer, refusal, send } from './answer.ts'
import { BadRequest, decodeSegment, type Query, readQuery } from './query.ts'

/** Options of `adminRouter`, `statsRouter` and `healthRouter`. */
export interface AdminRouterOptions extends AccessOptions {
  /** @default the process's default cache */
  readonly cache?: Cache
  /** Where it is mounted, for servers that leave that in `req.url`; Express and Connect take it out. @default '' */
  readonly path?: string
}

/** For `app.use`, Connect, or bare `node:http`; without a `next` what it does not know is answered with 404. */
export type AdminRouter = (req: IncomingMessage, res: ServerResponse, next?: Next) => void

/** One thing that can be asked for. */
export interface Route {
  readonly method: 'GET' | 'DELETE' | 'POST'
  /** A last segment that starts with `:` takes any value. */
  readonly path: string
  /** Names of the query's parameters; others are refused. */
  readonly parameters?: readonly string[]
  /** Callers who are not authorised are answered too, with less. */
  readonly open?: boolean
  run(visit: Visit): Answer | Promise<Answer>
}

export interface Visit {
  readonly cache: Cache
  readonly authorised: boolean
  /** The value of the path's variable segment, decoded. */
  readonly segment: string
  readonly query: Query
}

const OPTIONS = {
  cache: cacheOption,
  authorize: callback<NonNullable<AccessOptions['authorize']>>(),
  path: where<string>(
    "a path such as '/cache'",
    (value) => typeof value === 'string' && /^\/[^?#]*[^/?#]$/.test(value),
  ),
} as const

/**
 * Make a router over a table of routes. Errors of a route become an `error` event and a 500.
 * @throws CacheError for wrong options
 */
export function routerOf(place: string, options: AdminRouterOptions, routes: readonly Route[]): AdminRouter {
  const read = readOptions(place, options, OPTIONS)
  const cache = read.cache ?? defaultCache().cache
  const { events } = cache.engine
  const access = accessOf({ place, authorize: read.authorize, events })
  const prefix = read.path ?? ''

  const answerTo = async (req: IncomingMessage, route: Route, { segment, search }: Located): Promise<Answer> => {
    try {
      if (route.method !== 'GET') {
        const foreign = foreignWrite(req)
        if (foreign !== undefined) return refusal(403, foreign)
      }
      const caller = await access(req)
      if (!caller.granted && route.open !== true) return refusal(403, caller.message)
      const visit: Visit = {
        cache,
        authorised: caller.granted,
        segment: decodeSegment(segment),
        query: readQuery(search, route.parameters ?? []),
      }
      return await route.run(visit)
    } catch (cause) {
      if (cause instanceof BadRequest) return refusal(400, cause.message)
      events.emit('error', { where: place, cause })
      return refusal(500, 'This could not be answered; the "error" event of the cache says why.')
    }
  }

  return (req, res, next) => {
    const found = locate(routes, prefix, req.url ?? '/')
    if (found === undefined) {
      if (next !== undefined) next()
      else send(res, refusal(404, `${place} knows nothing under this path.`))
      return
    }
    const route = found.routes.find(({ method }) => method === (req.method === 'HEAD' ? 'GET' : req.method))
    if (route === undefined) {
      const allow = found.routes.map(({ method }) => (method === 'GET' ? 'GET, HEAD' : method)).join(', ')
      send(res, { ...refusal(405, `Possible here: ${allow}.`), allow })
      return
    }
    answerTo(req, route, found)
      .then((answer) => send(res, answer))
      .catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined))
  }
}

interface Located {
  /** The routes of this path, one per method. */
  readonly routes: readonly Route[]
  readonly segment: string
  readonly search: string
}

/** Match the path as it was sent: an encoded slash belongs to its segment. */
function locate(routes: readonly Route[], prefix: string, url: string): Located | undefined {
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  if (!path.startsWith(prefix)) return undefined
  const rest = path.slice(prefix.length)
  if (rest !== '' && !rest.startsWith('/')) return undefined
  const bare = rest.endsWith('/') ? rest.slice(0, -1) : rest
  const search = mark === -1 ? '' : url.slice(mark + 1)
  const exact = routes.filter((route) => route.path === `/${bare.slice(1)}`)
  if (exact.length > 0) return { routes: exact, segment: '', search }
  const slash = bare.lastIndexOf('/')
  const segment = bare.slice(slash + 1)
  const open = routes.filter(({ path: known }) => {
    const colon = known.indexOf(':')
    return colon !== -1 && known.slice(0, colon) === bare.slice(0, slash + 1)
  })
  return open.length === 0 || segment === '' ? undefined : { routes: open, segment, search }
}
