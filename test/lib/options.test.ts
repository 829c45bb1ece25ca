import { createContext, runInContext } from 'node:vm'
import { expect } from 'chai'
import { CacheError } from '../../lib/errors.ts'
import {
  anyOf,
  callback,
  duration,
  flag,
  group,
  integer,
  listOf,
  milliseconds,
  oneOf,
  optionHints,
  orFalse,
  readOptions,
  size,
  statuses,
  syncCallback,
  text,
  texts,
  withMethods,
} from '../../lib/options.ts'

const table = {
  deadlineMs: milliseconds,
  etag: flag,
  headers: oneOf('debug', 'standard', false),
  key: syncCallback<() => string>(),
  logger: withMethods<{ info(): void; warn(): void }>('info', 'warn'),
  memory: orFalse(group({ maxSize: size })),
  namespace: text,
  scope: anyOf(oneOf('public'), syncCallback<() => string>()),
  staleIfError: duration,
  staleWhileRevalidate: duration,
  statuses,
  tags: anyOf(texts, callback<() => string[]>()),
  ttl: orFalse(duration),
  version: integer({ min: 1, max: 9 }),
} as const

const read = (options: unknown) => readOptions('createCache', options, table)

function refusal(options: unknown): CacheError {
  try {
    read(options)
  } catch (error) {
    if (error instanceof CacheError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('readOptions', () => {
  it('answers with parsed values', () => {
    const key = () => 'k'
    expect(
      read({
        ttl: '5m',
        deadlineMs: '1s',
        memory: { maxSize: '1mb' },
        headers: false,
        statuses: [200, 404],
        scope: 'public',
        key,
      }),
    ).to.deep.equal({
      ttl: 300_000,
      deadlineMs: 1_000,
      memory: { maxSize: 1_048_576 },
      headers: false,
      statuses: [200, 404],
      scope: 'public',
      key,
    })
  })

  it('gives typed values', () => {
    const options = read({ ttl: 1, memory: { maxSize: 1 } })
    const ttl: number | false | undefined = options.ttl
    const memory: { readonly maxSize?: number } | false | undefined = options.memory
    const headers: 'debug' | 'standard' | false | undefined = options.headers
    expect([ttl, memory, headers]).to.deep.equal([1_000, { maxSize: 1 }, undefined])
  })

  it('takes undefined for absent', () => {
    expect(read(undefined)).to.deep.equal({})
    expect(read({ ttl: undefined })).to.deep.equal({})
  })

  it('takes objects without prototype and objects of another realm', () => {
    expect(read(Object.assign(Object.create(null), { ttl: 1 }))).to.deep.equal({ ttl: 1_000 })
    expect(read(runInContext('({ ttl: 1 })', createContext()))).to.deep.equal({ ttl: 1_000 })
  })

  it('copies lists', () => {
    const list = [200]
    const options = read({ statuses: list })
    list.push(500)
    expect(options.statuses).to.deep.equal([200])
  })

  context('when a name is not known', () => {
    const suggestions: readonly [string, string][] = [
      ['staleWhileRevalidated', 'staleWhileRevalidate'],
      ['staleIfEror', 'staleIfError'],
      ['tll', 'ttl'],
      ['TTL', 'ttl'],
      ['kye', 'key'],
      ['maxAge', 'ttl'],
      ['expire', 'ttl'],
      ['prefix', 'namespace'],
      ['keyGenerator', 'key'],
      ['swr', 'staleWhileRevalidate'],
      ['grace', 'staleIfError'],
    ]
    for (const [written, meant] of suggestions) {
      it(`suggests ${meant} for ${written}`, () => {
        const error = refusal({ [written]: 1 })
        expect(error.code).to.equal('ERR_CACHE_UNKNOWN_OPTION')
        expect(error.message).to.equal(`createCache: unknown option "${written}". Did you mean "${meant}"?`)
      })
    }

    it('lists what there is when nothing is near', () => {
      expect(refusal({ colour: 1 }).message).to.match(
        /unknown option "colour"\. Known options: deadlineMs, etag, .*version\.$/,
      )
    })

    it('knows no names of Object.prototype', () => {
      expect(refusal(JSON.parse('{"__proto__": 1}')).code).to.equal('ERR_CACHE_UNKNOWN_OPTION')
      expect(refusal({ constructor: 1 }).code).to.equal('ERR_CACHE_UNKNOWN_OPTION')
      expect(refusal({ toString: undefined }).code).to.equal('ERR_CACHE_UNKNOWN_OPTION')
    })

    it('names the group', () => {
      expect(refusal({ memory: { maxsize: 1 } }).message).to.equal(
        'createCache: memory: unknown option "maxsize". Did you mean "maxSize"?',
      )
    })
  })

  context('when a value is wrong', () => {
    const refused: readonly [object, CacheError['code'], string][] = [
      [{ ttl: '10' }, 'ERR_CACHE_BAD_DURATION', 'ttl: "10" is not a duration'],
      [{ ttl: true }, 'ERR_CACHE_BAD_DURATION', 'ttl: true is not a duration'],
      [{ deadlineMs: -1 }, 'ERR_CACHE_BAD_DURATION', 'deadlineMs: -1 is not a duration'],
      [{ memory: { maxSize: '5foo' } }, 'ERR_CACHE_BAD_SIZE', 'memory.maxSize: "5foo" is not a size'],
      [{ memory: true }, 'ERR_CACHE_BAD_OPTION', 'memory: true is not possible here. Use an object with maxSize'],
      [{ etag: 'yes' }, 'ERR_CACHE_BAD_OPTION', 'etag: "yes" is not possible here. Use true or false'],
      [{ headers: 'all' }, 'ERR_CACHE_BAD_OPTION', "Use 'debug' or 'standard' or false"],
      [{ key: 'id' }, 'ERR_CACHE_BAD_OPTION', 'key: "id" is not possible here. Use a function'],
      [{ namespace: '' }, 'ERR_CACHE_BAD_OPTION', 'namespace: ""'],
      [{ scope: 'private' }, 'ERR_CACHE_BAD_OPTION', "Use 'public', or a function"],
      [{ statuses: [200, '404'] }, 'ERR_CACHE_BAD_OPTION', 'statuses[1]: "404"'],
      [{ statuses: 200 }, 'ERR_CACHE_BAD_OPTION', 'Use a list'],
      [{ tags: [''] }, 'ERR_CACHE_BAD_OPTION', 'tags[0]: ""'],
      [{ version: 10 }, 'ERR_CACHE_BAD_OPTION', 'Use a whole number from 1 to 9'],
      [{ version: 1.5 }, 'ERR_CACHE_BAD_OPTION', 'version: 1.5'],
      [{ logger: { info() {} } }, 'ERR_CACHE_BAD_OPTION', 'Use an object with info() and warn()'],
      [{ etag: null }, 'ERR_CACHE_BAD_OPTION', 'etag: null'],
    ]
    for (const [options, code, part] of refused) {
      it(`refuses with "${part}"`, () => {
        const error = refusal(options)
        expect(error.code).to.equal(code)
        expect(error.message).to.match(/^createCache: /)
        expect(error.message).to.include(part)
      })
    }

    it('refuses a visibly async function where the answer is needed at once', () => {
      expect(refusal({ key: async () => 'k' }).code).to.equal('ERR_CACHE_ASYNC_OPTION')
      expect(refusal({ scope: async () => 'k' }).code).to.equal('ERR_CACHE_ASYNC_OPTION')
      expect(read({ tags: async () => [] })).to.have.property('tags')
    })

    for (const options of [null, [], 'ttl', 5, () => {}, new Map(), new (class Cache {})()]) {
      it(`refuses ${Object.prototype.toString.call(options)} as options object`, () => {
        expect(refusal(options).message).to.match(/^createCache: .* Use an options object\.$/)
      })
    }
  })
})

describe('listOf', () => {
  it('names the item', () => {
    expect(() => readOptions('x', { list: Array.from({ length: 1 }) }, { list: listOf(text) })).to.throw(
      'x: list[0]: undefined',
    )
  })
})

describe('optionHints', () => {
  it('says that numbers are seconds where ms were probably meant', () => {
    expect(optionHints('cacheRoute', { ttl: 300_000, staleIfError: 60 }, table)).to.deep.equal([
      "cacheRoute: ttl: 300000 is 300000 seconds (3d11h20m). Numbers are seconds; write '5m' if milliseconds were meant, " +
        "or '300000s' to silence this.",
    ])
  })

  it('says nothing about strings, ms options and what is no object', () => {
    expect(optionHints('cacheRoute', { ttl: '300000s', deadlineMs: 10_000 }, table)).to.deep.equal([])
    expect(optionHints('cacheRoute', false, table)).to.deep.equal([])
  })

  it('looks into groups and choices', () => {
    const nested = { window: group({ ttl: anyOf(oneOf('auto'), duration) }) } as const
    expect(optionHints('x', { window: { ttl: 20_000 } }, nested)[0]).to.match(/^x: window\.ttl: 20000 is 20000 seconds/)
  })
})
