import { randomBytes } from 'node:crypto'
import type { Engine } from './engine.ts'
import type { Ack, InvalidationTargets } from './stores/store.ts'

/**
 * A write that must not race with its own commit: what it names is marked while it is under way, so that no process serves or keeps
 * any of it, and invalidated when it is over. The mark of a process that dies ends by itself.
 */

/** How long a mark lives without being renewed (ms). */
export const MARK_MS = 30_000
const RENEW_EVERY_MS = 10_000

export interface Write<T> {
  readonly targets: InvalidationTargets
  readonly run: () => Promise<T> | T
  /** Do not begin where other processes cannot be told. */
  readonly strict: boolean
}

/**
 * Run a write under its mark. Rejects with the error of the write, untouched.
 * @throws CacheError `ERR_CACHE_UNCONFIRMED` before the write where it is strict and cannot be marked everywhere
 */
export async function change<T>(engine: Engine, { targets, run, strict }: Write<T>): Promise<T> {
  const id = randomBytes(8).toString('hex')
  const mark = async (lifeMs: number, ack: Ack): Promise<void> => {
    await engine.invalidate(targets, { ack, mark: { id, lifeMs } })
  }
  try {
    await mark(MARK_MS, 'all')
  } catch (error) {
    if (strict) {
      mark(0, 'redis').catch(toldAlready)
      throw error
    }
  }
  const renewal = setInterval(() => void mark(MARK_MS, 'redis').catch(toldAlready), RENEW_EVERY_MS).unref()
  try {
    return await run()
  } finally {
    clearInterval(renewal)
    // Also where it has failed: it may have committed.
    await mark(0, 'all').catch(toldAlready)
  }
}

/** What is not confirmed is an event of the store, which goes on with it: the write is not to fail for it. */
function toldAlready(): void {}
