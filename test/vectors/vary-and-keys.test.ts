import { expect } from 'chai'
import { Router } from 'express'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { type Handler, makeExpress } from '../support/app.ts'
import { closeSites, makeBench, openSite } from '../support/site.ts'
import { type Answering, controlled, type Layout, openScene, type Reply, told } from './scene.ts'

/** A handler that says which URL it was asked for. */
function echoing(reply: Reply): Answering {
  return ({ url }) => ({ ...reply, body: url })
}

describe('test vectors: Vary and keys (36.2)', () => {
  afterEach(closeSites)

  it('TV-36 absent matches only absent (VRY-1, VRY-4)', async () => {
    const scene = await openScene(controlled('max-age=60', { Vary: 'Foo' }))
    await scene.get()
    const miss = await scene.get('/a', { Foo: '1' })
    expect([miss.verdict, miss.told?.['fwd'], miss.text]).to.deep.equal(['miss', 'vary-miss', 'body 2'])
    const hit = await scene.get()
    expect([hit.verdict, hit.text]).to.deep.equal(['hit', 'body 1'])
  })

  it('TV-37 case and white space of languages tell nothing apart, weights do (VRY-10)', async () => {
    const scene = await openScene(controlled('max-age=60', { Vary: 'Accept-Language' }))
    await scene.get('/a', { 'Accept-Language': 'en, de' })
    expect((await scene.get('/a', { 'Accept-Language': 'En,  dE' })).verdict).to.equal('hit')
    expect((await scene.get('/a', { 'Accept-Language': 'en, de;q=0.5' })).verdict).to.equal('miss')
  })

  // Express takes the first of equally preferred languages: the vector's other order would be answered in the wrong one.
  it('TV-37 the order of languages does (docs/decisions.md)', async () => {
    const scene = await openScene(controlled('max-age=60', { Vary: 'Accept-Language' }))
    await scene.get('/a', { 'Accept-Language': 'en, de' })
    expect((await scene.get('/a', { 'Accept-Language': 'De,  eN' })).verdict).to.equal('miss')
  })

  it('TV-38 an empty Accept-Encoding is not an absent one (VRY-4)', async () => {
    const scene = await openScene(controlled('max-age=60', { Vary: 'Accept-Encoding' }))
    await scene.get()
    const miss = await scene.get('/a', { 'Accept-Encoding': '' })
    expect([miss.verdict, miss.told?.['fwd']]).to.deep.equal(['miss', 'vary-miss'])
    expect(scene.calls.at(-1)?.headers['accept-encoding']).to.equal('')
  })

  it('TV-39 each entry is judged by its own Vary (VRY-7)', async () => {
    const scene = await openScene(({ headers }) =>
      controlled('max-age=60', { Vary: headers['a'] === '1' ? 'A' : 'A, B' }),
    )
    await scene.get('/a', { A: '1' })
    await scene.get('/a', { A: '2', B: '9' })
    const first = await scene.get('/a', { A: '1', B: '7' })
    expect([first.verdict, first.text]).to.deep.equal(['hit', 'body 1'])
    const second = await scene.get('/a', { A: '2', B: '9' })
    expect([second.verdict, second.text]).to.deep.equal(['hit', 'body 2'])
    expect((await scene.get('/a', { A: '2', B: '8' })).verdict).to.equal('miss')
  })

  it('TV-40 an older entry without Vary does not shadow a variant (VRY-8)', async () => {
    const scene = await openScene(({ headers }) =>
      controlled('max-age=60', headers['accept-language'] === undefined ? {} : { Vary: 'Accept-Language' }),
    )
    await scene.get()
    scene.pass(5)
    const forced = await scene.get('/a', { 'Accept-Language': 'de', 'Cache-Control': 'no-cache' })
    expect(forced.text).to.equal('body 2')
    scene.pass(5)
    const hit = await scene.get('/a', { 'Accept-Language': 'de' })
    expect([hit.verdict, hit.text, hit.header('age')]).to.deep.equal(['hit', 'body 2', '5'])
  })

  it('TV-41 one router mounted twice has two entries (KEY-3)', async () => {
    const bench = makeBench()
    let calls = 0
    const router = Router()
    router.use(cacheMiddleware({ cache: bench.cache, profile: 'rfc', headers: 'standard' }) as never)
    router.get('/in', (req, res) => {
      calls++
      res.set('Cache-Control', 'max-age=60').end(req.originalUrl)
    })
    const app = makeExpress('Express 5')
    app.use('/m', router)
    app.use('/n', router)
    const site = await openSite(app)
    for (let turn = 0; turn < 2; turn++) {
      for (const path of ['/m/in', '/n/in']) expect((await site.get(path)).text).to.equal(path)
    }
    expect(calls).to.equal(2)
    expect(told(await site.get('/n/in'))?.['hit']).to.equal(true)
  })

  it('TV-42 a target that names another host than Host is kept out of the cache (KEY-4)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    const bypassed = await scene.get('http://other/x', { Host: 'app' })
    expect([bypassed.verdict, bypassed.told?.['fwd']]).to.deep.equal(['miss', 'bypass'])
    for (const host of ['other', 'app']) {
      expect((await scene.get('/x', { Host: host })).verdict, host).to.equal('miss')
      expect((await scene.get('/x', { Host: host })).verdict, host).to.equal('hit')
    }
    const again = await scene.get('http://other/x', { Host: 'app' })
    expect([again.verdict, again.told?.['fwd']]).to.deep.equal(['miss', 'bypass'])
  })

  it('TV-43 a GET with content is bypassed (KEY-13)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    await scene.get()
    const bypassed = await scene.ask({ headers: { 'Content-Type': 'application/json' }, body: '{"q":1}' })
    expect([bypassed.verdict, bypassed.told?.['fwd'], bypassed.text]).to.deep.equal(['miss', 'bypass', 'body 2'])
    const hit = await scene.get()
    expect([hit.verdict, hit.text]).to.deep.equal(['hit', 'body 1'])
  })

  for (const [one, other] of [
    ['/a?x=1&y=2', '/a?y=2&x=1'],
    ['/a', '/a?'],
    ['/%7Ea', '/~a'],
  ] as const) {
    it(`TV-44 ${one} and ${other} are two resources (KEY-8)`, async () => {
      const scene = await openScene(echoing(controlled('max-age=60')))
      for (const path of [one, other]) expect((await scene.get(path)).verdict).to.equal('miss')
      for (const path of [one, other]) {
        const hit = await scene.get(path)
        expect([hit.verdict, hit.text]).to.deep.equal(['hit', path])
      }
    })
  }

  context('with No-Vary-Search', () => {
    const obeyed: Layout = { options: { noVarySearch: true } }
    const stored = '/p?id=1&utm=x'

    it('TV-45 parameters named in params tell nothing apart (NVS-3)', async () => {
      const reply = controlled('max-age=60', { 'No-Vary-Search': 'params=("utm")' })
      const scene = await openScene(echoing(reply), obeyed)
      await scene.get(stored)
      const without = await scene.get('/p?id=1')
      expect([without.verdict, without.text]).to.deep.equal(['hit', stored])
      const different = await scene.get('/p?id=2')
      expect([different.verdict, different.text]).to.deep.equal(['miss', '/p?id=2'])
      const moved = await scene.get('/p?utm=z&id=1')
      expect([moved.verdict, moved.text]).to.deep.equal(['hit', stored])
    })

    it('TV-45 the field means nothing where the option is off (NVS-9)', async () => {
      const scene = await openScene(echoing(controlled('max-age=60', { 'No-Vary-Search': 'params=("utm")' })))
      await scene.get(stored)
      expect((await scene.get('/p?id=1')).verdict).to.equal('miss')
    })

    it('TV-46 key-order: the order of keys tells nothing apart, that of the values of one key does (NVS-3, NVS-12)', async () => {
      const reply = controlled('max-age=60', { 'No-Vary-Search': 'key-order' })
      const scene = await openScene(echoing(reply), obeyed)
      await scene.get('/p?a=1&b=2&a=3')
      const hit = await scene.get('/p?b=2&a=1&a=3')
      expect([hit.verdict, hit.text]).to.deep.equal(['hit', '/p?a=1&b=2&a=3'])
      expect((await scene.get('/p?a=3&a=1&b=2')).verdict).to.equal('miss')
    })

    it('TV-47 params and except together mean nothing: only the exact URL matches (NVS-2)', async () => {
      const reply = controlled('max-age=60', { 'No-Vary-Search': 'params=("a"), except=("b")' })
      const scene = await openScene(echoing(reply), obeyed)
      await scene.get('/p?a=1&b=2')
      for (const path of ['/p?b=2&a=1', '/p?a=9&b=2', '/p?b=2']) {
        expect((await scene.get(path)).verdict, path).to.equal('miss')
      }
      expect((await scene.get('/p?a=1&b=2')).verdict).to.equal('hit')
    })
  })

  it('TV-44 what the handler sees is what was sent (KEY-8)', async () => {
    const seen: (string | undefined)[] = []
    const spy: Handler = (req, _res, next) => {
      seen.push(req.url)
      next()
    }
    const scene = await openScene(controlled('max-age=60'), { inside: [spy] })
    for (const path of ['/%7Ea', '/~a', '/a?']) await scene.get(path)
    expect(seen).to.deep.equal(['/%7Ea', '/~a', '/a?'])
  })
})
