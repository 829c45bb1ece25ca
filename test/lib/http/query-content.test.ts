import { createHash } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import type { RequestHeaders } from '../../../lib/http/fields.ts'
import { queryKey } from '../../../lib/http/query-content.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex')
}

function key(content: string | Buffer, headers: RequestHeaders = JSON_TYPE): string | undefined {
  return queryKey(Buffer.from(content), headers, sha256)
}

describe('queryKey', () => {
  it('is the digest it was given, the same for the same content and metadata (QRY-3, TV-103)', () => {
    expect(key('{"a":1}')).to.match(/^[0-9a-f]{64}$/)
    expect(key('{"a":1}', { ...JSON_TYPE, accept: 'text/html' })).to.equal(key('{"a":1}'))
    expect(queryKey(Buffer.from('a'), JSON_TYPE, () => 'digest')).to.equal('digest')
  })

  const base = { 'content-type': 'a/b', 'content-encoding': 'gzip', 'content-language': 'en' }
  const others: Readonly<Record<string, readonly [string, RequestHeaders]>> = {
    'octets that mean the same': ['x ', base],
    'no octets': ['', base],
    'another type': ['x', { ...base, 'content-type': 'a/c' }],
    'another spelling of the type': ['x', { ...base, 'content-type': 'A/B' }],
    'a parameter of the type': ['x', { ...base, 'content-type': 'a/b;c=d' }],
    'another spacing of the type': ['x', { ...base, 'content-type': 'a/b ;c=d' }],
    'another coding': ['x', { ...base, 'content-encoding': 'br' }],
    'no coding': ['x', { 'content-type': 'a/b', 'content-language': 'en' }],
    'an empty coding': ['x', { ...base, 'content-encoding': '' }],
    'another language': ['x', { ...base, 'content-language': 'de' }],
    'no language': ['x', { 'content-type': 'a/b', 'content-encoding': 'gzip' }],
    'coding and language exchanged': ['x', { ...base, 'content-encoding': 'en', 'content-language': 'gzip' }],
    'only a language of the name of the coding': ['x', { 'content-type': 'a/b', 'content-language': 'gzip' }],
  }
  it('tells apart whatever differs in content or metadata (QRY-3)', () => {
    const all = Object.values(others).map(([content, headers]) => key(content, headers))
    expect(new Set([key('x', base), ...all])).to.have.lengthOf(Object.keys(others).length + 1)
  })

  it('is the key of octets, not of text (QRY-3)', () => {
    expect(key(Buffer.from([0xff]))).not.to.equal(key(Buffer.from([0xfe])))
    expect(key(Buffer.from([0xff]))).not.to.equal(key('\ufffd'))
  })

  const alike: Readonly<Record<string, readonly [RequestHeaders, string, RequestHeaders, string]>> = {
    'a longer type and a coding': [
      { 'content-type': 'a', 'content-encoding': 'b' },
      'x',
      { 'content-type': 'ab', 'content-encoding': '' },
      'x',
    ],
    'a type that ends like the mark of an absent field': [
      { 'content-type': 'a' },
      'x',
      { 'content-type': 'a-', 'content-encoding': '' },
      'x',
    ],
    'a type with a coding in it': [
      { 'content-type': 'a', 'content-encoding': 'b' },
      'x',
      { 'content-type': 'a1:b' },
      'x',
    ],
    'content that continues the language': [
      { 'content-type': 'a', 'content-language': 'b' },
      'c\0',
      { 'content-type': 'a', 'content-language': 'bc' },
      '',
    ],
    'content that looks like the fields': [
      { 'content-type': 'a' },
      '-\0',
      { 'content-type': 'a', 'content-encoding': '-' },
      '',
    ],
    'types that are no text': [{ 'content-type': '\ud800' }, 'x', { 'content-type': '\ufffd' }, 'x'],
  }
  for (const [name, [headers, content, otherHeaders, otherContent]] of Object.entries(alike)) {
    it(`lets no part imitate another: ${name} (KEY-11)`, () => {
      expect(key(content, headers)).not.to.equal(key(otherContent, otherHeaders))
    })
  }

  it('equals for equal content and metadata only (KEY-11)', () => {
    const text = fc.string({ unit: fc.constantFrom('-', '1', ':', '\u00e9'), maxLength: 2 })
    const field = fc.option(text, { nil: undefined })
    const type = text.filter((value) => value !== '')
    const query = fc.tuple(type, field, field, fc.uint8Array({ max: 1, maxLength: 2 }))
    const seen = new Map<string | undefined, string>()
    fc.assert(
      fc.property(query, ([contentType, encoding, language, content]) => {
        const digest = key(Buffer.from(content), {
          'content-type': contentType,
          'content-encoding': encoding,
          'content-language': language,
        })
        const parts = JSON.stringify([contentType, encoding ?? null, language ?? null, [...content]])
        expect(seen.get(digest) ?? parts).to.equal(parts)
        seen.set(digest, parts)
      }),
      { numRuns: 2000 },
    )
  })

  it('is none without a type (QRY-6)', () => {
    expect(key('x', {})).to.equal(undefined)
    expect(key('x', { 'content-type': '' })).to.equal(undefined)
    expect(key('x', { 'content-type': undefined, 'content-encoding': 'gzip' })).to.equal(undefined)
  })
})
