/**
 * An entry is what a store keeps: a value with its three instants, and what is needed to judge whether a write has made it
 * wrong since it was filled.
 */

/** What kind of value an entry holds; the codec writes each in its own way. */
export type EntryKind = 'response' | 'variants' | 'value'

export interface Entry<V = unknown> {
  readonly kind: EntryKind
  /** The full key, compared after every read: a hash collision or a planted entry is a miss. */
  readonly key: string
  /** What patterns are matched against: path and query of a response, else the service key. */
  readonly name: string
  /** When the value was made (epoch ms). */
  readonly cachedAt: number
  /** Fresh until here (epoch ms). */
  readonly staleAt: number
  /** Of no use to anybody after this (epoch ms): the end of every stale window. */
  readonly deleteAt: number
  /** Prefixed tags (`t:`, `k:`, `u:`, `p:`), the pseudo-tags of key or URL included. */
  readonly tags: readonly string[]
  /** Which life of the metadata the entry belongs to. */
  readonly incarnation: string
  /** The invalidation counter when the fill started: a tag invalidated at a later one makes the entry wrong. */
  readonly seq: number
  /** Orders fills of one key: a late holder of a fill lock cannot replace a newer fill. */
  readonly fence: number
  /** Characters of its texts and bytes of its body: how large it is wherever it is kept, which costs more. */
  readonly size: number
  readonly value: V
}

/** The index of a resource that varies: which `Vary` sets it has shown and which variants are kept. */
export interface VariantIndex {
  /** Each set lower-case and sorted, the most recent first. */
  readonly sets: readonly (readonly string[])[]
  /** Full keys of the variants, the most recent first. */
  readonly variants: readonly string[]
}

/** Is the entry fresh at `now`? Equal is stale (RFC 9111 s. 4.2). */
export function isFresh(entry: Entry, now: number): boolean {
  return now < entry.staleAt
}

/** Is the entry past every window in which somebody might use it? */
export function isDead(entry: Entry, now: number): boolean {
  return now >= entry.deleteAt
}
