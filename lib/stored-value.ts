import type { Entry } from './entry.ts'
import { CacheError, show } from './errors.ts'
import { tagOf } from './key.ts'

/**
 * A value as it is kept: JSON text or bytes, so that nobody can change what others will read, and a value is the same whether it
 * comes from memory or from Redis.
 */

/** JSON text, or bytes. */
export type StoredForm = string | Buffer

export interface ValueDraft {
  /** The full key, and the service key in it. */
  readonly full: string
  readonly key: string
  readonly value: StoredForm
  readonly tags: readonly string[]
  readonly now: number
  readonly staleAt: number
  readonly deleteAt: number
  /** The state of the ledger as of which it was made. */
  readonly at: { readonly incarnation: string; readonly seq: number }
  readonly fence: number
}

export function valueEntry({ full, key, value, tags, now, staleAt, deleteAt, at, fence }: ValueDraft): Entry {
  let size = full.length + value.length
  for (const tag of tags) size += tag.length
  return {
    kind: 'value',
    key: full,
    name: key,
    cachedAt: now,
    staleAt,
    deleteAt,
    tags: [...tags, tagOf.key(key)],
    incarnation: at.incarnation,
    seq: at.seq,
    fence,
    size,
    value,
  }
}

/** @throws CacheError naming the key, for what is neither JSON nor bytes */
export function storedForm(key: string, value: unknown): StoredForm {
  if (Buffer.isBuffer(value)) return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  const json = jsonOf(key, value)
  if (json === undefined) throw unstorable(key, value, undefined)
  return json
}

/** The value of an entry, a copy for each who asks. */
export function valueOf<T>(entry: Entry): T {
  return (typeof entry.value === 'string' ? JSON.parse(entry.value) : Buffer.from(entry.value as Buffer)) as T
}

function jsonOf(key: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw unstorable(key, value, cause)
  }
}

function unstorable(key: string, value: unknown, cause: unknown): CacheError {
  const why = cause instanceof Error ? ` (${cause.message.split('\n', 1)[0]})` : ''
  return new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `set: the value of ${show(key)} is ${show(value)}, which has no JSON form${why}. Store data, or delete the key.`,
    { cause },
  )
}
