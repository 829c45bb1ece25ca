import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { defineStrategy, tagName } from '../../strategies/index.ts'

interface Product {
  readonly id: string
  readonly price: number
}

/** The rows of a shop, and what was asked for. */
function makeShop() {
  const asked: string[] = []
  const prices = new Map([
    ['7', 10],
    ['8', 20],
  ])
  const product = (id: string): Product => ({ id, price: prices.get(id) ?? 0 })
  const define = defineStrategy({
    name: 'shop',
    entities: {
      product: {
        ttl: '10m',
        stale: '1m',
        by: 'productId',
        key: (id: string) => [id],
        tags: (id) => [tagName('product', id)],
        load: async (id) => {
          asked.push(`one ${id}`)
          return product(id)
        },
        loadMany: async (ids) => {
          asked.push(`many ${ids.join(' ')}`)
          return ids.map(product)
        },
      },
      page: {
        ttl: '1m',
        by: ['category'],
        tags: ({ category }) => [tagName('category', category)],
        load: async ({ category, page = 1 }: { readonly category: string; readonly page?: number }) =>
          `${category}/${page}`,
      },
      stock: { ttl: '1m', key: (id: string) => [id], tags: () => ['stock'] },
    },
    events: {
      productChanged: (id: string) => [tagName('product', id)],
      delivered: {
        tags: ({ ids }: { readonly ids: readonly string[] }) => ids.map((id) => tagName('product', id)),
        refresh: ({ ids }) => ({ product: ids }),
      },
    },
  })
  return { define, asked, prices }
}

