import { setTimeout as sleep } from 'node:timers/promises'
// Its helpers are globals, which are no leak of a test.
import 'bullmq'
import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { CacheError, type CacheErrorCode } from '../../lib/errors.ts'
import { type SaveContext, type WriteBehind, type WriteBehindOptions, writeBehind } from '../../strategies/index.ts'
import { RedisBacklog } from '../../strategies/write-behind/redis-backlog.ts'
import { askRedis } from '../support/ask-redis.ts'
import { ageRegistry } from '../support/redis-registry.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

interface Saved extends SaveContext {
  readonly row: string
  readonly value: unknown
}

type Options = Partial<WriteBehindOptions<string, unknown>>

/** What a test works with: a database that can be told to fail, and what it was asked to save. */
class Bench {
  readonly database = new Map<string, unknown>()
  readonly saved: Saved[] = []
  readonly warnings: string[] = []
  /** Thrown by `save` for a write that it names. */
  failure: ((write: Saved) => Error | undefined) | undefined
  loads = 0
  #held: Promise<void> | undefined
  #release: () => void = () => {}
  readonly #caches: Cache[] = []

  cache(options: CacheOptions): Cache {
    const logger = { info() {}, warn: (message: string) => void this.warnings.push(message) }
    const cache = createCache({ namespace: 'behind', deadlineMs: 1_000, leaseMs: 1_000, logger, ...options })
    this.#caches.push(cache)
    return cache
  }

  open(cache: Cache, options: Options = {}): WriteBehind<string, unknown> {
    return writeBehind<string, unknown>({
      cache,
      name: 'rows',
      key: (row) => `row:${row}`,
      load: (row) => {
        this.loads++
        return this.database.get(row) ?? null
      },
      save: async (row, value, context) => {
        const write = { row, value, ...context }
        this.saved.push(write)
        await this.#held
        const failure = this.failure?.(write)
        if (failure !== undefined) throw failure
        this.database.set(row, value)
      },
      backoffMs: 5,
      ...options,
    })
  }

  /** Nothing that is being saved ends, until `release`. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve
    })
  }

  release(): void {
    this.#release()
    this.#held = undefined
  }

  valuesOf(row: string): readonly unknown[] {
    return this.saved.filter((write) => write.row === row).map(({ value }) => value)
  }

  async close(): Promise<void> {
    this.release()
    await Promise.all(this.#caches.map((cache) => cache.close()))
  }
}

/** The code with which it rejects. */
async function refusal(work: Promise<unknown>): Promise<CacheErrorCode | undefined> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (error !== undefined && !(error instanceof CacheError)) throw error
  return error?.code
}

