import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { CacheError } from '../../lib/errors.ts'
import { codeOf } from '../contracts/values.contract.ts'
import { makeBench } from '../support/site.ts'

const silent = { info() {}, warn() {} }

describe('createCache', () => {
  for (const [options, code, message] of [
    [{ redsi: 'redis://localhost' }, 'ERR_CACHE_UNKNOWN_OPTION', 'unknown option "redsi". Did you mean "redis"?'],
    [{ maxAge: '5m' }, 'ERR_CACHE_UNKNOWN_OPTION', 'Did you mean "ttl"?'],
    [{ ttl: 'soon' }, 'ERR_CACHE_BAD_DURATION', 'createCache: ttl: "soon"'],
    [{ ttl: -1 }, 'ERR_CACHE_BAD_DURATION', 'createCache: ttl: -1'],
    [{ ttl: null }, 'ERR_CACHE_BAD_DURATION', 'createCache: ttl: null'],
    [{ staleIfError: true }, 'ERR_CACHE_BAD_DURATION', 'createCache: staleIfError: true'],
    [{ memory: true }, 'ERR_CACHE_BAD_OPTION', 'createCache: memory: true'],
    [{ memory: { maxsize: 1 } }, 'ERR_CACHE_UNKNOWN_OPTION', 'Did you mean "maxSize"?'],
    [{ memory: { maxSize: 'lots' } }, 'ERR_CACHE_BAD_SIZE', 'memory.maxSize: "lots"'],
    [{ memory: { maxSize: 0 } }, 'ERR_CACHE_BAD_OPTION', 'memory.maxSize: 0 is not possible here'],
    [{ memory: false }, 'ERR_CACHE_BAD_OPTION', 'leaves nowhere to keep entries'],
    [{ memory: false, redis: '' }, 'ERR_CACHE_BAD_OPTION', 'leaves nowhere to keep entries'],
    [{ redis: 'localhost:6379' }, 'ERR_CACHE_BAD_CLIENT', 'did you mean redis://localhost:6379?'],
    [{ redis: 'http://localhost' }, 'ERR_CACHE_BAD_CLIENT', 'use redis://'],
    [{ redis: 6379 }, 'ERR_CACHE_BAD_CLIENT', 'got 6379'],
    [{ redis: true }, 'ERR_CACHE_BAD_CLIENT', 'got true'],
    [{ redis: new Map() }, 'ERR_CACHE_BAD_CLIENT', 'which is not an ioredis client'],
    [{ namespace: '' }, 'ERR_CACHE_BAD_OPTION', 'namespace: ""'],
    [{ version: 1.5 }, 'ERR_CACHE_BAD_OPTION', 'version: 1.5'],
    [{ partitions: 0 }, 'ERR_CACHE_BAD_OPTION', 'partitions: 0'],
    [{ maxOrigin: 0 }, 'ERR_CACHE_BAD_OPTION', 'maxOrigin: 0'],
    [{ deadlineMs: 'x' }, 'ERR_CACHE_BAD_DURATION', 'deadlineMs: "x"'],
    [{ logger: {} }, 'ERR_CACHE_BAD_OPTION', 'logger: an object (Object)'],
    [{ clock: 1 }, 'ERR_CACHE_BAD_OPTION', 'clock: 1'],
    [null, 'ERR_CACHE_BAD_OPTION', 'createCache: null'],
    ['redis://localhost', 'ERR_CACHE_BAD_OPTION', 'createCache: "redis://localhost"'],
  ] as const) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      const make = (): unknown => createCache(options as unknown as CacheOptions)
      expect(make)
        .to.throw(CacheError)
        .that.satisfies((error: CacheError) => error.code === code && error.message.includes(message))
    })
  }

  it('hints at a number that was probably meant as ms', () => {
    const warnings: string[] = []
    createCache({ ttl: 60_000, logger: { info() {}, warn: (line) => void warnings.push(line) } })
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include('60000').and.include("'1m'")
  })

  it('is memory only with redis undefined, empty or false', () => {
    for (const redis of [undefined, '', false] as const) {
      expect(createCache({ redis, logger: silent }).stats().redis.configured).to.equal(false)
    }
  })
})