describe('a strategy that brings its loaders', () => {
  let cache: Cache
  beforeEach(() => {
    cache = createCache()
  })
  afterEach(() => cache.close())

  it('is one declaration, typed by inference', async () => {
    const { define, asked, prices } = makeShop()
    const shop = define({ cache })
    const product: Product = await shop.product('7')
    const page: string = await shop.page({ category: 'toys', page: 2 })
    expect([product, page]).to.deep.equal([{ id: '7', price: 10 }, 'toys/2'])
    prices.set('7', 11)
    expect(await shop.product('7')).to.deep.equal({ id: '7', price: 10 })
    await shop.onProductChanged('7')
    expect(await shop.product('7')).to.deep.equal({ id: '7', price: 11 })
    expect(asked).to.deep.equal(['one 7', 'one 7'])
  })

  it('refuses in types what is not declared', async () => {
    const shop = makeShop().define({ cache })
    // @ts-expect-error an identifier is a text here
    await shop.product(7)
    // @ts-expect-error not what the loader brings
    const price: number = await shop.product('7')
    // @ts-expect-error an identifying argument is missing
    const missing = await shop.page({ page: 1 }).catch((error: unknown) => error)
    // @ts-expect-error nothing loads it
    expect(shop.stock).to.equal(undefined)
    // @ts-expect-error no such event
    expect(shop.onProductSold).to.equal(undefined)
    expect(price).to.be.an('object')
    expect(missing).to.be.instanceOf(CacheError)
  })

  it('says where a value came from, when it is asked to', async () => {
    const shop = makeShop().define({ cache })
    const { value, source } = await shop.product('7', { source: true })
    const product: Product = value
    expect([product.price, source]).to.deep.equal([10, 'origin'])
    expect(await shop.product('7', { source: true })).to.deep.equal({ value, source: 'memory' })
    expect(await shop.page({ category: 'toys' }, { source: true })).to.deep.equal({ value: 'toys/1', source: 'origin' })
    // An index is no option.
    expect(await Promise.all(['7', '8'].map(shop.product))).to.deep.equal([value, { id: '8', price: 20 }])
  })

  it('lets the application bring others', async () => {
    const { define, asked } = makeShop()
    const shop = define({ cache, load: { product: (id) => id.length, stock: (id) => `${id} pieces` } })
    const length: number = await shop.product('123')
    const stock: string = await shop.stock('5')
    expect([length, stock, asked]).to.deep.equal([3, '5 pieces', []])
    // The definition's loadMany brings something else: it is left out, too.
    expect(await shop.product.many(['1', '22'])).to.deep.equal([1, 2])
    expect(asked).to.deep.equal([])
  })

  it('loads again what an event says is wanted', async () => {
    const { define, asked, prices } = makeShop()
    const shop = define({ cache })
    prices.set('7', 12)
    await shop.onDelivered({ ids: ['7'] })
    while (asked.length === 0) await new Promise(setImmediate)
    expect(asked).to.deep.equal(['one 7'])
    expect(await shop.product('7')).to.deep.equal({ id: '7', price: 12 })
    expect(asked).to.have.length(1)
  })

  it('gives routes its policies', () => {
    const { define } = makeShop()
    expect(define.product).to.include({ ttl: '10m', staleWhileRevalidate: '1m' })
    expect(define.product.tags({ params: { productId: '7' } })).to.deep.equal(['product:7', 'strategy:shop'])
    expect(() => define.stock.tags({ params: { id: '7' } })).to.throw(CacheError, /shop\.stock.*`by`/)
  })

  it('lets an event happen whose name comes from elsewhere', async () => {
    const { define, asked } = makeShop()
    const shop = define({ cache })
    await shop.product('7')
    await shop.on('productChanged', '7')
    await shop.product('7')
    expect(asked).to.have.length(2)
    // @ts-expect-error the types know the events
    const unknown = await shop.on('productChangd', '7').catch((error: unknown) => error)
    expect(unknown)
      .to.be.instanceOf(CacheError)
      .with.property('message')
      .that.equals('shop: unknown event "productChangd". Did you mean "productChanged"?')
  })

  it('forgets all of itself and nothing else', async () => {
    const { define, asked } = makeShop()
    const shop = define({ cache })
    await Promise.all([shop.product('7'), shop.page({ category: 'toys' }), cache.set('other', 1)])
    await shop.forgetAll()
    const { entries } = await cache.entries()
    expect(entries.map(({ name }) => name)).to.deep.equal(['other'])
    await shop.product('7')
    expect(asked).to.deep.equal(['one 7', 'one 7'])
  })

  it('keeps what other versions have apart', async () => {
    const { define, asked } = makeShop()
    await define({ cache }).product('7')
    await define({ cache, version: 2 }).product('7')
    const { entries } = await cache.entries()
    expect(entries.map(({ name }) => name)).to.have.members(['shop:product:7:v1', 'shop:product:7:v2'])
    expect(asked).to.have.length(2)
    await define({ cache, version: 3 }).forgetAll()
    expect((await cache.entries()).entries).to.deep.equal([])
  })

  it('warms what is named, in that order, and passes over what is there', async () => {
    const { define, asked } = makeShop()
    const shop = define({ cache })
    await shop.product('8')
    const plan = { product: ['7', '8'], page: [{ category: 'toys' }] } as const
    expect(await shop.warm(plan, { concurrency: 1 })).to.include({ total: 3, warmed: 2, fresh: 1, failures: 0 })
    expect(asked).to.deep.equal(['one 8', 'one 7'])
    expect(await cache.get('shop:page:toys:v1')).to.equal('toys/1')
    expect(await shop.warm(async () => plan)).to.include({ total: 3, warmed: 0, fresh: 3 })
    await shop.onProductChanged('7')
    expect(await shop.product('7')).to.deep.equal({ id: '7', price: 10 })
  })

  it('warms several in one call', async () => {
    const { define, asked } = makeShop()
    await define({ cache }).warm({ product: ['1', '2', '3'] })
    expect(asked).to.deep.equal(['many 1 2 3'])
  })

  it('refuses to warm what it does not know', async () => {
    const shop = makeShop().define({ cache })
    const refused: readonly [unknown, RegExp][] = [
      [{ products: ['7'] }, /shop\.warm: unknown entity "products"\. Did you mean "product"/],
      [{ stock: ['7'] }, /shop\.warm: unknown entity "stock"/],
      [{ product: '7' }, /shop\.warm: product: "7"/],
      [{ product: [''] }, /shop:product: key\[0\]: "" identifies nothing/],
      ['product', /shop\.warm: "product"/],
    ]
    for (const [plan, message] of refused) {
      const error = await shop.warm(plan as { product: string[] }).catch((caught: unknown) => caught)
      expect(error).to.be.instanceOf(CacheError).with.property('message').that.matches(message)
    }
  })
})
