import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { ResponseEntry } from '../lib/responses.ts'
import type { Settings } from './settings.ts'
import type { RoutedRequest } from './types.ts'

/**
 * A background refresh: the request goes through the whole application once more, with nobody listening, marked so that the
 * cache does not answer it. In process, on the same server, never to an address (SEC-12).
 */

/** A handler that has not answered a refresh by then has lost it (ms). */
const REFRESH_TIMEOUT_MS = 30_000

/** Fields of the client that a refresh does not carry: its conditions, and who it is (SEC-16). */
const NOT_CARRIED: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'cookie',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'pragma',
  'proxy-authorization',
  'range',
  'x-api-key',
])

const REFRESH: unique symbol = Symbol.for('cachewell.refresh') as never

/** Is this request one of ours, to be answered by the handler? Rate limiters and loggers may ask, too. */
export function isRefresh(req: IncomingMessage): boolean {
  return (req as { [REFRESH]?: true })[REFRESH] === true
}

export interface Refresh {
  /** The request that found the entry stale. */
  readonly req: IncomingMessage
  readonly settings: Settings
  readonly entry: ResponseEntry
}

/** Start a refresh of this entry unless one is under way; false when there is no way to run one. */
export function refresh({ req, settings, entry }: Refresh): boolean {
  const server = (req.socket as Socket & { server?: Server }).server
  if (server === undefined) return false
  const { value } = entry
  // Its variant is selected by what a refresh does not carry: only the client's own request can renew it.
  if (value.vary.some((name) => NOT_CARRIED.has(name))) return false
  if (value.refreshing) return true
  const started = settings.engine.refresh(() =>
    dispatch(req, server).finally(() => {
      // One that failed is tried again by the next request.
      value.refreshing = false
    }),
  )
  if (started) value.refreshing = true
  return started
}

/** Run the application for nobody; settles when it has answered or taken too long. */
function dispatch(client: IncomingMessage, server: Server): Promise<void> {
  return new Promise((resolve) => {
    const socket = Object.assign(new Nowhere(), {
      remoteAddress: client.socket.remoteAddress,
      encrypted: (client.socket as { encrypted?: boolean }).encrypted ?? false,
      server,
    }) as unknown as Socket
    const req = new IncomingMessage(socket)
    ;(req as { [REFRESH]?: true })[REFRESH] = true
    req.method = 'GET'
    req.url = (client as RoutedRequest).originalUrl ?? client.url ?? '/'
    req.httpVersion = '1.1'
    req.httpVersionMajor = 1
    req.httpVersionMinor = 1
    for (const [name, value] of Object.entries(client.headers)) {
      if (value === undefined || NOT_CARRIED.has(name)) continue
      req.headers[name] = value
      for (const line of [value].flat()) req.rawHeaders.push(name, line)
    }
    req.push(null)
    req.complete = true
    const res = new ServerResponse(req)
    res.assignSocket(socket)
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      socket.destroy()
      res.emit('close')
      resolve()
    }
    const timer = setTimeout(end, REFRESH_TIMEOUT_MS)
    timer.unref()
    res.once('finish', end)
    socket.once('close', end)
    server.emit('request', req, res)
  })
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
