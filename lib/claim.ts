import { pause } from './pause.ts'
import type { Awaitable, Claim, ClaimResult, FillLease, Store } from './stores/store.ts'

/**
 * The right to fill a key among all processes that share a store: one of them runs the loader, the others wait for what it stores,
 * but not for longer than they are told to.
 */

/** How a claim ends. */
export type Claimed<T> =
  /** Fill; with a lease where there is one to have. */
  | { readonly kind: 'won'; readonly lease: FillLease | undefined }
  /** Somebody else has filled it. */
  | { readonly kind: 'found'; readonly found: T }
  /** Somebody else is still at it. */
  | { readonly kind: 'late' }
  /** What is made for this key could lately not be shared: nobody is to wait for it. */
  | { readonly kind: 'unshared' }

export interface Contender<T> {
  readonly store: Store
  readonly claim: Claim
  /** What somebody else has stored, if it will do here. */
  readonly find: () => Awaitable<T | undefined>
  /** How long to wait for others (ms). */
  readonly waitMs: number
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
}

/** Others are asked again after pauses from here to there (ms), each twice the one before. */
const FIRST_PAUSE_MS = 10
const LAST_PAUSE_MS = 100

/** Win the right to fill, or get what another process brings; without a promise where nobody shares the store. Never rejects. */
export function claimFill<T>(contender: Contender<T>): Awaitable<Claimed<T>> {
  const first = contender.store.acquire(contender.claim)
  return first instanceof Promise ? contend(contender, first) : { kind: 'won', lease: undefined }
}

async function contend<T>(contender: Contender<T>, first: Promise<ClaimResult>): Promise<Claimed<T>> {
  const { store, claim, find, waitMs, monotonic } = contender
  const until = monotonic() + waitMs
  let result = await first
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    if (result.kind === 'mine') return { kind: 'won', lease: result.lease }
    if (result.kind === 'alone') return { kind: 'won', lease: undefined }
    if (result.kind === 'unshared') return { kind: 'unshared' }
    const leftMs = until - monotonic()
    if (result.kind === 'theirs') {
      if (leftMs <= 0) return { kind: 'late' }
      await pause(Math.min(pauseMs, leftMs))
    }
    const found = await find()
    if (found !== undefined) return { kind: 'found', found }
    // What has been filled will not do: that alone is no reason to look again.
    const seen = result.kind === 'filled' ? result.fence : claim.seen
    result = await store.acquire({ ...claim, seen })
  }
}
