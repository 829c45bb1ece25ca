import type { ServerResponse } from 'node:http'
import { isNotModified, validatorsOf } from '../lib/http/conditional.ts'
import { type Fields, fieldValue, type RequestHeaders } from '../lib/http/fields.ts'
import { NOT_IN_206, NOT_IN_304 } from '../lib/http/part-fields.ts'
import { byteRanges, rangeApplies } from '../lib/http/ranges.ts'
import { parseVary } from '../lib/http/vary.ts'
import { setReason } from './http2.ts'
import type { Window } from './intercept.ts'

/** The part of a handler's whole answer that the client has asked for: nothing where it holds it already, or a range. */
export interface ClientPart {
  readonly headers: RequestHeaders
  readonly method: string | undefined
  readonly res: ServerResponse
  /** The handler's fields. */
  readonly fields: Fields
  /** Length of the whole body where it is known. */
  readonly length: number | undefined
  readonly now: number
}

/** RNG-18: nobody is to keep a 416 for the whole. */
const NOT_IN_416: ReadonlySet<string> = new Set([
  ...NOT_IN_304,
  'cache-control',
  'cdn-cache-control',
  'expires',
  'etag',
  'last-modified',
])
/** CON-14: the tag says enough. */
const NOT_IN_TAGGED_304: ReadonlySet<string> = new Set([...NOT_IN_304, 'last-modified'])

const NOTHING: Window = { start: 0, end: 0 }

/** Turn the head of the whole into that of the client's part; the bytes of the body that belong to it, undefined for all. */
export function selectPart(part: ClientPart): Window | undefined {
  const { headers, method, res, fields, now } = part
  // CON-2, CON-19: preconditions are about what would have succeeded.
  if (res.statusCode < 200 || res.statusCode > 299 || res.statusCode === 206) return undefined
  const validators = validatorsOf(fields, now)
  const { etag } = validators
  // CON-22: the condition first. CON-18 A: as Express itself would have answered.
  if (isNotModified(headers, validators, now)) {
    become(res, 304, etag === undefined ? NOT_IN_304 : NOT_IN_TAGGED_304)
    return NOTHING
  }
  if (method !== 'GET' || res.statusCode !== 200) return undefined
  const vary = parseVary(fields)
  const negotiated = vary === '*' || vary.includes('accept-encoding')
  const lastModified = fieldValue(fields, 'last-modified')
  return selectRange(part, { etag, negotiated, lastModified, date: fieldValue(fields, 'date') })
}

/** RNG-20: a single range of a whole whose length is known; in any other case the whole is a right answer. */
function selectRange(
  { headers, res, fields, length, now }: ClientPart,
  validators: Parameters<typeof rangeApplies>[1],
): Window | undefined {
  if (length === undefined || !rangeApplies(headers, validators, now)) return undefined
  if (
    fieldValue(fields, 'accept-ranges')?.toLowerCase() === 'none' ||
    fieldValue(fields, 'content-range') !== undefined
  )
    return undefined
  const ranges = byteRanges(headers['range']?.toString(), length)
  if (ranges === 'unsatisfiable') {
    become(res, 416, NOT_IN_416)
    res.setHeader('Content-Range', `bytes */${length}`)
    res.setHeader('Content-Length', 0)
    return NOTHING
  }
  const [range, ...others] = ranges ?? []
  if (range === undefined || others.length > 0) return undefined
  become(res, 206, NOT_IN_206)
  res.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${length}`)
  res.setHeader('Content-Length', range.end - range.start + 1)
  return { start: range.start, end: range.end + 1 }
}

function become(res: ServerResponse, status: number, without: ReadonlySet<string>): void {
  res.statusCode = status
  setReason(res, undefined)
  for (const name of without) res.removeHeader(name)
}
