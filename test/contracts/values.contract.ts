import { expect } from 'chai'
import type { Cache } from '../../lib/cache.ts'
import type { CacheEvents } from '../../lib/events.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/site.ts'

/** A cache under test, and what belongs to it. */
export interface CacheUnderTest {
  readonly cache: Cache
  readonly clock: FakeClock
  /** Of the metadata. @default 1 */
  readonly partitions?: number
}

/** A loader that answers when it is told to. */
export interface Gate<T> {
  readonly loader: () => Promise<T>
  /** How often it was called. */
  readonly calls: number
  open(value: T): void
  fail(error: unknown): void
}

export function makeGate<T>(): Gate<T> {
  let calls = 0
  const waiting: { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void }[] = []
  return {
    loader: () => {
      calls++
      return new Promise<T>((resolve, reject) => {
        waiting.push({ resolve, reject })
      })
    },
    get calls() {
      return calls
    },
    open: (value) => waiting.shift()?.resolve(value),
    fail: (error) => waiting.shift()?.reject(error),
  }
}

/** What the service promises about values, wherever they are kept. */
export function describeValues(title: string, make: () => Promise<CacheUnderTest>): void {
  describe(`Values: ${title}`, () => {
    let cache: Cache
    let clock: FakeClock
    let partitions: number
    const outcomes: CacheEvents['outcome']['outcome'][] = []
    beforeEach(async () => {
      ;({ cache, clock, partitions = 1 } = await make())
      outcomes.length = 0
      cache.on('outcome', ({ outcome }) => outcomes.push(outcome))
    })
    afterEach(() => cache.close())

    describe('get and set', () => {
      for (const value of [null, false, 0, '', 'text \u{1f600}', [], [1, [2]], { a: { b: [true, null] } }]) {
        it(`gives back ${JSON.stringify(value)}`, async () => {
          expect(await cache.set('k', value)).to.equal(true)
          expect(await cache.get('k')).to.deep.equal(value)
        })
      }

      it('gives back bytes as bytes', async () => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
        await cache.set('k', bytes)
        const found = await cache.get<Buffer>('k')
        expect(Buffer.isBuffer(found)).to.equal(true)
        expect(found?.equals(bytes)).to.equal(true)
        await cache.set('k', new Uint8Array([1, 2, 3]).subarray(1))
        expect([...((await cache.get<Buffer>('k')) ?? [])]).to.deep.equal([2, 3])
      })

      it('gives nothing for what was never set', async () => {
        expect(await cache.get('nobody')).to.equal(undefined)
        expect(await cache.get('nobody', { source: true })).to.equal(undefined)
      })

      it('lets nobody change what others read', async () => {
        const list = [1]
        const bytes = Buffer.from('abc')
        await cache.setMany([
          { key: 'list', value: list },
          { key: 'bytes', value: bytes },
        ])
        list.push(2)
        bytes.write('x')
        const [first, data] = [await cache.get<number[]>('list'), await cache.get<Buffer>('bytes')]
        first?.push(3)
        data?.write('y')
        expect(await cache.get('list')).to.deep.equal([1])
        expect((await cache.get<Buffer>('bytes'))?.toString()).to.equal('abc')
      })

      it('replaces what was there', async () => {
        await cache.set('k', 1)
        expect(await cache.set('k', 2)).to.equal(true)
        expect(await cache.get('k')).to.equal(2)
      })

      it('keeps a value until its lifetime has passed', async () => {
        await cache.set('k', 1, { ttl: '5s' })
        clock.advance(4_999)
        expect(await cache.get('k')).to.equal(1)
        clock.advance(1)
        expect(await cache.get('k')).to.equal(undefined)
      })

      it('keeps it for a minute where nothing is said', async () => {
        await cache.set('k', 1)
        expect(await cache.ttl('k')).to.equal(60)
      })

      it('keeps nothing, the older value included, with a lifetime of 0', async () => {
        await cache.set('k', 1)
        expect(await cache.set('k', 2, { ttl: 0 })).to.equal(true)
        expect(await cache.get('k')).to.equal(undefined)
      })

      it('keeps the last of those that are set at the same time', async () => {
        // A node of a Cluster that does not know the scripts yet is asked again, so that the first comes after the others.
        await cache.set('k', 0)
        expect(await Promise.all([1, 2, 3].map((value) => cache.set('k', value)))).to.deep.equal([true, true, true])
        expect(await cache.get('k')).to.equal(3)
      })

      it('takes keys that look like parts of an object, or like its own', async () => {
        const keys = ['__proto__', 'constructor', 'V 1 k', ' ', 'a b', '/path', '*', '\u{1f600}']
        for (const key of keys) await cache.set(key, key)
        expect(await cache.getMany(keys)).to.deep.equal(keys)
      })

      for (const [what, value] of [
        ['undefined', undefined],
        ['a function', () => 1],
        ['a symbol', Symbol('s')],
        ['a bigint', 1n],
        ['a circle', circle()],
      ] as const) {
        it(`refuses ${what}, and leaves the older value in place`, async () => {
          await cache.set('k', 1)
          expect(await codeOf(cache.set('k', value))).to.equal('ERR_CACHE_BAD_OPTION')
          expect(await cache.get('k')).to.equal(1)
        })
      }
    })

    describe('delete', () => {
      it('forgets one key', async () => {
        await cache.set('a', 1)
        await cache.set('A', 2)
        expect(await cache.delete('a')).to.equal(true)
        expect(await cache.get('a')).to.equal(undefined)
        expect(await cache.get('A')).to.equal(2)
      })

      it('confirms also what was not there', async () => {
        expect(await cache.delete('nobody')).to.equal(true)
      })

      it('voids a loader that is under way', async () => {
        const gate = makeGate<number>()
        const caller = cache.remember('k', {}, gate.loader)
        await until(() => gate.calls === 1)
        await cache.delete('k')
        gate.open(1)
        expect(await caller).to.equal(1)
        expect(await cache.get('k')).to.equal(undefined)
      })
    })

    describe('exists, ttl and expire', () => {
      it('rounds the seconds left up', async () => {
        await cache.set('k', 1, { ttl: '2s' })
        expect(await cache.ttl('k')).to.equal(2)
        clock.advance(1)
        expect(await cache.ttl('k')).to.equal(2)
        clock.advance(1_998)
        expect(await cache.ttl('k')).to.equal(1)
        clock.advance(1)
        expect(await cache.ttl('k')).to.equal(undefined)
      })

      it('know nothing of what is not there', async () => {
        expect(await cache.exists('nobody')).to.equal(false)
        expect(await cache.ttl('nobody')).to.equal(undefined)
        expect(await cache.expire('nobody', '5s')).to.equal(false)
      })

      it('give a new lifetime from now, longer or shorter', async () => {
        await cache.set('k', 1, { ttl: '10s' })
        clock.advance(9_000)
        expect(await cache.expire('k', '20s')).to.equal(true)
        expect(await cache.ttl('k')).to.equal(20)
        expect(await cache.expire('k', 1.5)).to.equal(true)
        expect(await cache.exists('k')).to.equal(true)
        clock.advance(1_500)
        expect(await cache.exists('k')).to.equal(false)
      })

      it('end a value with a lifetime of 0', async () => {
        await cache.set('k', 1)
        expect(await cache.expire('k', 0)).to.equal(true)
        expect(await cache.get('k')).to.equal(undefined)
      })

      it('do not bring back what is stale', async () => {
        await cache.remember('k', { ttl: '1s', staleIfError: '1h' }, () => 1)
        clock.advance(1_000)
        expect(await cache.exists('k')).to.equal(false)
        expect(await cache.expire('k', '1h')).to.equal(false)
        expect(await cache.get('k')).to.equal(undefined)
      })

      it('leave a value its tags', async () => {
        await cache.set('k', 1, { tags: ['t'] })
        await cache.expire('k', '1h')
        await cache.invalidate({ tags: ['t'] })
        expect(await cache.get('k')).to.equal(undefined)
      })
    })

    describe('getMany and setMany', () => {
      it('answer in the order of the keys, undefined where there is nothing', async () => {
        await cache.setMany([
          { key: 'a', value: 1 },
          { key: 'b', value: null },
        ])
        expect(await cache.getMany(['b', 'nobody', 'a', 'a'])).to.deep.equal([null, undefined, 1, 1])
        expect(await cache.getMany([])).to.deep.equal([])
        expect(await cache.setMany([])).to.equal(true)
      })

      it('take a lifetime for all and one for each, and tags for each', async () => {
        const items = [
          { key: 'a', value: 1, tags: ['t'] },
          { key: 'b', value: 2, ttl: '5s' },
        ]
        expect(await cache.setMany(items, { ttl: '10s' })).to.equal(true)
        expect([await cache.ttl('a'), await cache.ttl('b')]).to.deep.equal([10, 5])
        await cache.invalidate({ tags: ['t'] })
        expect(await cache.getMany(['a', 'b'])).to.deep.equal([undefined, 2])
      })

      it('keep nothing when one item is impossible', async () => {
        const items = [
          { key: 'a', value: 1 },
          { key: 'b', value: undefined },
        ]
        expect(await codeOf(cache.setMany(items))).to.equal('ERR_CACHE_BAD_OPTION')
        expect(await cache.get('a')).to.equal(undefined)
      })

      it('keep the last of two items of one key', async () => {
        await cache.setMany([
          { key: 'a', value: 1 },
          { key: 'a', value: 2 },
        ])
        expect(await cache.get('a')).to.equal(2)
      })
    })

    describe('remember', () => {
      it('loads once, then answers from the store', async () => {
        const gate = makeGate<object>()
        const first = cache.remember('k', {}, gate.loader)
        await until(() => gate.calls === 1)
        gate.open({ n: 1 })
        expect(await first).to.deep.equal({ n: 1 })
        expect(await cache.remember('k', {}, gate.loader)).to.deep.equal({ n: 1 })
        expect(gate.calls).to.equal(1)
      })

      it('loads once for however many callers, and counts them as collapsed', async () => {
        const gate = makeGate<{ n: number }>()
        const callers = Array.from({ length: 200 }, () => cache.remember('k', {}, gate.loader))
        await until(() => gate.calls > 0)
        // Callers that come a little later wait as well.
        callers.push(cache.remember('k', {}, gate.loader))
        await new Promise((resolve) => setImmediate(resolve))
        gate.open({ n: 1 })
        const values = await Promise.all(callers)
        expect(gate.calls).to.equal(1)
        expect(values).to.deep.equal(values.map(() => ({ n: 1 })))
        expect(new Set(values).size, 'everybody has a copy of their own').to.equal(201)
        expect(outcomes.filter(({ collapsed }) => collapsed)).to.have.length(200)
        expect(outcomes.filter(({ stored }) => stored)).to.have.length(1)
      })

      it('loads different keys at the same time', async () => {
        const [a, b] = [makeGate<number>(), makeGate<number>()]
        const callers = [cache.remember('a', {}, a.loader), cache.remember('b', {}, b.loader)]
        await until(() => a.calls === 1 && b.calls === 1)
        b.open(2)
        a.open(1)
        expect(await Promise.all(callers)).to.deep.equal([1, 2])
      })

      it('takes loaders that are not async', async () => {
        expect(await cache.remember('k', {}, () => 7)).to.equal(7)
        expect(await cache.get('k')).to.equal(7)
      })

      it('hands the error of the loader to all its callers untouched, and asks it again afterwards', async () => {
        const gate = makeGate<number>()
        const error = Object.assign(new Error('no database'), { status: 503 })
        const callers = Array.from({ length: 20 }, () => cache.remember('k', {}, gate.loader))
        const results = Promise.allSettled(callers)
        await until(() => gate.calls > 0)
        await new Promise((resolve) => setImmediate(resolve))
        gate.fail(error)
        for (const result of await results) expect(result).to.deep.equal({ status: 'rejected', reason: error })
        expect(gate.calls).to.equal(1)
        expect(outcomes.some(({ stored }) => stored)).to.equal(false)
        expect(await cache.remember('k', {}, () => 5)).to.equal(5)
      })

      it('hands out what is thrown by a loader that is not async, whatever it is', async () => {
        const thrown = cache.remember('k', {}, () => {
          throw undefined as unknown as Error
        })
        expect(await Promise.allSettled([thrown])).to.deep.equal([{ status: 'rejected', reason: undefined }])
      })

      it('does not keep undefined, which all callers get', async () => {
        const gate = makeGate<undefined>()
        const callers = Array.from({ length: 20 }, () => cache.remember('k', {}, gate.loader))
        await until(() => gate.calls > 0)
        await new Promise((resolve) => setImmediate(resolve))
        gate.open(undefined)
        expect(new Set(await Promise.all(callers))).to.deep.equal(new Set([undefined]))
        expect(gate.calls).to.equal(1)
        expect(await cache.remember('k', {}, () => 1)).to.equal(1)
      })

      it('gives back what cannot be kept, with one warning, and shares it with nobody', async () => {
        const errors: unknown[] = []
        cache.on('error', (event) => errors.push(event))
        const values = await Promise.all(
          Array.from({ length: 3 }, () => cache.remember<{ n: bigint }>('k', {}, async () => ({ n: 1n }))),
        )
        expect(values).to.deep.equal([{ n: 1n }, { n: 1n }, { n: 1n }])
        expect(new Set(values).size).to.equal(3)
        expect(errors).to.have.length(3)
        expect(await cache.get('k')).to.equal(undefined)
      })

      it('does not let those wait in a row for what cannot be kept', async () => {
        const gate = makeGate<() => number>()
        const value = (): number => 1
        const callers = Array.from({ length: 3 }, () => cache.remember('k', {}, gate.loader))
        await until(() => gate.calls === 1)
        gate.open(value)
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
        expect(gate.calls).to.equal(3)
        gate.open(value)
        gate.open(value)
        expect(await Promise.all(callers)).to.deep.equal([value, value, value])
      })

      it('says where a value comes from', async () => {
        const options = { source: true } as const
        expect(await cache.remember('k', options, () => 1)).to.deep.equal({ value: 1, source: 'origin' })
        for (const found of [await cache.remember('k', options, () => 2), await cache.get<number>('k', options)]) {
          expect(found?.value).to.equal(1)
          expect(found?.source).to.be.oneOf(['memory', 'redis'])
        }
      })

      it('keeps lifetime and tags', async () => {
        await cache.remember('k', { ttl: '5s', tags: ['t'] }, () => 1)
        expect(await cache.ttl('k')).to.equal(5)
        await cache.invalidate({ tags: ['t'] })
        expect(await cache.remember('k', {}, () => 2)).to.equal(2)
      })

      it('answers with what is stale while exactly one refresh runs', async () => {
        const options = { ttl: '1s', staleWhileRevalidate: '10s' }
        await cache.remember('k', options, () => 1)
        clock.advance(1_000)
        const gate = makeGate<number>()
        for (let caller = 0; caller < 20; caller++) {
          expect(await cache.remember('k', options, gate.loader)).to.equal(1)
        }
        // Other processes may have to be asked first.
        await until(() => gate.calls > 0)
        expect(gate.calls).to.equal(1)
        expect(outcomes.at(-1)).to.deep.equal({ hit: true, ttl: 0, detail: 'stale-while-revalidate' })
        gate.open(2)
        await until(() => cache.stats().limits.refreshes.current === 0)
        expect(await cache.remember('k', options, gate.loader)).to.equal(2)
        expect(cache.stats().counters).to.include({ refreshes: 1, stale: 20 })
      })

      it('loads again when the stale time is over', async () => {
        const options = { ttl: '1s', staleWhileRevalidate: '10s' }
        await cache.remember('k', options, () => 1)
        clock.advance(11_000)
        expect(await cache.remember('k', options, () => 2)).to.equal(2)
      })

      it('goes on answering with what is stale when the refresh fails, and tells of it', async () => {
        const options = { ttl: '1s', staleWhileRevalidate: '10s' }
        await cache.remember('k', options, () => 1)
        clock.advance(1_000)
        const errors: CacheEvents['error'][] = []
        cache.on('error', (event) => errors.push(event))
        const cause = new Error('no database')
        expect(await cache.remember('k', options, () => Promise.reject(cause))).to.equal(1)
        await until(() => cache.stats().limits.refreshes.current === 0)
        expect(errors).to.deep.equal([{ where: 'refresh', cause }])
        expect(await cache.remember('k', options, () => 2)).to.equal(1)
      })

      it('stands in with what is stale when the loader fails, as long as staleIfError allows', async () => {
        const options = { ttl: '1s', staleIfError: '10s' }
        await cache.remember('k', options, () => 1)
        clock.advance(1_500)
        const cause = new Error('no database')
        expect(await cache.remember('k', options, () => Promise.reject(cause))).to.equal(1)
        expect(outcomes.at(-1)).to.deep.equal({ hit: false, forward: 'stale', ttl: -1, detail: 'stale-if-error' })
        expect(await cache.get('k')).to.equal(undefined)
        clock.advance(9_500)
        expect(await errorOf(cache.remember('k', options, () => Promise.reject(cause)))).to.equal(cause)
      })

      it('throws the error where staleIfError says nothing', async () => {
        await cache.remember('k', { ttl: '1s', staleIfError: '1h' }, () => 1)
        clock.advance(4_000)
        const cause = new Error('no database')
        expect(await errorOf(cache.remember('k', { ttl: '1s' }, () => Promise.reject(cause)))).to.equal(cause)
      })

      it('lets a loader remember other keys', async () => {
        const value = await cache.remember('outer', {}, async () => (await cache.remember('inner', {}, () => 1)) + 1)
        expect(value).to.equal(2)
        expect(await cache.getMany(['outer', 'inner'])).to.deep.equal([2, 1])
      })
    })

    describe('invalidate', () => {
      beforeEach(async () => {
        await cache.setMany([
          { key: 'user:1', value: 1, tags: ['user', 'team:a'] },
          { key: 'user:2', value: 2, tags: ['user', 'Team:a'] },
          { key: 'user:12', value: 12, tags: ['User'] },
          { key: 'User:1', value: 'U' },
          { key: '/user:1', value: 'path' },
        ])
      })
      const left = async (): Promise<(string | undefined)[]> => {
        const keys = ['user:1', 'user:2', 'user:12', 'User:1', '/user:1']
        const values = await cache.getMany(keys)
        return keys.filter((_, index) => values[index] !== undefined)
      }

      it('drops what has one of the tags, exactly', async () => {
        await cache.invalidate({ tags: ['team:a', 'nobody'] })
        expect(await left()).to.deep.equal(['user:2', 'user:12', 'User:1', '/user:1'])
        await cache.invalidate({ tags: ['user'] })
        expect(await left()).to.deep.equal(['user:12', 'User:1', '/user:1'])
      })

      it('drops keys, exactly', async () => {
        await cache.invalidate({ keys: ['user:1', 'user:*'] })
        expect(await left()).to.deep.equal(['user:2', 'user:12', 'User:1', '/user:1'])
      })

      it('drops no value by a URL or a tag of its name', async () => {
        await cache.invalidate({ urls: ['/user:1'], tags: ['user:1', 'k:user:1'] })
        expect(await left()).to.have.length(5)
      })

      it('drops what a pattern matches as a whole', async () => {
        await cache.invalidate({ pattern: 'user:?' })
        expect(await left()).to.deep.equal(['user:12', 'User:1', '/user:1'])
        await cache.invalidate({ pattern: ['User:*', 'user'] })
        expect(await left()).to.deep.equal(['user:12', '/user:1'])
      })

      it('takes a pattern that starts with a slash for one of paths, never of keys', async () => {
        await cache.invalidate({ pattern: '/*' })
        expect(await left()).to.have.length(5)
      })

      it('takes an escaped star for a star', async () => {
        await cache.set('a*', 1)
        await cache.set('ab', 1)
        await cache.invalidate({ pattern: 'a\\*' })
        expect(await cache.getMany(['a*', 'ab'])).to.deep.equal([undefined, 1])
      })

      it('drops everything', async () => {
        await cache.invalidate({ all: true })
        expect(await left()).to.deep.equal([])
        await cache.set('user:1', 1)
        expect(await left()).to.deep.equal(['user:1'])
      })

      it('drops nothing where nothing is named', async () => {
        await cache.invalidate({})
        await cache.invalidate({ tags: [], keys: [], urls: [], pattern: [], all: false })
        expect(await left()).to.have.length(5)
      })

      it('says how far it has reached', async () => {
        const result = await cache.invalidate({ tags: ['user'] })
        const ack = cache.engine.redis === undefined ? 'memory' : 'all'
        expect(result).to.include({ ack, partitions })
        expect(result.elapsedMs).to.be.a('number').and.at.least(0)
      })

      for (const [what, targets] of [
        ['tag', { tags: ['t'] }],
        ['key', { keys: ['k'] }],
        ['pattern', { pattern: 'k*' }],
        ['everything', { all: true }],
      ] as const) {
        it(`by ${what} voids a loader that is under way, and nobody who comes later waits for it (I1, I23)`, async () => {
          const [old, fresh] = [makeGate<string>(), makeGate<string>()]
          const options = { tags: ['t'] }
          const early = Promise.all([
            cache.remember('k', options, old.loader),
            cache.remember('other', { tags: ['o'] }, () => 'other'),
          ])
          await until(() => old.calls === 1)
          await cache.invalidate(targets)
          const late = [cache.remember('k', options, fresh.loader), cache.remember('k', options, fresh.loader)]
          await until(() => fresh.calls === 1)
          fresh.open('new')
          expect(await Promise.all(late)).to.deep.equal(['new', 'new'])
          old.open('old')
          expect((await early)[0]).to.equal('old')
          expect(await cache.get('k')).to.equal('new')
        })
      }

      it('sends callers who waited for a voided loader to one new run', async () => {
        const [old, fresh] = [makeGate<string>(), makeGate<string>()]
        const leader = cache.remember('k', { tags: ['t'] }, old.loader)
        await until(() => old.calls === 1)
        const followers = Array.from({ length: 10 }, () => cache.remember('k', { tags: ['t'] }, fresh.loader))
        await new Promise((resolve) => setTimeout(resolve, 20))
        expect(fresh.calls).to.equal(0)
        await cache.invalidate({ tags: ['t'] })
        old.open('old')
        expect(await leader).to.equal('old')
        await until(() => fresh.calls > 0)
        fresh.open('new')
        expect(await Promise.all(followers)).to.deep.equal(followers.map(() => 'new'))
        expect(fresh.calls).to.equal(1)
        expect(await cache.get('k')).to.equal('new')
      })

      it('leaves a loader alone that it does not concern', async () => {
        const gate = makeGate<number>()
        const caller = cache.remember('k', { tags: ['t'] }, gate.loader)
        await until(() => gate.calls === 1)
        await cache.invalidate({ tags: ['T'], keys: ['K'], pattern: 'x*' })
        gate.open(1)
        await caller
        await until(() => cache.stats().limits.flights.current === 0)
        expect(await cache.get('k')).to.equal(1)
      })

      it('voids a refresh that is under way', async () => {
        const options = { ttl: '1s', staleWhileRevalidate: '1h', tags: ['t'] }
        await cache.remember('k', options, () => 'first')
        clock.advance(1_000)
        const gate = makeGate<string>()
        expect(await cache.remember('k', options, gate.loader)).to.equal('first')
        await until(() => gate.calls === 1)
        await cache.invalidate({ tags: ['t'] })
        gate.open('old')
        await until(() => cache.stats().limits.refreshes.current === 0)
        expect(await cache.remember('k', options, () => 'new')).to.equal('new')
      })
    })
  })
}

function circle(): object {
  const node: { self?: object } = {}
  node.self = node
  return node
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  const error = await errorOf(promise)
  return error instanceof Error ? Reflect.get(error, 'code') : error
}
