import { expect } from 'chai'
import { array, assert, asyncProperty, constantFrom, scheduler } from 'fast-check'
import sinon from 'sinon'
import { createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { describeWrites } from '../contracts/write.contract.ts'
import { Signal } from '../support/signal.ts'
import { makeBench } from '../support/site.ts'

describeWrites('in memory', async () => makeBench())

describe('Values.write', () => {
  afterEach(() => sinon.restore())

  it('warns once of what cannot be kept', async () => {
    const { cache, warnings, errors } = makeBench()
    for (const key of ['a', 'b']) await cache.write(key, {}, () => () => 1)
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include('What was written for "a" is not kept')
    expect(errors.map(({ where }) => where)).to.deep.equal(['write', 'write'])
  })

  it('writes with Redis away, and says that others are still to be told', async () => {
    const cache = createCache({ redis: 'redis://127.0.0.1:1', logger: { info() {}, warn() {} } })
    let isWritten = false
    const isConfirmed = await cache.write('k', {}, () => {
      isWritten = true
      return 'new'
    })
    expect([isWritten, isConfirmed]).to.deep.equal([true, false])
    expect(await cache.get('k')).to.equal(undefined)
    await cache.close()
  })

  it('keeps nothing of a write that its mark had to be renewed for', async () => {
    const { cache } = makeBench()
    const timers = sinon.useFakeTimers()
    const saved = new Signal()
    const written = cache.write('k', {}, async () => {
      await saved.given
      return 'new'
    })
    await timers.tickAsync(11_000)
    saved.give()
    expect(await written).to.equal(true)
    expect(await cache.get('k')).to.equal(undefined)
  })

  it('leaves what was committed last, or nothing, however writes meet', async () => {
    await assert(
      asyncProperty(
        scheduler(),
        array(constantFrom('write', 'change', 'invalidate'), { minLength: 2 }),
        async (s, ways) => {
          const { cache } = makeBench()
          let [committed, promised] = [0, 0]
          const stale: string[] = []
          const commit = async (): Promise<number> => {
            await s.schedule(Promise.resolve(), 'before the commit')
            const version = ++committed
            await s.schedule(Promise.resolve(), 'after the commit')
            return version
          }
          const doIn: Readonly<Record<string, () => Promise<number>>> = {
            write: async () => {
              let version = 0
              await cache.write('k', { tags: ['x'] }, async () => {
                version = await commit()
                return version
              })
              return version
            },
            change: () => cache.change({ tags: ['x'] }, commit),
            invalidate: async () => {
              const version = await commit()
              await cache.invalidate({ keys: ['k'] })
              return version
            },
          }
          const read = async (): Promise<void> => {
            const atLeast = promised
            const version = await cache.remember('k', { tags: ['x'] }, async () => {
              const loaded = committed
              await s.schedule(Promise.resolve(), 'a load')
              return loaded
            })
            if (version < atLeast) stale.push(`${version} after ${atLeast}`)
          }
          const writers = ways.map(async (way) => {
            promised = Math.max(promised, (await doIn[way]?.()) ?? 0)
            await read()
          })
          await s.waitFor(Promise.all([...writers, read(), read()]))
          expect(stale).to.deep.equal([])
          expect((await cache.get('k')) ?? committed).to.equal(committed)
        },
      ),
    )
  })

  for (const [what, key, options, run, code, message] of [
    ['an empty key', '', {}, () => 1, 'ERR_CACHE_BAD_OPTION', 'key: ""'],
    ['a lifetime that is none', 'k', { ttl: 'soon' }, () => 1, 'ERR_CACHE_BAD_DURATION', 'write: ttl'],
    ['a misspelt option', 'k', { tag: ['x'] }, () => 1, 'ERR_CACHE_UNKNOWN_OPTION', 'Did you mean "tags"?'],
    ['129 tags', 'k', { tags: Array(129).fill('a') }, () => 1, 'ERR_CACHE_BAD_OPTION', 'write: 129 tags'],
    ['tags that are no list', 'k', { invalidates: 'x' }, () => 1, 'ERR_CACHE_BAD_OPTION', 'write: invalidates'],
    ['a write that is no function', 'k', {}, 'save', 'ERR_CACHE_BAD_OPTION', 'write: run'],
  ] as const) {
    it(`refuses ${what}, before anything is written`, async () => {
      const { cache, invalidations } = makeBench()
      const error = await cache.write(key, options as never, run as never).catch((thrown: unknown) => thrown)
      expect(error).to.be.instanceOf(CacheError).with.property('code', code)
      expect(String(error)).to.include(message)
      expect(invalidations).to.deep.equal([])
    })
  }
})
