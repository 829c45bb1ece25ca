import { expect } from 'chai'
import type { Fields } from '../../../lib/http/fields.ts'
import { type StoredResponse, storedResponse } from '../../../lib/http/stored-response.ts'
import {
  freshenedFields,
  identifies,
  isNamed,
  judgeHead,
  selectingFields,
  validatingFields,
} from '../../../lib/http/validation.ts'
import { responseParts } from '../../support/entries.ts'

const NOW = Date.UTC(2026, 10, 21, 12)
const TODAY = 'Sat, 21 Nov 2026 12:00:00 GMT'
const MODIFIED = 'Mon, 02 Nov 2026 10:00:00 GMT'
const LATER = 'Mon, 02 Nov 2026 10:00:01 GMT'

/** A stored 200 with these fields and five bytes. */
function stored(...fields: Fields): StoredResponse {
  return storedResponse(responseParts({ fields }))
}

describe('validatingFields', () => {
  it('sends tag and date as they were stored (VAL-1, VAL-2)', () => {
    const odd = 'Monday, 02-Nov-26 10:00:00 GMT'
    expect(validatingFields(stored(['Date', TODAY], ['ETag', 'W/"a"'], ['Last-Modified', odd]))).to.deep.equal([
      ['if-none-match', 'W/"a"'],
      ['if-modified-since', odd],
    ])
    expect(validatingFields(stored(['ETag', '"a"']))).to.deep.equal([['if-none-match', '"a"']])
    expect(validatingFields(stored(['Last-Modified', MODIFIED]))).to.deep.equal([['if-modified-since', MODIFIED]])
  })

  it('sends nothing that is no validator (VAL-9, CON-23)', () => {
    expect(validatingFields(stored(['Date', TODAY]))).to.deep.equal([])
    expect(validatingFields(stored(['ETag', 'a'], ['Last-Modified', 'yesterday']))).to.deep.equal([])
  })
})

describe('selectingFields', () => {
  it('lists the tags of all variants, each once, and no date (VAL-5)', () => {
    const variants = [
      stored(['ETag', '"a"'], ['Last-Modified', MODIFIED]),
      stored(['Last-Modified', MODIFIED]),
      stored(['ETag', 'W/"b"']),
      stored(['ETag', '"a"']),
    ]
    expect(selectingFields(variants)).to.deep.equal([['if-none-match', '"a", W/"b"']])
  })

  it('is empty where no variant has a tag', () => {
    expect(selectingFields([stored(['Last-Modified', MODIFIED])])).to.deep.equal([])
    expect(selectingFields([])).to.deep.equal([])
  })
})

describe('isNamed', () => {
  it('takes the tag alone (VAL-12)', () => {
    expect(isNamed([['ETag', '"a"']], stored(['ETag', '"a"']))).to.equal(true)
    expect(isNamed([['ETag', '"b"']], stored(['ETag', '"a"']))).to.equal(false)
    expect(isNamed([['Last-Modified', MODIFIED]], stored(['Last-Modified', MODIFIED]))).to.equal(false)
    expect(isNamed([], stored(['ETag', '"a"']))).to.equal(false)
  })
})

describe('identifies', () => {
  const tagged = stored(['ETag', '"a"'], ['Last-Modified', MODIFIED])
  const weak = stored(['ETag', 'W/"a"'], ['Last-Modified', MODIFIED])

  it('takes a strong tag for the same strong tag only (VAL-12 a)', () => {
    expect(identifies([['ETag', '"a"']], tagged)).to.equal(true)
    expect(identifies([['ETag', '"b"']], tagged)).to.equal(false)
    expect(identifies([['ETag', '"a"']], weak)).to.equal(false)
  })

  it('takes a weak tag for its like, weak or strong (VAL-12 b)', () => {
    expect(identifies([['ETag', 'W/"a"']], weak)).to.equal(true)
    expect(identifies([['ETag', 'W/"a"']], tagged)).to.equal(true)
    expect(identifies([['ETag', 'W/"b"']], weak)).to.equal(false)
  })

  it('does not let a date make up for a tag that differs (VAL-12)', () => {
    const update: Fields = [
      ['ETag', '"b"'],
      ['Last-Modified', MODIFIED],
    ]
    expect(identifies(update, tagged)).to.equal(false)
  })

  it('takes a tag for nothing that has none', () => {
    expect(identifies([['ETag', '"a"']], stored(['Last-Modified', MODIFIED]))).to.equal(false)
    expect(identifies([['ETag', 'W/"a"']], stored(['Last-Modified', MODIFIED]))).to.equal(false)
  })

  it('takes a date without a tag for the same instant (VAL-12 b)', () => {
    expect(identifies([['Last-Modified', MODIFIED]], tagged)).to.equal(true)
    expect(identifies([['Last-Modified', 'Mon Nov  2 10:00:00 2026']], tagged)).to.equal(true)
    expect(identifies([['Last-Modified', LATER]], tagged)).to.equal(false)
    expect(identifies([['Last-Modified', MODIFIED]], stored(['ETag', '"a"']))).to.equal(false)
    expect(identifies([['Last-Modified', 'yesterday']], tagged)).to.equal(false)
  })

  it('takes one that names nothing for a response that has no validator either (VAL-12 c)', () => {
    expect(identifies([['Date', TODAY]], stored(['Date', TODAY]))).to.equal(true)
    expect(identifies([['ETag', 'b']], stored(['ETag', 'a']))).to.equal(true)
  })

  it('takes one that names nothing for the one response that was asked about (docs/decisions.md)', () => {
    for (const entry of [tagged, weak, stored(['Last-Modified', MODIFIED])]) {
      expect(identifies([['Date', TODAY]], entry)).to.equal(true)
    }
    expect(identifies([['ETag', 'b']], tagged)).to.equal(true)
  })
})

