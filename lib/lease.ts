import type { Clock } from './clock.ts'
import type { Gauge, Limit } from './gauge.ts'
import { recent } from './recent.ts'

/**
 * The right to run the loader for a key in this process: one flight per key, however many callers. A flight that began before
 * an invalidation is not joined by anybody who came after it.
 */

/** How long a caller waits for somebody else's flight before it goes on its own (ms). */
export const LOCK_WAIT_MS = 1_000
/**
 * How long it waits for the end of one that it may not use, before it begins the next (ms): of the lock wait enough is left to share
 * that with others who came too late for the first.
 */
export const TURN_WAIT_MS: number = LOCK_WAIT_MS / 4
/** How long, and for how many keys, it is remembered that an answer could not be shared ("hit for miss"). */
export const UNSHARED_MS = 10_000
const UNSHARED_KEYS = 10_000

/** How many flights are kept at the same time; beyond, loaders run without anybody waiting for them. */
const MAX_FLIGHTS = 10_000

/** Something that will be there once, as a promise for those who ask: for most of what lands nobody does. */
class Coming<T> {
  #isHere = false
  #value: T | undefined
  #promise: Promise<T | undefined> | undefined
  #resolve: ((value: T | undefined) => void) | undefined

  /** It is here; the first one counts. */
  arrive(value: T | undefined): void {
    if (this.#isHere) return
    this.#isHere = true
    this.#value = value
    this.#resolve?.(value)
  }

  get promise(): Promise<T | undefined> {
    this.#promise ??= this.#isHere
      ? Promise.resolve(this.#value)
      : new Promise((resolve) => {
          this.#resolve = resolve
        })
    return this.#promise
  }
}

/** One run of a loader that others may wait for. */
export class Flight<T> {
  readonly stamp: object
  readonly startedAt: number
  readonly #result = new Coming<T>()
  readonly #first = new Coming<T>()
  #early: T | undefined
  #waiters = 0
  /** Those who wait for any flight of the cache. */
  readonly #all: Gauge | undefined

  constructor(stamp: object, startedAt: number, all?: Gauge) {
    this.stamp = stamp
    this.startedAt = startedAt
    this.#all = all
  }

  /** Hand out what can be had before the end. */
  announce(value: T): void {
    this.#early = value
    this.#first.arrive(value)
  }

  /** What was handed out before the end. */
  get early(): T | undefined {
    return this.#early
  }

  /** Hand the result to everybody waiting; undefined sends each on its own way. */
  land(value: T | undefined): void {
    this.#result.arrive(value)
    this.#first.arrive(value)
  }

  get waiters(): number {
    return this.#waiters
  }

  /** Count one more, or one less, who depends on this flight. */
  count(change: 1 | -1): void {
    this.#waiters += change
    this.#all?.add(change)
  }

  /** The result, or undefined when it has not come after the lock wait. Never rejects. */
  wait(timeoutMs: number): Promise<T | undefined> {
    return this.#within(timeoutMs, this.#result.promise)
  }

  /** The same, or what is handed out before the end. */
  waitForFirst(timeoutMs: number): Promise<T | undefined> {
    return this.#within(timeoutMs, this.#first.promise)
  }

  #within(timeoutMs: number, coming: Promise<T | undefined>): Promise<T | undefined> {
    this.count(1)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, undefined)
    })
    return Promise.race([coming, late]).finally(() => {
      clearTimeout(timer)
      this.count(-1)
    })
  }
}

/** The flights of one cache. */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>()
  readonly #unshared = recent<number>(UNSHARED_KEYS)
  readonly #clock: Required<Clock>
  readonly #waiting: Gauge | undefined
  #peak = 0
  #refused = 0

  /** `waiting` counts those who wait. */
  constructor(clock: Required<Clock>, waiting?: Gauge) {
    this.#clock = clock
    this.#waiting = waiting
  }

  /**
   * The flight to wait for: under way since the last invalidation, and not for longer than the lock wait unless something of it can
   * be had.
   */
  join(key: string, stamp: object): Flight<T> | undefined {
    const flight = this.#flights.get(key)
    if (flight === undefined || flight.stamp !== stamp) return undefined
    if (flight.early !== undefined) return flight
    return this.#clock.monotonic() - flight.startedAt < LOCK_WAIT_MS ? flight : undefined
  }

  /** Take the lead for this key, also over a flight that may no longer be joined; undefined when there are too many. */
  begin(key: string, stamp: object): Flight<T> | undefined {
    if (this.#flights.size >= MAX_FLIGHTS && !this.#flights.has(key)) {
      this.#refused++
      return undefined
    }
    const flight = new Flight<T>(stamp, this.#clock.monotonic(), this.#waiting)
    this.#flights.set(key, flight)
    this.#peak = Math.max(this.#peak, this.#flights.size)
    return flight
  }

  /** End a flight and hand out what it brought. */
  land(key: string, flight: Flight<T> | undefined, value: T | undefined): void {
    if (flight === undefined) return
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
    flight.land(value)
  }

  /** Whether answers for this key could lately not be shared, so that waiting for one is of no use. */
  isUnshared(key: string): boolean {
    const until = this.#unshared.get(key)
    return until !== undefined && this.#clock.monotonic() < until
  }

  markUnshared(key: string): void {
    this.#unshared.set(key, this.#clock.monotonic() + UNSHARED_MS)
  }

  clearUnshared(key: string): void {
    this.#unshared.delete(key)
  }

  stats(): Limit {
    return { limit: MAX_FLIGHTS, current: this.#flights.size, peak: this.#peak, refused: this.#refused }
  }
}
