import { once } from 'node:events'
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http'
import { expect } from 'chai'
import connect from 'connect'
import express from 'express'
import express4 from 'express-4'
import request, { type Response } from 'supertest'
import { CacheError } from '../../lib/errors.ts'
import {
  type AdminRouterOptions,
  adminRouter,
  type Cache,
  cacheMiddleware,
  createCache,
} from '../../middleware/index.ts'

import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const quiet = { info: () => {}, warn: () => {} }
const servers: Server[] = []

async function listening(listener: RequestListener): Promise<Server> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return server
}

function closeServers(): void {
  for (const server of servers.splice(0)) server.close()
}

/** The router on bare `node:http`, with somebody who may do everything. */
function bare(cache: Cache, options: AdminRouterOptions = {}): Server {
  return createServer(adminRouter({ cache, authorize: () => true, ...options }))
}

/** An application with a cached page, a page that varies, and the administration above them. */
async function application(cache: Cache): Promise<Server> {
  const app = express()
  app.use(cacheMiddleware({ cache }))
  app.use('/cache', adminRouter({ cache, authorize: () => true }))
  app.get('/posts/:id', (req, res) => {
    res.set('Cache-Tag', `post:${req.params.id}, posts`)
    res.json({ id: req.params.id, secret: 'body text' })
  })
  app.get('/varying', (_req, res) => {
    res.set({ Vary: 'Cookie', 'Cache-Control': 'public, max-age=60' })
    res.send('varying')
  })
  app.use((_req, res) => void res.status(404).send('from the application'))
  return listening(app)
}

interface Item {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly kind: string
}

function itemsOf({ body }: Response): readonly Item[] {
  return (body as { entries: readonly Item[] }).entries
}

function namesOf(response: Response): readonly string[] {
  return itemsOf(response).map(({ name }) => name)
}

