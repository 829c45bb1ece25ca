import { expect } from 'chai'
import fc from 'fast-check'
import { stripQuery, targetUri } from '../../lib/http/target.ts'
import { primaryKey } from '../../lib/key.ts'
import { knownTarget } from '../../middleware/known-targets.ts'

describe('knownTarget', () => {
  it('says what a target is without remembering, whatever was asked before', () => {
    const lists = [[], ['utm']]
    const parts = fc.record({
      scheme: fc.constantFrom('http', 'https', 'ftp'),
      authority: fc.constantFrom('a.example', 'A.example:80', 'b.example:8080', 'not a host', undefined),
      // More than there are places, so that they take each other's.
      url: fc.oneof(
        fc.integer({ min: 0, max: 10_000 }).map((number) => `/items/${number}`),
        fc.constantFrom('/p?utm=1&q=2', '/p?q=2', '/p q', '', '*', 'http://a.example/p', `/${'x'.repeat(300)}`),
      ),
      prefix: fc.constantFrom('R 1 app G ', 'R 1 front G '),
      ignoredQuery: fc.constantFrom(...lists),
    })
    const check = fc.property(fc.array(parts, { minLength: 50, maxLength: 200 }), (asked) => {
      for (const { prefix, ...received } of asked) {
        const { scheme, authority, url, ignoredQuery } = received
        const target = knownTarget(received)
        const expected = targetUri({ scheme, authority, originalUrl: stripQuery(url, ignoredQuery) })
        expect(target?.uri).to.equal(expected?.uri)
        expect(target?.path).to.equal(expected?.path)
        if (expected !== undefined) expect(target?.keyBehind(prefix)).to.equal(primaryKey(prefix, expected.uri))
      }
    })
    fc.assert(check, { numRuns: 50 })
  })

  it('checks a target once, as long as it is asked for by the same name', () => {
    const received = { scheme: 'http', authority: 'a.example', url: '/p?q', ignoredQuery: [] }
    const first = knownTarget(received)
    expect(knownTarget({ ...received })).to.equal(first)
    expect(knownTarget({ ...received, authority: 'b.example' })).not.to.equal(first)
    expect(knownTarget({ ...received, scheme: 'https' })?.uri).to.equal('https://a.example/p?q')
  })

  it('does not hold what is long', () => {
    const received = { scheme: 'http', authority: 'a.example', url: `/${'x'.repeat(256)}`, ignoredQuery: [] }
    expect(knownTarget(received)?.uri).to.equal(`http://a.example${received.url}`)
    expect(knownTarget(received)).not.to.equal(knownTarget(received))
  })
})
