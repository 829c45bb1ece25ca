import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { type Handler, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

describe('what an answer says of entries beside the one that was asked about', () => {
  let bench: Bench
  let calls: number
  beforeEach(() => {
    bench = makeBench()
    calls = 0
  })
  afterEach(closeSites)

  const start = (handler: Handler): Promise<Site> =>
    openSite(makeListener('node:http', [cacheMiddleware({ cache: bench.cache, profile: 'rfc' })], handler))

  /** Two entries that a request for German selects: one that varies, and a newer one that does not, with the same tag. */
  const twice: Handler = (req, res) => {
    const call = ++calls
    res.setHeader('ETag', '"v"')
    res.setHeader('Cache-Control', call === 2 ? 'max-age=1000' : 'max-age=10')
    if (call !== 2) res.setHeader('Vary', 'Accept-Language')
    res.setHeader('X-Call', call)
    if (req.headers['if-none-match'] === '"v"' && call > 2) {
      res.statusCode = 304
      res.end()
    } else res.end(`${call}`)
  }

  it('ends those with the same strong tag, which it does not update (VAL-12 a)', async () => {
    const site = await start(twice)
    const german = { 'Accept-Language': 'de' }
    await site.get('/a', german)
    await site.get('/a', { 'Accept-Language': 'en' })
    bench.clock.advance(20_000)
    const confirmed = await site.get('/a', german)
    expect([confirmed.text, confirmed.header('x-call')]).to.deep.equal(['1', '3'])
    // The one without Vary would do for French, with its old fields.
    expect((await site.get('/a', { 'Accept-Language': 'fr' })).header('x-call')).to.equal('4')
  })

  it('ends the one that a client has forced its way past, though nothing of the answer is stored (VAL-14)', async () => {
    const site = await start((_req, res) => {
      const call = ++calls
      res.setHeader('Cache-Control', call === 2 ? 'no-store' : 'max-age=60')
      res.end(`${call}`)
    })
    await site.get('/a')
    await site.get('/a', { 'Cache-Control': 'no-cache', Range: 'bytes=0-0' })
    expect((await site.get('/a')).text).to.equal('3')
  })

  it('ends nothing for a client that wants nothing stored (STO-8)', async () => {
    const site = await start((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end(`${++calls}`)
    })
    await site.get('/a')
    await site.get('/a', { 'Cache-Control': 'no-cache, no-store' })
    expect((await site.get('/a')).text).to.equal('1')
  })
})
