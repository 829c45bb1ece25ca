/** Secret, and different in every process: two 32-bit numbers. */
export type Seed = readonly [number, number]

/**
 * A function that makes 32 bits of a text (a signed number): HalfSipHash-1-3 of its UTF-16 (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF"). Whoever does not know the seed cannot choose texts that fall together.
 */
export function keyHash([low, high]: Seed): (text: string) => number {
  return (text) => {
    const { length } = text
    const end = length & ~1
    let v0 = low
    let v1 = high
    let v2 = low ^ 0x6c796765
    let v3 = high ^ 0x74656462
    for (let at = 0; at <= end + 6; at += 2) {
      // Two characters at a time; then what is left and the number of bytes; then three rounds of nothing.
      let word = 0
      if (at < end) word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
      else if (at === end) word = (length << 25) | (end < length ? text.charCodeAt(end) : 0)
      else if (at === end + 2) v2 ^= 0xff
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    return v1 ^ v3
  }
}
