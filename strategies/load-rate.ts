import { CacheError } from '../lib/errors.ts'

const WINDOW_MS = 60_000

/** Counts the runs of loaders, so that there are no more than so many within any 60 s. */
export class LoadRate {
  readonly #place: string
  readonly #most: number
  readonly #clock: { monotonic(): number }
  /** When the last runs began (monotonic ms), as a ring. */
  readonly #begun: number[] = []
  /** Where in the ring the oldest is. */
  #oldest = 0

  constructor(place: string, most: number, clock: { monotonic(): number }) {
    this.#place = place
    this.#most = most
    this.#clock = clock
  }

  /** The same function; it throws `ERR_CACHE_RATE_LIMITED` where it may not run. */
  limit<A extends readonly unknown[], T>(run: (...args: A) => T): (...args: A) => T {
    return (...args) => {
      this.#count()
      return run(...args)
    }
  }

  #count(): void {
    const now = this.#clock.monotonic()
    const oldest = this.#begun[this.#oldest]
    if (oldest !== undefined && now - oldest < WINDOW_MS) {
      const retryAfterMs = Math.ceil(oldest + WINDOW_MS - now)
      throw new CacheError(
        'ERR_CACHE_RATE_LIMITED',
        `${this.#place}: loaders have run ${this.#most} times within 60 s, which is as often as they may. Try again in ` +
          `${retryAfterMs} ms, or raise loadsPerMinute.`,
        { retryAfterMs },
      )
    }
    this.#begun[this.#oldest] = now
    this.#oldest = (this.#oldest + 1) % this.#most
  }
}
