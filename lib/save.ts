import { change } from './change.ts'
import type { Engine } from './engine.ts'
import { show } from './errors.ts'
import { tagOf } from './key.ts'
import type { Load } from './loads.ts'
import { type StoredForm, storedForm, valueEntry } from './stored-value.ts'

/** A write to the source that leaves what it has written in the cache. */

/**
 * Write, and keep what the write brings where no other one may have come between. Resolves with whether every process knows; rejects
 * with the error of the write, untouched. `invalidates`: prefixed tags of what else it makes wrong.
 */
export async function save<T>(
  engine: Engine,
  { full, key, tags, lifetime, windows, loader: write }: Load<T>,
  invalidates: readonly string[],
): Promise<boolean> {
  const { store, clock } = engine
  const own = tagOf.key(key)
  const { result, isConfirmed, asOf } = await change(engine, {
    targets: { tags: [own, ...invalidates], patterns: [], all: false },
    run: write,
    strict: false,
    copy: { ledger: store.ledger(full), tags: [...tags, own] },
  })
  const value = asOf === undefined || lifetime === 0 ? undefined : keepable(engine, key, result)
  if (asOf !== undefined && value !== undefined) {
    const now = clock.now()
    const staleAt = now + lifetime
    const deleteAt = staleAt + Math.max(windows.revalidate, windows.error)
    await store.set(valueEntry({ full, key, value, tags, now, staleAt, deleteAt, at: asOf, fence: 0 }))
  }
  return isConfirmed
}

/** It has been written: that it cannot be kept is no reason to fail. */
function keepable({ events }: Engine, key: string, value: unknown): StoredForm | undefined {
  if (value === undefined) return undefined
  try {
    return storedForm(key, value)
  } catch (cause) {
    events.emit('error', { where: 'write', cause })
    events.warnOnce('write', `What was written for ${show(key)} is not kept: ${String(cause)}`)
    return undefined
  }
}
