import { expect } from 'chai'
import { type CodableHead, isCodable, isCompressedType } from '../../../lib/http/content-coding.ts'

const TEXT = ['Content-Type', 'text/plain'] as const

function head(parts: Partial<CodableHead>): CodableHead {
  return { status: 200, fields: [TEXT], vary: [], ...parts }
}

describe('isCodable', () => {
  const types: Readonly<Record<string, boolean>> = {
    'text/html; charset=utf-8': true,
    'TEXT/CSS': true,
    'text/event-stream': false,
    'application/json': true,
    'application/problem+json; charset=utf-8': true,
    'application/json-seq': true,
    'application/xml': true,
    'image/svg+xml': true,
    'application/rss+xml': true,
    'application/javascript': true,
    'application/x-ndjson': true,
    'application/wasm': true,
    'font/ttf': true,
    'font/woff2': false,
    'image/png': false,
    'image/x-icon': true,
    'video/mp4': false,
    'application/pdf': false,
    'application/zip': false,
    'application/octet-stream': false,
    'multipart/byteranges; boundary=json': false,
    'application/x; a=/json': false,
    '': false,
  }
  for (const [type, expected] of Object.entries(types)) {
    it(`is ${expected} for ${type || 'an empty type'}`, () => {
      expect(isCodable(head({ fields: [['content-type', type]] }), 5_000)).to.equal(expected)
    })
  }

  it('is false without a type, for other statuses, and for what fits into a packet', () => {
    expect(isCodable(head({ fields: [] }), 5_000)).to.equal(false)
    for (const status of [203, 204, 206, 301, 404, 500]) expect(isCodable(head({ status }), 5_000)).to.equal(false)
    expect(isCodable(head({}), 1_023)).to.equal(false)
    expect(isCodable(head({}), 1_024)).to.equal(true)
    expect(isCodable(head({}), undefined)).to.equal(true)
  })

  it('leaves to the handler what it negotiates itself', () => {
    expect(isCodable(head({ vary: ['accept-encoding', 'origin'] }), 5_000)).to.equal(false)
    expect(isCodable(head({ vary: ['origin'] }), 5_000)).to.equal(true)
  })

  for (const [name, value] of [
    ['Content-Encoding', 'gzip'],
    ['Content-Range', 'bytes 0-1/2'],
    ['Cache-Control', 'public, No-Transform'],
    ['Content-Digest', 'sha-256=:x:'],
    ['Repr-Digest', 'sha-256=:x:'],
    ['Digest', 'sha-256=x'],
    ['Content-MD5', 'x'],
    ['Use-As-Dictionary', 'match="/*"'],
    ['ETag', '"abc;cw-gzip"'],
  ] as const) {
    it(`is false with ${name}: ${value} (CMP-6, DIG-4, CDT-4)`, () => {
      expect(isCodable(head({ fields: [TEXT, [name, value]] }), 5_000)).to.equal(false)
      expect(isCodable(head({ fields: [TEXT, [name.toLowerCase(), value]] }), undefined)).to.equal(false)
    })
  }

  it('knows nothing that is compressed already and shrinks all the same', () => {
    for (const [type, codable] of Object.entries(types)) {
      if (isCompressedType(type)) expect(codable, type).to.equal(false)
    }
  })
})
