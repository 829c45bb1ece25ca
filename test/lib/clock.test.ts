import { expect } from 'chai'
import sinon from 'sinon'
import { SystemClock } from '../../lib/clock.ts'

describe('SystemClock', () => {
  afterEach(() => sinon.restore())

  it('starts at the wall clock, in whole ms', () => {
    const before = Date.now()
    const now = new SystemClock().now()
    expect(now).to.be.within(before - 2, Date.now() + 2)
    expect(Number.isInteger(now)).to.equal(true)
  })

  it('is advanced by the monotonic timer, whatever happens to the wall clock', () => {
    const fake = sinon.useFakeTimers({ now: 1_000_000, toFake: ['Date', 'performance'] })
    const clock = new SystemClock()
    expect(clock.now()).to.equal(1_000_000)
    fake.setSystemTime(50)
    expect(clock.now()).to.equal(1_000_000)
    fake.tick(250)
    expect(clock.now()).to.equal(1_000_250)
    expect(clock.monotonic()).to.equal(performance.now())
  })

  it('follows another clock, read half way between question and answer', () => {
    const fake = sinon.useFakeTimers({ now: 5_000, toFake: ['Date', 'performance'] })
    const clock = new SystemClock()
    fake.tick(100)
    clock.align(3_600_000, 60, 100)
    expect(clock.now()).to.equal(3_600_020)
    fake.tick(80)
    expect(clock.now()).to.equal(3_600_100)
  })
})
