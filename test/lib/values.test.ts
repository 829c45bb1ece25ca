import { expect } from 'chai'
import sinon from 'sinon'
import { MAX_TAG_RECORDS } from '../../lib/tags.ts'
import { describeService } from '../contracts/service.contract.ts'
import { codeOf, makeGate } from '../contracts/values.contract.ts'
import { makeBench, until } from '../support/site.ts'

describeService('in memory', async (options) => makeBench(options))

describe('Values', () => {
  const { cache, warnings } = makeBench()
  after(() => cache.close())

  for (const [what, code, call] of [
    ['an empty key', 'ERR_CACHE_BAD_OPTION', () => cache.get('')],
    ['a key that is no text', 'ERR_CACHE_BAD_OPTION', () => cache.set(1 as never, 1)],
    ['a key to delete that is no text', 'ERR_CACHE_BAD_OPTION', () => cache.delete(undefined as never)],
    ['a list of keys that is none', 'ERR_CACHE_BAD_OPTION', () => cache.getMany('abc' as never)],
    ['a list of items that is none', 'ERR_CACHE_BAD_OPTION', () => cache.setMany({ key: 'a', value: 1 } as never)],
    ['a misspelt option of set', 'ERR_CACHE_UNKNOWN_OPTION', () => cache.set('k', 1, { tll: 1 } as never)],
    ['a key among the options of set', 'ERR_CACHE_UNKNOWN_OPTION', () => cache.set('k', 1, { key: 'x' } as never)],
    ['a number where options belong', 'ERR_CACHE_BAD_OPTION', () => cache.set('k', 1, 60 as never)],
    ['a negative lifetime', 'ERR_CACHE_BAD_DURATION', () => cache.set('k', 1, { ttl: -1 })],
    ['a lifetime without a unit', 'ERR_CACHE_BAD_DURATION', () => cache.set('k', 1, { ttl: '60' })],
    ['no number', 'ERR_CACHE_BAD_DURATION', () => cache.expire('k', Number.NaN)],
    ['a misspelt item', 'ERR_CACHE_UNKNOWN_OPTION', () => cache.setMany([{ key: 'k', value: 1, tag: ['a'] } as never])],
    ['a wrong lifetime for all', 'ERR_CACHE_BAD_DURATION', () => cache.setMany([], { ttl: 'soon' })],
    ['tags that are no list', 'ERR_CACHE_BAD_OPTION', () => cache.set('k', 1, { tags: 'a' as never })],
    ['129 tags', 'ERR_CACHE_BAD_OPTION', () => cache.remember('k', { tags: Array(129).fill('a') }, () => 1)],
    [
      'a misspelt option of remember',
      'ERR_CACHE_UNKNOWN_OPTION',
      () => cache.remember('k', { swr: 1 } as never, () => 1),
    ],
    [
      'a loader in the place of options',
      'ERR_CACHE_BAD_OPTION',
      () => cache.remember('k', (() => 1) as never, () => 1),
    ],
    ['a jitter above 1', 'ERR_CACHE_BAD_OPTION', () => cache.set('k', 1, { jitter: 1.5 })],
    [
      'a share that is no number',
      'ERR_CACHE_BAD_OPTION',
      () => cache.remember('k', { refreshAhead: '80%' as never }, () => 1),
    ],
    ['a time-out that is none', 'ERR_CACHE_BAD_DURATION', () => cache.remember('k', { hardTimeoutMs: -1 }, () => 1)],
    ['no loader', 'ERR_CACHE_BAD_OPTION', () => cache.remember('k', {}, undefined as never)],
  ] as const) {
    it(`refuses ${what}`, async () => {
      expect(await codeOf(call())).to.equal(code)
    })
  }

  it('names what was probably meant', async () => {
    const [result] = await Promise.allSettled([cache.set('k', 1, { swr: 1 } as never)])
    expect(String((result as PromiseRejectedResult).reason)).to.include('set: unknown option "swr"')
    const [other] = await Promise.allSettled([cache.remember('k', { expires: 1 } as never, () => 1)])
    expect(String((other as PromiseRejectedResult).reason)).to.include('Did you mean "ttl"?')
  })

  it('has the types of loaders, and those that a caller names', async () => {
    const user = await cache.remember('types:user', { ttl: '1m' }, async ({ signal }) => {
      return { id: 7, isAborted: signal.aborted }
    })
    const id: number = user.id
    // @ts-expect-error a number is not what the loader brings
    const text: string = user.id
    const { value, source } = await cache.remember('types:list', { source: true }, () => ['a'])
    const first: string | undefined = value[0]
    // @ts-expect-error a value that is loaded comes from somewhere
    const nowhere: undefined = source
    const found = await cache.get<{ readonly id: number }>('types:user')
    // @ts-expect-error there may be none
    const sure: number = found.id
    const many: readonly (string | undefined)[] = await cache.getMany<string>(['types:list'])
    // @ts-expect-error a lifetime is no flag
    const refused = codeOf(cache.remember('types:user', { ttl: true }, () => 1))
    // @ts-expect-error a loader has no such word
    const thrown = codeOf(cache.remember('types:other', {}, (load) => load.tll('1s')))
    expect([id, text, first, nowhere, sure, many[0]]).to.deep.equal([7, 7, 'a', 'origin', 7, ['a']])
    expect([await refused, await thrown]).to.deep.equal(['ERR_CACHE_BAD_DURATION', undefined])
  })

  it('warns once of what loaders bring that cannot be kept', async () => {
    for (const key of ['a', 'b']) await cache.remember(key, {}, () => () => 1)
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include('What was loaded for "a" is not kept')
  })

  it('uses the windows of the cache where a call says nothing', async () => {
    const bench = makeBench({ ttl: '2s', staleWhileRevalidate: '3s', staleIfError: '10s' })
    await bench.cache.remember('k', {}, () => 1)
    bench.clock.advance(2_000)
    expect(await bench.cache.remember('k', {}, () => 2)).to.equal(1)
    bench.clock.advance(6_000)
    const { value } = await bench.cache.remember('k', { source: true }, () => Promise.reject(new Error('late')))
    expect(value).to.equal(2)
    await bench.cache.close()
  })

  it('keeps values for a minute where the cache stores only what is explicit', async () => {
    const bench = makeBench({ ttl: false })
    await bench.cache.set('k', 1)
    expect(await bench.cache.ttl('k')).to.equal(60)
    await bench.cache.close()
  })

  it('waits no longer than a second for the loader of somebody else', async () => {
    let elapsed = 0
    const clock = { now: () => Date.now(), monotonic: () => elapsed }
    const bench = makeBench({ clock })
    const [slow, other] = [makeGate<number>(), makeGate<number>()]
    const first = bench.cache.remember('k', {}, slow.loader)
    await until(() => slow.calls === 1)
    elapsed = 1_000
    const second = bench.cache.remember('k', {}, other.loader)
    await until(() => other.calls === 1)
    other.open(2)
    expect(await second).to.equal(2)
    slow.open(1)
    expect(await first).to.equal(1)
    await bench.cache.close()
  })

  it('lets those whose read was not answered share one run after the one that they may not use', async () => {
    let elapsed = 0
    const bench = makeBench({ clock: { now: () => Date.now(), monotonic: () => elapsed } })
    const gate = makeGate<string>()
    const remember = (): Promise<string> => bench.cache.remember('k', {}, gate.loader)
    const first = remember()
    await until(() => gate.calls === 1)
    const { store } = bench.cache.engine
    const get = sinon.stub(store, 'get').callsFake(async (key) => {
      store.ledger(key).doubt(++elapsed)
      return undefined
    })
    elapsed = 1
    const late = Array.from({ length: 200 }, remember)
    await until(() => get.callCount === 200)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(gate.calls).to.equal(1)
    gate.open('old')
    await until(() => gate.calls > 1)
    gate.open('new')
    expect(await first).to.equal('old')
    expect(new Set(await Promise.all(late))).to.deep.equal(new Set(['new']))
    expect(gate.calls).to.equal(2)
    await bench.cache.close()
  })

  it('uses nothing that is remembered of a loader where its own read was not answered', async () => {
    const bench = makeBench()
    const options = { negativeTtl: '1h' }
    await bench.cache.remember('k', options, () => undefined)
    const { store } = bench.cache.engine
    sinon.stub(store, 'get').callsFake(async (key) => {
      store.ledger(key).doubt(performance.now() + 1)
      return undefined
    })
    expect(await bench.cache.remember('k', options, () => 1)).to.equal(1)
    await bench.cache.close()
  })

  it('keeps the values of two versions apart', async () => {
    const [one, two] = [makeBench({ version: 1 }), makeBench({ version: 2 })]
    await one.cache.set('k', 1)
    const [entry] = (await one.cache.entries()).entries
    expect(entry).to.include({ key: 'V 1 k', name: 'k', kind: 'value' })
    await two.cache.set('k', 1)
    expect((await two.cache.entries()).entries[0]?.key).to.equal('V 2 k')
    await Promise.all([one.cache.close(), two.cache.close()])
  })

  it('finds every key again, however many were set or deleted after it', async () => {
    const bench = makeBench({ memory: { maxSize: '1gb' } })
    const keys = Array.from({ length: MAX_TAG_RECORDS + 20_000 }, (_, index) => `key:${index}`)
    for (const [value, key] of keys.entries()) await bench.cache.set(key, value)
    for (const key of keys.slice(-10_000)) await bench.cache.delete(key)
    const found = await bench.cache.getMany(keys)
    expect(found.filter((value, index) => value === index)).to.have.length(MAX_TAG_RECORDS + 10_000)
    expect(bench.cache.stats().stats.keyCount).to.equal(MAX_TAG_RECORDS + 10_000)
    await bench.cache.close()
  }).timeout(60_000)

  it('keeps nothing of a load that began before more writes than are remembered', async () => {
    const bench = makeBench({ memory: { maxSize: '1gb' } })
    const slow = makeGate<number>()
    const first = bench.cache.remember('k', {}, slow.loader)
    await until(() => slow.calls === 1)
    await bench.cache.delete('k')
    for (let index = 0; index <= MAX_TAG_RECORDS; index++) await bench.cache.delete(`other:${index}`)
    slow.open(1)
    await first
    expect(await bench.cache.get('k')).to.equal(undefined)
    await bench.cache.close()
  }).timeout(60_000)
})
