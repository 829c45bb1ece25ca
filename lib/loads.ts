import { type Claimed, claimFill } from './claim.ts'
import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { show } from './errors.ts'
import { type Bound, type Flight, Flights, LOCK_WAIT_MS, TURN_WAIT_MS, UNSHARED_MS } from './lease.ts'
import type { Outcome } from './outcome.ts'
import { type StoredForm, storedForm, valueEntry, valueOf } from './stored-value.ts'
import type { Awaitable, FillLease, SetResult } from './stores/store.ts'
import type { TagLedger } from './tags.ts'

/**
 * The running of loaders: of all callers of a key, here and in other processes, one runs its loader, and the others get what it
 * brings as long as no write came in between.
 */

/** Makes the value on a miss. */
export type Loader<T> = () => Promise<T> | T

/** What is to be loaded, and how it is to be kept; times in ms. */
export interface Load<T> {
  /** The full key, and the service key in it. */
  readonly full: string
  readonly key: string
  readonly tags: readonly string[]
  readonly lifetime: number
  readonly windows: Windows
  readonly loader: Loader<T>
}

/** How long a value may be used beyond its lifetime: while it is loaded anew, and where that fails (ms). */
interface Windows {
  readonly revalidate: number
  readonly error: number
}

/** What was so when a caller came. */
export interface Caller {
  /** Monotonic ms. */
  readonly at: number
  /** The run under way; it may land while Redis is asked. */
  readonly early: Flight<Landing> | undefined
  readonly isLinked: boolean
}

export interface Brought<T> extends Pick<Outcome, 'collapsed' | 'stored'> {
  readonly value: T
  /** What becomes of the copy that is kept. */
  readonly kept?: Awaitable<SetResult>
}

/** What a run of a loader has for those who waited: nothing at all (undefined) sends each on its own way. */
type Landing =
  | { readonly kind: 'brought'; readonly entry: Entry }
  /** The loader brought undefined. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** The loads of one cache. */
export class Loads {
  readonly #engine: Engine
  readonly #flights: Flights<Landing>

  constructor(engine: Engine) {
    this.#engine = engine
    this.#flights = new Flights(engine.clock)
  }

  /** Runs that others may wait for. */
  get bound(): Bound {
    return this.#flights.stats()
  }

  /** Take down what is so now, before anybody is asked. */
  caller(full: string): Caller {
    const { clock, reachable } = this.#engine
    return { at: clock.monotonic(), early: this.#joinable(full), isLinked: reachable }
  }

  /** What the loader brings: the run that is under way, or one of our own. `spare`: what was found and will not do. */
  async bring<T>(load: Load<T>, caller: Caller, spare: Entry | undefined): Promise<Brought<T>> {
    const { full } = load
    const { clock } = this.#engine
    const since = clock.monotonic()
    const isCurrent = caller.isLinked && this.#engine.reachable
    let landed = isCurrent && caller.early?.stamp === this.#ledger(full).stamp ? caller.early : undefined
    for (;;) {
      // Nothing may be awaited between asking for a flight and beginning one: of many callers all would begin.
      const flight = this.#joinable(full) ?? landed
      landed = undefined
      const waitedMs = clock.monotonic() - since
      if (flight === undefined) return this.#lead(load, spare, LOCK_WAIT_MS - waitedMs)
      // Where Redis did not answer nothing says whether somebody has written since a run began: only one that began later will do.
      const isCertain = isCurrent && this.#ledger(full).isCertainSince(flight.startedAt)
      const isUsable = flight.startedAt >= caller.at || isCertain
      const leftMs = (isUsable ? LOCK_WAIT_MS : TURN_WAIT_MS) - waitedMs
      if (leftMs <= 0) return this.#lead(load, spare, LOCK_WAIT_MS - waitedMs)
      const landing = await flight.wait(leftMs)
      if (landing === undefined || !isUsable) continue
      if (landing.kind === 'failed') throw landing.error
      const value = (landing.kind === 'nothing' ? undefined : valueOf<T>(landing.entry)) as T
      return { value, collapsed: true }
    }
  }

  /** Load anew what is stale, in the background, unless somebody is at it. */
  refresh<T>(load: Load<T>, stale: Entry): void {
    if (this.#joinable(load.full) === undefined) this.#engine.refresh(() => this.#reload(load, stale))
  }

  #joinable(full: string): Flight<Landing> | undefined {
    return this.#flights.join(full, this.#ledger(full).stamp)
  }

  #ledger(full: string): TagLedger {
    return this.#engine.store.ledger(full)
  }

