import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Response } from 'express'
import { parseList } from 'structured-headers'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { isRefresh } from '../../middleware/second-pass.ts'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { type Framework, type Handler, makeListener } from '../support/app.ts'
import type { Answer, RequestShape } from '../support/http-client.ts'
import { type Bench, makeBench, openSite, type Site, until } from '../support/site.ts'

/** What the handler saw of one request. */
export interface Call {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** The content, as text; empty for GET and HEAD, whose content nobody reads. */
  readonly content: string
  /** When it was called (epoch ms). */
  readonly at: number
  /** Nobody waits for the answer: a refresh in the background. */
  readonly background: boolean
}

export type ReplyFields = Readonly<Record<string, string | readonly string[]>>

/** What the handler answers. */
export interface Reply {
  /** @default 200 */
  readonly status?: number
  readonly fields?: ReplyFields
  /** @default `body 1` for the first call, `body 2` for the second */
  readonly body?: string | Buffer
  /** How long the head takes (s). */
  readonly takes?: number
  /** Writes the response in place of all the above. */
  readonly write?: (res: Response, req: IncomingMessage) => unknown
}

export type Answering = Reply | ((call: Call, number: number) => Reply)

/**
 * Who answered, judged by what reached the handler: nobody but the store (`hit`), the handler asked with a condition (`validate`)
 * or without (`miss`), or neither (`none`).
 */
export type Verdict = 'hit' | 'validate' | 'miss' | 'none'

/** An answer, and what it took. */
export interface Asked extends Answer {
  readonly verdict: Verdict
  /** Our member of `Cache-Status`. */
  readonly told: Member | undefined
}

/** A member of `Cache-Status` with its parameters. */
export interface Member extends Readonly<Record<string, unknown>> {
  readonly name: string
}

export interface Layout {
  readonly options?: CacheMiddlewareOptions
  /** In front of the cache. */
  readonly above?: readonly Handler[]
  /** Between the cache and the handler. */
  readonly inside?: readonly Handler[]
  /** @default 'Express 5' */
  readonly framework?: Framework
}

/** An application with a cache, its handler scripted, its time standing still. */
export interface Scene {
  readonly bench: Bench
  readonly site: Site
  /** What reached the handler, in order. */
  readonly calls: readonly Call[]
  /** Answer like this from now on. */
  reply(answering: Answering): void
  /** Let seconds pass. */
  pass(seconds: number): void
  /** Ask, and see who answered; one request at a time. */
  ask(shape: RequestShape): Promise<Asked>
  get(path?: string, headers?: RequestShape['headers']): Promise<Asked>
  /** Background refreshes have come to their end. */
  refreshed(): Promise<void>
}

/** Open the scene of a vector: profile `rfc` unless the options say otherwise. Closed by `closeSites`. */
export async function openScene(
  answering: Answering,
  { options = {}, above = [], inside = [], framework = 'Express 5' }: Layout = {},
): Promise<Scene> {
  const bench = makeBench()
  const calls: Call[] = []
  let script = answering
  const answer = (call: Call, req: IncomingMessage, res: Response): unknown => {
    calls.push(call)
    const number = calls.length
    const {
      status = 200,
      fields = {},
      body,
      takes = 0,
      write,
    } = typeof script === 'function' ? script(call, number) : script
    bench.clock.advance(takes * 1_000)
    if (write !== undefined) return write(res, req)
    res.statusCode = status
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
    const hasBody = status !== 204 && status !== 304
    return res.end(hasBody ? (body ?? `body ${number}`) : undefined)
  }
  const handler: Handler = (req, res) => {
    const { method = '', url = '', headers } = req
    const seen = { method, url, headers: { ...headers }, at: bench.clock.now(), background: isRefresh(req) }
    const response = res as Response
    if (method === 'GET' || method === 'HEAD') return answer({ ...seen, content: '' }, req, response)
    return contentOf(req).then((content) => answer({ ...seen, content }, req, response))
  }
  const cached = cacheMiddleware({ cache: bench.cache, profile: 'rfc', headers: 'standard', ...options })
  const site = await openSite(makeListener(framework, [...above, cached, ...inside], handler))
  const ask = async (shape: RequestShape): Promise<Asked> => {
    const before = calls.length
    const received = await site.send({ path: '/a', ...shape })
    const ran = calls.slice(before).filter((call) => !call.background)
    return { ...received, verdict: verdictOf(ran, received), told: told(received) }
  }
  return {
    bench,
    site,
    calls,
    reply: (next) => {
      script = next
    },
    pass: (seconds) => bench.clock.advance(seconds * 1_000),
    ask,
    get: (path = '/a', headers = {}) => ask({ path, headers }),
    refreshed: () => until(() => bench.cache.stats().limits.refreshes.current === 0),
  }
}

