import type { IncomingMessage } from 'node:http'
import { expect } from 'chai'
import type { Handler } from '../support/app.ts'
import { closeSites, until } from '../support/site.ts'
import { type Call, controlled, openScene, type Scene } from '../vectors/scene.ts'

const FRESH = 'max-age=60'
const MODIFIED = 'Mon, 02 Nov 2026 10:00:00 GMT'
const CONDITIONS = { 'If-None-Match': '"mine"', 'If-Modified-Since': MODIFIED }
const RANGES = { Range: 'bytes=0-1', 'If-Range': '"mine"' }
/** What no cache has any business with. */
const PERSONAL = {
  Authorization: 'Bearer a',
  Cookie: 'sid=1',
  Accept: 'text/html',
  'Accept-Encoding': 'br',
  'Accept-Language': 'de',
  'Early-Data': '1',
}

/** The last run of the handler. */
function lastCall({ calls }: Scene): Call {
  return calls.at(-1) as Call
}

/** Of these fields, what the handler has seen. */
function seen(scene: Scene, names: object): Readonly<Record<string, unknown>> {
  const { headers } = lastCall(scene)
  return Object.fromEntries(Object.keys(names).map((name) => [name, headers[name.toLowerCase()]]))
}

function none(names: object): Readonly<Record<string, undefined>> {
  return Object.fromEntries(Object.keys(names).map((name) => [name, undefined]))
}

