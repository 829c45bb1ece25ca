import { type Claimed, claimFill } from './claim.ts'
import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import { CacheError, show } from './errors.ts'
import type { Limit } from './gauge.ts'
import { entryOf, type Keeping, writtenFor } from './keeping.ts'
import { tagOf } from './key.ts'
import { type Flight, Flights, LOCK_WAIT_MS, TURN_WAIT_MS, UNSHARED_MS } from './lease.ts'
import { type LoadContext, LoadRun } from './load-context.ts'
import { type Negative, Negatives } from './negatives.ts'
import type { Outcome } from './outcome.ts'
import { Refreshes } from './refreshes.ts'
import type { Awaitable, FillLease, SetResult } from './stores/store.ts'
import type { TagLedger, Token } from './tags.ts'
import type { Written } from './value-format.ts'

/**
 * The running of loaders: of all callers of a key, here and in other processes, one runs its loader, and the others get what it
 * brings as long as no write came in between.
 */

/** Makes the value on a miss. */
export type Loader<T> = (context: LoadContext) => Promise<T> | T

/** What is to be loaded; times in ms. */
export interface Load<T> {
  readonly keeping: Keeping
  /** Nobody waits for longer. */
  readonly hardTimeoutMs: number | undefined
  /** For how long it is remembered that there was nothing; undefined: not at all. */
  readonly negativeTtl: number | undefined
  readonly loader: Loader<T>
}

/** What was so when a caller came. */
export interface Caller {
  /** Monotonic ms. */
  readonly at: number
  /** The run under way; it may land while Redis is asked. */
  readonly early: Flight<Landing> | undefined
  readonly isLinked: boolean
}

export interface Brought<T> extends Pick<Outcome, 'collapsed' | 'stored' | 'detail'> {
  readonly value: T
  /** What becomes of the copy that is kept. */
  readonly kept?: Awaitable<SetResult>
}

/** What a run of a loader has for those who waited: nothing at all (undefined) sends each on its own way. */
type Landing = { readonly kind: 'brought'; readonly entry: Entry } | Negative

/** How a run ends: for those who wait here, and for those who wait in other processes. */
interface End {
  readonly landing: Landing | undefined
  /** What to keep. */
  readonly entry?: Entry
  /** How long nobody is to wait for this key (ms). */
  readonly unsharedMs?: number
}

const LOADED = { where: 'remember', what: 'loaded' } as const

/** The loads of one cache. */
export class Loads {
  readonly #engine: Engine
  readonly #flights: Flights<Landing>
  readonly #negatives = new Negatives()
  readonly #refreshes = new Refreshes()
  readonly #runs = new Set<LoadRun>()
  /** What ends a run whose beginner has gone, by its flight. */
  readonly #left = new WeakMap<Flight<Landing>, () => void>()