/** What holds wherever the queue is. */
function itQueues(options: () => CacheOptions): void {
  let bench: Bench
  let cache: Cache
  beforeEach(async () => {
    bench = new Bench()
    cache = bench.cache(options())
    await cache.ready()
  })
  afterEach(() => bench.close())

  it('answers a write at once, and saves it', async () => {
    const rows = bench.open(cache)
    bench.hold()
    await rows.write('a', 1)
    expect(await rows('a')).to.equal(1)
    expect(bench.database.get('a')).to.equal(undefined)
    bench.release()
    expect(await rows.drain()).to.equal(true)
    expect(bench.database.get('a')).to.equal(1)
    expect(bench.loads).to.equal(0)
  })

  it('reads what is queued before the database, when the cache has lost it', async () => {
    const rows = bench.open(cache)
    bench.database.set('a', 'old')
    bench.hold()
    await rows.write('a', 'new')
    await rows.write('a', 'newest')
    await rows.forget('a')
    expect(await rows('a')).to.equal('newest')
    bench.release()
    await rows.drain()
    await rows.forget('a')
    expect([await rows('a'), bench.loads]).to.deep.equal(['newest', 1])
  })

  it('saves the writes of a key in their order, however they fail, while other keys go on', async () => {
    const rows = bench.open(cache)
    let left = 3
    bench.failure = ({ row, value }) => (row === 'a' && value === 0 && left-- > 0 ? new Error('not yet') : undefined)
    for (let value = 0; value < 5; value++) {
      await rows.write('a', value)
      await rows.write('b', value)
    }
    expect(await rows.drain()).to.equal(true)
    expect(bench.valuesOf('a')).to.deep.equal([0, 0, 0, 0, 1, 2, 3, 4])
    expect(bench.valuesOf('b')).to.deep.equal([0, 1, 2, 3, 4])
    const first = bench.saved.filter(({ row, value }) => row === 'a' && value === 0)
    expect(first.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4])
    expect(new Set(first.map(({ id }) => id)).size).to.equal(1)
  })

  it('lets another key be saved while one rests', async () => {
    const rows = bench.open(cache, { backoffMs: 60_000, concurrency: 1, drainMs: 20 })
    bench.failure = ({ row }) => (row === 'a' ? new Error('no') : undefined)
    await rows.write('a', 1)
    await eventually(() => bench.valuesOf('a').length === 1)
    await rows.write('b', 1)
    await eventually(() => bench.database.get('b') === 1)
    expect(bench.valuesOf('a')).to.deep.equal([1])
  })

  it('takes writes of one key in the order in which they were asked for', async () => {
    const rows = bench.open(cache)
    const values = Array.from({ length: 30 }, (_, value) => value)
    await Promise.all(values.map((value) => rows.write('a', value)))
    expect(await rows('a')).to.equal(29)
    await rows.drain()
    expect(bench.valuesOf('a')).to.deep.equal(values)
  })

  it('gives each write a greater version, and names it in save', async () => {
    const rows = bench.open(cache)
    const written = [await rows.write('a', 1), await rows.write('b', 2), await rows.write('a', 3)]
    const versions = written.map(({ version }) => version)
    expect(versions).to.deep.equal([...new Set(versions)].toSorted((a, b) => a - b))
    await rows.drain()
    const saved = bench.saved.map(({ id, version }) => ({ id, version }))
    expect(saved).to.have.deep.members(written)
  })

  it('puts aside what cannot be saved, goes on with the key, and answers what the database has', async () => {
    const rows = bench.open(cache, { attempts: 3 })
    const errors: unknown[] = []
    cache.on('error', ({ cause }) => errors.push(cause))
    const failure = new Error('constraint')
    bench.failure = ({ value }) => (value === 'bad' ? failure : undefined)
    await rows.write('a', 'good')
    const { id, version } = await rows.write('a', 'bad')
    expect(await rows.drain()).to.equal(true)
    expect(bench.valuesOf('a')).to.deep.equal(['good', 'bad', 'bad', 'bad'])
    const [{ failedAt, ...letter } = { failedAt: '' }, ...others] = await rows.deadLetters()
    const described = { key: 'row:a', args: 'a', value: 'bad', error: 'constraint', attempts: 3 }
    expect(letter).to.deep.equal({ id, version, ...described })
    expect(Math.abs(Date.parse(failedAt) - Date.now())).to.be.below(60_000)
    expect(others).to.deep.equal([])
    expect(errors).to.deep.equal([failure])
    expect(bench.warnings.filter((warning) => warning.includes('dead letter'))).to.have.length(1)
    await eventually(async () => (await rows('a')) === 'good')
    await rows.write('a', 'next')
    await rows.drain()
    expect(bench.database.get('a')).to.equal('next')
  })

  it('saves a dead letter when it is replayed, and answers it from then on', async () => {
    const rows = bench.open(cache, { attempts: 1 })
    bench.failure = () => new Error('away')
    const { id } = await rows.write('a', 1)
    await rows.drain()
    bench.failure = undefined
    bench.hold()
    expect(await rows.replay(id)).to.equal('queued')
    expect(await rows('a')).to.equal(1)
    bench.release()
    expect(await rows.drain()).to.equal(true)
    expect([bench.database.get('a'), await rows.deadLetters(), (await rows.stats()).current]).to.deep.equal([1, [], 0])
    expect(new Set(bench.saved.map((write) => write.id))).to.deep.equal(new Set([id]))
    expect(await rows.replay(id)).to.equal('unknown')
  })

  it('does not replay what a later write has overtaken, be it saved, queued or dead', async () => {
    const rows = bench.open(cache, { attempts: 1 })
    bench.failure = ({ value }) => (String(value).startsWith('bad') ? new Error('no') : undefined)
    const early = await rows.write('a', 'bad 1')
    const late = await rows.write('a', 'bad 2')
    await rows.drain()
    expect(await rows.replay(early.id)).to.equal('overtaken')
    await rows.write('a', 'good')
    await rows.drain()
    expect([await rows.replay(early.id), await rows.replay(late.id)]).to.deep.equal(['overtaken', 'overtaken'])
    expect([await rows('a'), (await rows.deadLetters()).length]).to.deep.equal(['good', 2])
    expect([await rows.discard(early.id), await rows.discard(early.id)]).to.deep.equal([true, false])
    expect(await rows.replay(late.id)).to.equal('overtaken')
    await rows.discard(late.id)
    // Of what is not there any more nothing is remembered.
    const again = await rows.write('a', 'bad 3')
    await rows.drain()
    expect(await rows.replay(again.id)).to.equal('queued')
  })

  it('shows dead letters a page at a time', async () => {
    const rows = bench.open(cache, { attempts: 1 })
    bench.failure = () => new Error('no')
    for (const row of ['a', 'b', 'c']) await rows.write(row, row)
    await rows.drain()
    const first = await rows.deadLetters({ limit: 2 })
    const rest = await rows.deadLetters({ limit: 2, after: String(first.at(-1)?.id) })
    expect([...first, ...rest].map(({ args }) => args)).to.deep.equal(['a', 'b', 'c'])
  })

  it('refuses more writes than it may hold, dead letters included, and drops nothing', async () => {
    const rows = bench.open(cache, { maxQueued: 3, attempts: 1 })
    bench.failure = ({ value }) => (value === 'bad' ? new Error('no') : undefined)
    await rows.write('a', 'bad')
    await rows.drain()
    bench.hold()
    await rows.write('a', 1)
    await rows.write('b', 2)
    expect(await refusal(rows.write('c', 3))).to.equal('ERR_CACHE_QUEUE_FULL')
    expect(await rows.stats()).to.include({ limit: 3, current: 3, peak: 3, refused: 1, deadLetters: 1 })
    expect(await rows('c')).to.equal(null)
    bench.release()
    await rows.drain()
    await rows.write('c', 3)
    await rows.drain()
    expect([...bench.database]).to.have.deep.members([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
  })

  it('refuses more bytes than it may hold', async () => {
    const rows = bench.open(cache, { maxQueuedSize: '1kb' })
    bench.hold()
    await rows.write('a', 'x'.repeat(600))
    expect(await refusal(rows.write('b', 'x'.repeat(600)))).to.equal('ERR_CACHE_QUEUE_FULL')
    bench.release()
    await rows.drain()
    await rows.write('b', 'x'.repeat(600))
    await rows.drain()
    expect((await rows.stats()).bytes).to.equal(0)
  })

  it('saves what is queued when it is closed, a write under way included, and takes no more', async () => {
    const rows = bench.open(cache)
    const writing = Array.from({ length: 20 }, (_, index) => rows.write(`r${index % 4}`, index))
    await Promise.all([rows.close(), ...writing])
    for (const row of [0, 1, 2, 3]) {
      expect(bench.valuesOf(`r${row}`)).to.deep.equal([0, 4, 8, 12, 16].map((value) => row + value))
    }
    expect(await refusal(rows.write('a', 1))).to.equal('ERR_CACHE_CLOSED')
  })

  it('is closed with its cache', async () => {
    const rows = bench.open(cache)
    await rows.write('a', 1)
    await cache.close()
    expect(bench.database.get('a')).to.equal(1)
  })

  it('waits for what cannot be saved no longer than it is told to', async () => {
    const rows = bench.open(cache, { drainMs: 50, backoffMs: 60_000 })
    bench.failure = () => new Error('away')
    await rows.write('a', 1)
    expect(await rows.drain({ timeoutMs: 30 })).to.equal(false)
    await rows.close()
    expect(bench.valuesOf('a')).to.deep.equal([1])
  })

  it('is not held up at its end by a save that hangs', async () => {
    const rows = bench.open(cache, { drainMs: 20 })
    bench.hold()
    await rows.write('a', 1)
    await eventually(() => bench.saved.length === 1)
    await rows.close()
  })

  it('saves, and reads from the queue, whatever the cache can keep', async () => {
    const rows = bench.open(cache)
    const values: readonly unknown[] = [{ list: [1, null] }, 'text', Buffer.from('bytes'), new Float32Array([0.5, 2])]
    bench.hold()
    for (const [index, value] of values.entries()) await rows.write(`r${index}`, value)
    for (const [index, value] of values.entries()) {
      await rows.forget(`r${index}`)
      expect(await rows(`r${index}`)).to.deep.equal(value)
    }
    bench.release()
    await rows.drain()
    for (const [index, value] of values.entries()) expect(bench.database.get(`r${index}`)).to.deep.equal(value)
  })

  it('writes values by the serializer of the cache', async () => {
    const serializer = {
      stringify: (value: unknown) => `[${String((value as Date).getTime())}]`,
      parse: (text: string) => new Date(Number(text.slice(1, -1))),
    }
    const rows = bench.open(bench.cache({ ...options(), serializer }))
    const [saved, dead] = [new Date(0), new Date(1)]
    bench.failure = ({ value }) => ((value as Date).getTime() === 1 ? new Error('no') : undefined)
    await rows.write('a', saved)
    await rows.drain()
    expect(bench.database.get('a')).to.deep.equal(saved)
    const strict = bench.open(bench.cache({ ...options(), serializer }), { name: 'strict', attempts: 1 })
    await strict.write('b', dead)
    await strict.drain()
    expect((await strict.deadLetters()).map(({ value }) => value)).to.deep.equal([dead])
  })

  it('refuses what has no JSON form', async () => {
    const rows = bench.open(cache)
    const write = rows.write('a', { amount: 1n })
    const error = await write.catch((cause: unknown) => cause)
    expect(error).to.be.instanceOf(CacheError)
    expect(String(error)).to.include('"row:a"')
    expect(await refusal(rows.write('a', undefined))).to.equal('ERR_CACHE_BAD_OPTION')
    expect((await rows.stats()).current).to.equal(0)
  })

  it('gives its values tags and lifetimes', async () => {
    const rows = bench.open(cache, { ttl: '10s', tags: (row) => [`tag:${row}`] })
    await rows.write('a', 1)
    await rows.drain()
    expect(await cache.ttl('row:a')).to.be.within(9, 10)
    bench.database.set('a', 2)
    await cache.invalidate({ tags: ['tag:a'] })
    expect(await rows('a')).to.equal(2)
  })

  it('lets a failed load reach its callers', async () => {
    const failure = new Error('away')
    const load = (): never => {
      throw failure
    }
    const rows = bench.open(cache, { load })
    expect(await rows('a').catch((cause: unknown) => cause)).to.equal(failure)
  })
}

describe('writeBehind', function () {
  this.timeout(30_000)

  context('without Redis', () => {
    itQueues(() => ({}))

    it('says that its queue is not durable', async () => {
      const bench = new Bench()
      bench.open(bench.cache({}))
      expect(bench.warnings.join()).to.match(/without Redis the queue of rows is in the memory/)
      await bench.close()
    })

    it('says how many writes end with it', async () => {
      const bench = new Bench()
      const rows = bench.open(bench.cache({}), { drainMs: 10, backoffMs: 60_000 })
      bench.failure = () => new Error('away')
      await rows.write('a', 1)
      await bench.close()
      expect(bench.warnings.at(-1)).to.match(/1 writes of rows are lost/)
    })
  })

  describeWithRedis('with Redis', () => {
    let server: RedisServer
    let namespaces = 0
    before(async () => {
      server = await startRedis()
    })
    after(() => server.stop())
    beforeEach(() => {
      namespaces++
      return askRedis(server.port, (client) => ageRegistry(client, `{behind${namespaces}:0}:r`))
    })

    const shared = (): CacheOptions => ({ redis: server.url, namespace: `behind${namespaces}` })
    itQueues(shared)

    context('in several processes', () => {
      let bench: Bench
      beforeEach(() => {
        bench = new Bench()
      })
      afterEach(() => bench.close())

      it('queues in one what another one saves, and reads there what is queued', async () => {
        const [web, job] = [bench.cache(shared()), bench.cache(shared())]
        const writer = bench.open(web, { worker: false })
        await writer.write('a', 1)
        await sleep(50)
        expect(bench.saved).to.deep.equal([])
        const saver = bench.open(job)
        bench.hold()
        expect(await saver('a')).to.equal(1)
        await writer.write('a', 2)
        expect(await saver('a')).to.equal(2)
        bench.release()
        expect(await writer.drain()).to.equal(true)
        expect(bench.valuesOf('a')).to.deep.equal([1, 2])
      })

      it('has the newest write in the cache, whoever wrote last', async () => {
        const patterns = [0, 1, 2].map(() => bench.open(bench.cache(shared())))
        const written = await Promise.all(
          Array.from({ length: 60 }, async (_, value) => {
            const { version } = await (patterns[value % 3] as WriteBehind<string, unknown>).write('a', value)
            return { version, value }
          }),
        )
        const { value: newest } = written.reduce((a, b) => (a.version > b.version ? a : b))
        for (const read of patterns) expect(await read('a')).to.equal(newest)
        await patterns[0]?.drain()
        const inOrder = written.toSorted((a, b) => a.version - b.version).map(({ value }) => value)
        expect(bench.valuesOf('a')).to.deep.equal(inOrder)
        for (const read of patterns) expect(await read('a')).to.equal(newest)
      })

      it('saves what a process has queued that died before it could say so', async () => {
        const cache = bench.cache(shared())
        const rows = bench.open(cache)
        await rows.ready()
        const annex = cache.engine.redis?.annex('write-behind:rows')
        if (annex === undefined) throw new Error('no Redis')
        const limits = { maxQueued: 10, maxQueuedSize: 1_000 }
        const backlog = new RedisBacklog({ name: 'rows', annex, timeoutMs: 1_000, ...limits })
        await backlog.push('row:a', '{"args":"a","value":1}')
        expect(await rows.drain()).to.equal(true)
        expect(bench.database.get('a')).to.equal(1)
      })
    })

    context('on a server of its own', () => {
      let own: RedisServer
      let bench: Bench
      beforeEach(() => {
        bench = new Bench()
      })
      afterEach(async () => {
        await bench.close()
        await own.stop()
      })

      it('refuses a Redis that may evict what it has acknowledged, for as long as it may', async () => {
        own = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
        const rows = bench.open(bench.cache({ redis: own.url }))
        expect(await refusal(rows.ready())).to.equal('ERR_CACHE_EVICTION_POLICY')
        expect(await refusal(rows.write('a', 1))).to.equal('ERR_CACHE_EVICTION_POLICY')
        expect(bench.warnings.filter((warning) => warning.includes('allkeys-lru'))).to.have.length(1)
        await askRedis(own.port, (client) => client.config('SET', 'maxmemory-policy', 'volatile-lfu'))
        await rows.write('a', 1)
        expect(await rows.drain()).to.equal(true)
      })

      for (const [appendOnly, warned] of [
        ['no', 1],
        ['yes', 0],
      ] as const) {
        it(`says ${warned === 0 ? 'nothing' : 'what may be lost'} with appendonly ${appendOnly}`, async () => {
          own = await startRedis({ args: ['--appendonly', appendOnly] })
          const rows = bench.open(bench.cache({ redis: own.url }))
          await rows.ready()
          expect(bench.warnings.filter((warning) => warning.includes('append-only'))).to.have.length(warned)
        })
      }

      it('asks for the policy by CONFIG where INFO is not allowed, and says so where neither is', async () => {
        own = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lfu'] })
        const allow = (...rules: readonly string[]): Promise<unknown> =>
          askRedis(own.port, (client) => client.acl('SETUSER', 'u', 'on', 'nopass', '~*', '&*', '+@all', ...rules))
        const redis = { host: '127.0.0.1', port: own.port, username: 'u', password: 'any', enableReadyCheck: false }
        await allow('-info')
        expect(await refusal(bench.open(bench.cache({ redis })).ready())).to.equal('ERR_CACHE_EVICTION_POLICY')
        await allow('-info', '-config')
        await bench.open(bench.cache({ redis })).ready()
        expect(bench.warnings.filter((warning) => warning.includes('neither INFO nor CONFIG'))).to.have.length(1)
      })

      it('rejects writes while Redis is away, reads the database, and goes on when it is back', async () => {
        own = await startRedis({ args: ['--appendonly', 'yes'] })
        const cache = bench.cache({ redis: own.url, deadlineMs: 500 })
        const rows = bench.open(cache, {
          load: async (row) => {
            bench.loads++
            await sleep(50)
            return bench.database.get(row)
          },
        })
        await rows.write('a', 1)
        await rows.drain()
        bench.failure = () => new Error('away, too')
        await rows.write('b', 2)
        await own.kill9()
        const sentAt = performance.now()
        expect(await refusal(rows.write('a', 3))).to.equal('ERR_CACHE_UNCONFIRMED')
        expect(performance.now() - sentAt).to.be.below(10_000)
        expect(await rows('a')).to.equal(1)
        bench.database.set('d', 5)
        const loads = bench.loads
        expect(await Promise.all([rows('d'), rows('d'), rows('d')])).to.deep.equal([5, 5, 5])
        expect(bench.loads - loads).to.equal(1)
        bench.failure = undefined
        await own.restart()
        await eventually(async () => (await refusal(rows.write('c', 4))) === undefined)
        await eventually(() => bench.database.get('b') === 2 && bench.database.get('c') === 4)
      })
    })
  })

  const good = { cache: createCache(), name: 'n', key: () => 'k', load: () => 1, save: () => {} }
  const refused: readonly [unknown, RegExp][] = [
    [undefined, /writeBehind: cache/],
    [{ ...good, cache: undefined }, /writeBehind: cache/],
    [{ ...good, name: '' }, /writeBehind: name/],
    [{ ...good, key: undefined }, /writeBehind: key/],
    [{ ...good, load: undefined }, /writeBehind: load/],
    [{ ...good, save: undefined }, /writeBehind: save/],
    [{ ...good, attempts: 0 }, /writeBehind: attempts/],
    [{ ...good, maxQueued: 0 }, /writeBehind: maxQueued/],
    [{ ...good, maxQueuedSize: '1' }, /writeBehind: maxQueuedSize/],
    [{ ...good, backoffMs: '5' }, /writeBehind: backoffMs/],
    [{ ...good, key: async () => 'k' }, /writeBehind: key is an async function/],
    [{ ...good, retries: 1 }, /unknown option "retries"/],
  ]
  for (const [options, message] of refused) {
    it(`refuses wrong options at construction (${message.source})`, () => {
      expect(() => writeBehind(options as WriteBehindOptions<string, number>)).to.throw(CacheError, message)
    })
  }
})
