import { expect } from 'chai'
import type { Fields } from '../../../lib/http/fields.ts'
import { isSafeMethod, isStorableWrite, judgeInvalidation, namesTarget, originOf } from '../../../lib/http/methods.ts'

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

describe('isStorableWrite', () => {
  it('is POST and PATCH, with case (MET-5, MET-6)', () => {
    expect(['POST', 'PATCH'].map(isStorableWrite)).to.deep.equal([true, true])
    for (const method of ['PUT', 'DELETE', 'GET', 'QUERY', 'post', '']) {
      expect(isStorableWrite(method), method).to.equal(false)
    }
  })
})

describe('judgeInvalidation', () => {
  const uri = 'http://h:3000/dir/a?x'
  const judge = (method: string, status: number, fields: Fields = []) =>
    judgeInvalidation({ method, status, uri, fields })
  const after = (method: string, status: number, fields: Fields = []) => judge(method, status, fields).uris

  it('names the target after a successful write, also by an unknown method (DI-2)', () => {
    for (const [method, status] of [
      ['POST', 201],
      ['M-SEARCH', 200],
      ['PUT', 303],
      ['get', 200],
      ['DELETE', 399],
    ] as const) {
      expect(judge(method, status), method).to.deep.equal({ uris: [uri], groups: [], rule: 'DI-2' })
    }
  })

  it('names nothing after a read, whatever its fields say (DI-1, GRP-6)', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'QUERY']) {
      const fields: Fields = [
        ['Location', '/b'],
        ['Cache-Group-Invalidation', '"g"'],
      ]
      expect(judge(method, 200, fields), method).to.deep.equal({ uris: [], groups: [], rule: 'DI-1' })
    }
  })

  it('names nothing after an error or before the final response (DI-5)', () => {
    for (const status of [400, 404, 500, 102, 199]) {
      const verdict = judge('POST', status, [['Location', '/b']])
      expect(verdict, String(status)).to.deep.equal({ uris: [], groups: [], rule: 'DI-5' })
    }
  })

  it('names Location and Content-Location on the same origin, without fragment (DI-3)', () => {
    expect(
      judge('POST', 201, [
        ['Location', '/b#f'],
        ['Content-Location', 'c?y'],
      ]),
    ).to.deep.equal({ uris: [uri, 'http://h:3000/b', 'http://h:3000/dir/c?y'], groups: [], rule: 'DI-3' })
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

  it('names the groups that a write says are wrong, whatever its status (DI-4, GRP-7)', () => {
    const fields: Fields = [['Cache-Group-Invalidation', '"a", "b";x=1']]
    expect(judge('POST', 204, fields)).to.deep.equal({ uris: [uri], groups: ['a', 'b'], rule: 'DI-4' })
    expect(judge('POST', 500, fields)).to.deep.equal({ uris: [], groups: ['a', 'b'], rule: 'DI-4' })
  })

  it('names no group where the field is malformed (GRP-1)', () => {
    for (const value of ['a', '"a", b', '"a', '']) {
      expect(judge('POST', 204, [['Cache-Group-Invalidation', value]]).groups, value).to.deep.equal([])
    }
  })
})

describe('namesTarget', () => {
  const uri = 'http://h:3000/dir/a?x'

  it('is true where the only Content-Location resolves to the target (MET-5)', () => {
    for (const value of [uri, '/dir/a?x', 'a?x', '//h:3000/dir/a?x', '?x']) {
      expect(namesTarget([['content-location', value]], uri), value).to.equal(true)
    }
  })

  it('is false for another URI, two of them, and none', () => {
    for (const value of ['/dir/a', 'a?y', 'https://h:3000/dir/a?x', 'http://h/dir/a?x', 'http://[']) {
      expect(namesTarget([['Content-Location', value]], uri), value).to.equal(false)
    }
    expect(
      namesTarget(
        [
          ['Content-Location', uri],
          ['Content-Location', uri],
        ],
        uri,
      ),
    ).to.equal(false)
    expect(namesTarget([], uri)).to.equal(false)
  })
})

describe('originOf', () => {
  it('is scheme, host and port, as the target URI writes them', () => {
    expect(originOf('http://h:3000/dir/a?x')).to.equal('http://h:3000')
    expect(originOf('https://h/')).to.equal('https://h')
  })
})
