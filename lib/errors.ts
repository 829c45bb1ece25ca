/**
 * Every error this package throws at a user, as one table: code and one-line meaning. `docs/errors.md` has a heading for
 * each code, and a test keeps the two equal.
 */
export const ERROR_CODES = {
  ERR_CACHE_ASYNC_OPTION: 'A callback that must be synchronous returned a promise.',
  ERR_CACHE_BAD_CLIENT: 'The `redis` option is not an ioredis client, ioredis options, a URL or false.',
  ERR_CACHE_BAD_DURATION: 'A lifetime or interval is not a duration.',
  ERR_CACHE_BAD_ENV: 'One or more environment variables have invalid values.',
  ERR_CACHE_BAD_OPTION: 'An option has a value of the wrong type or out of range.',
  ERR_CACHE_BAD_SIZE: 'A size is not a number of bytes or a string with a unit.',
  ERR_CACHE_CLOSED: 'The cache was used after close().',
  ERR_CACHE_EVICTION_POLICY: 'Redis may evict what a write-behind queue has acknowledged.',
  ERR_CACHE_LOADER_TIMEOUT: 'A loader took longer than hardTimeoutMs, and no older value could stand in.',
  ERR_CACHE_MISSING_PEER: 'An optional dependency that this option needs is not installed.',
  ERR_CACHE_QUEUE_FULL: 'A write-behind queue takes no more writes for now.',
  ERR_CACHE_RATE_LIMITED: 'The loaders of a strategy have run as often as they may for now.',
  ERR_CACHE_UNCONFIRMED: 'An invalidation or write was not confirmed by Redis in time.',
  ERR_CACHE_UNKNOWN_OPTION: 'An option name is not known.',
} as const

export type CacheErrorCode = keyof typeof ERROR_CODES

const HELP = 'docs/errors.md#'

/**
 * The error thrown for wrong options and for calls that promise something they could not do. Branch on `code`; `help` points
 * at the page that explains it.
 */
export class CacheError extends Error {
  override readonly name = 'CacheError'
  readonly code: CacheErrorCode
  readonly help: string
  /** With `ERR_CACHE_UNCONFIRMED`: the work goes on in the background. */
  readonly pending: boolean
  /** With `ERR_CACHE_RATE_LIMITED`: when it is worth trying again (ms). */
  readonly retryAfterMs: number | undefined

  constructor(
    code: CacheErrorCode,
    message: string,
    options: { cause?: unknown; pending?: boolean; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.help = `${HELP}${code.toLowerCase()}`
    this.pending = options.pending ?? false
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Show a received value in a message: quoted, typed, and never longer than one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : `an object (${value.constructor?.name ?? 'no prototype'})`
  }
  return String(value)
}
