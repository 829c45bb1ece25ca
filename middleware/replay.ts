import type { IncomingMessage } from 'node:http'
import { formatCacheStatus, hitCacheStatus, xCache } from '../lib/http/cache-status.ts'
import { hasCondition, isNotModified } from '../lib/http/conditional.ts'
import { fieldValue } from '../lib/http/fields.ts'
import { rangeApplies, singleRange } from '../lib/http/ranges.ts'
import { currentAge } from '../lib/http/reuse.ts'
import type { Outcome } from '../lib/outcome.ts'
import type { ResponseEntry } from '../lib/responses.ts'
import type { Settings } from './settings.ts'

/** Of a response what a replay needs: a node response, or what stands for one. */
export interface ReplayResponse {
  writeHead(statusCode: number, headers: string[]): unknown
  setHeader(name: string, value: readonly string[]): unknown
  end(body?: Buffer): unknown
}

export interface Replay {
  readonly req: IncomingMessage
  readonly res: ReplayResponse
  readonly entry: ResponseEntry
  readonly outcome: Outcome
  readonly settings: Pick<Settings, 'headers'>
  readonly key: string
  readonly now: number
}

/**
 * Answer from a stored response: head and body as they were recorded, `Age` and `Cache-Status` as of now, the client's own
 * condition and range judged on it (RFC 9110 s. 13.2.2). Synchronous, and the only thing a hit in memory does.
 */
export function replay({ req, res, entry, outcome, settings, key, now }: Replay): void {
  const { value } = entry
  const age = String(Math.floor(currentAge({ cachedAt: entry.cachedAt, initialAge: value.initialAge, now }) / 1_000))
  let { status } = value
  let head: readonly string[] = value.head
  let body: Buffer | undefined = value.body
  const { headers } = req
  if (status === 200 && (hasCondition(headers) || headers.range !== undefined)) {
    if (isNotModified(headers, value, now)) {
      status = 304
      head = value.notModifiedHead
      body = undefined
    } else if (headers.range !== undefined && req.method === 'GET') {
      const part = partOf(headers, entry, now)
      if (part !== undefined) ({ status, head, body } = part)
    }
  }
  const lines = head.slice()
  lines.push('Age', age)
  if (settings.headers !== false) {
    const fresh = outcome.hit && outcome.detail === undefined
    const debug = settings.headers === 'debug'
    const member =
      fresh && !debug ? hitCacheStatus(outcome.ttl ?? 0) : formatCacheStatus(outcome, debug ? key : undefined)
    lines.push('Cache-Status', member)
    if (debug) lines.push('X-Cache', xCache(outcome))
  }
  res.writeHead(status, value.repeats ? withoutRepeats(res, lines) : lines)
  res.end(body)
}

/**
 * Lines that share a name are set as a list: node 20 keeps only the last of them in an array that follows a `setHeader`, as
 * every Express response does. Returns the lines left for the array.
 */
function withoutRepeats(res: ReplayResponse, lines: readonly string[]): string[] {
  const byName = new Map<string, { readonly name: string; readonly values: string[] }>()
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index] as string
    const value = lines[index + 1] as string
    const known = byName.get(name.toLowerCase())
    if (known === undefined) byName.set(name.toLowerCase(), { name, values: [value] })
    else known.values.push(value)
  }
  const single: string[] = []
  for (const { name, values } of byName.values()) {
    if (values.length === 1) single.push(name, values[0] as string)
    else res.setHeader(name, values)
  }
  return single
}

interface Part {
  readonly status: number
  readonly head: readonly string[]
  readonly body: Buffer | undefined
}

/** One range of a stored 200 (RFC 9110 s. 14.2), or undefined: then the whole is the answer. */
function partOf(headers: IncomingMessage['headers'], entry: ResponseEntry, now: number): Part | undefined {
  const { value } = entry
  const validators = {
    etag: value.etag,
    lastModified: fieldValue(value.fields, 'last-modified'),
    date: fieldValue(value.fields, 'date'),
  }
  if (fieldValue(value.fields, 'accept-ranges') === 'none' || !rangeApplies(headers, validators, now)) return undefined
  const length = value.body.length
  const range = singleRange(headers.range, length)
  if (range === undefined) return undefined
  if (range === 'unsatisfiable') {
    // RNG-18: nobody is to keep this answer.
    const date = validators.date === undefined ? [] : ['Date', validators.date]
    return {
      status: 416,
      head: [...date, 'Content-Range', `bytes */${length}`, 'Content-Length', '0'],
      body: undefined,
    }
  }
  const head: string[] = []
  for (let index = 0; index < value.head.length; index += 2) {
    const name = value.head[index] as string
    // RNG-17: digests of the whole content do not describe the part.
    if (!NOT_IN_206.has(name.toLowerCase())) head.push(name, value.head[index + 1] as string)
  }
  head.push('Content-Range', `bytes ${range.start}-${range.end}/${length}`)
  head.push('Content-Length', String(range.end - range.start + 1))
  return { status: 206, head, body: value.body.subarray(range.start, range.end + 1) }
}

const NOT_IN_206 = new Set(['content-length', 'content-digest', 'content-md5', 'content-range'])
