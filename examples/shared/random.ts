/** A source of numbers in [0, 1), the same ones for the same seed on every machine. */
export type Random = () => number

/**
 * A small seeded generator: a 32-bit counter stepped by an odd constant and scrambled by two multiply-xorshift rounds. Good
 * enough for made-up data and traffic, never for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A whole number in [0, limit). */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** One member of a list that is not empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)] as T
}

/** How large the n-th of `count` things is, in shares of 1: the first is twice the second, three times the third. */
export function zipfShares(count: number, exponent = 1): Float64Array {
  const shares = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    shares[rank] = 1 / (rank + 1) ** exponent
    sum += shares[rank] as number
  }
  return shares.map((share) => share / sum)
}

/** Draws an index with the probability its weight has among all weights. */
export function weightedIndex(weights: ArrayLike<number>): (random: Random) => number {
  const cumulative = new Float64Array(weights.length)
  let sum = 0
  for (let index = 0; index < weights.length; index++) {
    sum += weights[index] as number
    cumulative[index] = sum
  }
  return (random) => {
    const target = random() * sum
    let low = 0
    let high = cumulative.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((cumulative[middle] as number) > target) high = middle
      else low = middle + 1
    }
    return low
  }
}
