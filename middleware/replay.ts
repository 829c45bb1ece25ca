import { randomBytes } from 'node:crypto'
import { ServerResponse } from 'node:http'
import { boundaryFor, multipartByteranges } from '../lib/http/byteranges.ts'
import { formatCacheStatus, xCache } from '../lib/http/cache-status.ts'
import { isNotModified } from '../lib/http/conditional.ts'
import { fieldValue, type RequestHeaders, requestField } from '../lib/http/fields.ts'
import { NOT_AFTER_IF_RANGE, NOT_IN_206 } from '../lib/http/part-fields.ts'
import { type ByteRange, byteRanges, rangeApplies } from '../lib/http/ranges.ts'
import { besideVary, heldHead, identityOf, representationIn } from '../lib/http/representation.ts'
import { currentAge } from '../lib/http/reuse.ts'
import type { LastHead, Representation, StoredResponse } from '../lib/http/stored-response.ts'
import type { Outcome } from '../lib/outcome.ts'
import type { ResponseEntry } from '../lib/responses.ts'
import { CODING, CONDITION, RANGE } from './heeded.ts'
import { setReason } from './http2.ts'
import type { Settings } from './settings.ts'

/** Of a response what a replay needs: a node response, or what stands for one. */
export interface ReplayResponse {
  statusMessage: string
  writeHead(statusCode: number, headers?: string[]): unknown
  getHeader(name: string): number | string | string[] | undefined
  setHeader(name: string, value: string | readonly string[]): unknown
  end(body?: Buffer): unknown
}

/** Whom to answer: what was asked for, and what there is to answer with. */
export interface Client {
  readonly method: string | undefined
  readonly headers: RequestHeaders
  /** Which of them a cache heeds. */
  readonly heeded: number
  readonly res: ReplayResponse
  readonly settings: Pick<Settings, 'headers' | 'encodings'>
  /** CMP-4: not where compression above us would code a part of the whole. @default what the response says */
  readonly mayCut?: boolean
  /** Nobody else has a hand in writing the head. @default what the response says */
  readonly isPlain?: boolean
}

/**
 * Answer from a stored response: head and body as they were recorded, `Age` and `Cache-Status` as of now, the client's own
 * condition and range judged on it (RFC 9110 s. 13.2.2). Synchronous, and the only thing a hit in memory does.
 */
export function replay(client: Client, entry: ResponseEntry, outcome: Outcome, now: number): void {
  const { method, headers, heeded, res } = client
  const { value } = entry
  const form = formFor(client, value)
  if ((heeded & (CONDITION | RANGE)) !== 0 && value.status === 200) {
    // CON-22: the condition first.
    const held = form === value ? unchangedHead(headers, value, now) : heldHead(value, form, headers, now)
    if (held !== undefined) return sendNotModified(client, { entry, form, held }, outcome, now)
    const part = requestedPart(client, { value, form, now })
    if (part !== undefined) {
      const { changing } = headAsOf(now, client.settings, entry, form, outcome)
      writeLines(client, part.status, besideOuterVary(client, entry, form, [...part.head, ...changing]), value.repeats)
      res.end(part.body)
      return
    }
  }
  // The handler's words were about its own status, not about a 304 or 206 of ours (REU-7).
  if (value.reason !== undefined) setReason(res, value.reason)
  const { lines } = headAsOf(now, client.settings, entry, form, outcome)
  writeLines(client, value.status, besideOuterVary(client, entry, form, lines), value.repeats)
  // A server may be told to refuse content where there is none.
  if (method === 'HEAD' || form.body.length === 0 || value.status === 204) res.end()
  else res.end(form.body)
}

/** In which coding this client gets it. RNG-16: ranges are those of the content as it is. */
function formFor({ method, headers, heeded, settings }: Client, value: StoredResponse): Representation {
  if (!value.codable || settings.encodings === undefined) return value
  const isPart = (heeded & RANGE) !== 0 && method === 'GET' && headers['range'] !== undefined
  if (isPart || (heeded & CODING) === 0) return identityOf(value)
  return representationIn(value, settings.encodings.accepted(headers))
}

/** A `Vary` of ours would take the place of one that stands on the response already. */
function besideOuterVary({ res }: Client, entry: ResponseEntry, form: Representation, lines: string[]): string[] {
  const outer = form === entry.value ? undefined : res.getHeader('Vary')
  return outer === undefined ? lines : besideVary(lines, String(outer))
}

/** What the client holds already, and the head that says so. */
interface Held {
  readonly entry: ResponseEntry
  readonly form: Representation
  readonly held: readonly string[]
}

function sendNotModified(client: Client, { entry, form, held }: Held, outcome: Outcome, now: number): void {
  const head = headAsOf(now, client.settings, entry, form, outcome)
  // What is held in another coding has a tag of its own.
  const isUsual = held === form.notModifiedHead
  const lines = (isUsual ? head.notModified : undefined) ?? [...held, ...head.changing]
  if (isUsual) head.notModified = lines
  writeLines(client, 304, besideOuterVary(client, entry, form, lines), entry.value.repeats)
  client.res.end()
}

/** Compression that stands above us has left a method on the response. */
export function mayBeCut(res: object): boolean {
  return !('flush' in res)
}

/** The heads of answers as of `now`; node only reads the arrays, so that answers of the same second can share them. */
function headAsOf(
  now: number,
  settings: Client['settings'],
  entry: ResponseEntry,
  form: Representation,
  outcome: Outcome,
): LastHead {
  const age = Math.floor(currentAge(entry, now) / 1_000)
  const ttl = outcome.hit && outcome.detail === undefined ? (outcome.ttl ?? 0) : undefined
  const last = form.lastHead
  if (last !== undefined && last.age === age && last.ttl === ttl && last.settings === settings) return last
  const changing = lastLines(age, outcome, settings, entry.key)
  const head = { settings, age, ttl, changing, lines: [...form.head, ...changing], notModified: undefined }
  if (ttl !== undefined) form.lastHead = head
  return head
}

