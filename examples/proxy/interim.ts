import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http'
import { fieldLines } from './fields.ts'
import { endToEnd } from './hop-by-hop.ts'

/**
 * Pass an interim response on, fields and all (RFC 9110 s. 15.2). Written to the connection itself: `writeEarlyHints` changes the
 * case of names and refuses what has no `Link`, and other status codes have no method at all. Where the connection is still
 * at the answer to an earlier request it is dropped, which a client cannot tell from one never sent.
 */
export function passInterim(information: InformationEvent, req: IncomingMessage, res: ServerResponse): void {
  const isOld = req.httpVersionMajor === 1 && req.httpVersionMinor === 0
  if (isOld || res.headersSent || res.socket === null || !res.socket.writable) return
  const { statusCode, statusMessage, rawHeaders } = information
  if (statusCode === 100) {
    // Node keeps account of this one: without it the connection ends with the answer.
    res.writeContinue()
    return
  }
  const lines = endToEnd(fieldLines(rawHeaders)).map(([name, value]) => `${name}: ${value}\r\n`)
  res.socket.write(`HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join('')}\r\n`, 'latin1')
}
