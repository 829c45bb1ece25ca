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

/** Back from a part of a key: what can be read back is shared by no two. */
function decoded(part: string): string {
  return part
    .split(/%u([0-9a-f]{4})/)
    .map((piece, index) =>
      index % 2 === 0 ? decodeURIComponent(piece) : String.fromCharCode(Number.parseInt(piece, 16)),
    )
    .join('')
}

/** The views in the last part of a key: plain ones as text, others as data. */
function viewsIn(part: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    part.split('&').map((member) => {
      const [, name = '', isData, value = ''] = /^([^=:]*)(:?)=(.*)$/.exec(member) ?? []
      return [decoded(name), isData === ':' ? { data: JSON.parse(decoded(value)) as unknown } : decoded(value)]
    }),
  )
}

/** What of the views a key has to say: of plain ones 1 and '1' are the same. */
function meaning(views: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(views).map(([name, value]: [string, unknown]) => [
      name,
      isPlain(value) ? String(value) : { data: JSON.parse(JSON.stringify(value)) as unknown },
    ]),
  )
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

describe('entityKey', () => {
  const pair = readEntity('s:pair', { ttl: 1, by: ['a', 'b'], tags: () => [] })
  const parts = readEntity('s:parts', { ttl: 1, key: (given: readonly string[]) => given, tags: () => [] })
  const runs = { numRuns: 1_000 }

  it('says all of its arguments', () => {
    fc.assert(
      fc.property(args, ({ a, b, ...views }) => {
        const [, , first = '', second = '', last] = entityKey(pair, { a, b, ...views }).split(/:(?!=)/)
        expect([decoded(first), decoded(second)]).to.deep.equal([a, b])
        expect(last === undefined ? {} : viewsIn(last)).to.deep.equal(meaning(views))
      }),
      runs,
    )
  })

  it('says all of its parts', () => {
    const list = fc.array(id, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(list, (given) => {
        expect(entityKey(parts, given).split(':').slice(2).map(decoded)).to.deep.equal(given)
        // In tags only what separates is encoded.
        const back = tagName(...given).split(':')
        expect(back.map((part) => part.replaceAll('%3A', ':').replaceAll('%25', '%'))).to.deep.equal(given)
      }),
      runs,
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
