import type { Entry, VariantIndex } from './entry.ts'
import type { Limit } from './gauge.ts'
import type { RequestHeaders } from './http/fields.ts'
import type { StoredResponse } from './http/stored-response.ts'
import { variantValues } from './http/vary.ts'
import { tagOf, variantKey } from './key.ts'
import { pause } from './pause.ts'
import { recent } from './recent.ts'
import type { SetResult, Store } from './stores/store.ts'

/** The index of each resource that varies: the `Vary` sets it has shown, and the variants that are kept (RFC 9111 s. 4.1). */

/** How many variants of one resource are kept; beyond, the oldest goes. */
export const MAX_VARIANTS = 64
/** For how many resources it is remembered how they vary. */
const MAX_HINTS = 10_000
const NO_HINTS: readonly string[] = []
/** How often a place in the index is fought for, and for how long (ms, times the attempt) others are let go first at most. */
const MAX_INDEXINGS = 16
const INDEXING_PAUSE_MS = 4
/** How many different `Vary` sets of one resource are remembered. */
const MAX_VARY_SETS = 8

export type IndexEntry = Entry<VariantIndex>

/** Of a fill what its place in an index needs. */
export interface IndexedFill {
  readonly primary: string
  readonly uri: string
  readonly path: string
  readonly incarnation: string
  readonly seq: number
  /** The index as it was found. */
  readonly index: IndexEntry | undefined
}

export class VariantIndexes {
  readonly #store: Store
  /** The `Vary` sets of resources, so that index and variant can be read from Redis in one go. */
  readonly #hints = recent<VariantIndex['sets']>(MAX_HINTS)
  /** Changes of the index of a resource that are under way, the last one of each. */
  readonly #indexing = new Map<string, Promise<void>>()
  /** Of the resource that was indexed last. */
  #variants = 0
  #variantsRefused = 0
  #variantsPeak = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** The variants that this request would select if the resource still varied as it did. */
  hinted(primary: string, headers: RequestHeaders): readonly string[] {
    const sets = this.#hints.get(primary)
    if (sets === undefined) return NO_HINTS
    return sets.map((names) => keyOfVariant(primary, names, headers)).filter((key) => key !== undefined)
  }

  /** Remember how a resource varies. */
  remember(primary: string, sets: VariantIndex['sets']): void {
    this.#hints.set(primary, sets)
  }

  /** Put a variant on the resource's index, newest first, and let the oldest go beyond the limit. */
  add(fill: IndexedFill, entry: Entry<StoredResponse>): void {
    const { primary } = fill
    const underWay = this.#indexing.get(primary)
    if (underWay !== undefined) {
      // One after the other in this process: only others are to be fought.
      this.#follow(
        primary,
        underWay.then(() => this.#settleIndex(fill, entry, Promise.resolve('fenced'))),
      )
      return
    }
    const present = this.#store.peek(primary)
    const index = this.#indexed(fill, entry, isIndex(present) ? present : fill.index)
    const result = this.#store.set(index)
    if (!(result instanceof Promise)) return
    this.#hints.set(primary, index.value.sets)
    this.#follow(primary, this.#settleIndex(fill, entry, result))
  }

  #follow(primary: string, settled: Promise<void>): void {
    const done = settled.finally(() => {
      if (this.#indexing.get(primary) === done) this.#indexing.delete(primary)
    })
    this.#indexing.set(primary, done)
  }

  /** Other processes put variants of theirs on it: made anew from what they have stored, as often as it takes. */
  async #settleIndex(fill: IndexedFill, entry: Entry<StoredResponse>, first: Promise<SetResult>): Promise<void> {
    let result = await first
    for (let attempt = 0; attempt < MAX_INDEXINGS && result === 'fenced'; attempt++) {
      await pause(Math.random() * INDEXING_PAUSE_MS * attempt)
      const present = await this.#store.reread(fill.primary)
      result = await this.#store.set(this.#indexed(fill, entry, isIndex(present) ? present : undefined))
    }
  }

  #indexed(fill: IndexedFill, entry: Entry<StoredResponse>, before: IndexEntry | undefined): IndexEntry {
    const names = entry.value.vary
    const others = (before?.value.sets ?? []).filter((set) => set.join() !== names.join())
    const sets = [names, ...others].slice(0, MAX_VARY_SETS)
    const variants = [entry.key, ...(before?.value.variants ?? []).filter((key) => key !== entry.key)]
    const surplus = variants.splice(MAX_VARIANTS)
    this.#variants = variants.length
    this.#variantsPeak = Math.max(this.#variantsPeak, variants.length)
    if (surplus.length > 0) {
      this.#variantsRefused += surplus.length
      void this.#store.evict(surplus)
    }
    const deleteAt = Math.max(entry.deleteAt, before?.deleteAt ?? 0)
    return {
      kind: 'variants',
      key: fill.primary,
      name: fill.path,
      cachedAt: entry.cachedAt,
      staleAt: deleteAt,
      deleteAt,
      tags: [tagOf.uri(fill.uri), tagOf.path(fill.path)],
      incarnation: fill.incarnation,
      seq: fill.seq,
      // Counts its changes: one that was made without knowing of the last is refused.
      fence: (before?.fence ?? 0) + 1,
      size: fill.primary.length + variants.join().length,
      value: { sets, variants },
    }
  }

  stats(): Limit {
    return {
      limit: MAX_VARIANTS,
      current: this.#variants,
      peak: this.#variantsPeak,
      refused: this.#variantsRefused,
    }
  }
}

function isIndex(entry: Entry | undefined): entry is IndexEntry {
  return entry?.kind === 'variants'
}

/** The key of the variant that a request with these fields selects; undefined where it cannot be named. */
export function keyOfVariant(primary: string, names: readonly string[], headers: RequestHeaders): string | undefined {
  if (names.length === 0) return variantKey(primary, names, [])
  const values = variantValues(names, headers)
  return values === undefined ? undefined : variantKey(primary, names, values)
}
