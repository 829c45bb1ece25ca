import { expect } from 'chai'
import { createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { describeWrites } from '../contracts/write.contract.ts'
import { makeBench } from '../support/site.ts'

describeWrites('in memory', async () => makeBench())

describe('Values.write', () => {
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
