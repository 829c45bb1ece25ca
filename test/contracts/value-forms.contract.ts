import { expect } from 'chai'
import * as devalue from 'devalue'
import type { Cache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import type { CacheEvents } from '../../lib/events.ts'
import { type CacheUnderTest, codeOf } from './values.contract.ts'

const NUMBERS = new Uint8Array(Array.from({ length: 64 }, (_, index) => 3 * index))

interface ViewConstructor {
  readonly name: string
  new (memory: ArrayBuffer, offset: number, length: number): ArrayBufferView
  readonly prototype: object
}

const VIEWS: readonly ViewConstructor[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
]

/** Values of several types, what JSON cannot say of them, and where. */
const UNSAYABLE = [
  ['a function', { items: [1, 2, 3, { price: () => 1 }] }, '$.items[3].price'],
  ['a symbol', [Symbol('s')], '$[0]'],
  ['a bigint', { n: { n: 1n } }, '$.n.n'],
  ['a value of the type Map', { 'a b': new Map([[1, 2]]) }, '$["a b"]'],
  ['a value of the type Set', new Set([1]), '$'],
  ['a value of the type Promise', { user: Promise.resolve(1) }, '$.user'],
  ['a value of the type Error', [[new TypeError('x')]], '$[0][0]'],
  ['bytes (Float32Array)', { vector: new Float32Array(2) }, '$.vector'],
  ['bytes (Buffer)', { id: Buffer.from('x') }, '$.id'],
  ['a reference to what contains it', circle(), '$.list[0].back'],
  ['a bigint', { price: { toJSON: () => ({ cents: 5n }) } }, '$.price.cents'],
] as const

/** In which types values come back, and which cannot be kept. */
export function describeForms(make: (options?: CacheOptions) => Promise<CacheUnderTest>): void {
  describe('the form of values', () => {
    const open: Cache[] = []
    const caching = async (options?: CacheOptions): Promise<Cache> => {
      const { cache } = await make(options)
      open.push(cache)
      return cache
    }
    afterEach(async () => {
      await Promise.all(open.splice(0).map((cache) => cache.close()))
    })

    for (const View of VIEWS) {
      it(`keeps a ${View.name} as it is`, async () => {
        const cache = await caching()
        // Part of its memory only.
        const memory = NUMBERS.slice().buffer
        const value = new View(memory, 16, 2)
        const expected = bytesIn(new View(NUMBERS.slice().buffer, 16, 2))
        await cache.set('k', value)
        new Uint8Array(memory).fill(0)
        for (let read = 0; read < 3; read++) {
          const found = (await cache.get<ArrayBufferView>('k')) as ArrayBufferView
          expect(Object.getPrototypeOf(found)).to.equal(View.prototype)
          expect(bytesIn(found)).to.deep.equal(expected)
          new Uint8Array(found.buffer).fill(0)
        }
      })
    }

    it('keeps an ArrayBuffer as it is', async () => {
      const cache = await caching()
      const memory = NUMBERS.slice().buffer
      await cache.remember('k', {}, () => memory)
      expect(await cache.get('k')).to.deep.equal(memory)
    })

    it('gives everybody who waits for bytes the same type, and a copy', async () => {
      const cache = await caching()
      const callers = Array.from({ length: 3 }, () => cache.remember('k', {}, async () => new Float64Array([1.5, -0])))
      const [first, second, third] = await Promise.all(callers)
      expect(first).to.be.instanceOf(Float64Array)
      first?.fill(9)
      for (const found of [second, third, await cache.get('k')])
        expect(found).to.deep.equal(new Float64Array([1.5, -0]))
    })

    it('tells null from nothing, and an empty text from both', async () => {
      const cache = await caching()
      await cache.setMany([
        { key: 'null', value: null },
        { key: 'text', value: '' },
        { key: 'bytes', value: new Uint8Array() },
      ])
      expect(await cache.getMany(['null', 'nobody', 'text', 'bytes'])).to.deep.equal([
        null,
        undefined,
        '',
        new Uint8Array(),
      ])
      expect([await cache.exists('null'), await cache.exists('nobody')]).to.deep.equal([true, false])
      let calls = 0
      expect(await cache.remember('null', {}, () => ++calls)).to.equal(null)
      expect(calls).to.equal(0)
    })

    it('brings back what is large enough to be compressed', async () => {
      const cache = await caching()
      const text = 'all work and no play \u{1f600} '.repeat(500)
      const numbers = new Uint32Array(5_000).fill(7)
      await cache.setMany([
        { key: 'text', value: text },
        { key: 'numbers', value: numbers },
        { key: 'data', value: { text } },
      ])
      expect(await cache.getMany(['text', 'numbers', 'data'])).to.deep.equal([text, numbers, { text }])
    })

    it('turns dates into the text that JSON has for them, and leaves out members that are undefined', async () => {
      const cache = await caching()
      await cache.set('k', { at: new Date(0), by: undefined })
      expect(await cache.get('k')).to.deep.equal({ at: '1970-01-01T00:00:00.000Z' })
    })

    for (const [what, value, path] of UNSAYABLE) {
      it(`refuses ${what} at ${path}, and says so`, async () => {
        const cache = await caching()
        await cache.set('k', 'older')
        const [result] = await Promise.allSettled([cache.set('k', value)])
        const message = String((result as PromiseRejectedResult).reason)
        expect(message).to.include(`the value of "k" has ${what} at ${path}, which has no JSON form`)
        expect(message).to.include('serializer')
        expect(await cache.get('k')).to.equal('older')
      })
    }

    it('takes one object in several places', async () => {
      const cache = await caching()
      const one = { n: 1 }
      expect(await cache.set('k', { a: one, b: [one, one] })).to.equal(true)
      expect(await cache.get('k')).to.deep.equal({ a: one, b: [one, one] })
    })

    context('with a serializer', () => {
      it('brings back dates, maps, sets, bigints, regular expressions and circles', async () => {
        const cache = await caching({ serializer: devalue })
        const value = { at: new Date(5), map: new Map([[1, new Set(['a'])]]), n: 5n, no: undefined, re: /x/g, self: {} }
        value.self = value
        const first = await cache.remember('k', {}, () => value)
        expect(first).to.equal(value)
        for (let read = 0; read < 2; read++) {
          const found = await cache.get<typeof value>('k')
          expect(found?.self).to.equal(found)
          expect({ ...found, self: {} }).to.deep.equal({ ...value, self: {} })
        }
      })

      it('keeps bytes past it, and texts through it', async () => {
        const seen: unknown[] = []
        const serializer = {
          stringify: (value: unknown) => {
            seen.push(value)
            return `<${String(value)}>`
          },
          parse: (text: string) => text.slice(1, -1),
        }
        const cache = await caching({ serializer })
        await cache.setMany([
          { key: 'text', value: 'secret' },
          { key: 'bytes', value: Buffer.from('abc') },
        ])
        expect(await cache.getMany(['text', 'bytes'])).to.deep.equal(['secret', Buffer.from('abc')])
        expect(seen).to.deep.equal(['secret'])
      })

      it('refuses what it cannot write, saying where', async () => {
        const cache = await caching({ serializer: devalue })
        const [result] = await Promise.allSettled([cache.set('k', { items: [{ run: () => 1 }] })])
        expect(String((result as PromiseRejectedResult).reason))
          .to.include('"k"')
          .and.include('$.items[0].run')
        expect(await codeOf(cache.set('k', undefined))).to.equal('ERR_CACHE_BAD_OPTION')
        const silent = await caching({ serializer: { stringify: () => undefined as never, parse: JSON.parse } })
        expect(await codeOf(silent.set('k', 1))).to.equal('ERR_CACHE_BAD_OPTION')
      })

      it('misses, with an event, what it cannot read, and loads it again', async () => {
        let isBroken = true
        const parse = (text: string): unknown => {
          if (isBroken) throw new SyntaxError('cannot read')
          return JSON.parse(text)
        }
        const cache = await caching({ serializer: { stringify: JSON.stringify, parse } })
        const errors: CacheEvents['error'][] = []
        cache.on('error', (event) => errors.push(event))
        await cache.set('k', 1)
        expect(await cache.get('k')).to.equal(undefined)
        expect(errors.map(({ where, cause }) => [where, String(cause)])).to.deep.equal([
          ['value', 'SyntaxError: cannot read'],
        ])
        const values = await Promise.all([1, 2, 3].map((value) => cache.remember('k', {}, async () => value)))
        expect(values).to.deep.equal([1, 2, 3])
        isBroken = false
        expect(await cache.get<number>('k')).to.be.oneOf([1, 2, 3])
      })
    })

    context('when a value is larger than maxValueSize', () => {
      const large = 'x'.repeat(1_000)
      const limited = async (): Promise<{ readonly cache: Cache; readonly warnings: readonly string[] }> => {
        const warnings: string[] = []
        const logger = { info() {}, warn: (message: string) => void warnings.push(message) }
        return { cache: await caching({ maxValueSize: 1_000, logger }), warnings }
      }

      it('keeps neither it nor the older value, and says so once', async () => {
        const { cache, warnings } = await limited()
        await cache.set('k', 1)
        expect(await cache.set('k', large)).to.equal(false)
        expect(await cache.get('k')).to.equal(undefined)
        expect(await cache.set('other', large)).to.equal(false)
        expect(warnings.filter((text) => text.includes('maxValueSize'))).to.have.length(1)
        expect(warnings.join()).to.include('"k"').and.include('1002 bytes')
        expect(cache.stats().limits.valueSize).to.include({ limit: 1_000, refused: 2 })
      })

      it('counts bytes, not characters', async () => {
        const { cache } = await limited()
        expect(await cache.set('k', 'x'.repeat(998))).to.equal(true)
        expect(await cache.set('k', '\u00e9'.repeat(500))).to.equal(false)
        expect(await cache.set('k', Buffer.alloc(1_000))).to.equal(true)
        expect(cache.stats().limits.valueSize).to.include({ current: 1_000, peak: 1_000 })
      })

      it('keeps the others of a setMany', async () => {
        const { cache } = await limited()
        const items = [
          { key: 'a', value: large },
          { key: 'b', value: 1 },
        ]
        expect(await cache.setMany(items)).to.equal(false)
        expect(await cache.getMany(['a', 'b'])).to.deep.equal([undefined, 1])
      })

      it('hands it to all who wait for its loader', async () => {
        const { cache } = await limited()
        let calls = 0
        const load = async (): Promise<string> => large + ++calls
        const values = await Promise.all([1, 2, 3].map(() => cache.remember('k', {}, load)))
        expect(values).to.deep.equal([`${large}1`, `${large}1`, `${large}1`])
        expect(await cache.get('k')).to.equal(undefined)
      })
    })
  })
}

function bytesIn({ buffer, byteOffset, byteLength }: ArrayBufferView): readonly number[] {
  return [...new Uint8Array(buffer, byteOffset, byteLength)]
}

function circle(): object {
  const root: { readonly list: object[] } = { list: [] }
  root.list.push({ back: root })
  return root
}
