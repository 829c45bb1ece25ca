import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { Entry, VariantIndex } from '../../lib/entry.ts'
import { cacheMiddleware } from '../../middleware/index.ts'
import { type Companion, startCompanion } from '../faults/outages/companion.ts'
import type { MemberAnswers, MemberOptions } from '../faults/outages/member.ts'
import { listen, type Running } from '../support/app.ts'
import { type Answer, exchange, openExchange, type RequestShape } from '../support/http-client.ts'
import { Reading } from '../support/reading.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually, isHit } from '../support/sharing.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => void

/** One "process" in front of a handler of its own. */
interface Node extends Running {
  readonly cache: Cache
  readonly calls: number
  get(path?: string, headers?: RequestShape['headers']): Promise<Answer>
}

/** A handler that answers only once it is released. */
class Gate {
  release: () => void = () => {}
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve
  })

  handler(fields: Readonly<Record<string, string>>, body: string): Handler {
    return (_req, res) => {
      for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
      void this.#released.then(() => res.end(body))
    }
  }
}

const PUBLIC = { 'Cache-Control': 'max-age=60' }

for (const [tiers, memory] of [
  ['Redis alone', false],
  ['memory in front of Redis', { maxSize: '10mb' }],
] as const)
  describeWithRedis(`processes with ${tiers} that miss at the same time`, () => {
    let server: RedisServer
    let admin: Redis
    let namespace: string
    let namespaces = 0
    let open: Node[]
    before(async () => {
      server = await startRedis()
      admin = new Redis(server.url)
    })
    after(async () => {
      await admin.quit()
      await server.stop()
    })
    beforeEach(() => {
      namespace = `stampede-${namespaces++}`
      open = []
    })
    afterEach(async () => {
      await Promise.all(open.flatMap(({ cache, close }) => [cache.close(), close()]))
    })

    async function start(handler: Handler): Promise<Node> {
      const cache = createCache({ redis: server.url, namespace, memory, deadlineMs: 2_000, leaseMs: 100 })
      let calls = 0
      const middleware = cacheMiddleware({ cache })
      const running = await listen((req, res) => {
        middleware(req as never, res, () => {
          calls++
          handler(req, res)
        })
      })
      await cache.ready()
      const node = {
        ...running,
        cache,
        get calls() {
          return calls
        },
        get: (path = '/x', headers: RequestShape['headers'] = {}) => exchange(running.port, { path, headers }),
      }
      open.push(node)
      return node
    }

    const leases = (): Promise<string[]> => admin.keys(`{${namespace}:0}:l:*`)

    it('run one handler, and the others get what it stored', async () => {
      const gate = new Gate()
      const a = await start(gate.handler(PUBLIC, 'from a'))
      const others = await Promise.all(['b', 'c', 'd'].map((name) => start(new Gate().handler(PUBLIC, name))))
      const first = a.get()
      await eventually(() => a.calls === 1)
      const waiting = others.map(async (node) => node.get())
      await eventually(() => others.every(({ cache }) => cache.stats().limits.flights.current === 1))
      gate.release()
      const answers = await Promise.all([first, ...waiting])
      expect(answers.map(({ text }) => text)).to.deep.equal(Array(4).fill('from a'))
      expect(others.map(({ calls }) => calls)).to.deep.equal([0, 0, 0])
      expect(answers[1]?.header('cache-status')).to.match(/^cachewell; fwd=uri-miss; ttl=\d+; collapsed/)
      expect(await leases()).to.deep.equal([])
    })

    it('run one handler of half a second for 500 requests at once', async () => {
      const slow: Handler = (_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        setTimeout(() => res.end('made once'), 500)
      }
      const nodes = [await start(slow), await start(slow), await start(slow), await start(slow)] as const
      const answers = await Promise.all(Array.from({ length: 500 }, (_, at) => nodes[(at % 4) as 0].get()))
      expect(new Set(answers.map(({ text }) => text))).to.deep.equal(new Set(['made once']))
      expect(nodes.reduce((sum, { calls }) => sum + calls, 0)).to.equal(1)
    })

    it('share in each what is made there, and what is stored among them', async () => {
      const made: ServerResponse[] = []
      const a = await start((_req, res) => void made.push(res))
      const b = await start(() => {})
      const first = a.get()
      await eventually(() => made.length === 1)
      const near = new Reading(a.port, { path: '/x' })
      await eventually(() => a.cache.stats().limits.waiters.current === 1)
      const far = new Reading(b.port, { path: '/x' })
      await eventually(() => b.cache.stats().limits.flights.current === 1)
      made[0]?.writeHead(200, { ...PUBLIC, 'Content-Length': 10 })
      made[0]?.write('first')
      await near.reaches('first')
      expect(far.begun).to.equal(false)
      made[0]?.end('+last')
      for (const answer of await Promise.all([first, near.end(), far.end()])) expect(answer.text).to.equal('first+last')
      expect([a.calls, b.calls]).to.deep.equal([1, 0])
    })

    it('let nobody begin with what another process has made wrong meanwhile', async () => {
      const made: ServerResponse[] = []
      const a = await start((_req, res) => void made.push(res))
      const b = await start(() => {})
      const first = a.get()
      await eventually(() => made.length === 1)
      const before = new Reading(a.port, { path: '/x' })
      await eventually(() => a.cache.stats().limits.waiters.current === 1)
      made[0]?.writeHead(200, { ...PUBLIC, 'Content-Length': 10 })
      made[0]?.write('first')
      await before.reaches('first')
      await b.cache.invalidate({ urls: ['/x'] })
      const after = a.get()
      await eventually(() => made.length === 2)
      made[1]?.writeHead(200, PUBLIC).end('new')
      expect((await after).text).to.equal('new')
      made[0]?.end('+last')
      expect((await before.end()).text).to.equal('first+last')
      expect((await first).text).to.equal('first+last')
      for (const node of [a, b]) expect((await node.get()).text).to.equal('new')
    })

    it('run one loader, and the others get what it stored', async () => {
      const [a, b] = [await start(() => {}), await start(() => {})]
      let release: (value: string) => void = () => {}
      const slow = a.cache.remember('k', {}, () => new Promise<string>((resolve) => (release = resolve)))
      await eventually(async () => (await leases()).length === 1)
      const other = b.cache.remember('k', {}, () => 'from b')
      await eventually(() => b.cache.stats().limits.flights.current === 1)
      release('from a')
      expect(await Promise.all([slow, other])).to.deep.equal(['from a', 'from a'])
      expect(await leases()).to.deep.equal([])
    })

    it('find what was filled between their look and their turn', async () => {
      const node = await start((_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('once')
      })
      await node.get()
      // As if this look had come before: the claim says that nothing was there.
      const store = node.cache.engine.store
      const [entry] = (await node.cache.entries()).entries
      const { incarnation, seq } = store.ledger(entry?.key ?? '').token
      const claim = { key: entry?.key ?? '', incarnation, seq, seen: undefined }
      expect(await store.acquire(claim)).to.deep.equal({ kind: 'filled', fence: entry?.fence })
      expect(await store.acquire({ ...claim, seen: entry?.fence })).to.include({ kind: 'mine' })
    })

    for (const [what, handler] of [
      ['fails', (_req, res) => void res.writeHead(500).end('no')],
      ['breaks off', (_req, res) => res.destroy()],
      ['makes what is private', (_req, res) => void res.setHeader('Cache-Control', 'private').end('mine')],
    ] as const satisfies readonly (readonly [string, Handler])[]) {
      it(`do not wait for a handler that ${what}, nor share its answer`, async () => {
        const entered: (() => void)[] = []
        const a = await start((req, res) => void entered.push(() => handler(req, res)))
        const b = await start((_req, res) => void res.setHeader('Cache-Control', 'max-age=60').end('from b'))
        const first = a.get().catch(() => undefined)
        await eventually(() => a.calls === 1)
        const second = b.get()
        await eventually(() => b.cache.stats().limits.flights.current === 1)
        expect(b.calls).to.equal(0)
        const releasedAt = performance.now()
        for (const go of entered) go()
        expect((await second).text).to.equal('from b')
        // The lock wait is a second.
        expect(performance.now() - releasedAt).to.be.below(900)
        await first
        expect(b.calls).to.equal(1)
      })
    }

    it('are not serialised for what cannot be shared (hit-for-miss)', async () => {
      const a = await start((_req, res) => void res.setHeader('Cache-Control', 'private').end('a'))
      await a.get()
      await eventually(async () => (await leases()).length === 1)
      const gate = new Gate()
      const b = await start(gate.handler({ 'Cache-Control': 'private' }, 'b'))
      const all = Promise.all(Array.from({ length: 5 }, () => b.get()))
      await eventually(() => b.calls === 5)
      gate.release()
      expect((await all).map(({ text }) => text)).to.deep.equal(Array(5).fill('b'))
      expect(b.cache.stats().limits.flights.current).to.equal(0)
    })

    it('go on when the client of the one that fills has left', async () => {
      const a = await start(() => {})
      const b = await start((_req, res) => void res.setHeader('Cache-Control', 'max-age=60').end('from b'))
      const socket = openExchange(a.port, { path: '/x' })
      await eventually(() => a.calls === 1)
      const second = b.get()
      await eventually(() => b.cache.stats().limits.flights.current === 1)
      socket.destroy()
      expect((await second).text).to.equal('from b')
      await eventually(async () => (await leases()).length === 0)
    })

    it('take over from one that is dead or too slow, whose late fill is refused (I5)', async () => {
      const gate = new Gate()
      const a = await start(gate.handler(PUBLIC, 'late'))
      const b = await start((_req, res) => void res.setHeader('Cache-Control', 'max-age=60').end('newer'))
      const first = a.get()
      await eventually(() => a.calls === 1)
      const startedAt = performance.now()
      expect((await b.get()).text).to.equal('newer')
      expect(performance.now() - startedAt).to.be.within(500, 3_000)
      gate.release()
      expect((await first).text).to.equal('late')
      await eventually(async () => (await leases()).length === 0)
      expect((await a.get()).text).to.equal('newer')
    })

    it('do not wait for a fill from before an invalidation (I23)', async () => {
      const gate = new Gate()
      const a = await start(gate.handler(PUBLIC, 'old'))
      const b = await start((_req, res) => void res.setHeader('Cache-Control', 'max-age=60').end('new'))
      const first = a.get()
      await eventually(() => a.calls === 1)
      await b.cache.invalidate({ urls: ['/x'] })
      const startedAt = performance.now()
      expect((await b.get()).text).to.equal('new')
      expect(performance.now() - startedAt).to.be.below(900)
      gate.release()
      expect((await first).text).to.equal('old')
      for (const node of [a, b]) expect((await node.get()).text).to.equal('new')
    })

    it('refresh what is stale once', async () => {
      const gate = new Gate()
      let isFirst = true
      const handler: Handler = (req, res) => {
        if (!isFirst) return gate.handler(PUBLIC, 'fresh')(req, res)
        isFirst = false
        res.setHeader('Cache-Control', 'max-age=0, stale-while-revalidate=60')
        res.end('stale')
      }
      const [a, b] = [await start(handler), await start(handler)]
      await a.get()
      expect((await a.get()).text).to.equal('stale')
      await eventually(() => a.calls === 2)
      expect((await b.get()).text).to.equal('stale')
      gate.release()
      await eventually(async () => (await b.get()).text === 'fresh')
      expect([a.calls, b.calls]).to.deep.equal([2, 0])
    })

    it('refresh a value that is stale once', async () => {
      const [a, b] = [await start(() => {}), await start(() => {})]
      const options = { ttl: 1, staleWhileRevalidate: '1h' }
      await a.cache.remember('k', options, () => 'stale')
      await eventually(async () => (await a.cache.get('k')) === undefined)
      let release: (value: string) => void = () => {}
      let loads = 0
      const slow = () => new Promise<string>((resolve) => (release = resolve))
      expect(await a.cache.remember('k', options, slow)).to.equal('stale')
      await eventually(async () => (await leases()).length === 1)
      const other = (): number => ++loads
      expect(await b.cache.remember('k', options, other)).to.equal('stale')
      await eventually(() => b.cache.stats().limits.flights.current === 0)
      release('fresh')
      await eventually(async () => (await b.cache.get('k')) === 'fresh')
      expect(loads).to.equal(0)
    })

    it('keep all variants on the index, though they are stored at the same time', async () => {
      const echo: Handler = (req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.setHeader('Vary', 'X-Tenant')
        res.end(req.headers['x-tenant'])
      }
      const nodes = [await start(echo), await start(echo), await start(echo), await start(echo)] as const
      const tenants = Array.from({ length: 16 }, (_, index) => String(index))
      await Promise.all(tenants.map(async (tenant, at) => nodes[(at % 4) as 0].get('/x', { 'X-Tenant': tenant })))
      const { entries } = await nodes[0].cache.entries()
      const key = entries.find(({ kind }) => kind === 'variants')?.key ?? ''
      await eventually(async () => {
        const index = (await nodes[0].cache.engine.store.reread(key)) as Entry<VariantIndex> | undefined
        return index?.value.variants.length === tenants.length
      })
      for (const tenant of tenants) {
        const answer = await nodes[0].get('/x', { 'X-Tenant': tenant })
        expect([answer.text, isHit(answer)]).to.deep.equal([tenant, true])
      }
    })
  })

describeWithRedis('four processes with 500 cold requests at once', () => {
  const members: Companion<MemberAnswers>[] = []
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(async () => {
    await Promise.all(members.map((member) => member.end()))
    await server.stop()
  })

  it('run one handler', async function () {
    this.timeout(30_000)
    // A busy machine must not pass for a Redis that is away.
    const options: MemberOptions = { redis: server.url, ttlMs: 60_000, handlerMs: 500, deadlineMs: 2_000 }
    const file = new URL('../faults/outages/member.ts', import.meta.url)
    members.push(...(await Promise.all(Array.from({ length: 4 }, () => startCompanion<MemberAnswers>(file, options)))))
    const ports = await Promise.all(members.map((member) => member.ask('port')))
    await Promise.all(members.map((member) => member.ask('ready')))
    const ask = (client: number): Promise<Answer> => exchange(ports[client % ports.length] ?? 0, { path: '/hot' })
    const answers = await Promise.all(Array.from({ length: 500 }, (_, client) => ask(client)))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).to.deep.equal(new Set(['200 hot']))
    const runs = await Promise.all(members.map((member) => member.ask('runs')))
    expect(runs.flat()).to.have.length(1)
  })
})
