import { CacheError } from '../../middleware/index.ts'

/**
 * Wait until what an event makes wrong is gone everywhere; false where Redis did not answer in time: what was written stands, and the
 * cache goes on telling the others.
 */
export async function isConfirmed(event: Promise<unknown>): Promise<boolean> {
  try {
    await event
    return true
  } catch (error) {
    if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return false
    throw error
  }
}
