import type { Events } from '../../lib/events.ts'
import { inTime } from '../../lib/in-time.ts'
import { drainKey, type Line } from './drain-key.ts'
import type { MemoryBacklog } from './memory-backlog.ts'
import type { WriteQueue } from './write-queue.ts'

export interface LocalQueueOptions {
  readonly name: string
  readonly backlog: MemoryBacklog
  readonly line: Omit<Line, 'backlog' | 'isStopping'>
  /** How many keys are saved at the same time. */
  readonly concurrency: number
  readonly events: Events
}

/** How long a save under way is waited for at the end (ms). */
const END_MS = 1_000

/** The queue of a process that has no Redis: the same order, retries and dead letters, which end with the process. */
export class LocalQueue implements WriteQueue {
  readonly backlog: MemoryBacklog
  readonly isWorker = true
  readonly #options: LocalQueueOptions
  readonly #line: Line
  readonly #due = new Set<string>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #resting = new Map<string, NodeJS.Timeout>()
  #isStopping = false

  constructor(options: LocalQueueOptions) {
    const { name, backlog, line, events } = options
    this.backlog = backlog
    this.#options = options
    this.#line = { ...line, backlog, isStopping: () => this.#isStopping }
    events.warn(
      `writeBehind: without Redis the queue of ${name} is in the memory of this process: writes that are not saved when it ends ` +
        'are lost. Give createCache a redis option.',
    )
  }

  async ready(): Promise<void> {}

  wake(key: string): void {
    if (this.#isStopping || this.#running.has(key) || this.#resting.has(key)) return
    this.#due.add(key)
    this.#next()
  }

  async close(): Promise<void> {
    this.#isStopping = true
    for (const timer of this.#resting.values()) clearTimeout(timer)
    await inTime(Promise.all(this.#running.values()), END_MS)
    const { name, events } = this.#options
    const { current } = await this.backlog.stats()
    if (current > 0)
      events.warn(`writeBehind: ${current} writes of ${name} are lost: they were not saved when it was closed.`)
  }

  #next(): void {
    for (const key of this.#due) {
      if (this.#isStopping || this.#running.size >= this.#options.concurrency) return
      this.#due.delete(key)
      this.#running.set(key, this.#run(key))
    }
  }

  async #run(key: string): Promise<void> {
    const afterMs = await drainKey(key, this.#line).catch((cause: unknown) => {
      this.#options.events.emit('error', { where: 'writeBehind', cause })
      return this.#line.backoffMs
    })
    this.#running.delete(key)
    if (afterMs !== undefined && !this.#isStopping) this.#rest(key, afterMs)
    // Pushed after the last look.
    else if ((await this.backlog.head(key)) !== undefined) this.wake(key)
    this.#next()
  }

  #rest(key: string, ms: number): void {
    const timer = setTimeout(() => {
      this.#resting.delete(key)
      this.wake(key)
    }, ms)
    this.#resting.set(key, timer)
  }
}
