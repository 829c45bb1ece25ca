import type { ServerResponse } from 'node:http'

/** The origin gave no usable answer: `status` is what the client is told, `cause` what went wrong. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly status: 502 | 504

  constructor(status: 502 | 504, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`The origin ${status === 504 ? 'did not answer in time' : 'gave no valid answer'}: ${reason}`, { cause })
    this.status = status
  }
}

/** Answer a request whose handler has failed; one that is half answered is cut off, so that it cannot pass for a whole one. */
export function answerError(error: unknown, res: ServerResponse): void {
  if (res.headersSent) {
    res.destroy()
    return
  }
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  const body = Buffer.from(`${error instanceof Error ? error.message : String(error)}\n`)
  res.statusCode = error instanceof UpstreamError ? error.status : 500
  res.statusMessage = ''
  res.setHeader('Content-Type', 'text/plain; charset=utf-8')
  res.setHeader('Content-Length', body.length)
  res.end(body)
}
