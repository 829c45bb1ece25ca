import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { imfDate } from './dates.ts'
import { linesOf } from './fields.ts'
import type { Arrival, Script } from './script.ts'

/** A server that answers as the behaviours say: one path each. */
export interface Origin {
  readonly port: number
  /** Answer requests below the script's path; undefined afterwards: 404. */
  enter(script: Script): void
  leave(script: Script): void
  close(): Promise<void>
}

/** Listen on a port of 127.0.0.1; 0: a free one. */
export async function startOrigin(port = 0): Promise<Origin> {
  const scripts = new Map<string, Script>()
  const server = createServer((req, res) => {
    // An answer that cannot be sent is no answer; the client's side of the behaviour says so.
    answer(scripts, req, res).catch(() => res.destroy())
  })
  // Longer than the run: a cache that keeps its connections never meets one that is about to end.
  server.keepAliveTimeout = 600_000
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    enter: (script) => scripts.set(script.place.path, script),
    leave: (script) => scripts.delete(script.place.path),
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** The first two segments of a path: the token of the whole run, and the behaviour. */
function placeOf(url: string): string {
  return /^\/[^/?]*\/[^/?]*/.exec(url)?.[0] ?? ''
}

async function answer(scripts: ReadonlyMap<string, Script>, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const script = scripts.get(placeOf(req.url ?? ''))
  if (script === undefined) {
    res.writeHead(404)
    res.end()
    return
  }
  const arrival = script.arrive(req)
  arrival.body = (await buffer(req)).toString('latin1')
  await send(script, arrival, res)
}

async function send(script: Script, arrival: Arrival, res: ServerResponse): Promise<void> {
  const { given, method } = arrival
  const { status = 200, reason, fields = {}, interim = [], body = '' } = given
  if (given.delay !== undefined) await sleep(given.delay * 1_000)
  if (given.closes === true) {
    res.destroy()
    return
  }
  for (const { status: code, fields: own = {} } of interim)
    writeInterim(res, code, linesOf(own, script.place, Date.now()))
  const bytes = Buffer.from(body, 'latin1')
  const isBodiless = status === 204 || status === 304
  const own = {
    Date: imfDate(Date.now()),
    ...(isBodiless || given.chunked === true ? {} : { 'Content-Length': String(bytes.length) }),
    'Answer-Id': String(arrival.id),
  }
  res.sendDate = false
  const lines = linesOf({ ...own, ...fields }, script.place, Date.now()).flat()
  if (reason === undefined) res.writeHead(status, lines)
  else res.writeHead(status, reason, lines)
  if (isBodiless || method === 'HEAD') {
    res.end()
    return
  }
  const middle = Math.floor(bytes.length / 2)
  if (given.cut === true || given.pause !== undefined) {
    res.write(bytes.subarray(0, middle))
    await sleep((given.pause ?? 0.1) * 1_000)
    if (given.cut === true) {
      res.destroy()
      return
    }
    res.end(bytes.subarray(middle))
    return
  }
  res.end(bytes)
}

/** Node offers only some of the interim answers, and those with conditions. */
function writeInterim(res: ServerResponse, status: number, lines: readonly (readonly [string, string])[]): void {
  const names: Readonly<Record<number, string>> = { 102: 'Processing', 103: 'Early Hints' }
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  res.socket?.write(`HTTP/1.1 ${status} ${names[status] ?? ''}\r\n${head}\r\n`, 'latin1')
}
