import { expect } from 'chai'
import { codedTag, heldTag, ownConditions, withOwnConditions } from '../../../lib/http/coded-tag.ts'
import { CODINGS } from '../../../lib/http/content-coding.ts'
import { parseEntityTag } from '../../../lib/http/entity-tag.ts'

describe('codedTag', () => {
  it('gives a strong tag another one in each coding, all of them valid (MSG-3)', () => {
    const tags = ['"abc"', ...CODINGS.map((coding) => codedTag('"abc"', coding))]
    expect(new Set(tags)).to.have.property('size', 4)
    for (const tag of tags) expect(parseEntityTag(tag ?? '')).to.equal(tag)
  })

  it('leaves weak tags as they are, and none (CMP-2)', () => {
    expect(codedTag('W/"abc"', 'gzip')).to.equal('W/"abc"')
    expect(codedTag(undefined, 'gzip')).to.equal(undefined)
  })
})

describe('ownConditions', () => {
  const gzip = codedTag('"abc"', 'gzip') ?? ''
  const br = codedTag('"abc"', 'br') ?? ''

  it('gives the handler its own tag back', () => {
    const headers = { 'accept-encoding': 'gzip, br', 'if-none-match': `"x", ${gzip}, W/${br}`, 'if-match': gzip }
    expect(ownConditions(headers)).to.deep.equal([
      ['if-none-match', '"x", "abc", W/"abc"'],
      ['if-match', '"abc"'],
    ])
    expect(withOwnConditions(headers)).to.deep.equal({
      'accept-encoding': 'gzip, br',
      'if-none-match': '"x", "abc", W/"abc"',
      'if-match': '"abc"',
    })
  })

  it('does not say that a client holds what it no longer takes', () => {
    expect(ownConditions({ 'accept-encoding': 'br', 'if-none-match': gzip, 'if-match': gzip })).to.deep.equal([
      ['if-match', '"abc"'],
    ])
    expect(ownConditions({ 'if-none-match': gzip })).to.deep.equal([])
  })

  it('leaves everything else alone, and If-Range (RNG-7)', () => {
    const headers = {
      'accept-encoding': 'gzip',
      'if-none-match': '"abc;gzip", "a;cw-gzip;b", ;cw-gzip',
      'if-match': '*',
      'if-range': gzip,
    }
    expect(ownConditions(headers)).to.deep.equal([])
    expect(withOwnConditions(headers)).to.equal(headers)
  })
})

describe('heldTag', () => {
  const held = (tags: string | undefined, coding = 'gzip, br', etag: string | undefined = '"abc"') =>
    heldTag({ 'accept-encoding': coding, ...(tags === undefined ? {} : { 'if-none-match': tags }) }, etag)

  it('names the tag of the form that the client has', () => {
    expect(held('"abc"')).to.equal('"abc"')
    expect(held('"x", "abc;cw-gzip"')).to.equal('"abc;cw-gzip"')
    expect(held('W/"abc;cw-br"')).to.equal('"abc;cw-br"')
    expect(held('W/"abc"', '', 'W/"abc"')).to.equal('W/"abc"')
  })

  it('is undefined where it has none that it takes', () => {
    expect(held('"abc;cw-gzip"', 'br')).to.equal(undefined)
    expect(held('"abc;cw-zstd"')).to.equal(undefined)
    expect(held('"x"')).to.equal(undefined)
    expect(held(undefined)).to.equal(undefined)
    expect(heldTag({ 'if-none-match': '"abc"' }, undefined)).to.equal(undefined)
  })
})
