import type { Clock } from '../../lib/clock.ts'

/** A clock that a test moves. Leases keep real time: `monotonic` is the process's own. */
export class FakeClock implements Clock {
  #now: number

  constructor(now: number = Date.now()) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  /** Let `ms` pass. */
  advance(ms: number): void {
    this.#now += ms
  }
}
