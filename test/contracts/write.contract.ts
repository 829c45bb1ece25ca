import { expect } from 'chai'
import type { Cache } from '../../lib/cache.ts'
import { Signal } from '../support/signal.ts'
import type { CacheUnderTest } from './values.contract.ts'

const POLICY = { ttl: '1h', tags: ['x'] } as const
const FROM_SOURCE = 'from the source'

/** What `write` promises, wherever values are kept. */
export function describeWrites(title: string, make: () => Promise<CacheUnderTest>): void {
  describe(`write: ${title}`, () => {
    let cache: Cache
    let clock: CacheUnderTest['clock']
    beforeEach(async () => {
      ;({ cache, clock } = await make())
    })
    afterEach(() => cache.close())

    const read = (): Promise<string> => cache.remember('k', POLICY, () => FROM_SOURCE)

    it('keeps what was written, with its lifetime and its tags', async () => {
      await cache.set('k', 'old')
      expect(await cache.write('k', { ttl: '10s', tags: ['x'] }, async () => 'new')).to.equal(true)
      expect(await cache.get('k')).to.equal('new')
      expect(await cache.ttl('k')).to.equal(10)
      await cache.invalidate({ tags: ['x'] })
      expect(await cache.get('k')).to.equal(undefined)
    })

    it('keeps it as long as stale windows say', async () => {
      await cache.write('k', { ttl: '10s', staleIfError: '10s' }, () => 'new')
      clock.advance(15_000)
      const away = (): never => {
        throw new Error('away')
      }
      expect(await cache.remember('k', { staleIfError: '10s' }, away)).to.equal('new')
    })

    it('serves and keeps nothing of the key while it is under way', async () => {
      await cache.set('k', 'old')
      await cache.write('k', POLICY, async () => {
        expect([await read(), await cache.get('k')]).to.deep.equal([FROM_SOURCE, undefined])
        return 'new'
      })
      expect(await read()).to.equal('new')
    })

    it('makes wrong what else it names', async () => {
      await cache.set('list', 'old', { tags: ['list'] })
      await cache.write('k', { invalidates: ['list'] }, () => 'new')
      expect([await cache.get('list'), await cache.get('k')]).to.deep.equal([undefined, 'new'])
    })

    it('keeps a value that carries what it makes wrong', async () => {
      await cache.write('k', { ...POLICY, invalidates: ['x'] }, () => 'new')
      expect(await cache.get('k')).to.equal('new')
    })

    const others: Readonly<Record<string, () => Promise<unknown>>> = {
      'another write': () => cache.write('k', POLICY, () => 'other'),
      'a change of the key': () => cache.change({ keys: ['k'] }, () => {}),
      'a value that is set': () => cache.set('k', 'other'),
      'an invalidation of its tag': () => cache.invalidate({ tags: ['x'] }),
      'a soft invalidation of its tag': () => cache.invalidate({ tags: ['x'] }, { soft: true }),
      'a pattern': () => cache.invalidate({ pattern: 'k*' }),
      'the end of everything': () => cache.invalidate({ all: true }),
    }
    for (const [what, other] of Object.entries(others)) {
      it(`keeps nothing where it was met by ${what}`, async () => {
        const isConfirmed = await cache.write('k', POLICY, async () => {
          await other()
          return 'overtaken'
        })
        expect(isConfirmed).to.equal(true)
        expect(await read()).to.equal(FROM_SOURCE)
      })
    }

    it('keeps nothing where it has begun in another write', async () => {
      const [ended, begun] = [new Signal(), new Signal()]
      const outer = cache.write('k', POLICY, async () => {
        await begun.given
        return 'outer'
      })
      const inner = cache.write('k', POLICY, async () => {
        begun.give()
        await ended.given
        return 'inner'
      })
      await outer
      ended.give()
      await inner
      expect(await read()).to.equal(FROM_SOURCE)
    })

    it('is not disturbed by writes of other keys', async () => {
      await cache.write('k', POLICY, async () => {
        await cache.write('other', {}, () => 1)
        await cache.set('another', 1)
        await cache.invalidate({ tags: ['unused'] })
        return 'new'
      })
      expect(await read()).to.equal('new')
    })

    it('is not in the way of the next write', async () => {
      for (const value of ['first', 'second']) await cache.write('k', POLICY, () => value)
      expect(await read()).to.equal('second')
    })

    it('rejects with the error of the write and forgets the key', async () => {
      await cache.set('k', 'old')
      const error = new Error('not saved')
      const caught = await cache
        .write('k', POLICY, () => {
          throw error
        })
        .catch((thrown: unknown) => thrown)
      expect(caught).to.equal(error)
      expect(await cache.get('k')).to.equal(undefined)
      expect(await read()).to.equal(FROM_SOURCE)
    })

    it('forgets where undefined, or what cannot be kept, was written', async () => {
      for (const value of [undefined, () => {}]) {
        await cache.set('k', 'old')
        expect(await cache.write('k', POLICY, () => value)).to.equal(true)
        expect(await cache.get('k')).to.equal(undefined)
      }
    })

    it('keeps nothing whose lifetime is over before it begins', async () => {
      await cache.write('k', { ttl: 0, staleIfError: '1h' }, () => 'new')
      expect(await read()).to.equal(FROM_SOURCE)
    })
  })
}
