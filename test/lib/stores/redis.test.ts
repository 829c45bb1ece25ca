import { expect } from 'chai'
import fc from 'fast-check'
import { Redis as Redis5 } from 'ioredis'
import { Redis as Redis6 } from 'ioredis-6'
import RedisMock from 'ioredis-mock'
import sinon from 'sinon'
import { SystemClock } from '../../../lib/clock.ts'
import type { Entry } from '../../../lib/entry.ts'
import { CacheError } from '../../../lib/errors.ts'
import { Events } from '../../../lib/events.ts'
import { matchesGlob } from '../../../lib/glob.ts'
import { storedResponse } from '../../../lib/http/stored-response.ts'
import { connectRedis, type RedisClient, type RedisOption } from '../../../lib/redis.ts'
import { RedisStore, type RedisStoreOptions } from '../../../lib/stores/redis.ts'
import type { Ack, InvalidationTargets } from '../../../lib/stores/store.ts'
import { MAX_BANS, MAX_SOFT_TIMES } from '../../../lib/tags.ts'
import { responseParts } from '../../support/entries.ts'
import { ageRegistry, sinceMember } from '../../support/redis-registry.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts'

const SILENT = { info: () => {}, warn: () => {} }
const LEASE_MS = 400
const KEY = 'V 1 post:1'
const URL_KEY = 'R 1 app G http://a.test/posts?page=1'

/** One process: a store with the events it gave. */
interface Process {
  readonly store: RedisStore
  readonly events: Events
}

const open: Process[] = []
const clients: { disconnect(): void }[] = []
let namespaces = 0

function start(redis: RedisOption, options: Partial<RedisStoreOptions> = {}): Process {
  const events = new Events(SILENT)
  const store = new RedisStore({
    connection: connectRedis(redis, () => {}),
    namespace: `test-${namespaces}`,
    // Long, because a test machine may be busy; the tests of outages set their own.
    deadlineMs: 2_000,
    leaseMs: LEASE_MS,
    compressAbove: 1024,
    clock: new SystemClock(),
    events,
    ...options,
  })
  open.push({ store, events })
  return { store, events }
}

async function started(redis: RedisOption, options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const { store } = start(redis, options)
  await store.ready()
  return store
}

/** A client that a test hands in, ended after it. */
function handedIn<C extends { disconnect(): void }>(client: C): C {
  clients.push(client)
  return client
}

async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map(({ store }) => store.close()))
  for (const client of clients.splice(0)) client.disconnect()
  namespaces++
}

/** A fill that starts now in this process. */
function fill(store: RedisStore, key = KEY, changes: Partial<Entry> = {}): Entry {
  const { incarnation, seq } = store.ledger(key).token
  const now = new SystemClock().now()
  const name = key.slice(key.indexOf(' ', 2) + 1)
  return {
    kind: 'value',
    key,
    name,
    cachedAt: now,
    staleAt: now + 60_000,
    deleteAt: now + 120_000,
    tags: ['t:post', `k:${name}`],
    incarnation,
    seq,
    fence: 1,
    size: 100,
    value: '{"title":"hello"}',
    ...changes,
  }
}

function responseFill(store: RedisStore): Entry {
  const value = storedResponse(responseParts({ fields: [['Content-Type', 'text/plain']] }))
  const tags = ['u:http://a.test/posts?page=1', 'p:/posts?page=1']
  return fill(store, URL_KEY, { kind: 'response', name: '/posts?page=1', tags, value })
}

async function getAll(store: RedisStore, keys: readonly string[]): Promise<(Entry | undefined)[]> {
  return Promise.all(keys.map(async (key) => store.get(key)))
}

