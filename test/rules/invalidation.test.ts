import { expect } from 'chai'
import type { Response } from 'express'
import type { Handler } from '../support/app.ts'
import { closeSites, until } from '../support/site.ts'
import { controlled, openScene, type Reply, type Scene, type Verdict } from '../vectors/scene.ts'
import { lastOutcome } from './rows.ts'

const FRESH = 'max-age=60'
const QUERY = { method: 'QUERY', headers: { 'Content-Type': 'text/plain' }, body: 'q' } as const

/** A scene with an entry under each of these paths, in these groups. */
async function filled(groups: Readonly<Record<string, string>>): Promise<Scene> {
  const scene = await openScene(({ url }) => controlled(FRESH, { 'Cache-Groups': groups[url] ?? '' }))
  for (const path of Object.keys(groups)) await scene.get(path)
  return scene
}

/** Let somebody ask like this, and the handler answer so: the row that was told. */
async function written(scene: Scene, method: string, path: string, reply: Reply): Promise<string | undefined> {
  scene.reply(reply)
  await scene.ask({ method, path })
  const { rule } = lastOutcome(scene)
  scene.reply(controlled(FRESH))
  return rule
}

/** Who answers each of these paths now. */
async function verdicts(scene: Scene, paths: readonly string[]): Promise<readonly Verdict[]> {
  const found: Verdict[] = []
  for (const path of paths) found.push((await scene.get(path)).verdict)
  return found
}

