import { expect } from 'chai'
import { Refreshes } from '../../lib/refreshes.ts'

describe('Refreshes (STA-7)', () => {
  const entry = { key: 'a', cachedAt: 100 }
  let refreshes: Refreshes
  beforeEach(() => {
    refreshes = new Refreshes()
  })

  it('lets one begin at a time, and none within a second of the last', () => {
    expect(refreshes.isHeld(entry, 1_000)).to.equal(false)
    refreshes.begin(entry)
    expect(refreshes.isHeld(entry, 1e9)).to.equal(true)
    refreshes.end(entry, 2_000)
    expect([2_999, 3_000].map((now) => refreshes.isHeld(entry, now))).to.deep.equal([true, false])
  })

  it('tells an entry from others, and from the one that replaces it', () => {
    refreshes.begin(entry)
    expect(refreshes.isHeld({ key: 'b', cachedAt: 100 }, 1_000)).to.equal(false)
    const next = { key: 'a', cachedAt: 200 }
    expect(refreshes.isHeld(next, 1_000)).to.equal(false)
    refreshes.begin(next)
    refreshes.end(entry, 1_000)
    expect(refreshes.isHeld(next, 1_000)).to.equal(true)
  })

  it('holds an entry whose refresh ends while others of before are let go', () => {
    const others = [1, 2, 3].map((number) => ({ key: `o${number}`, cachedAt: 100 }))
    for (const other of others) refreshes.end(other, 1_000)
    refreshes.end(entry, 2_500)
    expect(others.map((other) => refreshes.isHeld(other, 1_500))).to.deep.equal([false, false, false])
    expect(refreshes.isHeld(entry, 3_400)).to.equal(true)
  })
})
