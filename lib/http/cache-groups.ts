import { type InnerList, type Item, parseList } from 'structured-headers'

/**
 * The groups in the combined value of `Cache-Groups` or `Cache-Group-Invalidation`, each once (RFC 9875 s. 2, 3). None when
 * the field is absent or anything in it is no String. Undefined when they are more than 128 or one is longer than 256
 * characters: a response whose groups cannot all be kept must not be stored, for an invalidation could miss it.
 */
export function parseGroups(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return NO_GROUPS
  const groups = new Set<string>()
  for (const [group] of listOf(value)) {
    // GRP-1: all or nothing, and a Token is no String.
    if (typeof group !== 'string') return []
    groups.add(group)
  }
  // GRP-2
  if (groups.size > MAX_GROUPS) return undefined
  for (const group of groups) if (group.length > MAX_LENGTH) return undefined
  return [...groups]
}

const NO_GROUPS: readonly string[] = []
const MAX_GROUPS = 128
const MAX_LENGTH = 256

function listOf(value: string): (Item | InnerList)[] {
  try {
    return parseList(value)
  } catch {
    return []
  }
}
