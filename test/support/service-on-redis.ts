import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheUnderTest } from '../contracts/values.contract.ts'
import { FakeClock } from './fake-clock.ts'
import { registriesOf } from './redis-registry.ts'

let namespaces = 0

/** A namespace that no other test of this process uses. */
export function freshNamespace(): string {
  return `service-${process.pid}-${namespaces++}`
}

/** Lets these registries of leases have begun long ago. */
export type AgeRegistries = (registries: readonly string[]) => Promise<unknown>

/** A cache on Redis whose time stands still until a test moves it, in a namespace of its own unless `options` names one. */
export async function serviceOn(
  options: CacheOptions,
  { age, partitions = 1 }: { readonly age?: AgeRegistries; readonly partitions?: number } = {},
): Promise<CacheUnderTest> {
  const clock = new FakeClock()
  const { namespace = freshNamespace() } = options
  // Young ones would have every first write wait for a lease.
  await age?.(registriesOf(namespace, partitions))
  const cache = createCache({
    namespace,
    deadlineMs: 1_000,
    logger: { info() {}, warn() {} },
    clock,
    ...options,
  })
  await cache.ready()
  return { cache, clock }
}
