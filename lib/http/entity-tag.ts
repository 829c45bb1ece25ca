import { trimOws } from './fields.ts'

/**
 * The entity tag in a field value, byte for byte and with its `W/`; undefined when it is not a valid one, and then it is no
 * validator (RFC 9110 s. 8.8.3).
 */
export function parseEntityTag(value: string): string | undefined {
  const tag = trimOws(value)
  return tag !== '' && endOfTag(tag, 0) === tag.length ? tag : undefined
}

/** Do two valid entity tags name the same thing, whatever their strength (RFC 9110 s. 8.8.3.2)? */
export function weakMatch(a: string, b: string): boolean {
  if (a === b) return true
  const from = a.startsWith('W/') ? 2 : 0
  const other = b.startsWith('W/') ? 2 : 0
  // Only one of the two is weak, else they would have been equal.
  return from !== other && a.slice(from) === b.slice(other)
}

/**
 * The tags of an `If-None-Match` or `If-Match`: `*` alone, or a list. Undefined when any part is not an entity tag, or when
 * `*` stands beside others: such a condition matches nothing (RFC 9110 s. 13.1.2).
 */
export function parseEntityTagList(value: string): string[] | '*' | undefined {
  if (trimOws(value) === '*') return '*'
  const tags: string[] = []
  let index = 0
  while (index < value.length) {
    const code = value.charCodeAt(index)
    // PAR-4: empty members count for nothing.
    if (code === 0x20 || code === 0x09 || code === 0x2c) {
      index++
      continue
    }
    const end = endOfTag(value, index)
    if (end === -1) return undefined
    tags.push(value.slice(index, end))
    index = end
    while (value.charCodeAt(index) === 0x20 || value.charCodeAt(index) === 0x09) index++
    if (index < value.length && value.charCodeAt(index) !== 0x2c) return undefined
  }
  return tags.length === 0 ? undefined : tags
}

/** Where the tag that begins at `start` ends, -1 if none does. CON-6: only `W/`; CON-7: commas yes, spaces no. */
function endOfTag(text: string, start: number): number {
  let index = text.startsWith('W/', start) ? start + 2 : start
  if (text.charCodeAt(index) !== 0x22) return -1
  for (index++; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 0x22) return index + 1
    if (code < 0x21 || code === 0x7f || code > 0xff) return -1
  }
  return -1
}
