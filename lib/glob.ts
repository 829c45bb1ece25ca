/**
 * Does the whole of `text` match `pattern`? `*` is any run of characters including `/`, `?` is one character, `\` makes the
 * next character literal. Linear in the product of the lengths, whatever the pattern: no backtracking beyond the last star.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    const char = pattern[p]
    if (char === '*') {
      star = p++
      resume = t
      continue
    }
    const escaped = char === '\\' && p + 1 < pattern.length
    const literal = escaped ? pattern[p + 1] : char
    if (p < pattern.length && ((char === '?' && !escaped) || literal === text[t])) {
      p += escaped ? 2 : 1
      t++
      continue
    }
    if (star === -1) return false
    p = star + 1
    t = ++resume
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
