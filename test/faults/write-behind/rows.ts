import { type Cache, createCache } from '../../../lib/cache.ts'
import { type WriteBehind, type WriteBehindOptions, writeBehind } from '../../../strategies/index.ts'

/** The cache that all processes of a run share. */
export function sharedCache(redis: string): Cache {
  const logger = { info() {}, warn() {} }
  return createCache({ redis, namespace: 'behind', deadlineMs: 2_000, leaseMs: 1_000, logger })
}

/** The pattern that all processes of a run share. */
export function rowsOf(
  options: Pick<WriteBehindOptions<string, string | null>, 'cache' | 'load' | 'save' | 'worker'>,
): WriteBehind<string, string | null> {
  return writeBehind({ name: 'rows', key: (key) => key, backoffMs: 20, attempts: 30, lockMs: 1_000, ...options })
}
