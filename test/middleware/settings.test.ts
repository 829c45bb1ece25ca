import { expect } from 'chai'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { invalidateMiddleware } from '../../middleware/invalidate.ts'
import { cacheRoute } from '../../middleware/route.ts'
import { makeBench } from '../support/site.ts'

/** What a factory throws. */
function thrown(make: () => unknown): { readonly code?: unknown; readonly message: string } {
  try {
    make()
  } catch (error) {
    return error as { code?: unknown; message: string }
  }
  return expect.fail('nothing was thrown')
}

describe('options of the middlewares', () => {
  const { cache } = makeBench()
  const factories: Readonly<Record<string, (options: never) => unknown>> = {
    cacheMiddleware,
    withCache: (options) => withCache(() => {}, options),
    cacheRoute,
    invalidateMiddleware,
  }

  for (const [name, make] of Object.entries(factories)) {
    it(`names ${name} and the option probably meant`, () => {
      const wrong = name === 'invalidateMiddleware' ? { cache, tag: [] } : { cache, tll: '1m' }
      const meant = name === 'invalidateMiddleware' ? 'tags' : 'ttl'
      const { code, message } = thrown(() => make(wrong as never))
      expect(code).to.equal('ERR_CACHE_UNKNOWN_OPTION')
      expect(message).to.contain(name).and.contain(meant)
    })

    it(`refuses what is no cache in ${name}`, () => {
      for (const wrong of [{}, 'redis://x', 1, null]) {
        const { code, message } = thrown(() => make({ cache: wrong } as never))
        expect(code).to.equal('ERR_CACHE_BAD_OPTION')
        expect(message).to.contain('createCache()')
      }
    })

    it(`refuses options of ${name} that are no object`, () => {
      for (const wrong of ['1m', 60, null, [], true])
        expect(thrown(() => make(wrong as never)).message).to.contain(name)
    })

    it(`refuses async callbacks in ${name}`, () => {
      const { code, message } = thrown(() => make({ cache, tags: async () => [] } as never))
      expect(code).to.equal('ERR_CACHE_ASYNC_OPTION')
      expect(message).to.contain('tags')
    })
  }

  const wrong: Readonly<Record<string, unknown>> = {
    ttl: 'soon',
    staleWhileRevalidate: -1,
    staleIfError: 'x',
    vary: 'Accept',
    key: 'tenant',
    query: { ignored: [] },
    hosts: 'shop.example',
    trustProxy: 1,
    isAuthenticated: true,
    skip: '/admin',
    shouldStore: {},
    statuses: [99],
    maxBodySize: 'huge',
    targets: 'CDN-Cache-Control',
    requestDirectives: 'yes',
    sMaxageAllowsStale: 0,
    setCookie: 'store',
    noVarySearch: 'params',
    handlerTimeoutMs: 'soon',
    etag: 'weak',
    encodings: ['deflate'],
    headers: 'all',
    mount: '',
    profile: 'fast',
  }
  for (const [option, value] of Object.entries(wrong)) {
    it(`names ${option} and its value where it is wrong`, () => {
      const { code, message } = thrown(() => cacheMiddleware({ cache, [option]: value } as never))
      expect(code).to.match(/^ERR_CACHE_/)
      expect(message).to.contain(option)
    })
  }

  it('warns of a lifetime that looks like milliseconds', () => {
    const bench = makeBench()
    cacheMiddleware({ cache: bench.cache, ttl: 60_000 })
    expect(bench.warnings).to.have.length(1)
    expect(bench.warnings[0]).to.contain('ttl')
  })
})
