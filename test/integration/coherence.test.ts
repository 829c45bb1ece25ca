import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { CacheError } from '../../lib/errors.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

const KEYS = ['a', 'b', 'c', 'd'] as const
type Key = (typeof KEYS)[number]

/** The same numbers in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Readers and writers of a database behind several caches; what was read although it was known to be wrong. */
class Observer {
  readonly stale: string[] = []
  reads = 0
  acknowledged = 0
  stopped = false
  readonly #caches: readonly Cache[]
  readonly #random = randomFrom(20_261_121)
  readonly #truth: Record<Key, number> = { a: 0, b: 0, c: 0, d: 0 }
  readonly #promised: Record<Key, number> = { a: 0, b: 0, c: 0, d: 0 }

  constructor(caches: readonly Cache[]) {
    this.#caches = caches
  }

  /** Read until stopped: nothing older than what was acknowledged before the read began. */
  async read(): Promise<void> {
    while (!this.stopped) {
      const [key, cache] = [KEYS[this.#random(4)] as Key, this.#caches[this.#random(this.#caches.length)] as Cache]
      const atLeast = this.#promised[key]
      const found =
        this.#random(10) < 3
          ? await cache.get<number>(key)
          : await cache.remember(key, this.#policy(key), this.#load(key))
      this.reads++
      if (found !== undefined && found < atLeast) this.stale.push(`${key}: ${found} after ${atLeast} was acknowledged`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Write the keys of one writer until stopped, each time through another cache and in another way. */
  async write(keys: readonly Key[]): Promise<void> {
    while (!this.stopped) {
      const key = keys[this.#random(keys.length)] as Key
      const cache = this.#caches[this.#random(this.#caches.length)] as Cache
      const value = ++this.#truth[key]
      if (await this.#tell(cache, key, value)) {
        this.#promised[key] = value
        this.acknowledged++
      }
      await sleep(this.#random(30))
    }
  }

  async #tell(cache: Cache, key: Key, value: number): Promise<boolean> {
    const way = this.#random(5)
    if (way === 0) return cache.set(key, value, this.#policy(key))
    if (way === 1) return cache.delete(key)
    try {
      await cache.invalidate([{ tags: [`tag ${key}`] }, { keys: [key] }, { pattern: `${key}*` }][way - 2] as object)
      return true
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return false
      throw error
    }
  }

  #policy(key: Key): { readonly ttl: string; readonly tags: readonly string[] } {
    return { ttl: '1h', tags: [`tag ${key}`] }
  }

  #load(key: Key): () => Promise<number> {
    return async () => {
      const value = this.#truth[key]
      await sleep(this.#random(5))
      return value
    }
  }
}

describeWithRedis('several processes on one Redis', function () {
  this.timeout(30_000)
  let server: RedisServer
  let caches: readonly Cache[]
  const start = async (options: CacheOptions = {}): Promise<void> => {
    server = await startRedis()
    const logger = { info() {}, warn() {} }
    const shared = { redis: server.url, namespace: 'coherence', leaseMs: 40, logger, ...options }
    caches = [createCache(shared), createCache(shared), createCache({ ...shared, memory: false })]
    await Promise.all(caches.map((cache) => cache.ready()))
  }
  afterEach(async () => {
    await Promise.all(caches.map((cache) => cache.close()))
    await server.stop()
  })

  const observe = async (during: () => Promise<void>): Promise<Observer> => {
    const observer = new Observer(caches)
    const work = [observer.write(['a', 'b']), observer.write(['c', 'd'])]
    for (let reader = 0; reader < 8; reader++) work.push(observer.read())
    await during()
    observer.stopped = true
    await Promise.all(work)
    return observer
  }

  it('never read what was replaced by an acknowledged write', async () => {
    // On a busy machine a working Redis answers late: that is no error here.
    await start({ deadlineMs: 5_000 })
    const { stale, reads, acknowledged } = await observe(() => sleep(2_000))
    expect(stale).to.deep.equal([])
    expect(reads).to.be.greaterThan(1_000)
    expect(acknowledged).to.be.greaterThan(20)
    expect(caches.map((cache) => cache.stats().counters.errors)).to.deep.equal([0, 0, 0])
  })

  it('never do so while Redis hangs, dies, forgets all or part of it', async () => {
    await start()
    const client = new Redis(server.url, {
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: () => 20,
    })
    client.on('error', () => {})
    const faults: readonly (() => Promise<unknown>)[] = [
      async () => {
        server.pause()
        await sleep(150)
        server.resume()
      },
      () => client.flushall(),
      () => client.del('{coherence:0}:v'),
      () => client.del('{coherence:0}:i'),
      () => client.del('{coherence:0}:r'),
      async () => {
        await server.kill9()
        await sleep(50)
        await server.restart()
      },
    ]
    const { stale, acknowledged } = await observe(async () => {
      for (const fault of [...faults, ...faults]) {
        await fault().catch(() => {})
        await sleep(250)
      }
    })
    client.disconnect()
    expect(stale).to.deep.equal([])
    expect(acknowledged).to.be.greaterThan(10)
  })
})
