import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { readCommandLine } from '../../examples/proxy/command-line.ts'
import { STYLES } from '../../examples/proxy/head.ts'
import { type ProxyServerOptions, type RunningProxy, startProxy } from '../../examples/proxy/server.ts'

const MAIN = new URL('../../examples/proxy/main.ts', import.meta.url).pathname

type Setup = Pick<ProxyServerOptions, 'cached' | 'mount'>

const SETUPS: readonly (Setup & { readonly name: string })[] = [
  { name: 'without a cache', cached: false, mount: 'app' },
  { name: 'with the cache in an application', cached: true, mount: 'app' },
  { name: 'with the cache in front', cached: true, mount: 'front' },
]

describe('the proxy example', () => {
  let origins: { readonly server: TcpServer; readonly sockets: Set<Socket> }[]
  let proxies: RunningProxy[]
  let clients: Socket[]

  beforeEach(() => {
    origins = []
    proxies = []
    clients = []
  })

  afterEach(async () => {
    for (const client of clients) client.destroy()
    for (const { server, sockets } of origins) {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
    await Promise.all(proxies.map((proxy) => proxy.close()))
  })

  for (const { name, ...setup } of SETUPS) {
    describe(name, () => {
      it('passes a request on with its order, case, repeats and Host', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 200 OK', 'Cache-Control: no-store', 'Content-Length: 0'))
        const lines = ['x-b: 2', 'HOST: example.test:81', 'X-a: 1', 'X-B: 3, 4', 'x-A:  \t5', 'Accept: */*']
        await exchange(await start(origin, setup), request('GET /p%2Fq?x=1&x=2 HTTP/1.1', ...lines))
        expect(headOf(origin.requests[0])).to.deep.equal([
          'GET /p%2Fq?x=1&x=2 HTTP/1.1',
          ...lines.map((line) => line.replace(/:\s+/, ': ')),
          'Connection: keep-alive',
        ])
      })

      it('passes bytes beyond ASCII on in fields of either side', async () => {
        const origin = await startOrigin(
          answer('HTTP/1.1 200 OK', 'Cache-Control: no-store', 'X-Name: \xe9\xff', 'Content-Length: 2', '', 'ok'),
        )
        const port = await start(origin, setup)
        const bare = await exchange(port, request('GET / HTTP/1.1', 'Host: a', 'X-Name: \xe9\xff'))
        const content = request('POST / HTTP/1.1', 'Host: a', 'X-Name: \xe9\xff', 'Content-Length: 2', '', 'ok')
        expect([bare, await exchange(port, content)].map(fieldsOf)).to.deep.equal(
          Array(2).fill(['Cache-Control: no-store', 'X-Name: \xe9\xff', 'Content-Length: 2']),
        )
        expect(origin.requests.map((sent) => sent.includes('X-Name: \xe9\xff\r\n'))).to.deep.equal([true, true])
      })

      it('keeps fields of one connection to itself, in both directions (HDR-2, HDR-3)', async () => {
        const origin = await startOrigin(
          answer(
            'HTTP/1.1 200 OK',
            'Connection: X-Hop',
            'Cache-Control: no-store',
            'x-hop: 1',
            'Keep-Alive: timeout=99',
            'Proxy-Authenticate: Basic',
            'Upgrade: h2c',
            'X-End: 2',
            'Content-Length: 0',
          ),
        )
        const response = await exchange(
          await start(origin, setup),
          request(
            'GET / HTTP/1.1',
            'Host: a',
            'Connection: close, x-mine, content-length, host',
            'X-Mine: 1',
            'Keep-Alive: 5',
            'TE: deflate;q=0.5',
            'Upgrade: h2c',
            'Proxy-Connection: close',
            'X-End: 2',
          ),
        )
        expect(headOf(origin.requests[0]).slice(1)).to.deep.equal(['Host: a', 'X-End: 2', 'Connection: keep-alive'])
        expect(fieldsOf(response)).to.deep.equal(['Cache-Control: no-store', 'X-End: 2', 'Content-Length: 0'])
      })

      it('passes more than a thousand fields on', async () => {
        const many = Array.from({ length: 1_500 }, (_, index) => `x${index}: `)
        const origin = await startOrigin(
          answer('HTTP/1.1 200 OK', 'Cache-Control: no-store', ...many, 'Content-Length: 0'),
        )
        const response = await exchange(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a', ...many))
        expect(headOf(origin.requests[0])).to.include.members(many)
        expect(fieldsOf(response)).to.deep.equal(['Cache-Control: no-store', ...many, 'Content-Length: 0'])
      })

      it('passes the reason phrase on', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 299 Mostly \xdcber', 'Content-Length: 0'))
        const response = await exchange(await start(origin, setup), request('POST / HTTP/1.1', 'Host: a'))
        expect(headOf(response)[0]).to.equal('HTTP/1.1 299 Mostly \xdcber')
      })

      it('streams a megabyte both ways unchanged', async () => {
        const sent = pattern(1 << 20)
        const origin = await startOrigin((socket, _head, body) => {
          if (body.length < sent.length) return
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n')
          socket.write(Buffer.from(body, 'latin1'))
        })
        const response = await exchange(
          await start(origin, setup),
          Buffer.concat([
            Buffer.from('PUT /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n'),
            sent,
          ]),
        )
        expect(Buffer.from(bodyOf(response), 'latin1').equals(sent)).to.equal(true)
        expect(origin.requests[0]).to.match(/\r\nContent-Length: 1048576\r\n/)
      })

      it('passes a piece of a body on before there is a next one', async () => {
        const origin = await startOrigin((socket) => {
          socket.write('HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n')
        })
        const client = open(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        await client.until(/\r\n\r\n/)
        origin.last().write('3\r\none\r\n')
        await client.until(/one/)
        origin.last().write('3\r\ntwo\r\n0\r\n\r\n')
        expect(unchunked(bodyOf(await client.whole()))).to.equal('onetwo')
      })

      it('passes a piece of a request on before there is a next one', async () => {
        const origin = await startOrigin((socket, _head, body) => {
          if (body.endsWith('0\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        })
        const client = open(
          await start(origin, setup),
          request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'),
        )
        await origin.until(/\r\n\r\n/)
        client.socket.write('3\r\none\r\n')
        await origin.until(/one/)
        client.socket.write('0\r\n\r\n')
        await client.whole()
        expect(unchunked(bodyOf(origin.requests[0]))).to.equal('one')
      })

      it('lets a client that does not read slow the origin down', async () => {
        let given = (): number => 0
        const origin = await startOrigin((socket) => {
          socket.write(`HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: ${HUGE}\r\n\r\n`)
          given = pour(socket)
        })
        const client = open(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        await once(client.socket, 'ready')
        client.socket.pause()
        await origin.until(/\r\n\r\n/)
        expect(await settled(given)).to.be.lessThan(HUGE / 2)
        client.socket.resume()
        expect(bodyOf(await client.whole())).to.have.length(HUGE)
      })

      it('lets an origin that does not read slow the client down', async () => {
        const origin = await startOrigin((socket) => socket.pause())
        const client = open(
          await start(origin, setup),
          request('POST / HTTP/1.1', 'Host: a', `Content-Length: ${HUGE}`),
        )
        await origin.until(/\r\n\r\n/)
        expect(await settled(pour(client.socket))).to.be.lessThan(HUGE / 2)
      })

      it('passes trailers on, and what announces them, in both directions', async () => {
        const origin = await startOrigin((socket, _head, body) => {
          if (!body.endsWith('\r\n\r\n')) return
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n')
          socket.write('2\r\nok\r\n0\r\nX-Sum: 9\r\nx-sum: 10\r\n\r\n')
        })
        const response = await exchange(
          await start(origin, setup),
          request(
            'POST / HTTP/1.1',
            'Host: a',
            'TE: gzip, Trailers',
            'Connection: close, TE',
            'Trailer: X-In',
            'Transfer-Encoding: chunked',
            '',
            '2\r\nhi\r\n0\r\nX-In: 7\r\n\r\n',
          ),
        )
        const sent = origin.requests[0] ?? ''
        expect(headOf(sent).slice(1)).to.have.members([
          'Host: a',
          'Trailer: X-In',
          'Transfer-Encoding: chunked',
          'TE: trailers',
          'Connection: TE',
        ])
        expect(bodyOf(sent)).to.equal('2\r\nhi\r\n0\r\nX-In: 7\r\n\r\n')
        expect(fieldsOf(response)).to.deep.equal(['Trailer: X-Sum'])
        expect(bodyOf(response)).to.equal('2\r\nok\r\n0\r\nX-Sum: 9\r\nx-sum: 10\r\n\r\n')
      })

      it('passes interim responses on as they come, a 103 without Link, too', async () => {
        const origin = await startOrigin((socket) => {
          socket.write('HTTP/1.1 102 Processing\r\n\r\n')
          socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLINK: </b>\r\n\r\n')
          socket.write('HTTP/1.1 103 Soon\r\nX-Only: \xe9\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n', 'latin1')
        })
        const client = open(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        await client.until(/X-Only/)
        origin.last().write('HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok')
        const [one, two, three, last, body] = (await client.whole()).split('\r\n\r\n')
        expect([one, two, three, body]).to.deep.equal([
          'HTTP/1.1 102 Processing',
          'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLINK: </b>',
          'HTTP/1.1 103 Soon\r\nX-Only: \xe9',
          'ok',
        ])
        expect(last).to.match(/^HTTP\/1\.1 200 OK\r\n/)
      })

      it('sends no interim response to a client of HTTP/1.0', async () => {
        const origin = await startOrigin(
          answer('HTTP/1.1 103 Early Hints', 'Link: </a>', '', 'HTTP/1.1 200 OK', 'Content-Length: 2', '', 'ok'),
        )
        const response = await exchange(await start(origin, setup), request('POST / HTTP/1.0', 'Host: a'))
        expect(headOf(response)[0]).to.equal('HTTP/1.1 200 OK')
        expect(bodyOf(response)).to.equal('ok')
      })

      it('keeps an interim response out of the answer to an earlier request', async () => {
        const origin = await startOrigin((socket, head) => {
          if (head.includes('/one')) return
          socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
          socket.write('HTTP/1.1 200 Two\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n')
        })
        const one = request('GET /one HTTP/1.1', 'Host: a', 'Connection: keep-alive')
        const client = open(await start(origin, setup), one + request('GET /two HTTP/1.1', 'Host: a'))
        await origin.until(/two/)
        origin.first().write('HTTP/1.1 200 One\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n')
        expect((await client.whole()).match(/HTTP\/1.1 .*/g)).to.deep.equal(['HTTP/1.1 200 One', 'HTTP/1.1 200 Two'])
      })

      it('leaves it to the origin to say 100', async () => {
        const origin = await startOrigin((socket, _head, body) => {
          if (body === '') socket.write('HTTP/1.1 100 Continue\r\n\r\n')
          else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        })
        const client = open(
          await start(origin, setup),
          request('POST / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 2'),
        )
        await client.until(/100 Continue\r\n\r\n/)
        expect(origin.requests[0]).to.match(/\r\nExpect: 100-continue\r\n/)
        client.socket.write('ok')
        expect(await client.whole()).to.match(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/)
      })

      it('passes a refusal on that comes instead of 100', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 413 Too Big', 'Content-Length: 0'))
        const response = await exchange(
          await start(origin, setup),
          request('POST / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 2'),
        )
        expect(headOf(response)[0]).to.equal('HTTP/1.1 413 Too Big')
      })

      it('answers a HEAD with the length of the origin and no body', async () => {
        const origin = await startOrigin(
          answer('HTTP/1.1 200 OK', 'ETag: "1"', 'Cache-Control: no-store', 'Content-Length: 1234'),
        )
        const response = await exchange(await start(origin, setup), request('HEAD / HTTP/1.1', 'Host: a'))
        expect(fieldsOf(response)).to.deep.equal(['ETag: "1"', 'Cache-Control: no-store', 'Content-Length: 1234'])
        expect(bodyOf(response)).to.equal('')
      })

      it('answers a HEAD whose origin would have chunks and trailers', async () => {
        const origin = await startOrigin(
          answer('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Trailer: X-Sum', 'Cache-Control: no-store'),
        )
        const response = await exchange(await start(origin, setup), request('HEAD / HTTP/1.1', 'Host: a'))
        expect(headOf(response)[0]).to.equal('HTTP/1.1 200 OK')
        expect(fieldsOf(response)).to.deep.equal(['Cache-Control: no-store'])
      })

      it('passes a 304 on with its fields', async () => {
        const origin = await startOrigin(
          answer('HTTP/1.1 304 Not Modified', 'ETag: "1"', 'X-New: 1', 'Content-Length: 1234'),
        )
        const response = await exchange(
          await start(origin, setup),
          request('GET / HTTP/1.1', 'Host: a', 'Range: bytes=0-1', 'If-None-Match: "1"'),
        )
        expect(headOf(response)[0]).to.equal('HTTP/1.1 304 Not Modified')
        expect(fieldsOf(response)).to.deep.equal(['ETag: "1"', 'X-New: 1', 'Content-Length: 1234'])
        expect(bodyOf(response)).to.equal('')
      })

      it('passes a 204 on', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 204 Nothing', 'X-New: 1', 'Cache-Control: no-store'))
        const response = await exchange(await start(origin, setup), request('DELETE /x HTTP/1.1', 'Host: a'))
        expect(headOf(response)[0]).to.equal('HTTP/1.1 204 Nothing')
        expect(fieldsOf(response)).to.deep.equal(['X-New: 1', 'Cache-Control: no-store'])
      })

      for (const line of ['M-SEARCH / HTTP/1.1', 'OPTIONS * HTTP/1.1', 'PURGE /a HTTP/1.1']) {
        it(`passes ${line} on`, async () => {
          const origin = await startOrigin(answer('HTTP/1.1 200 OK', 'Allow: X', 'Content-Length: 0'))
          const response = await exchange(await start(origin, setup), request(line, 'Host: a'))
          expect(headOf(origin.requests[0])[0]).to.equal(line)
          expect(fieldsOf(response)).to.deep.equal(['Allow: X', 'Content-Length: 0'])
        })
      }

      it('passes content of a GET on', async () => {
        const origin = await startOrigin((socket, _head, body) => {
          if (body.length === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        })
        await exchange(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a', 'Content-Length: 2', '', 'ok'))
        expect(bodyOf(origin.requests[0])).to.equal('ok')
      })

      it('says that a POST without content has none', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 200 OK', 'Content-Length: 0'))
        await exchange(await start(origin, setup), request('POST / HTTP/1.1', 'Host: a'))
        expect(origin.requests[0]).to.match(/\r\nContent-Length: 0\r\n/)
        expect(origin.requests[0]).to.not.match(/Transfer-Encoding/)
      })

      it('names the origin as Host where a client of HTTP/1.0 names none', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 200 OK', 'Content-Length: 0'))
        await exchange(await start(origin, setup), request('GET / HTTP/1.0'))
        expect(headOf(origin.requests[0])).to.deep.equal([
          'GET / HTTP/1.1',
          `Host: ${origin.url.host}`,
          'Connection: keep-alive',
        ])
      })

      it('ends a body that ends with the connection of the origin', async () => {
        const origin = await startOrigin((socket) => {
          socket.end('HTTP/1.0 200 OK\r\nCache-Control: no-store\r\n\r\nto the end')
        })
        const response = await exchange(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        expect(unchunked(bodyOf(response))).to.equal('to the end')
      })

      it('keeps its connection to the origin', async () => {
        const origin = await startOrigin(answer('HTTP/1.1 200 OK', 'Cache-Control: no-store', 'Content-Length: 0'))
        const port = await start(origin, setup)
        for (const method of ['GET', 'HEAD', 'POST', 'GET']) {
          await exchange(port, request(`${method} / HTTP/1.1`, 'Host: a'))
        }
        expect(origin.requests).to.have.length(4)
        expect(origin.connections).to.equal(1)
      })

      it('tries a GET again when a kept connection turns out to be closed, a POST never', async () => {
        const origin = await startOrigin((socket, head) => {
          if (origin.connections > 1 || head.includes('/first')) {
            socket.write('HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n')
          } else socket.destroy()
        })
        const port = await start(origin, setup)
        await exchange(port, request('GET /first HTTP/1.1', 'Host: a'))
        const again = await exchange(port, request('GET /second HTTP/1.1', 'Host: a'))
        expect(headOf(again)[0]).to.equal('HTTP/1.1 200 OK')
        expect(origin.requests.map((sent) => headOf(sent)[0])).to.deep.equal([
          'GET /first HTTP/1.1',
          'GET /second HTTP/1.1',
          'GET /second HTTP/1.1',
        ])
        origin.connections = 0
        await exchange(port, request('GET /first HTTP/1.1', 'Host: a'))
        const once = await exchange(port, request('POST /third HTTP/1.1', 'Host: a'))
        expect(headOf(once)[0]).to.equal('HTTP/1.1 502 Bad Gateway')
      })

      it('answers 502 when nobody listens', async () => {
        // A port that was free a moment ago may be another test's by now; the first one is nobody's.
        const origin = { ...(await startOrigin(answer())), url: new URL('http://127.0.0.1:1') }
        const response = await exchange(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        expect(headOf(response)[0]).to.equal('HTTP/1.1 502 Bad Gateway')
        expect(bodyOf(response)).to.match(/ECONNREFUSED/)
      })

      const BAD_ANSWERS: readonly (readonly [string, string])[] = [
        ['closes without an answer', ''],
        ['closes within its head', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n'],
        ['does not speak HTTP', 'SSH-2.0-x\r\n\r\n'],
        ['sends an impossible status', 'HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n'],
        ['switches protocols unasked', 'HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
        ['sends two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
      ]
      for (const [what, bytes] of BAD_ANSWERS) {
        for (const method of ['GET', 'HEAD', 'POST']) {
          it(`answers ${method} with 502 when the origin ${what}`, async () => {
            const origin = await startOrigin((socket) => socket.end(bytes, 'latin1'))
            const response = await exchange(await start(origin, setup), request(`${method} / HTTP/1.1`, 'Host: a'))
            expect(headOf(response)[0]).to.equal('HTTP/1.1 502 Bad Gateway')
          })
        }
      }

      it('answers 504 when the origin stays silent', async () => {
        const origin = await startOrigin(() => undefined)
        const port = await start(origin, { ...setup, timeoutMs: 20 })
        const response = await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
        expect(headOf(response)[0]).to.equal('HTTP/1.1 504 Gateway Timeout')
      })

      it('waits for a body as long as it takes', async () => {
        const origin = await startOrigin((socket) => {
          socket.write('HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\n')
        })
        const port = await start(origin, { ...setup, timeoutMs: 200 })
        const client = open(port, request('GET / HTTP/1.1', 'Host: a'))
        await client.until(/\r\n\r\n/)
        await delay(400)
        origin.last().write('ok')
        expect(bodyOf(await client.whole())).to.equal('ok')
      })

      const SHORT_BODIES: readonly (readonly [string, string, string])[] = [
        ['a length', 'Content-Length: 10', 'short'],
        ['chunks', 'Transfer-Encoding: chunked', '5\r\nshort\r\n'],
      ]
      for (const [what, framing, body] of SHORT_BODIES) {
        it(`cuts an answer with ${what} off when the origin breaks it off`, async () => {
          const origin = await startOrigin((socket) => {
            socket.write(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${framing}\r\n\r\n${body}`)
          })
          const port = await start(origin, setup)
          const client = open(port, request('GET / HTTP/1.1', 'Host: a'))
          await client.until(/short/)
          origin.last().destroy()
          const response = await client.whole()
          expect(bodyOf(response)).to.match(/^(?:5\r\n)?short(?:\r\n)?$/)
          // Nothing of it was kept.
          open(port, request('GET / HTTP/1.1', 'Host: a'))
          await origin.until(/GET[^]*GET/)
        })
      }

      it('leaves the origin when the client leaves before the head', async () => {
        const origin = await startOrigin(() => undefined)
        const client = open(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        await origin.until(/\r\n\r\n/)
        const left = once(origin.last(), 'close')
        client.socket.destroy()
        await left
      })

      it('leaves the origin when the client leaves within the body', async () => {
        const origin = await startOrigin((socket) => {
          socket.write('HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 10\r\n\r\nshort')
        })
        const client = open(await start(origin, setup), request('GET / HTTP/1.1', 'Host: a'))
        await client.until(/short/)
        const left = once(origin.last(), 'close')
        client.socket.destroy()
        await left
      })

      it('leaves the origin when the client leaves within its own content', async () => {
        const origin = await startOrigin(() => undefined)
        const client = open(
          await start(origin, setup),
          request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 10', '', 'short'),
        )
        await origin.until(/short/)
        const left = once(origin.last(), 'close')
        client.socket.destroy()
        await left
        expect(bodyOf(origin.requests[0])).to.equal('short')
      })
    })
  }

  describe('a head', () => {
    const SENT = [
      'x-lower: 1',
      'X-Upper: 2',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT',
      'Vary: Accept',
      'Vary: X-Other',
      'WWW-Authenticate: Basic realm="a, b"',
      'WWW-Authenticate: Digest',
      '__proto__: 3',
      'X-Empty: ',
      'Date: Thu, 01 Jan 2026 00:00:00 GMT',
      'Content-Length: 2',
    ]

    for (const { name, ...setup } of SETUPS) {
      for (const style of STYLES) {
        it(`passes unchanged through ${style} ${name}`, async () => {
          const origin = await startOrigin(answer('HTTP/1.1 200 Fine', 'Cache-Control: no-store', ...SENT, '', 'ok'))
          const port = await start(origin, { ...setup, style })
          const response = await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
          expect(headOf(response)[0]).to.equal('HTTP/1.1 200 Fine')
          expect(fieldsOf(response)).to.deep.equal([
            'Cache-Control: no-store',
            ...SENT.filter((line) => !line.startsWith('Date')),
          ])
          expect(headOf(response)).to.include('Date: Thu, 01 Jan 2026 00:00:00 GMT')
          expect(bodyOf(response)).to.equal('ok')
        })
      }
    }

    it('passes repeats that stand apart unchanged as a flat array', async () => {
      const sent = ['X-A: 1', 'x-b: 2', 'x-a: 3', 'Content-Length: 0']
      const origin = await startOrigin(answer('HTTP/1.1 200 OK', ...sent))
      const port = await start(origin, { cached: false, mount: 'app', style: 'writeHead-array' })
      expect(fieldsOf(await exchange(port, request('GET / HTTP/1.1', 'Host: a')))).to.deep.equal(sent)
    })
  })

  describe('its cache', () => {
    for (const mount of ['app', 'front'] as const) {
      for (const style of STYLES) {
        it(`hits on the second request in ${mount} with ${style}`, async () => {
          const origin = await startOrigin(
            answer('HTTP/1.1 200 OK', 'Cache-Control: max-age=60', 'X-A: 1', 'X-A: 2', 'Content-Length: 2', '', 'ok'),
          )
          const port = await start(origin, { cached: true, mount, style })
          const first = await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
          const second = await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
          expect(second).to.match(/\r\nCache-Status: cachewell; hit;/)
          expect(origin.requests).to.have.length(1)
          expect(bodyOf(second)).to.equal('ok')
          const withoutAge = fieldsOf(second).filter((line) => !line.startsWith('Age:'))
          expect(withoutAge).to.deep.equal(fieldsOf(first))
        })
      }

      it(`stores nothing in ${mount} whose no-store the origin names in Connection (HDR-2, TV-27)`, async () => {
        const origin = await startOrigin(
          answer(
            'HTTP/1.1 200 OK',
            'Connection: X-Hop, Cache-Control',
            'X-Hop: 1',
            'Cache-Control: no-store',
            'Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT',
            'Content-Length: 0',
          ),
        )
        const port = await start(origin, { cached: true, mount })
        await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
        const second = await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
        expect(origin.requests).to.have.length(2)
        expect(fieldsOf(second)).to.include('Cache-Control: no-store').and.to.not.include('X-Hop: 1')
      })

      it(`does not store in ${mount} under a field that the origin was not shown`, async () => {
        const origin = await startOrigin((socket, head) => {
          const language = /accept-language: (\S+)/i.exec(head)?.[1] ?? 'none'
          socket.write(
            'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Accept-Language\r\n' +
              `Content-Length: ${language.length}\r\n\r\n${language}`,
          )
        })
        const port = await start(origin, { cached: true, mount })
        const hidden = request('GET / HTTP/1.1', 'Host: a', 'Accept-Language: de', 'Connection: close, accept-language')
        expect(bodyOf(await exchange(port, hidden))).to.equal('none')
        const shown = request('GET / HTTP/1.1', 'Host: a', 'Accept-Language: de')
        expect(bodyOf(await exchange(port, shown))).to.equal('de')
      })

      it(`stands in for an origin that is gone in ${mount}`, async () => {
        const origin = await startOrigin(
          answer('HTTP/1.1 200 OK', 'Cache-Control: max-age=0, stale-if-error=60', 'Content-Length: 2', '', 'ok'),
        )
        const port = await start(origin, { cached: true, mount })
        await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
        origins[0]?.server.close()
        origin.last().destroy()
        const second = await exchange(port, request('GET / HTTP/1.1', 'Host: a'))
        expect(headOf(second)[0]).to.equal('HTTP/1.1 200 OK')
        expect(bodyOf(second)).to.equal('ok')
      })
    }
  })

  describe('its end', () => {
    it('lets a started answer finish, and closes the connections to the origin', async () => {
      const origin = await startOrigin((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
      })
      const client = open(await start(origin, { cached: true, mount: 'app' }), request('GET / HTTP/1.1', 'Host: a'))
      await client.until(/\r\n\r\n/)
      const left = once(origin.last(), 'close')
      const closed = proxies.pop()?.close()
      origin.last().write('ok')
      expect(bodyOf(await client.whole())).to.equal('ok')
      await closed
      await left
    })
  })

  describe('readCommandLine', () => {
    const ORIGIN = ['--origin', 'http://127.0.0.1:8000']

    it('has a value for everything but the origin', () => {
      expect(readCommandLine(ORIGIN)).to.deep.equal({
        help: false,
        origin: new URL('http://127.0.0.1:8000'),
        port: 8080,
        profile: 'rfc',
        style: 'setHeader',
        mount: 'app',
        cached: true,
      })
    })

    it('takes every option', () => {
      const args = ['--origin=http://[::1]:1', '--port', '0', '--profile', 'safe', '--no-cache', '--style']
      expect(readCommandLine([...args, 'writeHead-array', '--mount=front'])).to.deep.equal({
        help: false,
        origin: new URL('http://[::1]:1'),
        port: 0,
        profile: 'safe',
        style: 'writeHead-array',
        mount: 'front',
        cached: false,
      })
    })

    const WRONG: readonly (readonly [readonly string[], string])[] = [
      [[], '--origin is missing. It takes an http URL without a path, such as --origin http://127.0.0.1:8000.'],
      ...['https://a', 'localhost:80', 'http://a/b', 'http://u:p@a', 'http://a?b', '//a'].map(
        (value) =>
          [
            ['--origin', value],
            `--origin takes an http URL without a path, such as --origin http://127.0.0.1:8000, not "${value}".`,
          ] as const,
      ),
      ...['65536', '-1', '80.5', '1e3', ' 80'].map(
        (value) =>
          [
            [...ORIGIN, `--port=${value}`],
            `--port takes a whole number from 0 to 65535, such as --port 8080, not "${value}".`,
          ] as const,
      ),
      [[...ORIGIN, '--profile', 'RFC'], '--profile takes rfc or safe, not "RFC".'],
      [[...ORIGIN, '--mount', 'back'], '--mount takes app or front, not "back".'],
      [
        [...ORIGIN, '--style', 'writeHead'],
        '--style takes setHeader or appendHeader or writeHead-object or writeHead-array, not "writeHead".',
      ],
      [[...ORIGIN, '--port'], '--port takes a value. Write it like --port 8080.'],
      [[...ORIGIN, '--port='], '--port takes a value. Write it like --port 8080.'],
      [['--origin', '--no-cache'], '--origin takes a value. Write it like --origin http://127.0.0.1:8000.'],
      [[...ORIGIN, '--no-cache=yes'], '--no-cache takes no value, not "yes". Write it alone.'],
      [[...ORIGIN, ...ORIGIN], '--origin was given twice. Leave out one of them.'],
      [
        [...ORIGIN, '--verbose'],
        'Unknown option --verbose. Possible: --origin, --port, --profile, --style, --mount, --no-cache, --help.',
      ],
      [
        [...ORIGIN, '9000'],
        'Unexpected argument "9000". Possible: --origin, --port, --profile, --style, --mount, --no-cache, --help.',
      ],
    ]
    for (const [args, message] of WRONG) {
      it(`refuses "${args.join(' ')}"`, () => {
        expect(() => readCommandLine(args)).to.throw(message)
      })
    }
  })

  describe('npm run proxy', function () {
    this.timeout(30_000)

    const startMain = (...args: string[]) =>
      spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })

    const run = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
      const child = startMain(...args)
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
      return { code, stdout, stderr }
    }

    it('explains itself', async () => {
      const { code, stdout } = await run('--help')
      expect(code).to.equal(0)
      expect(stdout).to.include('--origin URL').and.to.include('--mount NAME')
    })

    it('says in one line what is wrong with the command line, and ends with 2', async () => {
      const { code, stderr } = await run('--origin', 'http://127.0.0.1:1', '--port', 'http')
      expect(stderr.trim()).to.equal('--port takes a whole number from 0 to 65535, such as --port 8080, not "http".')
      expect(code).to.equal(2)
    })

    it('says in one line that its port is taken, and ends with 2', async () => {
      const blocker = createServer().listen(0)
      await once(blocker, 'listening')
      const { port } = blocker.address() as AddressInfo
      const { code, stderr } = await run('--origin', 'http://127.0.0.1:1', '--port', String(port))
      blocker.close()
      expect(stderr.trim()).to.equal(
        `--port ${port} is in use or not allowed. Choose another, such as --port 0 for a free one.`,
      )
      expect(code).to.equal(2)
    })

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`prints its URL once it listens, answers there, and ends with 0 on ${signal}`, async () => {
        const origin = createServer((_req, res) => res.end('hello')).listen(0)
        await once(origin, 'listening')
        const child = startMain('--origin', `http://127.0.0.1:${(origin.address() as AddressInfo).port}`, '--port', '0')
        const ended = once(child, 'exit')
        const [first] = await once(child.stdout, 'data')
        const url = /^http:\/\/127\.0\.0\.1:\d+/.exec(String(first))?.[0] ?? ''
        expect(String(first)).to.match(/^\S+ -> http:\/\/127\.0\.0\.1:\d+\n$/)
        expect(await fetch(url).then((response) => response.text())).to.equal('hello')
        child.kill(signal)
        expect((await ended)[0]).to.equal(0)
        origin.close()
      })
    }
  })

  interface Origin {
    readonly url: URL
    /** What came, by request: its head and as much of its content as there is. */
    readonly requests: string[]
    connections: number
    first(): Socket
    last(): Socket
    until(pattern: RegExp): Promise<void>
  }

  type Respond = (socket: Socket, head: string, body: string) => void

  /** A server that shows and is told bytes. `respond` runs whenever there is more of a request whose head is complete. */
  async function startOrigin(respond: Respond): Promise<Origin> {
    const sockets = new Set<Socket>()
    const requests: string[] = []
    const watch = watcher(() => requests.join(''))
    const origin = { requests, connections: 0 }
    const server = createTcpServer((socket) => {
      origin.connections += 1
      sockets.add(socket)
      socket.on('error', () => undefined)
      let answered = true
      socket.on('data', (chunk) => {
        const latin1 = chunk.toString('latin1')
        if (answered) requests.push(latin1)
        else requests[requests.length - 1] += latin1
        const whole = requests.at(-1) ?? ''
        const written = socket.bytesWritten
        if (whole.includes('\r\n\r\n')) respond(socket, whole.split('\r\n\r\n', 1)[0] ?? '', bodyOf(whole))
        answered = socket.bytesWritten > written && !whole.includes('Expect:')
        watch.look()
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    origins.push({ server, sockets })
    return Object.assign(origin, {
      url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
      first: () => [...sockets][0] as Socket,
      last: () => [...sockets].at(-1) as Socket,
      until: watch.until,
    })
  }

  async function start(
    origin: Origin,
    options: Setup & Partial<Pick<ProxyServerOptions, 'style' | 'timeoutMs'>>,
  ): Promise<number> {
    const proxy = await startProxy({ origin: origin.url, port: 0, profile: 'rfc', style: 'setHeader', ...options })
    proxies.push(proxy)
    return proxy.port
  }

  interface Client {
    readonly socket: Socket
    until(pattern: RegExp): Promise<void>
    /** All that came, when the connection is over. */
    whole(): Promise<string>
  }

  function open(port: number, bytes: string | Buffer): Client {
    const socket = connect(port, '127.0.0.1')
    clients.push(socket)
    const chunks: Buffer[] = []
    const watch = watcher(() => Buffer.concat(chunks).toString('latin1'))
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      watch.look()
    })
    const closed = once(socket, 'close')
    socket.write(bytes, 'latin1')
    return {
      socket,
      until: watch.until,
      whole: async () => {
        await closed
        return Buffer.concat(chunks).toString('latin1')
      },
    }
  }

  function exchange(port: number, bytes: string | Buffer): Promise<string> {
    return open(port, bytes).whole()
  }
})

/** Resolves when text that grows matches; `look` is called when it has grown. */
function watcher(read: () => string): { look: () => void; until: (pattern: RegExp) => Promise<void> } {
  let waiting: { readonly pattern: RegExp; readonly resolve: () => void }[] = []
  const look = (): void => {
    if (waiting.length === 0) return
    const now = read()
    for (const { resolve } of waiting.filter(({ pattern: wanted }) => wanted.test(now))) resolve()
    waiting = waiting.filter(({ pattern: wanted }) => !wanted.test(now))
  }
  return {
    look,
    until: (wanted) =>
      new Promise((resolve) => {
        waiting.push({ pattern: wanted, resolve })
        look()
      }),
  }
}

/** More than all buffers on the way hold together. */
const HUGE = 64 << 20

/** Write so much, as fast as it is taken; the result says how much was written so far. */
function pour(socket: Socket): () => number {
  const piece = Buffer.alloc(64 << 10)
  let written = 0
  const more = (): void => {
    while (written < HUGE) {
      written += piece.length
      if (socket.write(piece)) continue
      socket.once('drain', more)
      return
    }
  }
  more()
  return () => written
}

/** A number that has stopped changing. */
async function settled(read: () => number): Promise<number> {
  for (let before = read(); ; before = read()) {
    await delay(100)
    if (read() === before) return before
  }
}

/** A request that ends its connection, unless it says otherwise; after an empty line comes its content. */
function request(...lines: readonly string[]): string {
  const isFinal = lines.some((line) => line.startsWith('Connection:'))
  const [first, ...rest] = lines
  const end = rest.indexOf('')
  const fields = end === -1 ? rest : rest.slice(0, end)
  const body = end === -1 ? '' : rest.slice(end + 1).join('\r\n')
  return `${[first, ...fields, ...(isFinal ? [] : ['Connection: close'])].join('\r\n')}\r\n\r\n${body}`
}

function answer(...lines: readonly string[]): (socket: Socket) => void {
  const head = lines.includes('') ? lines : [...lines, '', '']
  return (socket) => socket.write(head.join('\r\n'), 'latin1')
}

function headOf(message = ''): readonly string[] {
  return (message.split('\r\n\r\n', 1)[0] ?? '').split('\r\n')
}

function bodyOf(message = ''): string {
  return message.slice(message.indexOf('\r\n\r\n') + 4)
}

/** What node and the cache add to a head. */
const ADDED = /^(?:date|connection|keep-alive|transfer-encoding|cache-status|x-cache):/i

function fieldsOf(message: string): readonly string[] {
  return headOf(message)
    .slice(1)
    .filter((line) => !ADDED.test(line))
}

function unchunked(body: string): string {
  return body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '')
}

/** Bytes of every value, that do not repeat with a power of two. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251))
}
