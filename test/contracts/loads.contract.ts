import { expect } from 'chai'
import type { Cache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheEvents } from '../../lib/events.ts'
import type { LoadContext } from '../../lib/load-context.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { eventually } from '../support/sharing.ts'
import { until } from '../support/site.ts'
import { type CacheUnderTest, codeOf, makeGate } from './values.contract.ts'

/** Short enough to wait for, long enough that a loader that answers at once is never late (ms). */
const SHORT_MS = 60

/** What loaders may say, what happens when they are slow or fail, and what is loaded before it is stale. */
export function describeLoads(make: (options?: CacheOptions) => Promise<CacheUnderTest>): void {
  describe('loaders', () => {
    let cache: Cache
    let clock: FakeClock
    const outcomes: CacheEvents['outcome']['outcome'][] = []
    const errors: CacheEvents['error'][] = []
    const open: Cache[] = []
    const use = async (options?: CacheOptions): Promise<void> => {
      ;({ cache, clock } = await make(options))
      open.push(cache)
      outcomes.length = 0
      errors.length = 0
      cache.on('outcome', ({ outcome }) => outcomes.push(outcome))
      cache.on('error', (event) => errors.push(event))
    }
    beforeEach(() => use())
    afterEach(async () => {
      await Promise.all(open.splice(0).map((one) => one.close()))
    })
    const isIdle = (): boolean => cache.stats().limits.refreshes.current === 0
    const turns = async (count = 20): Promise<void> => {
      for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
    }

    describe('their context', () => {
      it('sets the lifetime once the value is known', async () => {
        await cache.remember('k', { ttl: '1h' }, (load) => {
          load.ttl('30s').ttl('5s')
          return 1
        })
        expect(await cache.ttl('k')).to.equal(5)
      })

      it('adds tags, which a write during the load concerns as well', async () => {
        await cache.remember('k', { tags: ['a'] }, (load) => {
          load.tag('b', 'c').tag('d')
          return 1
        })
        for (const tag of ['a', 'b', 'd']) {
          await cache.remember(tag, { tags: ['a'] }, (load) => {
            load.tag('b', 'd')
            return 1
          })
          await cache.invalidate({ tags: [tag] })
          expect(await cache.get(tag), tag).to.equal(undefined)
        }
        const gate = makeGate<number>()
        const caller = cache.remember('late', {}, async (load) => {
          const value = await gate.loader()
          load.tag('written')
          return value
        })
        await until(() => gate.calls === 1)
        await cache.invalidate({ tags: ['written'] })
        gate.open(1)
        expect(await caller).to.equal(1)
        expect(await cache.get('late')).to.equal(undefined)
      })

      it('opens stale windows that hold for callers who say nothing of them', async () => {
        const say = (load: LoadContext): number => {
          load.ttl('1s').staleWhileRevalidate('10s').staleIfError('20s')
          return 1
        }
        await cache.remember('k', {}, say)
        clock.advance(5_000)
        const gate = makeGate<number>()
        expect(await cache.remember('k', {}, gate.loader)).to.equal(1)
        await until(() => gate.calls === 1)
        gate.fail(new Error('no database'))
        await until(isIdle)
        clock.advance(10_000)
        expect(await cache.remember('k', {}, () => Promise.reject(new Error('no database')))).to.equal(1)
        expect(outcomes.at(-1)).to.include({ detail: 'stale-if-error' })
        clock.advance(6_000)
        expect(await codeOf(cache.remember('k', {}, () => Promise.reject(new Error('no database'))))).to.equal(
          undefined,
        )
      })

      it('closes stale windows that callers would leave open', async () => {
        const options = { ttl: '1s', staleWhileRevalidate: '1h', staleIfError: '1h' }
        await cache.remember('k', options, (load) => {
          load.staleWhileRevalidate(0).staleIfError(0)
          return 1
        })
        clock.advance(1_000)
        expect(await cache.remember('k', options, () => 2)).to.equal(2)
      })

      it('keeps nothing that is to be skipped, and hands it to those who wait', async () => {
        const gate = makeGate<number>()
        const skip = async (load: LoadContext): Promise<number> => {
          load.skip('preview')
          return gate.loader()
        }
        const callers = [cache.remember('k', {}, skip), cache.remember('k', {}, skip)]
        await until(() => gate.calls === 1)
        await turns()
        gate.open(1)
        expect(await Promise.all(callers)).to.deep.equal([1, 1])
        expect(outcomes[0]).to.deep.equal({ hit: false, forward: 'uri-miss', detail: 'preview' })
        expect(await cache.get('k')).to.equal(undefined)
        expect(await cache.remember('k', {}, () => 2)).to.equal(2)
      })

      it('refuses what is no lifetime and no tag, which its callers hear', async () => {
        expect(await codeOf(cache.remember('k', {}, (load) => load.ttl('soon')))).to.equal('ERR_CACHE_BAD_DURATION')
        expect(await codeOf(cache.remember('k', {}, (load) => load.tag('')))).to.equal('ERR_CACHE_BAD_OPTION')
      })

      it('has no effect once the value is there, with one warning', async () => {
        const warnings: string[] = []
        await use({ logger: { info() {}, warn: (text) => void warnings.push(text) } })
        let late: LoadContext | undefined
        await cache.remember('k', { ttl: '5s' }, (load) => {
          late = load
          return 1
        })
        late?.ttl('1h').skip()
        expect(await cache.ttl('k')).to.equal(5)
        expect(warnings.filter((text) => text.includes('after it had brought it'))).to.have.length(1)
      })

      it('aborts its signal when the cache is closed', async () => {
        let signal: AbortSignal | undefined
        const caller = cache.remember('k', {}, (load) => {
          signal = load.signal
          return new Promise((_, reject) => load.signal.addEventListener('abort', () => reject(load.signal.reason)))
        })
        const code = codeOf(caller)
        await until(() => signal !== undefined)
        await cache.close()
        expect(signal?.aborted).to.equal(true)
        expect(await code).to.equal('ERR_CACHE_CLOSED')
      })
    })

    describe('softTimeoutMs', () => {
      const options = { ttl: '1s', staleIfError: '10s', softTimeoutMs: SHORT_MS }

      it('serves an older value once the loader has taken so long, and keeps what comes', async () => {
        await cache.remember('k', options, () => 1)
        clock.advance(1_000)
        const gate = makeGate<number>()
        expect(await cache.remember('k', options, gate.loader)).to.equal(1)
        expect(gate.calls).to.equal(1)
        expect(outcomes.at(-1)).to.deep.equal({ hit: false, forward: 'stale', ttl: 0, detail: 'stale-if-error' })
        gate.open(2)
        await until(() => cache.stats().limits.flights.current === 0)
        expect(await cache.get('k')).to.equal(2)
      })

      it('tells of a loader that fails after that', async () => {
        await cache.remember('k', options, () => 1)
        clock.advance(1_000)
        const gate = makeGate<number>()
        expect(await cache.remember('k', options, gate.loader)).to.equal(1)
        const cause = new Error('no database')
        gate.fail(cause)
        await until(() => errors.length > 0)
        expect(errors).to.deep.equal([{ where: 'remember', cause }])
      })

      it('waits for the loader where no older value may stand in', async () => {
        await cache.remember('k', options, () => 1)
        clock.advance(11_000)
        const [gate, other] = [makeGate<number>(), makeGate<number>()]
        const callers = [cache.remember('k', options, gate.loader), cache.remember('new', options, other.loader)]
        await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS))
        gate.open(2)
        other.open(3)
        expect(await Promise.all(callers)).to.deep.equal([2, 3])
      })

      it('serves nothing older than a write that came in between', async () => {
        await cache.remember('k', options, () => 1)
        clock.advance(1_000)
        const gate = makeGate<number>()
        const caller = cache.remember('k', options, gate.loader)
        await until(() => gate.calls === 1)
        await cache.delete('k')
        await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS))
        gate.open(2)
        expect(await caller).to.equal(2)
      })
    })

    describe('hardTimeoutMs', () => {
      const options = { hardTimeoutMs: SHORT_MS }

      it('rejects all who wait for that long, and aborts the signal', async () => {
        const signals: AbortSignal[] = []
        const gate = makeGate<number>()
        const load = ({ signal }: LoadContext): Promise<number> => {
          signals.push(signal)
          return gate.loader()
        }
        const callers = Array.from({ length: 20 }, () => cache.remember('k', options, load))
        const codes = await Promise.all(callers.map(codeOf))
        expect(new Set(codes)).to.deep.equal(new Set(['ERR_CACHE_LOADER_TIMEOUT']))
        await until(() => signals.every(({ aborted }) => aborted))
        expect(gate.calls).to.equal(1)
        expect(outcomes.some(({ stored }) => stored)).to.equal(false)
      })

      it('keeps what the loader brings all the same, and nothing that a write has made wrong', async () => {
        const [gate, other] = [makeGate<number>(), makeGate<number>()]
        const callers = [cache.remember('k', options, gate.loader), cache.remember('old', options, other.loader)]
        for (const caller of callers) expect(await codeOf(caller)).to.equal('ERR_CACHE_LOADER_TIMEOUT')
        await cache.delete('old')
        gate.open(1)
        other.open(2)
        await eventually(async () => (await cache.get('k')) === 1)
        expect(await cache.get('old')).to.equal(undefined)
        expect(errors).to.deep.equal([])
      })

      it('lets the next caller begin anew at once, whose value the older run does not replace', async () => {
        const gate = makeGate<string>()
        expect(await codeOf(cache.remember('k', options, gate.loader))).to.equal('ERR_CACHE_LOADER_TIMEOUT')
        clock.advance(10)
        expect(await cache.remember('k', { hardTimeoutMs: '5s' }, () => 'new')).to.equal('new')
        await turns()
        gate.open('old')
        await turns()
        expect(await cache.get('k')).to.equal('new')
      })

      it('lets nobody wait for longer than he said, and goes on for those who wait', async () => {
        const gate = makeGate<number>()
        let signal: AbortSignal | undefined
        // Long enough for the patient one to join the run, where Redis is asked first.
        const hasty = cache.remember('k', { hardTimeoutMs: 10 * SHORT_MS }, (load) => {
          ;({ signal } = load)
          return gate.loader()
        })
        await until(() => gate.calls === 1)
        const patient = cache.remember('k', {}, gate.loader)
        expect(await codeOf(hasty)).to.equal('ERR_CACHE_LOADER_TIMEOUT')
        expect(signal?.aborted).to.equal(false)
        const second = cache.remember('k', { hardTimeoutMs: 1 }, gate.loader)
        expect(await codeOf(second)).to.equal('ERR_CACHE_LOADER_TIMEOUT')
        gate.open(1)
        expect(await patient).to.equal(1)
        expect(gate.calls).to.equal(1)
        expect(await cache.get('k')).to.equal(1)
      })

      it('lets an older value stand in', async () => {
        const windows = { ttl: '1s', staleIfError: '10s' }
        const both = { ...windows, ...options }
        await cache.remember('k', windows, () => 1)
        clock.advance(1_000)
        const gate = makeGate<number>()
        expect(await cache.remember('k', both, gate.loader)).to.equal(1)
        expect(outcomes.at(-1)).to.include({ detail: 'stale-if-error' })
      })

      it('tells nothing of a loader that ends because of its signal, and of any other fault', async () => {
        const gate = makeGate<number>()
        const obedient = cache.remember('a', options, ({ signal }) => {
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        })
        expect(await codeOf(obedient)).to.equal('ERR_CACHE_LOADER_TIMEOUT')
        expect(await codeOf(cache.remember('b', options, gate.loader))).to.equal('ERR_CACHE_LOADER_TIMEOUT')
        const cause = new Error('no database')
        gate.fail(cause)
        await until(() => errors.length > 0)
        expect(errors).to.deep.equal([{ where: 'remember', cause }])
      })

      it('ends a refresh in the background', async () => {
        const windows = { ttl: '1s', staleWhileRevalidate: '10s' }
        const both = { ...windows, ...options }
        await cache.remember('k', windows, () => 1)
        clock.advance(1_000)
        const gate = makeGate<number>()
        expect(await cache.remember('k', both, gate.loader)).to.equal(1)
        await until(() => gate.calls === 1)
        await until(isIdle)
        expect(errors.map(({ where, cause }) => [where, Reflect.get(cause as object, 'code')])).to.deep.equal([
          ['refresh', 'ERR_CACHE_LOADER_TIMEOUT'],
        ])
      })
    })

    describe('negativeTtl', () => {
      const options = { negativeTtl: '5s' }

      it('remembers that the loader failed, for so long', async () => {
        const gate = makeGate<number>()
        const error = new Error('no such user')
        const first = cache.remember('k', options, gate.loader)
        const result = Promise.allSettled([first])
        await until(() => gate.calls === 1)
        gate.fail(error)
        expect(await result).to.deep.equal([{ status: 'rejected', reason: error }])
        const again = await Promise.allSettled([cache.remember('k', options, gate.loader)])
        expect(again).to.deep.equal([{ status: 'rejected', reason: error }])
        expect(outcomes.at(-1)).to.deep.equal({ hit: true, detail: 'negative' })
        expect(gate.calls).to.equal(1)
        clock.advance(5_000)
        expect(await cache.remember('k', options, () => 1)).to.equal(1)
      })

      it('remembers that there was nothing', async () => {
        const calls: number[] = []
        const load = (): undefined => void calls.push(1)
        for (let call = 0; call < 3; call++) expect(await cache.remember('k', options, load)).to.equal(undefined)
        expect(calls).to.have.length(1)
        expect(cache.stats().limits.negative).to.deep.equal({ limit: 10_000, current: 1, peak: 1, refused: 0 })
      })

      it('says nothing to callers who do not ask', async () => {
        await cache.remember('k', options, () => undefined)
        expect(await cache.remember('k', {}, () => 1)).to.equal(1)
        expect(await cache.get('k')).to.equal(1)
      })

      for (const [what, write] of [
        ['set', () => cache.set('k', 7)],
        ['delete', () => cache.delete('k')],
        ['an invalidation of its tag', () => cache.invalidate({ tags: ['users'] })],
        ['an invalidation of a tag that the loader said', () => cache.invalidate({ tags: ['said'] })],
        ['a pattern', () => cache.invalidate({ pattern: 'k*' })],
        ['an invalidation of everything', () => cache.invalidate({ all: true })],
      ] as const) {
        it(`ends with ${what}`, async () => {
          const load = (context: LoadContext): undefined => void context.tag('said')
          await cache.remember('k', { ...options, tags: ['users'] }, load)
          await cache.invalidate({ tags: ['other'], keys: ['other'] })
          expect(await cache.remember('k', options, () => 7)).to.equal(undefined)
          await write()
          expect(await cache.remember('k', options, () => 7)).to.equal(7)
        })
      }

      it('is not kept of a load that a write has overtaken', async () => {
        const gate = makeGate<undefined>()
        const caller = cache.remember('k', options, gate.loader)
        await until(() => gate.calls === 1)
        await cache.delete('k')
        gate.open(undefined)
        expect(await caller).to.equal(undefined)
        expect(await cache.remember('k', options, () => 1)).to.equal(1)
      })

      it('does not come back when a value that came after it has ended', async () => {
        await cache.remember('k', { negativeTtl: '1h' }, () => undefined)
        await cache.remember('k', { ttl: '1s' }, () => 1)
        clock.advance(1_000)
        expect(await cache.remember('k', { negativeTtl: '1h' }, () => 2)).to.equal(2)
      })

      it('lets an older value stand in for what failed', async () => {
        const both = { ttl: '1s', staleIfError: '10s', ...options }
        await cache.remember('k', both, () => 1)
        clock.advance(1_000)
        let calls = 0
        const fail = (): never => {
          calls++
          throw new Error('no database')
        }
        for (let call = 0; call < 3; call++) expect(await cache.remember('k', both, fail)).to.equal(1)
        expect(calls).to.equal(1)
      })
    })

    describe('lifetimes', () => {
      it('are shortened at random by their jitter, and never lengthened', async () => {
        const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)
        await cache.setMany(
          keys.map((key) => ({ key, value: 1, ttl: 1_000, jitter: 0.5 })),
          { jitter: 0 },
        )
        for (const key of keys) await cache.remember(`r${key}`, { ttl: 1_000, jitter: 0.5 }, () => 1)
        for (const prefix of ['', 'r']) {
          const left = await Promise.all(keys.map(async (key) => (await cache.ttl(prefix + key)) ?? 0))
          expect(Math.min(...left)).to.be.at.least(500)
          expect(Math.max(...left)).to.be.at.most(1_000)
          expect(new Set(left).size).to.be.above(20)
        }
        await cache.set('exact', 1, { ttl: 1_000 })
        expect(await cache.ttl('exact')).to.equal(1_000)
      })

      it('take the jitter of the cache where a call says nothing', async () => {
        await use({ jitter: 1, ttl: '1000s' })
        const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
        await cache.setMany(keys.map((key) => ({ key, value: 1 })))
        const left = await Promise.all(keys.map((key) => cache.ttl(key)))
        expect(new Set(left).size).to.be.above(10)
        await cache.set('exact', 1, { jitter: 0 })
        expect(await cache.ttl('exact')).to.equal(1_000)
      })

      it('are cut to maxTtl, with one warning', async () => {
        const warnings: string[] = []
        await use({ maxTtl: '1h', logger: { info() {}, warn: (text) => void warnings.push(text) } })
        await cache.set('set', 1, { ttl: '2h' })
        await cache.remember('remember', { ttl: '1d' }, () => 1)
        await cache.remember('said', {}, (load) => load.ttl('2h') && 1)
        await cache.set('expire', 1)
        await cache.expire('expire', '3h')
        const left = await Promise.all(['set', 'remember', 'said', 'expire'].map((key) => cache.ttl(key)))
        expect(left).to.deep.equal([3_600, 3_600, 3_600, 3_600])
        const cut = warnings.filter((text) => text.includes('maxTtl'))
        expect(cut).to.have.length(1)
        expect(cut[0]).to.include('set: ttl: 2h is longer than maxTtl').and.include('1h')
      })

      it('are 30 days at most where nothing is said', async () => {
        await cache.set('k', 1, { ttl: '1y' })
        expect(await cache.ttl('k')).to.equal(30 * 24 * 60 * 60)
      })

      it('of 0 keep nothing that is loaded', async () => {
        expect(await cache.remember('k', { ttl: 0 }, () => 1)).to.equal(1)
        expect(await cache.remember('k', { ttl: 0 }, () => 2)).to.equal(2)
      })
    })

    describe('refreshAhead', () => {
      const options = { ttl: '100s', refreshAhead: 0.8 }
      const read = async (times: number, loader: () => Promise<number> | number): Promise<void> => {
        for (let time = 0; time < times; time++) await cache.remember('k', options, loader)
        await turns()
      }

      it('loads a value anew that is read often, while it is still fresh', async () => {
        await cache.remember('k', options, () => 1)
        await read(5, () => 0)
        clock.advance(80_000)
        const gate = makeGate<number>()
        for (let call = 0; call < 10; call++) expect(await cache.remember('k', options, gate.loader)).to.equal(1)
        await until(() => gate.calls > 0)
        await turns()
        expect(gate.calls).to.equal(1)
        expect(outcomes.at(-1)).to.deep.equal({ hit: true })
        gate.open(2)
        await until(isIdle)
        expect(await cache.get('k')).to.equal(2)
        expect(await cache.ttl('k')).to.equal(100)
        expect(cache.stats().counters).to.include({ refreshes: 1, stale: 0 })
      })

      it('leaves alone what is read seldom, or has time left', async () => {
        let calls = 0
        const load = (): number => ++calls
        await cache.remember('k', options, load)
        await read(1, load)
        clock.advance(79_999)
        await read(1, load)
        clock.advance(1)
        expect(calls).to.equal(1)
        await read(1, load)
        await until(isIdle)
        expect(calls).to.equal(2)
        // A life of its own begins.
        clock.advance(80_000)
        await read(2, load)
        expect(calls).to.equal(2)
      })

      it('does nothing where a caller does not ask for it', async () => {
        let calls = 0
        await cache.remember('k', { ttl: '100s' }, () => ++calls)
        clock.advance(99_000)
        for (let call = 0; call < 10; call++) await cache.remember('k', { ttl: '100s' }, () => ++calls)
        await turns()
        expect(calls).to.equal(1)
      })

      it('is not tried again right after it has failed', async () => {
        await cache.remember('k', options, () => 1)
        clock.advance(90_000)
        let calls = 0
        const fail = (): never => {
          calls++
          throw new Error('no database')
        }
        await read(10, fail)
        await until(isIdle)
        await read(10, fail)
        expect(calls).to.equal(1)
        expect(errors).to.have.length(1)
        clock.advance(1_000)
        await read(1, fail)
        await until(isIdle)
        expect(calls).to.equal(2)
        expect(await cache.get('k')).to.equal(1)
      })

      it('brings nothing back that a write has made wrong', async () => {
        const tagged = { ...options, tags: ['t'] }
        await cache.remember('k', tagged, () => 'old')
        clock.advance(90_000)
        const gate = makeGate<string>()
        for (let call = 0; call < 5; call++) await cache.remember('k', tagged, gate.loader)
        await until(() => gate.calls === 1)
        await cache.invalidate({ tags: ['t'] })
        gate.open('old')
        await until(isIdle)
        expect(await cache.get('k')).to.equal(undefined)
      })
    })
  })
}
