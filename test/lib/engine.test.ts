import { expect } from 'chai'
import { Engine } from '../../lib/engine.ts'
import { CacheError } from '../../lib/errors.ts'
import { FakeClock } from '../support/fake-clock.ts'

const logger = { info() {}, warn() {} }

/** A promise that a test resolves or rejects. */
function pending(): { readonly promise: Promise<void>; resolve(): void; reject(error: Error): void } {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => {}, () => {}]
  const promise = new Promise<void>((settle, fail) => {
    resolve = settle
    reject = fail
  })
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) }
}

describe('Engine', () => {
  it('has the defaults of the contract', () => {
    const engine = new Engine({ logger })
    expect(engine.defaults).to.deep.equal({ ttl: 60_000, staleWhileRevalidate: 0, staleIfError: 0 })
    expect(engine.version).to.equal(1)
    expect(engine.timeoutMs).to.equal(800)
    expect(engine.redisRequired).to.equal(false)
    expect(engine.reachable).to.equal(true)
    expect(engine.store.name).to.equal('memory')
    expect(engine.store.stats().maxBytes).to.equal(100 * 1024 ** 2)
    expect(engine.refreshes.limit).to.equal(64)
  })

  it('works with what the options say', () => {
    const engine = new Engine({
      logger,
      ttl: false,
      staleWhileRevalidate: '1m',
      staleIfError: 10,
      version: 7,
      leaseMs: '1s',
      memory: { maxSize: '1kb' },
      maxOrigin: 2,
    })
    expect(engine.defaults).to.deep.equal({ ttl: false, staleWhileRevalidate: 60_000, staleIfError: 10_000 })
    expect(engine.version).to.equal(7)
    expect(engine.timeoutMs).to.equal(2_000)
    expect(engine.store.stats().maxBytes).to.equal(1_024)
    expect(engine.refreshes.limit).to.equal(2)
  })

  it('puts memory in front of Redis, or Redis alone', async () => {
    const redis = 'redis://127.0.0.1:1'
    const engines = [new Engine({ logger, redis }), new Engine({ logger, redis, memory: false })]
    expect(engines.map(({ store }) => store.name)).to.deep.equal(['tiered', 'redis'])
    expect(engines.map(({ reachable }) => reachable)).to.deep.equal([false, false])
    for (const engine of engines) await engine.close()
  })

  it('refuses to keep entries nowhere', () => {
    expect(() => new Engine({ memory: false })).to.throw(CacheError, 'leaves nowhere to keep entries')
  })

  it('gives a clock without a monotonic timer the one of the process', () => {
    const { clock } = new Engine({ logger, clock: new FakeClock(5) })
    expect(clock.now()).to.equal(5)
    expect(clock.monotonic()).to.be.closeTo(performance.now(), 50)
  })

  it('invalidates in memory at once, without a promise, and tells of it', () => {
    const engine = new Engine({ logger })
    const seen: unknown[] = []
    engine.events.on('invalidate', (event) => seen.push(event))
    const targets = { tags: ['t:a'], patterns: [], all: false }
    expect(engine.invalidate(targets)).to.include({ ack: 'memory', partitions: 1 })
    expect(seen).to.deep.equal([targets])
    expect(engine.statistics.counters.invalidations).to.equal(1)
  })

  it('runs no more refreshes at the same time than maxOrigin, and counts those it refuses', async () => {
    const engine = new Engine({ logger, maxOrigin: 2 })
    const runs = [pending(), pending(), pending()]
    const started = runs.map(({ promise }) => engine.refresh(() => promise))
    expect(started).to.deep.equal([true, true, false])
    expect(engine.refreshes).to.deep.equal({ limit: 2, current: 2, peak: 2, refused: 1 })
    runs[0]?.resolve()
    runs[1]?.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    expect(engine.refresh(async () => {})).to.equal(true)
    expect(engine.refreshes).to.deep.equal({ limit: 2, current: 1, peak: 2, refused: 1 })
    expect(engine.statistics.counters.refreshes).to.equal(3)
  })

  it('turns a refresh that fails into an event', async () => {
    const engine = new Engine({ logger })
    const seen: unknown[] = []
    engine.events.on('error', (event) => seen.push(event))
    const run = pending()
    engine.refresh(() => run.promise)
    const cause = new Error('no database')
    run.reject(cause)
    await new Promise((resolve) => setImmediate(resolve))
    expect(seen).to.deep.equal([{ where: 'refresh', cause }])
    expect(engine.refreshes.current).to.equal(0)
    expect(engine.statistics.counters.errors).to.equal(1)
  })

  it('ends what was begun on top of it before its stores, and tells of what could not be ended', async () => {
    const engine = new Engine({ logger })
    const seen: unknown[] = []
    engine.events.on('error', (event) => seen.push(event))
    const order: string[] = []
    const cause = new Error('stuck')
    engine.onClose(async () => void order.push('begun'))
    engine.onClose(() => Promise.reject(cause))
    const takeBack = engine.onClose(async () => void order.push('taken back'))
    takeBack()
    const { store } = engine
    const close = store.close.bind(store)
    store.close = () => {
      order.push('store')
      return close()
    }
    await engine.close()
    expect(order).to.deep.equal(['begun', 'store'])
    expect(seen).to.deep.equal([{ where: 'close', cause }])
  })

  it('counts and tells outcomes', () => {
    const engine = new Engine({ logger })
    engine.report('k', { hit: true })
    const seen: unknown[] = []
    engine.events.on('outcome', (event) => seen.push(event))
    engine.report(undefined, { hit: false, forward: 'bypass' })
    expect(seen).to.deep.equal([{ key: undefined, outcome: { hit: false, forward: 'bypass' } }])
    expect(engine.statistics.counters).to.include({ hits: 1, bypassed: 1 })
  })
})
