// Not the global one, which is looked up at each use.
import { performance } from 'node:perf_hooks'

/**
 * The only place that asks for the time. `now()` is epoch ms that never jumps: it starts at the wall clock and is advanced by
 * the monotonic timer, so that an NTP step changes no age. `monotonic()` counts ms from an arbitrary start.
 */
export interface Clock {
  now(): number
  /** @default the process's monotonic timer */
  monotonic?(): number
  /** What `now()` is, from a `monotonic()` of just now. @default `now()` */
  nowAt?(monotonic: number): number
}

/** A clock that lacks a monotonic timer gets the process's. */
export function withMonotonic(clock: Clock): Required<Clock> {
  if (clock instanceof SystemClock) return clock
  const monotonic = clock.monotonic?.bind(clock) ?? (() => performance.now())
  const now = (): number => clock.now()
  return { now, monotonic, nowAt: clock.nowAt?.bind(clock) ?? now }
}

export class SystemClock implements Required<Clock> {
  #offset: number = Date.now() - performance.now()

  now(): number {
    return this.nowAt(performance.now())
  }

  monotonic(): number {
    return performance.now()
  }

  nowAt(monotonic: number): number {
    return Math.floor(this.#offset + monotonic)
  }

  /**
   * Follow another clock (Redis `TIME`, epoch ms) that was read between `sentAt` and `receivedAt` (monotonic ms): the instants
   * of entries shared through Redis are then comparable whatever the hosts' clocks say.
   */
  align(theirs: number, sentAt: number, receivedAt: number): void {
    this.#offset = theirs - (sentAt + receivedAt) / 2
  }
}
