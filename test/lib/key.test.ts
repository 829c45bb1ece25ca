import { expect } from 'chai'
import fc from 'fast-check'
import {
  keyPrefix,
  partitionOf,
  primaryKey,
  routingPart,
  serviceKey,
  tagOf,
  urlTags,
  variantKey,
} from '../../lib/key.ts'

const uri = 'http://localhost/posts?page=1'

describe('keys', () => {
  it('write version, mount, method class and target URI', () => {
    expect(primaryKey(keyPrefix(1, 'app'), uri)).to.equal(`R 1 app G ${uri}`)
  })

  it('encode a mount so that it cannot imitate another part', () => {
    expect(keyPrefix(1, '/a b ~x')).to.equal('R 1 %2Fa%20b%20~x G ')
    expect(keyPrefix(1, '\ud800')).to.be.a('string')
  })

  it('of values mean the same before and after the way to Redis', () => {
    const key = serviceKey(1, 'a\ud800')
    expect(key).to.equal('V 1 a\ufffd')
    expect(partitionOf(key, 16)).to.equal(partitionOf(`V 0 ${tagOf.key('a\ud800').slice(2)}`, 16))
  })

  it('append extra material and the values that Vary selects', () => {
    const primary = primaryKey(keyPrefix(1, 'app'), uri, ['gold', undefined])
    expect(primary).to.equal(`R 1 app G ${uri} +["gold",null]`)
    expect(variantKey(primary, ['accept', 'cookie'], ['text/html', undefined])).to.equal(
      `${primary} ~accept,cookie ["text/html",null]`,
    )
  })

  it('tell an absent field from every value it could have', () => {
    const keys = [undefined, '', 'null', '"', 'a", "b'].map((value) => variantKey('R 1 a G /', ['x'], [value]))
    expect(new Set(keys).size).to.equal(keys.length)
  })

  it('are equal only when all parts are', () => {
    const part = fc.string({ unit: fc.constantFrom('a', ' ', '+', '~', '"', '[', ']', ',') })
    const parts = fc.tuple(
      part,
      fc.option(fc.array(part), { nil: undefined }),
      fc.option(fc.tuple(part), { nil: undefined }),
    )
    const make = ([mount, extra, values]: readonly [string, string[] | undefined, [string] | undefined]) => {
      const primary = primaryKey(keyPrefix(1, mount), uri, extra)
      return values === undefined ? primary : variantKey(primary, ['x'], values)
    }
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(make(a) === make(b)).to.equal(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })
})

describe('routingPart', () => {
  it('is the target URI, whatever the version, mount, extra material and variant', () => {
    for (const prefix of [keyPrefix(1, 'app'), keyPrefix(12, '/a b')]) {
      const primary = primaryKey(prefix, uri)
      const full = [primary, primaryKey(prefix, uri, ['x']), variantKey(primary, ['accept'], ['a b'])]
      expect(full.map(routingPart)).to.deep.equal([uri, uri, uri])
    }
  })

  it('is the service key, spaces included', () => {
    expect(routingPart(serviceKey(3, 'user 1 ~x'))).to.equal('user 1 ~x')
  })
})

describe('partitionOf', () => {
  it('is the same for all versions, mounts and variants of a resource', () => {
    const keys = [
      primaryKey(keyPrefix(1, 'a'), uri),
      variantKey(primaryKey(keyPrefix(2, 'b'), uri, ['x']), ['y'], ['z']),
    ]
    expect(new Set(keys.map((key) => partitionOf(key, 16))).size).to.equal(1)
  })

  it('does not change between releases', () => {
    expect(
      [serviceKey(1, 'a'), serviceKey(1, 'user:1'), `R 1 app G ${uri}`].map((key) => partitionOf(key, 16)),
    ).to.deep.equal([12, 11, 8])
  })

  it('is 0 when there is one', () => {
    expect(partitionOf(serviceKey(1, 'a'), 1)).to.equal(0)
  })

  it('spreads keys', () => {
    const counts = Array.from({ length: 16 }, () => 0)
    for (let index = 0; index < 16_000; index++) {
      const partition = partitionOf(serviceKey(1, `user:${index}`), 16)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    expect(Math.min(...counts)).to.be.greaterThan(700)
  })
})

describe('urlTags', () => {
  it('names a path under every host', () => {
    expect(urlTags('/p?q')).to.deep.equal([tagOf.path('/p?q')])
  })

  it('names both schemes where there is none', () => {
    expect(urlTags('//host/p')).to.deep.equal([tagOf.uri('http://host/p'), tagOf.uri('https://host/p')])
  })

  it('names an absolute URI exactly', () => {
    expect(urlTags(uri)).to.deep.equal([`u:${uri}`])
  })

  it('writes scheme, host and port as entries have them', () => {
    expect(urlTags('HTTP://Shop.Example:80/P?q=A')).to.deep.equal(['u:http://shop.example/P?q=A'])
    expect(urlTags('https://shop.example')).to.deep.equal(['u:https://shop.example/'])
    expect(urlTags('//Shop.Example:443/p')).to.deep.equal(['u:http://shop.example:443/p', 'u:https://shop.example/p'])
  })
})

describe('tagOf', () => {
  it('keeps user tags, keys and URLs apart', () => {
    expect(new Set([tagOf.tag('/x'), tagOf.key('/x'), tagOf.uri('/x'), tagOf.path('/x')]).size).to.equal(4)
  })

  it('means the same before and after the way to Redis, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '\ud83d', '\ude00', '\u20ac') }), (text) => {
        for (const tag of [
          tagOf.tag,
          tagOf.key,
          tagOf.uri,
          tagOf.path,
          (text: string) => tagOf.group('http://a.test', text),
        ]) {
          expect(Buffer.from(tag(text)).toString()).to.equal(tag(text))
          expect(tag(Buffer.from(text).toString())).to.equal(tag(text))
        }
      }),
    )
    expect(tagOf.tag('a\ud800b')).to.equal('t:a\ufffdb')
    expect(tagOf.key('\u{1f600}')).to.equal('k:\u{1f600}')
  })
})
