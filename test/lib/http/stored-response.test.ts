import { expect } from 'chai'
import type { Fields } from '../../../lib/http/fields.ts'
import { storedResponse } from '../../../lib/http/stored-response.ts'
import { responseParts } from '../../support/entries.ts'

function stored(fields: Fields, status = 200, withheld: readonly string[] = []) {
  return storedResponse(responseParts({ fields, status, withheld }))
}

const DATE = ['Date', 'Sat, 21 Nov 2026 00:00:00 GMT'] as const

describe('storedResponse', () => {
  it('prepares a head with the length of the bytes kept', () => {
    const response = stored([DATE, ['X-A', '1'], ['Content-Length', '99']])
    expect(response.head).to.deep.equal([...DATE, 'X-A', '1', 'Content-Length', '5'])
    expect(stored([DATE], 204).head).to.deep.equal([...DATE])
  })

  it('leaves representation metadata out of a 304 (RFC 9110 s. 15.4.5)', () => {
    const fields: Fields = [DATE, ['Content-Type', 'text/plain'], ['Last-Modified', DATE[1]], ['Vary', 'A']]
    expect(stored(fields).notModifiedHead).to.deep.equal([...DATE, 'Last-Modified', DATE[1], 'Vary', 'A'])
    expect(stored([...fields, ['ETag', '"a"']]).notModifiedHead).to.deep.equal([...DATE, 'Vary', 'A', 'ETag', '"a"'])
  })

  it('leaves out the fields that need validation', () => {
    expect(stored([DATE, ['X-User', '1']], 200, ['x-user']).head).to.deep.equal([...DATE, 'Content-Length', '5'])
  })

  it('knows repeated names whatever their case', () => {
    expect(stored([DATE, ['Link', 'a'], ['link', 'b']]).repeats).to.equal(true)
    expect(stored([DATE, ['Link', 'a']]).repeats).to.equal(false)
  })

  it('has a validator only where the entity tag is valid (CON-23)', () => {
    expect(stored([['ETag', 'W/"a"']]).etag).to.equal('W/"a"')
    expect(stored([['ETag', 'a']]).etag).to.equal(undefined)
  })

  it('is dated by Last-Modified, else by Date (CON-11)', () => {
    const noon = Date.UTC(2026, 10, 20, 12)
    expect(stored([DATE]).modifiedAt).to.equal(Date.UTC(2026, 10, 21))
    expect(stored([DATE, ['Last-Modified', 'Fri, 20 Nov 2026 12:00:00 GMT']]).modifiedAt).to.equal(noon)
    expect(stored([DATE, ['Last-Modified', 'Friday, 20-Nov-26 12:00:00 GMT']]).modifiedAt).to.equal(noon)
    expect(stored([DATE, ['Last-Modified', 'yesterday']]).modifiedAt).to.equal(undefined)
    expect(stored([]).modifiedAt).to.equal(undefined)
  })

  it('has a date to be validated by only where it is one, as it was sent (VAL-2)', () => {
    const odd = 'Friday, 20-Nov-26 12:00:00 GMT'
    expect(stored([DATE, ['Last-Modified', odd]]).lastModified).to.equal(odd)
    expect(stored([DATE, ['Last-Modified', 'yesterday']]).lastModified).to.equal(undefined)
    expect(stored([DATE]).lastModified).to.equal(undefined)
  })

  it('was generated when its Date says (REU-5)', () => {
    expect(stored([DATE]).generatedAt).to.equal(Date.UTC(2026, 10, 21))
    expect(stored([['Date', 'today']]).generatedAt).to.equal(undefined)
  })
})