/** A reply with this `Cache-Control` and more fields. */
export function controlled(control: string | readonly string[], fields: ReplyFields = {}): Reply {
  return { fields: { 'Cache-Control': control, ...fields } }
}

/** A handler that answers 304 with these fields to whoever holds the tag of its reply, and else gives the reply. */
export function validating(reply: Reply, update: ReplyFields = {}): (call: Call) => Reply {
  const etag = reply.fields?.['ETag'] as string
  return ({ headers }) =>
    headers['if-none-match'] === etag ? { status: 304, fields: { ETag: etag, ...update } } : reply
}

/** An instant (epoch ms) as an HTTP-date. */
export function httpDate(instant: number): string {
  return new Date(instant).toUTCString()
}

/** The members of `Cache-Status`, the one nearest to the client last. */
export function members(answer: Answer): readonly Member[] {
  const field = answer.header('cache-status')
  if (field === undefined) return []
  return parseList(field).map(([name, parameters]) => {
    const given = [...parameters].map(([key, value]) => [key, typeof value === 'object' ? String(value) : value])
    return { name: String(name), ...Object.fromEntries(given) } as Member
  })
}

/** Our own member of `Cache-Status`; undefined where there is none. */
export function told(answer: Answer): Member | undefined {
  const own = members(answer).filter(({ name }) => name === 'cachewell')
  if (own.length > 1) throw new Error(`More than one member of ours: ${answer.header('cache-status')}`)
  return own[0]
}

/** Send these octets, given as latin1, over a connection of its own and read until the server closes it. */
export function rawExchange(port: number, text: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    socket.write(text, 'latin1')
  })
}

/** One part of a multipart/byteranges. */
export interface BodyPart {
  /** Fields by lower-case name. */
  readonly fields: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** The parts of a multipart/byteranges. @throws Error for anything that is not exactly one */
export function bodyParts(answer: Answer): readonly BodyPart[] {
  const type = answer.header('content-type') ?? 'no Content-Type'
  const boundary = /^multipart\/byteranges; ?boundary=([\w'+.-]{1,70})$/.exec(type)?.[1]
  if (boundary === undefined) throw new Error(`Not a multipart/byteranges with a plain boundary: ${type}`)
  const [preamble, ...pieces] = `\r\n${answer.body.toString('latin1')}`.split(`\r\n--${boundary}`)
  const end = pieces.pop()
  if (preamble !== '' || (end !== '--' && end !== '--\r\n')) throw new Error('The multipart does not begin or end')
  return pieces.map((piece) => {
    const split = piece.indexOf('\r\n\r\n')
    if (!piece.startsWith('\r\n') || split === -1) throw new Error('A part without a head')
    const lines = piece.slice(2, split).split('\r\n')
    const fields = lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ])
    return { fields: Object.fromEntries(fields), body: Buffer.from(piece.slice(split + 4), 'latin1') }
  })
}

async function contentOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function verdictOf(ran: readonly Call[], answer: Answer): Verdict {
  const isHit = told(answer)?.['hit'] === true
  if (ran.length === 0) return isHit ? 'hit' : 'none'
  if (isHit) throw new Error(`The handler ran, and yet: ${answer.header('cache-status')}`)
  const isConditional = ({ headers }: Call): boolean =>
    headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined
  return ran.some(isConditional) ? 'validate' : 'miss'
}
