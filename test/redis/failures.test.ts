import { once } from 'node:events'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import sinon from 'sinon'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { SystemClock } from '../../lib/clock.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const SETTINGS = { enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => 20 }
const DEADLINE_MS = 50
/** The bound of an invalidation: twice the lease. */
const LEASE_MS = 100
/** Longer than any deadline on a busy machine, and shorter than for ever. */
const BOUND_MS = 2_000

const CLAIM = { key: 'V 1 k', incarnation: '0'.repeat(16), seq: 0, seen: 0 } as const

/** Everything that is waited for, by the command that it sends. */
const WORK: Readonly<Record<string, { readonly command: string; run(cache: Cache): unknown }>> = {
  'a read': { command: 'mget', run: (cache) => cache.get('k') },
  'a read of many': { command: 'mget', run: (cache) => cache.getMany(['k', 'l', 'm']) },
  'a question for existence': { command: 'mget', run: (cache) => cache.exists('k') },
  'a new end': { command: 'mget', run: (cache) => cache.expire('k', '1m') },
  'a read-through': { command: 'mget', run: (cache) => cache.remember('k', {}, () => 1) },
  'a write': { command: 'evalsha', run: (cache) => cache.set('k', 1) },
  'a deletion': { command: 'evalsha', run: (cache) => cache.delete('k') },
  'an invalidation': { command: 'evalsha', run: (cache) => cache.invalidate({ tags: ['t'] }) },
  'an invalidation of everything': { command: 'evalsha', run: (cache) => cache.invalidate({ all: true }) },
  'a proof that memory is current': { command: 'evalsha', run: (cache) => cache.engine.redis?.confirm('V 1 k') },
  'a claim to a fill': {
    command: 'evalsha',
    run: (cache) => cache.engine.store.acquire(CLAIM),
  },
  'an eviction': { command: 'unlink', run: (cache) => cache.engine.store.evict(['V 1 k']) },
  'a list of entries': { command: 'scan', run: (cache) => cache.entries() },
  'a health check': { command: 'ping', run: (cache) => cache.health() },
}

