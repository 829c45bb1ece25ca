import { expect } from 'chai'
import { CacheError } from '../../lib/errors.ts'
import { checkTags, invalidationTargets, MAX_TAG_LENGTH, MAX_TAGS } from '../../lib/targets.ts'

function errorOf(run: () => unknown): CacheError {
  try {
    run()
  } catch (error) {
    if (error instanceof CacheError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('invalidationTargets', () => {
  it('keeps tags, keys and URLs apart', () => {
    const targets = {
      tags: ['user:1'],
      keys: ['user:1'],
      urls: ['/p?q', '//shop.example/p', 'https://shop.example/p'],
      pattern: 'user:*',
      all: false,
    }
    expect(invalidationTargets('invalidate', targets)).to.deep.equal({
      tags: [
        't:user:1',
        'k:user:1',
        'p:/p?q',
        'u:http://shop.example/p',
        'u:https://shop.example/p',
        'u:https://shop.example/p',
      ],
      patterns: ['user:*'],
      all: false,
    })
  })

  it('takes several patterns', () => {
    expect(invalidationTargets('invalidate', { pattern: ['a*', '/b*'] }).patterns).to.deep.equal(['a*', '/b*'])
  })

  it('names nothing when nothing is named', () => {
    expect(invalidationTargets('invalidate', {})).to.deep.equal({ tags: [], patterns: [], all: false })
  })

  for (const [targets, code, message] of [
    [{ tag: ['a'] }, 'ERR_CACHE_UNKNOWN_OPTION', 'invalidate: unknown option "tag". Did you mean "tags"?'],
    [{ patterns: 'a*' }, 'ERR_CACHE_UNKNOWN_OPTION', 'Did you mean "pattern"?'],
    [{ tags: 'a' }, 'ERR_CACHE_BAD_OPTION', 'invalidate: tags: "a" is not possible here. Use a list'],
    [{ tags: [''] }, 'ERR_CACHE_BAD_OPTION', 'invalidate: tags[0]: ""'],
    [{ keys: ['a', 1] }, 'ERR_CACHE_BAD_OPTION', 'invalidate: keys[1]: 1'],
    [{ urls: ['posts/1'] }, 'ERR_CACHE_BAD_OPTION', 'invalidate: urls[0]: "posts/1"'],
    [{ urls: ['ftp://a/b'] }, 'ERR_CACHE_BAD_OPTION', 'invalidate: urls[0]: "ftp://a/b"'],
    [{ pattern: '' }, 'ERR_CACHE_BAD_OPTION', 'invalidate: pattern: ""'],
    [{ pattern: [/a/] }, 'ERR_CACHE_BAD_OPTION', 'invalidate: pattern[0]: an object (RegExp)'],
    [{ all: 'yes' }, 'ERR_CACHE_BAD_OPTION', 'invalidate: all: "yes" is not possible here. Use true or false'],
    [undefined, 'ERR_CACHE_BAD_OPTION', 'invalidate: undefined'],
    [null, 'ERR_CACHE_BAD_OPTION', 'invalidate: null'],
    ['tag', 'ERR_CACHE_BAD_OPTION', 'invalidate: "tag"'],
  ] as const) {
    it(`refuses ${targets === undefined ? 'undefined' : JSON.stringify(targets)}`, () => {
      const error = errorOf(() => invalidationTargets('invalidate', targets as never))
      expect(error.code).to.equal(code)
      expect(error.message).to.include(message)
    })
  }
})

describe('checkTags', () => {
  it('prefixes tags', () => {
    expect(checkTags('set', ['a', '__proto__'])).to.deep.equal(['t:a', 't:__proto__'])
  })

  it('takes tags up to the bounds', () => {
    const tags = Array.from({ length: MAX_TAGS }, (_, index) => String(index).padEnd(MAX_TAG_LENGTH, 'x'))
    expect(checkTags('set', tags)).to.have.length(MAX_TAGS)
  })

  for (const [what, tags, message] of [
    ['too many', Array.from({ length: MAX_TAGS + 1 }, String), '129 tags'],
    ['too long, in bytes', ['\u00e9'.repeat(129)], 'is too much'],
    ['empty ones', [''], 'an array'],
    ['what is no list', 'abc', '"abc"'],
    ['what is no text', [1], 'an array'],
  ] as const) {
    it(`refuses ${what}`, () => {
      const error = errorOf(() => checkTags('set', tags as never))
      expect(error.code).to.equal('ERR_CACHE_BAD_OPTION')
      expect(error.message).to.include('set: ').and.include(message)
    })
  }
})
