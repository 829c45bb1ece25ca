import { change } from './change.ts'
import type { Engine } from './engine.ts'
import { entryOf, type Keeping, writtenFor } from './keeping.ts'
import { tagOf } from './key.ts'

/** A write to the source that leaves what it has written in the cache. */

export interface Save<T> {
  readonly run: () => Promise<T> | T
  /** Prefixed tags of what else it makes wrong. */
  readonly invalidates: readonly string[]
}

/**
 * Write, and keep what the write brings where no other one may have come between. Resolves with whether every process knows; rejects
 * with the error of the write, untouched.
 */
export async function save<T>(engine: Engine, keeping: Keeping, { run, invalidates }: Save<T>): Promise<boolean> {
  const { store, format } = engine
  const { full, key, tags, lifetime } = keeping
  const own = tagOf.key(key)
  const { result, isConfirmed, asOf } = await change(engine, {
    targets: { tags: [own, ...invalidates], patterns: [], all: false },
    run,
    strict: false,
    copy: { ledger: store.ledger(full), tags: [...tags, own] },
  })
  if (asOf === undefined || lifetime === 0 || result === undefined) return isConfirmed
  // It has been written: that it cannot be kept is no reason to fail.
  const written = writtenFor(engine, { where: 'write', what: 'written' }, key, result)
  if (written !== undefined && format.fits(key, written)) {
    await engine.keep(entryOf(engine, keeping, { written, at: asOf, fence: 0 }))
  }
  return isConfirmed
}
