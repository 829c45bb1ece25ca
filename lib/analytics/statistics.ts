import type { Limit } from '../gauge.ts'
import { type Outcome, resultOf } from '../outcome.ts'
import { MAX_TAGS } from '../targets.ts'
import { Histogram, type LatencyStats } from './histogram.ts'

/** Counters since the start, one per outcome and fault. */
export interface Counters {
  readonly hits: number
  readonly misses: number
  /** Of the hits: served stale. */
  readonly stale: number
  /** Of the hits: confirmed by the handler. */
  readonly revalidated: number
  /** Neither hit nor miss: the cache had no say. */
  readonly bypassed: number
  /** Of the misses: answered by somebody else's fill. */
  readonly collapsed: number
  /** Of the misses: kept for later. */
  readonly stored: number
  readonly invalidations: number
  /** Invalidations not confirmed in time. */
  readonly unconfirmed: number
  /** Background refreshes started. */
  readonly refreshes: number
  /** Run-time faults turned into a miss. */
  readonly errors: number
}

/** How long requests took, by what was done with them. */
export interface Latency {
  /** From their arrival until the stored answer was given to node. */
  readonly hit: LatencyStats
  /** From their arrival until the handler, or whoever asked it already, gave the head of its answer. */
  readonly miss: LatencyStats
}

/** Counts what happens; reading costs more than counting. */
export class Statistics {
  readonly #counts = {
    hits: 0,
    misses: 0,
    stale: 0,
    revalidated: 0,
    bypassed: 0,
    collapsed: 0,
    stored: 0,
    invalidations: 0,
    unconfirmed: 0,
    refreshes: 0,
    errors: 0,
  }

  readonly #hits = new Histogram()
  readonly #misses = new Histogram()
  #tags = 0
  #tagsPeak = 0
  #tagsRefused = 0

  count(outcome: Outcome): void {
    const counts = this.#counts
    switch (resultOf(outcome)) {
      case 'hit':
        counts.hits++
        break
      case 'stale':
        counts.hits++
        counts.stale++
        break
      case 'revalidated':
        counts.hits++
        counts.revalidated++
        break
      case 'bypass':
        counts.bypassed++
        break
      case 'miss':
        counts.misses++
        if (outcome.collapsed === true) counts.collapsed++
        if (outcome.stored === true) counts.stored++
        break
    }
  }

  increment(name: 'invalidations' | 'unconfirmed' | 'refreshes' | 'errors'): void {
    this.#counts[name]++
  }

  /** A request was answered so long (ms) after it came. */
  time({ hit, forward }: Outcome, ms: number): void {
    if (hit) this.#hits.record(ms)
    else if (forward !== 'bypass' && forward !== 'method') this.#misses.record(ms)
  }

  get latency(): Latency {
    return { hit: this.#hits.stats, miss: this.#misses.stats }
  }

  /** How many tags of a response were kept, and how many its fields named beyond the limits. */
  countTags(kept: number, dropped: number): void {
    this.#tags = kept
    this.#tagsPeak = Math.max(this.#tagsPeak, kept)
    this.#tagsRefused += dropped
  }

  /** Tags of one response: of the last one that was kept, the most so far, and how many were dropped. */
  get tags(): Limit {
    return { limit: MAX_TAGS, current: this.#tags, peak: this.#tagsPeak, refused: this.#tagsRefused }
  }

  get counters(): Counters {
    return { ...this.#counts }
  }

  /** Hits per hundred lookups, two decimals; 0 before the first. */
  get hitRate(): number {
    const { hits, misses } = this.#counts
    return hits + misses === 0 ? 0 : Math.round((hits / (hits + misses)) * 10_000) / 100
  }
}
