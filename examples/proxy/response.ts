import type { IncomingMessage, ServerResponse } from 'node:http'
import { UpstreamError } from './errors.ts'
import { type FieldLines, fieldLines, hasField } from './fields.ts'
import { type Head, putHead, type Style } from './head.ts'
import { endToEnd } from './hop-by-hop.ts'

export interface Passing {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly next: (error?: unknown) => void
  /** What the origin answers. */
  readonly incoming: IncomingMessage
  readonly style: Style
}

/** Answer with the origin's answer: its head now, its content as it comes and as fast as the client takes it, then its trailers. */
export function passResponse({ req, res, next, incoming, style }: Passing): void {
  try {
    putHead(res, headOf(req, incoming), style)
    // An empty piece sends the head before there is a body; `flushHeaders` would send its latin1 as UTF-8.
    if (!isBodiless(req, incoming)) res.write(Buffer.alloc(0))
  } catch (cause) {
    incoming.destroy()
    next(new UpstreamError(502, cause))
    return
  }
  // A short body must not end as if it were whole.
  incoming.once('error', () => res.destroy())
  incoming.pipe(res, { end: false })
  incoming.once('end', () => {
    if (incoming.rawTrailers.length > 0) res.addTrailers(fieldLines(incoming.rawTrailers))
    res.end()
  })
}

function headOf(req: IncomingMessage, incoming: IncomingMessage): Head {
  const { statusCode = 0, statusMessage = '' } = incoming
  // Node writes 100 to 999; an interim status never comes here.
  if (statusCode < 200) throw new Error(`its status is ${statusCode}`)
  return { status: statusCode, reason: statusMessage, lines: responseLines(req, incoming) }
}

function isBodiless(req: IncomingMessage, { statusCode }: IncomingMessage): boolean {
  return req.method === 'HEAD' || statusCode === 204 || statusCode === 304
}

function responseLines(req: IncomingMessage, incoming: IncomingMessage): FieldLines {
  const received = fieldLines(incoming.rawHeaders)
  const isChunked = hasField(received, 'transfer-encoding')
  const hasTrailers = isChunked && req.httpVersion === '1.1' && !isBodiless(req, incoming)
  return endToEnd(received).filter(([name]) => {
    const lower = name.toLowerCase()
    // Node refuses to announce trailers where there is no chunk to end with.
    if (lower === 'trailer') return hasTrailers
    return lower !== 'content-length' || !isChunked
  })
}
