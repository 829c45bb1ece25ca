import { expect } from 'chai'
import fc from 'fast-check'
import { type NoVarySearch, parseNoVarySearch, significantQuery } from '../../../lib/http/no-vary-search.ts'

/** The configuration of a field that is known to be none of the default. */
function config(value: string): NoVarySearch {
  const parsed = parseNoVarySearch(value)
  if (parsed === undefined) throw new Error(`The default: ${value}`)
  return parsed
}

function significant(value: string, query: string): string | undefined {
  return significantQuery(query, config(value))
}

describe('parseNoVarySearch', () => {
  const read: Readonly<Record<string, NoVarySearch>> = {
    'key-order': { keyOrder: true, params: [], except: undefined },
    'params=("a" "b")': { keyOrder: false, params: ['a', 'b'], except: undefined },
    'except=("x")': { keyOrder: false, params: [], except: ['x'] },
    'except=()': { keyOrder: false, params: [], except: [] },
    'key-order, params=()': { keyOrder: true, params: [], except: undefined },
    'key-order, except=("x")': { keyOrder: true, params: [], except: ['x'] },
    'key-order=?0, params=("a")': { keyOrder: false, params: ['a'], except: undefined },
  }
  for (const [value, expected] of Object.entries(read)) {
    it(`reads ${value} (NVS-1, NVS-2, NVS-12)`, () => {
      expect(parseNoVarySearch(value)).to.deep.equal(expected)
    })
  }

  for (const value of [
    'key-order="x"',
    'key-order=1',
    'key-order=("a")',
    'params="a"',
    'params=(a)',
    'params=(1)',
    'params=("a" b)',
    'params',
    'params=?1',
    'params=?0',
    'except',
    'except=?1',
    'except=(a)',
    'except=%"a"',
    'params=(), except=()',
    'params=("a"), except=("x")',
    'key-order, params=("a"), except=(',
    'Params=("a")',
    'params=("\u00e9")',
    'params=("a""b")',
    'params=("a"),',
    'key-order params=("a")',
  ]) {
    it(`falls back to exact matching on ${value} (NVS-2, TV-47)`, () => {
      expect(parseNoVarySearch(value)).to.equal(undefined)
    })
  }

  for (const value of [undefined, '', 'params=()', 'key-order=?0', 'key-order=?0, params=()', 'other=("a")']) {
    it(`takes ${value === undefined ? 'no field' : `"${value}"`} for the default (NVS-2)`, () => {
      expect(parseNoVarySearch(value)).to.equal(undefined)
    })
  }

  it('ignores unknown members and all parameters, and takes the last of duplicates (NVS-1, SF-3)', () => {
    expect(config('later=1, params=("z"), params=("a";p=1);q, key-order=?0, key-order;r').params).to.deep.equal(['a'])
    expect(config('params=("z"), params=("a"), key-order=?0, key-order;r').keyOrder).to.equal(true)
  })

  it('decodes names as the parser of queries does (NVS-4)', () => {
    expect(config('params=("a+b" "%c3%a9" "%26=%3D" "a&b" "%zz" "%f6" "%EF%BB%BFx" "?q" "")').params).to.deep.equal([
      'a b',
      '\u00e9',
      '&==',
      'a&b',
      '%zz',
      '\ufffd',
      '\ufeffx',
      '?q',
      '',
    ])
  })
})

