import { CacheError } from '../../lib/errors.ts'

/** What a writer is told who has to wait: the queue drops nothing, and holds no more. */
export function queueFull(name: string, count: number, bytes: number): CacheError {
  return new CacheError(
    'ERR_CACHE_QUEUE_FULL',
    `writeBehind: ${name} has ${count} writes (${bytes} bytes) that are not saved yet, dead letters included, and takes no ` +
      'more for now. Try again later, save more at a time (concurrency), or raise maxQueued and maxQueuedSize.',
  )
}
