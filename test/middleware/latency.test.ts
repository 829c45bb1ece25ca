import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { FRAMEWORKS, makeListener } from '../support/app.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Bench, closeSites, makeBench, openSite } from '../support/site.ts'

/** What the handler takes (ms). */
const SLOW = 40
/** What a percentile may be too high by. */
const TOLERANCE = 1 + 1 / 32

/** Stands still altogether. */
class StoppedClock extends FakeClock {
  monotonic(): number {
    return this.now()
  }
}

for (const framework of FRAMEWORKS) {
  describe(`stats().latency in ${framework}`, () => {
    let bench: Bench
    let clock: StoppedClock
    const slow = (): void => clock.advance(SLOW)

    beforeEach(() => {
      clock = new StoppedClock()
      bench = makeBench({ clock, staleWhileRevalidate: '1m' })
    })
    afterEach(closeSites)

    for (const mounting of ['cacheMiddleware', 'withCache'] as const) {
      it(`tells hits from misses behind ${mounting}`, async () => {
        const handler = makeListener(
          framework,
          mounting === 'withCache' ? [] : [cacheMiddleware({ cache: bench.cache })],
          (_req, res) => {
            slow()
            res.end('ok')
          },
        )
        const site = await openSite(mounting === 'withCache' ? withCache(handler, { cache: bench.cache }) : handler)
        await site.get('/a')
        await site.get('/b')
        for (let count = 0; count < 5; count++) await site.get('/a')
        // Neither hit nor miss.
        await site.send({ method: 'POST', path: '/c' })
        await site.get('/d', { Upgrade: 'h2c' })
        const { hit, miss } = bench.cache.stats().latency
        expect([hit.count, miss.count]).to.deep.equal([5, 2])
        expect(hit.p99Ms).to.be.below(0.001)
        for (const percentile of [miss.p50Ms, miss.p95Ms, miss.p99Ms])
          expect(percentile).to.be.within(SLOW, SLOW * TOLERANCE)
      })
    }

    it('does not time a refresh that nobody waits for', async () => {
      const site = await openSite(
        makeListener(framework, [cacheMiddleware({ cache: bench.cache })], (_req, res) => {
          slow()
          res.end('ok')
        }),
      )
      await site.get('/a')
      clock.advance(70_000)
      await site.get('/a')
      const { hit, miss } = bench.cache.stats().latency
      expect([hit.count, miss.count]).to.deep.equal([1, 1])
    })
  })
}
