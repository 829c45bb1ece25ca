import { formatDuration } from './duration.ts'
import type { Events } from './events.ts'

export interface LifetimesOptions {
  /** What nothing is said of (ms). */
  readonly usual: number
  /** No value is fresh for longer (ms). */
  readonly longest: number
  /** Share of each lifetime that is taken off at random, up to 1. */
  readonly jitter: number
  readonly events: Events
}

/** How long the values of one cache are fresh. */
export class Lifetimes {
  readonly #options: LifetimesOptions

  constructor(options: LifetimesOptions) {
    this.#options = options
  }

  /** Share of each lifetime that is taken off at random where nothing is said. */
  get jitter(): number {
    return this.#options.jitter
  }

  /** The lifetime asked for (ms), or the usual one, but never more than the longest; `place` is where it was asked for. */
  bounded(place: string, wanted: number | undefined): number {
    const { usual, longest, events } = this.#options
    const lifetime = wanted ?? usual
    if (lifetime <= longest) return lifetime
    events.warnOnce(
      'maxTtl',
      `${place}: ttl: ${formatDuration(lifetime)} is longer than maxTtl, so it is cut to ${formatDuration(longest)}. ` +
        'Shorten it, or give createCache a longer maxTtl.',
    )
    return longest
  }

  /** A lifetime with its jitter: what was kept at the same moment does not end at the same moment. */
  jittered(lifetime: number, jitter: number = this.#options.jitter): number {
    if (jitter === 0 || lifetime === 0) return lifetime
    return Math.max(1, Math.round(lifetime * (1 - jitter * Math.random())))
  }
}
