import type { Backlog } from './backlog.ts'

/** A backlog, and what saves it. */
export interface WriteQueue {
  readonly backlog: Backlog
  /** Whether this process saves what waits. */
  readonly isWorker: boolean
  /** Resolves when writes can be taken. @throws CacheError where they never can */
  ready(): Promise<void>
  /** Something waits under this key, where nothing did before. */
  wake(key: string): void
  /** End the work; what still waits is left where it is. */
  close(): Promise<void>
}
