import type { Entry } from '../entry.ts'
import type { MarkStep, TagLedger, Token } from '../tags.ts'

/** A value now, or a promise of it: memory answers at once, Redis later. */
export type Awaitable<T> = T | Promise<T>

/** What an invalidation names; every member is optional and all of them apply. */
export interface InvalidationTargets {
  /** Prefixed tags (`t:`, `k:`, `u:`, `p:`). */
  readonly tags: readonly string[]
  /** Globs: starting with `/` matched against path and query, otherwise against service keys. */
  readonly patterns: readonly string[]
  readonly all: boolean
}

/** How far an invalidation is known to have reached: this process, where there is no Redis; Redis; every process. */
export type Ack = 'memory' | 'redis' | 'all'

export interface InvalidationOptions {
  readonly ack: Ack
  /** After so long it counts as unconfirmed. */
  readonly timeoutMs: number
  /** What is named becomes stale instead of wrong. */
  readonly soft?: boolean
  /** How many replicas must have it, too. */
  readonly wait?: number
  /** The write that it belongs to begins, goes on or ends with it. */
  readonly mark?: MarkStep
}

export interface InvalidationReceipt {
  readonly ack: Ack
  readonly partitions: number
  /** Where each ledger concerned stood when it was done: what comes later than that makes wrong what is kept as of it. */
  readonly tokens: ReadonlyMap<TagLedger, Token>
  /** The write that ended with it was alone: nothing has made wrong what it leaves since it began. */
  readonly wasAlone: boolean
}

/** What became of a `set`: kept, or why not. */
export type SetResult =
  /** Kept. */
  | 'stored'
  /** An invalidation of one of its tags came after the fill had started. */
  | 'invalidated'
  /** A newer fill is already there. */
  | 'fenced'
  /** Larger than the store takes. */
  | 'too-large'
  /** The store cannot be reached or refused. */
  | 'unavailable'

/** The right to fill a key, given to one of all processes that share a store. */
export interface FillLease {
  readonly key: string
  readonly token: string
  /** Greater than that of every lease before it in this incarnation. */
  readonly fence: number
}

/** Who wants to fill a key, and what it knew when it decided to. */
export interface Claim {
  readonly key: string
  /** The state of the ledger as of which it will fill. */
  readonly incarnation: string
  readonly seq: number
  /** Fence of the entry that it found and that will not do; undefined where it found none. */
  readonly seen: number | undefined
}

export type ClaimResult =
  | { readonly kind: 'mine'; readonly lease: FillLease }
  /** Another process is at it. */
  | { readonly kind: 'theirs' }
  /** Somebody has filled it since the caller looked. */
  | { readonly kind: 'filled'; readonly fence: number }
  /** What is made for this key could lately not be shared: nobody is to wait. */
  | { readonly kind: 'unshared' }
  /** Nobody shares this store: go on without a lease. */
  | { readonly kind: 'alone' }

export const ALONE: ClaimResult = { kind: 'alone' }

export interface ListOptions {
  readonly cursor: string | undefined
  readonly limit: number
}

export interface EntryPage {
  readonly entries: readonly Entry[]
  /** Pass to the next call; undefined at the end. */
  readonly cursor: string | undefined
}

/**
 * Where entries live. A store answers only with entries that no acknowledged invalidation has made wrong; whether an entry is
 * fresh enough to serve is the caller's question. Implement it to add a store: one file, and one row in the contract test.
 *
 * Nothing here rejects because the place is unreachable: `get` answers undefined and `set` 'unavailable'. Only `invalidate`
 * rejects (`ERR_CACHE_UNCONFIRMED`), because a caller relies on it.
 */
export interface Store {
  readonly name: string
  /** Whether `set` has copied what it keeps when it returns. */
  readonly copies: boolean
  /** What has been invalidated, and when, in the partition of a key. */
  ledger(key: string): TagLedger
  /** Take down the state of all ledgers as it is now: what is read from here on may be kept as of the token of its key. */
  asOf(): (key: string) => Token
  /** The valid entry of this key, as of `now` where the caller has just asked the clock. Reads of one tick may share a round trip. */
  get(key: string, now?: number): Awaitable<Entry | undefined>
  /** The same as all processes see it, past what this one remembers. */
  reread(key: string): Awaitable<Entry | undefined>
  /** The same if it is at hand without asking anybody; undefined where somebody would have to be asked. */
  peek(key: string, now?: number): Entry | undefined
  /** An entry that was kept elsewhere, as it may be used now; undefined where it is wrong, or nobody can say. */
  judge(entry: Entry): Awaitable<Entry | undefined>
  /** Keep an entry, unless a write or a newer fill has overtaken its fill; the lease it was filled under ends. */
  set(entry: Entry, lease?: FillLease): Awaitable<SetResult>
  /**
   * Keep a richer form of an entry that is still kept, its value and size; false where the same fill is not there any more, or the
   * store has no use for it.
   */
  enrich(entry: Entry): boolean
  /** Ask for the right to fill a key among all processes that share this store. Never rejects. */
  acquire(claim: Claim): Awaitable<ClaimResult>
  /** Give it back without having filled; `unsharedMs`: how long nobody is to wait for this key. Never rejects. */
  release(lease: FillLease, unsharedMs: number): void
  /** Change when a fresh entry ends; false when there is none. */
  touch(key: string, staleAt: number, deleteAt: number): Awaitable<boolean>
  /** Drop entries by their full key, to make room or because they are corrupt; no promise to other processes. */
  evict(keys: readonly string[]): Awaitable<void>
  /** Make everything named wrong, or stale, here and (`ack`) elsewhere, and void the fills in flight. */
  invalidate(targets: InvalidationTargets, options: InvalidationOptions): Awaitable<InvalidationReceipt>
  /** A page of what is kept, for people to look at. */
  list(options: ListOptions): Awaitable<EntryPage>
  stats(): StoreStats
  close(): Awaitable<void>
}

export interface StoreStats {
  readonly name: string
  readonly entries: number
  readonly bytes: number
  readonly peakBytes: number
  readonly maxBytes: number
  readonly evicted: number
  /** Refused as too large. */
  readonly refused: number
  /** Bytes under a key of ours that were not an entry of ours. */
  readonly corrupt: number
  readonly errors: number
}