  constructor(engine: Engine) {
    this.#engine = engine
    this.#flights = new Flights(engine.clock)
    engine.onClose(async () => this.#abortAll())
  }

  stats(): Readonly<Record<'flights' | 'negative', Limit>> {
    return { flights: this.#flights.stats(), negative: this.#negatives.stats() }
  }

  /** Take down what is so now, before anybody is asked. */
  caller(full: string): Caller {
    const { clock, reachable } = this.#engine
    return { at: clock.monotonic(), early: this.#joinable(full), isLinked: reachable }
  }

  /** What is remembered of a loader that had no value, unless somebody may have written since. */
  negative<T>({ keeping: { full }, negativeTtl }: Load<T>, { at, isLinked }: Caller): Negative | undefined {
    if (negativeTtl === undefined || !isLinked || !this.#engine.reachable) return undefined
    const ledger = this.#ledger(full)
    return ledger.isCertainSince(at) ? this.#negatives.get(full, ledger, this.#engine.clock.now()) : undefined
  }

  /** What the loader brings: the run that is under way, or one of our own. `spare`: what was found and will not do. */
  async bring<T>(load: Load<T>, caller: Caller, spare: Entry | undefined): Promise<Brought<T>> {
    const { full } = load.keeping
    const { clock } = this.#engine
    const since = clock.monotonic()
    const until = since + (load.hardTimeoutMs ?? Number.POSITIVE_INFINITY)
    const isCurrent = caller.isLinked && this.#engine.reachable
    let landed = isCurrent && caller.early?.stamp === this.#ledger(full).stamp ? caller.early : undefined
    for (;;) {
      // Nothing may be awaited between asking for a flight and beginning one: of many callers all would begin.
      const flight = this.#joinable(full) ?? landed
      landed = undefined
      const now = clock.monotonic()
      if (now >= until) throw timedOut(load)
      const lockLeftMs = LOCK_WAIT_MS - (now - since)
      if (flight === undefined) return this.#lead(load, spare, { waitMs: lockLeftMs, until })
      // Where Redis did not answer nothing says whether somebody has written since a run began: only one that began later will do.
      const isCertain = isCurrent && this.#ledger(full).isCertainSince(flight.startedAt)
      const isUsable = flight.startedAt >= caller.at || isCertain
      const leftMs = isUsable ? lockLeftMs : lockLeftMs - LOCK_WAIT_MS + TURN_WAIT_MS
      if (leftMs <= 0) return this.#lead(load, spare, { waitMs: lockLeftMs, until })
      // A timer may be early by the part of a ms: a run with so little time left would be for nothing.
      const landing = await flight.wait(Math.min(leftMs, Math.ceil(until - now) + 1))
      if (landing === undefined) this.#abandonUnwaited(flight)
      if (landing === undefined || !isUsable) continue
      if (landing.kind === 'failed') throw landing.error
      const value = landing.kind === 'nothing' ? undefined : this.#engine.format.read<T>(landing.entry)
      // What cannot be read again is of use to the one only who has made it.
      if (value === undefined && landing.kind === 'brought') return this.#run(load, { until })
      return { value: value as T, collapsed: true }
    }
  }

  /** Load anew in the background, unless somebody is at it, or has just been. */
  refresh<T>(load: Load<T>, present: Entry): void {
    const { clock } = this.#engine
    if (this.#joinable(load.keeping.full) !== undefined || this.#refreshes.isHeld(present, clock.now())) return
    this.#engine.refresh(async () => {
      this.#refreshes.begin(present)
      try {
        await this.#reload(load, present)
      } finally {
        this.#refreshes.end(present, clock.now())
      }
    })
  }

  #joinable(full: string): Flight<Landing> | undefined {
    return this.#flights.join(full, this.#ledger(full).stamp)
  }

  #ledger(full: string): TagLedger {
    return this.#engine.store.ledger(full)
  }

  /** Of all processes one runs the loader, and the others get what it has stored within `waitMs`. */
  async #lead<T>(
    load: Load<T>,
    spare: Entry | undefined,
    { waitMs, until }: { readonly waitMs: number; readonly until: number },
  ): Promise<Brought<T>> {
    const { full } = load.keeping
    const flight = this.#flights.isUnshared(full) ? undefined : this.#flights.begin(full, this.#ledger(full).stamp)
    if (flight === undefined) return this.#run(load, { until })
    const claimed = this.#claim(full, spare, Math.min(waitMs, until - this.#engine.clock.monotonic()))
    const won = claimed instanceof Promise ? await claimed : claimed
    if (won.kind !== 'found' && this.#engine.clock.monotonic() >= until) {
      this.#flights.land(full, flight, undefined)
      if (won.kind === 'won' && won.lease !== undefined) this.#engine.store.release(won.lease, 0)
      throw timedOut(load)
    }
    switch (won.kind) {
      case 'won':
        return this.#run(load, { until, flight, lease: won.lease })
      case 'found': {
        const value = this.#engine.format.read<T>(won.found)
        if (value === undefined) return this.#run(load, { until, flight })
        this.#flights.land(full, flight, { kind: 'brought', entry: won.found })
        return { value, collapsed: true }
      }
      case 'late':
        return this.#run(load, { until, flight })
      case 'unshared':
        this.#flights.markUnshared(full)
        this.#flights.land(full, flight, undefined)
        return this.#run(load, { until })
    }
  }

