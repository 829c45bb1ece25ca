import type { RequestListener } from 'node:http'
import { bodiesOf, CONTENT_TYPE, ETAG } from './payload.ts'

/** What stands behind a cache. Its work is a constant: what is measured is the cache. */
export function originOf(size: number): RequestListener {
  const bodyOf = bodiesOf(size)
  return (req, res) => {
    res.setHeader('Content-Type', CONTENT_TYPE)
    res.setHeader('ETag', ETAG)
    res.setHeader('Cache-Control', 'max-age=3600')
    res.end(bodyOf(req.url))
  }
}
