import { hasRedisServer } from '../test/support/redis-server.ts'
import { compareHitsInMemory } from './memory.ts'
import { compareHitsInRedis } from './redis.ts'

/** Arguments: what to compare, `memory` or `redis`; without any, both. Exit code 1 when a bar is missed. */
const COMPARISONS: Readonly<Record<string, () => Promise<boolean>>> = {
  memory: compareHitsInMemory,
  redis: compareHitsInRedis,
}

const wanted = process.argv.slice(2)
for (const [name, compareHits] of Object.entries(COMPARISONS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  if (name === 'redis' && !hasRedisServer()) console.log('no redis-server found: hits in Redis are left out')
  else if (!(await compareHits())) process.exitCode = 1
}