describe('table D: what the handler sees of a request', () => {
  afterEach(closeSites)

  /** A middleware behind the cache that changes this request field. */
  const rewriting = (name: string, value: string): Handler => {
    return (req, _res, next) => {
      req.headers[name] = value
      next()
    }
  }

  it('DF-1 + conditions, ranges and Vary are those that arrived, whatever is done to the request behind the cache', async () => {
    const scene = await openScene(controlled(FRESH, { Vary: 'Accept-Language', ETag: '"a"' }), {
      inside: [rewriting('accept-language', 'en'), rewriting('if-none-match', '"a"'), rewriting('range', 'bytes=0-0')],
    })
    const german = { 'Accept-Language': 'de' }
    expect((await scene.get('/a', german)).status).to.equal(200)
    expect((await scene.get('/a', german)).verdict).to.equal('hit')
    expect((await scene.get('/a', { 'Accept-Language': 'en' })).told?.['fwd']).to.equal('vary-miss')
    const other = await openScene(controlled(FRESH, { ETag: '"a"' }), { inside: [rewriting('range', 'bytes=0-0')] })
    expect((await other.get('/a', { Range: 'bytes=0-3' })).text).to.equal('body')
  })

  it('DF-1 - what was done to the request before it came to the cache counts', async () => {
    const scene = await openScene(controlled(FRESH, { Vary: 'Accept-Language' }), {
      above: [rewriting('accept-language', 'en')],
    })
    await scene.get('/a', { 'Accept-Language': 'de' })
    expect((await scene.get('/a', { 'Accept-Language': 'fr' })).verdict).to.equal('hit')
  })

  it('DF-2 + on a miss without conditions and ranges, in every view of the request', async () => {
    const views: unknown[] = []
    const look: Handler = (req, _res, next) => {
      const raw = req.rawHeaders.map((text) => text.toLowerCase())
      views.push(Object.keys({ ...CONDITIONS, ...RANGES }).filter((name) => raw.includes(name.toLowerCase())))
      views.push(Object.keys(req.headersDistinct).filter((name) => name.startsWith('if-') || name === 'range'))
      next()
    }
    const scene = await openScene(controlled(FRESH), { inside: [look] })
    await scene.get('/a', { ...CONDITIONS, ...RANGES })
    expect(seen(scene, { ...CONDITIONS, ...RANGES })).to.deep.equal(none({ ...CONDITIONS, ...RANGES }))
    expect(views).to.deep.equal([[], []])
  })

  it('DF-2 + HEAD without its range, which means nothing there', async () => {
    const scene = await openScene(controlled(FRESH))
    await scene.ask({ method: 'HEAD', headers: RANGES })
    expect(seen(scene, RANGES)).to.deep.equal(none(RANGES))
  })

  it('DF-2 - with them where the cache keeps out of it', async () => {
    const scene = await openScene(controlled(FRESH), { options: { skip: () => true } })
    await scene.get('/a', { ...CONDITIONS, ...RANGES })
    expect(seen(scene, { ...CONDITIONS, ...RANGES })).to.deep.equal({ ...CONDITIONS, ...RANGES })
    await scene.get('/a', { 'If-Match': '"mine"' })
    expect(lastCall(scene).headers['if-match']).to.equal('"mine"')
  })

  it('DF-2 - with the range where the whole would be of no use', async () => {
    const compression: Handler = (_req, res, next) => {
      ;(res as { flush?: () => void }).flush = () => {}
      next()
    }
    const scene = await openScene(controlled(FRESH), { above: [compression] })
    await scene.get('/a', RANGES)
    expect(seen(scene, RANGES)).to.deep.equal(RANGES)
  })

  /** A stale entry with both validators. */
  async function stale(above: readonly Handler[] = []): Promise<Scene> {
    const fields = { ETag: 'W/"a"', 'Last-Modified': 'Mon, 02 Nov 2026 10:00:01 GMT' }
    const scene = await openScene(controlled(FRESH, fields), { above })
    await scene.get()
    scene.pass(70)
    return scene
  }

  it('DF-3 + a validation without no-cache, so that Express can answer 304', async () => {
    const scene = await stale()
    scene.reply({ write: (res) => res.set({ 'Cache-Control': FRESH, ETag: 'W/"a"' }).send('body 1') })
    const answer = await scene.get('/a', { 'Cache-Control': 'no-cache', Pragma: 'no-cache' })
    expect(seen(scene, { 'Cache-Control': '', Pragma: '' })).to.deep.equal(none({ 'Cache-Control': '', Pragma: '' }))
    expect([answer.status, answer.text, answer.told?.['fwd-status']]).to.deep.equal([200, 'body 1', 304])
  })

  it('DF-3 + so, too, where Pragma stands alone', async () => {
    const scene = await stale()
    scene.reply({ write: (res) => res.set({ 'Cache-Control': FRESH, ETag: 'W/"a"' }).send('body 1') })
    await scene.get('/a', { Pragma: 'no-cache' })
    expect(seen(scene, { Pragma: '' })).to.deep.equal(none({ Pragma: '' }))
  })

  it('DF-3 - other directives are passed on', async () => {
    const scene = await stale()
    await scene.get('/a', { 'Cache-Control': 'max-age=0, x=1' })
    expect(lastCall(scene).headers['cache-control']).to.equal('max-age=0, x=1')
  })

  it('DF-3 - no-cache, too, where nothing is validated', async () => {
    const scene = await openScene(controlled(FRESH))
    await scene.get('/a', { 'Cache-Control': 'no-cache' })
    expect(lastCall(scene).headers['cache-control']).to.equal('no-cache')
  })

  it("DF-4 + a validation has the entry's validators in place of the client's", async () => {
    const scene = await stale()
    await scene.get('/a', CONDITIONS)
    expect(seen(scene, CONDITIONS)).to.deep.equal({
      'If-None-Match': 'W/"a"',
      'If-Modified-Since': 'Mon, 02 Nov 2026 10:00:01 GMT',
    })
  })

  it('DF-4 + on a vary-miss the tags of all other variants, and no date', async () => {
    const scene = await openScene(({ headers }) =>
      controlled(FRESH, { Vary: 'A', ETag: `"${String(headers['a'])}"`, 'Last-Modified': MODIFIED }),
    )
    for (const a of ['1', '2', '3']) await scene.get('/a', { A: a })
    const tags = lastCall(scene).headers['if-none-match']?.split(', ')
    expect(tags).to.have.members(['"1"', '"2"'])
    expect(lastCall(scene).headers['if-modified-since']).to.equal(undefined)
  })

  it('DF-4 - without a validator, or on a miss, it has none', async () => {
    const scene = await openScene(controlled(FRESH, { ETag: 'no-tag' }))
    await scene.get()
    scene.pass(61)
    await scene.get()
    expect(seen(scene, CONDITIONS)).to.deep.equal(none(CONDITIONS))
    await scene.get('/b')
    expect(seen(scene, CONDITIONS)).to.deep.equal(none(CONDITIONS))
  })

  it('DF-5 + with who the client is and what it wants, on a miss and in a validation', async () => {
    const scene = await openScene(controlled(`public, ${FRESH}`, { ETag: '"a"' }))
    const expected = { ...PERSONAL, Host: 'shop.example' }
    for (let turn = 0; turn < 2; turn++) {
      await scene.get('/a', PERSONAL)
      expect(seen(scene, expected)).to.deep.equal(expected)
      scene.pass(61)
    }
    expect(scene.calls).to.have.length(2)
  })

  it('DF-5 - a refresh in the background is nobody in particular', async () => {
    const scene = await openScene(controlled(`public, ${FRESH}, stale-while-revalidate=60`))
    await scene.get('/a', PERSONAL)
    scene.pass(61)
    await scene.get('/a', PERSONAL)
    await scene.refreshed()
    expect(lastCall(scene).background).to.equal(true)
    expect(seen(scene, { Authorization: '', Cookie: '', Host: '' })).to.deep.equal({
      Authorization: undefined,
      Cookie: undefined,
      Host: 'shop.example',
    })
  })

  context('when all is over', () => {
    const sent = { ...CONDITIONS, ...RANGES, 'Cache-Control': 'no-cache' }
    /** What a middleware above the cache finds on the request when the response has finished. */
    const finished: IncomingMessage[] = []
    const logger: Handler = (req, res, next) => {
      res.on('finish', () => finished.push(req))
      next()
    }
    beforeEach(() => {
      finished.length = 0
    })

    for (const [what, reply] of Object.entries({
      'a full answer': controlled(FRESH),
      'a 304': { status: 304, fields: { ETag: 'W/"a"' } },
      'an error': { status: 503 },
    })) {
      it(`DF-6 + the request is as it came, after ${what} to a validation`, async () => {
        const scene = await stale([logger])
        scene.reply(reply)
        await scene.get('/a', sent)
        await until(() => finished.length === 2)
        const req = finished[1] as IncomingMessage
        for (const [name, value] of Object.entries(sent)) {
          const lower = name.toLowerCase()
          expect(req.headers[lower], name).to.equal(value)
          expect(req.headersDistinct[lower], name).to.deep.equal([value])
          const at = req.rawHeaders.indexOf(name)
          expect(req.rawHeaders[at + 1], name).to.equal(value)
        }
      })
    }

    it('DF-6 + and after a hit, which has changed nothing', async () => {
      const scene = await openScene(controlled(FRESH), { above: [logger] })
      await scene.get()
      await scene.get('/a', { ...CONDITIONS, ...RANGES })
      await until(() => finished.length === 2)
      expect(finished[1]?.headers['range']).to.equal('bytes=0-1')
    })

    it('DF-6 - while the handler runs it is not', async () => {
      const scene = await stale([logger])
      await scene.get('/a', sent)
      expect(seen(scene, RANGES)).to.deep.equal(none(RANGES))
      await until(() => finished.length === 2)
      expect(finished[1]?.headers['range']).to.equal('bytes=0-1')
    })
  })
})
