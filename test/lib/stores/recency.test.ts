import { expect } from 'chai'
import fc from 'fast-check'
import { Recency } from '../../../lib/stores/recency.ts'

describe('Recency', () => {
  it('orders slots as a list would, and gives out those that were given back', () => {
    const step = fc.record({ kind: fc.constantFrom('add', 'add', 'touch', 'remove'), which: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const recency = new Recency()
        let list: number[] = []
        let most = 0
        for (const { kind, which } of steps) {
          const slot = list[which % Math.max(1, list.length)]
          if (kind === 'add') list.unshift(recency.add())
          else if (slot === undefined) continue
          else if (kind === 'touch') {
            recency.touch(slot)
            list = [slot, ...list.filter((other) => other !== slot)]
          } else {
            recency.remove(slot)
            list = list.filter((other) => other !== slot)
          }
          most = Math.max(most, list.length)
          expect([...recency]).to.deep.equal(list)
          expect(recency.oldest).to.equal(list.at(-1))
        }
        expect(Math.max(0, ...list)).to.be.at.most(most)
      }),
      { seed: 20_261_121, numRuns: 100 },
    )
  })
})
