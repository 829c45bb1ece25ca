import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheEvents } from '../../lib/events.ts'
import type { FallbackStore } from '../../lib/stores/fallback.ts'
import { MAX_TAG_RECORDS } from '../../lib/tags.ts'
import { describeService } from '../contracts/service.contract.ts'
import { type CacheUnderTest, describeValues, makeGate } from '../contracts/values.contract.ts'
import { valueEntry } from '../support/entries.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MapStore } from '../support/map-store.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'
import { makeBench } from '../support/site.ts'

const caches: Cache[] = []
let namespaces = 0

interface Scene extends CacheUnderTest {
  readonly errors: CacheEvents['error'][]
  readonly warnings: string[]
}

function makeScene(options: CacheOptions): Scene {
  const clock = new FakeClock()
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message) }
  const cache = createCache({
    namespace: `fallback-${namespaces}`,
    leaseMs: 100,
    deadlineMs: 1_000,
    logger,
    clock,
    ...options,
  })
  const errors: CacheEvents['error'][] = []
  cache.on('error', (event) => errors.push(event))
  caches.push(cache)
  return { cache, clock, errors, warnings }
}

beforeEach(() => {
  namespaces++
})
afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())))

/** Forget what memory has, as if there had been no room: nothing is invalidated. */
async function evict(cache: Cache, ...keys: readonly string[]): Promise<void> {
  await cache.engine.store.evict(keys.map((key) => `V 1 ${key}`))
}

const failing = (): never => {
  throw new Error('the source was asked')
}

