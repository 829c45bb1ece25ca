import { createServer, IncomingMessage } from 'node:http'
import { connect, createServer as createHttp2Server, type Http2Server, type Http2ServerRequest } from 'node:http2'
import { type AddressInfo, Socket } from 'node:net'
import { expect } from 'chai'
import { InnerRequest } from '../../middleware/inner-request.ts'

/** A request with these lines, as node's parser makes it. */
function requestOf(...lines: readonly (readonly [string, string])[]): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const server = createServer((req) => {
      resolve(req)
      server.close()
      server.closeAllConnections()
    })
    server.listen(0, '127.0.0.1', () => {
      const socket = new Socket().on('error', reject)
      socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
      const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      socket.write(`GET /a HTTP/1.1\r\nHost: shop.example\r\n${text}\r\n`)
    })
  })
}

/** All that node says of the fields of a request. */
function views({ headers, headersDistinct, rawHeaders }: IncomingMessage): object {
  return { headers: { ...headers }, distinct: { ...headersDistinct }, raw: [...rawHeaders] }
}

const LINES = [
  ['Accept', 'text/html'],
  ['if-NONE-match', '"mine"'],
  ['Range', 'bytes=0-1'],
  ['X-Last', '1'],
] as const

describe('InnerRequest', () => {
  it('takes fields away in every view of the request (NOD-17)', async () => {
    const req = await requestOf(...LINES)
    new InnerRequest(req, { ...req.headers }).change(['if-none-match', 'range', 'if-range'], [])
    expect(views(req)).to.deep.equal({
      headers: { host: 'shop.example', accept: 'text/html', 'x-last': '1' },
      distinct: { host: ['shop.example'], accept: ['text/html'], 'x-last': ['1'] },
      raw: ['Host', 'shop.example', 'Accept', 'text/html', 'X-Last', '1'],
    })
  })

  it('puts its own in their place', async () => {
    const req = await requestOf(...LINES)
    new InnerRequest(req, { ...req.headers }).change(
      ['if-none-match', 'range'],
      [
        ['if-none-match', '"ours"'],
        ['if-modified-since', 'Mon, 02 Nov 2026 10:00:00 GMT'],
      ],
    )
    expect(req.headers['if-none-match']).to.equal('"ours"')
    expect(req.headersDistinct['if-none-match']).to.deep.equal(['"ours"'])
    expect(req.headers['if-modified-since']).to.equal('Mon, 02 Nov 2026 10:00:00 GMT')
    expect(req.rawHeaders.slice(6)).to.deep.equal([
      'If-None-Match',
      '"ours"',
      'If-Modified-Since',
      'Mon, 02 Nov 2026 10:00:00 GMT',
    ])
  })

  it('gives everything back as it came, once (REU-11, DF-6)', async () => {
    const req = await requestOf(...LINES)
    const inner = new InnerRequest(req, { ...req.headers })
    const before = views(req)
    inner.change(['if-none-match', 'range'], [['if-none-match', '"ours"']])
    expect(views(req)).not.to.deep.equal(before)
    inner.restore()
    expect(views(req)).to.deep.equal(before)
    req.headers['range'] = 'changed by somebody else'
    inner.restore()
    expect(req.headers['range']).to.equal('changed by somebody else')
  })

  it('gives back several lines of one name as they were', async () => {
    const req = await requestOf(['If-None-Match', '"a"'], ['If-None-Match', '"b"'])
    const inner = new InnerRequest(req, { ...req.headers })
    const before = views(req)
    inner.change(['if-none-match'], [])
    expect(req.headers['if-none-match']).to.equal(undefined)
    inner.restore()
    expect(views(req)).to.deep.equal(before)
  })

  it('may change again after that', async () => {
    const req = await requestOf(...LINES)
    const inner = new InnerRequest(req, { ...req.headers })
    const before = views(req)
    inner.change(['if-none-match'], [])
    inner.restore()
    inner.change(['range'], [])
    expect(req.headers['if-none-match']).to.equal('"mine"')
    expect(req.headers['range']).to.equal(undefined)
    inner.restore()
    expect(views(req)).to.deep.equal(before)
  })

  it('leaves a request alone that has nothing to take away', async () => {
    const req = await requestOf(['Accept', 'text/html'])
    const { rawHeaders } = req
    const before = [...rawHeaders]
    const inner = new InnerRequest(req, { ...req.headers })
    inner.change(['if-none-match', 'range'], [])
    inner.restore()
    expect(req.rawHeaders).to.equal(rawHeaders)
    expect(rawHeaders).to.deep.equal(before)
  })

  it('does the same with HTTP/2, whose requests have fewer views', async () => {
    const seen: unknown[] = []
    const server: Http2Server = createHttp2Server((req: Http2ServerRequest, res) => {
      const inner = new InnerRequest(req as never, { ...req.headers })
      inner.change(['range'], [['if-none-match', '"ours"']])
      seen.push(req.headers['range'], req.headers['if-none-match'], req.rawHeaders.includes('range'))
      inner.restore()
      seen.push(req.headers['range'], req.headers['if-none-match'], req.rawHeaders.includes('range'))
      res.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await new Promise((resolve) => session.request({ ':path': '/a', range: 'bytes=0-1' }).resume().on('close', resolve))
    session.close()
    await new Promise((resolve) => server.close(resolve))
    expect(seen).to.deep.equal([undefined, '"ours"', false, 'bytes=0-1', undefined, true])
  })
})
