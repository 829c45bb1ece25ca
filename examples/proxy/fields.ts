/** Field lines as they came: order, case and repeats are kept. */
export type FieldLines = readonly [name: string, value: string][]

/** Pair up a flat list of names and values, as `rawHeaders` and `rawTrailers` are. */
export function fieldLines(raw: readonly string[]): FieldLines {
  const lines: [string, string][] = []
  for (let index = 0; index + 1 < raw.length; index += 2) lines.push([raw[index] as string, raw[index + 1] as string])
  return lines
}

/** Is there a line of this field? `lowerName` in lower case. */
export function hasField(lines: FieldLines, lowerName: string): boolean {
  return lines.some(([name]) => name.toLowerCase() === lowerName)
}

/** The members of a comma-separated field in lower case, over all of its lines. */
export function listMembers(lines: FieldLines, lowerName: string): readonly string[] {
  return lines
    .filter(([name]) => name.toLowerCase() === lowerName)
    .flatMap(([, value]) => value.split(','))
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '')
}
