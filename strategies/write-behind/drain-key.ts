import type { Backlog, Head } from './backlog.ts'

/** How the writes of one pattern are saved. */
export interface Line {
  readonly backlog: Backlog
  /** After how many failures a write is buried. */
  readonly attempts: number
  /** Pause after the first failure (ms); each further one doubles it. */
  readonly backoffMs: number
  /** Epoch ms. */
  readonly now: () => number
  save(key: string, head: Head): Promise<void>
  /** A write was buried. */
  onDead(key: string, cause: unknown): Promise<void>
  /** Whether to leave the rest to others. */
  isStopping(): boolean
}

const MAX_BACKOFF_MS = 60_000
/** What is kept of a message. */
const MAX_MESSAGE = 500

/**
 * Save what waits under a key, one after the other, until nothing does. A write leaves the list only when its save has ended, so that a reader
 * finds it in the list or in the database; one that has failed stays at the head, so that nothing overtakes it.
 *
 * @returns after how long (ms) to come back; undefined when nothing waits any more
 */
export async function drainKey(key: string, line: Line): Promise<number | undefined> {
  const { backlog } = line
  let head = await backlog.head(key)
  while (head !== undefined) {
    if (line.isStopping()) return 0
    let failure: { readonly cause: unknown } | undefined
    try {
      await line.save(key, head)
    } catch (cause) {
      failure = { cause }
    }
    if (failure === undefined) {
      head = await backlog.settle(key, head.version)
      continue
    }
    const { state, failures } = await backlog.fail(
      { key, error: messageOf(failure.cause), failedAt: line.now() },
      head.version,
      line.attempts,
    )
    if (state === 'again') return backoff(line.backoffMs, failures)
    if (state === 'dead') await line.onDead(key, failure.cause)
    head = await backlog.head(key)
  }
  return undefined
}

function backoff(firstMs: number, failures: number): number {
  return Math.min(firstMs * 2 ** (failures - 1), MAX_BACKOFF_MS)
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, MAX_MESSAGE)
}
