import { expect } from 'chai'
import {
  type Fields,
  fieldLines,
  fieldValue,
  isToken,
  requestField,
  splitList,
  splitOutsideQuotes,
  storableFields,
  trimOws,
} from '../../../lib/http/fields.ts'

describe('fieldLines and fieldValue', () => {
  const fields: Fields = [
    ['Vary', 'A'],
    ['X', '1'],
    ['vary', 'B, C'],
  ]

  it('find a field whatever its case and keep the order of its lines (PAR-1, PAR-2)', () => {
    expect(fieldLines(fields, 'VARY')).to.deep.equal(['A', 'B, C'])
    expect(fieldValue(fields, 'vary')).to.equal('A, B, C')
  })

  it('tell an absent field from an empty one', () => {
    expect(fieldValue(fields, 'age')).to.equal(undefined)
    expect(fieldValue([['Age', '']], 'age')).to.equal('')
  })
})

describe('requestField', () => {
  it('joins repeated lines', () => {
    expect(requestField({ foo: ['1', '2'] }, 'foo')).to.equal('1, 2')
    expect(requestField({ foo: '1' }, 'foo')).to.equal('1')
  })

  it('does not take what every object has for a field', () => {
    for (const name of ['constructor', '__proto__', 'toString']) expect(requestField({}, name)).to.equal(undefined)
  })
})

describe('storableFields', () => {
  it('drops Connection and every field it names (HDR-2)', () => {
    const fields: Fields = [
      ['Connection', 'X-Hop, close'],
      ['connection', 'X-Other'],
      ['x-hop', '1'],
      ['X-OTHER', '2'],
      ['X-Kept', '3'],
    ]
    expect(storableFields(fields)).to.deep.equal([['X-Kept', '3']])
  })

  it('drops what belongs to one connection, to proxies, to framing or to HTTP/2 (HDR-3, HDR-4, HDR-11)', () => {
    const names = [
      'Keep-Alive',
      'TE',
      'Trailer',
      'Transfer-Encoding',
      'Upgrade',
      'Proxy-Connection',
      'Proxy-Authenticate',
      'Proxy-Authentication-Info',
      'Proxy-Authorization',
      'Content-Length',
      ':status',
    ]
    expect(storableFields(names.map((name) => [name, 'x'] as const))).to.deep.equal([])
  })

  it('keeps case, order and repeats of everything else (HDR-1, HDR-10)', () => {
    const fields: Fields = [
      ['X-b', '1'],
      ['set-cookie', 'a'],
      ['Set-Cookie', 'b'],
      ['X-a', '2'],
    ]
    expect(storableFields(fields)).to.deep.equal(fields)
  })
})

describe('splitList', () => {
  it('drops empty members and white space (PAR-4)', () => {
    expect(splitList(', ,a,\tb c ,,')).to.deep.equal(['a', 'b c'])
    expect(splitList('')).to.deep.equal([])
  })

  it('leaves commas inside quotes alone (PAR-5)', () => {
    expect(splitList('a="x, y", b="\\", z", c')).to.deep.equal(['a="x, y"', 'b="\\", z"', 'c'])
  })

  it('keeps an unterminated quote in one piece', () => {
    expect(splitList('a, "b, c')).to.deep.equal(['a', '"b, c'])
    expect(splitList('"a\\')).to.deep.equal(['"a\\'])
  })
})

describe('splitOutsideQuotes', () => {
  it('keeps empty parts', () => {
    expect(splitOutsideQuotes('a; ;b=";"', ';')).to.deep.equal(['a', '', 'b=";"'])
  })
})

describe('trimOws', () => {
  it('takes spaces and tabs off and nothing else (PAR-11)', () => {
    expect(trimOws(' \ta b\t ')).to.equal('a b')
    expect(trimOws('\u00a0a')).to.equal('\u00a0a')
    expect(trimOws(' ')).to.equal('')
  })
})

describe('isToken', () => {
  it('accepts token characters only', () => {
    expect(['X-a', '*', "a'b"].every(isToken)).to.equal(true)
    expect(['', 'a b', 'a=b', '"a"', '\u00e9'].some(isToken)).to.equal(false)
  })
})