describe('significantQuery', () => {
  it('leaves out the parameters in params (NVS-3, TV-45)', () => {
    const field = 'params=("utm")'
    expect(significant(field, 'id=1&utm=x')).to.equal('id=1')
    expect(significant(field, 'id=1')).to.equal('id=1')
    expect(significant(field, 'utm=z&id=1&utm')).to.equal('id=1')
    expect(significant(field, 'id=2')).to.equal('id=2')
    expect(significant(field, 'UTM=x&id=1')).to.equal('UTM=x&id=1')
  })

  it('leaves out everything but the parameters in except (NVS-3)', () => {
    expect(significant('except=("id")', 'b=2&id=1&a=3')).to.equal('id=1')
    expect(significant('except=("id")', 'b=2')).to.equal('')
    expect(significant('except=()', 'id=1&b=2')).to.equal('')
  })

  it('sorts by name and keeps the order of equal names (NVS-3, TV-46)', () => {
    const stored = significant('key-order', 'a=1&b=2&a=3')
    expect(significant('key-order', 'b=2&a=1&a=3')).to.equal(stored)
    expect(significant('key-order', 'a=3&a=1&b=2')).not.to.equal(stored)
    expect(significant('params=("x")', 'b=2&a=1&a=3')).not.to.equal(significant('params=("x")', 'a=1&b=2&a=3'))
  })

  it('sorts by code units, not by code points (NVS-3)', () => {
    // U+1F600 is the surrogates D83D DE00, which come before U+FB03.
    expect(significant('key-order', '%ef%ac%83=1&%f0%9f%98%80=2')).to.equal('%F0%9F%98%80=2&%EF%AC%83=1')
  })

  it('filters before it sorts', () => {
    expect(significant('key-order, params=("b")', 'c=1&b=2&a=3')).to.equal('a=3&c=1')
    expect(significant('key-order, except=("a" "c")', 'c=1&b=2&a=3')).to.equal('a=3&c=1')
  })

  for (const [one, other] of [
    ['a=x', '%61=%78'],
    ['a=x&&&', 'a=x'],
    ['&a=x', 'a=x'],
    ['a', 'a='],
    ['a=%20', 'a=+'],
    ['%f6', '%ef%bf%bd'],
    ['a=%c3%a9', 'a=%C3%A9'],
    ['a==', 'a=%3d'],
  ] as const) {
    it(`finds ${one} and ${other} the same (NVS-5)`, () => {
      for (const field of ['key-order', 'params=("z")']) {
        expect(significant(field, one)).to.be.a('string').that.equals(significant(field, other))
      }
    })
  }

  it('finds no query and an empty one the same (NVS-5)', () => {
    expect(significant('key-order', '')).to.equal('')
    expect(significant('key-order', '&&')).to.equal('')
  })

  for (const [one, other] of [
    ['?a=1', 'a=1'],
    ['??a=1', '?a=1'],
    ['=', ''],
    ['a=1%262', 'a=1&2'],
    ['a%3d1', 'a=1'],
    ['a=1&a=1', 'a=1'],
    ['a=+', 'a=%2b'],
    ['a=%2520', 'a=%20'],
    ['a=1;b=2', 'a=1&b=2'],
    ['a', 'A'],
    ['%00', ''],
  ] as const) {
    it(`tells ${one} from ${other} (NVS-5)`, () => {
      expect(significant('key-order', one)).to.be.a('string').that.not.equals(significant('key-order', other))
    })
  }

  for (const query of ['id[x]=evil', 'id=1&a[]=2', 'id%5Bx%5D=evil', 'id%5bx=1', 'x]=1', 'a%5d']) {
    it(`keeps out of ${query} while except is in force (NVS-10)`, () => {
      expect(significant('except=("id")', query)).to.equal(undefined)
      expect(significant('except=("id" "a[]" "id[x]")', query)).to.equal(undefined)
      expect(significant('params=("id")', query)).to.be.a('string').that.not.equals('')
    })
  }

  it('has nothing against brackets in values (NVS-10)', () => {
    expect(significant('except=("id")', 'id=[1]&b=%5b')).to.equal('id=%5B1%5D')
  })

  it('keeps out of what is too large, empty parameters included (NVS-10)', () => {
    const field = 'params=("a")'
    expect(significant(field, `a=${'x'.repeat(8190)}`)).to.equal('')
    expect(significant(field, `a=${'x'.repeat(8191)}`)).to.equal(undefined)
    expect(significant(field, 'a&'.repeat(999))).to.equal('')
    expect(significant(field, 'a&'.repeat(1000))).to.equal(undefined)
    // A parser with a limit of 1000 parameters does not see this one.
    expect(significant(field, `${'&'.repeat(1000)}id=2`)).to.equal(undefined)
  })

  for (const query of ['a=\u00e9', 'a=\u00e9%f6', 'a=\ud800', 'a= ', 'a=\n', 'a=\u0000', 'a=\u0161']) {
    it(`keeps out of characters that stand in no URI: ${JSON.stringify(query)}`, () => {
      expect(significant('key-order', query)).to.equal(undefined)
    })
  }

  const TEXT = fc.string({ unit: fc.constantFrom('a', 'b', '&', '=', '+', '%', ' ', '?', '#', '\u00e9', '\u{1f600}') })
  const PAIRS = fc.array(fc.tuple(TEXT, TEXT), { maxLength: 6 })

  /** Another writer of queries than the one under test. */
  function written(pairs: readonly (readonly [string, string])[]): string {
    return pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  }

  it('equals for equal lists of parameters only, whatever they contain (NVS-5)', () => {
    fc.assert(
      fc.property(PAIRS, PAIRS, (one, other) => {
        const equal = JSON.stringify(one) === JSON.stringify(other)
        const field = 'params=("never")'
        expect(significant(field, written(one)) === significant(field, written(other))).to.equal(equal)
      }),
    )
  })

  it('does what a plain filter and a stable sort do (NVS-3)', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'ab', '')
    const pairs = fc.array(fc.tuple(names, fc.constantFrom('1', '2')), { maxLength: 150 })
    fc.assert(
      fc.property(pairs, fc.boolean(), fc.uniqueArray(names), fc.boolean(), (all, keyOrder, listed, excepting) => {
        let kept = all.filter(([name]) => listed.includes(name) === excepting)
        if (keyOrder) kept = kept.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0))
        const rules = { keyOrder, params: excepting ? [] : listed, except: excepting ? listed : undefined }
        expect(significantQuery(written(all), rules)).to.equal(written(kept))
      }),
    )
  })

  it('is a query of the same meaning itself', () => {
    fc.assert(
      fc.property(PAIRS, (pairs) => {
        const once = significant('key-order', written(pairs)) ?? ''
        expect(significant('key-order', once)).to.equal(once)
      }),
    )
  })
})
