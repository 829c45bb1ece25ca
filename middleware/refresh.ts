import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { RequestHeaders } from '../lib/http/fields.ts'
import type { ResponseEntry } from '../lib/responses.ts'
import { type Original, type Watcher, watch } from './intercept.ts'
import { headOf } from './response-fields.ts'
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

/** Fields that a second run on behalf of the same client does not carry: the conditions that led to it. */
const CONDITIONS: ReadonlySet<string> = new Set(['if-modified-since', 'if-none-match', 'if-range', 'range'])

/** No refresh is tried again before this has passed (ms), whatever became of the last one (STA-7). */
const BACK_OFF_MS = 1_000

const REFRESH: unique symbol = Symbol.for('cachewell.refresh') as never

interface Marked {
  [REFRESH]?: { readonly entry: ResponseEntry | undefined }
}

/** Is this request one of ours, to be answered by the handler? Rate limiters and loggers may ask, too. */
export function isRefresh(req: IncomingMessage): boolean {
  return (req as Marked)[REFRESH] !== undefined
}

/** The entry that a background refresh is about. */
export function refreshedEntry(req: IncomingMessage): ResponseEntry | undefined {
  return (req as Marked)[REFRESH]?.entry
}

export interface Refresh {
  /** The request that found the entry stale. */
  readonly req: IncomingMessage
  readonly settings: Settings
  readonly entry: ResponseEntry
  /** Of a QUERY. */
  readonly content: Buffer | undefined
}

/** Start a refresh of this entry unless one is under way; false when there is no way to run one. */
export function refresh({ req, settings, entry, content }: Refresh): boolean {
  const server = serverOf(req)
  if (server === undefined) return false
  const { value } = entry
  // Its variant is selected by what a refresh does not carry: only the client's own request can renew it.
  if (value.vary.some((name) => NOT_CARRIED.has(name))) return false
  const { engine } = settings
  if (engine.clock.now() < value.refreshableAt) return true
  const started = engine.refresh(() =>
    dispatch({ client: req, server, headers: without(req.headers, NOT_CARRIED), entry, content }).finally(() => {
      // Where it has failed this entry is still there.
      value.refreshableAt = engine.clock.now() + BACK_OFF_MS
    }),
  )
  if (started) value.refreshableAt = Number.POSITIVE_INFINITY
  return started
}

export interface Rerun {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The client's fields as they arrived. */
  readonly headers: RequestHeaders
  readonly content: Buffer | undefined
  readonly out: Original
}

/** Run the application once more for this client, without its conditions, and answer with what that brings (VAL-13). */
export function rerun({ req, res, headers, content, out }: Rerun): void {
  const server = serverOf(req)
  const relay = new Relay(res, out)
  if (server === undefined) return relay.fail()
  const again = { client: req, server, headers: without(headers, CONDITIONS), entry: undefined, content }
  const run = dispatch({ ...again, watcher: relay })
  void run.finally(() => relay.fail())
}

/** Passes a response on to another one while it is made. */
class Relay implements Watcher {
  readonly #res: ServerResponse
  readonly #out: Original
  #began = false
  #ended = false
  #from: ServerResponse | undefined

  constructor(res: ServerResponse, out: Original) {
    this.#res = res
    this.#out = out
  }

  watch(from: ServerResponse): void {
    this.#from = from
    watch(from, this)
  }

  afterHead(): void {
    if (this.#from === undefined || this.#began) return
    this.#began = true
    for (const { name, value } of headOf(this.#from).values()) this.#res.setHeader(name, value)
    this.#res.statusMessage = this.#from.statusMessage
    this.#out.writeHead(this.#from.statusCode)
  }

  body(chunk: Buffer): void {
    this.#out.write(chunk)
  }

  end(): void {
    this.#ended = true
    this.#out.end()
  }

  /** Nothing came, or not all of it: what has begun must not look whole. */
  fail(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#began) {
      this.#out.destroy()
      return
    }
    this.#out.writeHead(504)
    this.#out.end()
  }
}

function serverOf(req: IncomingMessage): Server | undefined {
  return (req.socket as Socket & { server?: Server }).server
}

function without(headers: RequestHeaders, names: ReadonlySet<string>): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name)))
}

interface Dispatch {
  readonly client: IncomingMessage
  readonly server: Server
  readonly headers: RequestHeaders
  /** What is to be refreshed, where that is known. */
  readonly entry: ResponseEntry | undefined
  readonly content?: Buffer | undefined
  readonly watcher?: Relay
}

/** Run the application in the background; settles when it has answered or taken too long. */
function dispatch({ client, server, headers, entry, content, watcher }: Dispatch): Promise<void> {
  return new Promise((resolve) => {
    const socket = Object.assign(new Nowhere(), {
      remoteAddress: client.socket.remoteAddress,
      encrypted: (client.socket as { encrypted?: boolean }).encrypted ?? false,
      server,
    }) as unknown as Socket
    const req = new IncomingMessage(socket)
    ;(req as Marked)[REFRESH] = { entry }
    req.method = content === undefined ? 'GET' : (client.method ?? '')
    req.url = (client as RoutedRequest).originalUrl ?? client.url ?? '/'
    req.httpVersion = '1.1'
    req.httpVersionMajor = 1
    req.httpVersionMinor = 1
    for (const [name, value] of Object.entries(headers)) {
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
    watcher?.watch(res)
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
