import { type RequestHeaders, requestField } from './fields.ts'

/**
 * What tells the content of one QUERY from that of another (RFC 10008 s. 2.7): `sha256` of its octets, type, coding and
 * language exactly as received. Undefined without a `Content-Type`: the handler has to refuse that, bypass the cache.
 */
export function queryKey(
  content: Buffer,
  headers: RequestHeaders,
  sha256: (octets: Buffer) => string,
): string | undefined {
  const type = requestField(headers, 'content-type')
  // QRY-6
  if (type === undefined || type === '') return undefined
  // QRY-3
  const parts = [type, requestField(headers, 'content-encoding'), requestField(headers, 'content-language')]
  return sha256(Buffer.concat([Buffer.from(parts.map(prefixed).join(''), 'utf16le'), content]))
}

/** Its length in front keeps a part from imitating another; an absent field is not an empty one. */
function prefixed(part: string | undefined): string {
  return part === undefined ? '-' : `${part.length}:${part}`
}