function invalidate(store: RedisStore, targets: Partial<InvalidationTargets>, ack: Ack = 'redis', timeoutMs = 800) {
  return store.invalidate({ tags: [], patterns: [], all: false, ...targets }, { ack, timeoutMs })
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const until = Date.now() + 8_000
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

afterEach(closeAll)

describe('RedisStore on ioredis-mock', () => {
  it('keeps, shares and invalidates', async () => {
    const mock = new RedisMock() as unknown as RedisClient
    const [a, b] = [await started(mock), await started(mock)]
    await a.get(KEY)
    const entry = fill(a)
    expect(await a.set(entry)).to.equal('stored')
    expect(await b.get(KEY)).to.deep.equal(entry)
    await invalidate(b, { tags: ['t:post'] })
    expect(await a.get(KEY)).to.equal(undefined)
    expect(await a.set(entry)).to.equal('invalidated')
  })
})

describe('RedisStore without a Redis', () => {
  it('answers undefined and unavailable at once, gives one warning, and refuses to confirm', async () => {
    const { store, events } = start('redis://127.0.0.1:1')
    const degraded: string[] = []
    events.on('degraded', ({ reason }) => degraded.push(reason))
    expect(store.get(KEY)).to.equal(undefined)
    await eventually('degraded', () => degraded.length > 0)
    expect(store.reachable).to.equal(false)
    expect(store.get(KEY)).to.equal(undefined)
    expect(await store.set(fill(store))).to.equal('unavailable')
    expect(await store.touch(KEY, 1, 2)).to.equal(false)
    expect(await store.confirm(KEY)).to.equal(false)
    expect(await store.list({ cursor: undefined, limit: 10 })).to.deep.equal({ entries: [], cursor: undefined })
    expect(await rejection(store.ping())).to.be.instanceOf(Error)
    await store.evict([KEY])
    expect(degraded).to.have.length(1)
    expect(degraded[0]).to.include('ECONNREFUSED')
    expect(store.degradedSince).to.be.a('number')
  })

  it('tells whoever waits for it that it was closed', async () => {
    const { store } = start('redis://127.0.0.1:1')
    const ready = rejection(store.ready())
    await store.close()
    expect(await ready)
      .to.be.instanceOf(CacheError)
      .with.property('code', 'ERR_CACHE_CLOSED')
  })
})

describeWithRedis('RedisStore', () => {
  let server: RedisServer
  let admin: Redis5

  before(async () => {
    server = await startRedis()
    admin = new Redis5(server.url)
  })
  after(async () => {
    admin.disconnect()
    await server.stop()
  })

  const meta = (name: 'v' | 'i' | 'n' | 'b' | 's' | 'c' | 'r'): string => `{test-${namespaces}:0}:${name}`

  for (const [version, client] of [
    ['5', () => new Redis5(server.url)],
    ['6', () => new Redis6(server.url)],
  ] as const) {
    it(`works with an ioredis ${version} client that is handed in, and leaves it open`, async () => {
      const redis: RedisClient = handedIn(client())
      const [a, b] = [await started(redis), await started(server.url)]
      const entry = fill(a, KEY, { value: Buffer.from('x'.repeat(5_000)) })
      expect(await a.set(entry)).to.equal('stored')
      expect(await b.get(KEY)).to.deep.equal(entry)
      expect(await a.get(KEY)).to.deep.equal(entry)
      await invalidate(b, { tags: ['t:post'], patterns: ['/x*', 'y?'] })
      expect(await a.get(KEY)).to.equal(undefined)
      expect(a.ledger(KEY).token).to.deep.equal(b.ledger(KEY).token)
      expect(await a.set(entry)).to.equal('invalidated')
      expect(await a.set(fill(a))).to.equal('stored')
      expect(await a.confirm(KEY)).to.equal(true)
      expect((await a.list({ cursor: undefined, limit: 5 })).entries).to.have.length(1)
      await invalidate(b, { all: true })
      expect(await a.get(KEY)).to.equal(undefined)
      await a.close()
      expect(redis.status).to.equal('ready')
    })
  }

  it('keeps responses, variants and values, each with an end', async () => {
    const store = await started(server.url)
    const entries = [
      responseFill(store),
      fill(store, 'V 1 bytes', { value: Buffer.from([1, 2, 3]) }),
      fill(store, 'R 1 app G http://a.test/v', { kind: 'variants', value: { sets: [['accept']], variants: ['x'] } }),
    ]
    for (const entry of entries) {
      expect(await store.set(entry)).to.equal('stored')
      expect(await store.get(entry.key)).to.deep.equal(entry)
    }
    // The store's clock follows Redis TIME: it may differ from the one that the entries were made by.
    for (const key of await admin.keys(`{test-${namespaces}:0}:e:*`))
      expect(await admin.pttl(key)).to.be.within(100_000, 121_000)
  })

  it('begins the metadata of a server that is empty, and proves nothing by that', async () => {
    const store = await started(server.url)
    expect(await admin.get(meta('v'))).to.match(/^[0-9a-f]{16}:0:[0-9a-f]{8}:0$/)
    expect(store.ledger(KEY).provenUntil).to.equal(Number.NEGATIVE_INFINITY)
  })

  describe('invalidation', () => {
    const cases: Readonly<Record<string, Partial<InvalidationTargets>>> = {
      tag: { tags: ['t:post'] },
      key: { tags: ['k:post:1'] },
      pattern: { patterns: ['post:?'] },
      'escaped pattern': { patterns: ['p\\ost*'] },
      everything: { all: true },
    }
    for (const [what, targets] of Object.entries(cases)) {
      it(`by ${what} is seen by another process and refuses fills in flight`, async () => {
        const [a, b] = [await started(server.url), await started(server.url)]
        const stale = fill(a)
        await a.set(stale)
        expect(await b.get(KEY)).to.deep.equal(stale)
        await invalidate(b, targets)
        expect(await b.get(KEY)).to.equal(undefined)
        expect(await a.get(KEY)).to.equal(undefined)
        expect(await a.set(stale)).to.equal('invalidated')
        const fresh = fill(a)
        expect(await a.set(fresh)).to.equal('stored')
        expect(await b.get(KEY)).to.deep.equal(fresh)
      })
    }

    for (const targets of [
      { tags: ['u:http://a.test/posts?page=1'] },
      { tags: ['p:/posts?page=1'] },
      { patterns: ['/posts*'] },
    ]) {
      it(`of a response by ${JSON.stringify(targets)} leaves values alone`, async () => {
        const [a, b] = [await started(server.url), await started(server.url)]
        await a.set(responseFill(a))
        await a.set(fill(a))
        await a.set(fill(a, 'V 1 /posts?page=1'))
        await invalidate(b, targets)
        expect(await a.get(URL_KEY)).to.equal(undefined)
        expect(await a.get(KEY)).not.to.equal(undefined)
        expect(await a.get('V 1 /posts?page=1')).not.to.equal(undefined)
      })
    }

    it('leaves entries with other tags valid for both processes', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const entry = fill(a)
      await a.set(entry)
      await invalidate(b, { tags: ['t:other'], patterns: ['other*', '/post*'] })
      expect(await a.get(KEY)).to.deep.equal(entry)
      expect(await b.get(KEY)).to.deep.equal(entry)
    })

    it('of another process is not skipped by one of our own', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      await a.set(fill(a))
      expect(await b.get(KEY)).not.to.equal(undefined)
      await invalidate(a, { tags: ['t:post'] })
      await invalidate(b, { tags: ['t:else'] })
      expect(await b.get(KEY)).to.equal(undefined)
    })

    it('is judged by the server for a process that came later', async () => {
      const a = await started(server.url)
      await a.set(fill(a))
      await a.set(fill(a, 'V 1 other', { tags: ['t:gone'] }))
      await invalidate(a, { tags: ['t:gone', 't:else'] })
      const late = await started(server.url)
      expect(await late.get('V 1 other')).to.equal(undefined)
      expect(await late.get(KEY)).to.include({ key: KEY, seq: late.ledger(KEY).token.seq })
    })

    it('starts the mirror over when more was invalidated than is worth sending', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const [kept, gone] = [fill(a), fill(a, 'V 1 gone', { tags: ['t:1500'] })]
      await a.set(kept)
      await a.set(gone)
      await invalidate(b, { tags: Array.from({ length: 2_000 }, (_, index) => `t:${index}`) })
      expect(await a.get('V 1 gone')).to.equal(undefined)
      expect(await a.get(KEY)).to.include({ key: KEY })
      expect(a.ledger(KEY).records).to.equal(0)
    })

    it('by more patterns than are kept makes everything older wrong', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const entry = fill(a)
      await a.set(entry)
      for (let from = 0; from <= MAX_BANS; from += 100) {
        await invalidate(b, { patterns: Array.from({ length: 100 }, (_, index) => `x${from + index}`) })
      }
      expect(await admin.zcard(meta('b'))).to.equal(MAX_BANS + 1)
      // The server says so to a process that has not heard of it, then its mirror does.
      expect(await a.set(entry)).to.equal('invalidated')
      expect(await a.get(KEY)).to.equal(undefined)
    })

    it('keeps few of the times at which something was softly invalidated, the first among them', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const [entry, spare] = [fill(a), fill(a, 'V 1 spare', { tags: ['t:spare'] })]
      await a.set(entry)
      await a.set(spare)
      const targets = { tags: ['t:post'], patterns: ['p*'], all: false }
      const before = new SystemClock().now()
      for (let time = 0; time < 12; time++) {
        await b.invalidate(targets, { ack: 'redis', timeoutMs: 2_000, soft: true })
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
      for (const member of ['t:post', '~p*']) {
        const times = ((await admin.hget(meta('n'), `~${member}`)) ?? '').split(' ')
        expect(times).to.have.length(MAX_SOFT_TIMES)
        expect(times.at(-1)).to.match(/^12:/)
      }
      for (const store of [a, b, await started(server.url)]) {
        const found = await store.get(KEY)
        expect(found?.staleAt).to.be.within(before - 200, before + 200)
        expect(found?.deleteAt).to.be.within(before + 59_000, before + 61_000)
        expect(await store.get(spare.key)).to.include({ staleAt: spare.staleAt })
      }
    })

    it('forgets with the soft invalidations above the cap when they were, and what they would have judged', async function () {
      this.timeout(30_000)
      const [a, b] = [await started(server.url), await started(server.url)]
      const entry = fill(a, KEY, { tags: ['t:else'] })
      await a.set(entry)
      for (let from = 0; from <= 100_000; from += 2_000) {
        const tags = Array.from({ length: 2_000 }, (_, index) => `t:${from + index}`)
        await b.invalidate({ tags, patterns: [], all: false }, { ack: 'redis', timeoutMs: 10_000, soft: true })
      }
      expect(await admin.zcard(meta('s'))).to.be.within(90_001, 100_001)
      expect(await admin.hget(meta('n'), '~t:0')).to.equal(null)
      expect(await a.get(KEY)).to.equal(undefined)
    })

    it('drops the oldest tenth of the tags above the cap', async function () {
      this.timeout(30_000)
      const a = await started(server.url, { deadlineMs: 5_000 })
      const old = fill(a)
      await invalidate(a, { tags: ['t:first'] }, 'redis', 5_000)
      const middle = fill(a)
      await invalidate(a, { tags: Array.from({ length: 100_000 }, (_, index) => `t:${index}`) }, 'redis', 20_000)
      expect(await admin.zcard(meta('i'))).to.equal(90_001)
      expect(await a.set(old)).to.equal('invalidated')
      expect(await a.set({ ...middle, tags: ['t:none'] })).to.equal('invalidated')
      expect(await a.set(fill(a))).to.equal('stored')
    })

    it('matches patterns in Redis as in the process', async () => {
      const [store, other] = [await started(server.url), await started(server.url)]
      // Each pair is a piece of the pattern and one of the name; most fit together.
      const smile = '\u{1f600}'
      const fitting = [
        'a a',
        '/ /',
        '? a',
        '? \u20ac',
        '\u00e9 \u00e9',
        `?? ${smile}`,
        `${smile} ${smile}`,
        '* ',
        '* a/',
        '** *',
      ]
      const escaped = ['\\* *', '\\? ?', '\\\\ \\', '\\ \\']
      const others = [`? ${smile}`, 'a b', '\\? a', '? ']
      const pairs = fc.constantFrom(...fitting, ...escaped, ...others).map((pair) => pair.split(' '))
      let matched = 0
      let fence = 0
      await fc.assert(
        fc.asyncProperty(fc.array(pairs, { maxLength: 5 }), fc.boolean(), async (pieces, isValue) => {
          const pattern = pieces.map(([piece]) => piece).join('')
          const name = pieces.map(([, piece]) => piece).join('')
          const value = isValue ? '1' : { sets: [], variants: [] }
          const entry = fill(store, KEY, {
            name,
            kind: isValue ? 'value' : 'variants',
            tags: [],
            value,
            fence: ++fence,
          })
          await admin.zremrangebyrank(meta('b'), 1, -1)
          await invalidate(store, { patterns: [pattern] })
          const concerned = pattern.startsWith('/') !== isValue
          const expected = concerned && matchesGlob(pattern, name) ? 'invalidated' : 'stored'
          // The mirror would refuse it as well: a second process asks the server.
          const result = await other.set(entry)
          expect(result, JSON.stringify([pattern, name])).to.equal(expected)
          if (expected === 'invalidated') matched++
        }),
        {
          numRuns: 600,
          examples: [
            [[['?', smile]], true],
            [[['??', smile]], true],
          ],
        },
      )
      expect(matched).to.be.above(100)
    })

    it('refuses a fill that is overtaken while its invalidation is on the way', async () => {
      const store = await started(server.url)
      const entry = fill(store)
      const pending = invalidate(store, { tags: ['t:post'] })
      expect(await store.set(entry)).to.equal('invalidated')
      expect(store.ledger(KEY).judge(entry)).to.equal('invalid')
      await pending
    })

    it('answers at once with ack memory, and reaches Redis afterwards', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      await a.set(fill(a))
      const receipt = await invalidate(a, { tags: ['t:post'] }, 'memory')
      expect(receipt).to.include({ ack: 'memory', partitions: 1 })
      await eventually('seen by the other process', async () => (await b.get(KEY)) === undefined)
    })
  })

  describe('acknowledgement by all', () => {
    /** The registry as it is once it is older than any lease. */
    const settle = (): Promise<unknown> => ageRegistry(admin, meta('r'))

    it('does not wait where no other process holds a lease', async () => {
      const store = await started(server.url)
      await store.confirm(KEY)
      await settle()
      const startedAt = Date.now()
      expect(await invalidate(store, { tags: ['t:post'] }, 'all')).to.include({ ack: 'all', partitions: 1 })
      expect(Date.now() - startedAt).to.be.below(LEASE_MS)
    })

    it('waits until the lease of every other process has ended', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      await b.confirm(KEY)
      await settle()
      const provenUntil = b.ledger(KEY).provenUntil
      await invalidate(a, { tags: ['t:post'] }, 'all')
      expect(performance.now()).to.be.above(provenUntil)
    })

    it('waits a whole lease after the registry was lost', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      await b.confirm(KEY)
      const provenUntil = b.ledger(KEY).provenUntil
      await admin.flushall()
      await invalidate(a, { tags: ['t:post'] }, 'all')
      expect(performance.now()).to.be.above(provenUntil)
    })

    it('rejects when the leases last longer than the caller waits', async () => {
      const [a, b] = [await started(server.url), await started(server.url, { leaseMs: 5_000 })]
      await b.confirm(KEY)
      const error = await rejection(invalidate(a, { tags: ['t:post'] }, 'all', 100))
      expect(error).to.include({ code: 'ERR_CACHE_UNCONFIRMED', pending: true })
      expect(await b.get(KEY)).to.equal(undefined)
    })

    it('forgets processes whose lease has ended, never the age of the registry', async () => {
      const store = await started(server.url)
      await ageRegistry(admin, meta('r'))
      await admin.zadd(meta('r'), 1, 'dead')
      await invalidate(store, { tags: ['t:post'] }, 'all')
      expect(await admin.zscore(meta('r'), 'dead')).to.equal(null)
      expect(await admin.zscore(meta('r'), await sinceMember(admin))).to.equal('1')
    })
  })

  describe('leases', () => {
    it('are proven by a confirmation, which also brings what others invalidated', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      await a.confirm(KEY)
      const entry = fill(a)
      expect(a.ledger(KEY).judge(entry)).to.equal('valid')
      await invalidate(b, { tags: ['t:post'] })
      const before = performance.now()
      expect(await a.confirm(KEY)).to.equal(true)
      expect(a.ledger(KEY).judge(entry)).to.equal('invalid')
      expect(a.ledger(KEY).provenUntil).to.be.within(before + LEASE_MS, performance.now() + LEASE_MS)
    })

    it('share one command between callers', async () => {
      const client = handedIn(new Redis5(server.url))
      const store = await started(client)
      const spy = sinon.spy(client, 'evalsha')
      expect(await Promise.all([store.confirm(KEY), store.confirm(KEY), store.confirm(KEY)])).to.deep.equal([
        true,
        true,
        true,
      ])
      expect(spy.callCount).to.be.at.most(2)
    })

    it('are kept alive by a heartbeat while memory is used', async () => {
      const store = await started(server.url, { leaseMs: 80 })
      store.keepAlive()
      await eventually('proven', () => store.ledger(KEY).provenUntil > 0)
      const first = store.ledger(KEY).provenUntil
      await eventually('proven again', () => store.ledger(KEY).provenUntil > first)
    })
  })

  describe('reads', () => {
    it('of one tick share one command, the same key once', async () => {
      const client = handedIn(new Redis5(server.url))
      const store = await started(client)
      const keys = Array.from({ length: 10 }, (_, index) => `V 1 k${index}`)
      for (const key of keys) await store.set(fill(store, key))
      const spy = sinon.spy(client, 'mgetBuffer')
      const found = await getAll(store, [...keys, ...keys])
      expect(found.map((entry) => entry?.key)).to.deep.equal([...keys, ...keys])
      expect(spy.callCount).to.equal(1)
      expect(spy.firstCall.args).to.have.length(11)
    })

    it('of very many keys are divided', async () => {
      const store = await started(server.url)
      const keys = Array.from({ length: 300 }, (_, index) => `V 1 k${index}`)
      await Promise.all(keys.map((key) => store.set(fill(store, key))))
      const found = await getAll(store, keys)
      expect(found.every((entry, index) => entry?.key === keys[index])).to.equal(true)
    })

    it('of large entries are divided by what they bring', async () => {
      const client = handedIn(new Redis5(server.url))
      const store = await started(client, { compressAbove: false })
      const keys = Array.from({ length: 12 }, (_, index) => `V 1 k${index}`)
      for (const key of keys) await store.set(fill(store, key, { value: Buffer.alloc(200_000) }))
      for (const key of keys) await store.get(key)
      const spy = sinon.spy(client, 'mgetBuffer')
      const found = await getAll(store, keys)
      expect(found.map((entry) => entry?.key)).to.deep.equal(keys)
      expect(spy.callCount).to.be.within(3, 6)
      expect(Math.max(...spy.args.map((args) => args.length))).to.be.at.most(6)
    })

    describe('of a key that is being read', () => {
      let client: Redis5
      let store: RedisStore
      let reads: sinon.SinonStub
      let release: () => void
      beforeEach(async () => {
        client = handedIn(new Redis5(server.url))
        store = await started(client, { leaseMs: 60_000, deadlineMs: 10_000 })
        await store.set(fill(store))
        const gate = new Promise<void>((resolve) => {
          release = resolve
        })
        const read = client.mgetBuffer.bind(client) as (...keys: string[]) => Promise<(Buffer | null)[]>
        reads = sinon.stub(client, 'mgetBuffer').callsFake((async (...keys: string[]) => {
          const replies = await read(...keys)
          await gate
          return replies
        }) as never)
      })

      /** A read that the server has answered, though the store has not heard of it. */
      async function early(): Promise<{ readonly entry: Promise<Entry | undefined> }> {
        const entry = Promise.resolve(store.get(KEY))
        await eventually('sent', () => reads.callCount === 1)
        await store.ping()
        return { entry }
      }

      it('share its answer where memory could answer', async () => {
        await store.confirm(KEY)
        const { entry } = await early()
        const late = getAll(store, [KEY, KEY])
        release()
        expect(await entry).to.have.property('key', KEY)
        expect(await late).to.deep.equal([await entry, await entry])
        expect(reads.callCount).to.equal(1)
      })

      it('ask for themselves where it could not', async () => {
        const { entry } = await early()
        const late = store.get(KEY)
        release()
        expect(await late).to.deep.equal(await entry)
        expect(reads.callCount).to.equal(2)
      })

      it('ask again where something was invalidated meanwhile', async () => {
        await store.confirm(KEY)
        const { entry } = await early()
        const other = await started(server.url, { leaseMs: 60_000 })
        await invalidate(other, { tags: ['t:post'] })
        const newer = fill(other, KEY, { value: 'newer' })
        expect(await other.set(newer)).to.equal('stored')
        await store.confirm(KEY)
        const late = store.get(KEY)
        release()
        expect(await entry).to.equal(undefined)
        expect(await late).to.deep.equal(newer)
      })

      it('ask for themselves after a write of this process', async () => {
        await store.confirm(KEY)
        const { entry } = await early()
        const newer = fill(store, KEY, { value: 'newer' })
        expect(await store.set(newer)).to.equal('stored')
        const late = store.get(KEY)
        release()
        expect(await late).to.deep.equal(newer)
        expect(await entry).to.have.property('key', KEY)
      })
    })

    it('do not find what is dead by the clock', async () => {
      const store = await started(server.url)
      const entry = fill(store)
      await store.set(entry)
      const clock = { now: () => entry.deleteAt }
      const later = await started(server.url, { clock })
      expect(await later.get(KEY)).to.equal(undefined)
    })

    for (const [what, bytes] of [
      ['corrupt', Buffer.from('CW\x01\x00 nonsense that is long enough to have a header of fifty two bytes')],
      ['foreign', Buffer.from('hello')],
    ] as const) {
      it(`count ${what} bytes under a key of ours, drop them and go on`, async () => {
        const store = await started(server.url)
        await store.set(fill(store))
        const [key = ''] = await admin.keys(`{test-${namespaces}:0}:e:*`)
        await admin.set(key, bytes)
        expect(await store.get(KEY)).to.equal(undefined)
        expect(store.stats().corrupt).to.equal(1)
        await eventually('dropped', async () => (await admin.exists(key)) === 0)
      })
    }

    it('treat an entry of another key in this place as corrupt', async () => {
      const store = await started(server.url)
      await store.set(fill(store))
      const [key = ''] = await admin.keys(`{test-${namespaces}:0}:e:*`)
      await store.set(fill(store, 'V 1 other'))
      const other = (await admin.keys(`{test-${namespaces}:0}:e:*`)).find((found) => found !== key) ?? ''
      await admin.copy(other, key, 'REPLACE')
      expect(await store.get(KEY)).to.equal(undefined)
      expect(store.stats().corrupt).to.equal(1)
    })

    it('treat a value of another Redis type as a miss', async () => {
      const store = await started(server.url)
      await store.set(fill(store))
      const [key = ''] = await admin.keys(`{test-${namespaces}:0}:e:*`)
      await admin.del(key)
      await admin.lpush(key, 'x')
      expect(await store.get(KEY)).to.equal(undefined)
      expect(await store.set(fill(store))).to.equal('stored')
      expect(await store.get(KEY)).not.to.equal(undefined)
    })
  })

  describe('lost metadata', () => {
    for (const name of ['v', 'i', 'n', 'b', 's', 'c'] as const) {
      it(`makes entries misses, never right again (${name} deleted)`, async () => {
        const [a, b] = [await started(server.url), await started(server.url)]
        const entry = fill(a)
        await a.set(entry)
        await invalidate(b, name === 'b' ? { patterns: ['post*'] } : { tags: ['t:post'] })
        await admin.del(meta(name))
        // The first has missed the invalidation, the second comes after it was forgotten.
        for (const store of [a, await started(server.url)]) expect(await store.get(KEY)).to.equal(undefined)
        expect(await a.set(entry)).to.equal('invalidated')
        expect(await a.set(fill(a))).to.equal('stored')
        expect(await b.get(KEY)).not.to.equal(undefined)
      })
    }

    it('of a wrong type is healed', async () => {
      const store = await started(server.url)
      await admin.del(meta('v'), meta('i'), meta('r'))
      await admin.del(meta('c'))
      await admin.lpush(meta('i'), 'x')
      await admin.lpush(meta('c'), 'x')
      await admin.lpush(meta('r'), 'x')
      expect(await store.get(KEY)).to.equal(undefined)
      expect(await store.confirm(KEY)).to.equal(true)
      expect(await store.set(fill(store))).to.equal('stored')
    })

    it('that tells of a write under way in a way that nobody understands names everything, and ends', async () => {
      const store = await started(server.url)
      const entry = fill(store)
      await store.set(entry)
      await admin.zadd(meta('c'), Date.now() + 600_000, 'nonsense')
      expect(await store.set(fill(store))).to.equal('invalidated')
      await admin.zadd(meta('c'), 1, 'nonsense')
      await store.confirm(KEY)
      expect(await admin.zscore(meta('c'), 'nonsense')).to.equal(null)
      expect(await store.get(KEY)).to.equal(undefined)
      expect(await store.set(fill(store))).to.equal('stored')
    })

    it('of a write under way is brought back, but never to end sooner than whoever renews it says', async () => {
      const store = await started(server.url)
      const mark = (lifeMs: number) =>
        store.invalidate(
          { tags: ['t:post'], patterns: [], all: false },
          { ack: 'redis', timeoutMs: 2_000, mark: { id: 'w', lifeMs } },
        )
      const end = async (): Promise<number> =>
        Number((await admin.zrangebyscore(meta('c'), '(0', '+inf', 'WITHSCORES'))[1])
      await mark(30_000)
      const renewed = await end()
      await mark(1_000)
      expect(await end()).to.equal(renewed)
      await admin.del(meta('c'))
      await store.confirm(KEY)
      await eventually('brought back', async () => (await end()) > 0)
      expect(await end()).to.be.below(renewed)
      await mark(0)
      expect(await admin.zcard(meta('c'))).to.equal(1)
    })

    it('takes no more writes under way than it keeps', async () => {
      const store = await started(server.url)
      const begin = (id: string): Promise<unknown> =>
        store.invalidate(
          { tags: ['t:y'], patterns: [], all: false },
          { ack: 'redis', timeoutMs: 2_000, mark: { id, lifeMs: 30_000 } },
        )
      await begin('first')
      const change = JSON.stringify({ tags: ['t:y'], patterns: [], all: false })
      const end = Date.now() + 60_000
      await admin.zadd(meta('c'), ...Array.from({ length: 1_100 }, (_, index) => [end, `w${index} ${change}`]).flat())
      expect(await rejection(begin('last'))).to.have.property('code', 'ERR_CACHE_UNCONFIRMED')
      expect(await rejection(begin('first'))).to.equal(undefined)
    })

    it('after FLUSHALL is begun anew by the next read', async () => {
      const store = await started(server.url)
      const entry = fill(store)
      await store.set(entry)
      await admin.flushall()
      expect(await store.get(KEY)).to.equal(undefined)
      expect(store.ledger(KEY).token.incarnation).not.to.equal(entry.incarnation)
      expect(await store.set(entry)).to.equal('invalidated')
      expect(await store.set(fill(store))).to.equal('stored')
    })
  })

  it('waits out the leases that a copy of the metadata on another server cannot name', async () => {
    const store = await started(server.url, { leaseMs: 60_000 })
    await ageRegistry(admin, meta('r'))
    await invalidate(store, { tags: ['t:post'] }, 'all', 200)
    // As if it had come with the copy: of another server, where nobody but the dead was known.
    await admin.zadd(meta('r'), 1, `@since${'0'.repeat(40)}`)
    await admin.zrem(meta('r'), await sinceMember(admin))
    const error = await rejection(invalidate(store, { tags: ['t:post'] }, 'all', 200))
    expect(error).to.include({ code: 'ERR_CACHE_UNCONFIRMED' })
    expect((await admin.zrange(meta('r'), 0, -1)).filter((member) => member.startsWith('@'))).to.deep.equal([
      await sinceMember(admin),
    ])
  })

  describe('a server that lost acknowledged history', () => {
    it('is noticed by whoever knew it, and nothing of before is served', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const entry = fill(a)
      await a.set(entry)
      const old = (await admin.get(meta('v'))) ?? ''
      await invalidate(b, { tags: ['t:post'] })
      await admin.set(meta('v'), old)
      await admin.zrem(meta('i'), 't:post')
      expect(await b.get(KEY)).to.equal(undefined)
      expect(b.ledger(KEY).token.incarnation).not.to.equal(entry.incarnation)
      expect(await a.get(KEY)).to.equal(undefined)
    })

    it('is noticed though its counter has gone on', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const dump = await Promise.all((['v', 'i', 'n', 'b'] as const).map((name) => admin.dumpBuffer(meta(name))))
      await invalidate(a, { tags: ['t:post'] })
      const overtaken = fill(a)
      for (const [index, name] of (['v', 'i', 'n', 'b'] as const).entries()) {
        await admin.restore(meta(name), 0, dump[index] as Buffer, 'REPLACE')
      }
      await invalidate(b, { tags: ['t:post'] })
      await invalidate(b, { tags: ['t:else'] })
      expect(await a.set(overtaken)).to.equal('invalidated')
      const before = overtaken.incarnation
      await a.get(KEY)
      expect(a.ledger(KEY).token.incarnation).not.to.equal(before)
    })

    it('is noticed when an incarnation comes back that had ended', async () => {
      const [a, b] = [await started(server.url), await started(server.url)]
      const entry = fill(a)
      await a.set(entry)
      const dump = await Promise.all((['v', 'i', 'n', 'b'] as const).map((name) => admin.dumpBuffer(meta(name))))
      await invalidate(b, { all: true })
      for (const [index, name] of (['v', 'i', 'n', 'b'] as const).entries()) {
        await admin.restore(meta(name), 0, dump[index] as Buffer, 'REPLACE')
      }
      expect(await b.get(KEY)).to.equal(undefined)
      expect(b.ledger(KEY).token.incarnation).not.to.equal(entry.incarnation)
      expect(await a.get(KEY)).to.equal(undefined)
    })
  })

  describe('fills of one key', () => {
    it('are ordered by their fence', async () => {
      const store = await started(server.url)
      const entry = fill(store, KEY, { fence: 300 })
      expect(await store.set(entry)).to.equal('stored')
      expect(await store.set({ ...entry, fence: 299 })).to.equal('fenced')
      expect(await store.set({ ...entry, fence: 300, value: '2' })).to.equal('stored')
      expect(await store.set({ ...entry, fence: 70_000 })).to.equal('stored')
    })

    it('are no obstacle once their incarnation has ended', async () => {
      const store = await started(server.url)
      await store.set(fill(store, KEY, { fence: 300 }))
      await invalidate(store, { all: true })
      expect(await store.set(fill(store, KEY, { fence: 1 }))).to.equal('stored')
    })

    it('are not kept when they are over before they arrive or cannot be written', async () => {
      const store = await started(server.url)
      expect(await store.set(fill(store, KEY, { deleteAt: 1 }))).to.equal('unavailable')
      expect(await store.set(fill(store, KEY, { value: undefined }))).to.equal('unavailable')
    })
  })

  it('touch changes when an entry ends', async () => {
    const store = await started(server.url)
    const entry = fill(store)
    await store.set(entry)
    expect(await store.touch(KEY, entry.staleAt + 1, entry.deleteAt + 60_000)).to.equal(true)
    expect(await store.get(KEY)).to.include({ staleAt: entry.staleAt + 1, deleteAt: entry.deleteAt + 60_000 })
    expect(await store.touch('V 1 none', 1, 2)).to.equal(false)
    await store.invalidate(
      { tags: ['t:post'], patterns: [], all: false },
      { ack: 'redis', timeoutMs: 2_000, soft: true },
    )
    // Judged by the server it counts as filled now: a new end would make it fresh.
    const late = await started(server.url)
    expect(await late.touch(KEY, entry.staleAt + 2, entry.deleteAt)).to.equal(false)
    expect((await late.get(KEY))?.staleAt).to.be.below(entry.staleAt)
  })

  it('evict drops entries by their keys', async () => {
    const store = await started(server.url)
    await store.set(fill(store))
    await store.set(fill(store, 'V 1 b'))
    await store.evict([KEY])
    expect(await store.get(KEY)).to.equal(undefined)
    expect(await store.get('V 1 b')).not.to.equal(undefined)
  })

  it('list pages through all partitions and shows nothing of other namespaces', async () => {
    const namespace = `list[1]*-${namespaces}`
    const store = await started(server.url, { namespace, partitions: 4 })
    const stranger = await started(server.url, { namespace: `list1x-${namespaces}`, partitions: 4 })
    const keys = Array.from({ length: 60 }, (_, index) => `V 1 k${index}`)
    for (const key of keys) await store.get(key)
    await Promise.all(keys.map((key) => store.set(fill(store, key))))
    await stranger.get(KEY)
    await stranger.set(fill(stranger))
    await store.invalidate({ tags: ['k:k7'], patterns: [], all: false }, { ack: 'redis', timeoutMs: 800 })
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.list({ cursor, limit: 7 })
      expect(page.entries.length).to.be.at.most(7)
      seen.push(...page.entries.map((entry) => entry.key))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(new Set(seen)).to.deep.equal(new Set(keys.filter((key) => key !== 'V 1 k7')))
  })

  it('list takes a cursor that is nonsense as the beginning', async () => {
    const store = await started(server.url)
    await store.set(fill(store))
    expect((await store.list({ cursor: '*; drop', limit: 5 })).entries).to.have.length(1)
  })

  it('connects a client that is handed in and has waited for its first command', async () => {
    const store = await started(handedIn(new Redis5(server.url, { lazyConnect: true })))
    expect(await store.set(fill(store))).to.equal('stored')
  })

  it('works with a keyPrefix of the client', async () => {
    const client = handedIn(new Redis5(server.url, { keyPrefix: 'app[1]:' }))
    const store = await started(client)
    await store.set(fill(store))
    expect((await store.get(KEY))?.key).to.equal(KEY)
    expect((await store.list({ cursor: undefined, limit: 5 })).entries).to.have.length(1)
    expect(await admin.keys('{test-*')).not.to.include(`{test-${namespaces}:0}:v`)
  })

  it('divides keys into partitions and tells each what concerns it', async () => {
    const [a, b] = [await started(server.url, { partitions: 4 }), await started(server.url, { partitions: 4 })]
    const keys = Array.from({ length: 20 }, (_, index) => `V 1 k${index}`)
    await getAll(a, keys)
    for (const key of keys) expect(await a.set(fill(a, key))).to.equal('stored')
    expect(await invalidate(b, { tags: ['k:k1'] })).to.include({ partitions: 1 })
    expect(await a.get('V 1 k1')).to.equal(undefined)
    expect(await a.get('V 1 k2')).not.to.equal(undefined)
    expect(await invalidate(b, { tags: ['t:post'] })).to.include({ partitions: 4 })
    expect((await getAll(a, keys)).every((entry) => entry === undefined)).to.equal(true)
  })

  it('follows the time of Redis', async () => {
    const clock = new SystemClock()
    clock.align(0, clock.monotonic(), clock.monotonic())
    await started(server.url, { clock })
    expect(clock.now()).to.be.closeTo(Date.now(), 100)
  })

  it('invalidates when the memory of Redis is full', async () => {
    const full = await startRedis()
    const limit = new Redis5(full.url)
    try {
      const [a, b] = [await started(full.url), await started(full.url)]
      const entry = fill(a)
      await a.set(entry)
      await limit.config('SET', 'maxmemory', '1')
      await invalidate(b, { tags: ['t:post'] })
      expect(await a.get(KEY)).to.equal(undefined)
      expect(await a.set(fill(a))).to.equal('unavailable')
      expect(a.reachable).to.equal(true)
    } finally {
      limit.disconnect()
      await closeAll()
      await full.stop()
    }
  })
})

