import { expect } from 'chai'
import type { Handler } from '../support/app.ts'
import { closeSites } from '../support/site.ts'
import { httpDate, openScene, type ReplyFields } from '../vectors/scene.ts'
import { fateOf } from './rows.ts'

const TARGETS = ['X-Cache-Control', 'Y-Cache-Control']

/** How many seconds the answer with these fields is fresh; undefined where it is not kept. */
async function seconds(fields: ReplyFields, above: readonly Handler[] = []): Promise<unknown> {
  const scene = await openScene({ fields }, { options: { targets: TARGETS }, above })
  const { told } = await scene.get()
  return told?.['stored'] === true ? told['ttl'] : undefined
}

describe('table P: which policy governs?', () => {
  afterEach(closeSites)

  it('DP-1 + the first valid field of the list governs, and Cache-Control and Expires do not exist', async () => {
    const hidden = { 'Cache-Control': 'no-store, private, max-age=1', Expires: '0' }
    expect(await seconds({ ...hidden, 'X-Cache-Control': 'max-age=60' })).to.equal(60)
    expect(await seconds({ ...hidden, 'Y-Cache-Control': 'max-age=70' })).to.equal(70)
    const both = { 'Y-Cache-Control': 'no-store', 'X-Cache-Control': 'max-age=60' }
    expect(await seconds({ ...hidden, ...both })).to.equal(60)
    expect(await seconds({ 'Cache-Control': 'max-age=60', 'X-Cache-Control': 'no-store' })).to.equal(undefined)
  })

  it('DP-1 - a field that is empty, malformed or not on the list governs nothing', async () => {
    const visible = { 'Cache-Control': 'max-age=5' }
    for (const value of ['', 'Max-Age=60', 'max-age = 60', 'max-age=60,']) {
      expect(await seconds({ ...visible, 'X-Cache-Control': value }), value).to.equal(5)
    }
    expect(await seconds({ ...visible, 'X-Cache-Control': '&', 'Y-Cache-Control': 'max-age=70' })).to.equal(70)
    expect(await seconds({ ...visible, 'Z-Cache-Control': 'no-store' })).to.equal(5)
  })

  it('DP-2 + Cache-Control, all lines of it, governs, with Expires where it gives no lifetime', async () => {
    expect(await seconds({ 'Cache-Control': ['public', 'max-age=60'] })).to.equal(60)
    expect(await seconds({ 'Cache-Control': ['max-age=60', 'no-store'] })).to.equal(undefined)
    const expires = httpDate(Date.UTC(2026, 10, 20, 12, 0, 40))
    expect(await seconds({ 'Cache-Control': 'public', Expires: expires })).to.equal(40)
    expect(await seconds({ Expires: expires })).to.equal(40)
  })

  it('DP-2 - Expires is no fallback beside max-age or under a targeted field', async () => {
    const expires = httpDate(Date.UTC(2026, 10, 20, 12, 0, 40))
    expect(await seconds({ 'Cache-Control': 'max-age=60', Expires: expires })).to.equal(60)
    expect(await seconds({ 'X-Cache-Control': 'public', Expires: expires })).to.equal(undefined)
  })

  it('DP-3 + the head counts before hop-by-hop fields are removed, and with the fields of outer middlewares', async () => {
    const scene = await openScene({ fields: { Connection: 'close, Cache-Control', 'Cache-Control': 'no-store' } })
    expect(await fateOf(scene)).to.deep.equal({ kept: false, rule: 'DS-12' })
    const outer: Handler = (_req, res, next) => {
      res.setHeader('Cache-Control', 'no-store')
      next()
    }
    expect(await seconds({ Expires: httpDate(Date.UTC(2026, 10, 20, 13)) }, [outer])).to.equal(undefined)
    expect(await seconds({ Connection: 'close, Cache-Control', 'Cache-Control': 'max-age=60' })).to.equal(60)
  })

  it('DP-3 - a field of an outer middleware that the handler has replaced does not count', async () => {
    const outer: Handler = (_req, res, next) => {
      res.setHeader('Cache-Control', 'no-store')
      next()
    }
    expect(await seconds({ 'Cache-Control': 'max-age=60' }, [outer])).to.equal(60)
  })
})
