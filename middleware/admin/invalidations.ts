import type { Cache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import type { Targets } from '../../lib/targets.ts'
import type { Answer } from './answer.ts'
import { BadRequest, type Query } from './query.ts'
import type { Route } from './router.ts'
import { checkPattern, checkTag, checkUrl } from './targets.ts'

/** Make entries wrong by name, in every process. */
export const INVALIDATION_ROUTES: readonly Route[] = [
  { method: 'DELETE', path: '/', run: ({ cache }) => invalidate(cache, { all: true }) },
  {
    method: 'DELETE',
    path: '/tags/:tag',
    run: ({ cache, segment }) => invalidate(cache, { tags: [checkTag(segment)] }),
  },
  { method: 'DELETE', path: '/keys/:key', run: ({ cache, segment }) => invalidate(cache, { keys: [segment] }) },
  {
    method: 'DELETE',
    path: '/urls',
    parameters: ['url'],
    run: ({ cache, query }) => invalidate(cache, { urls: valuesOf(query, 'url').map(checkUrl) }),
  },
  {
    method: 'DELETE',
    path: '/patterns',
    parameters: ['pattern'],
    run: ({ cache, query }) => invalidate(cache, { pattern: valuesOf(query, 'pattern').map(checkPattern) }),
  },
]

/** 200 when it is done everywhere; 202 when it is done here and goes on elsewhere. */
async function invalidate(cache: Cache, targets: Targets): Promise<Answer> {
  try {
    const { ack, elapsedMs, partitions } = await cache.invalidate(targets)
    return { status: 200, body: { ack, elapsedMs, partitions, ...targets } }
  } catch (error) {
    if (!(error instanceof CacheError) || error.code !== 'ERR_CACHE_UNCONFIRMED') throw error
    return { status: 202, body: { pending: true, code: error.code, message: error.message, ...targets } }
  }
}

/** An invalidation without a name must not look like one that has worked. */
function valuesOf(query: Query, name: string): readonly string[] {
  const values = query.get(name)
  if (values === undefined || values.includes('')) throw new BadRequest(`Give at least one ${name}= with a value.`)
  return values
}