describeWithRedis('RedisStore during an outage', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await startRedis()
  })
  afterEach(async () => {
    await closeAll()
    await server.stop()
  })

  it('answers within the deadline when Redis hangs, then at once, and comes back by itself', async () => {
    const { store, events } = start(server.url, { deadlineMs: 100 })
    await store.ready()
    await store.set(fill(store))
    const seen: string[] = []
    events.on('degraded', () => seen.push('degraded'))
    events.on('recovered', () => seen.push('recovered'))
    server.pause()
    const startedAt = Date.now()
    expect(await store.get(KEY)).to.equal(undefined)
    expect(Date.now() - startedAt).to.be.within(50, 1_000)
    for (let read = 0; read < 3; read++) await store.get(KEY)
    expect(store.reachable).to.equal(false)
    expect(store.get(KEY)).to.equal(undefined)
    server.resume()
    await eventually('reachable', () => store.reachable)
    expect(await store.get(KEY)).not.to.equal(undefined)
    expect(seen).to.deep.equal(['degraded', 'recovered'])
  })

  it('serves nothing of before after Redis was killed and has come back empty', async () => {
    const { store, events } = start(server.url, { deadlineMs: 100 })
    await store.ready()
    const entry = fill(store)
    await store.set(entry)
    let degraded = 0
    events.on('degraded', () => degraded++)
    await server.kill9()
    await eventually('degraded', () => degraded > 0)
    expect(store.get(KEY)).to.equal(undefined)
    expect(await store.set(entry)).to.equal('unavailable')
    await server.restart()
    await eventually('reachable', () => store.reachable)
    expect(await store.get(KEY)).to.equal(undefined)
    expect(await store.set(entry)).to.equal('invalidated')
    expect(await store.set(fill(store))).to.equal('stored')
    expect(await store.get(KEY)).not.to.equal(undefined)
    expect(degraded).to.equal(1)
  })

  for (const [what, client] of [
    ['its own client', () => server.url],
    ['a client handed in', () => handedIn(new Redis5(server.url))],
  ] as const) {
    it(`is not used as long as it is a replica (${what})`, async () => {
      const admin = handedIn(new Redis5(server.url))
      const store = await started(client())
      await store.set(fill(store))
      await admin.replicaof('127.0.0.1', 1)
      expect(await store.set(fill(store))).to.equal('unavailable')
      expect(store.reachable).to.equal(false)
      expect(store.get(KEY)).to.equal(undefined)
      expect(await rejection(invalidate(store, { tags: ['t:post'] }))).to.include({ code: 'ERR_CACHE_UNCONFIRMED' })
      await admin.replicaof('NO', 'ONE')
      await eventually('reachable', () => store.reachable)
      await eventually('confirmed', async () => (await store.get(KEY)) === undefined && store.ledger(KEY).token.seq > 0)
    })
  }

  it('is usable when Redis comes up after it', async () => {
    await server.kill9()
    const { store } = start(server.url, { deadlineMs: 100 })
    await eventually('degraded', () => store.degradedSince !== undefined)
    await server.restart()
    await store.ready()
    await eventually('reachable', () => store.reachable)
    await store.get(KEY)
    expect(await store.set(fill(store))).to.equal('stored')
  })

  it('rejects an invalidation that Redis does not confirm, holds it here and confirms it later', async () => {
    const { store, events } = start(server.url, { deadlineMs: 100 })
    const client = handedIn(new Redis5(server.url))
    const other = await started(client)
    await store.ready()
    const entry = fill(store)
    await store.set(entry)
    let unconfirmed = 0
    events.on('unconfirmed', () => unconfirmed++)
    server.pause()
    const error = await rejection(invalidate(store, { tags: ['t:post'] }, 'redis', 60))
    expect(error).to.be.instanceOf(CacheError).and.include({ code: 'ERR_CACHE_UNCONFIRMED', pending: true })
    expect(unconfirmed).to.equal(1)
    expect(store.ledger(KEY).judge(entry)).to.equal('invalid')
    server.resume()
    await eventually('seen by the other process', async () => (await other.get(KEY)) === undefined && other.reachable)
    await eventually('not held any more', () => store.ledger(KEY).judge(fill(store)) === 'valid')
    expect(await store.get(KEY)).to.equal(undefined)
  })

  it('confirms what was invalidated while Redis was gone, once it is back', async () => {
    const store = await started(server.url, { deadlineMs: 100 })
    await server.kill9()
    await eventually('degraded', () => !store.reachable)
    const error = await rejection(invalidate(store, { tags: ['t:post'] }, 'all'))
    expect(error).to.include({ code: 'ERR_CACHE_UNCONFIRMED' })
    expect(store.ledger(KEY).judge(fill(store))).to.equal('invalid')
    await server.restart()
    await eventually('confirmed', async () => {
      await store.get(KEY)
      return store.reachable && store.ledger(KEY).judge(fill(store)) === 'valid'
    })
  })

  it('does not take a link on which nothing is answered for a connection', async function () {
    this.timeout(20_000)
    const store = await started(server.url, { deadlineMs: 100 })
    const client = handedIn(new Redis5(server.url))
    const addresses = String(await client.client('LIST')).match(/(?<= addr=)\S+/g) ?? []
    expect(addresses.length).to.be.at.least(2)
    server.pause()
    for (let read = 0; read < 4; read++) await store.get(KEY)
    // Long enough for the probe to be given up and the link to be dropped.
    await new Promise((resolve) => setTimeout(resolve, 1_600))
    server.resume()
    await eventually('reachable', () => store.reachable)
    const after = String(await client.client('LIST')).match(/(?<= addr=)\S+/g) ?? []
    expect(after).not.to.have.members(addresses)
  })
})