describeWithRedis('with a Redis that fails', function () {
  this.timeout(30_000)
  let server: RedisServer
  let client: Redis
  let caches: Cache[]
  let namespaces = 0
  beforeEach(async () => {
    server = await startRedis()
    client = await connected()
    caches = []
  })
  afterEach(async () => {
    sinon.restore()
    await Promise.all(caches.map((cache) => cache.close()))
    client.disconnect()
    await server.stop()
  })

  const connected = async (): Promise<Redis> => {
    const made = new Redis(server.url, SETTINGS)
    // Its end is what is tested.
    made.on('error', () => {})
    await once(made, 'ready')
    return made
  }

  const start = async (options: CacheOptions = {}): Promise<Cache> => {
    const namespace = `failures-${namespaces++}`
    const logger = { info() {}, warn() {} }
    const cache = createCache({
      redis: client,
      namespace,
      deadlineMs: DEADLINE_MS,
      leaseMs: LEASE_MS,
      logger,
      ...options,
    })
    caches.push(cache)
    // A busy machine may miss the deadline of a first command: begin when a write has come through.
    await eventually(() => cache.set('k', 1))
    return cache
  }

  /** Take Redis away until everybody has noticed, and bring it back. */
  const outage = async (cache: Cache): Promise<void> => {
    await server.kill9()
    await eventually(() => cache.stats().status === 'degraded')
    await server.restart()
    await eventually(() => cache.stats().status === 'healthy')
  }

  for (const [name, { command, run }] of Object.entries(WORK)) {
    it(`${name} waits no longer than its deadline for ${command}`, async () => {
      const cache = await start({ memory: false })
      const sent = sinon.spy(client, 'sendCommand')
      server.pause()
      const startedAt = performance.now()
      const late = new Promise((resolve) => setTimeout(resolve, BOUND_MS, 'late').unref())
      const result = await Promise.race([Promise.resolve(run(cache)).catch(() => 'refused'), late])
      const waitedMs = performance.now() - startedAt
      server.resume()
      expect(result).to.not.equal('late')
      expect(sent.args.map(([{ name }]) => name)).to.include(command)
      // It did wait: the breaker, which would have refused it, was closed.
      expect(waitedMs).to.be.greaterThan(DEADLINE_MS / 2)
    })
  }

  it('knows all commands that are waited for', async () => {
    const cache = await start({ memory: false })
    const sent = sinon.spy(client, 'sendCommand')
    for (const { run } of Object.values(WORK)) await run(cache)
    const names = new Set(sent.args.map(([{ name }]) => name))
    // A script that the server has not seen yet is sent in full, under the same deadline; nobody waits for an announcement.
    for (const known of ['eval', 'publish']) names.delete(known)
    expect([...names].sort()).to.deep.equal([...new Set(Object.values(WORK).map(({ command }) => command))].sort())
  })

  it('leaves no rejection unhandled and no warning of the process', async () => {
    const stray: unknown[] = []
    const onStray = (cause: unknown): void => void stray.push(cause)
    for (const event of ['unhandledRejection', 'warning']) process.on(event, onStray)
    try {
      const cache = await start()
      const work = async (): Promise<void> => {
        await Promise.allSettled(Object.values(WORK).map(async ({ run }) => run(cache)))
      }
      for (const breakDown of [() => server.kill9(), async () => server.pause()]) {
        await work()
        await breakDown()
        for (let turn = 0; turn < 5; turn++) await work()
        server.resume()
        await server.restart()
        await eventually(() => cache.stats().status === 'healthy')
      }
      server.pause()
      const under = work()
      await cache.close()
      await under
      server.resume()
      await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS))
    } finally {
      for (const event of ['unhandledRejection', 'warning']) process.off(event, onStray)
    }
    expect(stray).to.deep.equal([])
  })

  it('has as many listeners after an outage as before, and none in the end', async () => {
    const events = ['ready', 'close', 'end', 'error', 'connect', 'reconnecting', 'message', 'drain']
    const counts = (): readonly number[] => events.map((event) => client.listenerCount(event))
    const untouched = counts()
    const cache = await start()
    await cache.set('k', 1)
    const used = counts()
    expect(used).to.not.deep.equal(untouched)
    for (let turn = 0; turn < 3; turn++) await outage(cache)
    expect(counts()).to.deep.equal(used)
    await cache.close()
    expect(counts()).to.deep.equal(untouched)
  })

  it('leaves the client that was handed in as it was', async () => {
    const [untouched, settings] = [membersOf(client), JSON.stringify(client.options)]
    const twin = await connected()
    const cache = await start()
    const work = Object.values(WORK).map(async ({ run }) => run(cache))
    await Promise.allSettled(work)
    await outage(cache)
    await cache.close()
    await eventually(() => client.status === 'ready' && twin.status === 'ready')
    // Beside what a reconnection changes in any client, sooner or later, and what sets aside the commands that were on their way.
    const namesOf = (made: Redis): string =>
      [...membersOf(made)]
        .filter((name) => name !== 'prevCommandQueue')
        .toSorted()
        .join()
    await eventually(() => namesOf(client) === namesOf(twin))
    expect([...untouched].filter((name) => !membersOf(client).has(name))).to.deep.equal([])
    expect(JSON.stringify(client.options)).to.equal(settings)
    twin.disconnect()
  })

  it('says that it keeps a value only where it can be read', async () => {
    const cache = createCache({
      redis: client,
      namespace: `failures-${namespaces++}`,
      logger: { info() {}, warn() {} },
    })
    caches.push(cache)
    // The first one comes before Redis is connected, and is still to be confirmed when the next ones come.
    expect(await cache.set('k', 0)).to.equal(false)
    await eventually(() => cache.set('k', 1))
    expect(await cache.get('k')).to.equal(1)
  })

  it('is ready as soon as it answers, though its first answer came too late', async () => {
    server.pause()
    const cache = createCache({ redis: client, namespace: 'late', deadlineMs: DEADLINE_MS, memory: false })
    caches.push(cache)
    const ready = cache.ready()
    const late = new Promise((resolve) => cache.on('error', resolve))
    expect(await late).to.include({ where: 'redis connect' })
    server.resume()
    await ready
    expect(await cache.set('k', 1)).to.equal(true)
  })

  it('says that Redis has no room, since when, and no longer than that', async () => {
    const cache = await start({ memory: false })
    expect(await cache.health()).to.include({ status: 'pass' })
    await client.config('SET', 'maxmemory', '1')
    // What is there is invalidated all the same.
    expect(await cache.delete('k')).to.equal(true)
    expect(await cache.remember('k', {}, () => 2)).to.equal(2)
    await eventually(async () => (await cache.health()).status === 'warn')
    const health = await cache.health()
    expect(health).to.include({ connected: true, reason: 'Redis is out of memory: nothing new is stored' })
    expect(Date.parse(health.degradedSince ?? '')).to.be.closeTo(Date.now(), 5_000)
    await client.config('SET', 'maxmemory', '0')
    expect(await cache.set('k', 3)).to.equal(true)
    expect((await cache.health()).status).to.equal('pass')
  })

  it('gives a lease back that came too late, so that nobody waits for it', async () => {
    const cache = await start({ memory: false })
    await cache.ready()
    const { store } = cache.engine
    const { incarnation, seq } = store.ledger(CLAIM.key).token
    // The server is to know the script, so that the late command is one.
    await store.acquire({ ...CLAIM, key: 'V 1 other', incarnation, seq })
    await client.del(await client.keys('*:l:*'))
    server.pause()
    expect(await store.acquire({ ...CLAIM, incarnation, seq })).to.deep.equal({ kind: 'alone' })
    server.resume()
    // It would end by itself, but not before ten seconds have passed.
    const startedAt = performance.now()
    await eventually(async () => (await client.keys('*:l:*')).length === 0)
    expect(performance.now() - startedAt).to.be.below(5_000)
  })

  it('warns at most once in 10 s, however often it fails', async () => {
    const warnings: string[] = []
    const logger = { info() {}, warn: (message: string) => void warnings.push(message) }
    const system = new SystemClock()
    let passedMs = 0
    const clock = { now: () => system.now() + passedMs, monotonic: () => system.monotonic() + passedMs }
    const cache = await start({ redis: server.url, logger, clock })
    for (let turn = 0; turn < 3; turn++) await outage(cache)
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include(server.url)
    passedMs += 10_000
    await outage(cache)
    expect(warnings).to.have.length(2)
  })
})

/** Names of what a client has of its own. */
function membersOf(client: Redis): ReadonlySet<string> {
  return new Set(Object.getOwnPropertyNames(client))
}
