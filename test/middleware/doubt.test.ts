import type { ServerResponse } from 'node:http'
import { expect } from 'chai'
import sinon from 'sinon'
import { TURN_WAIT_MS } from '../../lib/lease.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { makeListener } from '../support/app.ts'
import { Reading } from '../support/reading.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

const PUBLIC = { 'Cache-Control': 'max-age=60' }

describe('requests whose read is not answered', () => {
  /** Monotonic ms; each read that fails takes one. */
  let elapsed: number
  let bench: Bench
  let site: Site
  let made: ServerResponse[]
  /** Called for each request that is to share a run. */
  let shared: sinon.SinonSpy

  beforeEach(async () => {
    elapsed = 0
    made = []
    bench = makeBench({ clock: { now: () => Date.now(), monotonic: () => elapsed } })
    const cached = cacheMiddleware({ cache: bench.cache, headers: 'standard' })
    site = await openSite(makeListener('node:http', [cached], (_req, res) => void made.push(res)))
  })
  afterEach(async () => {
    sinon.restore()
    await closeSites()
    await bench.cache.close()
  })

  /** From now on reads are as of a Redis that does not answer. */
  const silence = (): void => {
    const { store, responses } = bench.cache.engine
    shared = sinon.spy(responses, 'awaitFirst')
    sinon.stub(store, 'peek').returns(undefined)
    sinon.stub(store, 'get').callsFake(async (key) => {
      store.ledger(key).doubt(++elapsed)
      return undefined
    })
  }
  const waiters = (): number => bench.cache.stats().limits.waiters.current
  const texts = async (asks: readonly ReturnType<Site['get']>[]): Promise<string[]> =>
    (await Promise.all(asks)).map(({ text }) => text)
  /** A run of before, and 200 who may not use it. */
  const begin = async (): Promise<{ first: ReturnType<Site['get']>; late: ReturnType<Site['get']>[] }> => {
    const first = site.get('/a')
    await until(() => made.length === 1)
    silence()
    const late = Array.from({ length: 200 }, () => site.get('/a'))
    await until(() => waiters() === 200 || made.length > 1)
    expect(made).to.have.length(1)
    return { first, late }
  }

  it('share one run after the one that they may not use', async () => {
    const { first, late } = await begin()
    made[0]?.end('old')
    await until(() => made.length > 2 || shared.callCount === 199)
    made[1]?.end('new')
    expect(await texts([first])).to.deep.equal(['old'])
    expect(made).to.have.length(2)
    expect(new Set(await texts(late))).to.deep.equal(new Set(['new']))
  })

  it('share it whoever else is not answered meanwhile; that one takes the next', async () => {
    const { late } = await begin()
    elapsed += 10
    made[0]?.end('old')
    await until(() => made.length === 2)
    const latest = site.get('/a')
    await until(() => waiters() === 200)
    made[1]?.end('new')
    expect(new Set(await texts(late))).to.deep.equal(new Set(['new']))
    await until(() => made.length === 3)
    made[2]?.end('newest')
    expect(await texts([latest])).to.deep.equal(['newest'])
  })

  it('do not wait long for the end of a run that they may not use', async () => {
    const { first, late } = await begin()
    elapsed += TURN_WAIT_MS
    await until(() => made.length > 2 || shared.callCount === 199)
    made[1]?.end('new')
    expect(made).to.have.length(2)
    expect(new Set(await texts(late))).to.deep.equal(new Set(['new']))
    made[0]?.end('old')
    expect(await texts([first])).to.deep.equal(['old'])
  })

  it('do not begin with a response that is being made by a run of before', async () => {
    const first = site.get('/a')
    await until(() => made.length === 1)
    silence()
    made[0]?.writeHead(200, { ...PUBLIC, 'Content-Length': 6 }).write('old')
    const late = new Reading(site.port, { path: '/a' })
    await until(() => waiters() === 1)
    made[0]?.end('old')
    await until(() => made.length === 2)
    expect(late.begun).to.equal(false)
    made[1]?.writeHead(200, PUBLIC).end('new')
    expect((await late.end()).text).to.equal('new')
    expect((await first).text).to.equal('oldold')
  })

  it('wait for nothing after an invalidation: the first begins anew, and the others share that', async () => {
    const first = site.get('/a')
    await until(() => made.length === 1)
    await bench.cache.invalidate({ urls: ['/a'] })
    const late = Array.from({ length: 20 }, () => site.get('/a'))
    await until(() => made.length === 2 && waiters() === 19)
    made[1]?.end('new')
    expect(new Set(await texts(late))).to.deep.equal(new Set(['new']))
    made[0]?.end('old')
    expect(await texts([first])).to.deep.equal(['old'])
    expect(made).to.have.length(2)
  })
})
