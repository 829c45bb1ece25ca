import { expect } from 'chai'
import sinon from 'sinon'
import { createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { makeBench } from '../support/site.ts'

const POLICY = { tags: ['x'], source: true } as const

describe('Cache.change', () => {
  afterEach(() => sinon.restore())

  it('serves and keeps nothing that it names while it is under way', async () => {
    const { cache } = makeBench()
    const read = async (): Promise<string> => (await cache.remember('k', POLICY, () => 1)).source
    await read()
    expect(await read()).to.equal('memory')
    const result = await cache.change({ tags: ['x'] }, async () => [await read(), await read()])
    expect(result).to.deep.equal(['origin', 'origin'])
    expect([await read(), await read()]).to.deep.equal(['origin', 'memory'])
  })

  it('lets nobody wait for another while nothing that it names is kept', async () => {
    const { cache } = makeBench()
    await cache.change({ tags: ['x'] }, async () => {
      await cache.remember('k', POLICY, () => 1)
      let release = (): void => {}
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      let loads = 0
      const reads = Array.from({ length: 5 }, () =>
        cache.remember('k', POLICY, async () => {
          loads++
          await released
          return 2
        }),
      )
      await new Promise((resolve) => setImmediate(resolve))
      release()
      await Promise.all(reads)
      expect(loads).to.equal(5)
    })
    let loads = 0
    await Promise.all(Array.from({ length: 5 }, () => cache.remember('k', POLICY, async () => ++loads)))
    await cache.invalidate({ tags: ['x'] })
    loads = 0
    await Promise.all(Array.from({ length: 5 }, () => cache.remember('k', POLICY, async () => ++loads)))
    expect(loads).to.equal(1)
  })

  it('passes results and errors on, also those of a function that is not async', async () => {
    const { cache } = makeBench()
    expect(await cache.change({ all: true }, () => 'done')).to.equal('done')
    const error = new Error('no')
    const caught = await cache
      .change({ tags: ['x'] }, () => {
        throw error
      })
      .catch((thrown: unknown) => thrown)
    expect(caught).to.equal(error)
    await cache.remember('k', POLICY, () => 1)
    expect((await cache.remember('k', POLICY, () => 1)).source).to.equal('memory')
  })

  it('counts as one invalidation, and tells one', async () => {
    const { cache, invalidations } = makeBench()
    await cache.change({ tags: ['x'] }, () => {})
    expect(cache.stats().counters.invalidations).to.equal(1)
    expect(invalidations).to.deep.equal([{ tags: ['t:x'], patterns: [], all: false }])
  })

  it('is renewed every ten seconds, with the same name, until it is over', async () => {
    const { cache } = makeBench()
    const clock = sinon.useFakeTimers()
    const invalidate = sinon.spy(cache.engine, 'invalidate')
    let commit = (): void => {}
    const changed = cache.change({ tags: ['x'] }, () => {
      return new Promise<void>((resolve) => {
        commit = resolve
      })
    })
    await clock.tickAsync(25_000)
    commit()
    await changed
    await clock.tickAsync(60_000)
    const marks = invalidate.getCalls().map(({ args }) => args[1]?.mark)
    expect(marks.map((mark) => mark?.lifeMs)).to.deep.equal([30_000, 30_000, 30_000, 0])
    expect(new Set(marks.map((mark) => mark?.id)).size).to.equal(1)
    expect(clock.countTimers()).to.equal(0)
    clock.restore()
  })

  for (const [options, code, message] of [
    [{ strickt: true }, 'ERR_CACHE_UNKNOWN_OPTION', 'Did you mean "strict"?'],
    [{ strict: 'yes' }, 'ERR_CACHE_BAD_OPTION', 'change: strict: "yes"'],
  ] as const) {
    it(`refuses ${JSON.stringify(options)}`, async () => {
      const { cache } = makeBench()
      let begun = false
      const changed = cache.change({ tags: ['x'] }, () => void (begun = true), options as never)
      const error = await changed.catch((thrown: unknown) => thrown)
      expect(error).to.be.instanceOf(CacheError).with.property('code', code)
      expect(String(error)).to.include(message)
      expect(begun).to.equal(false)
    })
  }

  it('refuses targets and writes that are none', async () => {
    const { cache } = makeBench()
    const codes = await Promise.all(
      [cache.change({ tag: ['x'] } as never, () => {}), cache.change({ tags: ['x'] }, 'commit' as never)].map(
        (changed) => changed.catch((error: CacheError) => error.code),
      ),
    )
    expect(codes).to.deep.equal(['ERR_CACHE_UNKNOWN_OPTION', 'ERR_CACHE_BAD_OPTION'])
  })

  it('runs the write also where the cache is closed', async () => {
    const cache = createCache({ redis: 'redis://127.0.0.1:1', logger: { info() {}, warn() {} } })
    await cache.close()
    expect(await cache.change({ tags: ['x'] }, () => 1)).to.equal(1)
  })
})
