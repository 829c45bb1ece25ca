import { readdirSync } from 'node:fs'
import type { Part } from './part.ts'

const DIRECTORY = new URL('parts/', import.meta.url)

/** What is read first comes first; a file that is not named here follows. */
const ORDER: readonly string[] = [
  ...['hits', 'peers', 'conditional', 'compressed', 'redis-hits', 'miss-overhead'],
  ...['memory-per-entry', 'growth', 'event-loop', 'stampede', 'invalidation', 'redis-commands', 'redis-killed'],
]

/** Those that run only where they are named: they decide nothing. */
const EXTRA: readonly string[] = ['redis-connections']

/** The names of the parts asked for, without any all but the extra ones. */
export function partNames(asked: readonly string[]): readonly string[] {
  const found = readdirSync(DIRECTORY).map((file) => file.replace(/\.ts$/, ''))
  const unknown = asked.find((name) => !found.includes(name))
  if (unknown !== undefined) throw new Error(`There is no part "${unknown}"; there are ${found.join(', ')}`)
  return found
    .filter((name) => (asked.length === 0 ? !EXTRA.includes(name) : asked.includes(name)))
    .sort((a, b) => rank(a) - rank(b))
}

export async function loadPart(name: string): Promise<Part> {
  return (await import(new URL(`${name}.ts`, DIRECTORY).href)) as Part
}

function rank(name: string): number {
  const place = ORDER.indexOf(name)
  return place === -1 ? ORDER.length : place
}
