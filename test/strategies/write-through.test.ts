import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { type WriteThroughOptions, type WrittenLoader, writeThrough } from '../../strategies/index.ts'

interface User {
  readonly name: string
  readonly team: string
}

describe('writeThrough', () => {
  let cache: Cache
  let source: Map<string, User>
  let loads: number
  let users: WrittenLoader<string, User | undefined>
  const make = (more: Partial<WriteThroughOptions<string, User | undefined>> = {}): typeof users =>
    writeThrough({
      cache,
      key: (id: string) => `user:${id}`,
      ttl: '10s',
      tags: (id) => [`user:${id}`],
      load: (id) => {
        loads++
        return source.get(id)
      },
      save: async (id, user) => {
        source.set(id, user)
      },
      ...more,
    })
  beforeEach(() => {
    cache = createCache({ clock: { now: () => 1_700_000_000_000 } })
    source = new Map([['7', { name: 'Ada', team: 'a' }]])
    loads = 0
    users = make()
  })

  it('reads as cacheAside does', async () => {
    expect([await users('7'), await users('7')]).to.deep.equal([source.get('7'), source.get('7')])
    expect(loads).to.equal(1)
    expect(await users.forget('7')).to.equal(true)
    await users('7')
    expect(loads).to.equal(2)
  })

  it('answers what was written, without a load', async () => {
    await users('7')
    const eve = { name: 'Eve', team: 'a' }
    expect(await users.write('7', eve)).to.equal(true)
    expect(source.get('7')).to.equal(eve)
    expect(await users('7')).to.deep.equal(eve)
    expect(loads).to.equal(1)
    expect(await cache.ttl('user:7')).to.equal(10)
  })

  it('saves first', async () => {
    const seen: unknown[] = []
    const written = make({
      save: async () => {
        seen.push(await cache.get('user:7'))
      },
    })
    await users('7')
    await written.write('7', { name: 'Eve', team: 'a' })
    expect(seen).to.deep.equal([undefined])
  })

  it('keeps what save brings in place of what was given', async () => {
    const stored = make({ save: (_, user) => ({ ...user, name: 'as stored' }) })
    await stored.write('7', { name: 'Eve', team: 'a' })
    expect(await stored('7')).to.deep.equal({ name: 'as stored', team: 'a' })
  })

  it('keeps null where save brings it', async () => {
    const nullable = writeThrough<string, User | null>({ cache, key: (id) => id, load: () => null, save: () => null })
    await nullable.write('7', { name: 'Eve', team: 'a' })
    expect(await cache.get('7')).to.equal(null)
  })

  it('makes wrong what else the write does', async () => {
    const teams = make({ invalidates: (id, user) => [`user:${id}:friends`, `team:${user.team}`] })
    for (const tag of ['user:7:friends', 'team:b', 'team:c']) await cache.set(tag, 1, { tags: [tag] })
    await teams.write('7', { name: 'Eve', team: 'b' })
    expect(await cache.getMany(['user:7:friends', 'team:b', 'team:c'])).to.deep.equal([undefined, undefined, 1])
    expect(await cache.get('user:7')).to.deep.equal({ name: 'Eve', team: 'b' })
  })

  it('rejects with the error of save, and reads from the source', async () => {
    const error = new Error('after the commit')
    const failing = make({
      save: (id, user) => {
        source.set(id, user)
        throw error
      },
    })
    await failing('7')
    const caught = await failing.write('7', { name: 'Eve', team: 'a' }).catch((thrown: unknown) => thrown)
    expect(caught).to.equal(error)
    expect(await failing('7')).to.include({ name: 'Eve' })
  })

  it('gives what was written its tags', async () => {
    await users.write('7', { name: 'Eve', team: 'a' })
    await cache.invalidate({ tags: ['user:7'] })
    await users('7')
    expect(loads).to.equal(1)
  })

  const good = { key: () => 'k', load: () => 1, save: () => {} }
  const refused: readonly [unknown, RegExp][] = [
    [good, /writeThrough: cache/],
    [{ ...good, cache: createCache(), load: undefined }, /writeThrough: load/],
    [{ ...good, cache: createCache(), save: undefined }, /writeThrough: save/],
    [{ ...good, cache: createCache(), invalidates: async () => [] }, /writeThrough: invalidates is an async function/],
    [{ ...good, cache: createCache(), staleIfError: 'x' }, /writeThrough: staleIfError: "x" is not a duration/],
    [{ ...good, cache: createCache(), store: () => {} }, /writeThrough: unknown option "store"/],
  ]
  for (const [options, message] of refused) {
    it(`refuses wrong options at construction (${message.source})`, () => {
      expect(() => writeThrough(options as WriteThroughOptions<void, number>)).to.throw(CacheError, message)
    })
  }
})
