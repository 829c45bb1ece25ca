import { type CacheControl, MAX_DELTA_SECONDS, parseDeltaSeconds } from './cache-control.ts'
import { parseHttpDate } from './dates.ts'
import { type Fields, fieldLines, fieldValue, splitList, trimOws } from './fields.ts'

/** What decides how long a response is fresh. */
export interface FreshnessInput {
  /** The directives that govern the response. */
  readonly directives: CacheControl
  /** They stand in a targeted field: `Expires` does not count. */
  readonly targeted: boolean
  readonly fields: Fields
  readonly status: number
  /** Guess a lifetime where the response gives none. */
  readonly heuristics: boolean
  /** When the head was complete (epoch ms). */
  readonly receivedAt: number
}

/** How long a response is fresh, and what says so. */
export interface Freshness {
  /** Ms, counted from when the response was generated. */
  readonly lifetime: number
  readonly basis: 's-maxage' | 'max-age' | 'expires' | 'heuristic' | 'invalid' | 'none'
}

/** What decides how old a response was when it arrived. */
export interface AgeInput {
  readonly fields: Fields
  /** When the handler was called (epoch ms). */
  readonly requestedAt: number
  /** When the head was complete (epoch ms). */
  readonly respondedAt: number
}

/** Status codes whose responses may be kept on a guess (RFC 9110 s. 15.1, RFC 7725 s. 3). */
export const HEURISTIC_STATUSES: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 451, 501,
])

/**
 * The freshness lifetime by the response's own fields (RFC 9111 s. 4.2.1). `invalid` is an explicit lifetime of nothing;
 * `none` means that the response says nothing and nothing may be guessed.
 */
export function freshnessLifetime(input: FreshnessInput): Freshness {
  const { directives } = input
  // FRE-8, PAR-10
  if (directives.invalidFreshness || directives.broken) return INVALID
  // FRE-2 to FRE-4: the first that is there, longer or shorter.
  if (directives.sMaxage !== undefined) return { lifetime: directives.sMaxage * 1000, basis: 's-maxage' }
  if (directives.maxAge !== undefined) return { lifetime: directives.maxAge * 1000, basis: 'max-age' }
  // FRE-15
  return (input.targeted ? undefined : byExpires(input)) ?? byGuess(input) ?? NONE
}

/** How old the response was when its head was complete (ms): corrected_initial_age of RFC 9111 s. 4.2.3. */
export function initialAge({ fields, requestedAt, respondedAt }: AgeInput): number {
  const date = dateOf(fields, respondedAt)
  // AGE-2. `Date` names a second, not an instant: count from the end of it, or a fresh answer looks a second old.
  const apparentAge = date === undefined ? 0 : Math.max(0, respondedAt - (date + 999))
  // AGE-1: the handler's time counts.
  const delay = Math.max(0, respondedAt - requestedAt)
  return Math.max(apparentAge, ageField(fields) * 1000 + delay)
}

const INVALID: Freshness = { lifetime: 0, basis: 'invalid' }
const NONE: Freshness = { lifetime: 0, basis: 'none' }

/** FRE-11 */
const LONGEST_GUESS = 24 * 60 * 60 * 1000

/** FRE-5, FRE-6: measured from `Date`, not from now; whatever is not exactly one date has expired. */
function byExpires({ fields, receivedAt }: FreshnessInput): Freshness | undefined {
  const lines = fieldLines(fields, 'expires')
  if (lines.length === 0) return undefined
  const expires = lines.length === 1 ? parseHttpDate(lines[0] ?? '', receivedAt) : undefined
  if (expires === undefined) return INVALID
  const lifetime = Math.max(0, expires - (dateOf(fields, receivedAt) ?? receivedAt))
  return { lifetime: Math.min(lifetime, MAX_DELTA_SECONDS * 1000), basis: 'expires' }
}

function byGuess({ directives, fields, status, heuristics, receivedAt }: FreshnessInput): Freshness | undefined {
  // FRE-10
  if (!heuristics || !(HEURISTIC_STATUSES.has(status) || directives.public)) return undefined
  // Nothing asks for it, but who says so would not want a guess.
  if (splitList(fieldValue(fields, 'pragma') ?? '').some((member) => member.toLowerCase() === 'no-cache'))
    return undefined
  const modified = parseHttpDate(fieldValue(fields, 'last-modified') ?? '', receivedAt)
  if (modified === undefined) return undefined
  const unchanged = Math.max(0, (dateOf(fields, receivedAt) ?? receivedAt) - modified)
  return { lifetime: Math.min(unchanged / 10, LONGEST_GUESS), basis: 'heuristic' }
}

/** HDR-9: an unreadable `Date` counts as none. */
function dateOf(fields: Fields, now: number): number | undefined {
  return parseHttpDate(fieldValue(fields, 'date') ?? '', now)
}

/** AGE-5 to AGE-7: the first member of the first line in seconds, 0 when it is not a number. */
function ageField(fields: Fields): number {
  const [line] = fieldLines(fields, 'age')
  const member = trimOws(line?.split(',', 1)[0] ?? '')
  return parseDeltaSeconds(member) ?? 0
}
