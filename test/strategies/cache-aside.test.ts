import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { type CacheAsideOptions, cacheAside } from '../../strategies/index.ts'

describe('cacheAside', () => {
  let cache: Cache
  let now: number
  beforeEach(() => {
    now = 1_700_000_000_000
    cache = createCache({ clock: { now: () => now } })
  })

  it('loads once, then answers from the cache for as long as ttl says', async () => {
    let calls = 0
    const read = cacheAside({
      cache,
      key: (id: number) => `n:${id}`,
      ttl: '10s',
      load: async (id) => `${id}/${++calls}`,
    })
    expect([await read(1), await read(1), await read(2)]).to.deep.equal(['1/1', '1/1', '2/2'])
    now += 10_000
    expect(await read(1)).to.equal('1/3')
  })

  it('answers the old value while one load brings the new one', async () => {
    let calls = 0
    const read = cacheAside({ cache, key: () => 'n', ttl: '10s', staleWhileRevalidate: '5s', load: () => ++calls })
    await read(undefined)
    now += 12_000
    expect(await read(undefined)).to.equal(1)
    expect(await read(undefined)).to.equal(2)
  })

  it('answers the old value when the load fails', async () => {
    let calls = 0
    const load = (): number => {
      if (++calls === 2) throw new Error('away')
      return calls
    }
    const read = cacheAside({ cache, key: () => 'n', ttl: '10s', staleIfError: '5s', load })
    await read(undefined)
    now += 12_000
    expect(await read(undefined)).to.equal(1)
  })

  it('gives its values tags', async () => {
    let calls = 0
    const read = cacheAside({ cache, key: (id: number) => `n:${id}`, tags: (id) => [`t:${id}`], load: () => ++calls })
    await read(1)
    await read(2)
    await cache.invalidate({ tags: ['t:1'] })
    expect([await read(2), await read(1)]).to.deep.equal([2, 3])
  })

  it('forgets one value', async () => {
    let calls = 0
    const read = cacheAside({ cache, key: (id: number) => `n:${id}`, load: () => ++calls })
    await read(1)
    expect(await read.forget(1)).to.equal(true)
    expect(await read(1)).to.equal(2)
  })

  it('rejects when the key cannot be made', async () => {
    const read = cacheAside({ cache, key: ({ id }: { id: string }) => id.trim(), load: () => 1 })
    const error = await read({} as { id: string }).catch((caught: unknown) => caught)
    expect(error).to.be.instanceOf(TypeError)
  })

  const good = { key: () => 'k', load: () => 1 }
  const refused: readonly [unknown, RegExp][] = [
    [undefined, /cacheAside: cache/],
    [good, /cacheAside: cache/],
    [{ ...good, cache: createCache(), key: undefined }, /cacheAside: key/],
    [{ ...good, cache: createCache(), load: undefined }, /cacheAside: load/],
    [{ ...good, cache: createCache(), ttl: 'x' }, /cacheAside: ttl: "x" is not a duration/],
    [{ ...good, cache: createCache(), key: async () => 'k' }, /cacheAside: key is an async function/],
    [{ ...good, cache: createCache(), loader: () => 1 }, /unknown option "loader"/],
  ]
  for (const [options, message] of refused) {
    it(`refuses wrong options at construction (${message.source})`, () => {
      expect(() => cacheAside(options as CacheAsideOptions<void, number>)).to.throw(CacheError, message)
    })
  }
})
