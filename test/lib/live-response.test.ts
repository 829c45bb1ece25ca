import { expect } from 'chai'
import { Gauge } from '../../lib/gauge.ts'
import { LiveResponse } from '../../lib/live-response.ts'
import { MemoryStore } from '../../lib/stores/memory.ts'
import { responseEntry } from '../support/entries.ts'
import { FakeClock } from '../support/fake-clock.ts'

describe('LiveResponse', () => {
  let room: Gauge
  let chunks: Buffer[]
  let waiters: number
  let drafts: number
  beforeEach(() => {
    room = new Gauge(100)
    chunks = [Buffer.from('some')]
    waiters = 0
    drafts = 0
  })

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const make = (length = 60): LiveResponse =>
    new LiveResponse({
      draft: () => {
        drafts++
        return responseEntry(new MemoryStore({ maxBytes: 1e6, clock: new FakeClock() }), 0, '/a')
      },
      body: { chunks, length },
      flight: { count: (change) => void (waiters += change) },
      room,
    })
  const follower = (): { advance(): void; advanced: number } => ({
    advanced: 0,
    advance() {
      this.advanced++
    },
  })

  it('tells its followers in a turn of its own, once for all that came before', async () => {
    const live = make()
    const [one, other] = [follower(), follower()]
    live.follow(one)
    live.follow(other)
    live.grow()
    live.grow()
    expect(one.advanced).to.equal(0)
    await turn()
    expect([one.advanced, other.advanced]).to.deep.equal([1, 1])
    live.leave(other)
    live.grow()
    await turn()
    expect([one.advanced, other.advanced]).to.deep.equal([2, 1])
  })

  it('ends once', async () => {
    const live = make()
    const one = follower()
    live.follow(one)
    expect([live.isOver, live.whole]).to.deep.equal([false, undefined])
    live.end(undefined)
    live.end(Buffer.from('late'))
    expect([live.isOver, live.whole]).to.deep.equal([true, undefined])
    await turn()
    expect(one.advanced).to.equal(1)
  })

  it('counts its followers, and its length while it has some', () => {
    const live = make()
    const [one, other] = [follower(), follower()]
    live.follow(one)
    live.follow(other)
    expect([live.isFollowed, waiters, room.stats().current]).to.deep.equal([true, 2, 60])
    live.leave(one)
    live.leave(one)
    expect([live.isFollowed, waiters, room.stats().current]).to.deep.equal([true, 1, 60])
    live.leave(other)
    expect([live.isFollowed, waiters, room.stats().current]).to.deep.equal([false, 0, 0])
    live.follow(one)
    live.end(Buffer.from('whole'))
    expect([waiters, room.stats().current], 'what is over is the entry’s').to.deep.equal([1, 0])
    live.leave(one)
    expect([waiters, room.stats().current]).to.deep.equal([0, 0])
  })

  it('needs room for the first follower only', () => {
    const [first, second] = [make(), make()]
    expect(first.admits()).to.equal(true)
    first.follow(follower())
    expect([first.admits(), second.admits()]).to.deep.equal([true, false])
    expect(room.stats().refused).to.equal(1)
    first.end(undefined)
    expect(second.admits()).to.equal(true)
  })

  it('is put together when somebody asks, once', () => {
    const live = make()
    expect(drafts).to.equal(0)
    expect(live.entry).to.equal(live.entry)
    expect(drafts).to.equal(1)
  })
})
