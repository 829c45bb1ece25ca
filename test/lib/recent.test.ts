import { expect } from 'chai'
import { recent } from '../../lib/recent.ts'

describe('what was used last', () => {
  it('is kept up to a limit, beyond which the longest unused goes', () => {
    const names = recent<{ readonly name: string }>(2)
    names.set('a', { name: 'A' })
    names.set('b', { name: 'B' })
    expect(names.get('a')).to.deep.equal({ name: 'A' })
    names.set('c', { name: 'C' })
    expect(['a', 'b', 'c'].filter((key) => names.has(key))).to.deep.equal(['a', 'c'])
  })

  it('takes no room before it is filled', () => {
    const before = taken()
    const caches = Array.from({ length: 200 }, () => recent<number>(10_000))
    // Less than a byte for each place; the lists alone would take 28.
    expect(taken() - before).to.be.below(caches.length * 10_000)
  })
})

function taken(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
