import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { CacheError, ERROR_CODES, show } from '../../lib/errors.ts'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

describe('docs/errors.md', () => {
  it('has one heading for each code, in the order of the table', () => {
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    expect(headings).to.deep.equal(Object.keys(ERROR_CODES))
  })

  for (const [code, meaning] of Object.entries(ERROR_CODES)) {
    it(`opens ${code} with its meaning and gives a fix`, () => {
      const section = page.split(`## ${code}\n`)[1]?.split('\n## ')[0] ?? ''
      expect(section.replaceAll(/\s+/g, ' ').trim().startsWith(meaning), section).to.equal(true)
      expect(section).to.match(/^Fix: /m)
    })
  }
})

describe('CacheError', () => {
  it('points at the heading of its code', () => {
    const { help, name, code, pending } = new CacheError('ERR_CACHE_CLOSED', 'closed')
    expect({ help, name, code, pending }).to.deep.equal({
      help: 'docs/errors.md#err_cache_closed',
      name: 'CacheError',
      code: 'ERR_CACHE_CLOSED',
      pending: false,
    })
  })

  it('keeps the cause', () => {
    const cause = new Error('ECONNREFUSED')
    expect(new CacheError('ERR_CACHE_UNCONFIRMED', 'late', { cause, pending: true })).to.include({
      cause,
      pending: true,
    })
  })

  it('has no cause where there is none', () => {
    expect(new CacheError('ERR_CACHE_CLOSED', 'closed')).to.not.have.property('cause')
  })
})

describe('show', () => {
  const shown: readonly [unknown, string][] = [
    ['a"b\n', '"a\\"b\\n"'],
    ['x'.repeat(100), `"${'x'.repeat(77)}..."`],
    [function tags() {}, 'function tags'],
    [() => {}, 'function (anonymous)'],
    [[1], 'an array'],
    [{}, 'an object (Object)'],
    [new Map(), 'an object (Map)'],
    [Object.create(null), 'an object (no prototype)'],
    [null, 'null'],
    [undefined, 'undefined'],
    [5n, '5'],
    [Symbol('s'), 'Symbol(s)'],
    [-0.5, '-0.5'],
  ]
  for (const [value, text] of shown) {
    it(`shows ${text}`, () => {
      expect(show(value)).to.equal(text)
    })
  }
})
