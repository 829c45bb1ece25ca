import { compare } from './compare.ts'
import { CONTESTANTS } from './servers.ts'

/** What a hit in memory costs beside an answer that is only sent. */
export function compareHitsInMemory(): Promise<boolean> {
  return compare({
    servers: new URL('servers.ts', import.meta.url),
    contestants: Object.keys(CONTESTANTS),
    pairs: [
      ['cacheMiddleware in Express 5, hit in memory', 'Express 5, first middleware, prepared answer'],
      ['withCache in front of Express 5, hit in memory', 'node:http, prepared answer'],
    ],
  })
}