/** What is different from answer to answer. */
function lastLines(age: number, outcome: Outcome, settings: Client['settings'], key: string): readonly string[] {
  const told = settings.headers
  if (told === false) return ['Age', String(age)]
  const member = formatCacheStatus(outcome, told === 'debug' ? key : undefined)
  const lines = ['Age', String(age), 'Cache-Status', member]
  return told === 'debug' ? [...lines, 'X-Cache', xCache(outcome)] : lines
}

/** Whether heads are written by node alone. */
export function hasOwnHead(res: Pick<ReplayResponse, 'writeHead'>): boolean {
  return res.writeHead === ServerResponse.prototype.writeHead
}

/**
 * Write a head. An array of lines is the fastest way, but hooks of other middlewares may not know it, and node 20 keeps only the
 * last line of a name in an array that follows a `setHeader`, as every Express response does: then each name is set by itself.
 */
function writeLines(
  { res, isPlain = hasOwnHead(res) }: Client,
  status: number,
  lines: string[],
  repeats: boolean,
): void {
  if (!repeats && isPlain) {
    // Known already: looking it up on a response of Express takes as long as finding the entry.
    ServerResponse.prototype.writeHead.call(res as ServerResponse, status, lines)
    return
  }
  const byName = new Map<string, { readonly name: string; readonly values: string[] }>()
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index] as string
    const value = lines[index + 1] as string
    const known = byName.get(name.toLowerCase())
    if (known === undefined) byName.set(name.toLowerCase(), { name, values: [value] })
    else known.values.push(value)
  }
  for (const { name, values } of byName.values()) {
    res.setHeader(name, values.length === 1 ? (values[0] as string) : values)
  }
  res.writeHead(status)
}

/** A stored 200, and what of it depends on the client. */
interface Whole {
  readonly value: StoredResponse
  /** What this client would get, were it the whole. */
  readonly form: Representation
  readonly now: number
}

interface Part {
  readonly status: 206 | 416
  readonly head: readonly string[]
  readonly body: Buffer | undefined
}

/** The part of a stored 200 that the client asks for (RFC 9110 s. 14.2); undefined: the whole. */
function requestedPart(client: Client, whole: Whole): Part | undefined {
  const { method, headers, res, mayCut } = client
  // RNG-1, QRY-9
  if (headers['range'] === undefined || method !== 'GET' || !(mayCut ?? mayBeCut(res))) return undefined
  return rangeOf(headers, whole)
}

function unchangedHead(headers: RequestHeaders, value: StoredResponse, now: number): readonly string[] | undefined {
  return isNotModified(headers, value, now) ? value.notModifiedHead : undefined
}

/** The ranges of a stored 200 that were asked for (RFC 9110 s. 14.2), or undefined: then the whole is the answer. */
function rangeOf(headers: RequestHeaders, { value, form, now }: Whole): Part | undefined {
  const validators = {
    etag: value.etag,
    negotiated: value.vary.includes('accept-encoding'),
    lastModified: fieldValue(value.fields, 'last-modified'),
    date: fieldValue(value.fields, 'date'),
  }
  // RNG-22
  const isRefused = fieldValue(value.fields, 'accept-ranges')?.toLowerCase() === 'none'
  if (isRefused || !rangeApplies(headers, validators, now)) return undefined
  const length = value.body.length
  const ranges = byteRanges(requestField(headers, 'range'), length)
  if (ranges === undefined) return undefined
  if (ranges === 'unsatisfiable') {
    // RNG-18: nobody is to keep this answer.
    const date = validators.date === undefined ? [] : ['Date', validators.date]
    return {
      status: 416,
      head: [...date, 'Content-Range', `bytes */${length}`, 'Content-Length', '0'],
      body: undefined,
    }
  }
  // RNG-15: who sends `If-Range` has the rest of the head.
  const omitted = headers['if-range'] === undefined ? NOT_IN_206 : NOT_AFTER_IF_RANGE
  // RNG-12: what is one range in the end is no multipart.
  return ranges.length === 1
    ? onePart(form, ranges[0] as ByteRange, omitted)
    : severalParts({ value, form }, ranges, omitted)
}

/** RNG-10 */
function onePart({ head: lines, body }: Representation, { start, end }: ByteRange, omitted: ReadonlySet<string>): Part {
  const head = headWithout(lines, omitted)
  head.push('Content-Range', `bytes ${start}-${end}/${body.length}`, 'Content-Length', String(end - start + 1))
  return { status: 206, head, body: body.subarray(start, end + 1) }
}

/** RNG-11. Undefined when no boundary was found. */
function severalParts(
  { value, form }: Pick<Whole, 'value' | 'form'>,
  ranges: readonly ByteRange[],
  omitted: ReadonlySet<string>,
): Part | undefined {
  const boundary = boundaryFor(value.body, randomBytes)
  if (boundary === undefined) return undefined
  const contentType = value.withheld.includes('content-type') ? undefined : fieldValue(value.fields, 'content-type')
  const { contentType: multipart, body } = multipartByteranges({ body: value.body, ranges, contentType, boundary })
  const head = headWithout(form.head, new Set([...omitted, 'content-type']))
  head.push('Content-Type', multipart, 'Content-Length', String(body.length))
  return { status: 206, head, body }
}

function headWithout(lines: readonly string[], omitted: ReadonlySet<string>): string[] {
  const head: string[] = []
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index] as string
    if (!omitted.has(name.toLowerCase())) head.push(name, lines[index + 1] as string)
  }
  return head
}
