import type { Fields } from './fields.ts'

/** Which contents are worth compressing, and which of them a cache may compress by itself (RFC 9110 s. 8.4, 9111 s. 5.2.2.6). */

/** The content codings that the cache makes by itself (RFC 9110 s. 8.4.1). */
export type Coding = 'zstd' | 'br' | 'gzip'

/** All of them, the one that is liked best first. */
export const CODINGS: readonly Coding[] = ['zstd', 'br', 'gzip']

/** A content in one coding. */
export interface CodedBody {
  readonly coding: Coding
  /** Undefined where the coding does not make it smaller: it is not tried again. */
  readonly body: Buffer | undefined
}

/** What a coded body counts for beside its bytes: its heads (bytes). */
const CODED_OVERHEAD = 600

/** What a coded body counts for in a store bounded by bytes. */
export function codedSize({ body }: CodedBody): number {
  return CODED_OVERHEAD + (body?.length ?? 0)
}

/** What begins our part of an entity tag: handlers are not likely to use it. */
export const TAG_MARK = ';cw-'

/** Bodies below this (bytes) fit into one packet anyway. */
const MIN_CODABLE_BYTES = 1024

/** Content types whose bytes are compressed already. */
const COMPRESSED_TYPES =
  /^(?:image\/(?!svg|bmp|x-icon|vnd\.microsoft)|video\/|audio\/|font\/woff|application\/(?:zip|gzip|x-gzip|zstd|x-7z|x-rar|pdf))/i

/** Content types that are text by another name, or that are known to shrink. */
const CODABLE_TYPES =
  /^(?:text\/(?!event-stream)|[^;]*(?:\/|\+)(?:json|xml)\b|application\/(?:(?:x-)?(?:javascript|ndjson|yaml)|ecmascript|graphql|sql|wasm|vnd\.ms-fontobject)\b|font\/[ot]tf\b|image\/(?:bmp|x-icon|vnd\.microsoft\.icon)\b)/i

/** Are bytes of this type compressed already? */
export function isCompressedType(contentType: string): boolean {
  return COMPRESSED_TYPES.test(contentType)
}

/** Of a response what decides whether it may be coded. */
export interface CodableHead {
  readonly status: number
  readonly fields: Fields
  /** Names in `Vary`, lower-case. */
  readonly vary: readonly string[]
}

/**
 * May the cache offer this response in other codings than the handler's? Not where the handler negotiates itself, forbids it, or
 * has said something about the very bytes (DIG-4). `length`: of the body; undefined where it is not known yet.
 */
export function isCodable({ status, fields, vary }: CodableHead, length: number | undefined): boolean {
  if (status !== 200 || (length !== undefined && length < MIN_CODABLE_BYTES)) return false
  if (vary.includes('accept-encoding')) return false
  let hasType = false
  for (const [name, value] of fields) {
    switch (name.toLowerCase()) {
      case 'content-type':
        if (!CODABLE_TYPES.test(value)) return false
        hasType = true
        break
      case 'cache-control':
        if (/\bno-transform\b/i.test(value)) return false
        break
      case 'etag':
        if (value.includes(TAG_MARK)) return false
        break
      case 'content-encoding':
      case 'content-range':
      case 'content-digest':
      case 'content-md5':
      case 'digest':
      case 'repr-digest':
      case 'use-as-dictionary':
        return false
    }
  }
  return hasType
}
