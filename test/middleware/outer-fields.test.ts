import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect } from 'chai'
import { OuterFields } from '../../middleware/outer-fields.ts'
import { fieldsOf, headOf } from '../../middleware/response-fields.ts'

function response(fields: Readonly<Record<string, number | string | string[]>> = {}): ServerResponse {
  const res = new ServerResponse(new IncomingMessage(new Socket()))
  for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
  return res
}

describe('headOf', () => {
  it('is the fields by lower-case name, their names and values as they were set', () => {
    const res = response({ 'X-List': ['1', '2'], Age: 5 })
    expect([...headOf(res)]).to.deep.equal([
      ['x-list', { name: 'X-List', value: ['1', '2'] }],
      ['age', { name: 'Age', value: 5 }],
    ])
  })
})

describe('OuterFields', () => {
  it('removes what stood there before and is still the same, whatever the case of its name (XPR-3)', () => {
    const res = response({ 'X-Request-Id': '7', 'X-Frame-Options': 'DENY', 'X-List': ['1', '2'], 'X-Number': 5 })
    const outer = new OuterFields(res)
    res.setHeader('x-frame-options', 'SAMEORIGIN')
    res.setHeader('X-Own', '1')
    expect(outer.remove(fieldsOf(res))).to.deep.equal([
      ['x-frame-options', 'SAMEORIGIN'],
      ['X-Own', '1'],
    ])
  })

  it('keeps what the handler has added a line to', () => {
    const res = response({ Link: '</a>' })
    const outer = new OuterFields(res)
    res.appendHeader('Link', '</b>')
    expect(outer.remove(fieldsOf(res))).to.deep.equal([
      ['Link', '</a>'],
      ['Link', '</b>'],
    ])
  })

  it('keeps what the handler has added to several lines', () => {
    const res = response({ Link: ['</a>', '</b>'] })
    const outer = new OuterFields(res)
    res.appendHeader('Link', '</c>')
    expect(outer.remove(fieldsOf(res)).map(([, value]) => value)).to.deep.equal(['</a>', '</b>', '</c>'])
    outer.restore()
    expect(res.getHeader('link')).to.deep.equal(['</a>', '</b>'])
  })

  it('keeps what came only later', () => {
    const res = response()
    const outer = new OuterFields(res)
    res.setHeader('X-Own', '1')
    expect(outer.remove(fieldsOf(res))).to.deep.equal([['X-Own', '1']])
  })

  it('brings back what stood there, and nothing else', () => {
    const res = response({ 'X-Frame-Options': 'DENY', Link: ['</a>', '</b>'] })
    const outer = new OuterFields(res)
    res.setHeader('X-Frame-Options', 'SAMEORIGIN')
    res.removeHeader('Link')
    res.setHeader('X-Own', '1')
    outer.restore()
    // With the case of their names.
    expect(fieldsOf(res)).to.deep.equal([
      ['X-Frame-Options', 'DENY'],
      ['Link', '</a>'],
      ['Link', '</b>'],
    ])
  })
})
