import { expect } from 'chai'
import fc from 'fast-check'
import { SlotsByKey, type SlotsByKeyOptions } from '../../../lib/stores/slots-by-key.ts'

/** Slots whose keys are in a list, beside a Map that does the same. */
class Checked {
  readonly slots: SlotsByKey
  readonly model = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #free: number[] = []

  constructor(options: Omit<SlotsByKeyOptions, 'isKeyOf'> = {}) {
    this.slots = new SlotsByKey({ isKeyOf: (slot, key) => this.#keys[slot] === key, ...options })
  }

  add(key: string): void {
    if (this.model.has(key)) return
    const slot = this.#free.pop() ?? this.model.size + 1
    this.#keys[slot] = key
    this.model.set(key, slot)
    this.slots.add(key, slot)
  }

  remove(key: string): void {
    const slot = this.model.get(key)
    if (slot === undefined) return
    this.slots.remove(key, slot)
    this.model.delete(key)
    this.#keys[slot] = ''
    this.#free.push(slot)
  }

  check(keys: Iterable<string> = this.model.keys()): void {
    expect(this.slots.size).to.equal(this.model.size)
    for (const key of keys) expect(this.slots.get(key), key).to.equal(this.model.get(key))
  }
}

describe('SlotsByKey', () => {
  const keyOf = (number: number): string => `V 1 ${number}`

  it('finds what a Map would, wherever keys fall', () => {
    const hash = fc.constantFrom<NonNullable<SlotsByKeyOptions['hash']> | undefined>(
      undefined,
      // All on one place, on the last ones of a table, around its end, and far from one another.
      () => 0,
      () => -1,
      (key) => -1 - (key.length % 3),
      (key) => (Number(key.slice(4)) % 7) - 3,
      (key) => Number(key.slice(4)) << 26,
    )
    const step = fc.record({ kind: fc.constantFrom('add', 'add', 'get', 'remove'), number: fc.nat(60) })
    fc.assert(
      fc.property(hash, fc.array(step, { maxLength: 400 }), (chosen, steps) => {
        const checked = new Checked(chosen === undefined ? {} : { hash: chosen })
        for (const { kind, number } of steps) {
          const key = keyOf(number)
          if (kind === 'add') checked.add(key)
          else if (kind === 'remove') checked.remove(key)
          else checked.check([key])
        }
        checked.check(Array.from({ length: 61 }, (_, number) => keyOf(number)))
      }),
      { seed: 20_261_121, numRuns: 500 },
    )
  })

  it('finds each of many while their number grows and shrinks, and none of those that are gone', () => {
    const checked = new Checked()
    for (let number = 0; number < 50_000; number++) checked.add(keyOf(number))
    checked.check()
    for (let number = 0; number < 50_000; number++) if (number % 100 > 0) checked.remove(keyOf(number))
    checked.check(Array.from({ length: 50_000 }, (_, number) => keyOf(number)))
    for (let number = 0; number < 50_000; number += 100) checked.remove(keyOf(number))
    checked.check(['', keyOf(0), keyOf(100)])
    for (let number = 50_000; number < 60_000; number++) checked.add(keyOf(number))
    checked.check()
  })

  it('stays as it is when keys come and go, however many', () => {
    const checked = new Checked()
    for (let number = 0; number < 100_000; number++) {
      checked.add(keyOf(number))
      if (number >= 1_000) checked.remove(keyOf(number - 1_000))
    }
    checked.check()
    checked.check([keyOf(0), keyOf(50_000)])
  })

  it('takes some bytes for each, and gives them back', () => {
    const checked = new Checked()
    for (let number = 0; number < 100_000; number++) checked.add(keyOf(number))
    expect(checked.slots.bytes / 100_000).to.be.within(10, 24)
    for (let number = 1_000; number < 100_000; number++) checked.remove(keyOf(number))
    expect(checked.slots.bytes / 1_000).to.be.lessThan(50)
    checked.check()
    for (let number = 0; number < 1_000; number++) checked.remove(keyOf(number))
    expect(checked.slots.bytes).to.equal(0)
  })
})
