import type { ServerResponse } from 'node:http'
import { expect } from 'chai'
import type { Handler } from '../support/app.ts'
import { openExchange } from '../support/http-client.ts'
import { closeSites, until } from '../support/site.ts'
import { controlled, openScene, type Reply, type Scene } from '../vectors/scene.ts'

const FRESH = 'max-age=60'

/** What an outer middleware does while the head is written, as session middlewares do. */
function late(change: (res: ServerResponse) => unknown): Handler {
  return (_req, res, next) => {
    const { writeHead } = res
    res.writeHead = ((...args: Parameters<typeof writeHead>) => {
      change(res)
      return writeHead.apply(res, args)
    }) as typeof writeHead
    next()
  }
}

describe('table A: may this response be stored, now that it is complete?', () => {
  const held: ServerResponse[] = []
  const heldAt = (index: number): ServerResponse => held[index] as ServerResponse
  /** Writes the head and a part of the body, and leaves the rest to the test. */
  const begun = (fields: Readonly<Record<string, string>> = {}): Reply => ({
    write: (res) => {
      res.set({ 'Cache-Control': FRESH, ...fields })
      res.write('first ')
      held.push(res)
    },
  })

  beforeEach(() => {
    held.length = 0
  })
  afterEach(closeSites)

  const keyCount = ({ bench }: Scene): number => bench.cache.stats().stats.keyCount

  context('whose handler', () => {
    const ways: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
      'destroys it': (res) => res.destroy(),
      'destroys it with an error': (res) => res.destroy(new Error('boom')),
      'ends it after it was destroyed': (res) => (res.destroy(), res.end('last')),
    }
    for (const [way, finish] of Object.entries(ways)) {
      it(`DS-30 + ${way}: nothing is stored`, async () => {
        const scene = await openScene(begun())
        const slow = scene.site.get('/a').catch(() => undefined)
        await until(() => held.length === 1)
        finish(heldAt(0))
        await slow
        expect(keyCount(scene)).to.equal(0)
        scene.reply(controlled(FRESH))
        expect((await scene.get()).verdict).to.equal('miss')
      })
    }

    it('DS-30 + never ends it: nothing is stored, and nobody waits for ever', async () => {
      const scene = await openScene(begun())
      const socket = openExchange(scene.site.port, { path: '/a' })
      await until(() => held.length === 1)
      socket.destroy()
      await until(() => heldAt(0).destroyed)
      scene.reply(controlled(FRESH))
      expect((await scene.get()).verdict).to.equal('miss')
    })

    it('DS-30 - ends it in its own time: it is stored', async () => {
      const scene = await openScene(begun())
      const slow = scene.site.get('/a')
      await until(() => held.length === 1)
      await new Promise((resolve) => setImmediate(resolve))
      heldAt(0).end('last')
      expect((await slow).text).to.equal('first last')
      expect((await scene.get()).verdict).to.equal('hit')
    })
  })

  it('DS-31 + with fewer octets than declared it is not stored', async () => {
    const scene = await openScene(begun({ 'Content-Length': '11' }))
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    heldAt(0).end('last')
    await slow
    expect(keyCount(scene)).to.equal(0)
    scene.reply(controlled(FRESH))
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('DS-31 + with more octets than declared it is not stored', async () => {
    const scene = await openScene(begun({ 'Content-Length': '9' }))
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    heldAt(0).end('last')
    await slow.catch(() => undefined)
    expect(keyCount(scene)).to.equal(0)
  })

  it('DS-31 - with as many octets as declared it is stored, whatever their characters', async () => {
    const scene = await openScene(begun({ 'Content-Length': '12' }))
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    heldAt(0).end('l\u00e4\u00dft')
    await slow
    expect((await scene.get()).text).to.equal('first l\u00e4\u00dft')
    expect(scene.calls).to.have.length(1)
  })

  it('DS-32 + beyond the limit it is passed on, not stored, and remembered as too large', async () => {
    const scene = await openScene(begun(), { options: { maxBodySize: 9 } })
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    heldAt(0).end('last')
    expect((await slow).text).to.equal('first last')
    expect(keyCount(scene)).to.equal(0)
    scene.reply(controlled(FRESH))
    await scene.get('/a', { Range: 'bytes=0-0' })
    expect(scene.calls.at(-1)?.headers.range).to.equal('bytes=0-0')
  })

  it('DS-32 - at the limit it is stored', async () => {
    const scene = await openScene(begun(), { options: { maxBodySize: 10 } })
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    heldAt(0).end('last')
    await slow
    expect((await scene.get()).text).to.equal('first last')
    expect(scene.calls).to.have.length(1)
  })

  it('DS-33 + after an invalidation between head and end it is not stored', async () => {
    const scene = await openScene(begun({ 'Cache-Tag': 'mine' }))
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    await scene.bench.cache.invalidate({ tags: ['mine'] })
    heldAt(0).end('last')
    expect((await slow).text).to.equal('first last')
    scene.reply(controlled(FRESH))
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('DS-33 + it does not take the place of what has been answered since', async () => {
    const scene = await openScene(begun())
    const slow = scene.site.get('/a')
    await until(() => held.length === 1)
    scene.pass(1)
    // Does not wait for the other: it wants an answer of its own.
    scene.reply(controlled(FRESH))
    const other = await scene.get('/a', { Authorization: 'Bearer a' })
    expect(other.told?.['stored']).to.equal(false)
    scene.reply(controlled(`public, ${FRESH}`))
    expect((await scene.get('/a', { Authorization: 'Bearer a' })).told?.['stored']).to.equal(true)
    heldAt(0).end('last')
    expect((await slow).text).to.equal('first last')
    expect((await scene.get()).text).to.equal('body 3')
  })

  it('DS-33 - it takes the place of what was answered before', async () => {
    const scene = await openScene(controlled(FRESH))
    await scene.get()
    scene.pass(1)
    scene.reply(begun())
    const slow = scene.site.get('/a', { 'Cache-Control': 'no-cache' })
    await until(() => held.length === 1)
    heldAt(0).end('last')
    await slow
    expect((await scene.get()).text).to.equal('first last')
  })

  context('whose head was changed while it was written', () => {
    const changes: Readonly<Record<string, readonly [name: string, value: string]>> = {
      'a cookie (DS-15)': ['Set-Cookie', 'sid=1'],
      'no-store (DS-12)': ['Cache-Control', 'no-store'],
      'private (DS-13)': ['Cache-Control', 'private'],
      'Vary: * (DS-16)': ['Vary', '*'],
    }
    for (const [what, [name, value]] of Object.entries(changes)) {
      it(`DS-34 + to ${what} it is not stored`, async () => {
        const scene = await openScene(controlled(FRESH), {
          options: { profile: 'safe' },
          above: [late((res) => res.setHeader(name, value))],
        })
        expect((await scene.get()).header(name)).to.contain(value)
        expect((await scene.get()).verdict).to.equal('miss')
        expect(keyCount(scene)).to.equal(0)
      })
    }

    it('DS-34 + to need a permission that the request has not got it is not stored (DS-14)', async () => {
      const scene = await openScene(controlled(`public, ${FRESH}`), {
        above: [late((res) => res.setHeader('Cache-Control', FRESH))],
      })
      const headers = { Authorization: 'Bearer a' }
      await scene.get('/a', headers)
      expect((await scene.get('/a', headers)).verdict).to.equal('miss')
    })

    it('DS-34 - to something that forbids nothing it is stored', async () => {
      const scene = await openScene(controlled(FRESH), {
        options: { profile: 'safe' },
        above: [late((res) => res.setHeader('X-Request-Id', '7'))],
      })
      await scene.get()
      expect((await scene.get()).verdict).to.equal('hit')
    })
  })

  const indexed = controlled(FRESH, { Vary: 'Accept-Language', 'Cache-Tag': 'mine', 'Cache-Groups': '"g"' })
  const german = { 'Accept-Language': 'de' }
  const ends: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
    URL: ({ bench }) => bench.cache.invalidate({ urls: ['/a'] }),
    tag: ({ bench }) => bench.cache.invalidate({ tags: ['mine'] }),
    group: (scene) => {
      scene.reply({ status: 204, fields: { 'Cache-Group-Invalidation': '"g"' } })
      return scene.ask({ method: 'POST', path: '/b' })
    },
  }
  for (const [what, end] of Object.entries(ends)) {
    it(`DS-35 + it is there at once, and found by its ${what}`, async () => {
      const scene = await openScene(indexed)
      await scene.get('/a', german)
      expect((await scene.get('/a', german)).verdict).to.equal('hit')
      expect((await scene.get('/a', { 'Accept-Language': 'fr' })).told?.['fwd']).to.equal('vary-miss')
      await end(scene)
      expect((await scene.get('/a', german)).verdict).to.equal('miss')
    })
  }

  it('DS-35 - what was discarded is found by nobody', async () => {
    const scene = await openScene(begun({ Vary: 'Accept-Language', 'Cache-Tag': 'mine' }))
    const slow = scene.site.get('/a', german).catch(() => undefined)
    await until(() => held.length === 1)
    heldAt(0).destroy()
    await slow
    expect((await scene.bench.cache.entries()).entries).to.deep.equal([])
    scene.reply(indexed)
    expect((await scene.get('/a', { 'Accept-Language': 'fr' })).told?.['fwd']).to.equal('uri-miss')
  })
})
