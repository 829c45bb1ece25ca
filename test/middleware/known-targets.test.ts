import { expect } from 'chai'
import fc from 'fast-check'
import { stripQuery, targetUri } from '../../lib/http/target.ts'
import { primaryKey } from '../../lib/key.ts'
import { KnownTargets } from '../../middleware/known-targets.ts'

describe('KnownTargets', () => {
  it('says what a target is without remembering, whatever was asked before', () => {
    const known = new KnownTargets(['utm'])
    const parts = fc.record({
      scheme: fc.constantFrom('http', 'https', 'ftp'),
      authority: fc.constantFrom('a.example', 'A.example:80', 'b.example:8080', 'not a host', undefined),
      // More than there are places, so that they take each other's.
      url: fc.oneof(
        fc.integer({ min: 0, max: 10_000 }).map((number) => `/items/${number}`),
        fc.constantFrom('/p?utm=1&q=2', '/p?q=2', '/p q', '', '*', 'http://a.example/p', `/${'x'.repeat(300)}`),
      ),
      prefix: fc.constantFrom('R 1 app G ', 'R 1 front G '),
    })
    const check = fc.property(fc.array(parts, { minLength: 50, maxLength: 200 }), (asked) => {
      for (const { scheme, authority, url, prefix } of asked) {
        const target = known.named(scheme, authority, url)
        const expected = targetUri({ scheme, authority, originalUrl: stripQuery(url, ['utm']) })
        expect(target?.uri).to.equal(expected?.uri)
        expect(target?.path).to.equal(expected?.path)
        if (expected !== undefined) expect(target?.keyBehind(prefix)).to.equal(primaryKey(prefix, expected.uri))
      }
    })
    fc.assert(check, { numRuns: 50 })
  })

  it('checks a target once, as long as it is asked for by the same name', () => {
    const known = new KnownTargets([])
    const first = known.named('http', 'a.example', '/p?q')
    expect(known.named('http', 'a.example', '/p?q')).to.equal(first)
    expect(known.named('http', 'b.example', '/p?q')).not.to.equal(first)
    expect(known.named('https', 'a.example', '/p?q')?.uri).to.equal('https://a.example/p?q')
  })

  it('does not hold what is long', () => {
    const known = new KnownTargets([])
    const url = `/${'x'.repeat(256)}`
    expect(known.named('http', 'a.example', url)).not.to.equal(known.named('http', 'a.example', url))
  })
})
