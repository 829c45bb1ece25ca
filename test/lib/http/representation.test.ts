import { expect } from 'chai'
import type { CodedBody } from '../../../lib/http/content-coding.ts'
import type { Fields } from '../../../lib/http/fields.ts'
import { besideVary, heldHead, identityOf, representationIn } from '../../../lib/http/representation.ts'
import { type StoredResponse, storedResponse } from '../../../lib/http/stored-response.ts'
import { responseParts } from '../../support/entries.ts'

const PLAIN = Buffer.alloc(2_000, 'plain ')
const GZIP: CodedBody = { coding: 'gzip', body: Buffer.from('gzip') }

function stored(fields: Fields = [], coded: readonly CodedBody[] = [GZIP]): StoredResponse {
  const all: Fields = [['Content-Type', 'text/plain'], ...fields]
  return storedResponse(responseParts({ fields: all, body: PLAIN }), { coded })
}

function lines(head: readonly string[], name: string): string[] {
  return head.filter((_value, index) => index % 2 === 1 && head[index - 1]?.toLowerCase() === name)
}

describe('representations of a stored response', () => {
  it('is in the first coding at hand, else as it is', () => {
    const value = stored([], [{ coding: 'br', body: undefined }, GZIP])
    expect(representationIn(value, ['br', 'gzip']).body.toString()).to.equal('gzip')
    expect(representationIn(value, ['br']).body).to.equal(PLAIN)
    expect(representationIn(value, [])).to.equal(identityOf(value))
    expect(representationIn(value, ['gzip'])).to.equal(representationIn(value, ['gzip']))
  })

  it('has length, coding and tag of its own, and the rest of the head', () => {
    const value = stored([
      ['ETag', '"abc"'],
      ['Accept-Ranges', 'bytes'],
      ['X-More', '1'],
    ])
    const { head, notModifiedHead, etag } = representationIn(value, ['gzip'])
    expect(etag).to.equal('"abc;cw-gzip"')
    const names = ['content-encoding', 'content-length', 'etag', 'accept-ranges', 'x-more', 'vary']
    expect(names.map((name) => lines(head, name))).to.deep.equal([
      ['gzip'],
      ['4'],
      ['"abc;cw-gzip"'],
      [],
      ['1'],
      ['Accept-Encoding'],
    ])
    expect(lines(notModifiedHead, 'etag')).to.deep.equal(['"abc;cw-gzip"'])
    expect(lines(notModifiedHead, 'content-encoding')).to.deep.equal([])
    const identity = identityOf(value)
    expect(names.map((name) => lines(identity.head, name))).to.deep.equal([
      [],
      ['2000'],
      ['"abc"'],
      ['bytes'],
      ['1'],
      ['Accept-Encoding'],
    ])
    // The head of those who do not negotiate is left as it is.
    expect(lines(value.head, 'vary')).to.deep.equal([])
  })

  it('keeps a weak tag, and a word against ranges', () => {
    const value = stored([
      ['ETag', 'W/"abc"'],
      ['Accept-Ranges', 'none'],
    ])
    const { head, etag } = representationIn(value, ['gzip'])
    expect([etag, lines(head, 'etag'), lines(head, 'accept-ranges')]).to.deep.equal(['W/"abc"', ['W/"abc"'], ['none']])
  })

  for (const [vary, expected] of [
    ['Origin', 'Origin, Accept-Encoding'],
    ['', 'Accept-Encoding'],
  ] as const) {
    it(`adds to a Vary of ${JSON.stringify(vary)}`, () => {
      const value = stored([['Vary', vary]])
      for (const { head, notModifiedHead } of [identityOf(value), representationIn(value, ['gzip'])]) {
        expect([lines(head, 'vary'), lines(notModifiedHead, 'vary')]).to.deep.equal([[expected], [expected]])
      }
    })
  }

  it('joins a Vary that stands on the response already', () => {
    expect(besideVary(['X', '1', 'vary', 'Accept-Encoding, Origin'], 'origin, Cookie')).to.deep.equal([
      'X',
      '1',
      'vary',
      'origin, Cookie, Accept-Encoding',
    ])
  })

  it('has nothing in codings where it may not be coded', () => {
    expect(storedResponse(responseParts({ body: PLAIN }), { coded: [GZIP] }))
      .to.include({ codable: false })
      .and.deep.include({ coded: [] })
  })

  it('is unchanged for who has it in any coding that it takes', () => {
    const value = stored([['ETag', '"abc"']])
    const form = representationIn(value, ['gzip'])
    const tagFor = (tags: string, coding: string) => {
      const head = heldHead(value, form, { 'if-none-match': tags, 'accept-encoding': coding }, 0)
      return head === undefined ? undefined : lines(head, 'etag')[0]
    }
    expect(tagFor('"abc;cw-gzip"', 'gzip')).to.equal('"abc;cw-gzip"')
    expect(tagFor('"abc"', 'gzip')).to.equal('"abc"')
    // Made by another process, or before this entry was.
    expect(tagFor('"abc;cw-br"', 'gzip, br')).to.equal('"abc;cw-br"')
    expect(tagFor('"abc;cw-br"', 'gzip')).to.equal(undefined)
    expect(tagFor('"abd;cw-gzip"', 'gzip')).to.equal(undefined)
    expect(tagFor('*', 'gzip')).to.equal('"abc;cw-gzip"')
  })
})
