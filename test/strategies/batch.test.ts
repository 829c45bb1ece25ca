import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { defineStrategy, type Strategy } from '../../strategies/index.ts'
import { askRedis } from '../support/ask-redis.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

interface Rows {
  readonly row: number
}

const rows: Strategy<Rows, { readonly rowChanged: number }> = defineStrategy<Rows, { readonly rowChanged: number }>({
  name: 'rows',
  entities: { row: { ttl: '10m', stale: '10m', by: 'id', tags: (id) => [`row:${id}`] } },
  events: { rowChanged: (id) => [`row:${id}`] },
})

/** Rows over a cache, and the calls of their loader. */
function bind(cache: Cache, bring = (ids: readonly number[]): readonly unknown[] => ids.map((id) => `row ${id}`)) {
  const calls: (readonly number[])[] = []
  const bound = rows({
    cache,
    loadMany: {
      row: async (ids) => {
        calls.push(ids)
        return bring(ids)
      },
    },
  })
  return { ...bound, calls }
}

/** What is promised of loading several, on any cache. */
function loadsTogether(makeCache: () => Promise<Cache>): void {
  let cache: Cache
  beforeEach(async () => {
    cache = await makeCache()
  })
  afterEach(() => cache.close())

  it('brings what many() misses in one call, in order', async () => {
    const { row, calls } = bind(cache)
    await row(2)
    expect(await row.many([3, 2, 1, 3])).to.deep.equal(['row 3', 'row 2', 'row 1', 'row 3'])
    expect(calls).to.deep.equal([[2], [3, 1]])
    expect(await row.many([3, 2, 1])).to.deep.equal(['row 3', 'row 2', 'row 1'])
    expect(calls).to.have.length(2)
  })

  it('brings hundreds in one call', async () => {
    const { row, calls } = bind(cache)
    const ids = Array.from({ length: 500 }, (_, id) => id)
    expect(await row.many(ids)).to.deep.equal(ids.map((id) => `row ${id}`))
    expect(calls).to.deep.equal([ids])
  })

  it('brings what the calls of one turn miss in one call', async () => {
    const { row, calls } = bind(cache)
    expect(await Promise.all([row(1), row(2), row(1)])).to.deep.equal(['row 1', 'row 2', 'row 1'])
    expect(calls).to.deep.equal([[1, 2]])
    await new Promise(setImmediate)
    await row(3)
    expect(calls).to.deep.equal([[1, 2], [3]])
  })

  it('does not keep the others waiting for one that is held up', async () => {
    const gate: { open?(): void } = {}
    const { row, calls } = bind(cache)
    const held = cache.remember('rows:row:1:v1', {}, async () => {
      await new Promise<void>((resolve) => {
        gate.open = resolve
      })
      return 'held'
    })
    while (gate.open === undefined) await new Promise(setImmediate)
    const first = row(1)
    expect(await row.many([2, 3])).to.deep.equal(['row 2', 'row 3'])
    expect(calls).to.deep.equal([[2, 3]])
    gate.open()
    expect([await held, await first]).to.deep.equal(['held', 'held'])
  })

  it('gives each its own failure and keeps the others', async () => {
    const { row, calls } = bind(cache, (ids) => ids.map((id) => (id === 2 ? new Error(`no row ${id}`) : id)))
    const settled = await Promise.allSettled([row(1), row(2), row(3)])
    expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).to.deep.equal([
      1,
      'Error: no row 2',
      3,
    ])
    const error = await row.many([1, 2, 3]).catch((caught: unknown) => caught)
    expect(String(error)).to.equal('Error: no row 2')
    expect(calls).to.deep.equal([[1, 2, 3], [2]])
  })

  it('passes the failure of the whole call to each', async () => {
    const { row } = bind(cache, () => {
      throw new Error('database away')
    })
    const settled = await Promise.allSettled([row(1), row(2)])
    expect(settled.map((one) => one.status === 'rejected' && String(one.reason))).to.deep.equal([
      'Error: database away',
      'Error: database away',
    ])
  })

  it('does not keep what is not there', async () => {
    const { row, calls } = bind(cache, (ids) => ids.map((id) => (id === 2 ? undefined : id)))
    expect(await row.many([1, 2])).to.deep.equal([1, undefined])
    expect(await row.many([1, 2])).to.deep.equal([1, undefined])
    expect(calls).to.deep.equal([[1, 2], [2]])
  })

  for (const [brought, message] of [
    [[1], /rows:row: loadMany brought 1 values for 2 arguments/],
    [[1, 2, 3], /rows:row: loadMany brought 3 values for 2 arguments/],
    [{ 1: 'a', 2: 'b' }, /rows:row: what loadMany brought: an object/],
  ] as const) {
    it(`refuses ${JSON.stringify(brought)} for two rows, because nothing says which is whose`, async () => {
      const { row } = bind(cache, () => brought as unknown as readonly unknown[])
      const settled = await Promise.allSettled([row(1), row(2)])
      for (const one of settled) {
        expect(one.status === 'rejected' && (one.reason as unknown)).to.be.instanceOf(CacheError)
        expect(one.status === 'rejected' && String(one.reason)).to.match(message)
      }
    })
  }

  it('refuses arguments that name nothing, without a load', async () => {
    const { row, calls } = bind(cache)
    const settled = await Promise.allSettled([row(1), row(Number.NaN), row.many('1' as never)])
    expect(settled.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'rejected'])
    expect(calls).to.deep.equal([[1]])
  })
}

describe('loading several over memory', () => {
  loadsTogether(async () => createCache())

  it('refreshes what is stale in one call', async () => {
    let now = 1_700_000_000_000
    const cache = createCache({ clock: { now: () => now } })
    const { row, calls } = bind(cache)
    await row.many([1, 2, 3])
    now += 11 * 60_000
    expect(await row.many([1, 2, 3])).to.deep.equal(['row 1', 'row 2', 'row 3'])
    while (calls.length === 1) await new Promise(setImmediate)
    expect(calls).to.deep.equal([
      [1, 2, 3],
      [1, 2, 3],
    ])
    await cache.close()
  })
})

describeWithRedis('loading several over a real Redis', () => {
  let redis: RedisServer
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function connected(options: { readonly memory?: false } = {}): Promise<Cache> {
    const cache = createCache({ redis: redis.url, namespace: 'batch', deadlineMs: 1_000, ...options })
    await cache.ready()
    await cache.invalidate({ all: true })
    return cache
  }

  loadsTogether(() => connected())

  it('reads all that many() asks for with one MGET', async () => {
    const cache = await connected({ memory: false })
    const { row } = bind(cache)
    await row.many([1, 2, 3])
    for (const id of [1, 2, 3]) while (!(await cache.exists(`rows:row:${id}:v1`))) await new Promise(setImmediate)
    await askRedis(redis.port, (client) => client.config('RESETSTAT'))
    expect(await row.many([1, 2, 3])).to.deep.equal(['row 1', 'row 2', 'row 3'])
    const stats = await askRedis(redis.port, (client) => client.info('commandstats'))
    expect(stats).to.match(/cmdstat_mget:calls=1,/)
    await cache.close()
  })
})
