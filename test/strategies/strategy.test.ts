import { EventEmitter, once } from 'node:events'
import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { defineStrategy, type Id, type RoutePolicy, type Strategy, tagName } from '../../strategies/index.ts'

interface ShopEntities {
  readonly product: { readonly shopId: Id; readonly productId: Id }
  readonly search: {
    readonly text?: string
    readonly page?: number
    readonly filters?: Readonly<Record<string, unknown>>
  }
}

interface ShopEvents {
  readonly productChanged: { readonly productId: Id }
}

const shop: Strategy<ShopEntities, ShopEvents> = defineStrategy<ShopEntities, ShopEvents>({
  name: 'shop',
  entities: {
    product: { ttl: '10m', by: ['shopId', 'productId'], tags: ({ productId }) => [tagName('product', productId)] },
    search: { ttl: '1m', by: [], tags: () => ['products'] },
  },
  events: { productChanged: ({ productId }) => [tagName('product', productId), 'products'] },
})

function keysOf(cache: Cache): Promise<readonly string[]> {
  return cache.entries().then(({ entries }) => entries.map(({ name }) => name))
}

describe('defineStrategy', () => {
  let cache: Cache
  beforeEach(() => {
    cache = createCache()
  })

  it('makes a method of each loader, which runs once for equal arguments', async () => {
    let calls = 0
    const { product } = shop({ cache, load: { product: async ({ productId }) => ({ productId, calls: ++calls }) } })
    expect(await product({ shopId: 1, productId: 7 })).to.deep.equal({ productId: 7, calls: 1 })
    expect(await product({ productId: '7', shopId: '1' })).to.deep.equal({ productId: 7, calls: 1 })
    expect(await product({ shopId: 1, productId: 8 })).to.have.property('calls', 2)
  })

  it('runs one loader for callers at the same time', async () => {
    let calls = 0
    const { search } = shop({ cache, load: { search: async () => ++calls } })
    expect(await Promise.all([search({ page: 1 }), search({ page: 1 }), search({ page: 1 })])).to.deep.equal([1, 1, 1])
  })

  it('has no method without a loader', () => {
    const bound = shop({ cache, load: { search: () => [] } })
    expect(Object.keys(bound).sort()).to.deep.equal(['forgetAll', 'on', 'onProductChanged', 'search', 'warm'])
    // @ts-expect-error the type says so too
    expect(bound.product).to.equal(undefined)
  })

  it('gives its methods the types of arguments and loaders', async () => {
    const { product, search } = shop({
      cache,
      load: { product: ({ productId }) => `product ${productId}`, search: async ({ page = 1 }) => [page] },
    })
    const text: string = await product({ shopId: 1, productId: 2 })
    const pages: readonly number[] = await search({})
    expect([text, pages]).to.deep.equal(['product 2', [1]])
    // @ts-expect-error a number is not what the loader brings
    const wrong: number = await product({ shopId: 1, productId: 2 })
    expect(wrong).to.equal('product 2')
    // @ts-expect-error an identifying argument is missing
    await product({ shopId: 1 }).catch((error: unknown) => expect(error).to.be.instanceOf(CacheError))
    // @ts-expect-error no such event
    expect(shop({ cache }).onProductSold).to.equal(undefined)
  })

  it('keeps the `this` of its loaders', async () => {
    const load = {
      search(this: { readonly rows?: readonly string[] }): readonly string[] | undefined {
        return this.rows
      },
    }
    Object.defineProperty(load, 'rows', { value: ['a', 'b'] })
    expect(await shop({ cache, load }).search({})).to.deep.equal(['a', 'b'])
  })

  it('passes errors of loaders on and keeps nothing of them', async () => {
    let calls = 0
    const { search } = shop({
      cache,
      load: {
        search: async () => {
          if (++calls === 1) throw new Error('database away')
          return calls
        },
      },
    })
    const error = await search({}).catch((caught: unknown) => caught)
    expect(String(error)).to.equal('Error: database away')
    expect(await search({})).to.equal(2)
  })

  describe('keys', () => {
    const cases: readonly [ShopEntities['search'], string][] = [
      [{}, 'shop:search:v1'],
      [{ page: 2 }, 'shop:search:page=2:v1'],
      [{ text: 'a:b&c', page: 2 }, 'shop:search:page=2&text=a%3Ab%26c:v1'],
      [{ filters: { b: [2, 1], a: 'x' } }, `shop:search:filters:=${encodeURIComponent('{"a":"x","b":[2,1]}')}:v1`],
      [{ text: '\ud800' }, 'shop:search:text=%ud800:v1'],
    ]
    for (const [args, key] of cases) {
      it(`is ${key}`, async () => {
        await shop({ cache, load: { search: () => 1 } }).search(args)
        expect(await keysOf(cache)).to.deep.equal([key])
      })
    }

    it('is {name}:{entity}:{identifier}:{version}, each part encoded', async () => {
      const { product } = shop({ cache, load: { product: () => 1 } })
      await product({ shopId: 'a:1', productId: 7 })
      expect(await keysOf(cache)).to.deep.equal(['shop:product:a%3A1:7:v1'])
    })

    it('does not depend on the order of members, nor on those that are undefined', async () => {
      let calls = 0
      const { search } = shop({ cache, load: { search: () => ++calls } })
      await search({ page: 1, filters: { a: 1, b: { c: 2, d: 3 } } })
      await search({ filters: { b: { d: 3, c: 2 }, a: 1 }, page: 1 })
      await search({ filters: { b: { d: 3, c: 2 }, a: 1 }, page: 1, ...({ text: undefined } as object) })
      expect(calls).to.equal(1)
    })

    it('is never shared by two different arguments', async () => {
      let calls = 0
      const { search } = shop({ cache, load: { search: () => ++calls } })
      const different: readonly ShopEntities['search'][] = [
        {},
        { text: '' },
        { text: 'page=1' },
        { page: 1 },
        { text: '{"a":1}' },
        { filters: { a: 1 } },
        { filters: { a: '1' } },
        { filters: { a: [1] } },
        { filters: { a: null } },
        { filters: {} },
        // More than was declared counts too.
        { page: 1, ...({ tenant: 'x' } as object) },
      ]
      for (const args of different) await search(args)
      expect(calls).to.equal(different.length)
    })

    it('refuses what cannot be told apart', async () => {
      const { search, product } = shop({ cache, load: { search: () => 1, product: () => 1 } })
      for (const filters of [{ a: new Map() }, { a: 1n }, { a: () => {} }, { a: Symbol('s') }]) {
        const error = await search({ filters }).catch((caught: unknown) => caught)
        expect(error)
          .to.be.instanceOf(CacheError)
          .with.property('message')
          .that.matches(/plain data/)
      }
      for (const id of [undefined, null, '', {}, Number]) {
        const error = await product({ shopId: 1, productId: id as Id }).catch((caught: unknown) => caught)
        expect(error)
          .to.be.instanceOf(CacheError)
          .with.property('message')
          .that.matches(/shop:product: productId/)
      }
    })
  })

  describe('events', () => {
    it('invalidate the tags of the event and nothing else', async () => {
      let calls = 0
      const { product, search, onProductChanged } = shop({
        cache,
        load: { product: () => ++calls, search: () => ++calls },
      })
      await product({ shopId: 1, productId: 1 })
      await product({ shopId: 1, productId: 2 })
      await search({})
      const result = await onProductChanged({ productId: 1 })
      expect(result).to.include({ ack: 'memory', partitions: 1 })
      expect(await product({ shopId: 1, productId: 2 })).to.equal(2)
      expect(await product({ shopId: 1, productId: 1 })).to.equal(4)
      expect(await search({})).to.equal(5)
    })

    it('void a load that is under way', async () => {
      const told = new EventEmitter()
      let calls = 0
      const load = async (): Promise<string> => {
        if (++calls > 1) return 'new'
        const released = once(told, 'release')
        told.emit('started')
        await released
        return 'old'
      }
      const started = once(told, 'started')
      const { search, onProductChanged } = shop({ cache, load: { search: load } })
      const before = search({})
      await started
      await onProductChanged({ productId: 1 })
      told.emit('release')
      expect(await before).to.equal('old')
      expect(await search({})).to.equal('new')
    })

    it('are tags without a cache, for invalidateMiddleware', () => {
      expect(shop.events.productChanged({ productId: 7 })).to.deep.equal(['product:7', 'products'])
    })

    it('refuse arguments that name nothing', async () => {
      const { onProductChanged } = shop({ cache })
      const error = await onProductChanged({} as { productId: Id }).catch((caught: unknown) => caught)
      expect(error).to.be.instanceOf(CacheError)
    })
  })

  describe('policies', () => {
    it('take their tags from the route parameters', () => {
      const policy: RoutePolicy = shop.product
      expect(policy.ttl).to.equal('10m')
      expect(policy.tags({ params: { shopId: '1', productId: '7' } })).to.deep.equal(['product:7', 'strategy:shop'])
      expect(policy.tags({ params: { shopId: '1', productId: ['a', 'b'] } })).to.deep.equal([
        'product:a/b',
        'strategy:shop',
      ])
      expect(shop.search.tags({ params: {} })).to.deep.equal(['products', 'strategy:shop'])
    })

    it('refuse a route without such a parameter', () => {
      expect(() => shop.product.tags({ params: { id: '7' } })).to.throw(CacheError, /shop\.product.*":productId"/)
      expect(() => shop.product.tags({ params: { shopId: '1', productId: [] } })).to.throw(CacheError, /":productId"/)
    })

    it('need no parameter that no tag is made from', () => {
      expect(shop.product.tags({ params: { productId: '7' } })).to.deep.equal(['product:7', 'strategy:shop'])
    })
  })

  it('takes lifetimes other than the defaults', async () => {
    const { search, product } = shop({ cache, load: { search: () => 1, product: () => 1 }, ttl: { search: '5m' } })
    await search({})
    await product({ shopId: 1, productId: 1 })
    expect(await cache.ttl('shop:search:v1')).to.equal(300)
    expect(await cache.ttl('shop:product:1:1:v1')).to.equal(600)
  })

  it('is named after its domain', () => {
    expect((shop as { name: string }).name).to.equal('shop')
  })

  const refused: readonly [unknown, RegExp][] = [
    [undefined, /shop: cache/],
    [{ load: {} }, /shop: cache/],
    [{ cache: {}, load: {} }, /shop: cache/],
    [
      { cache: createCache(), load: { products: () => 1 } },
      /shop: load: unknown option "products"\. Did you mean "product"/,
    ],
    [{ cache: createCache(), load: { product: 1 } }, /shop: load\.product: 1 is not possible/],
    [{ cache: createCache(), load: {}, ttl: { product: 'long' } }, /ttl\.product: "long" is not a duration/],
    [{ cache: createCache(), loaders: {} }, /unknown option "loaders"/],
  ]
  for (const [index, [options, message]] of refused.entries()) {
    it(`refuses wrong options at construction (${index + 1}: ${message.source})`, () => {
      expect(() => shop(options as Parameters<typeof shop>[0])).to.throw(CacheError, message)
    })
  }

  describe('definitions', () => {
    const entity = { ttl: 1, by: 'id', tags: () => [] }
    const wrong: readonly [object | undefined, RegExp][] = [
      [undefined, /defineStrategy: name: undefined/],
      [{ name: 'a:b', entities: {}, events: {} }, /defineStrategy: name: "a:b"/],
      [{ name: '', entities: {}, events: {} }, /defineStrategy: name: ""/],
      [{ name: 'x', events: {} }, /x: entities: undefined/],
      [{ name: 'x', entities: {} }, /x: events: undefined/],
      [{ name: 'x', version: 0, entities: {}, events: {} }, /defineStrategy: version: 0/],
      [{ name: 'x', entities: { 'a:b': entity }, events: {} }, /entities\.a:b/],
      [{ name: 'x', entities: { a: { ...entity, ttl: undefined } }, events: {} }, /x:a: ttl: undefined/],
      [{ name: 'x', entities: { a: { ...entity, ttl: 'long' } }, events: {} }, /x:a: ttl: "long" is not a duration/],
      [{ name: 'x', entities: { a: { ...entity, tags: undefined } }, events: {} }, /x:a: tags: undefined/],
      [{ name: 'x', entities: { a: { ...entity, by: undefined } }, events: {} }, /x:a: by: undefined.*`key`/],
      [{ name: 'x', entities: { a: { ...entity, by: '' } }, events: {} }, /x:a: by: ""/],
      [{ name: 'x', entities: { a: { ...entity, swr: 1 } }, events: {} }, /x:a: unknown option "swr"/],
      [{ name: 'x', entities: { a: { ...entity, load: 1 } }, events: {} }, /x:a: load: 1/],
      [{ name: 'x', entities: {}, events: { happened: 1 } }, /x: events\.happened: 1/],
      [{ name: 'x', entities: {}, events: { happened: { tags: () => [] } } }, /x: events\.happened/],
      [{ name: 'x', entities: {}, events: { a: () => [], A: () => [] } }, /onA/],
      [{ name: 'x', entities: { onA: entity }, events: { a: () => [] } }, /entities\.onA/],
    ]
    for (const [definition, message] of wrong) {
      it(`are refused with ${message.source}`, () => {
        expect(() => defineStrategy(definition as Parameters<typeof defineStrategy>[0])).to.throw(CacheError, message)
      })
    }
  })

  it('refuses more tags than an entry may carry', async () => {
    const tagged = (count: number) =>
      defineStrategy({
        name: 'x',
        entities: {
          a: { ttl: 1, by: 'id', tags: () => Array.from({ length: count }, String), load: (id: string) => id },
        },
        events: {},
      })({ cache })
    expect(await tagged(127).a('7')).to.equal('7')
    const error = await tagged(128)
      .a('8')
      .catch((caught: unknown) => caught)
    expect(error).to.be.instanceOf(CacheError)
  })

  it('refuses a key that is made of nothing', async () => {
    const keyed = defineStrategy({
      name: 'x',
      entities: { a: { ttl: 1, key: (parts: readonly Id[]) => parts, tags: () => [], load: () => 1 } },
      events: {},
    })({ cache })
    await keyed.a(['a:b', 'c%3Ad', 7])
    expect(await keysOf(cache)).to.deep.equal(['x:a:a%3Ab:c%253Ad:7:v1'])
    for (const parts of [[''], ['a', ''], [undefined], [Number.NaN], [{}], 'text', undefined]) {
      const error = await keyed.a(parts as readonly Id[]).catch((caught: unknown) => caught)
      expect(error)
        .to.be.instanceOf(CacheError)
        .with.property('message')
        .that.matches(/^x:a: /)
    }
  })

  it('goes on when what an event wants again cannot be said', async () => {
    const errors: unknown[] = []
    cache.on('error', ({ where, cause }) => errors.push([where, String(cause)]))
    const eventful = defineStrategy({
      name: 'x',
      entities: { a: { ttl: 1, by: 'id', tags: () => ['a'], load: (id: string) => id } },
      events: { happened: { tags: (id: string) => [id], refresh: () => ({ a: [''] }) } },
    })({ cache })
    expect(await eventful.onHappened('a')).to.include({ ack: 'memory' })
    expect(errors).to.have.length(1)
    expect(String(errors[0])).to.match(/^refresh,.*x:a: id: ""/)
  })

  it('refuses an entity whose name a function has already', () => {
    const entity = { ttl: 1, by: [], tags: () => [] }
    for (const name of ['events', 'name', 'length', 'bind', 'then', 'warm', 'on', 'forgetAll', '__proto__']) {
      expect(() => defineStrategy({ name: 'x', entities: { [name]: entity }, events: {} })).to.throw(CacheError, name)
    }
  })
})

describe('tagName', () => {
  it('joins its parts', () => {
    expect(tagName('community', 7, 'posts')).to.equal('community:7:posts')
  })

  it('lets no part imitate another tag', () => {
    const tags = [
      tagName('user', '7:friends'),
      tagName('user', 7, 'friends'),
      tagName('user:7', 'friends'),
      tagName('user', '7%3Afriends'),
    ]
    expect(tags).to.deep.equal(['user:7%3Afriends', 'user:7:friends', 'user%3A7:friends', 'user:7%253Afriends'])
  })

  it('refuses a part that is missing', () => {
    for (const part of [undefined, null, '', {}, Number.NaN])
      expect(() => tagName('community', part as Id)).to.throw(CacheError, /identifies nothing/)
  })
})
