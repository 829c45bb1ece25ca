import { type Claimed, claimFill } from './claim.ts'
import type { Clock } from './clock.ts'
import { type Entry, isFresh, type VariantIndex } from './entry.ts'
import { Gauge, type Limit } from './gauge.ts'
import { type CodedBody, codedSize } from './http/content-coding.ts'
import type { RequestHeaders } from './http/fields.ts'
import { type ResponseParts, type StoredResponse, storedResponse, withCodings } from './http/stored-response.ts'
import { tagOf } from './key.ts'
import { type Flight, Flights, LOCK_WAIT_MS, UNSHARED_MS } from './lease.ts'
import { type GrowingBody, LiveResponse } from './live-response.ts'
import { Refreshes } from './refreshes.ts'
import type { Awaitable, FillLease, SetResult, Store } from './stores/store.ts'
import { type IndexEntry, type IndexedFill, keyOfVariant, VariantIndexes } from './variant-index.ts'

/**
 * Stored responses by request: the HTTP face of the service. A resource without `Vary` is one entry under its primary key; one
 * that varies has an index there, naming the `Vary` sets it has shown and the variants kept (RFC 9111 s. 4.1).
 */

/** How many requests wait for the answer to another one, for one and in all; beyond, the handler is asked once more. */
const MAX_WAITERS_OF_ONE = 1_000
const MAX_WAITERS = 10_000
/** Bytes of bodies that are shared while they are made; beyond, those who wait do so until one is whole. */
const MAX_SHARED_BYTES = 64 * 1024 ** 2

export type ResponseEntry = Entry<StoredResponse>

/** Nothing to answer with, and why; with the index where the resource is known. */
export interface Miss {
  readonly kind: 'miss'
  readonly reason: 'uri-miss' | 'vary-miss'
  readonly index: IndexEntry | undefined
}

export type Lookup = ResponseEntry | Miss

/** What a fill brings to those who wait: the response, or before its end what there is of it. */
export type Landing = ResponseEntry | LiveResponse

/** A request that waits for a fill. */
export interface WaitingRequest {
  readonly target: FillTarget
  readonly headers: RequestHeaders
  readonly timeoutMs: number
}

/** The miss of whoever knows nothing of the resource. */
export const NOTHING_STORED: Miss = { kind: 'miss', reason: 'uri-miss', index: undefined }

/** What the middleware recorded, and how long it may be used. */
export interface RecordedResponse extends ResponseParts {
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
  readonly tags: readonly string[]
  /** What is at hand of its body in other codings. @default nothing */
  readonly coded?: readonly CodedBody[]
}

/** The right to fill one resource, as of one state of the ledger. */
export interface Fill extends IndexedFill {
  /** The key under which others wait: the resource, or the variant where its `Vary` is known. */
  readonly flightKey: string
  /** Undefined when nobody may wait for this fill. */
  readonly flight: Flight<Landing> | undefined
  /** Undefined where no other process was asked. */
  readonly lease: FillLease | undefined
}

export interface FillTarget {
  readonly primary: string
  readonly uri: string
  readonly path: string
}

/** Reads an entry by its full key; memory judges it as of `now`. */
type Read = (key: string, now?: number) => Awaitable<Entry | undefined>

export class Responses {
  /** The refreshes in the background. */
  readonly refreshes: Refreshes = new Refreshes()
  readonly #store: Store
  readonly #clock: Required<Clock>
  readonly #flights: Flights<Landing>
  readonly #waiting = new Gauge(MAX_WAITERS)
  /** Bytes of bodies that are shared while they are made. */
  readonly #room = new Gauge(MAX_SHARED_BYTES)
  readonly #indexes: VariantIndexes
  readonly #get: Read = (key, now) => this.#store.get(key, now)
  readonly #reread: Read = (key) => this.#store.reread(key)

  constructor({ store, clock }: { readonly store: Store; readonly clock: Required<Clock> }) {
    this.#store = store
    this.#clock = clock
    this.#flights = new Flights(clock, this.#waiting)
    this.#indexes = new VariantIndexes(store)
  }

  /** The entry that answers this request, were it fresh, without a promise where memory has it. `now`: as the clock has just said. */
  lookup(primary: string, headers: RequestHeaders, now?: number): Awaitable<Lookup> {
    return this.#lookup(primary, headers, this.#get, now)
  }

