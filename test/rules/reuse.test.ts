import { expect } from 'chai'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import type { RequestShape } from '../support/http-client.ts'
import { closeSites } from '../support/site.ts'
import { controlled, httpDate, openScene, type ReplyFields, type Scene } from '../vectors/scene.ts'
import { lastOutcome } from './rows.ts'

const FRESH = 'max-age=60'
const QUERY = { method: 'QUERY', headers: { 'Content-Type': 'text/plain' }, body: 'q' } as const
const SAFE: CacheMiddlewareOptions = { profile: 'safe' }
const BEARER = { Authorization: 'Bearer a' }

/** A scene with one entry under `/a` that says this, so many seconds old. */
async function aged(
  control: string,
  seconds = 0,
  { fields = {}, options = {} }: { readonly fields?: ReplyFields; readonly options?: CacheMiddlewareOptions } = {},
): Promise<Scene> {
  const scene = await openScene(controlled(control, fields), { options })
  await scene.get()
  scene.pass(seconds)
  return scene
}

/** Who answers this, why it was forwarded where it was, and the row that said so. */
async function judged(scene: Scene, shape: RequestShape = {}): Promise<string> {
  const { told } = await scene.ask(shape)
  const { rule } = lastOutcome(scene)
  const how = told?.['hit'] === true ? 'hit' : `fwd=${String(told?.['fwd'])}`
  return `${how} ${rule}`
}

/** The same for a plain GET with this `Cache-Control`. */
function judgedWith(scene: Scene, control: string): Promise<string> {
  return judged(scene, { headers: { 'Cache-Control': control } })
}

