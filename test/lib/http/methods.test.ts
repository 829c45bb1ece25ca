import { expect } from 'chai'
import type { Fields } from '../../../lib/http/fields.ts'
import { invalidatedUris, isSafeMethod } from '../../../lib/http/methods.ts'

describe('isSafeMethod', () => {
  it('knows the registered safe methods, with case (MET-1, MET-2)', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH']) {
      expect(isSafeMethod(method), method).to.equal(true)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'PURGE', 'get', '']) {
      expect(isSafeMethod(method), method).to.equal(false)
    }
  })
})

describe('invalidatedUris', () => {
  const uri = 'http://h:3000/dir/a?x'
  const after = (method: string, status: number, fields: Fields = []) =>
    invalidatedUris({ method, status, uri, fields })

  it('names the target after a successful write, also by an unknown method (DI-2)', () => {
    expect(after('POST', 201)).to.deep.equal([uri])
    expect(after('M-SEARCH', 200)).to.deep.equal([uri])
    expect(after('PUT', 303)).to.deep.equal([uri])
  })

  it('names nothing after a read or an error (DI-1, DI-5)', () => {
    for (const [method, status] of [
      ['GET', 200],
      ['POST', 400],
      ['POST', 500],
      ['POST', 102],
    ] as const) {
      expect(after(method, status, [['Location', '/b']])).to.deep.equal([])
    }
  })

  it('names Location and Content-Location on the same origin, without fragment (DI-3)', () => {
    expect(
      after('POST', 201, [
        ['Location', '/b#f'],
        ['Content-Location', 'c?y'],
      ]),
    ).to.deep.equal([uri, 'http://h:3000/b', 'http://h:3000/dir/c?y'])
    expect(after('POST', 201, [['location', 'HTTP://H:3000/b?']])).to.deep.equal([uri, 'http://h:3000/b?'])
    expect(after('POST', 201, [['Location', 'http://u:p@h:3000/b']])).to.deep.equal([uri, 'http://h:3000/b'])
    expect(after('POST', 201, [['Location', uri]])).to.deep.equal([uri])
  })

  it('names nothing on another origin, and nothing that is no reference (INV-5)', () => {
    for (const location of [
      'https://h:3000/b',
      '//other/b',
      'http://h/b',
      'http://h:3001/b',
      'http://[',
      'data:x',
      'javascript:1',
    ]) {
      expect(after('POST', 201, [['Location', location]]), location).to.deep.equal([uri])
    }
  })
})
