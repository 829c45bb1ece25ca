import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { Targets } from '../../lib/targets.ts'
import { cacheMiddleware, invalidateMiddleware } from '../../middleware/index.ts'
import { listen, type Running } from '../support/app.ts'
import { type Answer, exchange, type RequestShape } from '../support/http-client.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const POLICY = { ttl: '1h', tags: ['x'] } as const
const WINDOW = { ...POLICY, staleWhileRevalidate: '1h' } as const

describeWithRedis('soft invalidation', function () {
  this.timeout(30_000)
  let server: RedisServer
  let client: Redis
  let namespace: string
  let namespaces = 0
  const open: (Cache | Running)[] = []
  before(async () => {
    server = await startRedis()
    client = new Redis(server.url)
  })
  after(async () => {
    client.disconnect()
    await server.stop()
  })
  beforeEach(() => {
    namespace = `soft-${namespaces++}`
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()))
  })

  const start = async (options: CacheOptions = {}): Promise<Cache> => {
    const logger = { info() {}, warn() {} }
    const cache = createCache({ redis: server.url, namespace, leaseMs: 40, deadlineMs: 5_000, logger, ...options })
    open.push(cache)
    await cache.ready()
    return cache
  }
  const meta = (name: string): string => `{${namespace}:0}:${name}`
  const incarnationOf = ({ engine }: Cache): string => engine.store.ledger('').token.incarnation
  const exists = async (cache: Cache, key: string): Promise<boolean> => cache.exists(key)

  const named: Readonly<Record<string, Targets>> = {
    tag: { tags: ['x'] },
    key: { keys: ['k'] },
    pattern: { pattern: '?' },
    everything: { all: true },
  }
  for (const [what, targets] of Object.entries(named)) {
    it(`by ${what} leaves in every process what a window allows, and nothing fresh`, async () => {
      const caches = [await start(), await start(), await start({ memory: false })]
      const [a] = caches as [Cache]
      await a.remember('k', WINDOW, () => 1)
      for (const cache of caches) await eventually(() => exists(cache, 'k'))
      await a.invalidate(targets, { soft: true })
      caches.push(await start())
      for (const cache of caches) {
        expect(await cache.get('k')).to.equal(undefined)
        // Refused by the loader, so that the next one finds the same.
        const stale = await cache.remember('k', { ...POLICY, staleIfError: '1h' }, () =>
          Promise.reject(new Error('no')),
        )
        expect(stale).to.equal(1)
        expect(await cache.remember('k', WINDOW, () => Promise.reject(new Error('no')))).to.equal(1)
        await expectRejection(cache.remember('k', POLICY, () => Promise.reject(new Error('no'))))
      }
    })
  }

  it('reaches what it names in every partition', async () => {
    const [a, b] = [await start({ partitions: 4 }), await start({ partitions: 4, memory: false })]
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
    for (const key of keys) {
      await a.remember(key, WINDOW, () => 1)
      await eventually(() => exists(b, key))
    }
    await b.invalidate({ tags: ['x'] }, { soft: true })
    for (const key of keys) {
      for (const cache of [a, b]) {
        expect(await cache.get(key)).to.equal(undefined)
        expect(await cache.remember(key, WINDOW, () => Promise.reject(new Error('no')))).to.equal(1)
      }
    }
  })

  it('leaves alone what it does not name', async () => {
    const [a, b] = [await start(), await start()]
    await a.remember('other', { ttl: '1h', tags: ['y'] }, () => 1)
    await a.invalidate({ tags: ['x'], keys: ['k'], pattern: 'k*' }, { soft: true })
    for (const cache of [a, b]) expect(await cache.get('other')).to.equal(1)
  })

  it('is ended by a refresh, which all processes see', async () => {
    const [a, b] = [await start(), await start()]
    await a.remember('k', WINDOW, () => 1)
    await eventually(() => exists(b, 'k'))
    await a.invalidate({ tags: ['x'] }, { soft: true })
    expect(await b.remember('k', WINDOW, () => 2)).to.equal(1)
    await eventually(async () => (await b.get('k')) === 2)
    await eventually(async () => (await a.remember('k', WINDOW, () => 2)) === 2)
  })

  it('keeps a fill that it overtakes, as stale as it is', async () => {
    const [a, b] = [await start(), await start()]
    let answer = (): void => {}
    const filling = a.remember('k', WINDOW, async () => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return 1
    })
    await eventually(() => a.stats().limits.flights.current === 1)
    await sleep(20)
    await b.invalidate({ tags: ['x'] }, { soft: true })
    const late = b.remember('k', POLICY, () => 2)
    answer()
    expect([await filling, await late]).to.deep.equal([1, 2])
    const kept = await start()
    await eventually(async () => (await kept.get('k')) === 2)
  })

  it('does not let those who come later wait for a run that began before', async () => {
    const cache = await start()
    const held = new Promise<number>((resolve) => {
      setTimeout(resolve, 300, 1)
    })
    const first = cache.remember('k', POLICY, () => held)
    await sleep(20)
    await cache.invalidate({ tags: ['x'] }, { soft: true })
    expect(await cache.remember('k', POLICY, () => 2)).to.equal(2)
    expect(await first).to.equal(1)
  })

  it('is overruled by one that is not soft', async () => {
    const [a, b] = [await start(), await start()]
    await a.remember('k', WINDOW, () => 1)
    await b.invalidate({ tags: ['x'] }, { soft: true })
    await b.invalidate({ tags: ['x'] })
    for (const cache of [a, b])
      await expectRejection(cache.remember('k', WINDOW, () => Promise.reject(new Error('no'))))
  })

  for (const key of ['s', 'n', 'b'] as const) {
    it(`that Redis has forgotten (${key} deleted) leaves nothing at all`, async () => {
      const a = await start()
      await a.remember('k', WINDOW, () => 1)
      await eventually(() => exists(a, 'k'))
      await a.invalidate({ tags: ['x'], pattern: 'k' }, { soft: true })
      await client.del(meta(key))
      const late = await start()
      // Its heartbeat tells the other one.
      await eventually(async () => incarnationOf(late) === incarnationOf(a))
      for (const cache of [a, late])
        await expectRejection(cache.remember('k', WINDOW, () => Promise.reject(new Error('no'))))
    })
  }

  it('says since when, so that windows are counted from the first time', async () => {
    const [a] = [await start()]
    await a.remember('k', WINDOW, () => 1)
    await eventually(() => exists(a, 'k'))
    const before = Date.now()
    for (let time = 0; time < 3; time++) {
      await a.invalidate({ tags: ['x'] }, { soft: true })
      await sleep(300)
    }
    const late = await start()
    const { entries } = await late.entries()
    // The page judges what the mirror knows; a read asks Redis.
    expect(entries).to.have.length(1)
    const found = await late.engine.store.get(entries[0]?.key ?? '')
    expect(found?.staleAt).to.be.within(before - 300, before + 250)
  })

  it('never leaves anything fresh behind, whatever is lost', async () => {
    const caches = [await start(), await start(), await start({ memory: false })]
    const keys = ['a', 'b', 'c'] as const
    const truth = { a: 0, b: 0, c: 0 }
    const promised = { a: 0, b: 0, c: 0 }
    const stale: string[] = []
    let stopped = false
    let [reads, acknowledged] = [0, 0]
    const read = async (reader: number): Promise<void> => {
      for (let turn = reader; !stopped; turn++) {
        const [key, cache] = [keys[turn % 3] as 'a', caches[(turn * 7) % 3] as Cache]
        const atLeast = promised[key]
        const policy = { ttl: '1h', tags: [`tag ${key}`] }
        const load = async (): Promise<number> => {
          const value = truth[key]
          await sleep(turn % 4)
          return value
        }
        const found = turn % 4 === 0 ? await cache.remember(key, policy, load) : await cache.get<number>(key)
        reads++
        if (found !== undefined && found < atLeast) stale.push(`${key}: ${found} after ${atLeast} was acknowledged`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const write = async (): Promise<void> => {
      for (let turn = 0; !stopped; turn++) {
        const [key, cache] = [keys[turn % 3] as 'a', caches[(turn * 5) % 3] as Cache]
        const value = ++truth[key]
        const targets = [{ tags: [`tag ${key}`] }, { keys: [key] }, { pattern: key }, { all: true }][
          turn % 4
        ] as Targets
        await cache.invalidate(targets, { soft: true }).then(
          () => {
            promised[key] = value
            acknowledged++
          },
          () => {},
        )
        await sleep(turn % 15)
      }
    }
    const work = [write(), ...Array.from({ length: 6 }, (_, reader) => read(reader))]
    for (const lost of ['s', 'c', 'n', 'b', 'i', 'v', 's']) {
      await sleep(200)
      await client.del(meta(lost))
    }
    await sleep(200)
    stopped = true
    await Promise.all(work)
    expect(stale).to.deep.equal([])
    expect(reads).to.be.greaterThan(500)
    expect(acknowledged).to.be.greaterThan(20)
  })

  describe('of responses', () => {
    let asked: (string | undefined)[]
    let version: number
    const startApp = async (): Promise<Running & { send(shape: RequestShape): Promise<Answer> }> => {
      const cache = await start()
      const serve = cacheMiddleware({ cache, ttl: '1h', tags: (req) => [req.url?.slice(1).split('?')[0] ?? ''] })
      const soften = invalidateMiddleware({ cache, tags: ['swr', 'plain', 'validated'], soft: true })
      const running = await listen((req, res) => {
        serve(req as never, res, () => {
          if (req.method === 'POST') return soften(req as never, res, () => res.end())
          asked.push(req.headers['if-none-match'])
          if (req.url === '/swr') res.setHeader('Cache-Control', 'max-age=3600, stale-while-revalidate=3600')
          if (req.url === '/validated') {
            res.setHeader('ETag', '"same"')
            if (req.headers['if-none-match'] === '"same"') res.statusCode = 304
          }
          return res.end(String(version))
        })
      })
      open.push(running)
      return { ...running, send: (shape) => exchange(running.port, shape) }
    }
    beforeEach(() => {
      asked = []
      version = 1
    })

    it('lets them be served stale, refreshed or validated, by the writer and others', async () => {
      const [a, b] = [await startApp(), await startApp()]
      for (const path of ['/swr', '/plain', '/validated']) {
        await a.send({ path })
        await eventually(async () => (await b.send({ path })).header('cache-status')?.includes('; hit') === true)
      }
      version = 2
      asked = []
      await a.send({ method: 'POST', path: '/write' })
      const served = await b.send({ path: '/swr' })
      expect(served.text).to.equal('1')
      expect(served.header('cache-status')).to.include('; hit; ttl=-').and.include('detail=swr')
      expect((await b.send({ path: '/plain' })).text).to.equal('2')
      expect((await b.send({ path: '/validated' })).header('x-cache')).to.equal('REVALIDATED')
      expect(asked).to.include('"same"')
      for (const node of [a, b]) await eventually(async () => (await node.send({ path: '/swr' })).text === '2')
    })
  })
})

async function expectRejection(promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    () => 'served',
    (error: unknown) => (error instanceof Error ? error.message : 'odd'),
  )
  expect(outcome).to.equal('no')
}
