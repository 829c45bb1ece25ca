import { expect } from 'chai'
import { CacheError } from '../../lib/errors.ts'
import { admin, cacheAside, refreshAhead, staleWhileRevalidate } from '../../strategies/index.ts'
import { type Bench, makeBench, until } from '../support/site.ts'

/** A loader that counts its runs, and fails when it is told to. */
function makeSource() {
  const source = {
    runs: 0,
    fails: false,
    load: async (): Promise<number> => {
      source.runs++
      if (source.fails) throw new Error('source away')
      return source.runs
    },
  }
  return source
}

describe('the patterns', () => {
  let bench: Bench
  let source: ReturnType<typeof makeSource>
  beforeEach(() => {
    bench = makeBench()
    source = makeSource()
  })
  afterEach(() => bench.cache.close())

  describe('staleWhileRevalidate', () => {
    const bind = () =>
      staleWhileRevalidate({
        cache: bench.cache,
        key: (id: number) => `n:${id}`,
        tags: (id) => [`t:${id}`],
        ttl: '10s',
        stale: '5s',
        load: source.load,
      })

    it('answers the old value at once while one load brings the new one', async () => {
      const read = bind()
      await read(1)
      bench.clock.advance(12_000)
      expect(await Promise.all([read(1), read(1), read(1)])).to.deep.equal([1, 1, 1])
      await until(() => source.runs === 2)
      expect(await read(1)).to.equal(2)
      expect(source.runs).to.equal(2)
    })

    it('loads what is older than both windows', async () => {
      const read = bind()
      await read(1)
      bench.clock.advance(15_000)
      expect(await read(1)).to.equal(2)
    })

    it('answers the old value until its end while the source is away', async () => {
      const read = bind()
      await read(1)
      source.fails = true
      bench.clock.advance(14_999)
      expect(await read(1)).to.equal(1)
      await until(() => bench.errors.length === 1)
      bench.clock.advance(1)
      const error = await read(1).catch((caught: unknown) => caught)
      expect(String(error)).to.equal('Error: source away')
    })

    it('answers nothing old after an invalidation', async () => {
      const read = bind()
      await read(1)
      await read(2)
      bench.clock.advance(12_000)
      await bench.cache.invalidate({ tags: ['t:1'] })
      expect(await read(1)).to.equal(3)
      await read.forget(2)
      expect(await read(2)).to.equal(4)
    })
  })

  describe('refreshAhead', () => {
    const bind = (ahead?: number) =>
      refreshAhead({
        cache: bench.cache,
        key: (id: number) => `n:${id}`,
        ttl: '100s',
        load: source.load,
        ...(ahead === undefined ? {} : { ahead }),
      })

    it('loads what is read often anew before it is stale', async () => {
      const read = bind()
      for (let reads = 0; reads < 5; reads++) await read(1)
      bench.clock.advance(79_000)
      expect(await read(1)).to.equal(1)
      expect(source.runs).to.equal(1)
      bench.clock.advance(1_000)
      expect(await read(1)).to.equal(1)
      await until(() => source.runs === 2)
      expect(await read(1)).to.equal(2)
      bench.clock.advance(21_000)
      // Past the end of the first life.
      expect(await read(1)).to.equal(2)
      expect(source.runs).to.equal(2)
    })

    it('leaves what is hardly read to its end', async () => {
      const read = bind()
      await read(1)
      bench.clock.advance(99_000)
      expect(await read(1)).to.equal(1)
      bench.clock.advance(1_000)
      expect(await read(1)).to.equal(2)
    })

    it('does so after the share of the lifetime that was asked for', async () => {
      const read = bind(0.5)
      for (let reads = 0; reads < 5; reads++) await read(1)
      bench.clock.advance(50_000)
      await read(1)
      await until(() => source.runs === 2)
    })

    it('is what makes the reports of the admin domain', async () => {
      const { report } = admin({ cache: bench.cache, load: { report: source.load } })
      for (let reads = 0; reads < 5; reads++) await report({ subject: 'orders' })
      bench.clock.advance(50 * 60_000)
      expect(await report({ subject: 'orders' })).to.equal(1)
      await until(() => source.runs === 2)
    })
  })

  it('hand the context of the load on', async () => {
    const read = cacheAside({
      cache: bench.cache,
      key: (id: number) => `n:${id}`,
      ttl: '10s',
      load: (id, context) => {
        source.runs++
        context.tag(`found:${id}`).ttl('20s')
        return id
      },
    })
    await read(1)
    expect(await bench.cache.ttl('n:1')).to.equal(20)
    await bench.cache.invalidate({ tags: ['found:1'] })
    await read(1)
    expect(source.runs).to.equal(2)
  })

  it('remember a failure where they are told to', async () => {
    source.fails = true
    const read = cacheAside({ cache: bench.cache, key: () => 'n', negativeTtl: '10s', load: source.load })
    for (let reads = 0; reads < 3; reads++) await read(undefined).catch(() => {})
    expect(source.runs).to.equal(1)
  })

  const good = { key: () => 'k', load: () => 1, ttl: '1m' }
  const refused: readonly [string, (options: never) => unknown, object, RegExp][] = [
    ['staleWhileRevalidate', staleWhileRevalidate, { ...good }, /staleWhileRevalidate: stale: undefined/],
    ['staleWhileRevalidate', staleWhileRevalidate, { ...good, stale: 'x' }, /staleWhileRevalidate: stale: "x"/],
    ['staleWhileRevalidate', staleWhileRevalidate, { ...good, ttl: undefined, stale: 1 }, /staleWhileRevalidate: ttl/],
    [
      'staleWhileRevalidate',
      staleWhileRevalidate,
      { ...good, stale: 1, staleWhileRevalidate: 1 },
      /unknown option "staleWhileRevalidate"/,
    ],
    ['refreshAhead', refreshAhead, { ...good, ttl: undefined }, /refreshAhead: ttl: undefined/],
    ['refreshAhead', refreshAhead, { ...good, ahead: 2 }, /refreshAhead: ahead: 2/],
    ['refreshAhead', refreshAhead, { ...good, key: undefined }, /refreshAhead: key/],
  ]
  for (const [name, pattern, options, message] of refused) {
    it(`refuse wrong options at construction (${name}, ${message.source})`, () => {
      expect(() => pattern({ cache: bench.cache, ...options } as never)).to.throw(CacheError, message)
    })
  }
})
