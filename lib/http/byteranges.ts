import type { ByteRange } from './ranges.ts'

/** The message that carries several parts of one body (RFC 9110 s. 14.6). */
export interface MultipartByteranges {
  /** For the head of the 206. */
  readonly contentType: string
  readonly body: Buffer
}

/**
 * Several ranges of `body` as one `multipart/byteranges`, in the order given (RFC 9110 s. 15.3.7.2). `contentType` is that of the
 * whole, undefined where it has none; `boundary` comes from `boundaryFor`.
 */
export function multipartByteranges({
  body,
  ranges,
  contentType,
  boundary,
}: {
  readonly body: Buffer
  readonly ranges: readonly ByteRange[]
  readonly contentType: string | undefined
  readonly boundary: string
}): MultipartByteranges {
  const typeLine = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`
  const pieces: Buffer[] = []
  // RNG-11
  for (const { start, end } of ranges) {
    const lineEnd = pieces.length === 0 ? '' : '\r\n'
    const head = `${lineEnd}--${boundary}\r\n${typeLine}Content-Range: bytes ${start}-${end}/${body.length}\r\n\r\n`
    pieces.push(Buffer.from(head, 'latin1'), body.subarray(start, end + 1))
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  return { contentType: `multipart/byteranges; boundary=${boundary}`, body: Buffer.concat(pieces) }
}

/**
 * A boundary that needs no quotes and does not occur in `body` (RNG-11). `random` makes as many random bytes as it is asked for;
 * undefined when none of a few attempts will do.
 */
export function boundaryFor(body: Buffer, random: (size: number) => Buffer): string | undefined {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const boundary = random(BOUNDARY_BYTES).toString('hex')
    if (!body.includes(boundary, 0, 'latin1')) return boundary
  }
  return undefined
}

/** The second attempt is already one that nobody will see. */
const MAX_ATTEMPTS = 4
const BOUNDARY_BYTES = 16
