import { type ServerResponse, STATUS_CODES } from 'node:http'

/** What a route of the administration says. */
export interface Answer {
  readonly status: number
  readonly body: object
  /** @default 'application/json; charset=utf-8' */
  readonly type?: string
  /** The methods of a 405 (RFC 9110 s. 15.5.6). */
  readonly allow?: string
}

/** An answer that tells people what was wrong with their request. */
export function refusal(status: number, message: string): Answer {
  return { status, body: { error: STATUS_CODES[status] ?? 'Error', message } }
}

/** Send an answer that nobody keeps; on HEAD node leaves the content out. */
export function send(res: ServerResponse, { status, body, type, allow }: Answer): void {
  const content = Buffer.from(`${safeJson(body)}\n`)
  res.statusCode = status
  res.setHeader('Content-Type', type ?? 'application/json; charset=utf-8')
  res.setHeader('Content-Length', content.length)
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  if (allow !== undefined) res.setHeader('Allow', allow)
  res.end(content)
}

/** Keys and tags come from strangers: wherever this JSON is pasted, it holds no markup and no line end of JavaScript. */
function safeJson(body: object): string {
  return JSON.stringify(body).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
