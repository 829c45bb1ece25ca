import { expect } from 'chai'
import { withMonotonic } from '../../../lib/clock.ts'
import type { Entry } from '../../../lib/entry.ts'
import { Events } from '../../../lib/events.ts'
import { tagOf } from '../../../lib/key.ts'
import { connectRedis } from '../../../lib/redis.ts'
import { MemoryStore } from '../../../lib/stores/memory.ts'
import { RedisStore } from '../../../lib/stores/redis.ts'
import { TieredStore } from '../../../lib/stores/tiered.ts'
import { valueEntry } from '../../support/entries.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts'

const NOTHING = { tags: [], patterns: [], all: false }
const PATIENTLY = { ack: 'all', timeoutMs: 1_000 } as const

/** Both tiers of one process, on a monotonic clock that a test can let run ahead. */
interface Process {
  readonly store: TieredStore
  readonly memory: MemoryStore
  readonly redis: RedisStore
  /** Let this much time pass for leases. */
  skip(ms: number): void
}

describeWithRedis('TieredStore', () => {
  let server: RedisServer
  let a: Process
  let b: Process
  let namespaces = 0
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(async () => {
    namespaces++
    ;[a, b] = [await start(), await start()]
  })
  afterEach(async () => {
    await Promise.all([a.store.close(), b.store.close()])
  })

  const start = async ({ leaseMs = 60_000, staleIfRedisDown = 0 } = {}): Promise<Process> => {
    let ahead = 0
    const clock = withMonotonic({ now: () => Date.now(), monotonic: () => performance.now() + ahead })
    const redis = new RedisStore({
      connection: connectRedis(server.url, () => {}),
      namespace: `tiered-${namespaces}`,
      deadlineMs: 1_000,
      leaseMs,
      compressAbove: false,
      clock,
      events: new Events({ info() {}, warn() {} }),
    })
    await redis.ready()
    const memory = new MemoryStore({ maxBytes: 1e6, clock, ledgerOf: (key) => redis.ledger(key) })
    const store = new TieredStore({ memory, redis, clock, staleIfRedisDown })
    const skip = (ms: number): void => {
      ahead += ms
    }
    return { store, memory, redis, skip }
  }

  const entryOf = (process: Process, key: string): Entry => valueEntry(process.store, Date.now(), key, { tags: [key] })

  it('asks Redis for what is stale in memory, because another process may have made it anew', async () => {
    const fresh = entryOf(a, 'k')
    const stale = { ...fresh, staleAt: Date.now() - 1 }
    await a.store.set(stale)
    await a.redis.confirm(stale.key)
    expect(await a.store.get(stale.key)).to.include({ staleAt: stale.staleAt })
    await b.store.set(fresh)
    expect(await a.store.get(stale.key)).to.include({ staleAt: fresh.staleAt })
    // From now on it is at hand.
    expect(a.store.get(stale.key)).to.include({ staleAt: fresh.staleAt })
  })

  it('answers from memory without a promise while the lease is proven', async () => {
    const entry = entryOf(a, 'k')
    await a.store.set(entry)
    await a.redis.confirm(entry.key)
    expect(a.store.get(entry.key)).to.deep.equal(entry)
  })

  it('confirms the mirror before it answers from memory without a proof', async () => {
    const entry = entryOf(a, 'k')
    await a.store.set(entry)
    await a.redis.confirm(entry.key)
    // What is asked for again is kept as it is given out.
    const kept = [a.memory.get(entry.key), a.memory.get(entry.key)][1]
    a.skip(60_001)
    const found = a.store.get(entry.key)
    expect(found).to.be.a('promise')
    expect(await found, 'the very entry in memory').to.equal(kept)
    expect(a.store.get(entry.key)).to.equal(kept)
  })

  it('keeps what it finds in Redis', async () => {
    const entry = entryOf(a, 'k')
    await a.store.set(entry)
    expect(b.memory.has(entry.key)).to.equal(false)
    expect(await b.store.get(entry.key)).to.include({ key: entry.key, value: entry.value })
    expect(b.memory.has(entry.key)).to.equal(true)
    await b.redis.confirm(entry.key)
    expect(b.store.get(entry.key)).to.include({ key: entry.key })
  })

  it('answers nothing, at once, for what is nowhere while Redis is away', async () => {
    const lonely = await startRedis()
    const redis = new RedisStore({
      connection: connectRedis(lonely.url, () => {}),
      namespace: 'lonely',
      deadlineMs: 50,
      leaseMs: 60_000,
      compressAbove: false,
      clock: withMonotonic(Date),
      events: new Events({ info() {}, warn() {} }),
    })
    await redis.ready()
    const clock = withMonotonic(Date)
    const memory = new MemoryStore({ maxBytes: 1e6, clock, ledgerOf: (key) => redis.ledger(key) })
    const store = new TieredStore({ memory, redis, clock, staleIfRedisDown: 0 })
    await lonely.kill9()
    while (redis.reachable) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(store.get('V 1 nobody')).to.equal(undefined)
    const entry = valueEntry(store, Date.now(), 'k')
    expect(await store.set(entry)).to.equal('unavailable')
    expect((await store.list({ cursor: undefined, limit: 10 })).entries, 'what memory has').to.deep.equal([entry])
    await store.close()
    await lonely.stop()
  })

  it('drops from memory what Redis refuses because a write elsewhere has overtaken it', async () => {
    const entry = entryOf(a, 'k')
    await b.store.invalidate({ ...NOTHING, tags: [tagOf.tag('k')] }, { ack: 'redis', timeoutMs: 1_000 })
    // Whether or not the news has arrived here, Redis knows.
    expect(await a.store.set(entry)).to.equal('invalidated')
    expect(a.memory.has(entry.key)).to.equal(false)
  })

  it('serves nothing of before once an invalidation of another process is acknowledged', async () => {
    namespaces++
    const [one, two] = [await start({ leaseMs: 60 }), await start({ leaseMs: 60 })]
    const entry = entryOf(one, 'k')
    await one.store.set(entry)
    await one.redis.confirm(entry.key)
    expect(one.store.get(entry.key)).to.deep.equal(entry)
    const receipt = await two.store.invalidate({ ...NOTHING, tags: [tagOf.key('k')] }, PATIENTLY)
    expect(receipt.ack).to.equal('all')
    expect(await one.store.get(entry.key)).to.equal(undefined)
    await Promise.all([one.store.close(), two.store.close()])
  })

  it('forgets in memory at once what is invalidated here', async () => {
    const [one, two] = [entryOf(a, 'one'), entryOf(a, 'two')]
    for (const entry of [one, two]) await a.store.set(entry)
    await a.redis.confirm(one.key)
    const done = a.store.invalidate({ ...NOTHING, tags: [tagOf.tag('one')] }, { ack: 'redis', timeoutMs: 1_000 })
    expect(a.memory.get(one.key)).to.equal(undefined)
    expect(a.memory.get(two.key)).to.deep.equal(two)
    await done
    await a.store.invalidate({ ...NOTHING, all: true }, { ack: 'redis', timeoutMs: 1_000 })
    expect(a.store.stats()).to.include({ entries: 0, bytes: 0 })
  })

  it('changes the end of an entry in both tiers', async () => {
    const entry = entryOf(a, 'k')
    await a.store.set(entry)
    await a.redis.confirm(entry.key)
    const end = Date.now() + 5_000
    expect(await a.store.touch(entry.key, end, end)).to.equal(true)
    expect(await a.store.get(entry.key)).to.include({ staleAt: end, deleteAt: end })
    expect(await b.store.get(entry.key)).to.include({ staleAt: end, deleteAt: end })
    expect(await a.store.touch('V 1 nobody', end, end)).to.equal(false)
  })

  it('evicts from both tiers', async () => {
    const entry = entryOf(a, 'k')
    await a.store.set(entry)
    await a.store.evict([entry.key])
    expect(await a.store.get(entry.key)).to.equal(undefined)
    expect(await b.store.get(entry.key)).to.equal(undefined)
  })

  it('shows the figures of memory', async () => {
    await a.store.set(entryOf(a, 'k'))
    expect(a.store.stats()).to.include({ name: 'memory', entries: 1, maxBytes: 1e6 })
    expect(b.store.stats()).to.include({ entries: 0 })
  })
})