describe('table B: may a stored response answer this request?', () => {
  afterEach(closeSites)

  for (const [what, shape] of Object.entries({
    'content on a GET': { body: 'q=1' },
    'If-Match': { headers: { 'If-Match': '"a"' } },
    'If-Unmodified-Since': { headers: { 'If-Unmodified-Since': httpDate(0) } },
    'an upgrade': { headers: { Upgrade: 'h2c' } },
    'a method override': { headers: { 'X-HTTP-Method-Override': 'DELETE' } },
    'what skip keeps out': { headers: { 'X-Skip': '1' } },
  }) as [string, RequestShape][]) {
    it(`DR-1 + ${what} bypasses what is stored, and leaves it there`, async () => {
      const scene = await aged(FRESH, 0, { options: { skip: (req) => req.headers['x-skip'] === '1' } })
      expect(await judged(scene, shape)).to.equal('fwd=bypass DR-1')
      expect(scene.calls).to.have.length(2)
      expect(await judged(scene)).to.equal('hit DR-15')
    })
  }

  it('DR-1 - an empty content and other conditions do not bypass', async () => {
    const scene = await aged(FRESH)
    for (const headers of [{ 'Content-Length': '0' }, { 'If-None-Match': '"a"' }, { 'X-Skip': '1' }]) {
      expect(await judged(scene, { headers })).to.equal('hit DR-15')
    }
  })

  for (const method of ['POST', 'PUT', 'DELETE', 'PURGE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    it(`DR-2 + ${method} is never answered from what is stored`, async () => {
      const scene = await aged(FRESH)
      // Table C has the last word where the method is unsafe.
      const row = ['OPTIONS', 'TRACE', 'PROPFIND'].includes(method) ? 'DR-2' : 'DI-2'
      expect(await judged(scene, { method })).to.equal(`fwd=method ${row}`)
      expect(scene.calls.at(-1)?.method).to.equal(method)
    })
  }

  it('DR-2 - GET and HEAD are', async () => {
    const scene = await aged(FRESH)
    for (const method of ['GET', 'HEAD']) expect(await judged(scene, { method })).to.equal('hit DR-15')
  })

  it('DR-3 + a QUERY whose content is no key bypasses what is stored', async () => {
    const scene = await openScene(controlled(FRESH), { options: { maxBodySize: 100 } })
    await scene.ask(QUERY)
    for (const shape of [
      { method: 'QUERY', body: 'q' },
      { ...QUERY, body: 'q'.repeat(101) },
    ]) {
      expect(await judged(scene, shape)).to.equal('fwd=bypass DR-3')
      expect(scene.calls.at(-1)?.content).to.equal(shape.body)
    }
  })

  it('DR-3 + a QUERY whose content somebody has read already bypasses what is stored', async () => {
    const scene = await openScene(controlled(FRESH), {
      above: [(req, _res, next) => void req.on('data', () => {}).on('end', () => next())],
    })
    for (let turn = 0; turn < 2; turn++) expect(await judged(scene, QUERY)).to.equal('fwd=bypass DR-3')
  })

  it('DR-3 - a QUERY with readable content is answered from what is stored', async () => {
    const scene = await openScene(controlled(FRESH))
    await scene.ask(QUERY)
    expect(await judged(scene, QUERY)).to.equal('hit DR-15')
    expect(scene.calls[0]?.content).to.equal('q')
  })

  it('DR-4 + another target URI is a uri-miss', async () => {
    const scene = await aged(FRESH)
    for (const path of ['/b', '/A', '/a/', '/a?', '/a?x', '/%61']) {
      expect(await judged(scene, { path }), path).to.equal('fwd=uri-miss DR-4')
    }
    for (const host of ['other.example', 'shop.example:8080']) {
      expect(await judged(scene, { headers: { Host: host } }), host).to.equal('fwd=uri-miss DR-4')
    }
  })

  it('DR-4 + a URI that No-Vary-Search does not make equal is a uri-miss, also without the option', async () => {
    const fields = { 'No-Vary-Search': 'params=("utm")' }
    for (const [noVarySearch, path] of [
      [true, '/a?id=2'],
      [false, '/a?id=1&utm=y'],
    ] as const) {
      const scene = await openScene(controlled(FRESH, fields), { options: { noVarySearch } })
      await scene.get('/a?id=1&utm=x')
      expect(await judged(scene, { path })).to.equal('fwd=uri-miss DR-4')
    }
  })

  it('DR-4 - the same URI in another spelling of host and port is no miss', async () => {
    const scene = await aged(FRESH)
    for (const host of ['SHOP.example', 'shop.example:80']) {
      expect(await judged(scene, { headers: { Host: host } }), host).to.equal('hit DR-15')
    }
    expect(await judged(scene, { path: 'http://shop.example/a' })).to.equal('hit DR-15')
  })

  it('DR-4 - a URI that No-Vary-Search makes equal is no miss', async () => {
    const scene = await openScene(controlled(FRESH, { 'No-Vary-Search': 'params=("utm")' }), {
      options: { noVarySearch: true },
    })
    await scene.get('/a?id=1&utm=x')
    for (const path of ['/a?id=1', '/a?utm=z&id=1']) expect(await judged(scene, { path }), path).to.equal('hit DR-15')
  })

  it('DR-5 + what was stored for another method or content is a uri-miss', async () => {
    const scene = await openScene(controlled(FRESH))
    await scene.ask(QUERY)
    for (const shape of [
      { method: 'GET' },
      { method: 'HEAD', path: '/b' },
      { ...QUERY, body: 'r' },
      { ...QUERY, headers: { 'Content-Type': 'text/html' } },
      { ...QUERY, headers: { ...QUERY.headers, 'Content-Language': 'de' } },
    ]) {
      expect(await judged(scene, shape), JSON.stringify(shape)).to.match(/^fwd=uri-miss /)
    }
    expect(await judged(await aged(FRESH), QUERY)).to.match(/^fwd=uri-miss /)
  })

  it('DR-5 - what was stored for GET answers HEAD, and what was stored for POST answers both', async () => {
    expect(await judged(await aged(FRESH), { method: 'HEAD' })).to.equal('hit DR-15')
    const scene = await openScene(controlled(FRESH, { 'Content-Location': '/a' }))
    await scene.ask({ method: 'POST' })
    for (const method of ['GET', 'HEAD']) expect(await judged(scene, { method })).to.equal('hit DR-15')
  })

  it('DR-6 + a variant for others is a vary-miss, and the handler may name another one', async () => {
    const fields = { Vary: 'Accept-Language', ETag: '"de"' }
    const scene = await openScene(controlled(FRESH, fields))
    await scene.get('/a', { 'Accept-Language': 'de' })
    for (const headers of [{}, { 'Accept-Language': '' }, { 'Accept-Language': 'fr' }]) {
      scene.reply(controlled('no-store'))
      expect(await judged(scene, { headers })).to.equal('fwd=vary-miss DR-6')
      expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal('"de"')
    }
    scene.reply({ status: 304, fields: { ETag: '"de"', Vary: 'Accept-Language' } })
    const named = await scene.get('/a', { 'Accept-Language': 'at' })
    expect([named.status, named.text, named.told?.['fwd']]).to.deep.equal([200, 'body 1', 'vary-miss'])
  })

  it('DR-6 - a variant for this client is none, however its field is spelt', async () => {
    const scene = await openScene(controlled(FRESH, { Vary: 'Accept-Language, X-List' }))
    await scene.get('/a', { 'Accept-Language': 'de, en;q=0.5', 'X-List': '1,2' })
    const headers = { 'Accept-Language': 'DE;q=1,EN;q=0.5', 'X-List': '1 , 2' }
    expect(await judged(scene, { headers })).to.equal('hit DR-15')
  })

  context('with several that match', () => {
    /** Two entries that a client with A: 1 and B: 2 may have; the second varies by B. */
    async function pair(second: ReplyFields = {}, control = FRESH): Promise<Scene> {
      const scene = await openScene(controlled('max-age=600', { Vary: 'A', ETag: '"1"' }))
      await scene.get('/a', { A: '1', B: '1' })
      scene.pass(2)
      scene.reply(controlled(control, { Vary: 'B', ETag: '"2"', ...second }))
      await scene.get('/a', { A: '2', B: '2' })
      return scene
    }
    const both = { A: '1', B: '2' }

    it('DR-7 + the newest by its Date is chosen, not the last that came', async () => {
      expect((await (await pair()).get('/a', both)).text).to.equal('body 2')
      const older = await pair({ Date: httpDate(Date.UTC(2026, 10, 20, 11, 59, 50)) })
      expect((await older.get('/a', both)).text).to.equal('body 1')
    })

    it('DR-7 + the choice comes first: an older one is not used because it is fresh', async () => {
      const scene = await pair({}, 'max-age=5')
      scene.pass(10)
      scene.reply(controlled('no-store'))
      expect(await judged(scene, { headers: both })).to.equal('fwd=stale DR-19')
      expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal('"2"')
    })

    it('DR-7 + one that has Vary is preferred to a newer one that has none', async () => {
      const scene = await pair({ Vary: '' })
      expect((await scene.get('/a', both)).text).to.equal('body 1')
      expect((await scene.get('/a', { A: '3' })).text).to.equal('body 2')
    })

    it('DR-7 - one that does not match is not chosen, however new', async () => {
      const scene = await pair()
      expect((await scene.get('/a', { A: '1', B: '9' })).text).to.equal('body 1')
      expect(await judged(scene, { headers: { A: '9', B: '9' } })).to.equal('fwd=vary-miss DR-6')
    })
  })

  it('DR-8 + what was stored for the anonymous is not for credentials, in safe', async () => {
    const scene = await aged(FRESH, 0, { options: SAFE })
    for (const headers of [BEARER, { Cookie: 'sid=1' }]) {
      expect(await judged(scene, { headers })).to.equal('fwd=bypass DR-8')
    }
    expect(await judged(scene)).to.equal('hit DR-15')
  })

  it('DR-8 - what is for everyone is for them, too, and in rfc anything that was stored', async () => {
    for (const [control, options] of [
      ['public, max-age=60', SAFE],
      ['s-maxage=60', SAFE],
      [FRESH, {}],
    ] as const) {
      expect(await judged(await aged(control, 0, { options }), { headers: BEARER }), control).to.equal('hit DR-15')
    }
  })

  it('DR-9 + parts are left out on purpose: none is stored that could answer a part', async () => {
    const scene = await openScene({
      status: 206,
      fields: { 'Cache-Control': FRESH, 'Content-Range': 'bytes 0-1/6', ETag: '"a"' },
      body: 'bo',
    })
    for (const headers of [{ Range: 'bytes=0-1' }, { Range: 'bytes=0-0' }, {}]) {
      expect(await judged(scene, { headers })).to.equal('fwd=uri-miss DR-4')
    }
  })

  it('DR-9 - a whole answers any part of it', async () => {
    const scene = await aged(FRESH)
    for (const range of ['bytes=0-0', 'bytes=3-', 'bytes=0-0,2-2']) {
      expect(await judged(scene, { headers: { Range: range } }), range).to.equal('hit DR-15')
    }
  })

  it('DR-10 + what was invalidated is gone (there is no flagging), also for who takes it stale', async () => {
    const scene = await aged(`${FRESH}, stale-while-revalidate=600, stale-if-error=600`, 0, { fields: { ETag: '"a"' } })
    await scene.bench.cache.invalidate({ urls: ['/a'] })
    scene.reply({ status: 503 })
    const answer = await scene.get('/a', { 'Cache-Control': 'max-stale' })
    expect([answer.verdict, answer.status, answer.told?.['fwd']]).to.deep.equal(['miss', 503, 'uri-miss'])
  })

  it('DR-10 - what was not invalidated is there', async () => {
    const scene = await aged(FRESH)
    await scene.bench.cache.invalidate({ urls: ['/b'] })
    expect(await judged(scene)).to.equal('hit DR-15')
  })

  it('DR-11 + no-cache in the response: validated each time, whatever would permit more', async () => {
    const scene = await aged('no-cache, max-age=60, stale-while-revalidate=60', 0, { fields: { ETag: '"a"' } })
    for (const control of ['', 'max-stale']) {
      expect(await judgedWith(scene, control), control).to.equal('fwd=stale DR-11')
      expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal('"a"')
    }
  })

  it('DR-11 - no-cache about some fields: served without them', async () => {
    const scene = await aged('max-age=60, no-cache="X-Token"', 0, { fields: { 'X-Token': '1', 'X-Other': '2' } })
    const hit = await scene.get()
    expect([hit.verdict, hit.header('x-token'), hit.header('x-other')]).to.deep.equal(['hit', undefined, '2'])
  })

  it('DR-12 + no-cache in the request: validated, also what is immutable', async () => {
    const scene = await aged('max-age=60, immutable')
    expect(await judgedWith(scene, 'no-cache')).to.equal('fwd=request DR-12')
    expect(await judged(scene, { headers: { Pragma: 'no-cache' } })).to.equal('fwd=request DR-12')
  })

  it('DR-12 - not where requests are not obeyed, nor by a Pragma beside Cache-Control', async () => {
    expect(await judgedWith(await aged(FRESH, 0, { options: SAFE }), 'no-cache')).to.equal('hit DR-15')
    expect(await judgedWith(await aged(FRESH, 0, { options: { requestDirectives: false } }), 'no-cache')).to.equal(
      'hit DR-15',
    )
    const headers = { Pragma: 'no-cache', 'Cache-Control': 'max-age=60' }
    expect(await judged(await aged(FRESH), { headers })).to.equal('hit DR-15')
    expect(await judged(await aged(FRESH), { headers: { Pragma: 'x-no-cache' } })).to.equal('hit DR-15')
  })

  it('DR-13 + older than the request accepts: validated', async () => {
    expect(await judgedWith(await aged(FRESH, 10), 'max-age=9')).to.equal('fwd=request DR-13')
    expect(await judgedWith(await aged(FRESH), 'max-age=0')).to.equal('fwd=request DR-13')
    expect(await judgedWith(await aged(FRESH), 'max-age=x')).to.equal('fwd=request DR-13')
    expect(await judgedWith(await aged(FRESH, 70), 'max-age=65')).to.equal('fwd=stale DR-13')
    expect(await judgedWith(await aged(`${FRESH}, immutable`, 70), 'max-age=0')).to.equal('fwd=stale DR-13')
  })

  it('DR-13 - as old as it accepts, or immutable while fresh: served', async () => {
    expect(await judgedWith(await aged(FRESH, 10), 'max-age=10')).to.equal('hit DR-15')
    expect(await judgedWith(await aged(`${FRESH}, immutable`, 10), 'max-age=0')).to.equal('hit DR-15')
  })

  it('DR-14 + not fresh for as long as the request wants: validated', async () => {
    expect(await judgedWith(await aged(FRESH, 10), 'min-fresh=51')).to.equal('fwd=request DR-14')
    expect(await judgedWith(await aged(FRESH, 70), 'min-fresh=1')).to.equal('fwd=stale DR-14')
  })

  it('DR-14 - fresh for exactly as long as it wants, or with a malformed wish: served', async () => {
    expect(await judgedWith(await aged(FRESH, 10), 'min-fresh=50')).to.equal('hit DR-15')
    expect(await judgedWith(await aged(FRESH, 10), 'min-fresh=x')).to.equal('hit DR-15')
  })

  it('DR-15 + fresh: served with its age, and without the fields that need validation', async () => {
    const scene = await aged(`${FRESH}, no-cache="Set-Cookie"`, 59, { fields: { 'Set-Cookie': 'sid=1' } })
    const hit = await scene.get()
    expect(lastOutcome(scene).rule).to.equal('DR-15')
    expect([hit.verdict, hit.header('age'), hit.told?.['ttl'], hit.header('set-cookie')]).to.deep.equal([
      'hit',
      '59',
      1,
      undefined,
    ])
  })

  it('DR-15 - as old as its lifetime: not fresh any more', async () => {
    expect(await judged(await aged(FRESH, 60))).to.equal('fwd=stale DR-19')
    expect(await judged(await aged(FRESH, 50, { fields: { Age: '10' } }))).to.equal('fwd=stale DR-19')
  })

  for (const control of ['max-age=60, must-revalidate', 'max-age=60, proxy-revalidate', 's-maxage=60']) {
    it(`DR-16 + ${control}, once stale: validated, and a failure goes through`, async () => {
      const scene = await aged(`${control}, stale-while-revalidate=60, stale-if-error=60`, 61, {
        fields: { ETag: '"a"' },
      })
      scene.reply({ status: 503 })
      const answer = await scene.get('/a', { 'Cache-Control': 'max-stale, stale-if-error=60' })
      expect([answer.verdict, answer.status, answer.told?.['fwd']]).to.deep.equal(['validate', 503, 'stale'])
      expect(lastOutcome(scene).storingRule).to.equal('DV-6')
      scene.reply(controlled(control))
      expect(await judged(scene)).to.equal('fwd=stale DR-16')
    })

    it(`DR-16 - ${control}, while fresh: served`, async () => {
      expect(await judged(await aged(control, 59))).to.equal('hit DR-15')
    })
  }

  it('DR-16 - s-maxage, where the option says that it allows stale', async () => {
    const scene = await aged('s-maxage=60, stale-while-revalidate=60', 61, { options: { sMaxageAllowsStale: true } })
    expect(await judged(scene)).to.equal('hit DR-18')
  })

  it('DR-17 + stale by no more than the request takes: served, with a ttl that says so', async () => {
    for (const control of ['max-stale', 'max-stale=5']) {
      const scene = await aged(FRESH, 65)
      const answer = await scene.get('/a', { 'Cache-Control': control })
      expect([answer.verdict, answer.told?.['ttl'], answer.header('age')], control).to.deep.equal(['hit', -5, '65'])
      expect(lastOutcome(scene).rule).to.equal('DR-17')
      await scene.refreshed()
      expect(scene.calls).to.have.length(1)
    }
  })

  it('DR-17 - staler, or against another wish of the request: validated', async () => {
    expect(await judgedWith(await aged(FRESH, 65), 'max-stale=4')).to.equal('fwd=stale DR-19')
    expect(await judgedWith(await aged(FRESH, 65), 'max-stale, max-age=64')).to.equal('fwd=stale DR-13')
    expect(await judgedWith(await aged(FRESH, 65), 'max-stale, min-fresh=0')).to.equal('fwd=stale DR-14')
    expect(await judgedWith(await aged(FRESH, 65, { options: { requestDirectives: false } }), 'max-stale')).to.equal(
      'fwd=stale DR-19',
    )
  })

  it('DR-18 + within stale-while-revalidate: served, and validated once in the background', async () => {
    const scene = await aged(`${FRESH}, stale-while-revalidate=30`, 89, { fields: { ETag: '"a"' } })
    const answer = await scene.get()
    expect([answer.verdict, answer.told?.['ttl']]).to.deep.equal(['hit', -29])
    expect(lastOutcome(scene).rule).to.equal('DR-18')
    await scene.refreshed()
    expect(scene.calls.map(({ background, headers }) => [background, headers['if-none-match']])).to.deep.equal([
      [false, undefined],
      [true, '"a"'],
    ])
  })

  it('DR-18 - at its end, or where the request asks for freshness: validated first', async () => {
    const control = `${FRESH}, stale-while-revalidate=30`
    expect(await judged(await aged(control, 90))).to.equal('fwd=stale DR-19')
    expect(await judgedWith(await aged(control, 70), 'max-age=600')).to.equal('fwd=stale DR-19')
    expect(await judgedWith(await aged(control, 70), 'min-fresh=1')).to.equal('fwd=stale DR-14')
  })

  it('DR-19 + stale, and nobody takes it so: validated with what it can be recognised by', async () => {
    const modified = 'Mon, 02 Nov 2026 10:00:00 GMT'
    const scene = await aged(FRESH, 61, { fields: { ETag: 'W/"a"', 'Last-Modified': modified } })
    expect(await judged(scene)).to.equal('fwd=stale DR-19')
    const headers = scene.calls[1]?.headers
    expect([headers?.['if-none-match'], headers?.['if-modified-since']]).to.deep.equal(['W/"a"', modified])
  })

  it('DR-19 + only-if-cached gets 504 in its place, and the handler is not asked', async () => {
    const scene = await aged(FRESH, 61)
    for (const path of ['/a', '/b']) {
      const answer = await scene.get(path, { 'Cache-Control': 'only-if-cached' })
      expect([answer.status, answer.verdict, answer.header('cache-status')]).to.deep.equal([504, 'none', undefined])
    }
    expect(scene.calls).to.have.length(1)
  })

  it('DR-19 - only-if-cached gets what may be served as it is, without a refresh', async () => {
    expect(await judgedWith(await aged(FRESH), 'only-if-cached')).to.equal('hit DR-15')
    const scene = await aged(`${FRESH}, stale-while-revalidate=30`, 70)
    expect(await judgedWith(scene, 'only-if-cached')).to.equal('hit DR-18')
    await scene.refreshed()
    expect(scene.calls).to.have.length(1)
  })
})
