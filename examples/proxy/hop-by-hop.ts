import type { IncomingMessage } from 'node:http'
import { type FieldLines, fieldLines, listMembers } from './fields.ts'

/** Fields of one connection, whatever `Connection` says (RFC 9110 s. 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade'])

/**
 * Fields that `Connection` cannot take away: the framing, the target, and what decides about storing and reuse. They are meant
 * for all recipients, so naming them there is never appropriate (RFC 9110 s. 7.6.1).
 */
const END_TO_END: ReadonlySet<string> = new Set([
  'age',
  'cache-control',
  'cache-group-invalidation',
  'cache-groups',
  'cache-tag',
  'content-encoding',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expect',
  'expires',
  'host',
  'last-modified',
  'location',
  'no-vary-search',
  'pragma',
  'set-cookie',
  'surrogate-control',
  'surrogate-key',
  'trailer',
  'vary',
])

/** The lines that belong to the next hop, too (RFC 9110 s. 7.6.1). */
export function endToEnd(lines: FieldLines): FieldLines {
  const named = connectionOptions(lines)
  return lines.filter(([name]) => {
    const lower = name.toLowerCase()
    return !HOP_BY_HOP.has(lower) && !lower.startsWith('proxy-') && !named.has(lower)
  })
}

/**
 * Take the fields that `Connection` names out of a request before a cache sees it: the cache must not tell requests apart by
 * what the origin is not shown.
 */
export function dropConnectionFields(req: IncomingMessage): void {
  const lines = fieldLines(req.rawHeaders)
  const named = connectionOptions(lines)
  for (const name of HOP_BY_HOP) named.delete(name)
  if (!lines.some(([name]) => named.has(name.toLowerCase()))) return
  // Node makes both of them of `rawHeaders` when they are first asked for, by its first length.
  const { headers, headersDistinct } = req
  for (const name of named) {
    delete headers[name]
    delete headersDistinct[name]
  }
  req.rawHeaders = lines.filter(([name]) => !named.has(name.toLowerCase())).flat()
}

// HDR-2
function connectionOptions(lines: FieldLines): Set<string> {
  const isRemovable = (name: string): boolean => !END_TO_END.has(name) && !name.endsWith('-cache-control')
  return new Set(listMembers(lines, 'connection').filter(isRemovable))
}
