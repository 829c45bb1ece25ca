import type { CacheControl } from './cache-control.ts'
import { type Freshness, freshnessLifetime, initialAge } from './freshness.ts'
import { type OwnPolicy, ownStatuses, type StoringInput } from './storing-input.ts'
import type { GoverningPolicy } from './targeted.ts'

/** How long a response is fresh, and who says so. Instants are epoch ms, lengths ms. */
export interface Lifetime {
  readonly staleAt: number
  readonly initialAge: number
  /** Undefined when nothing gives one. */
  readonly source: string | undefined
  /** Given by this application, not by the response. */
  readonly own: boolean
  /** Given by an annotation: the response's own directives about reuse are replaced. */
  readonly annotated: boolean
  /** Given by the response in so many words, and usable. */
  readonly explicit: boolean
  /** What the response says is unusable: it counts as stale from the start. */
  readonly invalid: boolean
}

/** Annotation over the response's fields over the option `ttl` over a guess. */
export function lifetimeOf(input: StoringInput, { directives, source, targeted }: GoverningPolicy): Lifetime {
  const { fields, status, respondedAt, annotated, defaults } = input
  const age = initialAge(input)
  const ours = (ownStatuses(input) ?? OWN_STATUSES).includes(status)
  const own = { initialAge: age, own: true, explicit: false, invalid: false }
  // What is spread stands last, here and where else a miss comes by: V8 takes 2 us for properties that follow it.
  // Our own lifetimes start at the head: the handler's time is not held against them.
  if (ours && typeof annotated?.ttl === 'number') {
    return { staleAt: respondedAt + annotated.ttl, source: 'annotation', annotated: true, ...own }
  }
  const freshness = freshnessLifetime({
    directives,
    targeted,
    fields,
    status,
    heuristics: input.heuristics,
    receivedAt: respondedAt,
  })
  const byFields = isExplicit(freshness)
  if (!byFields && ours && typeof defaults.ttl === 'number') {
    return { staleAt: respondedAt + defaults.ttl, source: 'option', annotated: false, ...own }
  }
  return {
    initialAge: age,
    staleAt: respondedAt - age + freshness.lifetime,
    source: sourceOf(freshness, source),
    own: false,
    annotated: false,
    explicit: byFields && freshness.basis !== 'invalid',
    invalid: freshness.basis === 'invalid',
  }
}

/** FRE-6, FRE-8: an invalid lifetime is an explicit one. */
function isExplicit({ basis }: Freshness): boolean {
  return basis !== 'none' && basis !== 'heuristic'
}

function sourceOf({ basis }: Freshness, field: string): string | undefined {
  if (basis === 'none') return undefined
  return basis === 'expires' || basis === 'heuristic' ? basis : field
}

/** For how long after `staleAt` a response may be used, and for what. */
export interface Windows {
  /** 0 for not at all. */
  readonly staleWhileRevalidate: number
  /** 0 for not at all. */
  readonly staleIfError: number
  /** Nothing forbids to use it stale when there is no answer at all (RFC 9111 s. 4.2.4). */
  readonly staleIfDisconnected: boolean
  /** Once stale never used without validation, whoever asks for it. */
  readonly mustRevalidate: boolean
}

/** For how long after `staleAt` it may be used, and for what. */
export function windowsOf(
  { annotated, defaults, respondedAt, sMaxageAllowsStale, profile }: StoringInput,
  directives: CacheControl,
  lifetime: Lifetime,
): Windows {
  // STA-1, unless an annotation replaces what the response says.
  const forbidden =
    directives.mustRevalidate ||
    directives.proxyRevalidate ||
    directives.noCache ||
    (directives.sMaxage !== undefined && !sMaxageAllowsStale)
  if (lifetime.invalid || (forbidden && !lifetime.annotated)) return NEVER_STALE
  // What was never fresh (`max-age=0`) is used stale only where somebody says so about this response.
  const fallback: OwnPolicy = lifetime.staleAt > respondedAt ? defaults : {}
  const stated = lifetime.annotated ? undefined : directives
  const staleIfError = annotated?.staleIfError ?? ms(stated?.staleIfError)
  return {
    mustRevalidate: false,
    staleWhileRevalidate:
      annotated?.staleWhileRevalidate ?? ms(stated?.staleWhileRevalidate) ?? fallback.staleWhileRevalidate ?? 0,
    staleIfError: staleIfError ?? fallback.staleIfError ?? 0,
    // STA-2: who names a window means that one.
    staleIfDisconnected: profile === 'rfc' && staleIfError === undefined,
  }
}

/** How long (ms) beyond its freshness a response is kept for validation: as long again, within these bounds. */
const SHORTEST_KEEP = 60_000
const LONGEST_KEEP = 3_600_000

/** Until when (epoch ms) a response is kept though nobody may be served with it unasked. */
export function keptUntil(staleAt: number, respondedAt: number): number {
  const lifetime = Math.max(0, staleAt - respondedAt)
  return Math.max(staleAt, respondedAt) + Math.min(LONGEST_KEEP, Math.max(SHORTEST_KEEP, lifetime))
}

/** Statuses that `ttl` and annotations speak about unless `statuses` says otherwise. */
const OWN_STATUSES: readonly number[] = [200, 203, 204, 300, 301, 308]

const NEVER_STALE: Windows = {
  mustRevalidate: true,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  staleIfDisconnected: false,
}

function ms(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}
