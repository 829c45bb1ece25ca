import { expect } from 'chai'
import fc from 'fast-check'
import { matchesGlob } from '../../lib/glob.ts'

describe('matchesGlob', () => {
  const cases: readonly [string, string, boolean][] = [
    ['', '', true],
    ['', 'a', false],
    ['a', '', false],
    ['*', '', true],
    ['*', '/a/b?c', true],
    ['user:*', 'user:1', true],
    ['user:*', 'user:', true],
    ['user:*', 'users:1', false],
    ['/posts/*/votes', '/posts/1/2/votes', true],
    ['/posts/?', '/posts/1', true],
    ['/posts/?', '/posts/12', false],
    ['/posts\\?page=1', '/posts?page=1', true],
    ['/posts\\?page=1', '/postsXpage=1', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['a\\\\', 'a\\', true],
    ['a\\', 'a\\', true],
    ['*a*b', 'xaxbxb', true],
    ['*a*b', 'xaxbxc', false],
    ['a**', 'a', true],
    ['A', 'a', false],
    ['[ab]', 'a', false],
    ['.', 'a', false],
  ]
  for (const [pattern, text, expected] of cases) {
    it(`${JSON.stringify(pattern)} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
      expect(matchesGlob(pattern, text)).to.equal(expected)
    })
  }

  it('matches every text with its characters escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '*', '?', '\\', '/') }), (text) => {
        expect(matchesGlob(text.replaceAll(/[*?\\]/g, '\\$&'), text)).to.equal(true)
      }),
    )
  })

  it('agrees with a regular expression', () => {
    const unit = fc.constantFrom('a', 'b', '*', '?')
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
        (pattern, text) => {
          const equivalent = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`)
          expect(matchesGlob(pattern, text)).to.equal(equivalent.test(text))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('answers soon for a pattern made to be slow', () => {
    expect(matchesGlob(`${'*a'.repeat(500)}b`, 'a'.repeat(10_000))).to.equal(false)
  }).timeout(2_000)
})
