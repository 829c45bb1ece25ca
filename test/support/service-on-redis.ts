import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { FakeClock } from './fake-clock.ts'

let namespaces = 0

/** A namespace that no other test of this process uses. */
export function freshNamespace(): string {
  return `service-${process.pid}-${namespaces++}`
}

/** A cache on Redis whose time stands still until a test moves it, in a namespace of its own unless `options` names one. */
export async function serviceOn(options: CacheOptions): Promise<CacheUnderTest> {
  const clock = new FakeClock()
  const cache = createCache({
    namespace: freshNamespace(),
    // The first write waits for one lease; a busy machine has two to confirm it.
    leaseMs: 80,
    deadlineMs: 1_000,
    logger: { info() {}, warn() {} },
    clock,
    ...options,
  })
  await cache.ready()
  return { cache, clock }
}
