import { expect } from 'chai'
import type { Handler } from '../support/app.ts'
import { closeSites } from '../support/site.ts'
import { type Answering, controlled, httpDate, openScene, type Scene, validating } from './scene.ts'

const DAY = 86_400_000

describe('test vectors: conditionals and validation (36.4)', () => {
  afterEach(closeSites)

  /** A scene with an entry of this age. */
  async function stored(answering: Answering, seconds = 0): Promise<Scene> {
    const scene = await openScene(answering)
    await scene.get()
    scene.pass(seconds)
    return scene
  }

  it('TV-68 a 304 of ours carries what a 304 has to, and nothing about a content (CON-5, CON-13, CON-14)', async () => {
    const scene = await openScene({
      ...controlled('max-age=60', {
        ETag: 'W/"a"',
        Vary: 'Accept-Language',
        'Content-Type': 'text/plain',
        'Content-Language': 'en',
        'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
        'Content-Location': '/a.en',
      }),
    })
    const first = await scene.get()
    scene.pass(5)
    const answer = await scene.get('/a', { 'If-None-Match': '"a"' })
    expect([answer.verdict, answer.status, answer.body.length]).to.deep.equal(['hit', 304, 0])
    expect(answer.header('etag')).to.equal('W/"a"')
    expect(answer.header('cache-control')).to.equal('max-age=60')
    expect(answer.header('date')).to.equal(first.header('date'))
    expect(answer.header('vary')).to.equal('Accept-Language')
    expect(answer.header('content-location')).to.equal('/a.en')
    expect(answer.header('age')).to.equal('5')
    for (const name of ['content-type', 'content-length', 'content-language', 'last-modified', 'transfer-encoding']) {
      expect(answer.header(name), name).to.equal(undefined)
    }
  })

  it('TV-69 a comma in a tag does not end it (CON-7)', async () => {
    const scene = await stored(controlled('max-age=60', { ETag: '"a,b"' }))
    expect((await scene.get('/a', { 'If-None-Match': '"x", "a,b"' })).status).to.equal(304)
    expect((await scene.get('/a', { 'If-None-Match': '"a", "b"' })).status).to.equal(200)
  })

  it('TV-70 If-Modified-Since counts for nothing beside If-None-Match (CON-4)', async () => {
    const scene = await stored(({ at }) =>
      controlled('max-age=60', { ETag: '"a"', 'Last-Modified': httpDate(at - DAY) }),
    )
    const now = httpDate(scene.bench.clock.now())
    const both = await scene.get('/a', { 'If-None-Match': '"z"', 'If-Modified-Since': now })
    expect([both.verdict, both.status, both.text]).to.deep.equal(['hit', 200, 'body 1'])
    expect((await scene.get('/a', { 'If-Modified-Since': now })).status).to.equal(304)
  })

  for (const condition of ['w/"a"', '*, "a"']) {
    it(`TV-71 If-None-Match: ${condition} matches nothing (CON-6, CON-8)`, async () => {
      const scene = await stored(controlled('max-age=60', { ETag: '"a"' }))
      const answer = await scene.get('/a', { 'If-None-Match': condition })
      expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['hit', 200, 'body 1'])
    })
  }

  it('TV-72 a stored 404 is replayed whatever the condition (CON-2)', async () => {
    const scene = await stored({ status: 404, ...controlled('max-age=60', { ETag: '"e"' }) })
    const answer = await scene.get('/a', { 'If-None-Match': '"e"' })
    expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['hit', 404, 'body 1'])
  })

  it('TV-73 without Last-Modified the date of an entry is compared (CON-11)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    const date = (await scene.get()).header('date') as string
    scene.pass(5)
    const answer = await scene.get('/a', { 'If-Modified-Since': date })
    expect([answer.verdict, answer.status, answer.header('age')]).to.deep.equal(['hit', 304, '5'])
    const before = httpDate(Date.parse(date) - 1_000)
    expect((await scene.get('/a', { 'If-Modified-Since': before })).status).to.equal(200)
  })

  for (const profile of ['rfc', 'safe'] as const) {
    const sending = (control: string): Answering => ({
      write: (res) => res.set('Cache-Control', control).send('hello world'),
    })

    it(`TV-74 a condition on a cold cache is judged on the whole answer, which is stored, profile ${profile} (CON-18 A)`, async () => {
      const scene = await openScene(sending('max-age=60'), { options: { profile } })
      const etag = (await scene.get('/other')).header('etag') as string
      const first = await scene.get('/a', { 'If-None-Match': etag })
      expect([first.verdict, first.status, first.body.length]).to.deep.equal(['miss', 304, 0])
      expect(first.header('etag')).to.equal(etag)
      expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal(undefined)
      const next = await scene.get()
      expect([next.verdict, next.status, next.text]).to.deep.equal(['hit', 200, 'hello world'])
      expect(next.header('content-length')).to.equal('11')
    })

    it(`TV-75 a private answer still becomes the client's 304, and is not stored, profile ${profile} (CON-18 A)`, async () => {
      const scene = await openScene(sending('private'), { options: { profile } })
      const etag = (await scene.get('/other')).header('etag') as string
      for (let turn = 0; turn < 2; turn++) {
        const answer = await scene.get('/a', { 'If-None-Match': etag })
        expect([answer.status, answer.header('etag'), answer.body.length]).to.deep.equal([304, etag, 0])
      }
      const next = await scene.get()
      expect([next.verdict, next.status, next.text]).to.deep.equal(['miss', 200, 'hello world'])
      expect(scene.calls).to.have.length(4)
    })
  }

  it('TV-76 a forced reload is one 304 of Express inside and a 200 for the client, freshened (VAL-1, VAL-4)', async () => {
    const inner: number[] = []
    const spy: Handler = (_req, res, next) => {
      const { end } = res
      res.end = ((...given: Parameters<typeof end>) => {
        inner.push(res.statusCode)
        return end.apply(res, given)
      }) as typeof end
      next()
    }
    const scene = await openScene(
      { write: (res) => res.set({ ETag: '"1"', 'Cache-Control': 'max-age=60' }).send('hello world') },
      { inside: [spy] },
    )
    await scene.get()
    scene.pass(65)
    const forced = await scene.get('/a', { 'Cache-Control': 'no-cache' })
    expect([forced.verdict, forced.status, forced.text]).to.deep.equal(['validate', 200, 'hello world'])
    expect([forced.header('content-length'), forced.header('etag')]).to.deep.equal(['11', '"1"'])
    expect(inner).to.deep.equal([200, 304])
    scene.pass(59)
    const hit = await scene.get()
    expect([hit.verdict, hit.header('age'), hit.text]).to.deep.equal(['hit', '59', 'hello world'])
  })

  it('TV-77 a 304 for our tag is a 200 for a client that holds another one (VAL-3, VAL-15)', async () => {
    const scene = await stored(validating(controlled('max-age=60', { ETag: '"1"' })), 65)
    const answer = await scene.get('/a', { 'If-None-Match': '"2"' })
    expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['validate', 200, 'body 1'])
    expect(answer.header('etag')).to.equal('"1"')
    expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal('"1"')
  })

  it('TV-78 a 304 with another strong tag updates nothing: the handler is asked again without a condition (VAL-12, VAL-13)', async () => {
    const scene = await stored(controlled('max-age=60', { ETag: '"1"' }), 65)
    scene.reply(({ headers }) =>
      headers['if-none-match'] === undefined
        ? { ...controlled('max-age=60', { ETag: '"9"' }), body: 'body of 9' }
        : { status: 304, fields: { ETag: '"9"', 'Cache-Control': 'max-age=1000' } },
    )
    const answer = await scene.get()
    expect([answer.status, answer.text, answer.header('etag')]).to.deep.equal([200, 'body of 9', '"9"'])
    expect(scene.calls.map(({ headers }) => headers['if-none-match'])).to.deep.equal([undefined, '"1"', undefined])
    scene.pass(59)
    const hit = await scene.get()
    expect([hit.verdict, hit.text, hit.header('age')]).to.deep.equal(['hit', 'body of 9', '59'])
    scene.pass(1)
    expect((await scene.get()).verdict).not.to.equal('hit')
  })

  it('TV-79 age restarts from a 304 without Age (AGE-8, HDR-24)', async () => {
    const scene = await stored(validating(controlled('max-age=200', { Age: '100', ETag: '"1"' })), 99)
    expect((await scene.get()).header('age')).to.equal('199')
    scene.pass(2)
    const validated = await scene.get()
    expect([validated.verdict, validated.status]).to.deep.equal(['validate', 200])
    expect(validated.header('age')).to.be.oneOf([undefined, '0'])
    scene.pass(199)
    const hit = await scene.get()
    expect([hit.verdict, hit.header('age'), hit.told?.['ttl']]).to.deep.equal(['hit', '199', 1])
  })

  it('TV-80 a 304 updates fields, never Content-Length or the body (HDR-20, HDR-21)', async () => {
    const reply = { ...controlled('max-age=60', { ETag: '"1"', 'X-A': '1' }), body: 'hello world' }
    const scene = await stored(validating(reply, { 'Content-Length': '0', 'X-A': '2' }), 65)
    for (const expected of ['validate', 'hit', 'hit']) {
      const answer = await scene.get()
      expect([answer.verdict, answer.status, answer.text]).to.deep.equal([expected, 200, 'hello world'])
      expect([answer.lines('content-length'), answer.lines('x-a')]).to.deep.equal([['11'], ['2']])
    }
  })

  it('TV-80b a cookie on a 304 reaches its client only, and ends the entry, profile safe (CKI-4, HDR-25)', async () => {
    const reply = controlled('max-age=60', { ETag: '"1"' })
    const scene = await openScene(validating(reply, { 'Set-Cookie': 'sid=9' }), { options: { profile: 'safe' } })
    await scene.get()
    scene.pass(65)
    const current = await scene.get()
    expect([current.verdict, current.status, current.text]).to.deep.equal(['validate', 200, 'body 1'])
    expect(current.lines('set-cookie')).to.deep.equal(['sid=9'])
    const next = await scene.get()
    expect([next.verdict, next.lines('set-cookie')]).to.deep.equal(['miss', []])
    const last = await scene.get()
    expect([last.verdict, last.lines('set-cookie')]).to.deep.equal(['hit', []])
  })

  it('TV-81 no-store on a 304 answers its client and ends the entry (HDR-25)', async () => {
    const reply = controlled('max-age=60', { ETag: '"1"' })
    const scene = await stored(validating(reply, { 'Cache-Control': 'no-store' }), 65)
    const current = await scene.get()
    expect([current.verdict, current.status, current.text]).to.deep.equal(['validate', 200, 'body 1'])
    expect(current.header('cache-control')).to.equal('no-store')
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('TV-82 a 304 with a weak tag that two codings share updates the one that was asked for (VAL-11, VAL-12)', async () => {
    const fields = { ETag: 'W/"a"', Vary: 'Accept-Encoding' }
    const gzip = { 'Accept-Encoding': 'gzip' }
    const scene = await openScene(({ headers }) =>
      headers['accept-encoding'] === 'gzip'
        ? { ...controlled('max-age=60', { ...fields, 'Content-Encoding': 'gzip' }), body: 'zipped' }
        : { ...controlled('max-age=60', fields), body: 'plain' },
    )
    await scene.get('/a', gzip)
    await scene.get()
    scene.pass(65)
    scene.reply(({ headers }) => ({
      status: 304,
      fields: headers['accept-encoding'] === 'gzip' ? { ...fields, 'X-Renewed': 'yes' } : fields,
    }))
    const validated = await scene.get('/a', gzip)
    expect([validated.verdict, validated.text]).to.deep.equal(['validate', 'zipped'])
    expect(validated.header('content-encoding')).to.equal('gzip')
    const hit = await scene.get('/a', gzip)
    expect([hit.verdict, hit.text, hit.header('x-renewed')]).to.deep.equal(['hit', 'zipped', 'yes'])
    const other = await scene.get()
    expect([other.verdict, other.text, other.header('x-renewed')]).to.deep.equal(['validate', 'plain', undefined])
    expect(other.header('content-encoding')).to.equal(undefined)
  })

  it('TV-83 If-Match belongs to the handler, a fresh entry or not, and a 412 is not stored (CON-16, CON-17)', async () => {
    const reply = controlled('max-age=60', { ETag: '"1"' })
    const scene = await stored(({ headers }) =>
      headers['if-match'] === undefined ? reply : { status: 412, ...controlled('max-age=60'), body: 'no' },
    )
    for (let turn = 0; turn < 2; turn++) {
      const refused = await scene.get('/a', { 'If-Match': '"old"' })
      expect([refused.status, refused.text, refused.told?.['fwd']]).to.deep.equal([412, 'no', 'bypass'])
      expect(scene.calls.at(-1)?.headers['if-match']).to.equal('"old"')
    }
    expect(scene.calls).to.have.length(3)
    const hit = await scene.get()
    expect([hit.verdict, hit.status, hit.text]).to.deep.equal(['hit', 200, 'body 1'])
  })

  it('TV-84 a HEAD with the same tag and length makes a stale entry fresh again (VAL-20)', async () => {
    const same = { ETag: '"1"', 'Content-Length': '11' }
    const scene = await stored({ ...controlled('max-age=10', same), body: 'hello world' }, 20)
    scene.reply({ ...controlled('max-age=100', same), body: '' })
    const head = await scene.ask({ method: 'HEAD' })
    expect([head.status, head.body.length, head.header('content-length')]).to.deep.equal([200, 0, '11'])
    expect(scene.calls.map(({ method }) => method)).to.deep.equal(['GET', 'HEAD'])
    scene.pass(99)
    const hit = await scene.get()
    expect([hit.verdict, hit.text, hit.header('age')]).to.deep.equal(['hit', 'hello world', '99'])
    expect(hit.header('cache-control')).to.equal('max-age=100')
  })

  it('TV-84 a HEAD with another tag makes a fresh entry stale (VAL-20)', async () => {
    const length = { 'Content-Length': '11' }
    const scene = await stored({ ...controlled('max-age=60', { ETag: '"1"', ...length }), body: 'hello world' }, 10)
    scene.reply({ ...controlled('max-age=100', { ETag: '"2"', ...length }), body: 'other world' })
    const head = await scene.ask({ method: 'HEAD', headers: { 'Cache-Control': 'no-cache' } })
    expect([head.status, head.header('etag')]).to.deep.equal([200, '"2"'])
    const answer = await scene.get()
    expect(answer.verdict).not.to.equal('hit')
    expect(answer.text).to.equal('other world')
  })
})
