import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'

/**
 * Each row of the decision tables, and each rule about storing, has a test in this directory in which it applies (`+`) and one,
 * as near as possible, in which it does not (`-`).
 */
const ROWS: readonly string[] = [
  ...numbered('DP', 1, 3),
  ...numbered('DS', 1, 22),
  ...numbered('DS', 30, 35),
  ...numbered('DR', 1, 19),
  ...numbered('DV', 1, 7),
  ...numbered('DI', 1, 6),
  ...numbered('DF', 1, 6),
  ...numbered('STO', 1, 14),
]

const HERE = new URL('.', import.meta.url)
const TITLE = /\bit\(\s*['"`]([A-Z]+-\d+ [+-]) /g

function numbered(table: string, first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `${table}-${first + index}`)
}

describe('the decision tables', () => {
  const files = readdirSync(HERE).filter((name) => name.endsWith('.test.ts'))
  const sources = files.map((name) => readFileSync(new URL(name, HERE), 'utf8'))
  const titled = new Set(sources.flatMap((source) => [...source.matchAll(TITLE)].map(([, id]) => id)))

  for (const row of ROWS) {
    it(`have ${row} tested where it applies and where it does not`, () => {
      expect([`${row} +`, `${row} -`].filter((id) => !titled.has(id))).to.deep.equal([])
    })
  }

  it('have no test of a row that there is not', () => {
    expect([...titled].filter((id) => !ROWS.includes(id?.slice(0, -2) ?? ''))).to.deep.equal([])
  })
})
