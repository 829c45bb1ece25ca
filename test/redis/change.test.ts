import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { MARK_MS } from '../../lib/change.ts'
import { CacheError } from '../../lib/errors.ts'
import type { Targets } from '../../lib/targets.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const POLICY = { ttl: '1h', tags: ['x'], source: true } as const

describeWithRedis('a change', function () {
  this.timeout(30_000)
  let server: RedisServer
  let client: Redis
  let namespace: string
  let namespaces = 0
  const open: Cache[] = []
  beforeEach(async () => {
    server = await startRedis()
    client = new Redis(server.url, { retryStrategy: () => 20 })
    client.on('error', () => {})
    namespace = `change-${namespaces++}`
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((cache) => cache.close()))
    client.disconnect()
    await server.stop()
  })

  const start = async (options: CacheOptions = {}): Promise<Cache> => {
    const logger = { info() {}, warn() {} }
    const cache = createCache({ redis: server.url, namespace, leaseMs: 40, deadlineMs: 5_000, logger, ...options })
    open.push(cache)
    await cache.ready()
    return cache
  }
  const meta = (name: string): string => `{${namespace}:0}:${name}`
  /** The writes under way, as Redis knows them, and when they end. */
  const marks = async (): Promise<readonly { readonly text: string; readonly end: number }[]> => {
    const flat = await client.zrangebyscore(meta('c'), '(0', '+inf', 'WITHSCORES')
    return flat.flatMap((text, at) => (at % 2 === 0 ? [{ text, end: Number(flat[at + 1]) }] : []))
  }
  /** Where one read of a value finds it; a loader that is asked brings `value`. */
  const sourceOf = async (cache: Cache, key = 'k', value = 1): Promise<string> =>
    (await cache.remember(key, POLICY, () => value)).source
  const isCached = async (cache: Cache, key = 'k'): Promise<boolean> => (await sourceOf(cache, key)) !== 'origin'
  const fill = async (caches: readonly Cache[], key = 'k'): Promise<void> => {
    for (const cache of caches) await eventually(() => isCached(cache, key))
  }

  it('serves nothing it names while it is under way, and nothing older afterwards', async () => {
    const caches = [await start(), await start(), await start({ memory: false })]
    const [a, b] = caches as [Cache, Cache]
    let [row, resolved] = [0, 0]
    let underWay: object | undefined
    const wrong: string[] = []
    let [reads, cached] = [0, 0]
    let stopped = false
    const read = async (cache: Cache): Promise<void> => {
      while (!stopped) {
        const [atLeast, during] = [resolved, underWay]
        const { value, source } = await cache.remember('k', POLICY, async () => {
          const seen = row
          await sleep(Math.random() * 5)
          return seen
        })
        reads++
        if (source !== 'origin') cached++
        if (value < atLeast) wrong.push(`${value} after ${atLeast}`)
        // Begun and ended while the same write was under way.
        if (during !== undefined && underWay === during && source !== 'origin')
          wrong.push(`${source} before ${row + 1}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const work = caches.flatMap((cache) => [read(cache), read(cache)])
    for (const delay of [0, 40, 5, 120, 300, 15, 80]) {
      const next = row + 1
      const result = await (next % 2 === 0 ? a : b).change({ tags: ['x'] }, async () => {
        underWay = {}
        await sleep(delay)
        row = next
        await sleep(delay / 4)
        underWay = undefined
        return `committed ${next}`
      })
      resolved = next
      expect(result).to.equal(`committed ${next}`)
      await sleep(60)
    }
    stopped = true
    await Promise.all(work)
    expect(wrong).to.deep.equal([])
    expect(reads).to.be.greaterThan(100)
    expect(cached).to.be.greaterThan(50)
  })

  const named: Readonly<Record<string, Targets>> = {
    tag: { tags: ['x'] },
    key: { keys: ['k'] },
    pattern: { pattern: 'k' },
    everything: { all: true },
  }
  for (const [what, targets] of Object.entries(named)) {
    it(`by ${what} keeps out every process, those that come later included`, async () => {
      const caches = [await start(), await start(), await start({ memory: false })]
      const [a] = caches as [Cache]
      await fill(caches)
      await a.change(targets, async () => {
        const late = await start()
        for (const cache of [...caches, late, ...caches, late]) expect(await sourceOf(cache)).to.equal('origin')
      })
      await fill(caches)
      expect(await marks()).to.deep.equal([])
    })
  }

  it('reaches what it names in every partition', async () => {
    const caches = [await start({ partitions: 4 }), await start({ partitions: 4 })]
    const [a] = caches as [Cache]
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
    for (const key of keys) await fill(caches, key)
    await a.change({ tags: ['x'] }, async () => {
      for (const key of keys) for (const cache of caches) expect(await sourceOf(cache, key)).to.equal('origin')
    })
    for (const key of keys) await fill(caches, key)
  })

  it('is over everywhere as soon as it resolves', async () => {
    // Heartbeats come so often that some are answered in between.
    const caches = [await start({ leaseMs: 8 }), await start({ leaseMs: 8 })]
    const [a, b] = caches as [Cache, Cache]
    await fill(caches)
    const held: number[] = []
    for (let time = 0; time < 150; time++) {
      await a.change({ tags: ['x'] }, () => sleep(time % 4))
      for (const { engine } of [a, b]) {
        const ledger = engine.store.ledger('')
        const entry = { kind: 'value', name: 'k', tags: ['t:x'], ...ledger.token } as const
        if (ledger.judge(entry) === 'invalid') held.push(time)
      }
    }
    expect(held).to.deep.equal([])
  })

  it('leaves alone what it does not name', async () => {
    const [a, b] = [await start(), await start()]
    await a.remember('other', { ttl: '1h', tags: ['y'] }, () => 1)
    await eventually(() => b.exists('other'))
    await a.change({ tags: ['x'], pattern: 'k*' }, async () => {
      for (const cache of [a, b]) expect(await cache.get('other')).to.equal(1)
      await b.remember('third', { ttl: '1h', tags: ['y'] }, () => 3)
      await eventually(() => a.exists('third'))
    })
  })

  it('that fails has its error, and ends like any other', async () => {
    const [a, b] = [await start(), await start()]
    await fill([a, b])
    const error = new Error('constraint violated')
    const caught = await a
      .change({ tags: ['x'] }, () => {
        throw error
      })
      .catch((thrown: unknown) => thrown)
    expect(caught).to.equal(error)
    expect(await marks()).to.deep.equal([])
    expect(await sourceOf(b)).to.equal('origin')
    await fill([a, b])
  })

  it('within another, or beside another of the same tag, does not end it', async () => {
    const [a, b] = [await start(), await start()]
    await fill([a, b])
    let endFirst = (): void => {}
    const first = new Promise<void>((resolve) => {
      endFirst = resolve
    })
    let isInnerOver = false
    const outer = a.change({ tags: ['x'] }, async () => {
      await a.change({ keys: ['k'] }, () => {})
      isInnerOver = true
      await first
    })
    await b.change({ tags: ['x'] }, async () => {
      await eventually(() => isInnerOver)
      expect(await marks()).to.have.length(2)
    })
    for (const cache of [a, b, a, b]) expect(await sourceOf(cache)).to.equal('origin')
    expect(await marks()).to.have.length(1)
    endFirst()
    await outer
    expect(await marks()).to.deep.equal([])
    await fill([a, b])
  })

  it('voids the fills that began under it', async () => {
    const [a, b] = [await start(), await start()]
    let answer = (): void => {}
    let hasBegun = false
    let filling: Promise<unknown> = Promise.resolve()
    await a.change({ tags: ['x'] }, async () => {
      const held = new Promise<void>((resolve) => {
        answer = resolve
      })
      filling = b.remember('k', POLICY, () => {
        hasBegun = true
        return held.then(() => 'older')
      })
      await eventually(() => hasBegun)
    })
    answer()
    await filling
    await sleep(50)
    for (const cache of [a, b]) expect(await cache.get('k')).to.equal(undefined)
  })

  describe('whose process is killed', () => {
    /** A process in the middle of a change of the tag `x`; ends with a kill. */
    const dieInChange = async (): Promise<void> => {
      const cachePath = new URL('../../lib/cache.ts', import.meta.url).href
      const program = `
        import { createCache } from ${JSON.stringify(cachePath)}
        const cache = createCache({ redis: ${JSON.stringify(server.url)}, namespace: '${namespace}', leaseMs: 40, deadlineMs: 5000 })
        await cache.ready()
        await cache.change({ tags: ['x'] }, () => { console.log('begun'); setInterval(() => {}, 1000); return new Promise(() => {}) })
      `
      const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const ended = once(child, 'exit')
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await ended
    }

    it('is over after half a minute at the latest, and counts as one more invalidation', async () => {
      const caches = [await start(), await start({ memory: false })]
      const [a] = caches as [Cache]
      await fill(caches)
      await dieInChange()
      for (const cache of [...caches, ...caches]) expect(await sourceOf(cache)).to.equal('origin')
      const [mark, ...more] = await marks()
      expect(more).to.deep.equal([])
      const [seconds] = await client.time()
      expect((mark?.end ?? 0) - Number(seconds) * 1_000).to.be.within(MARK_MS - 5_000, MARK_MS + 1_000)

      let answer = (): void => {}
      const held = new Promise<void>((resolve) => {
        answer = resolve
      })
      let hasBegun = false
      const filling = a.remember('k2', POLICY, () => {
        hasBegun = true
        return held.then(() => 'older')
      })
      await eventually(() => hasBegun)
      // Let its time be over in a moment.
      await client.zadd(meta('c'), Number(seconds) * 1_000 + 1_500, mark?.text ?? '')
      await eventually(async () => (await marks()).length === 0)
      answer()
      await filling
      expect(await a.get('k2')).to.equal(undefined)
      await fill(caches)
    })
  })

  for (const lost of ['c', 's', 'v', 'all'] as const) {
    it(`keeps out those who know of it though Redis forgets it (${lost === 'all' ? 'FLUSHALL' : `${lost} deleted`})`, async () => {
      const caches = [await start(), await start()]
      const [a, b] = caches as [Cache, Cache]
      await fill(caches)
      let row = 1
      await a.change({ tags: ['x'] }, async () => {
        // By its heartbeat, or this read, each process knows of it.
        for (const cache of caches) expect(await sourceOf(cache)).to.equal('origin')
        const [known] = await marks()
        await (lost === 'all' ? client.flushall() : client.del(meta(lost)))
        const until = performance.now() + 300
        while (performance.now() < until) {
          for (const cache of caches) expect(await sourceOf(cache, 'k', row)).to.equal('origin')
          await sleep(5)
        }
        const [restored] = await marks()
        expect(restored?.text).to.equal(known?.text)
        row = 2
      })
      expect((await b.remember('k', POLICY, () => row)).value).to.equal(2)
      await eventually(async () => (await marks()).length === 0)
      await fill(caches)
    })
  }

  describe('that cannot be told to the others', () => {
    const unconfirmed = (cache: Cache): unknown[] => {
      const events: unknown[] = []
      cache.on('unconfirmed', ({ cause }) => events.push(cause))
      return events
    }

    it('is made all the same, told as an event, and keeps this process out', async () => {
      const cache = await start({ deadlineMs: 50 })
      await fill([cache])
      const events = unconfirmed(cache)
      await server.kill9()
      const result = await cache.change({ tags: ['x'] }, async () => {
        expect(await cache.get('k')).to.equal(undefined)
        return 'committed'
      })
      expect(result).to.equal('committed')
      expect(events.length).to.be.greaterThan(0)
      await server.restart()
      await eventually(async () => isCached(cache))
    })

    it('is not begun where it is strict', async () => {
      const cache = await start({ deadlineMs: 50 })
      await server.kill9()
      let begun = false
      const write = cache.change({ tags: ['x'] }, () => void (begun = true), { strict: true })
      const error = await write.catch((thrown: unknown) => thrown)
      expect(error).to.be.instanceOf(CacheError).with.property('code', 'ERR_CACHE_UNCONFIRMED')
      expect(begun).to.equal(false)
      await server.restart()
      await eventually(async () => isCached(cache))
      expect(await marks()).to.deep.equal([])
    })

    it('ends in Redis once that answers again', async () => {
      const [a, b] = [await start({ deadlineMs: 100 }), await start()]
      await fill([a, b])
      const events = unconfirmed(a)
      const result = await a.change({ tags: ['x'] }, () => {
        server.pause()
        return 'committed'
      })
      expect(result).to.equal('committed')
      expect(events.length).to.be.greaterThan(0)
      server.resume()
      await eventually(async () => (await marks()).length === 0)
      await fill([a, b])
    })

    it('leaves no mark that comes too late', async () => {
      const [a, b] = [await start(), await start()]
      await fill([a, b])
      const events = unconfirmed(a)
      server.pause()
      await a.change({ tags: ['x'] }, () => server.resume())
      expect(events).to.have.length(1)
      // Longer than it takes until what was not confirmed is tried again.
      await sleep(600)
      expect(await marks()).to.deep.equal([])
      await fill([a, b])
    })

    it('has its result also where the cache is closed meanwhile', async () => {
      const cache = await start()
      const result = await cache.change({ tags: ['x'] }, async () => {
        await cache.close()
        return 'committed'
      })
      expect(result).to.equal('committed')
    })
  })
})
