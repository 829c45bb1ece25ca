import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

/** What is different about a request or a response that node's HTTP/2 offers in the shape of those of HTTP/1. */

/** The reason of a response; undefined where it says nothing of its own. HTTP/2 has none, and warns whoever asks. */
export function reasonOf(res: ServerResponse): string | undefined {
  return isHttp2(res) || res.statusMessage === '' ? undefined : res.statusMessage
}

/** Give a response a reason; undefined: the usual one. */
export function setReason(res: { statusMessage: string }, reason: string | undefined): void {
  if (!isHttp2(res)) res.statusMessage = reason ?? ''
}

/** Whether content follows the head of a request that does not say so: HTTP/2 needs no field for that. */
export function hasUntoldContent(req: IncomingMessage): boolean {
  return (
    req.httpVersionMajor === 2 && (req as Partial<Pick<Http2ServerRequest, 'stream'>>).stream?.endAfterHeaders === false
  )
}

/** The `:authority` of a request; HTTP/1 has none. */
export function authorityOf(headers: IncomingHttpHeaders): string | undefined {
  return headers[':authority']?.toString()
}

/** KEY-5: the host of a request. Where `Host` and `:authority` say different things, nobody knows which the handler believes. */
export function hostOf(headers: IncomingHttpHeaders): string | undefined {
  const { host } = headers
  const authority = authorityOf(headers)
  if (host === undefined || authority === undefined) return host ?? authority
  return host.toLowerCase() === authority.toLowerCase() ? host : undefined
}

/** The status that went out, whoever has sent it: a handler may use the stream behind the response. */
export function statusSent(res: ServerResponse): number {
  return Number((isHttp2(res) ? res.stream.sentHeaders[':status'] : undefined) ?? res.statusCode)
}

/** Whether a response is one of HTTP/2, whose module need not be there. */
export function isHttp2(res: object): res is Http2ServerResponse {
  return 'createPushResponse' in res
}
