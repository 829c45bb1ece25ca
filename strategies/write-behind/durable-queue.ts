import { CacheError } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import type { RedisStore } from '../../lib/stores/redis.ts'
import { Jobs, type JobsOptions } from './bullmq.ts'
import type { RedisBacklog } from './redis-backlog.ts'
import { checkTerms } from './redis-terms.ts'
import type { WriteQueue } from './write-queue.ts'

export interface DurableQueueOptions extends JobsOptions {
  readonly redis: RedisStore
  /** How long an answer of Redis may take (ms). */
  readonly timeoutMs: number
}

/** The queue in Redis, shared by all processes of a namespace. */
export class DurableQueue implements WriteQueue {
  readonly backlog: RedisBacklog
  readonly isWorker: boolean
  readonly #options: DurableQueueOptions
  readonly #events: Events
  readonly #stopListening: () => void
  #ready: Promise<void> | undefined
  #jobs: Promise<Jobs> | undefined
  #isClosed = false

  constructor(options: DurableQueueOptions) {
    this.#options = options
    this.#events = options.events
    this.backlog = options.backlog
    this.isWorker = options.isWorker
    // It may be another server, with other terms.
    this.#stopListening = options.events.on('recovered', () => void this.#prepare())
    void this.#prepare()
  }

  ready(): Promise<void> {
    return this.#ready ?? this.#prepare()
  }

  wake(key: string): void {
    void this.#jobs?.then((jobs) => jobs.wake(key))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopListening()
    await (await this.#jobs)?.close()
  }

  /** Whoever comes after a failure asks again. */
  #prepare(): Promise<void> {
    const ready = this.#open().catch((error: unknown) => {
      if (this.#ready === ready) this.#ready = undefined
      if (error instanceof CacheError && !this.#isClosed) this.#events.warnOnce(error.message, error.message)
      throw error
    })
    ready.catch(() => {})
    this.#ready = ready
    return ready
  }

  async #open(): Promise<void> {
    await this.#options.redis.ready()
    await checkTerms(this.#options)
    if (this.#isClosed) return
    this.#jobs ??= Jobs.open(this.#options)
    await this.#jobs.catch((error: unknown) => {
      this.#jobs = undefined
      throw error
    })
  }
}
