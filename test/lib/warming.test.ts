import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheEvents } from '../../lib/events.ts'
import type { WarmItem } from '../../lib/warm-options.ts'
import { codeOf, makeGate } from '../contracts/values.contract.ts'
import { makeBench, until } from '../support/site.ts'

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index}`)

/** A cache, and items that note when they are loaded. */
function makeScene(options: CacheOptions = {}) {
  const bench = makeBench(options)
  const loaded: string[] = []
  const item = (key: string): WarmItem => ({
    key,
    load: () => {
      loaded.push(key)
      return `value of ${key}`
    },
  })
  const progress: CacheEvents['warm'][] = []
  bench.cache.on('warm', (event) => progress.push(event))
  return { ...bench, loaded, item, progress, list: (count: number) => keys(count).map(item) }
}

const nothing = { total: 0, warmed: 0, fresh: 0, unkept: 0, failures: 0, failed: [], interrupted: false }

/** All of a report but the time it took. */
function figures<R extends { readonly elapsedMs: number }>({ elapsedMs, ...rest }: R): Omit<R, 'elapsedMs'> {
  expect(elapsedMs).to.be.at.least(0)
  return rest
}

describe('warm', () => {
  it('loads what a list names, in its order, and keeps it', async () => {
    const { cache, list, loaded } = makeScene()
    const report = await cache.warm(list(10))
    expect(figures(report)).to.deep.equal({ ...nothing, total: 10, warmed: 10 })
    expect(loaded).to.deep.equal(keys(10))
    expect(await cache.getMany(keys(10))).to.deep.equal(keys(10).map((key) => `value of ${key}`))
  })

  it('takes values that are there already, and their tags', async () => {
    const { cache } = makeScene()
    await cache.warm([{ key: 'k', value: null, ttl: '5m', jitter: 0, tags: ['t'] }])
    expect(await cache.get('k')).to.equal(null)
    expect(await cache.ttl('k')).to.equal(300)
    await cache.invalidate({ tags: ['t'] })
    expect(await cache.get('k')).to.equal(undefined)
  })

  it('spreads the ends of what it loads, a tenth of the lifetime or what the cache says', async () => {
    for (const [jitter, from] of [
      [0, 900],
      [0.5, 500],
    ] as const) {
      const { cache } = makeScene({ jitter, ttl: '1000s' })
      const made = keys(100).map((key) => ({ key, load: () => 1 }))
      const read = keys(100).map((key) => ({ key: `v${key}`, value: 1 }))
      await cache.warm([...made, ...read])
      for (const prefix of ['', 'v']) {
        const ends = await Promise.all(keys(100).map((key) => cache.ttl(`${prefix}${key}`)))
        expect(new Set(ends).size).to.be.greaterThan(20)
        for (const end of ends) expect(end).to.be.within(from, 1_000)
        expect(Math.min(...ends.map(Number))).to.be.below(from === 500 ? 900 : 1_000)
      }
    }
  })

  it('counts neither hits nor misses', async () => {
    const { cache, list, outcomes } = makeScene()
    await cache.warm(list(2))
    await cache.warm(list(2))
    expect(outcomes).to.deep.equal([])
    expect(cache.stats().stats).to.include({ hits: 0, misses: 0 })
  })

  it('passes over what is fresh, so that a run goes on where another stopped', async () => {
    const { cache, list, loaded, clock } = makeScene()
    await cache.warm(list(3))
    expect(figures(await cache.warm(list(5)))).to.deep.equal({ ...nothing, total: 5, warmed: 2, fresh: 3 })
    expect(loaded).to.deep.equal(keys(5))
    clock.advance(60_000)
    expect(await cache.warm(list(5))).to.include({ warmed: 5 })
  })

  it('loads anew what is only good enough to stand in, and waits for it', async () => {
    const { cache, item, clock, loaded } = makeScene({ staleWhileRevalidate: '1h', staleIfError: '1h' })
    await cache.warm([item('k')])
    clock.advance(60_000)
    expect(await cache.warm([item('k')])).to.include({ warmed: 1 })
    expect(loaded).to.deep.equal(['k', 'k'])
    clock.advance(60_000)
    const fail = (): never => {
      throw new Error('no database')
    }
    expect(await cache.warm([{ key: 'k', load: fail }])).to.include({ warmed: 0, failures: 1 })
  })

  it('loads no more at the same time than it is told to, four by itself', async () => {
    for (const concurrency of [undefined, 1, 7]) {
      const { cache } = makeScene()
      let [running, most] = [0, 0]
      const load = async (): Promise<number> => {
        most = Math.max(most, ++running)
        await sleep(1)
        return running--
      }
      const options = concurrency === undefined ? {} : { concurrency }
      await cache.warm(
        keys(20).map((key) => ({ key, load })),
        options,
      )
      expect(most).to.equal(concurrency ?? 4)
    }
  })

  it('asks a source for no more than is being loaded', async () => {
    const { cache } = makeScene()
    const gate = makeGate<number>()
    let asked = 0
    const run = cache.warm(
      async function* () {
        for (const key of keys(9)) {
          asked++
          yield { key, load: gate.loader }
        }
      },
      { concurrency: 2 },
    )
    await until(() => gate.calls === 2)
    await sleep(5)
    expect(asked).to.equal(2)
    for (let opened = 0; opened < 9; opened++) {
      await until(() => gate.calls > opened)
      gate.open(opened)
    }
    expect(await run).to.include({ total: 9, warmed: 9 })
  })

  it('reports failures, the first hundred of them, and goes on', async () => {
    const { cache, item } = makeScene()
    const error = new Error('no database')
    const broken = keys(150).map((key) => ({ key, load: () => Promise.reject(error) }))
    const report = await cache.warm([...broken, item('last')])
    expect(report).to.include({ total: 151, warmed: 1, failures: 150, interrupted: false })
    expect(report.failed).to.have.length(100)
    expect(report.failed[0]).to.deep.equal({ key: 'k0', error })
    expect(await cache.get('last')).to.equal('value of last')
  })

  it('reports items that are none, by their key where they have one', async () => {
    const { cache, item } = makeScene()
    const wrong = [
      { key: 'both', load: () => 1, value: 1 },
      { key: 'neither' },
      { key: '', value: 1 },
      { key: 'tags', value: 1, tags: 'a' },
      { key: 'option', value: 1, tll: 1 },
      { key: 'form', value: () => 1 },
      { key: 'loader', load: 1 },
      undefined,
      'text',
    ]
    const report = await cache.warm([...(wrong as unknown as WarmItem[]), item('k')])
    expect(report).to.include({ warmed: 1, failures: wrong.length })
    expect(report.failed.map(({ key }) => key)).to.deep.equal([
      'both',
      'neither',
      '',
      'tags',
      'option',
      'form',
      'loader',
      'undefined',
      'undefined',
    ])
    for (const { error } of report.failed) expect(error).to.have.property('name', 'CacheError')
  })

  it('says what was loaded and not kept', async () => {
    const { cache } = makeScene()
    const invalidated = async (): Promise<number> => {
      await cache.invalidate({ keys: ['k'] })
      return 1
    }
    const report = await cache.warm([
      { key: 'nothing', load: () => undefined },
      { key: 'k', load: invalidated },
    ])
    expect(report).to.include({ warmed: 0, unkept: 2, failures: 0 })
    expect(await cache.get('k')).to.equal(undefined)
  })

  it('keeps no value that was invalidated since the run began', async () => {
    const { cache } = makeScene()
    const report = await cache.warm(async function* () {
      const rows = [1, 2]
      await cache.invalidate({ tags: ['b'] })
      yield { key: 'a', value: rows[0], tags: ['a'] }
      yield { key: 'b', value: rows[1], tags: ['b'] }
    })
    expect(report).to.include({ warmed: 1, unkept: 1 })
    expect(await cache.getMany(['a', 'b'])).to.deep.equal([1, undefined])
  })

  it('waits for a load that is under way, and does not repeat it', async () => {
    const { cache } = makeScene()
    const gate = makeGate<number>()
    const caller = cache.remember('k', {}, gate.loader)
    await until(() => gate.calls === 1)
    const run = cache.warm([{ key: 'k', load: gate.loader }])
    await sleep(1)
    gate.open(1)
    expect(await run).to.include({ fresh: 1, warmed: 0 })
    expect([await caller, gate.calls]).to.deep.equal([1, 1])
  })

  describe('a source that fails', () => {
    for (const [what, source] of [
      ['at once', () => Promise.reject(new Error('no table'))],
      [
        'on the way',
        function* () {
          yield { key: 'k', value: 1 }
          throw new Error('no table')
        },
      ],
    ] as const) {
      it(`is a failure without a key, and the run is not whole: ${what}`, async () => {
        const { cache } = makeScene()
        const report = await cache.warm(source)
        expect(report).to.include({ failures: 1, interrupted: true, warmed: report.total })
        expect(report.failed[0]).to.not.have.property('key')
        expect(String(report.failed[0]?.error)).to.equal('Error: no table')
      })
    }

    it('names something that is no list', async () => {
      const { cache } = makeScene()
      expect(await cache.warm((() => 5) as never)).to.include({ failures: 1, interrupted: true })
    })
  })

  describe('given up', () => {
    it('by its signal: what is under way is not waited for, and the source is told', async () => {
      const { cache, loaded, item } = makeScene()
      const gate = makeGate<number>()
      const ended = new AbortController()
      let isClosed = false
      const run = cache.warm(
        function* () {
          try {
            yield item('k0')
            yield { key: 'k1', load: gate.loader }
            yield item('k2')
          } finally {
            isClosed = true
          }
        },
        { signal: ended.signal, concurrency: 1 },
      )
      await until(() => gate.calls === 1)
      ended.abort()
      expect(await run).to.include({ total: 2, warmed: 1, interrupted: true })
      expect(isClosed).to.equal(true)
      gate.open(1)
      await sleep(1)
      expect(loaded).to.deep.equal(['k0'])
    })

    it('before it began', async () => {
      const { cache, list, loaded } = makeScene()
      const report = await cache.warm(list(3), { signal: AbortSignal.abort() })
      expect(figures(report)).to.deep.equal({ ...nothing, interrupted: true })
      expect(loaded).to.deep.equal([])
    })

    it('by the end of the cache, also while the source is being asked', async () => {
      const { cache, item } = makeScene()
      let isAsked = false
      const run = cache.warm(async function* () {
        yield item('k0')
        isAsked = true
        await new Promise(() => {})
      })
      await until(() => isAsked)
      await cache.close()
      expect(await run).to.include({ warmed: 1, interrupted: true })
      expect(await cache.warm([item('k1')])).to.include({ total: 0, interrupted: true })
    })
  })

  describe('progress', () => {
    it('is told at the end, with the name of the run', async () => {
      const { cache, list, progress } = makeScene()
      await cache.warm(list(3), { name: 'popular' })
      expect(progress.map(figures)).to.deep.equal([
        { name: 'popular', done: 3, total: 3, warmed: 3, fresh: 0, unkept: 0, failures: 0, ended: true },
      ])
    })

    it('is told on the way, but not of each entry', async () => {
      const { cache, progress } = makeScene()
      const load = (): Promise<number> => sleep(2, 1)
      await cache.warm(
        keys(250).map((key) => ({ key, load })),
        { concurrency: 1 },
      )
      const last = progress.at(-1)
      expect(progress.length).to.be.within(2, 4 * ((last?.elapsedMs ?? 0) / 1_000) + 1)
      expect(progress.map(({ ended }) => ended)).to.deep.equal([...progress.slice(1).map(() => false), true])
      expect(progress.map(({ done }) => done)).to.deep.equal(progress.map(({ done }) => done).toSorted((a, b) => a - b))
      expect(progress.every(({ total }) => total === 250)).to.equal(true)
    })

    it('knows the total of other sources when they have ended', async () => {
      const { cache, list, progress } = makeScene()
      await cache.warm(() => list(2))
      expect(progress.map(({ total, done }) => [total, done])).to.deep.equal([[2, 2]])
    })
  })

  it('leaves others their turn while it passes over what is fresh', async () => {
    const { cache, list } = makeScene()
    await cache.warm(list(5_000))
    let turns = 0
    let isOver = false
    const run = cache.warm(list(5_000)).finally(() => {
      isOver = true
    })
    while (!isOver) {
      turns++
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await run).to.include({ fresh: 5_000 })
    expect(turns).to.be.greaterThan(2)
  })

  describe('on schedule', () => {
    const caches: { close(): Promise<void> }[] = []
    afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())))

    function makeScheduled() {
      const scene = makeScene()
      caches.push(scene.cache)
      return scene
    }

    it('warms at once, and again in each interval', async () => {
      const { cache, progress, clock, item, loaded } = makeScheduled()
      const report = await cache.warm([item('k')], { name: 'popular', every: '20ms' })
      expect(figures(report)).to.deep.equal({ ...nothing, total: 1, warmed: 1 })
      await until(() => progress.length >= 3)
      expect(loaded).to.deep.equal(['k'])
      clock.advance(60_000)
      await until(() => loaded.length === 2)
    })

    it('makes anew what would end before the next run, at the earliest when half of its life is over', async () => {
      const { cache, clock, loaded, item } = makeScheduled()
      await cache.warm(
        [
          { ...item('short'), ttl: '10m', jitter: 0 },
          { ...item('long'), ttl: '3h', jitter: 0 },
        ],
        { name: 'popular', every: '1h' },
      )
      const run = async (minutes: number): Promise<readonly string[]> => {
        clock.advance(minutes * 60_000)
        loaded.length = 0
        await cache.warm('popular')
        return [...loaded]
      }
      expect(await run(4)).to.deep.equal([])
      expect(await run(2)).to.deep.equal(['short'])
      expect(await run(113)).to.deep.equal(['short'])
      expect(await run(2)).to.deep.equal(['long'])
    })

    it('takes a list as it was, and asks a function each time', async () => {
      const { cache, item, loaded } = makeScheduled()
      let asked = 0
      await cache.warm(() => [item(`k${asked++}`)], { name: 'popular', every: true })
      await cache.warm('popular')
      expect(loaded).to.deep.equal(['k0', 'k1'])
    })

    it('ends with its signal, and its name is free again', async () => {
      const { cache, list, progress } = makeScheduled()
      const ended = new AbortController()
      await cache.warm(list(1), { name: 'popular', every: '10ms', signal: ended.signal })
      ended.abort()
      await sleep(30)
      expect(progress).to.have.length(1)
      expect(await codeOf(cache.warm('popular'))).to.equal('ERR_CACHE_BAD_OPTION')
      expect(await cache.warm(list(1), { name: 'popular', every: true })).to.include({ fresh: 1 })
      const aborted = { name: 'never', every: true, signal: AbortSignal.abort() } as const
      expect(await cache.warm(list(1), aborted)).to.include({ total: 0, interrupted: true })
      expect(cache.stats().warming.map(({ name }) => name)).to.deep.equal(['popular'])
    })

    it('ends with the cache, and lets nothing of it keep the process', async () => {
      const { cache } = makeScheduled()
      const gate = makeGate<number>()
      const run = cache.warm([{ key: 'k', load: gate.loader }], { name: 'popular', every: true })
      await until(() => gate.calls === 1)
      await cache.close()
      expect(await run).to.include({ interrupted: true })
    })

    it('is told of in the statistics, with its last run', async () => {
      const { cache, list, clock } = makeScheduled()
      expect(cache.stats().warming).to.deep.equal([])
      await cache.warm(list(2), { name: 'once' })
      const gate = makeGate<number>()
      const run = cache.warm([{ key: 'slow', load: gate.loader }], { name: 'popular', every: true })
      await until(() => gate.calls === 1)
      const [popular, once] = cache.stats().warming
      expect(popular).to.deep.equal({ name: 'popular', everyMs: 1_800_000, running: true })
      expect(once).to.include({ name: 'once', running: false }).and.not.have.property('everyMs')
      expect(once?.last).to.include({ total: 2, warmed: 2, at: new Date(clock.now()).toISOString() })
      gate.open(1)
      await run
      expect(cache.stats().warming[0]).to.have.nested.property('last.warmed', 1)
      expect(cache.stats().warming[0]?.running).to.equal(false)
    })

    it('remembers the last runs of a hundred names, and takes as many schedules', async () => {
      const { cache } = makeScheduled()
      for (let run = 0; run < 120; run++) await cache.warm([], { name: `run-${run}` })
      expect(cache.stats().warming.map(({ name }) => name)).to.deep.equal(
        Array.from({ length: 100 }, (_, run) => `run-${run + 20}`),
      )
      for (let run = 0; run < 100; run++) await cache.warm([], { name: `schedule-${run}`, every: true })
      expect(await codeOf(cache.warm([], { name: 'one more', every: true }))).to.equal('ERR_CACHE_BAD_OPTION')
    })

    it('refuses to be without a name, or to have one twice, and says so', async () => {
      const { cache } = makeScheduled()
      await cache.warm([], { name: 'popular', every: true })
      for (const [options, message] of [
        [{ every: true }, 'warm: every needs a name'],
        [{ every: true, name: 'popular' }, '"popular" cannot be scheduled twice'],
        [{ every: 60, name: 'other' }, 'every: 60 is not possible here. Use true for every 30 minutes'],
        [{ every: '0s', name: 'other' }, 'every: "0s" is not possible here'],
        [{ every: '30d', name: 'other' }, 'every: "30d" is not a duration'],
      ] as const) {
        const [result] = await Promise.allSettled([cache.warm([], options as never)])
        expect(String((result as PromiseRejectedResult).reason)).to.include(message)
      }
    })

    it('names what there is for a name that is not known', async () => {
      const { cache } = makeScheduled()
      const [none] = await Promise.allSettled([cache.warm('popular')])
      expect(String((none as PromiseRejectedResult).reason)).to.include('the name of a schedule (there is none)')
      await cache.warm([], { name: 'users', every: true })
      const [other] = await Promise.allSettled([cache.warm('popular')])
      expect(String((other as PromiseRejectedResult).reason)).to.include('the name of a schedule ("users")')
    })
  })

  for (const [what, code, call] of [
    ['a source that is none', 'ERR_CACHE_BAD_OPTION', (cache) => cache.warm(5 as never)],
    ['no source', 'ERR_CACHE_BAD_OPTION', (cache) => cache.warm(undefined as never)],
    ['a misspelt option', 'ERR_CACHE_UNKNOWN_OPTION', (cache) => cache.warm([], { concurency: 1 } as never)],
    ['nobody at work', 'ERR_CACHE_BAD_OPTION', (cache) => cache.warm([], { concurrency: 0 })],
    ['a signal that is none', 'ERR_CACHE_BAD_OPTION', (cache) => cache.warm([], { signal: {} as never })],
  ] satisfies readonly (readonly [
    string,
    string,
    (cache: ReturnType<typeof makeBench>['cache']) => Promise<unknown>,
  ])[]) {
    it(`refuses ${what}`, async () => {
      expect(await codeOf(call(makeBench().cache))).to.equal(code)
    })
  }
})