describe('table C: what a request makes wrong', () => {
  afterEach(closeSites)

  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH']) {
    it(`DI-1 + ${method} makes nothing wrong, whatever its answer names`, async () => {
      const scene = await filled({ '/a': '"g"', '/b': '' })
      const fields = { 'Cache-Group-Invalidation': '"g"', Location: '/b', 'Content-Location': '/a' }
      await written(scene, method, method === 'GET' ? '/c' : '/a', { fields })
      expect(await verdicts(scene, ['/a', '/b'])).to.deep.equal(['hit', 'hit'])
      expect(scene.bench.invalidations).to.deep.equal([])
    })
  }

  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'PURGE']) {
    it(`DI-1 - ${method} is not safe`, async () => {
      const scene = await filled({ '/a': '' })
      await written(scene, method, '/a', { status: 204 })
      expect(await verdicts(scene, ['/a'])).to.deep.equal(['miss'])
    })
  }

  for (const status of [200, 201, 204, 302, 303, 399]) {
    it(`DI-2 + after ${status} to an unsafe request its target is gone`, async () => {
      const scene = await filled({ '/a': '', '/a?x': '' })
      expect(await written(scene, 'POST', '/a', { status })).to.equal('DI-2')
      expect(await verdicts(scene, ['/a', '/a?x'])).to.deep.equal(['miss', 'hit'])
    })
  }

  it('DI-2 + all variants go, and what was stored for other methods', async () => {
    const scene = await openScene(controlled(FRESH, { Vary: 'Accept-Language' }))
    const languages = ['de', 'fr'].map((language) => ({ 'Accept-Language': language }))
    for (const headers of languages) await scene.get('/a', headers)
    await scene.ask(QUERY)
    scene.reply({ status: 204 })
    await scene.ask({ method: 'DELETE' })
    scene.reply(controlled('no-store'))
    for (const headers of languages) expect((await scene.get('/a', headers)).told?.['fwd']).to.equal('uri-miss')
    expect((await scene.ask(QUERY)).verdict).to.equal('miss')
  })

  it('DI-2 + what shares a group with it goes, too, and no more than that', async () => {
    const scene = await filled({ '/a': '"g"', '/b': '"g", "h"', '/c': '"h"' })
    await written(scene, 'POST', '/a', { status: 204 })
    expect(await verdicts(scene, ['/a', '/b', '/c'])).to.deep.equal(['miss', 'miss', 'hit'])
  })

  it('DI-2 - another URI, host or scheme is not its target', async () => {
    const scene = await openScene(controlled(FRESH), { options: { trustProxy: true } })
    const others = [{ Host: 'other.example' }, { 'X-Forwarded-Proto': 'https' }]
    for (const headers of others) await scene.get('/a', headers)
    await scene.get('/b')
    await written(scene, 'POST', '/a', { status: 204 })
    for (const headers of others) expect((await scene.get('/a', headers)).verdict).to.equal('hit')
    expect(await verdicts(scene, ['/b'])).to.deep.equal(['hit'])
  })

  for (const [name, reference] of [
    ['Location', '/b'],
    ['Content-Location', '/b'],
    ['Location', 'b#part'],
    ['Location', 'http://shop.example:80/b'],
  ] as const) {
    it(`DI-3 + what ${name}: ${reference} names on this origin is gone, too`, async () => {
      const scene = await filled({ '/b': '', '/c': '' })
      expect(await written(scene, 'POST', '/a', { status: 201, fields: { [name]: reference } })).to.equal('DI-3')
      expect(await verdicts(scene, ['/b', '/c'])).to.deep.equal(['miss', 'hit'])
    })
  }

  for (const reference of ['http://other.example/b', '//other.example/b', 'https://shop.example/b', 'http://[']) {
    it(`DI-3 - ${reference} names nothing here, and nothing there`, async () => {
      const scene = await filled({ '/b': '' })
      await scene.get('/b', { Host: 'other.example' })
      await written(scene, 'POST', '/a', { status: 201, fields: { Location: reference } })
      expect(await verdicts(scene, ['/b'])).to.deep.equal(['hit'])
      expect((await scene.get('/b', { Host: 'other.example' })).verdict).to.equal('hit')
    })
  }

  for (const status of [200, 404, 500]) {
    it(`DI-4 + the groups that an unsafe request answered with ${status} names are gone`, async () => {
      const scene = await filled({ '/a': '"g"', '/b': '"h"', '/c': '"i"' })
      const fields = { 'Cache-Group-Invalidation': '"g", "h"' }
      expect(await written(scene, 'POST', '/x', { status, fields })).to.equal('DI-4')
      expect(await verdicts(scene, ['/a', '/b', '/c'])).to.deep.equal(['miss', 'miss', 'hit'])
    })
  }

  it('DI-4 - the field is malformed, or about another origin', async () => {
    for (const value of ['g', '"g", h', '"g', '"G"']) {
      const scene = await filled({ '/a': '"g"' })
      await written(scene, 'POST', '/x', { status: 204, fields: { 'Cache-Group-Invalidation': value } })
      expect(await verdicts(scene, ['/a']), value).to.deep.equal(['hit'])
    }
    const scene = await filled({ '/a': '"g"' })
    scene.reply({ status: 204, fields: { 'Cache-Group-Invalidation': '"g"' } })
    await scene.ask({ method: 'POST', path: '/x', headers: { Host: 'other.example' } })
    expect(await verdicts(scene, ['/a'])).to.deep.equal(['hit'])
  })

  for (const status of [400, 404, 409, 500, 503]) {
    it(`DI-5 + after ${status} nothing is wrong`, async () => {
      const scene = await filled({ '/a': '"g"', '/b': '', '/c': '"g"' })
      expect(await written(scene, 'POST', '/a', { status, fields: { Location: '/b' } })).to.equal('DI-5')
      expect(await verdicts(scene, ['/a', '/b', '/c'])).to.deep.equal(['hit', 'hit', 'hit'])
      expect(scene.bench.invalidations).to.deep.equal([])
    })
  }

  it('DI-5 - after 399 its target is', async () => {
    const scene = await filled({ '/a': '' })
    await written(scene, 'POST', '/a', { status: 399 })
    expect(await verdicts(scene, ['/a'])).to.deep.equal(['miss'])
  })

  it('DI-6 + it is wrong before the head goes out', async () => {
    const announced: number[] = []
    let count = (): number => 0
    const watcher: Handler = (_req, res, next) => {
      const { writeHead } = res
      res.writeHead = ((...args: Parameters<typeof writeHead>) => {
        announced.push(count())
        return writeHead.apply(res, args)
      }) as typeof writeHead
      next()
    }
    const scene = await openScene(controlled(FRESH), { above: [watcher] })
    count = () => scene.bench.invalidations.length
    await scene.get()
    scene.reply({ status: 204 })
    await scene.ask({ method: 'POST' })
    expect(announced).to.deep.equal([0, 1])
  })

  it('DI-6 + a fill in flight does not bring it back', async () => {
    const held: Response[] = []
    const scene = await openScene(({ method }) =>
      method === 'GET' ? { write: (res) => void held.push(res) } : { status: 204 },
    )
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    await scene.ask({ method: 'POST' })
    held[0]?.set('Cache-Control', FRESH).end('old')
    await slow
    scene.reply(controlled(FRESH))
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('DI-6 - nothing is announced for a request that makes nothing wrong', async () => {
    const held: Response[] = []
    const scene = await openScene(({ method }) =>
      method === 'GET' ? { write: (res) => void held.push(res) } : { status: 409 },
    )
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    await scene.ask({ method: 'POST' })
    held[0]?.set('Cache-Control', FRESH).end('right')
    await slow
    expect((await scene.get()).text).to.equal('right')
    expect(scene.bench.invalidations).to.deep.equal([])
  })
})
