import { expect } from 'chai'
import { slotOf } from '../../../lib/stores/redis-slot.ts'

describe('slotOf', () => {
  // From the specification of Redis Cluster, and by CLUSTER KEYSLOT.
  for (const [key, slot] of [
    ['123456789', 0x31c3],
    ['foo', 12_182],
    ['bar', 5_061],
    ['{foo}:v', 12_182],
    ['prefix{foo}:i', 12_182],
    ['{}foo', 9_500],
    ['foo{', 7_673],
    ['', 0],
  ] as const) {
    it(`of ${JSON.stringify(key)} is ${slot}`, () => {
      expect(slotOf(key)).to.equal(slot)
    })
  }
})
