import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { RequestHeaders } from '../lib/http/fields.ts'
import type { ResponseEntry } from '../lib/responses.ts'
import type { FillLease } from '../lib/stores/store.ts'
import { authorityOf } from './http2.ts'
import type { RoutedRequest } from './types.ts'

/**
 * A request goes through the whole application once more, marked so that the cache does not answer it. In process, on the same
 * server, never to an address (SEC-12).
 */

/** A handler that has not answered by then has lost it (ms). */
const TIMEOUT_MS = 30_000

const REFRESH: unique symbol = Symbol.for('cachewell.refresh') as never

/** The connection that a second pass comes over carries the mark. */
interface Marked {
  [REFRESH]?: Refreshed
}

/** What a second pass is about. */
export interface Refreshed {
  /** What is to be refreshed, where that is known. */
  readonly entry: ResponseEntry | undefined
  /** The right to do so, where other processes were asked for it. */
  readonly lease?: FillLease | undefined
}

/** Is this request one of ours, to be answered by the handler? Rate limiters and loggers may ask, too. */
export function isRefresh(req: IncomingMessage): boolean {
  return isRefreshing(req.socket)
}

/** The same, where the connection is at hand. */
export function isRefreshing(socket: Socket): boolean {
  return (socket as Marked)[REFRESH] !== undefined
}

/** What a background refresh is about; undefined for any other request. */
export function refreshOf(req: IncomingMessage): Refreshed | undefined {
  return (req.socket as Marked)[REFRESH]
}

/** The server a request came to; undefined where it came from none. */
export function serverOf(req: IncomingMessage): Server | undefined {
  return (req.socket as Socket & { server?: Server }).server
}

/** Request fields but these. */
export function without(headers: RequestHeaders, names: ReadonlySet<string>): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name)))
}

export interface SecondPass extends Refreshed {
  readonly client: IncomingMessage
  readonly server: Server
  readonly headers: RequestHeaders
  readonly content?: Buffer | undefined
  /** Look at the response from its beginning. */
  readonly watch?: (res: ServerResponse) => void
}

/** Run the application once more; settles when it has answered or taken too long. */
export function secondPass({ client, server, headers, entry, lease, content, watch }: SecondPass): Promise<void> {
  return new Promise((resolve) => {
    const socket = Object.assign(new Nowhere(), {
      remoteAddress: client.socket.remoteAddress,
      encrypted: (client.socket as { encrypted?: boolean }).encrypted ?? false,
      server,
      [REFRESH]: { entry, lease },
    }) as unknown as Socket
    const req = new IncomingMessage(socket)
    req.method = content === undefined ? 'GET' : (client.method ?? '')
    req.url = (client as RoutedRequest).originalUrl ?? client.url ?? '/'
    req.httpVersion = '1.1'
    req.httpVersionMajor = 1
    req.httpVersionMinor = 1
    for (const [name, value] of Object.entries(inWordsOfHttp1(client, headers))) {
      if (value === undefined) continue
      req.headers[name] = value
      req.headersDistinct[name] = [value].flat()
      for (const line of [value].flat()) req.rawHeaders.push(name, line)
    }
    if (content !== undefined && content.length > 0) req.push(content)
    req.push(null)
    req.complete = true
    const res = new ServerResponse(req)
    res.assignSocket(socket)
    watch?.(res)
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      socket.destroy()
      res.emit('close')
      resolve()
    }
    const timer = setTimeout(end, TIMEOUT_MS)
    timer.unref()
    res.once('finish', end)
    socket.once('close', end)
    server.emit('request', req, res)
  })
}

/** The handler sees a request of HTTP/1: the host that HTTP/2 names elsewhere stands in `Host`, too (RFC 9113 s. 8.3.1). */
function inWordsOfHttp1(client: IncomingMessage, headers: RequestHeaders): RequestHeaders {
  const host = authorityOf(client.headers)
  return host === undefined ? headers : { host, ...headers }
}

/** A connection to nowhere: takes everything, says nothing. */
class Nowhere extends Duplex {
  override _read(): void {}

  override _write(_chunk: unknown, _encoding: BufferEncoding, callback: () => void): void {
    callback()
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }
}
