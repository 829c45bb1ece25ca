import { expect } from 'chai'
import { stripQuery, targetUri } from '../../../lib/http/target.ts'

const uri = (originalUrl: string, authority: string | undefined = 'h', scheme = 'http') =>
  targetUri({ scheme, authority, originalUrl })?.uri

describe('targetUri', () => {
  it('is scheme, authority, path and query, path and query as received (KEY-2, KEY-8)', () => {
    expect(targetUri({ scheme: 'http', authority: 'h', originalUrl: '/A%7e/../b?y=2&x=1&' })).to.deep.equal({
      uri: 'http://h/A%7e/../b?y=2&x=1&',
      path: '/A%7e/../b?y=2&x=1&',
    })
    expect(uri('/a?')).not.to.equal(uri('/a'))
  })

  it('writes scheme and host in lower case and drops the default port (KEY-2)', () => {
    expect(uri('/', 'EXAMPLE.org:80', 'HTTP')).to.equal('http://example.org/')
    expect(uri('/', 'example.org:', 'http')).to.equal('http://example.org/')
    expect(uri('/', 'example.org:443', 'https')).to.equal('https://example.org/')
    expect(uri('/', 'example.org:443', 'http')).to.equal('http://example.org:443/')
    expect(uri('/', '[::1]:3000')).to.equal('http://[::1]:3000/')
  })

  it('does not take a path that begins with // for an authority (KEY-10)', () => {
    expect(uri('//evil.example/x')).to.equal('http://h//evil.example/x')
  })

  it('accepts an absolute form that names the same host (KEY-4)', () => {
    expect(targetUri({ scheme: 'http', authority: 'h:80', originalUrl: 'HTTP://H/x?y' })).to.deep.equal({
      uri: 'http://h/x?y',
      path: '/x?y',
    })
    expect(uri('http://h')).to.equal('http://h/')
    expect(uri('http://h?q')).to.equal('http://h/?q')
  })

  it('bypasses an absolute form that names another host or scheme (KEY-4)', () => {
    for (const target of ['http://other/x', 'https://h/x', 'http://u@h/x', 'http://h:81/x', '://h/x']) {
      expect(uri(target), target).to.equal(undefined)
    }
  })

  it('bypasses other forms, fragments, bytes that belong on no request line and long targets (KEY-2, KEY-15)', () => {
    for (const target of ['', '*', 'h:80', 'x', '/a#b', '/a b', '/\u00e9', '/\u0000', `/${'a'.repeat(8192)}`]) {
      expect(uri(target), target.slice(0, 10)).to.equal(undefined)
    }
    expect(uri(`/${'a'.repeat(8191)}`)).to.have.length(8200)
  })

  it('bypasses a malformed authority (KEY-7)', () => {
    for (const authority of ['', 'u@h', 'h/x', 'a b', 'h:99999', 'h:x', 'h:1:2', '[::1', 'h?', 'h,g', 'caf\u00e9']) {
      expect(uri('/', authority), authority).to.equal(undefined)
    }
    expect(targetUri({ scheme: 'http', authority: undefined, originalUrl: '/' })).to.equal(undefined)
    expect(uri('/', 'h', 'ftp')).to.equal(undefined)
  })
})

describe('stripQuery', () => {
  it('removes parameters by exact name and keeps the rest as it is', () => {
    expect(stripQuery('/p?b=%2f&utm=1&a&utm=2&utmx=3&=4', ['utm'])).to.equal('/p?b=%2f&a&utmx=3&=4')
    expect(stripQuery('/p?UTM=1&utm', ['utm'])).to.equal('/p?UTM=1')
  })

  it('drops the question mark when nothing is left', () => {
    expect(stripQuery('/p?utm=1', ['utm'])).to.equal('/p')
  })

  it('changes nothing where nothing is named', () => {
    expect(stripQuery('/p?', ['utm'])).to.equal('/p?')
    expect(stripQuery('/p?a=1&&b', ['utm'])).to.equal('/p?a=1&&b')
    expect(stripQuery('/p?a=1', [])).to.equal('/p?a=1')
    expect(stripQuery('/p', ['utm'])).to.equal('/p')
  })
})
