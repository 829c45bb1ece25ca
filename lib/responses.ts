import type { Clock } from './clock.ts'
import type { Entry, VariantIndex } from './entry.ts'
import type { RequestHeaders } from './http/fields.ts'
import { type ResponseParts, type StoredResponse, storedResponse } from './http/stored-response.ts'
import { variantValues } from './http/vary.ts'
import { tagOf, variantKey } from './key.ts'
import { type Bound, type Flight, Flights } from './lease.ts'
import type { Awaitable, SetResult, Store } from './stores/store.ts'

/**
 * Stored responses by request: the HTTP face of the service. A resource without `Vary` is one entry under its primary key; one
 * that varies has an index there, naming the `Vary` sets it has shown and the variants kept (RFC 9111 s. 4.1).
 */

/** How many variants of one resource are kept; beyond, the oldest goes. */
export const MAX_VARIANTS = 64
/** How many different `Vary` sets of one resource are remembered. */
const MAX_VARY_SETS = 8
/** What an entry, and each text in it, counts for beside its characters and body (bytes), as measured on the heap. */
const ENTRY_OVERHEAD = 1_800
const TEXT_OVERHEAD = 48

export type ResponseEntry = Entry<StoredResponse>

/** Nothing to answer with, and why; with the index where the resource is known. */
export interface Miss {
  readonly kind: 'miss'
  readonly reason: 'uri-miss' | 'vary-miss'
  readonly index: VariantIndex | undefined
}

export type Lookup = ResponseEntry | Miss

/** The miss of whoever knows nothing of the resource. */
export const NOTHING_STORED: Miss = { kind: 'miss', reason: 'uri-miss', index: undefined }

/** What the middleware recorded, and how long it may be used. */
export interface RecordedResponse extends ResponseParts {
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
  readonly tags: readonly string[]
}

/** The right to fill one resource, as of one state of the ledger. */
export interface Fill {
  /** The key under which others wait: the resource, or the variant where its `Vary` is known. */
  readonly flightKey: string
  readonly primary: string
  readonly uri: string
  readonly path: string
  readonly incarnation: string
  readonly seq: number
  readonly index: VariantIndex | undefined
  /** Undefined when nobody may wait for this fill. */
  readonly flight: Flight<ResponseEntry> | undefined
}

export interface FillTarget {
  readonly primary: string
  readonly uri: string
  readonly path: string
}

export class Responses {
  readonly #store: Store
  readonly #clock: Clock
  readonly #flights: Flights<ResponseEntry>
  /** Of the resource that was indexed last. */
  #variants = 0
  #variantsRefused = 0
  #variantsPeak = 0

  constructor({ store, clock }: { readonly store: Store; readonly clock: Required<Clock> }) {
    this.#store = store
    this.#clock = clock
    this.#flights = new Flights(clock)
  }

