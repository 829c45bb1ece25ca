import type { ServerResponse } from 'node:http'
import { type Duration, parseDuration } from '../lib/duration.ts'
import { checkTags } from '../lib/targets.ts'
import { exchangeOf } from './exchange.ts'

/** What a handler says about its own response; each call returns the same object. */
export interface ResponsePolicy {
  /** Lifetime of this response; the last one given wins, over `cacheRoute` and over the response's own fields. */
  ttl(lifetime: Duration): ResponsePolicy
  /** Names for invalidation, added to those given elsewhere. */
  tag(...tags: string[]): ResponsePolicy
  /** Do not store this response; the reason shows as `detail` in `Cache-Status`. */
  skip(reason?: string): ResponsePolicy
}

/**
 * Say inside a handler how long its response may be kept and what makes it wrong.
 *
 * Works on any response: without a cache it does nothing, after the head was sent it does nothing and warns once. Never adds
 * anything to what the client sees.
 * @throws CacheError for a lifetime or tag that is none
 * @example
 * app.get('/posts/:id', async (req, res) => {
 *   cachePolicy(res).ttl('30s').tag(`post:${req.params.id}`)
 *   res.json(await posts.find(req.params.id))
 * })
 */
export function cachePolicy(res: ServerResponse): ResponsePolicy {
  const annotate = (change: (exchange: NonNullable<ReturnType<typeof exchangeOf>>) => void): ResponsePolicy => {
    const exchange = exchangeOf(res)
    if (exchange === undefined) return policy
    if (res.headersSent) {
      exchange.warnOnce(
        'policy-late',
        'cachePolicy() was called after the head of the response had been sent, so it has no effect. Call it before res.send().',
      )
      return policy
    }
    change(exchange)
    return policy
  }
  const policy: ResponsePolicy = {
    ttl(lifetime) {
      const ttl = parseDuration('cachePolicy.ttl', lifetime)
      return annotate((exchange) => exchange.annotate({ policy: { ttl } }))
    },
    tag(...tags) {
      const checked = checkTags('cachePolicy.tag', tags)
      return annotate((exchange) => exchange.annotate({ tags: checked }))
    },
    skip(reason = 'skip') {
      return annotate((exchange) => exchange.annotate({ refuse: reason }))
    },
  }
  return policy
}