describe('fallback stores', () => {
  describeService('memory with a fallback store', async (options = {}) => {
    return makeBench({ fallback: [new MapStore()], ...options })
  })

  describe('without Redis', () => {
    it('have what memory had no room for, and give it back', async () => {
      const store = new MapStore()
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', { n: 1 }, { tags: ['t'] })
      await cache.remember('b', { ttl: '5m' }, () => Buffer.from('bytes'))
      await eventually(() => store.entries.size === 2)
      await evict(cache, 'a', 'b')
      expect(await cache.get('a', { source: true })).to.deep.equal({ value: { n: 1 }, source: 'fallback' })
      expect(await cache.get('a', { source: true })).to.deep.equal({ value: { n: 1 }, source: 'memory' })
      const found = await cache.remember('b', { ttl: '5m', source: true }, failing)
      expect(found).to.deep.equal({ value: Buffer.from('bytes'), source: 'fallback' })
      expect(cache.stats().fallbacks).to.deep.equal([
        { name: 'map', usable: true, hits: 2, misses: 1, refused: 0, corrupt: 0, errors: 0 },
      ])
    })

    it('are counted as hits and misses of the cache like any other', async () => {
      const store = new MapStore()
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', 1)
      await eventually(() => store.entries.size === 1)
      await evict(cache, 'a')
      await cache.get('a')
      await cache.get('b')
      expect(cache.stats().stats).to.include({ hits: 1, misses: 1 })
    })

    it('are asked under keys of the namespace and the version, and told how long', async () => {
      const store = new MapStore()
      const { cache } = makeScene({ fallback: [store], version: 3 })
      await cache.set('a', 1, { ttl: '90s' })
      await eventually(() => store.entries.size === 1)
      expect([...store.lifetimes]).to.deep.equal([[`fallback-${namespaces}:V 3 a`, 90_000]])
    })

    it('are asked in their order, until one has it', async () => {
      const [first, second] = [new MapStore('first'), new MapStore('second')]
      const { cache } = makeScene({ fallback: [first, second] })
      await cache.set('a', 1)
      await eventually(() => second.entries.size === 1)
      await evict(cache, 'a')
      first.entries.clear()
      expect(await cache.get('a', { source: true })).to.deep.equal({ value: 1, source: 'fallback' })
      expect(cache.stats().fallbacks.map(({ hits }) => hits)).to.deep.equal([0, 1])
      await evict(cache, 'a')
      second.asked.length = 0
      await cache.set('a', 2)
      await eventually(() => first.entries.size === 1)
      await evict(cache, 'a')
      expect(await cache.get('a')).to.equal(2)
      expect(second.asked).to.deep.equal([])
    })

    for (const [what, invalidate] of [
      ['its key', (cache: Cache) => cache.invalidate({ keys: ['a'] })],
      ['its tag', (cache: Cache) => cache.invalidate({ tags: ['t'] })],
      ['a pattern', (cache: Cache) => cache.invalidate({ pattern: '?' })],
      ['everything', (cache: Cache) => cache.invalidate({ all: true })],
      ['delete', (cache: Cache) => cache.delete('a')],
    ] as const) {
      it(`give nothing that was invalidated by ${what}, though they have it`, async () => {
        const store = new MapStore()
        // Where what is deleted cannot be removed.
        Object.defineProperty(store, 'delete', { value: undefined })
        const { cache } = makeScene({ fallback: [store] })
        await cache.set('a', 1, { tags: ['t'] })
        await eventually(() => store.entries.size === 1)
        await invalidate(cache)
        expect(await cache.get('a')).to.equal(undefined)
        expect(cache.stats().fallbacks[0]).to.include({ hits: 0, refused: 1 })
        expect(await cache.remember('a', {}, () => 2)).to.equal(2)
      })
    }

    it('give nothing that was invalidated so long ago that its record is gone', async () => {
      const store = new MapStore()
      Object.defineProperty(store, 'delete', { value: undefined })
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', 1)
      await eventually(() => store.entries.size === 1)
      await cache.delete('a')
      const others = Array.from({ length: MAX_TAG_RECORDS + 1 }, (_, index) => `k${index}`)
      await cache.invalidate({ keys: others })
      expect(await cache.get('a')).to.equal(undefined)
      expect(cache.stats().fallbacks[0]).to.include({ hits: 0, refused: 1 })
    })

    it('give what was softly invalidated only to stand in', async () => {
      const store = new MapStore()
      const { cache } = makeScene({ fallback: [store], staleIfError: '1h' })
      await cache.remember('a', { tags: ['t'] }, () => 1)
      await eventually(() => store.entries.size === 1)
      await cache.invalidate({ tags: ['t'] }, { soft: true })
      await evict(cache, 'a')
      expect(await cache.get('a')).to.equal(undefined)
      const found = await cache.remember('a', { source: true }, failing)
      expect(found).to.deep.equal({ value: 1, source: 'fallback' })
    })

    it('give nothing of another life of the process', async () => {
      const store = new MapStore()
      const first = makeScene({ fallback: [store] })
      await first.cache.set('a', 1)
      await eventually(() => store.entries.size === 1)
      const second = makeScene({ fallback: [store] })
      expect(await second.cache.get('a')).to.equal(undefined)
      expect(second.cache.stats().fallbacks[0]).to.include({ refused: 1 })
    })

    it('give nothing after its end, nor after a new end that came sooner', async () => {
      const store = new MapStore()
      const { cache, clock } = makeScene({ fallback: [store] })
      await cache.set('a', 1, { ttl: '1h' })
      await cache.set('b', 1, { ttl: '10s' })
      await eventually(() => store.entries.size === 2)
      await cache.expire('a', '10s')
      clock.advance(10_000)
      await evict(cache, 'a', 'b')
      expect(await cache.getMany(['a', 'b'])).to.deep.equal([undefined, undefined])
    })

    it('answer those who ask at the same time once', async () => {
      const store = new MapStore()
      const gate = makeGate<Uint8Array | undefined>()
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', 1)
      await eventually(() => store.entries.size === 1)
      await evict(cache, 'a')
      const [[, bytes]] = [...store.entries] as [[string, Uint8Array]]
      store.get = gate.loader as never
      const both = [cache.get('a'), cache.get('a')]
      await eventually(() => gate.calls === 1)
      gate.open(bytes)
      expect(await Promise.all(both)).to.deep.equal([1, 1])
      expect(gate.calls).to.equal(1)
    })

    it('give nothing that was invalidated while they were asked, to nobody', async () => {
      const store = new MapStore()
      const gate = makeGate<Uint8Array | undefined>()
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', 1, { tags: ['t'] })
      await eventually(() => store.entries.size === 1)
      await evict(cache, 'a')
      const [[, bytes]] = [...store.entries] as [[string, Uint8Array]]
      store.get = gate.loader as never
      const early = cache.get('a')
      await eventually(() => gate.calls === 1)
      await cache.invalidate({ tags: ['t'] })
      const late = cache.get('a')
      gate.open(bytes)
      expect(await Promise.all([early, late])).to.deep.equal([undefined, undefined])
      expect(await cache.get('a')).to.equal(undefined)
    })

    it('put nothing back over what was loaded meanwhile', async () => {
      const store = new MapStore()
      const { cache, clock } = makeScene({ fallback: [store] })
      await cache.remember('a', {}, () => 1)
      await eventually(() => store.entries.size === 1)
      const [[, old]] = [...store.entries] as [[string, Uint8Array]]
      await evict(cache, 'a')
      const gate = makeGate<Uint8Array | undefined>()
      store.get = gate.loader as never
      const reading = cache.get('a')
      await eventually(() => gate.calls === 1)
      await cache.engine.store.set(valueEntry(cache.engine.store, clock.now(), 'a', { value: '2' }))
      gate.open(old)
      await reading
      await sleep(1)
      expect(await cache.get('a')).to.equal(2)
    })
  })

  describe('that fail', () => {
    const stores: Readonly<Record<string, () => Partial<FallbackStore>>> = {
      'throws at once': () => ({
        get: () => {
          throw new Error('broken')
        },
      }),
      rejects: () => ({ get: () => Promise.reject(new Error('broken')) }),
      hangs: () => ({ get: () => new Promise(() => {}), set: () => new Promise(() => {}) }),
    }
    for (const [what, make] of Object.entries(stores)) {
      it(`are left out: one that ${what}`, async () => {
        const store = Object.assign(new MapStore('bad'), make())
        const { cache, errors, warnings } = makeScene({ fallback: [store], deadlineMs: 20 })
        for (let key = 0; key < 10; key++) {
          expect(await cache.remember(`k${key}`, { source: true }, () => key)).to.deep.equal({
            value: key,
            source: 'origin',
          })
        }
        expect(errors.map(({ where }) => where)).to.include('fallback bad')
        expect(cache.stats().fallbacks[0]).to.include({ usable: false, hits: 0 })
        expect(cache.stats().fallbacks[0]?.errors).to.equal(errors.length)
        expect(errors.length).to.be.at.most(4)
        expect(warnings.filter((warning) => warning.includes('"bad" is not used until it answers'))).to.have.length(1)
      })
    }

    it('are asked again when they answer again', async () => {
      const store = new MapStore()
      const get = store.get.bind(store)
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', 1)
      await eventually(() => store.entries.size === 1)
      store.get = failing
      for (let key = 0; key < 4; key++) await cache.get(`k${key}`)
      expect(cache.stats().fallbacks[0]?.usable).to.equal(false)
      store.get = get
      await eventually(() => cache.stats().fallbacks[0]?.usable === true)
      await evict(cache, 'a')
      expect(await cache.get('a')).to.equal(1)
    })

    it('hold no more calls and no more bytes than there may be', async () => {
      const store = Object.assign(new MapStore('slow'), { set: () => new Promise(() => {}) })
      const { cache } = makeScene({ fallback: [store], compression: false })
      const value = Buffer.alloc(1024 ** 2 - 1_000)
      for (let key = 0; key < 20; key++) await cache.set(`k${key}`, value)
      await eventually(() => cache.stats().limits.fallbacks.refused > 0)
      const { limit, current, peak } = cache.stats().limits.fallbacks
      expect(limit).to.equal(16 * 1024 ** 2)
      expect(peak).to.be.at.most(limit)
      expect(current).to.be.greaterThan(limit / 2)
    })

    const garbage: Readonly<Record<string, (frame: Uint8Array) => unknown>> = {
      'no bytes at all': () => new Uint8Array(),
      text: () => 'value',
      'a number': () => 5,
      'other bytes': () => Buffer.from('something else'),
      'a frame that was cut': (frame) => frame.subarray(0, -1),
      'a frame with a flipped bit': (frame) => {
        const copy = Buffer.from(frame)
        copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
        return copy
      },
      'more bytes than any entry has': () => Buffer.alloc(2 * 1024 ** 2),
    }
    for (const [what, spoil] of Object.entries(garbage)) {
      it(`are believed nothing: ${what}`, async () => {
        const store = new MapStore()
        const { cache } = makeScene({ fallback: [store] })
        await cache.set('a', { n: 1 })
        await eventually(() => store.entries.size === 1)
        const [[key, frame]] = [...store.entries] as [[string, Uint8Array]]
        store.entries.set(key, spoil(frame) as Uint8Array)
        await evict(cache, 'a')
        expect(await cache.get('a')).to.equal(undefined)
        expect(cache.stats().fallbacks[0]).to.include({ corrupt: 1, hits: 0 })
        await eventually(() => store.entries.size === 0)
      })
    }

    it('are believed nothing: the entry of another key', async () => {
      const store = new MapStore()
      const { cache } = makeScene({ fallback: [store] })
      await cache.set('a', 1)
      await cache.set('b', 2)
      await eventually(() => store.entries.size === 2)
      const [a = '', b = ''] = [...store.entries.keys()]
      store.entries.set(a, store.entries.get(b) as Uint8Array)
      await evict(cache, 'a')
      expect(await cache.get('a')).to.equal(undefined)
    })
  })

  describeWithRedis('behind Redis', function () {
    this.timeout(30_000)
    let server: RedisServer
    before(async () => {
      server = await startRedis()
    })
    after(() => server.stop())

    async function join(options: CacheOptions): Promise<Scene> {
      const scene = makeScene({ redis: server.url, staleIfRedisDown: 0, ...options })
      await scene.cache.ready()
      return scene
    }

    for (const [tiers, memory] of [
      ['memory in front of Redis', { maxSize: '10mb' }],
      ['Redis only', false],
    ] as const) {
      it(`have what Redis has lost, and give it back: ${tiers}`, async () => {
        const store = new MapStore()
        const [a, b] = [await join({ memory, fallback: [store] }), await join({ memory, fallback: [store] })]
        await a.cache.remember('k', { ttl: '1h', tags: ['t'] }, () => 1)
        await eventually(() => store.entries.size === 1)
        await evict(a.cache, 'k')
        expect(await b.cache.get('k', { source: true })).to.deep.equal({ value: 1, source: 'fallback' })
        // Redis has it again, for all.
        const c = await join({ memory })
        await eventually(async () => (await c.cache.get('k')) === 1)
      })

      it(`give nothing that another process has invalidated: ${tiers}`, async () => {
        const store = new MapStore()
        const [a, b] = [await join({ memory, fallback: [store] }), await join({ memory, fallback: [store] })]
        await a.cache.remember('k', { ttl: '1h', tags: ['t'] }, () => 1)
        await eventually(() => store.entries.size === 1)
        await a.cache.get('k')
        await b.cache.invalidate({ tags: ['t'] })
        expect(await a.cache.get('k')).to.equal(undefined)
        expect(await b.cache.get('k')).to.equal(undefined)
        const newcomer = await join({ memory, fallback: [store] })
        expect(await newcomer.cache.get('k')).to.equal(undefined)
        for (const { cache } of [a, b, newcomer]) expect(cache.stats().fallbacks[0]).to.include({ hits: 0, refused: 1 })
      })

      it(`give a process that came later what is right: ${tiers}`, async () => {
        const store = new MapStore()
        const a = await join({ memory, fallback: [store] })
        await a.cache.remember('k', { ttl: '1h', tags: ['t'] }, () => 1)
        await a.cache.remember('wrong', { ttl: '1h', tags: ['wrong'] }, () => 1)
        await eventually(() => store.entries.size === 2)
        await a.cache.invalidate({ tags: ['wrong'] })
        await evict(a.cache, 'k', 'wrong')
        // The mirror of this one begins after what it has to judge.
        const newcomer = await join({ memory, fallback: [store] })
        expect(await newcomer.cache.getMany(['k', 'wrong'])).to.deep.equal([1, undefined])
      })
    }

    describeValues('memory in front of Redis, with a fallback store', async () => {
      namespaces++
      return join({ fallback: [new MapStore()] })
    })

    it('may be a Redis of their own', async () => {
      const second = await startRedis()
      const client = new Redis(second.url)
      client.on('error', () => {})
      try {
        const fallback: FallbackStore = {
          name: 'second Redis',
          get: (key) => client.getBuffer(key),
          set: (key, bytes, ttlMs) => client.set(key, Buffer.from(bytes), 'PX', ttlMs),
          delete: (key) => client.unlink(key),
        }
        const { cache } = await join({ fallback: [fallback] })
        await cache.set('k', 'v'.repeat(5_000), { ttl: '1h' })
        await eventually(async () => (await client.dbsize()) === 1)
        await evict(cache, 'k')
        expect(await cache.get('k', { source: true })).to.deep.equal({ value: 'v'.repeat(5_000), source: 'fallback' })
        await eventually(async () => (await cache.get('k', { source: true }))?.source === 'memory')
        await second.kill9()
        await evict(cache, 'k')
        expect(await cache.remember('k', {}, () => 'source')).to.equal('source')
      } finally {
        client.disconnect()
        await second.stop()
      }
    })
  })

  describeWithRedis('with Redis away', function () {
    this.timeout(30_000)
    let server: RedisServer
    beforeEach(async () => {
      server = await startRedis()
    })
    afterEach(() => server.stop())

    /** A cache that has kept `k`, in its fallback store too, and whose Redis is gone. */
    async function lose(options: CacheOptions): Promise<Scene & { readonly store: MapStore }> {
      const store = new MapStore()
      const scene = makeScene({ redis: server.url, leaseMs: 400, fallback: [store], ...options })
      await scene.cache.ready()
      await scene.cache.remember('k', { ttl: '1h', tags: ['t'] }, () => 1)
      await eventually(() => store.entries.size === 1)
      await server.kill9()
      await eventually(() => !scene.cache.stats().redis.connected)
      await evict(scene.cache, 'k')
      store.asked.length = 0
      return { ...scene, store }
    }

    it('are left alone where nothing else is said, and the source answers', async () => {
      const { cache, store, warnings } = await lose({})
      expect(await cache.remember('k', { source: true }, () => 2)).to.deep.equal({ value: 2, source: 'origin' })
      expect(store.asked).to.deep.equal([])
      expect(warnings.filter((warning) => warning.includes("Say staleIfRedisDown: '5m'"))).to.have.length(1)
    })

    it('are left alone without memory, which alone knows until when nothing was invalidated', async () => {
      const { cache, store } = await lose({ memory: false, staleIfRedisDown: '1h' })
      expect(await cache.remember('k', { source: true }, () => 2)).to.deep.equal({ value: 2, source: 'origin' })
      expect(store.asked).to.deep.equal([])
    })

    it('stand in for as long as staleIfRedisDown says', async () => {
      const { cache, warnings } = await lose({ staleIfRedisDown: '3s' })
      expect(await cache.remember('k', { source: true }, failing)).to.deep.equal({ value: 1, source: 'fallback' })
      expect(warnings.filter((warning) => warning.includes('staleIfRedisDown'))).to.deep.equal([])
      await eventually(async () => (await cache.remember('k', { ttl: '0s' }, () => 2)) === 2)
      expect(await cache.get('k')).to.equal(undefined)
    })

    it('give nothing that this process has invalidated meanwhile', async () => {
      const { cache } = await lose({ staleIfRedisDown: '1h' })
      await cache.invalidate({ tags: ['t'] }).catch(() => {})
      expect(await cache.remember('k', { source: true }, () => 2)).to.deep.equal({ value: 2, source: 'origin' })
    })

    it('and they as well: the source answers', async () => {
      const { cache, store } = await lose({ staleIfRedisDown: '1h' })
      store.get = failing
      for (let turn = 0; turn < 5; turn++) {
        expect(await cache.remember(`k${turn}`, { source: true }, () => 2)).to.deep.equal({
          value: 2,
          source: 'origin',
        })
      }
    })

    it('give nothing of before, where Redis comes back empty', async () => {
      const { cache, store } = await lose({ staleIfRedisDown: 0 })
      await server.restart()
      await eventually(() => cache.stats().redis.connected)
      expect(store.entries.size).to.equal(1)
      expect(await cache.get('k')).to.equal(undefined)
    })
  })
})
