import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import express from 'express'
import sinon from 'sinon'
import request from 'supertest'
import { CacheError } from '../../lib/errors.ts'
import {
  type CacheControlOptions,
  cacheControl,
  cacheMiddleware,
  cacheRoute,
  createCache,
} from '../../middleware/index.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown

const hello: Handler = (_req, res) => void res.end('hello')

function serverOf(options: CacheControlOptions, handler: Handler = hello) {
  const middleware = cacheControl(options)
  return createServer((req, res) => middleware(req, res, () => handler(req, res)))
}

/** One server for several requests: the cache tells hosts apart, ports included. */
async function listening(app: Handler): Promise<Server> {
  const server = createServer(app).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return server
}

const servers: Server[] = []

/** What the process is warned of while `run` runs, without showing it. */
async function warningsOf(run: () => unknown): Promise<string[]> {
  const emitWarning = sinon.stub(process, 'emitWarning')
  try {
    await run()
    return emitWarning.args.map(([warning]) => String(warning))
  } finally {
    emitWarning.restore()
  }
}

describe('cacheControl', () => {
  after(() => {
    for (const server of servers) server.close()
  })

  const fields: readonly [CacheControlOptions, string][] = [
    [{ maxAge: '30s', public: true }, 'public, max-age=30'],
    [{ maxAge: 0, mustRevalidate: true }, 'max-age=0, must-revalidate'],
    [{ maxAge: '1500ms' }, 'max-age=1'],
    [
      { maxAge: '1h30m', staleWhileRevalidate: 60, staleIfError: '1d' },
      'max-age=5400, stale-while-revalidate=60, stale-if-error=86400',
    ],
    [{ private: true, noCache: true, noTransform: true, public: false }, 'private, no-cache, no-transform'],
    [{ sMaxage: '1m', maxAge: '10s', proxyRevalidate: true }, 'max-age=10, s-maxage=60, proxy-revalidate'],
    [{ noStore: true, mustUnderstand: true }, 'no-store, must-understand'],
    [{ maxAge: '1y', immutable: true }, 'max-age=31536000, immutable'],
  ]
  for (const [options, value] of fields) {
    it(`emits "${value}"`, async () => {
      await request(serverOf(options)).get('/').expect(200).expect('Cache-Control', value)
    })
  }

  for (const status of [200, 204, 301, 304, 308]) {
    it(`acts on ${status}`, async () => {
      const server = serverOf({ maxAge: 5 }, (_req, res) => void res.writeHead(status).end())
      await request(server).get('/').redirects(0).expect(status).expect('Cache-Control', 'max-age=5')
    })
  }

  for (const status of [400, 404, 500, 503]) {
    it(`leaves ${status} alone`, async () => {
      const server = serverOf({ maxAge: 5 }, (_req, res) => void res.writeHead(status).end())
      const { headers } = await request(server).get('/').expect(status)
      expect(headers).to.not.have.property('cache-control')
    })
  }

  it('never overrides what the handler says, however it says it', async () => {
    const own: readonly Handler[] = [
      (_req, res) => void res.setHeader('cache-control', 'no-store').end(),
      (_req, res) => void res.writeHead(200, { 'Cache-Control': 'no-store' }).end(),
      (_req, res) => void res.writeHead(200, ['CACHE-CONTROL', 'no-store']).end(),
    ]
    for (const handler of own) {
      await request(serverOf({ maxAge: 5 }, handler))
        .get('/')
        .expect('Cache-Control', 'no-store')
    }
  })

  it('lets the one nearest to the handler speak', async () => {
    const app = express()
    app.use(cacheControl({ noStore: true }))
    app.get('/feed', cacheControl({ maxAge: '30s' }), hello)
    app.get('/me', hello)
    await request(app).get('/feed').expect('Cache-Control', 'max-age=30')
    await request(app).get('/me').expect('Cache-Control', 'no-store')
  })

  it('acts on a head that is sent before the body', async () => {
    const server = serverOf({ maxAge: 5 }, async (_req, res) => {
      res.flushHeaders()
      await setImmediate()
      res.end('late')
    })
    await request(server).get('/').expect('Cache-Control', 'max-age=5').expect('late')
  })

  it('adds nothing after the head was sent', async () => {
    const server = createServer((req, res) => {
      res.flushHeaders()
      cacheControl({ maxAge: 5 })(req, res, () => res.end('ok'))
    })
    const { headers } = await request(server).get('/').expect(200).expect('ok')
    expect(headers).to.not.have.property('cache-control')
  })

  context('when a cacheMiddleware is above', () => {
    function appOf(options: CacheControlOptions) {
      const cache = createCache()
      let calls = 0
      const app = express()
      app.use(cacheMiddleware({ cache, ttl: false }))
      app.get('/', cacheControl(options), (_req, res) => void res.json({ calls: ++calls }))
      return listening(app)
    }

    it('makes it store for as long as the field says', async () => {
      const app = await appOf({ maxAge: '30s' })
      await request(app).get('/').expect('X-Cache', 'MISS')
      const { headers } = await request(app)
        .get('/')
        .expect('X-Cache', 'HIT')
        .expect('Cache-Control', 'max-age=30')
        .expect({ calls: 1 })
      expect(headers['cache-status']).to.match(/hit; ttl=(30|29)/)
    })

    it('keeps it from storing with no-store and private', async () => {
      for (const options of [{ noStore: true }, { private: true, maxAge: 60 }]) {
        const app = await appOf(options)
        await request(app).get('/').expect('X-Cache', 'MISS')
        await request(app).get('/').expect('X-Cache', 'MISS').expect({ calls: 2 })
      }
    })

    it('emits the field with a 304 of the cache', async () => {
      const app = await appOf({ maxAge: '30s', public: true })
      const first = await request(app).get('/').expect(200)
      await request(app)
        .get('/')
        .set('If-None-Match', String(first.headers['etag']))
        .expect(304)
        .expect('Cache-Control', 'public, max-age=30')
    })
  })

  it('emits the field on the hits of a cacheRoute behind it', async () => {
    const app = express()
    const route = cacheRoute({ cache: createCache(), ttl: '1m' })
    app.get('/', cacheControl({ maxAge: 5 }), route, hello)
    const server = await listening(app)
    await request(server).get('/').expect('X-Cache', 'MISS').expect('Cache-Control', 'max-age=5')
    await request(server).get('/').expect('X-Cache', 'HIT').expect('Cache-Control', 'max-age=5')
  })

  const contradictory: readonly [CacheControlOptions, RegExp][] = [
    [{ public: true, private: true }, /private wins/],
    [{ noStore: true, maxAge: '1m' }, /no-store leaves nothing/],
    [{ noStore: true, public: true }, /no-store wins/],
    [{ private: true, sMaxage: 60 }, /private keeps out/],
    [{ sMaxage: 60, staleWhileRevalidate: 30 }, /5\.2\.2\.10/],
    [{ sMaxage: 60, staleIfError: 30 }, /sMaxageAllowsStale/],
    [{ maxAge: 60, mustRevalidate: true, staleWhileRevalidate: 30 }, /forbid serving stale/],
    [{ noCache: true, staleIfError: 30, maxAge: 1 }, /no-cache forbids/],
    [{ immutable: true }, /add maxAge/],
    [{ immutable: true, noCache: true, maxAge: 1 }, /of which there are none/],
    [{ staleWhileRevalidate: 60 }, /need a lifetime/],
  ]
  for (const [options, message] of contradictory) {
    it(`warns once about ${JSON.stringify(options)}`, async () => {
      const warnings = await warningsOf(() => cacheControl(options))
      expect(warnings).to.have.length(1)
      expect(warnings[0]).to.match(message)
    })
  }

  it('does not warn for what fits together, nor for each request', async () => {
    const fitting: readonly CacheControlOptions[] = [
      ...fields.map(([options]) => options),
      { public: true, sMaxage: 60, maxAge: 0 },
      { noStore: true, mustUnderstand: true, public: true },
      { maxAge: 60, immutable: true, noTransform: true },
    ]
    const silent = await warningsOf(() => {
      for (const options of fitting) cacheControl(options)
    })
    expect(silent).to.deep.equal([])
    const warned = await warningsOf(async () => {
      const server = serverOf({ public: true, private: true })
      await request(server).get('/')
      await request(server).get('/')
    })
    expect(warned).to.have.length(1)
  })

  const refused: readonly [unknown, string, RegExp][] = [
    [{}, 'ERR_CACHE_BAD_OPTION', /at least one directive/],
    [undefined, 'ERR_CACHE_BAD_OPTION', /at least one directive/],
    [{ public: false }, 'ERR_CACHE_BAD_OPTION', /at least one directive/],
    [{ maxAge: '5 mins' }, 'ERR_CACHE_BAD_DURATION', /cacheControl: maxAge: "5 mins"/],
    [{ public: 'yes' }, 'ERR_CACHE_BAD_OPTION', /cacheControl: public/],
    [{ 'max-age': 5 }, 'ERR_CACHE_UNKNOWN_OPTION', /Did you mean "maxAge"/],
    [{ maxage: 5 }, 'ERR_CACHE_UNKNOWN_OPTION', /Did you mean "maxAge"/],
  ]
  for (const [options, code, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      expect(() => cacheControl(options as CacheControlOptions))
        .to.throw(CacheError, message)
        .with.property('code', code)
    })
  }
})
