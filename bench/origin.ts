import type { RequestListener } from 'node:http'
import { CONTENT_TYPE, ETAG, payload } from './payload.ts'

/** What stands behind a cache. Its work is a constant: what is measured is the cache. */
export function originOf(size: number): RequestListener {
  const body = payload(size)
  return (_req, res) => {
    res.setHeader('Content-Type', CONTENT_TYPE)
    res.setHeader('ETag', ETAG)
    res.setHeader('Cache-Control', 'max-age=3600')
    res.end(body)
  }
}
