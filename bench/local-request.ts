import { IncomingMessage, type RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

export interface LocalRequest {
  readonly path: string
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
}

const HOST = 'shop.example'

/**
 * Ask a listener without a network: the same objects of `node:http`, but what is sent goes nowhere. A million requests need no
 * sockets then, and what is measured is the listener alone.
 */
export function askLocally(listener: RequestListener, { path, headers = {} }: LocalRequest): Promise<void> {
  const socket = new Nowhere() as unknown as Socket
  const req = new IncomingMessage(socket)
  req.method = 'GET'
  req.url = path
  req.httpVersion = '1.1'
  req.httpVersionMajor = 1
  req.httpVersionMinor = 1
  req.headers = { host: HOST, ...headers }
  req.rawHeaders = Object.entries(req.headers).flat() as string[]
  req.complete = true
  req.push(null)
  const res = new ServerResponse(req)
  res.assignSocket(socket)
  return new Promise((resolve) => {
    res.once('finish', () => {
      res.detachSocket(socket)
      resolve()
    })
    listener(req, res)
  })
}

/** A connection whose client reads everything at once and says nothing. */
class Nowhere extends Duplex {
  override _read(): void {}

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done()
  }

  override _writev(_chunks: unknown, done: () => void): void {
    done()
  }
}