  #lookup(primary: string, headers: RequestHeaders, read: Read, now?: number): Awaitable<Lookup> {
    const found = read(primary, now)
    if (!(found instanceof Promise)) return this.#select(primary, found, headers, read)
    const hinted = this.#indexes.hinted(primary, headers)
    if (hinted.length === 0) return found.then((entry) => this.#select(primary, entry, headers, read, true))
    const ahead = new Map(hinted.map((key) => [key, read(key)] as const))
    return found.then((entry) =>
      this.#select(primary, entry, headers, (key) => (ahead.has(key) ? ahead.get(key) : read(key)), true),
    )
  }

  /** The same from memory alone; undefined where that has nothing. */
  peek(primary: string, headers: RequestHeaders): ResponseEntry | undefined {
    const found = this.#store.peek(primary)
    if (found === undefined || found.kind === 'response') return found as ResponseEntry | undefined
    if (found.kind !== 'variants') return undefined
    const keys = (found.value as VariantIndex).sets.map((names) => keyOfVariant(primary, names, headers))
    return newest(keys.map((key) => (key === undefined ? undefined : this.#store.peek(key))))
  }

  /** `isRemote`: others had to be asked for `found`, so that it is worth remembering how it varies. */
  #select(
    primary: string,
    found: Entry | undefined,
    headers: RequestHeaders,
    read: Read,
    isRemote = false,
  ): Awaitable<Lookup> {
    if (found === undefined) return NOTHING_STORED
    if (found.kind === 'response') return found as ResponseEntry
    if (found.kind !== 'variants') return NOTHING_STORED
    const index = found as IndexEntry
    const { sets } = index.value
    if (isRemote) this.#indexes.remember(primary, sets)
    const miss: Miss = { kind: 'miss', reason: 'vary-miss', index }
    const candidates: Awaitable<Entry | undefined>[] = []
    for (const names of sets) {
      const key = keyOfVariant(primary, names, headers)
      if (key !== undefined) candidates.push(read(key))
    }
    if (candidates.some((candidate) => candidate instanceof Promise)) {
      return Promise.all(candidates.map(async (candidate) => candidate)).then((entries) => newest(entries) ?? miss)
    }
    return newest(candidates as (Entry | undefined)[]) ?? miss
  }

  /** A flight this request may wait for, or undefined: then `begin` one. */
  join(target: FillTarget, miss: Miss, headers: RequestHeaders): Flight<Landing> | undefined {
    const key = flightKey(target.primary, miss.index, headers)
    const flight = this.#flights.join(key, this.#store.ledger(target.primary).stamp)
    if (flight === undefined) return undefined
    // What is known of it may say that it answers others only.
    const known = flight.early?.kind === 'live' ? flight.early.entry : undefined
    if (known !== undefined && answering(known, target, headers).kind === 'miss') return undefined
    if (flight.waiters < MAX_WAITERS_OF_ONE) return this.#waiting.admits(1) ? flight : undefined
    this.#waiting.refuse()
    return undefined
  }

  /** Whether a flight may be used by those who came after it began: Redis has answered everybody since. */
  isCertain(target: FillTarget, flight: Flight<Landing>): boolean {
    return this.#store.ledger(target.primary).isCertainSince(flight.startedAt)
  }

  /** Wait for the end of a flight, but no longer than `timeoutMs`; then take what it brought if it answers this request too. */
  async await(flight: Flight<Landing>, { target, headers, timeoutMs }: WaitingRequest): Promise<Lookup> {
    const landed = await flight.wait(timeoutMs)
    return landed?.kind === 'response' ? answering(landed, target, headers) : NOTHING_STORED
  }

  /** The same, or the response while it is made, as soon as there is something of it that answers this request. */
  async awaitFirst(flight: Flight<Landing>, request: WaitingRequest): Promise<Lookup | LiveResponse> {
    const until = this.#clock.monotonic() + request.timeoutMs
    const first = await flight.waitForFirst(request.timeoutMs)
    const entry = first?.kind === 'live' && !first.isOver ? first.entry : undefined
    // What a write has overtaken is for those only who have begun.
    if (entry === undefined || this.#store.ledger(entry.key).judge(entry) === 'invalid') {
      return this.await(flight, { ...request, timeoutMs: until - this.#clock.monotonic() })
    }
    const found = answering(entry, request.target, request.headers)
    return found.kind === 'miss' ? found : (first as LiveResponse)
  }

  /** Let those who wait for a fill have its response while it is made; undefined where nobody may wait. */
  share(fill: Fill, draft: () => ResponseEntry | undefined, body: GrowingBody): LiveResponse | undefined {
    const { flight } = fill
    if (flight === undefined) return undefined
    const live = new LiveResponse({ draft, body, flight, room: this.#room })
    flight.announce(live)
    return live
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
    return { primary, uri, path, flightKey: key, incarnation, seq, index: miss.index, flight, lease: undefined }
  }

  /**
   * Ask the other processes for the right to go on with a fill, and wait for the one that has it, but no longer than `waitMs`;
   * without a promise where there are no others. `spare`: what was found and will not do.
   */
  claim(
    fill: Fill,
    {
      headers,
      spare,
      waitMs,
    }: { readonly headers: RequestHeaders; readonly spare: ResponseEntry | undefined; readonly waitMs: number },
  ): Awaitable<Claimed<ResponseEntry>> {
    return claimFill({
      store: this.#store,
      claim: { key: fill.flightKey, incarnation: fill.incarnation, seq: fill.seq, seen: spare?.fence },
      find: async () => this.#usable(await this.#lookup(fill.primary, headers, this.#reread)),
      waitMs,
      monotonic: () => this.#clock.monotonic(),
    })
  }

  /** The same for the refresh of an entry, which nobody waits for. */
  claimRefresh(entry: ResponseEntry): Awaitable<Claimed<ResponseEntry>> {
    const { key, fence } = entry
    const { incarnation, seq } = this.#store.ledger(key).token
    return claimFill({
      store: this.#store,
      claim: { key, incarnation, seq, seen: fence },
      find: async () => {
        const found = await this.#store.reread(key)
        return found?.kind === 'response' ? this.#usable(found as ResponseEntry) : undefined
      },
      waitMs: 0,
      monotonic: () => this.#clock.monotonic(),
    })
  }

  /** A fill that has won its claim: it counts as of now, because only now the handler is asked. */
  leased(fill: Fill, lease: FillLease | undefined): Fill {
    const { incarnation, seq } = this.#store.ledger(fill.primary).token
    return { ...fill, incarnation, seq, lease }
  }

  /** End a fill with what another process has brought. */
  land({ flightKey, flight }: Fill, entry: ResponseEntry): void {
    this.#flights.land(flightKey, flight, entry)
  }

  /** Let nobody wait for this resource: what another process made of it could not be shared. */
  unshare({ flightKey, flight }: Fill): void {
    this.#flights.markUnshared(flightKey)
    this.#flights.land(flightKey, flight, undefined)
  }

  #usable(found: Lookup): ResponseEntry | undefined {
    if (found.kind === 'miss' || found.value.alwaysValidate) return undefined
    return isFresh(found, this.#clock.now()) ? found : undefined
  }

  /** Whether the body of what a fill brings is used no longer than until it is kept: nobody waits for it. */
  copies({ flight }: Fill): boolean {
    return this.#store.copies && (flight?.waiters ?? 0) === 0
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
    const ledger = this.#store.ledger(entry.key)
    const validity = ledger.judge(entry)
    // As long as it cannot be kept whoever comes: do not let them wait for each other.
    const isHeld = ledger.isHeld(entry)
    if (isHeld) this.#flights.markUnshared(fill.flightKey)
    else this.#flights.clearUnshared(fill.flightKey)
    this.#flights.land(fill.flightKey, fill.flight, validity === 'invalid' ? undefined : entry)
    if (validity === 'invalid') {
      this.#release(fill, isHeld ? LOCK_WAIT_MS : 0)
      return 'invalidated'
    }
    // DS-33, HDR-26: neither a slow body nor a late confirmation replaces what has been answered since.
    const present = this.#store.peek(entry.key)
    const answeredAt = from?.cachedAt ?? entry.cachedAt
    const overtaken = present !== undefined && present.cachedAt > answeredAt && present.cachedAt <= this.#clock.now()
    if (overtaken && present.kind === 'response') {
      this.#release(fill, 0)
      return 'fenced'
    }
    const result = this.#store.set(withCodingsOf(present, entry), fill.lease)
    if (entry.key !== fill.primary) this.#indexes.add(fill, entry)
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
    return index.value.variants
      .map((key) => this.#store.peek(key))
      .filter((entry): entry is ResponseEntry => entry?.kind === 'response')
  }

  /** The tags of everything that is kept of a resource, whatever its variant; without a promise where memory has it. */
  tagsOf(primary: string): Awaitable<readonly string[]> {
    // All variants, whichever process has stored them.
    const found = this.#store.reread(primary)
    if (found instanceof Promise) return found.then((entry) => this.#tagsIn(entry))
    return this.#tagsIn(found)
  }

  #tagsIn(found: Entry | undefined): Awaitable<readonly string[]> {
    if (found?.kind !== 'variants') return found?.tags ?? []
    const variants = (found.value as VariantIndex).variants.map(this.#reread)
    if (variants.some((variant) => variant instanceof Promise))
      return Promise.all(variants.map(async (variant) => variant)).then(tagsIn)
    return tagsIn(variants as (Entry | undefined)[])
  }

  /** End a fill that brought nothing to share; `remember` it, so that requests of the next seconds do not wait in vain. */
  abandon(fill: Fill, remember: boolean): void {
    this.#release(fill, remember ? UNSHARED_MS : 0)
    // A fill that nobody could wait for says nothing about those that others may.
    if (fill.flight === undefined) return
    if (remember) this.#flights.markUnshared(fill.flightKey)
    this.#flights.land(fill.flightKey, fill.flight, undefined)
  }

  #release({ lease }: Fill, unsharedMs: number): void {
    if (lease !== undefined) this.#store.release(lease, unsharedMs)
  }

  stats(): Readonly<Record<'flights' | 'waiters' | 'shared' | 'variants', Limit>> {
    return {
      flights: this.#flights.stats(),
      waiters: this.#waiting.stats(),
      shared: this.#room.stats(),
      variants: this.#indexes.stats(),
    }
  }

  /**
   * What a fill recorded as it would be kept; undefined where its variant cannot be named. `length` is that of the body where it is
   * still on its way.
   */
  entryOf(fill: Fill, recorded: RecordedResponse, headers: RequestHeaders, length?: number): ResponseEntry | undefined {
    const { cachedAt, staleAt, deleteAt, tags, coded, vary } = recorded
    // A resource that is indexed keeps its answers without `Vary` as one more variant.
    const varies = vary.length > 0 || fill.index !== undefined
    const key = varies ? keyOfVariant(fill.primary, vary, headers) : fill.primary
    if (key === undefined) return undefined
    const value = storedResponse(recorded, { coded, bodyLength: length })
    let size = key.length + value.body.length
    for (const one of value.coded) size += codedSize(one)
    for (const text of value.head) size += text.length
    for (const tag of tags) size += tag.length
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
      fence: fill.lease?.fence ?? 0,
      size,
      value,
    }
  }
}

/** What a fill for somebody else has brought, where it answers this request, too. */
function answering(entry: ResponseEntry, target: FillTarget, headers: RequestHeaders): Lookup {
  const { key, tags, value } = entry
  const { vary } = value
  if (key === target.primary || key === keyOfVariant(target.primary, vary, headers)) return entry
  if (vary.length > 0) return { kind: 'miss', reason: 'vary-miss', index: undefined }
  // NVS-6: those who wait under one key for several URLs may get an answer that is good for one of them alone.
  return tags.includes(tagOf.uri(target.uri)) ? entry : NOTHING_STORED
}

/** The same bytes again, as most refreshes bring: what was made of them is still right. */
function withCodingsOf(present: Entry | undefined, entry: ResponseEntry): ResponseEntry {
  const { value } = entry
  if (!value.codable || value.coded.length > 0 || present?.kind !== 'response') return entry
  const { coded, body } = (present as ResponseEntry).value
  if (coded.length === 0 || !body.equals(value.body)) return entry
  const size = coded.reduce((sum, one) => sum + codedSize(one), entry.size)
  return { ...entry, size, value: withCodings(value, coded) }
}

function flightKey(primary: string, index: IndexEntry | undefined, headers: RequestHeaders): string {
  const names = index?.value.sets[0]
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
