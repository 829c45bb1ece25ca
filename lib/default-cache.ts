import { Cache } from './cache.ts'
import { readEnvironment } from './config.ts'

/** What all copies of this package in one process share, both builds included. */
interface ProcessState {
  defaultCache?: { readonly cache: Cache; readonly enabled: boolean }
}

const STATE: symbol = Symbol.for('cachewell')

function processState(): ProcessState {
  const holder = globalThis as { [key: symbol]: ProcessState | undefined }
  holder[STATE] ??= {}
  return holder[STATE]
}

/**
 * The cache that everything uses which is given none: made once per process, from the environment.
 * @throws CacheError `ERR_CACHE_BAD_ENV` naming every variable with an invalid value
 */
export function defaultCache(): { readonly cache: Cache; readonly enabled: boolean } {
  const state = processState()
  if (state.defaultCache === undefined) {
    const { options, enabled, notYet } = readEnvironment(process.env)
    const cache = new Cache(options)
    if (notYet.length > 0) {
      cache.engine.events.warn(`These environment variables have no effect in this release: ${notYet.join(', ')}.`)
    }
    state.defaultCache = { cache, enabled }
  }
  return state.defaultCache
}
