import { startRedis } from '../test/support/redis-server.ts'
import { compare } from './compare.ts'
import { CONTESTANTS } from './redis-servers.ts'

const KEYS = 10_000
/** By hand divided by ours at least 0.9. */
const AT_MOST = 1 / 0.9

/** What a hit in Redis costs beside a middleware written by hand; true when it is within its bar. */
export async function compareHitsInRedis(): Promise<boolean> {
  const redis = await startRedis()
  try {
    return await compare({
      servers: new URL('redis-servers.ts', import.meta.url),
      contestants: Object.keys(CONTESTANTS),
      pairs: [['cacheMiddleware in Express 5, hit in Redis', 'Express 5, ioredis getBuffer by hand', AT_MOST]],
      paths: Array.from({ length: KEYS }, (_, id) => `/items/${id}`),
      env: { BENCH_REDIS: redis.url },
    })
  } finally {
    await redis.stop()
  }
}
