import type { ServerResponse } from 'node:http'
import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { FRAMEWORKS, makeListener } from '../support/app.ts'
import { openExchange } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site, until } from '../support/site.ts'

for (const framework of FRAMEWORKS) {
  describe(`many requests for one URL on ${framework}`, () => {
    let bench: Bench
    let waiting: ServerResponse[]

    beforeEach(() => {
      bench = makeBench()
      waiting = []
    })
    afterEach(closeSites)

    /** An application whose handler answers when it is told to. */
    function start(options: CacheMiddlewareOptions = {}): Promise<Site> {
      const cached = cacheMiddleware({ cache: bench.cache, headers: 'standard', ...options })
      return openSite(makeListener(framework, [cached], (_req, res) => void waiting.push(res)))
    }

    const waiters = (): number => bench.outcomes.length
    /** Let the requests that were sent reach the cache. */
    const arrived = async (site: Site, count: number): Promise<void> => {
      const connections = (): Promise<number> =>
        new Promise((resolve) => site.server.getConnections((_error, open) => resolve(open)))
      while ((await connections()) < count) await new Promise((resolve) => setImmediate(resolve))
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    }

    it('runs the handler once for 500, the others collapsed', async () => {
      // A busy machine may take longer to bring them all than anybody waits.
      bench = makeBench({ clock: { now: () => Date.UTC(2026, 10, 20, 12), monotonic: () => 0 } })
      const site = await start()
      const asks = Array.from({ length: 500 }, () => site.get('/a'))
      await arrived(site, 500)
      expect(waiting).to.have.length(1)
      waiting[0]?.end('shared')
      const answers = await Promise.all(asks)
      expect(new Set(answers.map((answer) => answer.text))).to.deep.equal(new Set(['shared']))
      const told = answers.map((answer) => answer.header('cache-status'))
      expect(told.filter((text) => text === 'cachewell; fwd=uri-miss; ttl=60; collapsed')).to.have.length(499)
      expect(told.filter((text) => text === 'cachewell; fwd=uri-miss; ttl=60; stored')).to.have.length(1)
      expect(waiters()).to.equal(500)
    })

    it('runs a handler of half a second once for 500', async () => {
      const cached = cacheMiddleware({ cache: bench.cache })
      let calls = 0
      const site = await openSite(
        makeListener(framework, [cached], (_req, res) => {
          calls++
          setTimeout(() => res.end('made once'), 500)
        }),
      )
      const answers = await Promise.all(Array.from({ length: 500 }, () => site.get('/a')))
      expect(new Set(answers.map(({ text }) => text))).to.deep.equal(new Set(['made once']))
      expect(calls).to.equal(1)
    })

    it('keeps and shares what was sent, whatever the handler does with its buffer afterwards', async () => {
      const site = await start()
      const asks = [site.get('/a'), site.get('/a'), site.get('/a')]
      await arrived(site, 3)
      const scratch = Buffer.from('as it was sent')
      waiting[0]?.end(scratch)
      scratch.fill('!')
      for (const answer of await Promise.all(asks)) expect(answer.text).to.equal('as it was sent')
      expect((await site.get('/a')).text).to.equal('as it was sent')

      const alone = site.get('/b')
      await until(() => waiting.length === 2)
      const other = Buffer.from('as it was sent')
      waiting[1]?.end(other)
      other.fill('!')
      await alone
      expect((await site.get('/b')).text).to.equal('as it was sent')
    })

    it('gives each its own answer, and its own cookie, where it may not be shared', async () => {
      const site = await start()
      const asks = Array.from({ length: 50 }, () => site.get('/a'))
      await arrived(site, 50)
      expect(waiting).to.have.length(1)
      const answer = (res: ServerResponse, index: number): void => {
        res.setHeader('Set-Cookie', `sid=${index}`)
        res.end(String(index))
      }
      answer(waiting[0] as ServerResponse, 0)
      await until(() => waiting.length === 50)
      waiting.slice(1).forEach((res, index) => answer(res, index + 1))
      const answers = await Promise.all(asks)
      expect(new Set(answers.map((one) => one.header('set-cookie')))).to.have.property('size', 50)
      for (const one of answers) expect(one.header('set-cookie')).to.equal(`sid=${one.text}`)
    })

    it('does not let later ones wait where answers could not be shared lately', async () => {
      const site = await start()
      const first = site.get('/a')
      await until(() => waiting.length === 1)
      waiting[0]?.writeHead(200, { 'Cache-Control': 'private' }).end()
      await first
      const asks = Array.from({ length: 5 }, () => site.get('/a'))
      await until(() => waiting.length === 6)
      for (const res of waiting.slice(1)) res.end()
      await Promise.all(asks)
    })

    for (const [name, headers] of Object.entries({
      'with a cookie': { Cookie: 'a=1' },
      'with no-store': { 'Cache-Control': 'no-store' },
    })) {
      it(`still collapses after a request ${name}`, async () => {
        const site = await start()
        const first = site.get('/a', headers)
        await until(() => waiting.length === 1)
        waiting[0]?.end('own')
        await first
        const asks = Array.from({ length: 20 }, () => site.get('/a'))
        await arrived(site, 20)
        expect(waiting).to.have.length(2)
        waiting[1]?.end('shared')
        await Promise.all(asks)
      })

      it(`does not let a request ${name} lead or follow`, async () => {
        const site = await start()
        const asks = [site.get('/a', headers)]
        await until(() => waiting.length === 1)
        asks.push(site.get('/a'))
        await until(() => waiting.length === 2)
        asks.push(site.get('/a', headers))
        await until(() => waiting.length === 3)
        for (const res of waiting) res.end('x')
        await Promise.all(asks)
      })
    }

    it('lets a range lead and follow: the whole is fetched once, each gets its part (RNG-20, COL-3)', async () => {
      const site = await start()
      const asks = [site.get('/a', { Range: 'bytes=0-0' })]
      await until(() => waiting.length === 1)
      asks.push(site.get('/a'), site.get('/a', { Range: 'bytes=1-2' }))
      await arrived(site, 3)
      waiting[0]?.end('own')
      expect((await Promise.all(asks)).map((one) => [one.status, one.text])).to.deep.equal([
        [206, 'o'],
        [200, 'own'],
        [206, 'wn'],
      ])
      expect(waiting).to.have.length(1)
    })

    it('lets the next one lead when the client of the leader leaves', async () => {
      const site = await start()
      const leader = openExchange(site.port, { path: '/a' })
      await until(() => waiting.length === 1)
      const asks = Array.from({ length: 10 }, () => site.get('/a'))
      await arrived(site, 11)
      leader.destroy()
      await until(() => waiting.length === 2)
      waiting[1]?.end('second')
      for (const answer of await Promise.all(asks)) expect(answer.text).to.equal('second')
      expect(waiting).to.have.length(2)
    })

    it('sends everybody on when the leader grows too large', async () => {
      const site = await start({ maxBodySize: 10 })
      const asks = Array.from({ length: 5 }, () => site.get('/a'))
      await arrived(site, 5)
      waiting[0]?.write('more than ten bytes')
      await until(() => waiting.length === 5)
      for (const res of waiting) res.end('end')
      expect((await Promise.all(asks)).map((answer) => answer.text.endsWith('end'))).to.deep.equal(Array(5).fill(true))
    })

    it('does not let HEAD wait for anything but what is stored', async () => {
      const site = await start()
      const get = site.get('/a')
      await until(() => waiting.length === 1)
      const head = site.send({ method: 'HEAD', path: '/a' })
      await until(() => waiting.length === 2)
      for (const res of waiting) res.end('x')
      await Promise.all([get, head])
    })

    it('answers the condition of one that waited', async () => {
      const site = await start()
      const asks = [site.get('/a')]
      await until(() => waiting.length === 1)
      asks.push(site.get('/a', { 'If-None-Match': '"v1"' }))
      await arrived(site, 2)
      waiting[0]?.writeHead(200, { ETag: '"v1"' }).end('x')
      expect((await Promise.all(asks)).map((answer) => answer.status)).to.deep.equal([200, 304])
    })

    it('sends variants on that the leader does not answer', async () => {
      const site = await start()
      const asks = ['de', 'fr', 'de'].map((language) => site.get('/a', { 'Accept-Language': language }))
      await arrived(site, 3)
      const answer = (res: ServerResponse): void => {
        res.setHeader('Vary', 'Accept-Language')
        res.end(res.req.headers['accept-language'])
      }
      answer(waiting[0] as ServerResponse)
      await until(() => waiting.length === 2)
      answer(waiting[1] as ServerResponse)
      expect((await Promise.all(asks)).map((one) => one.text)).to.deep.equal(['de', 'fr', 'de'])
      expect(waiting).to.have.length(2)
    })

    it('waits no longer than the lock wait for a handler that does not answer', async () => {
      const site = await start()
      const first = site.get('/a')
      await until(() => waiting.length === 1)
      const begun = performance.now()
      const second = site.get('/a')
      await until(() => waiting.length === 2)
      expect(performance.now() - begun).to.be.within(900, 1_500)
      waiting[1]?.end('second')
      expect((await second).text).to.equal('second')
      expect((await site.get('/a')).text).to.equal('second')
      waiting[0]?.end('first')
      await first
      expect((await site.get('/a')).text).to.be.oneOf(['first', 'second'])
    })
  })
}
