import { expect } from 'chai'
import { tagsOf } from '../../../lib/http/tag-fields.ts'

describe('tagsOf', () => {
  it('reads Cache-Tag as a list and Surrogate-Key as words, from every line', () => {
    const fields = [
      ['Cache-Tag', 'post:1, , posts'],
      ['cache-tag', 'user:7'],
      ['Surrogate-Key', ' a  b\tc '],
      ['X-Other', 'no'],
    ] as const
    expect(tagsOf(fields)).to.deep.equal(['post:1', 'posts', 'user:7', 'a', 'b', 'c'])
  })

  it('finds none where there are none', () => {
    expect(tagsOf([['Cache-Tag', '']])).to.deep.equal([])
  })
})
