/** A write that waits to be saved: its version orders it among all writes, and its payload says what to save. */
export interface Queued {
  readonly version: number
  readonly payload: string
}

/** The write of a key that is to be saved next, and how often that has failed. */
export interface Head extends Queued {
  readonly failures: number
}

export interface Pushed {
  readonly version: number
  /** Nothing of this key was waiting: nobody is saving it. */
  readonly isFirst: boolean
}

/** What is known of a write that could not be saved. */
export interface Failure {
  readonly key: string
  readonly error: string
  /** Epoch ms. */
  readonly failedAt: number
}

export interface Buried extends Queued, Failure {
  /** How often it was tried. */
  readonly attempts: number
}

/** What became of a failed write: tried again, given up, or no longer the head of its key. */
export interface Failed {
  readonly state: 'again' | 'dead' | 'gone'
  readonly failures: number
}

/** `'overtaken'`: a later write of the same key is there, or has been. */
export type Replayed = 'queued' | 'overtaken' | 'unknown'

/** How much waits, dead letters included, the most so far, and how often a write was refused. */
export interface QueueStats {
  readonly limit: number
  readonly current: number
  readonly peak: number
  readonly refused: number
  readonly bytes: number
  readonly deadLetters: number
}

export interface BacklogLimits {
  readonly maxQueued: number
  /** Bytes. */
  readonly maxQueuedSize: number
}

/**
 * The writes that are not saved yet: a list for each key, the oldest first. What could not be saved is put aside, and counts as
 * queued until it is replayed or discarded.
 */
export interface Backlog {
  /** @throws CacheError `ERR_CACHE_QUEUE_FULL`; `ERR_CACHE_UNCONFIRMED` where it is not known to have arrived */
  push(key: string, payload: string): Promise<Pushed>
  newest(key: string): Promise<Queued | undefined>
  head(key: string): Promise<Head | undefined>
  /** Take away the head if it has this version; the head that is there now. */
  settle(key: string, version: number): Promise<Head | undefined>
  /** The head of this version has failed once more; after `attempts` failures it is buried. */
  fail(failure: Failure, version: number, attempts: number): Promise<Failed>
  /** The version of the latest write. */
  latest(): Promise<number>
  /** Whether nothing up to this version waits. */
  isSettled(version: number): Promise<boolean>
  /** Those after this version, the oldest first. */
  buried(after: number, limit: number): Promise<readonly Buried[]>
  replay(version: number): Promise<{ readonly key: string; readonly replayed: Replayed }>
  discard(version: number): Promise<boolean>
  stats(): Promise<QueueStats>
}
