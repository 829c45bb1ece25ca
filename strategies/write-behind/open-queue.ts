import type { Engine } from '../../lib/engine.ts'
import type { Line } from './drain-key.ts'
import { DurableQueue } from './durable-queue.ts'
import { LocalQueue } from './local-queue.ts'
import { MemoryBacklog } from './memory-backlog.ts'
import type { WriteBehindSettings } from './options.ts'
import { RedisBacklog } from './redis-backlog.ts'
import type { WriteQueue } from './write-queue.ts'

export interface QueueOptions extends Pick<Line, 'save' | 'onDead'> {
  readonly name: string
  readonly settings: WriteBehindSettings
}

/** A queue where the entries of the cache are: in Redis, or in this process. */
export function openQueue(engine: Engine, { name, settings, save, onDead }: QueueOptions): WriteQueue {
  const { clock, events, redis, timeoutMs } = engine
  const { attempts, backoffMs, maxQueued, maxQueuedSize, concurrency, isWorker, lockMs } = settings
  const now = (): number => clock.now()
  const line = { attempts, backoffMs, now, save, onDead }
  if (redis === undefined) {
    const backlog = new MemoryBacklog({ name, maxQueued, maxQueuedSize, now })
    return new LocalQueue({ name, backlog, line, concurrency, events })
  }
  const annex = redis.annex(`write-behind:${name}`)
  const backlog = new RedisBacklog({ name, annex, maxQueued, maxQueuedSize, timeoutMs })
  return new DurableQueue({ redis, annex, backlog, line, isWorker, concurrency, lockMs, timeoutMs, events })
}