  async #reload<T>(load: Load<T>, present: Entry): Promise<void> {
    const { keeping, hardTimeoutMs = Number.POSITIVE_INFINITY } = load
    const { full } = keeping
    const flight = this.#flights.begin(full, this.#ledger(full).stamp)
    const claimed = this.#claim(full, present, 0)
    const won = claimed instanceof Promise ? await claimed : claimed
    const until = this.#engine.clock.monotonic() + hardTimeoutMs
    if (won.kind === 'won') await this.#run(load, { until, flight, lease: won.lease })
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

  /** Run the loader and wait for it until its time is over; what it brings after that is kept all the same. */
  #run<T>(load: Load<T>, { until, flight, lease }: RunOptions): Promise<Brought<T>> {
    const { clock, events } = this.#engine
    const leftMs = until - clock.monotonic()
    const at = this.#ledger(load.keeping.full).token
    const run: Run<T> = { load, self: new LoadRun(events), at, startedAt: clock.now(), flight, lease }
    const brought = this.#complete(run)
    return leftMs === Number.POSITIVE_INFINITY ? brought : this.#within(leftMs, run, brought)
  }

  #within<T>(leftMs: number, run: Run<T>, brought: Promise<Brought<T>>): Promise<Brought<T>> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        const error = timedOut(run.load)
        this.#remember(run, { kind: 'failed', error })
        brought.catch((late: unknown) => this.#tellOfLate(run.self, late))
        this.#leave(run, error)
        reject(error)
      }
      const timer = setTimeout(giveUp, leftMs)
      brought.finally(() => clearTimeout(timer)).then(resolve, reject)
    })
  }

  /** Whoever began this run waits no longer; it goes on for those who do. */
  #leave<T>({ load, self, flight, lease }: Run<T>, reason: CacheError): void {
    const abandon = (): void => {
      self.abort(reason)
      this.#flights.land(load.keeping.full, flight, undefined)
      if (lease !== undefined) this.#engine.store.release(lease, 0)
    }
    if (flight === undefined) return abandon()
    this.#left.set(flight, abandon)
    this.#abandonUnwaited(flight)
  }

  /** Abandon a run when the last of those who waited for it has gone. */
  #abandonUnwaited(flight: Flight<Landing>): void {
    if (flight.waiters > 0) return
    this.#left.get(flight)?.()
    this.#left.delete(flight)
  }

  /** That a loader was told to stop is no news. */
  #tellOfLate({ aborted }: LoadRun, cause: unknown): void {
    const isAbort = cause instanceof Error && cause.name === 'AbortError'
    if (isAbort || cause === aborted?.reason) return
    this.#engine.events.emit('error', { where: 'remember', cause })
  }

  /** Run the loader, keep what it brings and hand it to those waiting. */
  async #complete<T>(run: Run<T>): Promise<Brought<T>> {
    const { load, self, flight, lease } = run
    const { store } = this.#engine
    let end: End = { landing: undefined }
    this.#runs.add(self)
    try {
      const value = await load.loader(self.context)
      end = this.#ended(run, value)
      // The caller has its value; what becomes of the copy is no reason to wait.
      const { entry } = end
      const detail = self.said.skip
      return {
        value,
        ...(entry === undefined ? {} : { stored: true, kept: this.#engine.keep(entry, lease) }),
        ...(detail === undefined ? {} : { detail }),
      }
    } catch (error) {
      end = { landing: { kind: 'failed', error } }
      this.#remember(run, { kind: 'failed', error })
      throw error
    } finally {
      this.#runs.delete(self)
      self.end()
      this.#flights.land(load.keeping.full, flight, end.landing)
      if (lease !== undefined && end.entry === undefined) store.release(lease, end.unsharedMs ?? 0)
    }
  }

  /** What becomes of what a loader brought. */
  #ended<T>(run: Run<T>, value: T): End {
    const { load } = run
    const { full } = load.keeping
    if (value === undefined) {
      this.#remember(run, { kind: 'nothing' })
      return { landing: { kind: 'nothing' } }
    }
    const written = writtenFor(this.#engine, LOADED, load.keeping.key, value)
    if (written === undefined) {
      // What cannot be kept cannot be shared either: do not let others wait for it one after the other.
      this.#flights.markUnshared(full)
      return { landing: undefined, unsharedMs: UNSHARED_MS }
    }
    this.#flights.clearUnshared(full)
    this.#negatives.delete(full)
    const entry = entryOf(this.#engine, this.#keepingOf(run), { written, at: run.at, fence: run.lease?.fence ?? 0 })
    const ledger = this.#ledger(full)
    const isHeld = ledger.isHeld(entry)
    // As long as it cannot be kept whoever comes: do not let them wait for each other.
    if (isHeld) this.#flights.markUnshared(full)
    if (ledger.judge(entry) === 'invalid') return { landing: undefined, unsharedMs: isHeld ? LOCK_WAIT_MS : 0 }
    const landing: Landing = { kind: 'brought', entry }
    return this.#isWanted(run, entry, written) ? { landing, entry } : { landing }
  }

  /** Whether what was loaded is to be kept, which those who wait for it need not know. */
  #isWanted<T>({ load, self, startedAt }: Run<T>, entry: Entry, written: Written): boolean {
    const { format, store } = this.#engine
    if (self.said.skip !== undefined || entry.deleteAt <= entry.cachedAt) return false
    if (!format.fits(load.keeping.key, written)) return false
    if (self.aborted === undefined) return true
    // It was given up, and somebody else has been faster.
    const present = store.peek(load.keeping.full)
    return present === undefined || present.cachedAt < startedAt
  }

  #keepingOf<T>({ load, self: { said } }: Run<T>): Keeping {
    const { keeping } = load
    const lifetime = said.ttl === undefined ? keeping.lifetime : this.#engine.lifetimes.bounded('load', said.ttl)
    return { ...keeping, lifetime, tags: [...new Set([...keeping.tags, ...said.tags])], ownWindows: said }
  }

  /** That there was nothing, where the caller wants it remembered. */
  #remember<T>({ load, self, at }: Run<T>, negative: Negative): void {
    const { keeping, negativeTtl } = load
    if (negativeTtl === undefined) return
    const { full, key } = keeping
    const tags = [...keeping.tags, ...self.said.tags, tagOf.key(key)]
    const judged = { kind: 'value', name: key, tags, incarnation: at.incarnation, seq: at.seq } as const
    this.#negatives.set(full, { negative, judged, until: this.#engine.clock.now() + negativeTtl })
  }

  #abortAll(): void {
    const reason = new CacheError('ERR_CACHE_CLOSED', 'remember: the cache was closed while the loader ran.')
    for (const run of this.#runs) run.abort(reason)
  }
}

/** One run of a loader. */
interface Run<T> {
  readonly load: Load<T>
  readonly self: LoadRun
  /** The state of the ledger as of which it began. */
  readonly at: Token
  /** Epoch ms. */
  readonly startedAt: number
  readonly flight: Flight<Landing> | undefined
  readonly lease: FillLease | undefined
}

interface RunOptions {
  /** Nobody waits for longer (monotonic ms). */
  readonly until: number
  /** Those who wait for it. */
  readonly flight?: Flight<Landing> | undefined
  readonly lease?: FillLease | undefined
}

function timedOut<T>({ keeping: { key }, hardTimeoutMs }: Load<T>): CacheError {
  return new CacheError(
    'ERR_CACHE_LOADER_TIMEOUT',
    `remember: the loader of ${show(key)} has not brought anything within hardTimeoutMs (${hardTimeoutMs} ms). Make it faster, ` +
      'give it longer, or give staleIfError for an older value to stand in.',
  )
}
