import { type Fields, fieldLines, splitList } from './fields.ts'

/** The tags a response names in fields of its own: `Cache-Tag` (comma-separated) and `Surrogate-Key` (space-separated). */
export function tagsOf(fields: Fields): readonly string[] {
  const tags: string[] = []
  for (const line of fieldLines(fields, 'cache-tag')) for (const tag of splitList(line)) tags.push(tag)
  for (const line of fieldLines(fields, 'surrogate-key')) {
    for (const tag of line.split(/[ \t,]+/)) if (tag !== '') tags.push(tag)
  }
  return tags
}
