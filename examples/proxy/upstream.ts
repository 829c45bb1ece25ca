import { type Agent, type ClientRequest, type IncomingMessage, METHODS, request } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { type FieldLines, fieldLines, hasField, listMembers } from './fields.ts'
import { endToEnd } from './hop-by-hop.ts'

export interface UpstreamOptions {
  readonly origin: URL
  /** False opens a connection for this request alone. */
  readonly agent: Agent | false
  /** Silence for so long before the head is a time-out. */
  readonly timeoutMs: number
}

/** Methods for which node sends `Transfer-Encoding: chunked` when nothing is said about content. */
const CONTENT_EXPECTED: ReadonlySet<string> = new Set(
  METHODS.filter((method) => !['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method)),
)

/** Does the request announce content (RFC 9112 s. 6.3)? */
export function hasContent(req: IncomingMessage): boolean {
  const { headers } = req
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Begin the same request at the origin; the content is the caller's to send. */
export function openUpstream(req: IncomingMessage, { origin, agent, timeoutMs }: UpstreamOptions): ClientRequest {
  const { hostname, port } = urlToHttpOptions(origin)
  const upstream = request({
    hostname: hostname ?? '',
    port: port ?? 80,
    method: req.method ?? 'GET',
    path: req.url ?? '/',
    // An array is sent line by line, in this order and case.
    headers: requestLines(req, origin).flat(),
    agent,
    timeout: timeoutMs,
  })
  // Node would leave out what comes after the first thousand fields.
  upstream.maxHeadersCount = 0
  return upstream
}

function requestLines(req: IncomingMessage, origin: URL): FieldLines {
  const received = fieldLines(req.rawHeaders)
  const chunked = received.filter(([name]) => name.toLowerCase() === 'transfer-encoding')
  const lines = endToEnd(received).filter(([name]) => {
    const lower = name.toLowerCase()
    // Node refuses to announce trailers where there is no chunk to end with.
    return chunked.length > 0 ? lower !== 'content-length' : lower !== 'trailer'
  })
  const added: [string, string][] = [...chunked]
  if (!hasField(lines, 'host')) added.push(['Host', origin.host])
  if (listMembers(received, 'te').includes('trailers')) added.push(['TE', 'trailers'], ['Connection', 'TE'])
  const isFramed = chunked.length > 0 || hasField(lines, 'content-length')
  // RFC 9110 s. 8.6
  if (!isFramed && CONTENT_EXPECTED.has(req.method ?? 'GET')) added.push(['Content-Length', '0'])
  return [...lines, ...added]
}
