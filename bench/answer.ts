/** What all contestants answer with: 1 KB of JSON. */
export const BODY: Buffer = Buffer.from(JSON.stringify({ id: 1, text: 'x'.repeat(1_000) }))

/** The fields of a hit, so that all contestants put the same bytes on the wire. */
export const HEAD: readonly string[] = [
  ...['Content-Type', 'application/json; charset=utf-8', 'ETag', '"bench"', 'Date', new Date().toUTCString()],
  ...['Content-Length', String(BODY.length), 'Age', '0', 'Cache-Status', 'cachewell; hit; ttl=3599'],
]

/** What stands behind a cache: it sends what the prepared answer sends. */
export function answer(res: { setHeader(name: string, value: string): unknown; end(body: Buffer): unknown }): void {
  res.setHeader('Content-Type', 'application/json; charset=utf-8')
  res.setHeader('ETag', '"bench"')
  res.end(BODY)
}
