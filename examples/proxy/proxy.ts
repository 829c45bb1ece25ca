import { Agent, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { UpstreamError } from './errors.ts'
import { fieldLines } from './fields.ts'
import type { Style } from './head.ts'
import { passInterim } from './interim.ts'
import { passResponse } from './response.ts'
import { hasContent, openUpstream } from './upstream.ts'

export interface ProxyOptions {
  /** An `http:` URL; its path is not used. */
  readonly origin: URL
  readonly style: Style
  /** How long the origin may be silent before its head. @default 30,000 */
  readonly timeoutMs?: number
}

/** Answers every request with what the origin answers. A failure of the origin goes to `next`, with a `status`. */
export interface Proxy {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void
  /** Close the connections to the origin, those in use, too. */
  close(): void
}

const TIMEOUT_MS = 30_000

/** Make the handler of a reverse proxy: streams both ways, changes nothing but what belongs to one connection. */
export function makeProxy({ origin, style, timeoutMs = TIMEOUT_MS }: ProxyOptions): Proxy {
  const agent = new Agent({ keepAlive: true })
  const proxy = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void => {
    const open = (connection: Agent | false): ClientRequest =>
      openUpstream(req, { origin, agent: connection, timeoutMs })
    forward({ req, res, next, open, agent, style })
  }
  return Object.assign(proxy, { close: () => agent.destroy() })
}

interface Forwarding {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly next: (error?: unknown) => void
  readonly open: (connection: Agent | false) => ClientRequest
  /** False for a second attempt. */
  readonly agent: Agent | false
  readonly style: Style
}

function forward(forwarding: Forwarding): void {
  const { req, res, next, open, agent, style } = forwarding
  let upstream: ClientRequest
  try {
    upstream = open(agent)
  } catch (cause) {
    next(new UpstreamError(502, cause))
    return
  }
  let answered = false
  let late = false
  const leave = (): void => {
    answered = true
    upstream.destroy()
  }
  const fail = (cause: Error): void => {
    // What happens after the head is the response's to tell, and a client that has left is told nothing.
    if (answered) return
    answered = true
    res.off('close', leave)
    if (upstream.reusedSocket && agent !== false && isReset(cause) && isRepeatable(req)) {
      forward({ ...forwarding, agent: false })
    } else next(new UpstreamError(late ? 504 : 502, cause))
  }
  res.once('close', leave)
  upstream.on('information', (information) => passInterim(information, req, res))
  upstream.on('timeout', () => {
    late = true
    upstream.destroy(new Error('it was silent for too long'))
  })
  upstream.on('upgrade', (_incoming, socket) => {
    socket.destroy()
    fail(new Error('it switched protocols unasked'))
  })
  upstream.on('response', (incoming) => {
    upstream.setTimeout(0)
    answered = true
    passResponse({ req, res, next, incoming, style })
  })
  upstream.on('error', fail)
  sendContent(req, upstream)
}

function isReset({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE'
}

/** An idle connection that the origin closed just now: nothing says the request was seen, and it may be sent again. */
function isRepeatable(req: IncomingMessage): boolean {
  return !hasContent(req) && ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(req.method ?? '')
}

function sendContent(req: IncomingMessage, upstream: ClientRequest): void {
  if (!hasContent(req)) {
    upstream.end()
    return
  }
  // An empty piece sends the head before there is content; `flushHeaders` would send its latin1 as UTF-8.
  upstream.write(Buffer.alloc(0))
  req.pipe(upstream, { end: false })
  req.once('end', () => {
    if (req.rawTrailers.length > 0) upstream.addTrailers(fieldLines(req.rawTrailers))
    upstream.end()
  })
}
