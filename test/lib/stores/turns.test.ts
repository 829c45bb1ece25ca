import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { Events } from '../../../lib/events.ts'
import { connectRedis } from '../../../lib/redis.ts'
import { RedisStore } from '../../../lib/stores/redis.ts'
import { OwnTurns, type TurnOptions, type Turns } from '../../../lib/stores/turns.ts'
import { askRedis } from '../../support/ask-redis.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts'

const HOUR = 3_600_000

describe('OwnTurns', () => {
  let now: number
  let turns: Turns
  beforeEach(() => {
    now = 5
    turns = new OwnTurns({ everyMs: 100, monotonic: () => now })
  })

  it('are always ours, but not before it is due again, counted from where it began', async () => {
    expect(await turns.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
    now += 30
    expect(await turns.keep()).to.equal(true)
    await turns.end(true)
    expect(await turns.take({ isDue: true })).to.deep.equal({ kind: 'done', leftMs: 70 })
    expect(await turns.take({ isDue: false })).to.deep.equal({ kind: 'mine' })
    now += 70
    expect(await turns.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
  })

  it('leave due what was not done', async () => {
    await turns.take({ isDue: true })
    await turns.end(false)
    expect(await turns.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
  })
})

describeWithRedis('RedisTurns', () => {
  let server: RedisServer
  let stores: RedisStore[]
  let namespaces = 0
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(() => {
    stores = []
    namespaces++
  })
  afterEach(() => Promise.all(stores.map((store) => store.close())))

  /** The turns of one "process". */
  async function join(options: Partial<TurnOptions> = {}, name = 'popular'): Promise<Turns> {
    const store = new RedisStore({
      connection: connectRedis(server.url, () => {}),
      namespace: `turns-${namespaces}`,
      deadlineMs: 2_000,
      leaseMs: 40,
      compressAbove: false,
      clock: new FakeClock(),
      events: new Events({ info() {}, warn() {} }),
    })
    stores.push(store)
    await store.ready()
    return store.turns(name, { everyMs: HOUR, claimMs: 10_000, ...options })
  }
  const ask = <T>(question: (client: Redis) => Promise<T>): Promise<T> => askRedis(server.port, question)
  const key = async (): Promise<string> => (await ask((client) => client.keys(`{turns-${namespaces}:0}:w:*`)))[0] ?? ''
  /** When it was done, who is at it, until when, and since when. */
  const kept = async (): Promise<readonly string[]> => {
    const name = await key()
    return ((await ask((client) => client.get(name))) ?? '').split(':')
  }

  it('are had by one process at a time, and by the next one when that lets go', async () => {
    const [a, b] = [await join(), await join()]
    const taken = await Promise.all([a.take({ isDue: true }), b.take({ isDue: true })])
    expect(taken.map(({ kind }) => kind).toSorted()).to.deep.equal(['mine', 'theirs'])
    const [holder, other] = taken[0]?.kind === 'mine' ? [a, b] : [b, a]
    const told = await other.take({ isDue: false })
    expect(told.kind === 'theirs' && told.leftMs).to.be.within(1, 10_000)
    await holder.end(false)
    expect(await other.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
  })

  it('are due once in an interval for all, counted from where it began', async () => {
    const [a, b] = [await join(), await join()]
    await a.take({ isDue: true })
    await sleep(20)
    await a.end(true)
    for (const turns of [a, b]) {
      const told = await turns.take({ isDue: true })
      expect(told.kind === 'done' && told.leftMs).to.be.within(HOUR - 5_000, HOUR - 20)
    }
    expect(await b.take({ isDue: false })).to.deep.equal({ kind: 'mine' })
    await b.end(false)
    expect((await a.take({ isDue: true })).kind).to.equal('done')
  })

  it('are renewed without beginning anew', async () => {
    const a = await join()
    await a.take({ isDue: true })
    const [, holder, ends, began] = await kept()
    await sleep(5)
    expect(await a.keep()).to.equal(true)
    const renewed = await kept()
    expect([renewed[1], renewed[3]]).to.deep.equal([holder, began])
    expect(Number(renewed[2])).to.be.greaterThan(Number(ends))
  })

  it('of a process that says nothing any more are over when its claim ends', async () => {
    const [a, b] = [await join({ claimMs: 100 }), await join({ claimMs: 100 })]
    await a.take({ isDue: true })
    const told = await b.take({ isDue: true })
    await sleep((told.kind === 'theirs' ? told.leftMs : 0) + 1)
    expect(await b.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
  })

  it('are lost to whoever took them over', async () => {
    const [a, b] = [await join(), await join()]
    await a.take({ isDue: true })
    const [done, holder, , began] = await kept()
    await ask(async (client) => client.set(await key(), `${done}:${holder}:1:${began}`))
    await b.take({ isDue: true })
    expect(await a.keep()).to.equal(false)
    await a.end(true)
    expect((await a.take({ isDue: true })).kind).to.equal('theirs')
  })

  it('of several names have nothing to do with each other', async () => {
    const [a, b] = [await join(), await join({}, 'users')]
    await a.take({ isDue: true })
    expect(await b.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
  })

  it('are gone after their interval', async () => {
    const a = await join({ everyMs: 60_000, claimMs: 5_000 })
    await a.take({ isDue: true })
    const name = await key()
    expect(await ask((client) => client.pttl(name))).to.be.within(60_001, 65_000)
    await a.end(true)
    expect(await ask((client) => client.pttl(name))).to.be.within(50_000, 60_000)
  })

  for (const [what, value] of [
    ['something else', 'text'],
    ['a claim from the future', `0:abc:${Date.now() + HOUR}:0`],
    ['something done in the future', `${Date.now() + HOUR}::0:0`],
  ] as const) {
    it(`are begun anew where Redis has ${what}`, async () => {
      const a = await join()
      await a.take({ isDue: true })
      const name = await key()
      await ask((client) => client.set(name, value))
      const b = await join()
      expect(await b.take({ isDue: true })).to.deep.equal({ kind: 'mine' })
    })
  }

  it('go on where Redis has forgotten them', async () => {
    const [a, b] = [await join(), await join()]
    await a.take({ isDue: true })
    const name = await key()
    await ask((client) => client.del(name))
    expect(await a.keep()).to.equal(true)
    expect((await b.take({ isDue: true })).kind).to.equal('theirs')
  })

  it("are nobody's while Redis is away", async () => {
    const a = await join()
    await stores[0]?.close()
    expect(await a.take({ isDue: true })).to.deep.equal({ kind: 'away' })
    expect(await a.keep()).to.equal(true)
    await a.end(true)
  })
})
