import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FakeClock } from '../support/fake-clock.ts'
import type { Caching } from './machine.ts'

/** A mistake that a cache can make. */
export type Fault =
  | 'another variant'
  | 'after a write'
  | 'overtaken'
  | 'beyond its lifetime'
  | 'stored what is private'
  | 'part as a whole'
  | 'broken off'
  | 'no age'
  | 'another client'
  | 'wrong length'
  | 'nothing stored'

interface Kept {
  readonly head: readonly (readonly [string, string | readonly string[]])[]
  readonly body: Buffer
  readonly vary: string
  readonly asked: string
  readonly storedAt: number
  readonly lifetime: number
}

/**
 * A cache of a few lines that keeps only what asks for it in the plainest words, and does that right; then, by choice, wrong in
 * one point. It shows that the model lets pass what is right and catches what is not.
 */
export function simpleCache(clock: FakeClock, fault?: Fault): Caching {
  const kept = new Map<string, Kept>()
  let writes = 0
  return (req, res, next) => {
    const { method = '', url = '' } = req
    atHead(res, () => res.removeHeader('cachewell-cache-control'))
    if (!['GET', 'HEAD', 'OPTIONS'].includes(method)) {
      atHead(res, (status) => {
        if (status >= 400) return
        writes++
        const places = [url, ...[res.getHeader('location') ?? []].flat().map(String)]
        for (const place of places) if (fault !== 'after a write') kept.delete(pathOf(place))
      })
    } else if (method !== 'OPTIONS' && req.headers['cache-control']?.includes('only-if-cached') === true) {
      res.statusCode = 504
      res.end()
      return
    }
    // Where the handler is asked again, what it says counts.
    if (method === 'HEAD' || (method === 'GET' && !isPlain(req, fault))) atHead(res, () => kept.delete(url))
    if (method !== 'GET' || !isPlain(req, fault)) return next()
    const found = kept.get(url)
    const age = found === undefined ? 0 : clock.now() - found.storedAt
    if (found !== undefined && (fault === 'beyond its lifetime' || age < found.lifetime)) {
      if (fault === 'another variant' || asking(req, found.vary) === found.asked) {
        for (const [name, value] of found.head) res.setHeader(name, value)
        if (fault !== 'no age') res.setHeader('Age', Math.floor(age / 1_000))
        if (fault === 'wrong length') res.setHeader('Content-Length', found.body.length + 2).shouldKeepAlive = false
        res.end(found.body)
        return
      }
    }
    const before = writes
    record(req, res, clock, fault, (entry) => {
      if (fault !== 'nothing stored' && (writes === before || fault === 'overtaken')) kept.set(url, entry)
    })
    next()
  }
}

function pathOf(place: string): string {
  const { host, pathname, search } = new URL(place, 'http://shop.example')
  return host === 'shop.example' ? pathname + search : ''
}

const PLAIN = ['host', 'connection', 'x-request', 'accept-language', 'x-unit']

function isPlain({ headers }: IncomingMessage, fault: Fault | undefined): boolean {
  const allowed = [...PLAIN]
  if (fault === 'part as a whole') allowed.push('range')
  if (fault === 'another client') allowed.push('cookie', 'authorization')
  return Object.keys(headers).every((name) => allowed.includes(name))
}

function asking({ headers }: IncomingMessage, vary: string): string {
  return JSON.stringify(vary.split(',').map((name) => headers[name.trim().toLowerCase()] ?? null))
}

/** Do this when the head is complete, and before it is written. */
function atHead(res: ServerResponse, act: (status: number) => unknown): void {
  const { writeHead } = res
  res.writeHead = function (status: number, given?: unknown): ServerResponse {
    if (typeof given === 'object')
      for (const [name, value] of Object.entries(given as object)) res.setHeader(name, value)
    act(status)
    return Reflect.apply(writeHead, this, [status]) as ServerResponse
  }
}

/** Keep the answer to this request if it is whole and says `max-age` and nothing else. */
function record(
  req: IncomingMessage,
  res: ServerResponse,
  clock: FakeClock,
  fault: Fault | undefined,
  keep: (entry: Kept) => void,
): void {
  const startedAt = clock.now()
  const chunks: Buffer[] = []
  let lifetime: number | undefined
  let vary = ''
  let head: Kept['head'] = []
  atHead(res, () => {
    lifetime = lifetimeOf(res, fault)
    if (!res.hasHeader('date')) res.setHeader('Date', new Date(clock.now()).toUTCString())
    vary = String(res.getHeader('vary') ?? '')
    head = res.getHeaderNames().map((name) => [name, [res.getHeader(name) ?? ''].flat().map(String)])
  })
  const { write, end } = res
  res.write = function (...args: unknown[]): boolean {
    chunks.push(Buffer.from(args[0] as string))
    return Reflect.apply(write, this, args) as boolean
  }
  res.end = function (...args: unknown[]): ServerResponse {
    if (typeof args[0] === 'string') chunks.push(Buffer.from(args[0]))
    const ended = Reflect.apply(end, this, args) as ServerResponse
    const body = Buffer.concat(chunks)
    const length = res.getHeader('content-length')
    if (length !== undefined && Number(length) !== body.length && fault !== 'broken off') return ended
    if (res.statusCode !== 200 && !(fault === 'part as a whole' && res.statusCode === 206)) return ended
    if (lifetime === undefined || vary.includes('*')) return ended
    const fields = head.filter(([name]) => name !== 'content-length')
    keep({ head: fields, body, vary, asked: asking(req, vary), storedAt: startedAt, lifetime })
    return ended
  }
}

const ODD = ['age', 'date', 'expires', 'set-cookie', 'cachewell-cache-control', 'cdn-cache-control']

function lifetimeOf(res: ServerResponse, fault: Fault | undefined): number | undefined {
  if (ODD.some((name) => res.hasHeader(name) && !(name === 'set-cookie' && fault === 'another client')))
    return undefined
  const words = String(res.getHeader('cache-control') ?? '').replace(
    fault === 'stored what is private' ? /^(public|private), / : /^public, /,
    '',
  )
  const seconds = /^max-age=(\d+)$/.exec(words)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1_000
}
