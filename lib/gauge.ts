/** A limit: what it is, how much is used now, the most so far, and how often it refused. */
export interface Limit {
  readonly limit: number
  readonly current: number
  readonly peak: number
  readonly refused: number
}

/** Keeps count of something limited. */
export class Gauge {
  readonly #limit: number
  #current = 0
  #peak = 0
  #refused = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether so much more is within the limit; counts where it is not. */
  admits(amount: number): boolean {
    if (this.#current + amount <= this.#limit) return true
    this.refuse()
    return false
  }

  refuse(): void {
    this.#refused++
  }

  /** Use so much more, or less. */
  add(amount: number): void {
    this.#current += amount
    this.#peak = Math.max(this.#peak, this.#current)
  }

  stats(): Limit {
    return { limit: this.#limit, current: this.#current, peak: this.#peak, refused: this.#refused }
  }
}

/** Several limits as one; each peak was a moment of its own. */
export function together(limits: readonly Limit[]): Limit {
  const sum = { limit: 0, current: 0, peak: 0, refused: 0 }
  for (const { limit, current, peak, refused } of limits) {
    sum.limit += limit
    sum.current += current
    sum.peak += peak
    sum.refused += refused
  }
  return sum
}
