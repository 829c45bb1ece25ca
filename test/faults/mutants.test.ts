import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { MUTANTS } from './mutants.ts'
import { mutated } from './mutate.ts'
import { SCRIPTS } from './scripts/all.ts'
import { QUEUE_MUTANTS } from './write-behind/mutants.ts'

describe('the table of mutants', () => {
  it('names guards that are there, once each', async () => {
    const wrong: string[] = []
    for (const mutant of [...MUTANTS, ...QUEUE_MUTANTS])
      await mutated(mutant).catch((error: Error) => wrong.push(error.message))
    expect(wrong).to.deep.equal([])
  })

  it('names scripts that are there', () => {
    expect(MUTANTS.filter(({ partner }) => SCRIPTS[partner] === undefined)).to.deep.equal([])
  })

  it('is as long as the documentation says', async () => {
    const page = await readFile(new URL('../../docs/coherence.md', import.meta.url), 'utf8')
    expect(/each of the (\d+) guards/.exec(page)?.[1]).to.equal(String(MUTANTS.length))
  })

  it('names each mutant once', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).to.equal(MUTANTS.length)
  })
})