  /** The entry that answers this request, were it fresh, without a promise where memory has it. */
  lookup(primary: string, headers: RequestHeaders): Awaitable<Lookup> {
    const found = this.#store.get(primary)
    if (found instanceof Promise) return found.then((entry) => this.#select(primary, entry, headers))
    return this.#select(primary, found, headers)
  }

  /** The same from memory alone; undefined where that has nothing. */
  peek(primary: string, headers: RequestHeaders): ResponseEntry | undefined {
    const found = this.#store.peek(primary)
    if (found === undefined || found.kind === 'response') return found as ResponseEntry | undefined
    if (found.kind !== 'variants') return undefined
    const keys = (found.value as VariantIndex).sets.map((names) => keyOfVariant(primary, names, headers))
    return newest(keys.map((key) => (key === undefined ? undefined : this.#store.peek(key))))
  }

  #select(primary: string, found: Entry | undefined, headers: RequestHeaders): Awaitable<Lookup> {
    if (found === undefined) return NOTHING_STORED
    if (found.kind === 'response') return found as ResponseEntry
    if (found.kind !== 'variants') return NOTHING_STORED
    const index = found.value as VariantIndex
    const miss: Miss = { kind: 'miss', reason: 'vary-miss', index }
    const candidates: Awaitable<Entry | undefined>[] = []
    for (const names of index.sets) {
      const key = keyOfVariant(primary, names, headers)
      if (key !== undefined) candidates.push(this.#store.get(key))
    }
    if (candidates.some((candidate) => candidate instanceof Promise)) {
      return Promise.all(candidates.map(async (candidate) => candidate)).then((entries) => newest(entries) ?? miss)
    }
    return newest(candidates as (Entry | undefined)[]) ?? miss
  }

  /** A flight this request may wait for, or undefined: then `begin` one. */
  join(target: FillTarget, miss: Miss, headers: RequestHeaders): Flight<ResponseEntry> | undefined {
    return this.#flights.join(flightKey(target.primary, miss.index, headers), this.#store.ledger(target.primary).stamp)
  }

  /** Wait for a flight, but no longer than `timeoutMs`; then take what it brought if it answers this request too. */
  async await(
    flight: Flight<ResponseEntry>,
    {
      target,
      headers,
      timeoutMs,
    }: { readonly target: FillTarget; readonly headers: RequestHeaders; readonly timeoutMs: number },
  ): Promise<Lookup> {
    const entry = await flight.wait(timeoutMs)
    if (entry === undefined) return NOTHING_STORED
    const { vary } = entry.value
    if (vary.length === 0 || keyOfVariant(target.primary, vary, headers) === entry.key) return entry
    return { kind: 'miss', reason: 'vary-miss', index: undefined }
  }

  /**
   * Begin a fill: what is recorded counts as of now, and is refused when a write overtakes it. `shared`: others may wait.
   */
  begin(target: FillTarget, miss: Miss, headers: RequestHeaders, shared: boolean): Fill {
    const ledger = this.#store.ledger(target.primary)
    const key = flightKey(target.primary, miss.index, headers)
    const { incarnation, seq } = ledger.token
    const flight = shared && !this.#flights.isUnshared(key) ? this.#flights.begin(key, ledger.stamp) : undefined
    const { primary, uri, path } = target
    return { primary, uri, path, flightKey: key, incarnation, seq, index: miss.index, flight }
  }

  /** Keep what a fill recorded and hand it to those waiting. */
  commit(fill: Fill, recorded: RecordedResponse, headers: RequestHeaders): Awaitable<SetResult> {
    const entry = this.entryOf(fill, recorded, headers)
    if (entry === undefined) {
      this.abandon(fill, true)
      return 'too-large'
    }
    return this.keep(fill, entry)
  }

  /** The same for an entry that is made already; `from`: the one whose confirmation it is. */
  keep(fill: Fill, entry: ResponseEntry, from?: ResponseEntry): Awaitable<SetResult> {
    const validity = this.#store.ledger(entry.key).judge(entry)
    this.#flights.clearUnshared(fill.flightKey)
    this.#flights.land(fill.flightKey, fill.flight, validity === 'invalid' ? undefined : entry)
    if (validity === 'invalid') return 'invalidated'
    // DS-33, HDR-26: neither a slow body nor a late confirmation replaces what has been answered since.
    const present = this.#store.peek(entry.key)
    const answeredAt = from?.cachedAt ?? entry.cachedAt
    const overtaken = present !== undefined && present.cachedAt > answeredAt && present.cachedAt <= this.#clock.now()
    if (overtaken && present.kind === 'response') return 'fenced'
    const result = this.#store.set(entry)
    if (entry.key !== fill.primary) this.#index(fill, entry)
    return result
  }

  /** Drop an entry that the handler has contradicted (RFC 9111 s. 4.3.3). */
  forget(entry: ResponseEntry): void {
    void this.#store.evict([entry.key])
  }

  /**
   * Drop what else this request could have selected and an answer speaks of as well (VAL-12 a, VAL-20): it is not updated, so it
   * must not go on as it was. `tag`: only what carries this strong tag.
   */
  forgetOthers(primary: string, headers: RequestHeaders, kept: string, tag?: string): void {
    const index = this.#store.peek(primary)
    if (index?.kind !== 'variants') return
    const others = (index.value as VariantIndex).sets
      .map((names) => keyOfVariant(primary, names, headers))
      .filter((key): key is string => key !== undefined && key !== kept)
      .filter((key) => {
        const other = this.#store.peek(key)
        return other?.kind === 'response' && (tag === undefined || (other as ResponseEntry).value.etag === tag)
      })
    if (others.length > 0) void this.#store.evict(others)
  }

  /** Whether answers for this resource could lately not be kept, so that preparing for one is of no use. */
  isUnshared(target: FillTarget, miss: Miss, headers: RequestHeaders): boolean {
    return this.#flights.isUnshared(flightKey(target.primary, miss.index, headers))
  }

  /** The other variants of a resource that memory has at hand. */
  variants({ index }: Miss): readonly ResponseEntry[] {
    if (index === undefined) return []
    return index.variants
      .map((key) => this.#store.peek(key))
      .filter((entry): entry is ResponseEntry => entry?.kind === 'response')
  }

  /** The tags of everything that is kept of a resource, whatever its variant; without a promise where memory has it. */
  tagsOf(primary: string): Awaitable<readonly string[]> {
    const found = this.#store.get(primary)
    if (found instanceof Promise) return found.then((entry) => this.#tagsIn(entry))
    return this.#tagsIn(found)
  }

  #tagsIn(found: Entry | undefined): Awaitable<readonly string[]> {
    if (found?.kind !== 'variants') return found?.tags ?? []
    const variants = (found.value as VariantIndex).variants.map((key) => this.#store.get(key))
    if (variants.some((variant) => variant instanceof Promise))
      return Promise.all(variants.map(async (variant) => variant)).then(tagsIn)
    return tagsIn(variants as (Entry | undefined)[])
  }

  /** End a fill that brought nothing to share; `remember` it, so that requests of the next seconds do not wait in vain. */
  abandon(fill: Fill, remember: boolean): void {
    // A fill that nobody could wait for says nothing about those that others may.
    if (fill.flight === undefined) return
    if (remember) this.#flights.markUnshared(fill.flightKey)
    this.#flights.land(fill.flightKey, fill.flight, undefined)
  }

  stats(): { readonly flights: Bound; readonly variants: Bound } {
    return {
      flights: this.#flights.stats(),
      variants: {
        limit: MAX_VARIANTS,
        current: this.#variants,
        peak: this.#variantsPeak,
        refused: this.#variantsRefused,
      },
    }
  }

  /** What a fill recorded as it would be kept; undefined where its variant cannot be named. */
  entryOf(fill: Fill, recorded: RecordedResponse, headers: RequestHeaders): ResponseEntry | undefined {
    const { cachedAt, staleAt, deleteAt, tags, ...parts } = recorded
    // A resource that is indexed keeps its answers without `Vary` as one more variant.
    const varies = parts.vary.length > 0 || fill.index !== undefined
    const key = varies ? keyOfVariant(fill.primary, parts.vary, headers) : fill.primary
    if (key === undefined) return undefined
    const value = storedResponse(parts)
    let size = ENTRY_OVERHEAD + 3 * key.length + value.body.length
    for (const text of value.head) size += TEXT_OVERHEAD + text.length
    for (const tag of tags) size += TEXT_OVERHEAD + tag.length
    return {
      kind: 'response',
      key,
      name: fill.path,
      cachedAt,
      staleAt,
      deleteAt,
      tags: [...tags, tagOf.uri(fill.uri), tagOf.path(fill.path)],
      incarnation: fill.incarnation,
      seq: fill.seq,
      fence: 0,
      size,
      value,
    }
  }

  /** Put a variant on the resource's index, newest first, and let the oldest go beyond the limit. */
  #index(fill: Fill, entry: ResponseEntry): void {
    const present = this.#store.get(fill.primary)
    const update = (found: Entry | undefined): void => {
      const before = found?.kind === 'variants' ? (found as Entry<VariantIndex>) : undefined
      const names = entry.value.vary
      const sets = [names, ...(before?.value.sets ?? []).filter((set) => set.join() !== names.join())].slice(
        0,
        MAX_VARY_SETS,
      )
      const variants = [entry.key, ...(before?.value.variants ?? []).filter((key) => key !== entry.key)]
      const surplus = variants.splice(MAX_VARIANTS)
      this.#variants = variants.length
      this.#variantsPeak = Math.max(this.#variantsPeak, variants.length)
      if (surplus.length > 0) {
        this.#variantsRefused += surplus.length
        void this.#store.evict(surplus)
      }
      const deleteAt = Math.max(entry.deleteAt, before?.deleteAt ?? 0)
      void this.#store.set({
        kind: 'variants',
        key: fill.primary,
        name: fill.path,
        cachedAt: entry.cachedAt,
        staleAt: deleteAt,
        deleteAt,
        tags: [tagOf.uri(fill.uri), tagOf.path(fill.path)],
        incarnation: fill.incarnation,
        seq: fill.seq,
        fence: 0,
        size: ENTRY_OVERHEAD + 2 * fill.primary.length + variants.join().length,
        value: { sets, variants } satisfies VariantIndex,
      })
    }
    if (present instanceof Promise) void present.then(update)
    else update(present)
  }
}

function keyOfVariant(primary: string, names: readonly string[], headers: RequestHeaders): string | undefined {
  if (names.length === 0) return variantKey(primary, names, [])
  const values = variantValues(names, headers)
  return values === undefined ? undefined : variantKey(primary, names, values)
}

function flightKey(primary: string, index: VariantIndex | undefined, headers: RequestHeaders): string {
  const names = index?.sets[0]
  return (names === undefined ? undefined : keyOfVariant(primary, names, headers)) ?? primary
}

function tagsIn(entries: readonly (Entry | undefined)[]): readonly string[] {
  return entries.flatMap((entry) => entry?.tags ?? [])
}

/** The most recent, but one with `Vary` before one without (RFC 9111 s. 4.1). */
function newest(entries: readonly (Entry | undefined)[]): ResponseEntry | undefined {
  let best: ResponseEntry | undefined
  for (const candidate of entries) {
    if (candidate === undefined || candidate.kind !== 'response') continue
    const entry = candidate as ResponseEntry
    if (best === undefined) best = entry
    else if (best.value.vary.length === 0 && entry.value.vary.length > 0) best = entry
    else if (best.value.vary.length > 0 === entry.value.vary.length > 0 && isNewer(entry, best)) best = entry
  }
  return best
}

/** REU-5: by `Date`; within one second by when it came. */
function isNewer(a: ResponseEntry, b: ResponseEntry): boolean {
  const [ours, theirs] = [a.value.generatedAt ?? a.cachedAt, b.value.generatedAt ?? b.cachedAt]
  return ours === theirs ? a.cachedAt > b.cachedAt : ours > theirs
}