  /** Of all processes one runs the loader, and the others get what it has stored within `waitMs`. */
  async #lead<T>(load: Load<T>, spare: Entry | undefined, waitMs: number): Promise<Brought<T>> {
    const { full } = load
    const flight = this.#flights.isUnshared(full) ? undefined : this.#flights.begin(full, this.#ledger(full).stamp)
    if (flight === undefined) return this.#run(load, undefined, undefined)
    const claimed = this.#claim(full, spare, waitMs)
    const won = claimed instanceof Promise ? await claimed : claimed
    switch (won.kind) {
      case 'won':
        return this.#run(load, flight, won.lease)
      case 'found':
        this.#flights.land(full, flight, { kind: 'brought', entry: won.found })
        return { value: valueOf<T>(won.found), collapsed: true }
      case 'late':
        return this.#run(load, flight, undefined)
      case 'unshared':
        this.#flights.markUnshared(full)
        this.#flights.land(full, flight, undefined)
        return this.#run(load, undefined, undefined)
    }
  }

  async #reload<T>(load: Load<T>, stale: Entry): Promise<void> {
    const { full } = load
    const flight = this.#flights.begin(full, this.#ledger(full).stamp)
    const claimed = this.#claim(full, stale, 0)
    const won = claimed instanceof Promise ? await claimed : claimed
    if (won.kind === 'won') await this.#run(load, flight, won.lease)
    else this.#flights.land(full, flight, won.kind === 'found' ? { kind: 'brought', entry: won.found } : undefined)
  }

  #claim(full: string, spare: Entry | undefined, waitMs: number): Awaitable<Claimed<Entry>> {
    const { store, clock } = this.#engine
    const { incarnation, seq } = this.#ledger(full).token
    return claimFill({
      store,
      claim: { key: full, incarnation, seq, seen: spare?.fence },
      find: async () => {
        const entry = await store.reread(full)
        return entry?.kind === 'value' && isFresh(entry, clock.now()) ? entry : undefined
      },
      waitMs,
      monotonic: () => clock.monotonic(),
    })
  }

  /** Run the loader, keep what it brings and hand it to those waiting. */
  async #run<T>(
    { full, key, tags, lifetime, windows, loader }: Load<T>,
    flight: Flight<Landing> | undefined,
    lease: FillLease | undefined,
  ): Promise<Brought<T>> {
    const { store, clock } = this.#engine
    const at = this.#ledger(full).token
    let landing: Landing | undefined
    let unkept = lease
    let unsharedMs = 0
    try {
      const value = await loader()
      if (value === undefined) {
        landing = { kind: 'nothing' }
        return { value }
      }
      const kept = this.#storedForm(key, value)
      if (kept === undefined) {
        // What cannot be kept cannot be shared either: do not let others wait for it one after the other.
        this.#flights.markUnshared(full)
        unsharedMs = UNSHARED_MS
        return { value }
      }
      this.#flights.clearUnshared(full)
      const now = clock.now()
      const staleAt = now + lifetime
      const deleteAt = staleAt + Math.max(windows.revalidate, windows.error)
      const fence = lease?.fence ?? 0
      const entry = valueEntry({ full, key, value: kept, tags, now, staleAt, deleteAt, at, fence })
      const ledger = this.#ledger(full)
      if (ledger.isHeld(entry)) {
        // As long as it cannot be kept whoever comes: do not let them wait for each other.
        this.#flights.markUnshared(full)
        unsharedMs = LOCK_WAIT_MS
      }
      if (ledger.judge(entry) === 'invalid') return { value }
      landing = { kind: 'brought', entry }
      unkept = undefined
      // The caller has its value; what becomes of the copy is no reason to wait.
      return { value, stored: true, kept: store.set(entry, lease) }
    } catch (error) {
      landing = { kind: 'failed', error }
      throw error
    } finally {
      this.#flights.land(full, flight, landing)
      if (unkept !== undefined) store.release(unkept, unsharedMs)
    }
  }

  /** What a loader brought, as it is kept; undefined for what cannot be: the caller has it all the same. */
  #storedForm(key: string, value: unknown): StoredForm | undefined {
    try {
      return storedForm(key, value)
    } catch (cause) {
      const { events } = this.#engine
      events.emit('error', { where: 'remember', cause })
      events.warnOnce('remember', `What was loaded for ${show(key)} is not kept: ${String(cause)}`)
      return undefined
    }
  }
}
