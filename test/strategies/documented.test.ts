import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { DOMAINS } from './domain-table.ts'

const page = readFileSync(new URL('../../docs/strategies.md', import.meta.url), 'utf8')

/** The rows of the tables under a heading, as cells. */
function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = page.split('\n## ').find((text) => text.startsWith(`${heading}\n`)) ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** A lifetime as the page writes it. */
function written(seconds: number): string {
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}

describe('docs/strategies.md', () => {
  for (const [domain, { entities, events }] of Object.entries(DOMAINS)) {
    it(`tells of each entity and event of ${domain}`, () => {
      const rows = rowsOf(domain)
      const found: Record<string, string | undefined> = {}
      const promised: Record<string, string> = {}
      for (const [entity, { ttl, private: isPrivate }] of Object.entries(entities)) {
        const name = `\`${entity}\`${isPrivate ? ' *' : ''}`
        const [, lifetime] = rows.find(([names = '']) => names.split(', ').includes(name)) ?? []
        found[entity] = lifetime?.split(', ')[0]
        promised[entity] = written(ttl)
      }
      expect(found).to.deep.equal(promised)
      const told = rows.flatMap(([names = '']) => names.split(', ').map((name) => name.replace(/`| \*/g, '')))
      expect(told).to.have.members([...Object.keys(entities), ...Object.keys(events)])
    })
  }
})
