import { expect } from 'chai'
import * as devalue from 'devalue'
import type { Cache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { type CacheUnderTest, codeOf, makeGate } from '../contracts/values.contract.ts'
import { askRedis } from '../support/ask-redis.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { freshNamespace, serviceOn } from '../support/service-on-redis.ts'
import { eventually } from '../support/sharing.ts'
import { until } from '../support/site.ts'

/** Short enough to wait for (ms). */
const SHORT_MS = 60

describeWithRedis('processes that share a Redis', () => {
  let server: RedisServer
  let namespace: string
  const open: Cache[] = []
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(() => {
    namespace = freshNamespace()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((cache) => cache.close()))
  })

  const start = async (options: CacheOptions = {}): Promise<CacheUnderTest> => {
    const started = await serviceOn({ redis: server.url, namespace, ...options })
    open.push(started.cache)
    return started
  }
  const leases = (): Promise<string[]> => askRedis(server.port, (client) => client.keys(`{${namespace}:0}:l:*`))
  const isIdle = ({ cache }: CacheUnderTest): boolean => cache.stats().limits.refreshes.current === 0

  it('refresh ahead once among them, and all have what it brought', async () => {
    const options = { ttl: '100s', refreshAhead: 0.5 }
    const nodes = await Promise.all([start(), start(), start()])
    let calls = 0
    const load = async (): Promise<number> => ++calls
    for (const { cache } of nodes) for (let read = 0; read < 5; read++) await cache.remember('k', options, load)
    expect(calls).to.equal(1)
    for (const { clock } of nodes) clock.advance(60_000)
    await Promise.all(nodes.map(({ cache }) => cache.remember('k', options, load)))
    await until(() => nodes.every(isIdle))
    expect(calls).to.equal(2)
    // Whoever was not the one finds it at its next look.
    for (const { clock } of nodes) clock.advance(1_000)
    for (const { cache } of nodes) await cache.remember('k', options, load)
    await until(() => nodes.every(isIdle))
    for (const { cache } of nodes) expect(await cache.get('k')).to.equal(2)
    expect(calls).to.equal(2)
  })

  it('give the right to load back when nobody waits any more', async () => {
    const [a, b] = [await start(), await start()]
    const gate = makeGate<number>()
    expect(await codeOf(a.cache.remember('k', { hardTimeoutMs: SHORT_MS }, gate.loader))).to.equal(
      'ERR_CACHE_LOADER_TIMEOUT',
    )
    await eventually(async () => (await leases()).length === 0)
    expect(await b.cache.remember('k', {}, () => 2)).to.equal(2)
    gate.open(1)
    await new Promise((resolve) => setTimeout(resolve, SHORT_MS))
    for (const { cache } of [a, b]) expect(await cache.get('k')).to.equal(2)
  })

  it('do not let those wait for longer than they said who wait for another process', async () => {
    const [a, b] = [await start(), await start()]
    const gate = makeGate<number>()
    const first = a.cache.remember('k', {}, gate.loader)
    await until(() => gate.calls === 1)
    const other = makeGate<number>()
    expect(await codeOf(b.cache.remember('k', { hardTimeoutMs: SHORT_MS }, other.loader))).to.equal(
      'ERR_CACHE_LOADER_TIMEOUT',
    )
    expect(other.calls).to.equal(0)
    gate.open(1)
    expect(await first).to.equal(1)
  })

  it('do not remember that there was nothing beyond a write of another one', async () => {
    const [a, b] = [await start(), await start()]
    const options = { negativeTtl: '1h', tags: ['users'] }
    expect(await a.cache.remember('k', options, () => undefined)).to.equal(undefined)
    expect(await a.cache.remember('k', options, () => 1)).to.equal(undefined)
    await b.cache.invalidate({ tags: ['users'] })
    expect(await a.cache.remember('k', options, () => 1)).to.equal(1)
  })

  it('find the late tags and windows of each other', async () => {
    const [a, b] = [await start(), await start({ memory: false })]
    await a.cache.remember('k', {}, (load) => {
      load.ttl('1s').staleIfError('1h').tag('late')
      return 1
    })
    b.clock.advance(5_000)
    const fail = (): Promise<number> => Promise.reject(new Error('no database'))
    expect(await b.cache.remember('k', {}, fail)).to.equal(1)
    await b.cache.invalidate({ tags: ['late'] })
    expect(await codeOf(a.cache.remember('k', {}, fail))).to.equal(undefined)
  })

  it('miss, with an event, what a serializer has written that they have not, and read what JSON has', async () => {
    const [plain, rich] = [await start(), await start({ serializer: devalue, memory: false })]
    await rich.cache.set('rich', new Map([[1, 2]]))
    await plain.cache.set('plain', { n: 1 })
    const causes: string[] = []
    plain.cache.on('error', ({ cause }) => causes.push(String(cause)))
    expect(await plain.cache.get('rich')).to.equal(undefined)
    expect(causes).to.have.length(1)
    expect(causes[0]).to.include('"rich" was written by a serializer, and this cache has none')
    expect(await rich.cache.get('plain')).to.deep.equal({ n: 1 })
    expect(await plain.cache.remember('rich', {}, () => 'loaded')).to.equal('loaded')
    expect(await rich.cache.get('rich')).to.equal('loaded')
  })

  it('use nothing that is remembered of loaders, and run them, while Redis is away', async () => {
    const own = await startRedis()
    const { cache } = await start({ redis: own.url, deadlineMs: 100 })
    const options = { negativeTtl: '1h' }
    await cache.remember('k', options, () => undefined)
    await own.stop()
    expect(await cache.remember('k', options, () => 1)).to.equal(1)
    expect(await cache.set('k', new Float32Array(1))).to.equal(false)
  })
})