describe('adminRouter', () => {
  let cache: Cache
  beforeEach(() => {
    cache = createCache({ logger: quiet })
  })
  afterEach(closeServers)

  describe('mounting', () => {
    const mounts: Readonly<Record<string, (cache: Cache) => RequestListener>> = {
      'Express 5': (cache) => express().use('/cache', adminRouter({ cache, authorize: () => true })),
      'Express 4': (cache) => express4().use('/cache', adminRouter({ cache, authorize: () => true })),
      Connect: (cache) => connect().use('/cache', adminRouter({ cache, authorize: () => true })),
      'node:http with the option path': (cache) => adminRouter({ cache, authorize: () => true, path: '/cache' }),
    }
    for (const [title, mount] of Object.entries(mounts)) {
      it(`answers on ${title}`, async () => {
        const server = createServer(mount(cache))
        await request(server).get('/cache/stats').expect(200).expect('Content-Type', 'application/json; charset=utf-8')
        await request(server).get('/cache/health/').expect(200)
        await request(server).get('/cache/entries?limit=5').expect(200).expect({ entries: [] })
        const { body } = await request(server).delete('/cache').expect(200)
        expect(body).to.include({ ack: 'memory', all: true })
        await request(server).get('/cachestats').expect(404)
      })
    }

    it('passes on what it does not know, and answers 404 where there is nobody to pass it to', async () => {
      const server = await application(cache)
      await request(server).get('/cache/unknown').expect(404).expect('from the application')
      await request(server).post('/cache/other').expect(404).expect('from the application')
      await request(bare(cache))
        .post('/other')
        .expect(404)
        .expect('Content-Type', /^application\/json/)
      const { body } = await request(bare(cache)).get('/tags/a/b').expect(404)
      expect(body).to.have.property('error', 'Not Found')
    })

    it('answers 405 with Allow for another method', async () => {
      const server = bare(cache)
      await request(server).delete('/stats').expect(405).expect('Allow', 'GET, HEAD')
      await request(server).post('/entries').expect(405).expect('Allow', 'GET, HEAD')
      await request(server).get('/').expect(405).expect('Allow', 'DELETE')
      await request(server).get('/tags/x').expect(405).expect('Allow', 'DELETE')
      await request(server).options('/urls').expect(405).expect('Allow', 'DELETE')
      await request(server).get('/warm').expect(405).expect('Allow', 'POST')
    })

    it('answers HEAD like GET, without content', async () => {
      const server = bare(cache)
      const get = await request(server).get('/entries').expect(200)
      const head = await request(server).head('/entries').expect(200)
      expect(head.text).to.equal(undefined)
      for (const name of ['content-type', 'content-length', 'cache-control']) {
        expect(head.headers[name]).to.equal(get.headers[name])
      }
    })

    it('is never kept by the cache above it, nor by anybody else', async () => {
      const server = await application(cache)
      for (const path of ['/cache/stats', '/cache/entries', '/cache/health']) {
        for (const _ of [1, 2]) {
          const { headers } = await request(server).get(path).expect(200).expect('Cache-Control', 'no-store')
          expect(headers['x-cache']).to.equal('MISS')
          expect(headers['x-content-type-options']).to.equal('nosniff')
        }
      }
      expect(cache.stats().stats.keyCount).to.equal(0)
    })

    it('uses markup of no kind in its JSON', async () => {
      await cache.set('</script><img src=x>&\u2028', 1)
      const { text, body } = await request(bare(cache)).get('/entries')
      expect(text).to.not.match(/[<>&\u2028]/)
      expect((body as { entries: Item[] }).entries[0]?.name).to.equal('</script><img src=x>&\u2028')
    })
  })

  describe('authorisation', () => {
    const guarded = [
      ['get', '/stats'],
      ['get', '/health'],
      ['get', '/health/ready'],
      ['get', '/entries'],
      ['get', '/entries/AAAAAAAAAAAAAAAAAAAAAA'],
      ['delete', '/'],
      ['delete', '/tags/x'],
      ['delete', '/keys/x'],
      ['delete', '/urls?url=/x'],
      ['delete', '/patterns?pattern=x'],
    ] as const

    for (const [method, path] of guarded) {
      it(`guards ${method.toUpperCase()} ${path}`, async () => {
        await cache.set('x', 1)
        const server = bare(cache, { authorize: async (req) => req.headers.authorization === 'Bearer s3cret' })
        await request(server)[method](path).expect(403)
        await request(server)[method](path).set('Authorization', 'Bearer wrong').expect(403)
        expect(await cache.get('x')).to.equal(1)
        const { status } = await request(server)[method](path).set('Authorization', 'Bearer s3cret')
        expect(status).to.be.oneOf([200, 404])
      })
    }

    it('answers /health/live to everybody', async () => {
      await request(bare(cache, { authorize: () => false }))
        .get('/health/live')
        .expect(200)
        .expect({ status: 'pass' })
    })

    it('takes only true for a yes', async () => {
      for (const answer of [undefined, 'yes', 1, {}]) {
        await request(bare(cache, { authorize: () => answer as boolean }))
          .get('/stats')
          .expect(403)
      }
    })

    it('refuses and tells an error event when authorize throws or rejects', async () => {
      const causes: unknown[] = []
      cache.on('error', ({ where, cause }) => causes.push([where, String(cause)]))
      const throwing = (): boolean => {
        throw new Error('thrown')
      }
      await request(bare(cache, { authorize: throwing }))
        .get('/stats')
        .expect(403)
      await request(bare(cache, { authorize: async () => throwing() }))
        .get('/stats')
        .expect(403)
      expect(causes).to.deep.equal([
        ['authorize', 'Error: thrown'],
        ['authorize', 'Error: thrown'],
      ])
    })

    context('when there is no authorize', () => {
      const warnings: string[] = []
      beforeEach(() => {
        warnings.length = 0
        cache = createCache({ logger: { info: () => {}, warn: (message) => warnings.push(message) } })
      })

      for (const host of ['localhost', 'LOCALHOST:3000', '127.0.0.1', '127.0.0.1:8080', '[::1]', '[::1]:3000']) {
        it(`answers local requests to ${host}`, async () => {
          await request(createServer(adminRouter({ cache })))
            .get('/stats')
            .set('Host', host)
            .expect(200)
        })
      }

      for (const host of [
        'example.com',
        'localhost.example.com',
        'localhost:',
        '127.0.0.1.nip.io',
        '127.0.0.2',
        '10.0.0.1:3000',
      ]) {
        it(`refuses requests to ${host}, says how to fix it, and warns once`, async () => {
          const server = createServer(adminRouter({ cache }))
          const { body } = await request(server).get('/entries').set('Host', host).expect(403)
          expect(body.message).to.contain('adminRouter({ authorize: (req) => boolean })')
          await request(server).delete('/').set('Host', host).expect(403)
          expect(warnings).to.have.length(1)
          expect(warnings[0]).to.contain('no authorize option')
        })
      }

      for (const name of ['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Via']) {
        it(`refuses what came through a proxy (${name})`, async () => {
          await request(createServer(adminRouter({ cache })))
            .get('/stats')
            .set(name, 'x')
            .expect(403)
        })
      }

      it('refuses everybody in production, as NODE_ENV was when it was made', async () => {
        const before = process.env['NODE_ENV']
        const development = createServer(adminRouter({ cache }))
        process.env['NODE_ENV'] = 'production'
        try {
          const production = createServer(adminRouter({ cache }))
          await request(development).get('/stats').expect(200)
          await request(production).get('/stats').expect(403)
          if (before === undefined) delete process.env['NODE_ENV']
          else process.env['NODE_ENV'] = before
          await request(production).get('/stats').expect(403)
        } finally {
          if (before === undefined) delete process.env['NODE_ENV']
          else process.env['NODE_ENV'] = before
        }
      })

      it('refuses other machines', async () => {
        const server = await listening((req, res) => {
          Object.defineProperty(req.socket, 'remoteAddress', { value: '192.0.2.7' })
          adminRouter({ cache })(req, res)
        })
        await request(server).get('/stats').set('Host', 'localhost').expect(403)
      })
    })

    describe('of writes from pages', () => {
      const cases: readonly [Readonly<Record<string, string>>, number][] = [
        [{}, 200],
        [{ 'Sec-Fetch-Site': 'same-origin', Origin: 'http://example.com', Host: 'example.com' }, 200],
        [{ 'Sec-Fetch-Site': 'none' }, 200],
        [{ Origin: 'http://EXAMPLE.com:80', Host: 'example.com' }, 200],
        [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
        [{ 'Sec-Fetch-Site': 'same-site' }, 403],
        [{ 'Sec-Fetch-Site': '' }, 403],
        [{ Origin: 'http://evil.example', Host: 'example.com' }, 403],
        [{ Origin: 'http://example.com:3000', Host: 'example.com' }, 403],
        [{ Origin: 'http://example.com.evil.example', Host: 'example.com' }, 403],
        [{ Origin: 'null', Host: 'example.com' }, 403],
        [{ 'Sec-Fetch-Site': 'same-origin', Origin: 'http://evil.example', Host: 'example.com' }, 403],
      ]
      for (const [fields, status] of cases) {
        it(`answers ${status} to ${JSON.stringify(fields)}`, async () => {
          await cache.set('x', 1)
          await request(bare(cache)).delete('/').set(fields).expect(status)
          expect(await cache.get('x')).to.equal(status === 200 ? undefined : 1)
        })
      }

      it('does not refuse reading', async () => {
        await request(bare(cache))
          .get('/stats')
          .set({ 'Sec-Fetch-Site': 'cross-site', Origin: 'http://evil.example' })
          .expect(200)
      })
    })
  })

  describe('entries', () => {
    it('lists what is kept, without bodies', async () => {
      const server = await application(cache)
      await request(server).get('/posts/1').expect(200)
      await cache.set('user:1', { name: 'Ada' }, { tags: ['users'], ttl: 30 })
      const response = await request(server).get('/cache/entries').expect(200)
      const [post, user] = ['/posts/1', 'user:1'].map((name) => itemsOf(response).find((item) => item.name === name))
      expect(post).to.include({
        kind: 'response',
        ttl: 59,
        status: 200,
        contentType: 'application/json; charset=utf-8',
      })
      expect(post).to.have.property('tags').that.deep.equals(['post:1', 'posts'])
      expect(post?.id).to.match(/^[\w-]{22}$/)
      expect(user).to.include({ kind: 'value', key: 'V 1 user:1' })
      expect(user).to.have.property('tags').that.deep.equals(['users'])
      expect(user).to.have.property('bytes').that.is.above(0)
      const { cachedAt, staleAt } = user as unknown as { cachedAt: string; staleAt: string }
      expect(Date.parse(staleAt) - Date.parse(cachedAt)).to.equal(30_000)
      expect(response.text).to.not.contain('body text').and.not.contain('Ada')
    })

    it('finds entries by URL, key, tag and pattern, and by all of them', async () => {
      const server = await application(cache)
      for (const path of ['/posts/1', '/posts/2?x=1', '/posts/2']) await request(server).get(path).expect(200)
      await cache.set('posts/1', 1, { tags: ['posts'] })
      const host = `127.0.0.1:${(server.address() as { port: number }).port}`
      const searches: readonly [Readonly<Record<string, string>>, readonly string[]][] = [
        [{ url: '/posts/2' }, ['/posts/2']],
        [{ url: '/posts/2?x=1' }, ['/posts/2?x=1']],
        [{ url: `//${host}/posts/1` }, ['/posts/1']],
        [{ url: `http://${host}/posts/1` }, ['/posts/1']],
        [{ url: 'https://elsewhere.example/posts/1' }, []],
        [{ key: 'posts/1' }, ['posts/1']],
        [{ key: '/posts/1' }, []],
        [{ tag: 'posts' }, ['/posts/1', '/posts/2', '/posts/2?x=1', 'posts/1']],
        [{ tag: 'post:2' }, ['/posts/2', '/posts/2?x=1']],
        [{ pattern: '/posts/*' }, ['/posts/1', '/posts/2', '/posts/2?x=1']],
        [{ pattern: 'posts/?' }, ['posts/1']],
        [{ pattern: '*' }, ['posts/1']],
        [{ tag: 'posts', pattern: '/*=1' }, ['/posts/2?x=1']],
      ]
      for (const [query, names] of searches) {
        const response = await request(server).get('/cache/entries').query(query).expect(200)
        expect([...namesOf(response)].sort(), JSON.stringify(query)).to.deep.equal(names)
      }
    })

    it('goes through all entries page by page, filtered or not', async () => {
      await cache.setMany(
        Array.from({ length: 25 }, (_, index) => ({ key: `k:${index}`, value: index, tags: index % 2 ? ['odd'] : [] })),
      )
      const server = await listening(adminRouter({ cache, authorize: () => true }))
      for (const [query, total] of [
        [{}, 25],
        [{ tag: 'odd' }, 12],
      ] as const) {
        const names: string[] = []
        let cursor: string | undefined
        do {
          const response: Response = await request(server)
            .get('/entries')
            .query({ ...query, limit: 4, ...(cursor === undefined ? {} : { cursor }) })
            .expect(200)
          expect(itemsOf(response).length).to.be.at.most(4)
          names.push(...namesOf(response))
          cursor = (response.body as { cursor?: string }).cursor
        } while (cursor !== undefined)
        expect(new Set(names).size, JSON.stringify(query)).to.equal(total)
        expect(names).to.have.length(total)
      }
    })

    it('looks at 10,000 entries per request and goes on from there', async () => {
      const items = Array.from({ length: 10_500 }, (_, index) => ({
        key: `k:${index}`,
        value: index,
        ...(index === 0 ? { tags: ['needle'] } : {}),
      }))
      await cache.setMany(items)
      const server = bare(cache)
      const first = await request(server).get('/entries?tag=needle').expect(200)
      expect(itemsOf(first)).to.deep.equal([])
      const { cursor } = first.body as { cursor: string }
      const second = await request(server).get('/entries').query({ tag: 'needle', cursor }).expect(200)
      expect(namesOf(second)).to.deep.equal(['k:0'])
      const id = itemsOf(second)[0]?.id ?? ''
      const missing = await request(server).get(`/entries/${id}`).expect(404)
      expect(missing.body).to.have.property('cursor', cursor)
      await request(server).get(`/entries/${id}`).query({ cursor }).expect(200)
    })

    it('shows one entry with its fields, but no cookies and no body', async () => {
      const app = express()
      app.use(cacheMiddleware({ cache, setCookie: true }))
      app.get('/page', (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=60', 'X-Custom': 'shown' })
        res.cookie('sid', 'top-secret').send('body text')
      })
      app.use(adminRouter({ cache, authorize: () => true, path: '/cache' }))
      const server = await listening(app)
      await request(server).get('/page').expect(200)
      const [item] = itemsOf(await request(server).get('/cache/entries').expect(200))
      const { body, text } = await request(server).get(`/cache/entries/${item?.id}`).expect(200)
      expect(body).to.include({ id: item?.id, name: '/page', status: 200, bodyBytes: 9, audience: 'anonymous' })
      expect(body).to.have.property('deleteAt')
      expect(body.fields).to.deep.include(['X-Custom', 'shown']).and.to.deep.include(['Set-Cookie', '[hidden]'])
      expect(text).to.not.contain('top-secret').and.not.contain('body text')
    })

    it('hides the credentials that a variant is selected by', async () => {
      const server = await application(cache)
      await request(server).get('/varying').set('Cookie', 'sid=top-secret').expect(200)
      const response = await request(server).get('/cache/entries').expect(200)
      const variant = itemsOf(response).find(({ kind }) => kind === 'response')
      expect(variant?.key).to.match(/\/varying ~cookie \[hidden\]$/)
      expect(response.text).to.not.contain('top-secret')
    })

    it('answers 404 for an entry that is not there', async () => {
      const { body } = await request(bare(cache)).get('/entries/AAAAAAAAAAAAAAAAAAAAAA').expect(404)
      expect(body)
        .to.have.property('message')
        .that.matches(/evicted/)
      expect(body).to.not.have.property('cursor')
    })
  })

  describe('invalidation', () => {
    const tags = ['a/b c', 'post:1', '100%', 'stra\u00dfe', '+']
    for (const tag of tags) {
      it(`drops the entries of the tag ${JSON.stringify(tag)}`, async () => {
        await cache.set('in', 1, { tags: [tag] })
        await cache.set('out', 2, { tags: ['other'] })
        const { body } = await request(bare(cache))
          .delete(`/tags/${encodeURIComponent(tag)}`)
          .expect(200)
        expect(body).to.include({ ack: 'memory', partitions: 1 })
        expect(body.tags).to.deep.equal([tag])
        expect(body.elapsedMs).to.be.a('number')
        expect([await cache.get('in'), await cache.get('out')]).to.deep.equal([undefined, 2])
      })
    }

    it('drops a key', async () => {
      await cache.set('user:1/x', 1)
      await cache.set('user:2', 2)
      await request(bare(cache)).delete('/keys/user%3A1%2Fx').expect(200)
      expect([await cache.get('user:1/x'), await cache.get('user:2')]).to.deep.equal([undefined, 2])
    })

    it('drops URLs', async () => {
      const server = await application(cache)
      for (const path of ['/posts/1?a=1&b=2', '/posts/caf%C3%A9', '/posts/3'])
        await request(server).get(path).expect(200)
      const { body } = await request(server).delete('/cache/urls').query({ url: '/posts/1?a=1&b=2' }).expect(200)
      expect(body.urls).to.deep.equal(['/posts/1?a=1&b=2'])
      await request(server).get('/posts/1?a=1&b=2').expect('X-Cache', 'MISS')
      await request(server).get('/posts/caf%C3%A9').expect('X-Cache', 'HIT')
      await request(server).delete('/cache/urls').query({ url: '/posts/caf\u00e9' }).expect(200)
      await request(server).get('/posts/caf%C3%A9').expect('X-Cache', 'MISS')
      await request(server).get('/posts/3').expect('X-Cache', 'HIT')
    })

    it('drops what matches patterns', async () => {
      const server = await application(cache)
      await request(server).get('/posts/1').expect(200)
      await cache.set('user:1', 1)
      await cache.set('team:1', 1)
      await request(server).delete('/cache/patterns?pattern=user:*&pattern=/posts/*').expect(200)
      expect([await cache.get('user:1'), await cache.get('team:1')]).to.deep.equal([undefined, 1])
      await request(server).get('/posts/1').expect('X-Cache', 'MISS')
    })

    it('drops everything', async () => {
      const server = await application(cache)
      await request(server).get('/posts/1').expect(200)
      await cache.set('user:1', 1)
      await request(server).delete('/cache').expect(200)
      expect(await cache.get('user:1')).to.equal(undefined)
      await request(server).get('/posts/1').expect('X-Cache', 'MISS')
    })

    it('answers 202 when Redis has not confirmed it', async () => {
      const cause = new CacheError('ERR_CACHE_UNCONFIRMED', 'Redis did not confirm', { pending: true })
      const unconfirmed = Object.assign(createCache({ logger: quiet }), { invalidate: () => Promise.reject(cause) })
      const { body } = await request(bare(unconfirmed)).delete('/tags/x').expect(202)
      expect(body).to.deep.equal({
        pending: true,
        code: 'ERR_CACHE_UNCONFIRMED',
        message: 'Redis did not confirm',
        tags: ['x'],
      })
    })

    it('answers 500 and tells an error event when something else fails', async () => {
      const failing = Object.assign(createCache({ logger: quiet }), {
        invalidate: () => Promise.reject(new Error('inner detail')),
      })
      const causes: unknown[] = []
      failing.on('error', ({ cause }) => causes.push(cause))
      const { text } = await request(bare(failing)).delete('/tags/x').expect(500)
      expect(text).to.not.contain('inner detail')
      expect(causes.map(String)).to.deep.equal(['Error: inner detail'])
    })
  })

  describe('warming', () => {
    afterEach(() => cache.close())

    interface Warmed {
      readonly reports: readonly { readonly name: string; readonly failed: readonly unknown[] }[]
    }
    const reportsOf = ({ body }: Response): Warmed['reports'] => (body as Warmed).reports

    it('runs what is on schedule, and answers what became of it', async () => {
      let runs = 0
      const load = (): number => ++runs
      await cache.warm([{ key: 'a', ttl: '1m', load }], { name: 'first', every: '1h' })
      await cache.warm([{ key: 'b', ttl: '1m', load }], { name: 'second', every: true })
      await cache.invalidate({ all: true })
      const response = await request(bare(cache)).post('/warm').expect(200)
      expect(reportsOf(response).map(({ name }) => name)).to.deep.equal(['first', 'second'])
      for (const report of reportsOf(response)) {
        expect(report).to.include({ total: 1, warmed: 1, fresh: 0, unkept: 0, failures: 0, interrupted: false })
      }
      expect(runs).to.equal(4)
    })

    it('runs one of them by its name, and shows failures by their messages', async () => {
      const load = (): never => {
        throw new Error('no <database>')
      }
      await cache.warm([{ key: 'a', load }], { name: 'broken', every: true })
      await cache.warm([], { name: 'other', every: true })
      const [report, ...others] = reportsOf(await request(bare(cache)).post('/warm?name=broken').expect(200))
      expect(others).to.deep.equal([])
      expect(report).to.include({ name: 'broken', failures: 1 })
      expect(report?.failed).to.deep.equal([{ key: 'a', error: 'no <database>' }])
    })

    it('answers 404 where nothing of the name is on schedule, 400 for anything but a name', async () => {
      const server = bare(cache)
      const { body } = await request(server).post('/warm').expect(404)
      expect(body).to.have.property('message').that.includes('cache.warm(source, { name, every: true })')
      await cache.warm([], { name: 'popular', every: true })
      await cache.warm([], { name: 'once' })
      const { body: named } = await request(server).post('/warm?name=once').expect(404)
      expect(named).to.have.property('message').that.includes('possible: popular')
      await request(server).post('/warm?name=').expect(400)
      await request(server).post('/warm?name=a&name=b').expect(400)
      await request(server).post('/warm?url=http://169.254.169.254/').expect(400)
    })

    it('answers 409 while it is being warmed', async () => {
      let open: () => void = () => {}
      const held = new Promise<void>((resolve) => {
        open = resolve
      })
      const first = cache.warm([{ key: 'a', load: () => held.then(() => 1) }], { name: 'slow', every: true })
      await request(bare(cache)).post('/warm').expect(409)
      open()
      expect(await first).to.include({ warmed: 1 })
    })

    it('is refused to strangers and to pages of other origins', async () => {
      await cache.warm([], { name: 'popular', every: true })
      await request(bare(cache, { authorize: () => false }))
        .post('/warm')
        .expect(403)
      await request(bare(cache)).post('/warm').set('Sec-Fetch-Site', 'cross-site').expect(403)
    })
  })

  describe('bad input', () => {
    const bad: readonly ['get' | 'delete', string, RegExp][] = [
      ['delete', '/urls', /url=/],
      ['delete', '/urls?url=', /url=/],
      ['delete', '/urls?url=posts', /path/],
      ['delete', '/urls?url=ftp://x/y', /path/],
      ['delete', `/urls?url=/${'x'.repeat(8_192)}`, /8192/],
      ['delete', '/urls?url=/p?a=1&b=2', /Unknown parameter "b".*Percent-encode/],
      ['delete', '/urls?url=/%zz', /percent-encoded/],
      ['delete', '/patterns', /pattern=/],
      ['delete', '/patterns?pattern=', /pattern=/],
      ['delete', `/patterns?pattern=${'x'.repeat(257)}`, /256/],
      ['delete', `/patterns?pattern=${'*a'.repeat(9)}`, /8 stars/],
      ['delete', `/tags/${'x'.repeat(257)}`, /256 bytes/],
      ['delete', `/tags/${encodeURIComponent('\u00df'.repeat(129))}`, /256 bytes/],
      ['delete', '/tags/%E0%A4%A', /percent-encoded/],
      ['delete', '/keys/%', /percent-encoded/],
      ['delete', '/?all=yes', /Unknown parameter/],
      ['get', '/entries?limit=0', /limit/],
      ['get', '/entries?limit=1001', /limit/],
      ['get', '/entries?limit=ten', /limit/],
      ['get', '/entries?cursor=../x', /cursor/],
      ['get', '/entries?tag=a&tag=b', /one tag=/],
      ['get', '/entries?tag=', /one tag=/],
      ['get', `/entries?tag=${'x'.repeat(257)}`, /256 bytes/],
      ['get', `/entries?pattern=${'*'.repeat(9)}`, /stars/],
      ['get', '/entries?url=x', /path/],
      ['get', '/entries?tags=a', /possible here: url, key, tag/],
      ['get', '/stats?x=1', /possible here: none/],
    ]
    for (const [method, path, message] of bad) {
      it(`answers 400 to ${method.toUpperCase()} ${path.length > 60 ? `${path.slice(0, 57)}...` : path}`, async () => {
        await cache.set('x', 1)
        const { body } = await request(bare(cache))[method](path).expect(400)
        expect(body).to.have.property('error', 'Bad Request')
        expect(body.message).to.match(message)
        expect(await cache.get('x')).to.equal(1)
      })
    }

    it('takes escaped stars for what they are', async () => {
      await cache.set('*'.repeat(9), 1)
      await request(bare(cache))
        .delete('/patterns')
        .query({ pattern: '\\*'.repeat(9) })
        .expect(200)
      expect(await cache.get('*'.repeat(9))).to.equal(undefined)
    })

    it('passes by targets that are no path', async () => {
      const server = await listening(adminRouter({ cache, authorize: () => true }))
      const { port } = server.address() as { port: number }
      const outgoing = httpRequest({ port, path: 'http://other.example/stats' }).end()
      const [response] = await once(outgoing, 'response')
      expect(response.statusCode).to.equal(404)
      response.resume()
    })

    const options: readonly [unknown, RegExp][] = [
      [{ cache: {} }, /adminRouter: cache/],
      [{ authorize: true }, /adminRouter: authorize: true is not possible here\. Use a function/],
      [{ path: 'cache' }, /adminRouter: path/],
      [{ path: '/cache/' }, /adminRouter: path/],
      [{ autorize: () => true }, /Did you mean "authorize"/],
    ]
    for (const [given, message] of options) {
      it(`refuses the options ${JSON.stringify(given)} at construction`, () => {
        expect(() => adminRouter(given as AdminRouterOptions)).to.throw(CacheError, message)
      })
    }
  })
})

describeWithRedis('adminRouter over a real Redis', () => {
  let redis: RedisServer
  let cache: Cache
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  beforeEach(async () => {
    cache = await anotherProcess()
    await cache.invalidate({ all: true })
  })
  afterEach(async () => {
    closeServers()
    await Promise.all(caches.splice(0).map((made) => made.close()))
  })

  const caches: Cache[] = []

  /** A cache as another process would have it; patient, because tests share the machine. */
  async function anotherProcess(): Promise<Cache> {
    const made = createCache({ redis: redis.url, namespace: 'admin', deadlineMs: 1_000, logger: quiet })
    caches.push(made)
    await made.ready()
    return made
  }

  it('lists and finds what other processes have stored, page by page', async () => {
    const other = await anotherProcess()
    const items = Array.from({ length: 25 }, (_, index) => ({
      key: `k:${index}`,
      value: index,
      tags: [`mod:${index % 2}`],
    }))
    expect(await other.setMany(items)).to.equal(true)
    const server = await listening(adminRouter({ cache, authorize: () => true }))
    const names: string[] = []
    let cursor: string | undefined
    do {
      const query = { tag: 'mod:1', limit: 5, ...(cursor === undefined ? {} : { cursor }) }
      const response: Response = await request(server).get('/entries').query(query).expect(200)
      names.push(...namesOf(response))
      cursor = (response.body as { cursor?: string }).cursor
    } while (cursor !== undefined)
    expect(new Set(names).size).to.equal(12)
    const [item] = itemsOf(await request(server).get('/entries?key=k:7').expect(200))
    const { body } = await request(server).get(`/entries/${item?.id}`).expect(200)
    expect(body).to.include({ name: 'k:7', kind: 'value' })
  })

  it('invalidates in other processes before it answers', async () => {
    const other = await anotherProcess()
    expect(await other.set('k', 1, { tags: ['t'] })).to.equal(true)
    expect(await other.get('k')).to.equal(1)
    const { body } = await request(bare(cache)).delete('/tags/t').expect(200)
    expect(body).to.include({ ack: 'all', partitions: 1 })
    expect(await other.get('k')).to.equal(undefined)
  })

  it('warms what no other process is warming', async () => {
    const other = await anotherProcess()
    let open: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      open = resolve
    })
    const source = [{ key: 'warm', load: () => held.then(() => 1) }]
    const theirs = other.warm(source, { name: 'popular', every: true })
    await eventually(() => other.stats().warming[0]?.running === true)
    expect(await cache.warm(source, { name: 'popular', every: true })).to.include({ skipped: 'running' })
    await request(bare(cache)).post('/warm').expect(409)
    open()
    await theirs
    const { body } = await request(bare(cache)).post('/warm').expect(200)
    expect(body).to.have.nested.property('reports[0].fresh', 1)
  })

  it('answers 503 to warming while Redis does not answer', async () => {
    await cache.warm([], { name: 'another', every: true })
    redis.pause()
    try {
      await request(bare(cache)).post('/warm?name=another').expect(503)
    } finally {
      redis.resume()
    }
  })

  it('answers 202 while Redis does not answer', async () => {
    await cache.set('k', 1, { tags: ['t'] })
    redis.pause()
    try {
      const { body } = await request(bare(cache)).delete('/tags/t').expect(202)
      expect(body).to.include({ pending: true, code: 'ERR_CACHE_UNCONFIRMED' })
      expect(await cache.get('k')).to.equal(undefined)
    } finally {
      redis.resume()
    }
  })
})
