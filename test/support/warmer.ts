import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from '../../lib/cache.ts'
import { endWithParent } from './end-with-parent.ts'

/** A program that warms on schedule; it tells its parent what it loads, and what became of the first run. */

const [redis, namespace = '', count = '0', loadMs = '0'] = process.argv.slice(2)
const cache = createCache({ redis, namespace, deadlineMs: 2_000, ttl: '1h' })
endWithParent()

const load = (key: string) => async (): Promise<string> => {
  await sleep(Number(loadMs))
  process.send?.({ loaded: key })
  return key
}
const items = Array.from({ length: Number(count) }, (_, index) => ({ key: `k${index}`, load: load(`k${index}`) }))
const { skipped } = await cache.warm(items, { name: 'popular', every: '1h', concurrency: 1 })
process.send?.({ first: skipped ?? 'whole' })
