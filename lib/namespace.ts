import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The name in the nearest package.json above the working directory, so that two applications on one Redis keep apart. */
export function nearestPackageName(from: string = process.cwd()): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const name = nameIn(join(folder, 'package.json'))
    if (name !== undefined) return name
    if (folder === dirname(folder)) return 'cachewell'
  }
}

function nameIn(file: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const name: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'name') : undefined
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    return undefined
  }
}
