import { expect } from 'chai'
import { closeSites } from '../support/site.ts'
import { bodyParts, controlled, openScene, type Reply, type Scene, validating } from './scene.ts'

const TEXT = 'hello world'

describe('worked exchanges (38)', () => {
  afterEach(closeSites)

  const sending = (control: string): Reply => ({ write: (res) => res.set('Cache-Control', control).send(TEXT) })

  it('38.1 fill and hit: the first answer as it is, later ones with its fields and their age', async () => {
    const scene = await openScene(sending('public, max-age=60'))
    const first = await scene.get()
    expect([first.status, first.text, first.header('age')]).to.deep.equal([200, TEXT, undefined])
    expect(first.header('cache-control')).to.equal('public, max-age=60')
    expect(first.header('etag')).to.match(/^W\/"b-/)
    expect(first.header('content-length')).to.equal('11')
    expect(first.lines('date')).to.deep.equal([new Date(scene.bench.clock.now()).toUTCString()])
    expect(first.told).to.deep.equal({ name: 'cachewell', fwd: 'uri-miss', stored: true, ttl: 60 })
    const [seen] = scene.calls
    for (const name of ['if-none-match', 'if-modified-since', 'range', 'if-range']) {
      expect(seen?.headers[name], name).to.equal(undefined)
    }
    scene.pass(9)
    const hit = await scene.get()
    expect([hit.status, hit.text, hit.header('age')]).to.deep.equal([200, TEXT, '9'])
    expect(hit.told).to.deep.equal({ name: 'cachewell', hit: true, ttl: 51 })
    const others = ['date', 'cache-control', 'etag', 'content-length', 'content-type']
    expect(others.map((name) => hit.lines(name))).to.deep.equal(others.map((name) => first.lines(name)))
    expect(scene.calls).to.have.length(1)
  })

  it('38.2 a conditional client on a cold cache: the whole is fetched and stored, the client gets its 304', async () => {
    const scene = await openScene(sending('public, max-age=60'))
    const etag = (await scene.get('/other')).header('etag') as string
    const answer = await scene.get('/a', { 'If-None-Match': etag })
    expect([answer.status, answer.body.length, answer.header('etag')]).to.deep.equal([304, 0, etag])
    expect(answer.header('cache-control')).to.equal('public, max-age=60')
    expect(answer.lines('date')).to.deep.equal([new Date(scene.bench.clock.now()).toUTCString()])
    expect(answer.told).to.include({ name: 'cachewell', fwd: 'uri-miss', 'fwd-status': 200, stored: true })
    expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal(undefined)
    const hit = await scene.get()
    expect([hit.verdict, hit.text]).to.deep.equal(['hit', TEXT])
  })

  it('38.3 a forced reload: the handler says 304 and a new lifetime, the client gets the stored octets', async () => {
    const scene = await openScene(sending('public, max-age=60'))
    const first = await scene.get()
    scene.pass(9)
    scene.reply(sending('public, max-age=120'))
    const forced = await scene.get('/a', { 'Cache-Control': 'no-cache' })
    const seen = scene.calls[1]
    expect(seen?.headers['if-none-match']).to.equal(first.header('etag'))
    expect(seen?.headers['cache-control']).to.equal(undefined)
    expect([forced.status, forced.text]).to.deep.equal([200, TEXT])
    expect(forced.lines('date')).to.deep.equal([new Date(scene.bench.clock.now()).toUTCString()])
    expect(forced.header('age')).to.be.oneOf([undefined, '0'])
    expect(forced.header('cache-control')).to.equal('public, max-age=120')
    expect(forced.header('content-length')).to.equal('11')
    expect(forced.told).to.deep.equal({
      name: 'cachewell',
      fwd: 'request',
      'fwd-status': 304,
      stored: true,
      ttl: 120,
    })
    scene.pass(119)
    expect((await scene.get()).told).to.deep.equal({ name: 'cachewell', hit: true, ttl: 1 })
  })

  it('38.4 a client that holds something else than the cache gets the stored octets, not the 304', async () => {
    const scene = await openScene(validating(controlled('max-age=60', { ETag: '"v1"' })))
    await scene.get('/r')
    scene.pass(60)
    const answer = await scene.get('/r', { 'If-None-Match': '"v0"' })
    expect(scene.calls.map(({ headers }) => headers['if-none-match'])).to.deep.equal([undefined, '"v1"'])
    expect([answer.status, answer.header('etag'), answer.text]).to.deep.equal([200, '"v1"', 'body 1'])
    const same = await scene.get('/r', { 'If-None-Match': '"v1"' })
    expect([same.verdict, same.status]).to.deep.equal(['hit', 304])
  })

  it('38.5 several ranges of a full entry: one multipart of exactly its length', async () => {
    const octets = Buffer.from(Array.from({ length: 8_000 }, (_, index) => (index * 7) % 256))
    const fields = { 'Content-Type': 'application/pdf', ETag: '"s"' }
    const scene = await openScene({ ...controlled('max-age=60', fields), body: octets })
    await scene.get('/p.pdf')
    scene.pass(3)
    const answer = await scene.get('/p.pdf', { Range: 'bytes=500-999,7000-7999' })
    expect([answer.verdict, answer.status, answer.header('content-range')]).to.deep.equal(['hit', 206, undefined])
    expect([answer.header('etag'), answer.header('age')]).to.deep.equal(['"s"', '3'])
    expect(answer.lines('content-length')).to.deep.equal([String(answer.body.length)])
    const parts = bodyParts(answer)
    expect(parts.map((part) => part.fields)).to.deep.equal([
      { 'content-type': 'application/pdf', 'content-range': 'bytes 500-999/8000' },
      { 'content-type': 'application/pdf', 'content-range': 'bytes 7000-7999/8000' },
    ])
    expect(parts.map(({ body }) => body.toString('hex'))).to.deep.equal([
      octets.subarray(500, 1_000).toString('hex'),
      octets.subarray(7_000, 8_000).toString('hex'),
    ])
  })

  it('38.6 stale-while-revalidate: answered at once, validated behind it, and young again', async () => {
    const scene = await openScene(validating(controlled('max-age=10, stale-while-revalidate=20', { ETag: '"e"' })))
    await scene.get('/s')
    scene.pass(15)
    const stale = await scene.get('/s')
    expect([stale.status, stale.text, stale.header('age')]).to.deep.equal([200, 'body 1', '15'])
    expect(stale.told).to.include({ name: 'cachewell', hit: true, ttl: -5 })
    await scene.refreshed()
    const [, behind] = scene.calls
    expect([behind?.background, behind?.url, behind?.headers['if-none-match']]).to.deep.equal([true, '/s', '"e"'])
    scene.pass(1)
    const fresh = await scene.get('/s')
    expect([fresh.verdict, fresh.text, fresh.header('age')]).to.deep.equal(['hit', 'body 1', '1'])
    expect(scene.calls).to.have.length(2)
  })

  it('38.7 stale-if-error: the answer of the failed handler is held back and discarded', async () => {
    const scene = await openScene(controlled('max-age=600, stale-if-error=1200', { ETag: '"e"' }))
    await scene.get('/e')
    scene.pass(900)
    scene.reply({ status: 503, fields: { 'X-Failure': 'yes' }, body: 'unavailable' })
    const answer = await scene.get('/e')
    expect(scene.calls[1]?.headers['if-none-match']).to.equal('"e"')
    expect([answer.status, answer.text, answer.header('age')]).to.deep.equal([200, 'body 1', '900'])
    expect(answer.header('x-failure')).to.equal(undefined)
    expect(answer.told).to.deep.equal({
      name: 'cachewell',
      fwd: 'stale',
      'fwd-status': 503,
      ttl: -300,
      detail: 'stale-if-error',
    })
  })

  it('38.8 our own targeted field governs, and the client sees the rest', async () => {
    const scene = await openScene(
      controlled('private, no-store', { 'Cachewell-Cache-Control': 'max-age=600, stale-while-revalidate=60' }),
    )
    const expectRest = (answer: Awaited<ReturnType<Scene['get']>>): void => {
      expect(answer.header('cache-control')).to.equal('private, no-store')
      expect(answer.header('cachewell-cache-control')).to.equal(undefined)
    }
    const first = await scene.get()
    expectRest(first)
    expect(first.told).to.include({ fwd: 'uri-miss', stored: true, ttl: 600 })
    for (const [seconds, ttl] of [
      [599, 1],
      [60, -59],
    ] as const) {
      scene.pass(seconds)
      if (ttl < 0) scene.reply({ status: 503 })
      const hit = await scene.get()
      expect([hit.verdict, hit.told?.['ttl'], hit.text]).to.deep.equal(['hit', ttl, 'body 1'])
      expectRest(hit)
      await scene.refreshed()
    }
    scene.pass(1)
    expect((await scene.get()).status).to.equal(503)
  })

  it('38.9 an unsafe request with groups: the target in all its forms, its groups, and the groups named', async () => {
    const groups: Readonly<Record<string, string>> = {
      '/articles/7': '"articles"',
      '/articles/8': '"articles"',
      '/front': '"lists"',
      '/about': '"static"',
    }
    const scene = await openScene(({ method, url }) =>
      method === 'POST'
        ? { status: 303, fields: { Location: '/articles/7', 'Cache-Group-Invalidation': '"lists"' }, body: '' }
        : controlled('max-age=60', { Vary: 'Accept-Language', 'Cache-Groups': groups[url] as string }),
    )
    const asks = {
      'GET /articles/7, en': { path: '/articles/7', headers: { 'Accept-Language': 'en' } },
      'GET /articles/7, de': { path: '/articles/7', headers: { 'Accept-Language': 'de' } },
      'QUERY /articles/7': {
        method: 'QUERY',
        path: '/articles/7',
        headers: { 'Content-Type': 'text/plain' },
        body: 'part 2',
      },
      'HEAD /articles/7, en': { method: 'HEAD', path: '/articles/7', headers: { 'Accept-Language': 'en' } },
      'GET /articles/8': { path: '/articles/8' },
      'GET /front': { path: '/front' },
      'GET /about': { path: '/about' },
    }
    const verdicts = async (): Promise<Readonly<Record<string, string>>> => {
      const found: Record<string, string> = {}
      for (const [name, shape] of Object.entries(asks)) found[name] = (await scene.ask(shape)).verdict
      return found
    }
    await verdicts()
    const hits = Object.fromEntries(Object.keys(asks).map((name) => [name, 'hit']))
    expect(await verdicts()).to.deep.equal(hits)
    const write = await scene.ask({ method: 'POST', path: '/articles/7' })
    expect([write.status, write.told]).to.deep.equal([303, { name: 'cachewell', fwd: 'method' }])
    // HEAD comes before GET here, or the new GET would answer it.
    const head = await scene.ask(asks['HEAD /articles/7, en'])
    expect(head.verdict).to.equal('miss')
    const { 'HEAD /articles/7, en': _head, ...after } = await verdicts()
    expect(after).to.deep.equal({
      'GET /articles/7, en': 'miss',
      'GET /articles/7, de': 'miss',
      'QUERY /articles/7': 'miss',
      'GET /articles/8': 'miss',
      'GET /front': 'miss',
      'GET /about': 'hit',
    })
  })

  it('38.10 QUERY: the same octets and type are a hit, a GET is none', async () => {
    const scene = await openScene(controlled('max-age=30'))
    const search = {
      method: 'QUERY',
      path: '/search',
      headers: { 'Content-Type': 'application/json' },
      body: '{"q":"x"}',
    }
    const first = await scene.ask(search)
    expect(first.told).to.include({ fwd: 'uri-miss', stored: true, ttl: 30 })
    expect(scene.calls[0]?.content).to.equal('{"q":"x"}')
    scene.pass(29)
    const hit = await scene.ask(search)
    expect([hit.verdict, hit.text, hit.header('age')]).to.deep.equal(['hit', 'body 1', '29'])
    const get = await scene.get('/search')
    expect([get.verdict, get.told?.['fwd']]).to.deep.equal(['miss', 'uri-miss'])
    scene.pass(1)
    expect((await scene.ask(search)).verdict).not.to.equal('hit')
  })
})
