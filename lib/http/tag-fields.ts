import { type Fields, fieldLines, splitList } from './fields.ts'

/** The tags a response names in fields of its own: `Cache-Tag` (comma-separated) and `Surrogate-Key` (space-separated). */
export function tagsOf(fields: Fields): readonly string[] {
  const tags: string[] = []
  for (const line of fieldLines(fields, 'cache-tag')) tags.push(...splitList(line))
  for (const line of fieldLines(fields, 'surrogate-key')) tags.push(...line.split(/[ \t]+/).filter((tag) => tag !== ''))
  return tags
}
