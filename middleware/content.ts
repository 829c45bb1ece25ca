import { createHash } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import type { RequestHeaders } from '../lib/http/fields.ts'
import { queryKey } from '../lib/http/query-content.ts'

/**
 * Reads along while node hands the content of a request over to its stream. Nothing is kept from the stream, so whoever
 * reads the request afterwards finds it as it came, and what nobody reads is node's to drop.
 */

/**
 * The complete content of a request; the request can still be read as if it had not been (QRY-4). Undefined when that cannot
 * be had: it is larger than `maxBytes`, the client left (then `req.destroyed`), somebody else reads it, part of a chunked one
 * came before this call, or it is no request of node's HTTP/1 server. Settles at the latest when the request is closed;
 * never rejects.
 */
export function takeContent(req: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const length = declaredLength(req)
  const tooLarge = (length ?? 0) > maxBytes || req.readableLength > maxBytes
  if (isTouched(req) || tooLarge || isUndecided(req)) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (content?: Buffer): void => {
      Reflect.deleteProperty(req, 'push')
      req.off('close', onClose)
      resolve(content)
    }
    const finish = (): void => {
      // A response that ended meanwhile made node drop the rest, and adapters make up requests: believe only what adds up.
      const whole = req.readableFlowing === null && req.readableLength === size && size === (length ?? size)
      settle(whole ? Buffer.concat(chunks) : undefined)
    }
    const onClose = (): void => settle()
    const push = req.push
    req.push = (chunk: Buffer | null): boolean => {
      const wantsMore = push.call(req, chunk)
      if (chunk === null) finish()
      else {
        chunks.push(chunk)
        size += chunk.length
        // A full buffer would stop the connection until somebody reads.
        if (size <= maxBytes) return true
        settle()
      }
      return wantsMore
    }
    req.once('close', onClose)
    const early = earlyContent(req)
    if (early !== undefined) {
      chunks.push(early)
      size = early.length
    }
    if (req.complete) finish()
  })
}

/** The part of a QUERY's key that stands for its content, in hex; undefined without a `Content-Type`: bypass (QRY-3, QRY-6). */
export function contentKey(content: Buffer, headers: RequestHeaders): string | undefined {
  return queryKey(content, headers, (octets) => createHash('sha256').update(octets).digest('hex'))
}

/** What had arrived before anybody asked. It has to be read to be seen (`readableDidRead`), and goes back at once. */
function earlyContent(req: IncomingMessage): Buffer | undefined {
  if (req.readableLength === 0) return undefined
  const early = req.read(req.readableLength) as Buffer
  req.unshift(early)
  return early
}

function declaredLength(req: IncomingMessage): number | undefined {
  const length = req.headers['content-length']
  return length === undefined ? undefined : Number(length)
}

/**
 * Has content of unknown length begun to arrive? It would have to be read before it turns out to be too large, and what node
 * believes to be in somebody's hands it no longer drops: unread, it would block the connection.
 */
function isUndecided(req: IncomingMessage): boolean {
  return req.readableLength > 0 && !req.complete && declaredLength(req) === undefined
}

/** Has somebody begun to read, made arrangements to, or done it in a way of their own? */
function isTouched(req: IncomingMessage): boolean {
  return (
    req.readableDidRead ||
    req.readableEnded ||
    req.destroyed ||
    req.readableFlowing !== null ||
    req.readableEncoding !== null ||
    (req as { body?: unknown }).body !== undefined ||
    // HTTP/2 sends content only to those who read.
    !(req instanceof IncomingMessage) ||
    // Somebody reads along at this moment.
    Object.hasOwn(req, 'push')
  )
}
