import { randomBytes } from 'node:crypto'
import type { Engine } from './engine.ts'
import type { Ack, InvalidationReceipt, InvalidationTargets } from './stores/store.ts'
import type { TagLedger, Token } from './tags.ts'

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
  /** What is to be left in the cache: the ledger that judges it, and its tags. */
  readonly copy?: { readonly ledger: TagLedger; readonly tags: readonly string[] }
}

/** A write that has been run. */
export interface Written<T> {
  readonly result: T
  /** Every process knows that it is over. */
  readonly isConfirmed: boolean
  /**
   * What it leaves may be kept as of this state. Undefined where it was not provably alone: of two writes at the same time nobody
   * knows whose commit came last.
   */
  readonly asOf: Token | undefined
}

/**
 * Run a write under its mark. Rejects with the error of the write, untouched.
 * @throws CacheError `ERR_CACHE_UNCONFIRMED` before the write where it is strict and cannot be marked everywhere
 */
export async function change<T>(engine: Engine, { targets, run, strict, copy }: Write<T>): Promise<Written<T>> {
  const id = randomBytes(8).toString('hex')
  const mark = async (lifeMs: number, ack: Ack, since?: Token): Promise<InvalidationReceipt> => {
    const left = copy === undefined || since === undefined ? {} : { copy: { tags: copy.tags, since } }
    return engine.invalidate(targets, { ack, mark: { id, lifeMs, ...left } })
  }
  const tokenIn = (receipt: InvalidationReceipt): Token | undefined => copy && receipt.tokens.get(copy.ledger)
  let since: Token | undefined
  try {
    since = tokenIn(await mark(MARK_MS, 'all'))
  } catch (error) {
    if (strict) {
      mark(0, 'redis').catch(toldAlready)
      throw error
    }
  }
  const renewal = setInterval(() => void mark(MARK_MS, 'redis').catch(toldAlready), RENEW_EVERY_MS).unref()
  let ended: InvalidationReceipt | undefined
  let result: T
  try {
    result = await run()
  } finally {
    clearInterval(renewal)
    // Also where it has failed: it may have committed.
    ended = await mark(0, 'all', since).catch(toldAlready)
  }
  const asOf = ended?.wasAlone === true ? tokenIn(ended) : undefined
  return { result, isConfirmed: ended !== undefined, asOf }
}

/** What is not confirmed is an event of the store, which goes on with it: the write is not to fail for it. */
function toldAlready(): undefined {}
