import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect } from 'chai'
import type { RequestHeaders } from '../../lib/http/fields.ts'
import { type ClientPart, selectPart } from '../../middleware/client-part.ts'
import type { Window } from '../../middleware/intercept.ts'
import { fieldsOf } from '../../middleware/response-fields.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const MODIFIED = 'Mon, 02 Nov 2026 10:00:00 GMT'

/** What of a response has been decided to go out. */
interface Selected {
  readonly status: number
  readonly window: Window | undefined
  readonly fields: Readonly<Record<string, unknown>>
}

/** What a client that asks like this gets of an answer with these fields and 10 bytes. */
function select(
  headers: RequestHeaders,
  fields: Readonly<Record<string, string>> = {},
  { status = 200, ...more }: Partial<Pick<ClientPart, 'method' | 'length'>> & { readonly status?: number } = {},
): Selected {
  const res = new ServerResponse(new IncomingMessage(new Socket()))
  res.statusCode = status
  res.statusMessage = 'As the handler says'
  for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
  const window = selectPart({ headers, method: 'GET', res, fields: fieldsOf(res), length: 10, now: NOW, ...more })
  expect(res.statusMessage).to.equal(res.statusCode === status ? 'As the handler says' : '')
  return { status: res.statusCode, window, fields: { ...res.getHeaders() } }
}

const NOTHING: Window = { start: 0, end: 0 }
const PART = { range: 'bytes=2-4' }

describe('selectPart', () => {
  it('is all where the client asks for all', () => {
    expect(select({})).to.deep.equal({ status: 200, window: undefined, fields: {} })
  })

  it('is a 304 without content where the client holds it already (CON-18)', () => {
    const fields = { etag: 'W/"a"', vary: 'accept', 'cache-control': 'max-age=9', 'x-other': '1' }
    const ofContent = { 'content-type': 'text/plain', 'content-length': '10', 'content-encoding': 'gzip' }
    expect(select({ 'if-none-match': '"a"' }, { ...fields, ...ofContent })).to.deep.equal({
      status: 304,
      window: NOTHING,
      fields,
    })
    expect(select({ 'if-modified-since': MODIFIED }, { 'last-modified': MODIFIED }).status).to.equal(304)
  })

  it('shows the date in a 304 only where there is no tag (CON-14)', () => {
    const fields = { etag: '"a"', 'last-modified': MODIFIED }
    expect(select({ 'if-none-match': '"a"' }, fields).fields).to.deep.equal({ etag: '"a"' })
  })

  it('is all where the client holds something else, or the tag is none (CON-23)', () => {
    expect(select({ 'if-none-match': '"b"' }, { etag: '"a"' }).status).to.equal(200)
    expect(select({ 'if-none-match': 'a' }, { etag: 'a' }).status).to.equal(200)
    expect(select({ 'if-modified-since': MODIFIED }).status).to.equal(200)
  })

  it('judges conditions on successes only (CON-2, CON-19)', () => {
    for (const status of [206, 301, 404, 500]) {
      expect(select({ 'if-none-match': '*' }, { etag: '"a"' }, { status }).status).to.equal(status)
    }
    expect(select({ 'if-none-match': '*' }, { etag: '"a"' }, { status: 201 }).status).to.equal(304)
  })

  it('is one range of what is known to be so long (RNG-10, RNG-20)', () => {
    const fields = { 'content-length': '10', 'content-type': 'text/plain', 'content-digest': 'sha-256=:AA=:' }
    expect(select(PART, fields)).to.deep.equal({
      status: 206,
      window: { start: 2, end: 5 },
      fields: { 'content-type': 'text/plain', 'content-range': 'bytes 2-4/10', 'content-length': 3 },
    })
    expect(select({ range: 'bytes=-3' }).window).to.deep.equal({ start: 7, end: 10 })
  })

  it('is a 416 that nobody keeps where the range lies beyond the end (RNG-18)', () => {
    const fields = {
      'cache-control': 'max-age=9',
      expires: MODIFIED,
      etag: '"a"',
      'last-modified': MODIFIED,
      'content-type': 'text/plain',
      'x-other': '1',
    }
    expect(select({ range: 'bytes=10-' }, fields)).to.deep.equal({
      status: 416,
      window: NOTHING,
      fields: { 'x-other': '1', 'content-range': 'bytes */10', 'content-length': 0 },
    })
  })

  const whole: Readonly<Record<string, () => Selected>> = {
    'several ranges': () => select({ range: 'bytes=0-0,4-5' }),
    'a range of unknown length': () => select(PART, {}, { length: undefined }),
    'a range in a HEAD (RNG-1)': () => select(PART, {}, { method: 'HEAD' }),
    'a range in a QUERY (QRY-9)': () => select(PART, {}, { method: 'QUERY' }),
    'a malformed range (RNG-4)': () => select({ range: 'bytes=4-2' }),
    'another unit (RNG-3)': () => select({ range: 'lines=2-4' }),
    'a range that fails its If-Range (RNG-7)': () => select({ ...PART, 'if-range': '"b"' }, { etag: '"a"' }),
    'a range of what is cut already': () => select(PART, { 'content-range': 'bytes 0-9/20' }),
    'a range of what refuses it (RNG-22)': () => select(PART, { 'accept-ranges': 'none' }),
    'a range of what refuses it in another case (RNG-22)': () => select(PART, { 'accept-ranges': 'None' }),
  }
  for (const [what, selected] of Object.entries(whole)) {
    it(`is all for ${what}`, () => {
      const { status, window } = selected()
      expect({ status, window }).to.deep.equal({ status: 200, window: undefined })
    })
  }

  it('is no part of a success that is no 200 (RNG-2)', () => {
    expect(select(PART, {}, { status: 203 })).to.include({ status: 203, window: undefined })
  })

  it('is the range where its If-Range holds, and the 304 before it where both do (CON-22)', () => {
    expect(select({ ...PART, 'if-range': '"a"' }, { etag: '"a"' }).status).to.equal(206)
    expect(select({ ...PART, 'if-none-match': '"a"' }, { etag: '"a"' }).status).to.equal(304)
  })
})
