import { expect } from 'chai'
import { keyHash } from '../../../lib/stores/key-hash.ts'

describe('keyHash', () => {
  it('is HalfSipHash-1-3, by the vectors of the Linux kernel (lib/test_siphash.c)', () => {
    const hash = keyHash([0x03020100, 0x07060504])
    // Of 0, 2, 4 ... bytes that count from 0, as UTF-16LE.
    const text = String.fromCharCode(0x0100, 0x0302, 0x0504, 0x0706, 0x0908)
    const hashes = Array.from({ length: 6 }, (_, length) => hash(text.slice(0, length)) >>> 0)
    expect(hashes).to.deep.equal([0x5814c896, 0xbc4b0e30, 0x7e059ea6, 0xa0080b65, 0x577999b1, 0xe4fa32cf])
  })

  it('tells apart with one seed what falls together with another', () => {
    const [one, other] = [keyHash([1, 2]), keyHash([3, 4])]
    const byHash = new Map<number, string>()
    const pairs: (readonly [string, string])[] = []
    for (let number = 0; number < 200_000; number++) {
      const key = `R 1 front G http://example.test/items/${number}`
      const twin = byHash.get(one(key))
      if (twin !== undefined) pairs.push([key, twin])
      byHash.set(one(key), key)
    }
    expect(pairs.length, 'of 200,000 about 5').to.be.within(1, 20)
    for (const [key, twin] of pairs) expect(other(key)).not.to.equal(other(twin))
  })

  it('spreads keys that hardly differ, so that none is far from its place in a table that is three quarters full', () => {
    const places = 2 ** 16
    const spread = (keyOf: (number: number) => string): number => {
      const hash = keyHash([5, 6])
      const taken = new Uint8Array(places)
      let furthest = 0
      for (let number = 0; number < (places * 3) / 4; number++) {
        const home = hash(keyOf(number)) & (places - 1)
        let steps = 0
        while (taken[(home + steps) & (places - 1)] === 1) steps++
        taken[(home + steps) & (places - 1)] = 1
        furthest = Math.max(furthest, steps)
      }
      return furthest
    }
    expect(spread((number) => `/items/${number}`)).to.be.lessThan(300)
    expect(spread((number) => number.toString(2).padStart(16, '0'))).to.be.lessThan(300)
    expect(spread((number) => String.fromCharCode(number))).to.be.lessThan(300)
    expect(spread((number) => '/'.repeat(number % 200) + number)).to.be.lessThan(300)
  })
})