describe('freshenedFields', () => {
  it('replaces all lines of a name by the new ones, at their place, and keeps the rest (HDR-20)', () => {
    const before: Fields = [
      ['Date', TODAY],
      ['Link', '</a>'],
      ['X-Kept', '1'],
      ['link', '</b>'],
    ]
    const update: Fields = [
      ['LINK', '</c>'],
      ['X-New', '2'],
      ['Date', LATER],
    ]
    expect(freshenedFields(before, update, NOW)).to.deep.equal([
      ['Date', LATER],
      ['LINK', '</c>'],
      ['X-Kept', '1'],
      ['X-New', '2'],
    ])
  })

  it('takes as many lines of a name as there are now', () => {
    const update: Fields = [
      ['Link', '</b>'],
      ['Link', '</c>'],
      ['Date', TODAY],
    ]
    expect(freshenedFields([['Link', '</a>']], update, NOW)).to.deep.equal(update)
  })

  it('leaves alone what describes the content, of which a 304 has none (HDR-21, HDR-22)', () => {
    const before: Fields = [
      ['Date', TODAY],
      ['Content-Encoding', 'gzip'],
      ['Content-Type', 'text/plain'],
      ['Content-Digest', 'sha-256=:AAAA:'],
    ]
    const update: Fields = [
      ['Date', TODAY],
      ['Content-Length', '0'],
      ['Content-Range', 'bytes 0-0/1'],
      ['Content-Encoding', 'br'],
      ['Content-Digest', 'sha-256=:BBBB:'],
    ]
    expect(freshenedFields(before, update, NOW)).to.deep.equal(before)
  })

  it('takes everything else that begins with Content-, and Content-Type (HDR-22)', () => {
    const update: Fields = [
      ['Date', TODAY],
      ['Content-Type', 'text/html'],
      ['Content-Foo', '1'],
    ]
    const before: Fields = [
      ['Date', TODAY],
      ['Content-Type', 'text/plain'],
    ]
    expect(freshenedFields(before, update, NOW)).to.deep.equal(update)
  })

  it('takes nothing that is not stored anyway (HDR-2 to HDR-4, HDR-21)', () => {
    const update: Fields = [
      ['Date', TODAY],
      ['Connection', 'X-Hop'],
      ['X-Hop', '1'],
      ['Transfer-Encoding', 'chunked'],
      ['Proxy-Authenticate', 'Basic'],
    ]
    expect(freshenedFields([], update, NOW)).to.deep.equal([['Date', TODAY]])
  })

  it('counts age and date from the confirmation (HDR-24)', () => {
    const before: Fields = [
      ['Date', MODIFIED],
      ['Age', '100'],
      ['X-A', '1'],
    ]
    expect(freshenedFields(before, [], NOW)).to.deep.equal([
      ['Date', TODAY],
      ['X-A', '1'],
    ])
    expect(freshenedFields(before, [['Age', '7']], NOW)).to.deep.equal([
      ['Date', TODAY],
      ['Age', '7'],
      ['X-A', '1'],
    ])
  })
})

describe('judgeHead', () => {
  const entry = stored(['ETag', '"a"'], ['Last-Modified', MODIFIED])

  it('confirms what it does not contradict (VAL-20)', () => {
    for (const head of [
      [],
      [['ETag', '"a"']],
      [
        ['ETag', '"a"'],
        ['Last-Modified', MODIFIED],
        ['Content-Length', '5'],
      ],
    ] as const satisfies Fields[]) {
      expect(judgeHead(head, entry), JSON.stringify(head)).to.equal('confirms')
    }
  })

  it('finds outdated what has another validator or length (VAL-20)', () => {
    for (const line of [
      ['ETag', '"b"'],
      ['ETag', 'W/"a"'],
      ['Last-Modified', LATER],
      ['Content-Length', '6'],
    ] as const) {
      expect(judgeHead([line], entry), line.join()).to.equal('outdated')
    }
    expect(judgeHead([['ETag', '"a"']], stored())).to.equal('outdated')
  })

  it('does not compare lengths of different codings (VAL-20)', () => {
    const coded = stored(['Content-Encoding', 'gzip'])
    expect(judgeHead([['Content-Length', '100']], coded)).to.equal('confirms')
    const same: Fields = [
      ['Content-Encoding', 'gzip'],
      ['Content-Length', '100'],
    ]
    expect(judgeHead(same, coded)).to.equal('outdated')
  })
})
