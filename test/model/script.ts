import type { IncomingMessage, ServerResponse } from 'node:http'
import { dateText, type Lines, valueOf } from './parse.ts'
import { namesTag } from './shapes.ts'
import type { Answering, Habit } from './steps.ts'

/** What a run of the handler is to write. */
export interface Draft {
  readonly status: number
  readonly fields: Lines
  /** All of the representation. */
  readonly body: string
  /** The part of it that is sent, if only one is. */
  readonly part: string | undefined
}

/** The state of a resource. */
export interface Resource {
  readonly habit: Habit
  readonly version: number
}

/** The answer of a run to a request as it arrived at the handler, at this time (epoch ms). */
export function draftOf(id: number, answer: Answering, resource: Resource, req: Inner, now: number): Draft {
  const { version } = resource
  const fields: (readonly [string, string])[] = [...fieldsOf(id, answer, resource, now)]
  const body = `run ${id}, version ${version}${'.'.repeat(8 + (version % 2) * 4)}`
  const whole: Draft = { status: answer.status, fields, body, part: undefined }
  const isRead = req.method === 'GET' || req.method === 'HEAD'
  if (answer.status !== 200 || !isRead) return whole
  if (answer.conditions && isNotModified(req.fields, fields)) return { ...whole, status: 304 }
  const range = /^bytes=(\d)-(\d?)$/.exec(valueOf(req.fields, 'range') ?? '')
  if (!answer.ranges || range === null || req.method !== 'GET') return whole
  const [first, last] = [Number(range[1]), range[2] === '' ? body.length - 1 : Number(range[2])]
  if (last < first) return whole
  return {
    ...whole,
    status: 206,
    fields: [...fields, ['Content-Range', `bytes ${first}-${last}/${body.length}`]],
    part: body.slice(first, last + 1),
  }
}

/** A request as far as the handler looks at it. */
export interface Inner {
  readonly method: string
  readonly fields: Lines
}

/** Versions began to be written long enough ago for a guess at their lifetime (FRE-11). */
const FIRST_VERSION = Date.UTC(2026, 10, 20, 11, 40)

function fieldsOf(id: number, answer: Answering, { habit, version }: Resource, now: number): Lines {
  const { cacheControl, vary, tag, modified } = { ...habit, ...answer.habit }
  const fields: (readonly [string, string])[] = [
    ['Content-Type', 'text/plain'],
    ['X-Run', String(id)],
    ['X-Extra', `extra ${id}`],
  ]
  for (const line of cacheControl) fields.push(['Cache-Control', line])
  if (vary !== undefined) fields.push(['Vary', vary])
  if (tag !== undefined)
    fields.push(['ETag', { strong: `"v${version}"`, weak: `W/"v${version}"`, invalid: `v${version}` }[tag]])
  if (modified) fields.push(['Last-Modified', dateText(FIRST_VERSION + version * 60_000)])
  const { expires, date, age, setCookie, targeted, location } = answer
  if (expires !== undefined) {
    const text = { past: dateText(now - 60_000), invalid: '0' }[String(expires)]
    fields.push(['Expires', text ?? dateText(now + Number(expires) * 1_000)])
  }
  if (date !== undefined) fields.push(['Date', dateText(now + date * 1_000)])
  if (age !== undefined) fields.push(['Age', age])
  if (setCookie) fields.push(['Set-Cookie', `sid=${id}`], ['Set-Cookie', `theme=${id}`])
  if (targeted !== undefined) fields.push(targeted)
  if (location !== undefined) fields.push(['Location', location])
  return fields
}

function isNotModified(asked: Lines, fields: Lines): boolean {
  const tags = valueOf(asked, 'if-none-match')
  if (tags !== undefined) return namesTag(tags, valueOf(fields, 'etag'))
  const since = Date.parse(valueOf(asked, 'if-modified-since') ?? '')
  return Date.parse(valueOf(fields, 'last-modified') ?? '') <= since
}

/** Write a draft in this style. */
export function write(res: ServerResponse, { status, fields, body, part }: Draft, { style, fails }: Answering): void {
  const grouped = new Map<string, string[]>()
  for (const [name, value] of fields) grouped.set(name, [...(grouped.get(name) ?? []), value])
  const content = part ?? body
  const empty = status === 204 || status === 304 || res.req.method === 'HEAD'
  if (isDeclared(style, fails) && status !== 204 && status !== 304)
    grouped.set('Content-Length', [String(content.length)])
  const head = [...grouped].map(([name, values]): [string, string | string[]] => [name, one(values)])
  if (style === 'head') res.writeHead(status, Object.fromEntries(head))
  else {
    res.statusCode = status
    for (const [name, value] of head) res.setHeader(name, value)
  }
  if (fails === 'throws') return
  if (empty || fails === undefined) {
    if (style === 'writes' && !empty) {
      res.write(content.slice(0, 4))
      res.end(content.slice(4))
    } else if (empty) res.end()
    else res.end(content)
  } else if (fails === 'short') res.end(content.slice(0, -3))
  else {
    res.write(content.slice(0, 5))
    setImmediate(() => res.destroy())
  }
}

/** Does the answer tell its length itself? */
export function isDeclared(style: Answering['style'], fails: Answering['fails']): boolean {
  return style === 'declared' || fails === 'short'
}

function one(values: string[]): string | string[] {
  return values.length === 1 ? (values[0] as string) : values
}

/** The fields of a request as they are seen now. */
export function innerOf(req: IncomingMessage): Inner {
  const fields = Object.entries(req.headers).map(([name, value]): [string, string] => [name, String(value)])
  return { method: req.method ?? '', fields }
}
