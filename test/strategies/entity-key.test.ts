import { isDeepStrictEqual } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { canonicalJson } from '../../strategies/canonical-json.ts'
import { readEntity } from '../../strategies/entity.ts'
import { entityKey } from '../../strategies/entity-key.ts'
import { tagName } from '../../strategies/index.ts'

/** Texts that look like what keys are made of, with halves of surrogate pairs among them. */
const text = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', ':', '%', '=', '&', 'v', '1', '"', '{', '3', 'A', '\ud800', '\udc00'),
    maxLength: 6,
  }),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const id = text.filter((value) => value !== '')
const data = fc.jsonValue({ maxDepth: 3 })
const view = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(data), fc.dictionary(text, data))
const args = fc.record({ a: id, b: id, page: view, filters: view, [':b=']: view }, { requiredKeys: ['a', 'b'] })

/** What a key has to tell apart: of plain views 1 and '1' are the same. */
function meaning(given: object): unknown {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'object' ? { data: canonicalJson('x', value) } : String(value),
    ]),
  )
}

describe('entityKey', () => {
  const pair = readEntity('s:pair', { ttl: 1, by: ['a', 'b'], tags: () => [] })
  const parts = readEntity('s:parts', { ttl: 1, key: (given: readonly string[]) => given, tags: () => [] })

  it('gives two arguments one key only where they are the same', () => {
    fc.assert(
      fc.property(args, args, (one, other) => {
        const isSame = isDeepStrictEqual(meaning(one), meaning(other))
        expect(entityKey(pair, one) === entityKey(pair, other)).to.equal(isSame)
      }),
      { numRuns: 2_000 },
    )
  })

  it('gives two lists of parts one key only where they are the same', () => {
    const list = fc.array(id, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(list, list, (one, other) => {
        expect(entityKey(parts, one) === entityKey(parts, other)).to.equal(isDeepStrictEqual(one, other))
        expect(tagName(...one) === tagName(...other)).to.equal(isDeepStrictEqual(one, other))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is printable and has as many separators as parts', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(entityKey(pair, { a, b })).to.match(/^s:pair:[\x21-\x39\x3b-\x7e]+:[\x21-\x39\x3b-\x7e]+$/)
      }),
    )
  })
})

describe('canonicalJson', () => {
  it('is JSON that says the same', () => {
    fc.assert(
      fc.property(data, (value) => {
        const written = canonicalJson('x', value)
        expect(canonicalJson('x', JSON.parse(written))).to.equal(written)
        expect(JSON.parse(written)).to.deep.equal(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.dictionary(text, data), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse())
        expect(canonicalJson('x', turned)).to.equal(canonicalJson('x', value))
      }),
    )
  })
})