describe('Cache', () => {
  it('counts hits and misses, and gives the rate with two decimals', async () => {
    const { cache, clock } = makeBench()
    await cache.set('k', 1)
    for (let hit = 0; hit < 5; hit++) await cache.get('k')
    await cache.get('nobody')
    const { stats, status, timestamp, counters, limits, redis } = cache.stats()
    expect(stats).to.include({ hits: 5, misses: 1, hitRate: 83.33, evictedKeys: 0, keyCount: 1 })
    expect(stats.memoryUsed).to.be.greaterThan(0)
    expect(Object.keys(stats)).to.have.members(['hits', 'misses', 'hitRate', 'memoryUsed', 'evictedKeys', 'keyCount'])
    expect(status).to.equal('healthy')
    expect(timestamp).to.equal(new Date(clock.now()).toISOString())
    expect(counters).to.include({ hits: 5, misses: 1, invalidations: 1 })
    expect(limits.memory).to.include({ limit: 100 * 1024 ** 2, current: stats.memoryUsed, refused: 0 })
    expect(redis).to.deep.equal({ configured: false, connected: false, errors: 0, corrupt: 0 })
    expect(() => JSON.stringify(cache.stats())).to.not.throw()
  })

  it('counts no lookup for exists and ttl', async () => {
    const { cache } = makeBench()
    await cache.exists('k')
    await cache.ttl('k')
    expect(cache.stats().stats).to.include({ hits: 0, misses: 0, hitRate: 0 })
  })

  it('shows loaders that are under way among the flights', async () => {
    const { cache } = makeBench()
    let open: (value: number) => void = () => {}
    const caller = cache.remember('k', {}, () => new Promise<number>((resolve) => (open = resolve)))
    await new Promise((resolve) => setImmediate(resolve))
    expect(cache.stats().limits.flights).to.include({ current: 1, peak: 1 })
    open(1)
    await caller
    expect(cache.stats().limits.flights).to.include({ current: 0, peak: 1, refused: 0 })
  })

  it('passes its health check without Redis', async () => {
    const { cache } = makeBench()
    expect(await cache.health()).to.deep.equal({
      status: 'pass',
      connected: false,
      latencyMs: 0,
      reason: 'no Redis configured',
    })
  })

  it('tells listeners what was done, until they unsubscribe', async () => {
    const { cache } = makeBench()
    const seen: unknown[] = []
    const end = cache.on('outcome', (event) => seen.push(event))
    cache.on('invalidate', (event) => seen.push(event))
    await cache.get('k')
    await cache.invalidate({ tags: ['t'], pattern: 'a*' })
    end()
    await cache.get('k')
    expect(seen).to.deep.equal([
      { key: 'k', outcome: { hit: false, forward: 'uri-miss' } },
      { tags: ['t:t'], patterns: ['a*'], all: false },
    ])
  })

  it('is not harmed by listeners that throw', async () => {
    const { cache, warnings } = makeBench()
    const fail = (): never => {
      throw new Error('listener')
    }
    for (const event of ['outcome', 'invalidate', 'error'] as const) cache.on(event, fail)
    expect(await cache.set('k', 1)).to.equal(true)
    expect(await cache.get('k')).to.equal(1)
    expect(await cache.remember('f', {}, () => fail)).to.equal(fail)
    expect(warnings.filter((line) => line.includes('A listener'))).to.have.length(3)
  })

  for (const [what, options] of [
    ['a wrong ack', { ack: 'memory' }],
    ['a wrong time-out', { timeoutMs: 'soon' }],
    ['what it does not know', { akc: 'all' }],
    ['a wrong word for soft', { soft: 'yes' }],
    ['a wait for no replica', { wait: 0 }],
    ['a wait for replicas where there is no Redis', { wait: 1 }],
  ] as const) {
    it(`refuses to invalidate with ${what}`, async () => {
      const { cache, invalidations } = makeBench()
      expect(await codeOf(cache.invalidate({ all: true }, options as never))).to.match(/^ERR_CACHE_/)
      expect(invalidations).to.deep.equal([])
    })
  }

  it('explains that a wait for replicas needs Redis', async () => {
    const { cache } = makeBench()
    const error = await cache.invalidate({ all: true }, { wait: 1 }).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(CacheError).with.property('code', 'ERR_CACHE_BAD_OPTION')
    expect(String(error)).to.include('wait: 1').and.include('has no Redis')
  })

  for (const targets of [{ tags: ['x'] }, { keys: ['k'] }, { pattern: 'k*' }, { all: true }]) {
    it(`makes stale instead of wrong what is softly invalidated: ${JSON.stringify(targets)}`, async () => {
      const { cache, clock } = makeBench()
      const policy = { ttl: '1h', staleWhileRevalidate: '30s', staleIfError: '1m', tags: ['x'] }
      const fail = (): Promise<number> => Promise.reject(new Error('away'))
      await cache.remember('k', policy, () => 1)
      clock.advance(60_000)
      await cache.invalidate(targets, { soft: true })
      expect(await cache.get('k')).to.equal(undefined)
      // The windows count from there, whoever names it again later.
      clock.advance(29_000)
      expect(await cache.remember('k', policy, fail)).to.equal(1)
      await cache.invalidate(targets, { soft: true })
      clock.advance(30_000)
      expect(await cache.remember('k', policy, fail)).to.equal(1)
      clock.advance(1_000)
      expect(await cache.remember('k', policy, fail).catch(String)).to.equal('Error: away')
      expect(await cache.remember('k', policy, () => 2)).to.equal(2)
      expect(await cache.get('k')).to.equal(2)
    })
  }

  it('keeps what was on its way when it was softly invalidated, as stale as it is', async () => {
    const { cache } = makeBench()
    const policy = { tags: ['x'], staleIfError: '1m' }
    await cache.remember('k', policy, async () => {
      await cache.invalidate({ tags: ['x'] }, { soft: true })
      return 1
    })
    expect(await cache.get('k')).to.equal(undefined)
    expect(await cache.remember('k', policy, () => Promise.reject(new Error('away')))).to.equal(1)
  })

  it('does not give what is stale a new lifetime', async () => {
    const { cache } = makeBench()
    await cache.remember('k', { tags: ['x'], staleIfError: '1m' }, () => 1)
    await cache.invalidate({ tags: ['x'] }, { soft: true })
    expect(await cache.expire('k', '1h')).to.equal(false)
    expect(await cache.get('k')).to.equal(undefined)
  })

  it('pages through its entries without what has become wrong', async () => {
    const { cache } = makeBench()
    for (const key of ['a', 'b', 'c', 'd', 'e']) await cache.set(key, key)
    await cache.delete('c')
    const names: string[] = []
    let cursor: string | undefined
    do {
      const page = await cache.entries({ limit: 2, ...(cursor === undefined ? {} : { cursor }) })
      expect(page.entries).to.have.length.at.most(2)
      names.push(...page.entries.map(({ name }) => name))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(names.sort()).to.deep.equal(['a', 'b', 'd', 'e'])
  })

  for (const limit of [0, -1, 1.5, '5', Number.NaN]) {
    it(`refuses a page of ${JSON.stringify(limit)} entries`, async () => {
      const { cache } = makeBench()
      expect(await codeOf(cache.entries({ limit: limit as number }))).to.equal('ERR_CACHE_BAD_OPTION')
    })
  }

  it('is ready at once without Redis', async () => {
    await makeBench().cache.ready()
  })

  it('may be closed twice, and gives its memory back', async () => {
    const { cache } = makeBench()
    await cache.set('k', 1)
    await Promise.all([cache.close(), cache.close()])
    await cache.close()
    expect(cache.stats().stats).to.include({ memoryUsed: 0, keyCount: 0 })
  })

  it('is closed at the end of a block', async () => {
    const { cache } = makeBench()
    await cache.set('k', 1)
    await cache[Symbol.asyncDispose]()
    expect(cache.stats().stats.keyCount).to.equal(0)
  })
})

describe('memory of a Cache', () => {
  it('stays below its bound when ten times as much comes, and counts what had to go', async () => {
    const limit = 256 * 1024
    const { cache } = makeBench({ memory: { maxSize: limit } })
    let written = 0
    let count = 0
    while (written < 10 * limit) {
      const value = 'x'.repeat((count * 37) % 4_000)
      await cache.set(`key ${count++}`, value)
      written += value.length
      expect(cache.stats().stats.memoryUsed).to.be.at.most(limit)
    }
    const { stats, limits } = cache.stats()
    expect(stats.evictedKeys).to.equal(count - stats.keyCount)
    expect(limits.memory.limit).to.equal(limit)
    expect(limits.memory.peak).to.be.within(stats.memoryUsed, limit)
    expect(await cache.get(`key ${count - 1}`), 'the latest').to.be.a('string')
    expect(await cache.get('key 0'), 'the oldest').to.equal(undefined)
  })

  it('refuses what is larger than all of it, counts that, and keeps the rest', async () => {
    const { cache } = makeBench({ memory: { maxSize: '8kb' } })
    await cache.set('small', 1)
    await cache.set('large', 1)
    await cache.set('large', 'x'.repeat(10_000))
    expect(await cache.get('large'), 'not the older one either').to.equal(undefined)
    expect(await cache.get('small')).to.equal(1)
    expect(cache.stats().limits.memory.refused).to.equal(1)
    expect(cache.stats().stats.evictedKeys).to.equal(0)
  })

  it('counts at least what entries really take', async function () {
    this.timeout(30_000)
    const script = `
      import { createCache } from './lib/cache.ts'
      const cache = createCache({ memory: { maxSize: '16mb' } })
      globalThis.gc()
      const used = () => { globalThis.gc(); const { heapUsed, external } = process.memoryUsage(); return heapUsed + external }
      for (let n = 0; n < 50; n++) await cache.set('warm up ' + n, { n })
      const before = used()
      for (let n = 0; n < 80000; n++) await cache.remember('user:' + n, { tags: ['user', 'u' + n % 10] }, () => ({ n, name: 'name ' + n }))
      console.log(JSON.stringify([used() - before, cache.stats().stats.memoryUsed, cache.stats().stats.evictedKeys]))`
    const [grown, counted, evicted] = JSON.parse((await run(script, ['--expose-gc'])).stdout) as [
      number,
      number,
      number,
    ]
    expect(evicted).to.be.greaterThan(0)
    expect(grown / counted).to.be.lessThan(1.3)
  })
})

describe('a process with a cache', () => {
  it('ends by itself after close, with memory only', async () => {
    const { code, stdout } = await run(`
      import { createCache } from './lib/cache.ts'
      const cache = createCache()
      await cache.remember('k', {}, () => 1)
      await cache.close()
      console.log('closed')`)
    expect({ code, stdout: stdout.trim() }).to.deep.equal({ code: 0, stdout: 'closed' })
  })

  it('ends by itself after close while Redis was never there', async () => {
    const { code, stdout } = await run(`
      import { createCache } from './lib/cache.ts'
      const cache = createCache({ redis: 'redis://127.0.0.1:1' })
      await cache.set('k', 1)
      await cache.close()
      console.log('closed')`)
    expect({ code, stdout: stdout.trim().split('\n').at(-1) }).to.deep.equal({ code: 0, stdout: 'closed' })
  })
})

/** Run an ES module of this package in a process of its own, which must end within 10 s. */
async function run(script: string, flags: readonly string[] = []): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [...flags, '--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  return { code, stdout }
}
