import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CacheError } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import { inTime } from '../../lib/in-time.ts'
import type { RedisClient } from '../../lib/redis.ts'
import type { Annex } from '../../lib/stores/redis-annex.ts'
import { drainKey, type Line } from './drain-key.ts'
import type { RedisBacklog } from './redis-backlog.ts'

/**
 * The only file that loads BullMQ, and only for a queue in Redis. There is one job for each key with something waiting, which saves the
 * list of that key in order: whoever has the job is alone with the list, and a pause between two tries holds up the key and nothing else.
 */

export interface JobsOptions {
  readonly annex: Annex
  readonly backlog: RedisBacklog
  readonly line: Omit<Line, 'backlog' | 'isStopping'>
  /** Whether this process saves what waits. */
  readonly isWorker: boolean
  /** How many keys are saved at the same time. */
  readonly concurrency: number
  /** How long a worker has its jobs without being heard of (ms); another one finds them half as long later. */
  readonly lockMs: number
  readonly events: Events
}

/** What is used of BullMQ's `Queue`. */
interface JobQueue {
  addBulk(jobs: { name: string; data: JobData; opts: { jobId: string } }[]): Promise<unknown>
  close(): Promise<unknown>
}

/** What is used of BullMQ's `Worker`. */
interface JobWorker {
  pause(doNotWaitActive: boolean): Promise<unknown>
  close(force: boolean): Promise<unknown>
}

interface JobData {
  readonly key: string
}

const QUEUE = 'jobs'
/** What is left without a job, by a process that has died or a push while a job ended, is looked for this often (ms). */
const SWEEP_EVERY_MS = 1_000
const SWEEP_SIZE = 200
/** Pause (ms) after a fault that is not one of the database. */
const FAULT_MS = 1_000
/** BullMQ rounds what is shorter up to this (ms), as long as it does not look at the version of Redis. */
const LONG_MS = 1_000
/** How long the end of a save under way, and of the connections, is waited for (ms). */
const END_MS = 1_000
/** Nobody reads the events of BullMQ. */
const MAX_EVENTS = 100
/** A job ends when its list is empty, and not before. */
const FOREVER = 2 ** 31 - 1

/** Sends a job to rest: BullMQ is told by a failure. */
class Rest extends Error {
  readonly ms: number

  constructor(ms: number) {
    super('waits')
    this.ms = ms
  }
}

/** The jobs of one pattern, in this process. */
export class Jobs {
  readonly #options: JobsOptions
  readonly #line: Line
  readonly #client: RedisClient
  readonly #queue: JobQueue
  readonly #worker: JobWorker | undefined
  readonly #sweeper: NodeJS.Timeout | undefined
  readonly #underWay = new Set<Promise<unknown>>()
  /** The version up to which keys without a job were looked for. */
  #swept = 0
  readonly #stop = new AbortController()

  /** @throws CacheError `ERR_CACHE_MISSING_PEER` where BullMQ is not installed */
  static async open(options: JobsOptions): Promise<Jobs> {
    return new Jobs(options, await loadBullmq())
  }

  private constructor(options: JobsOptions, { Queue, Worker }: Bullmq) {
    const { annex, backlog, line, isWorker, concurrency, lockMs } = options
    this.#options = options
    this.#line = { ...line, backlog, isStopping: () => this.#isStopping }
    this.#client = annex.duplicate()
    // Looking at the version, it would object to eviction of any kind, in its own words, on the console.
    const shared = { connection: this.#client as never, prefix: annex.fullSlot, skipVersionCheck: true }
    const queue = new Queue<JobData>(QUEUE, {
      ...shared,
      streams: { events: { maxLen: MAX_EVENTS } },
      defaultJobOptions: {
        attempts: FOREVER,
        backoff: { type: 'custom' },
        removeOnComplete: true,
        removeOnFail: true,
        stackTraceLimit: 0,
      },
    })
    queue.on('error', this.#report)
    this.#queue = queue
    if (!isWorker) return
    const worker = new Worker<JobData>(QUEUE, ({ data }) => this.#drain(data.key), {
      ...shared,
      concurrency,
      lockDuration: lockMs,
      stalledInterval: Math.ceil(lockMs / 2),
      // Nothing is wrong with a job whose worker was ended.
      maxStalledCount: FOREVER,
      runRetryDelay: FAULT_MS,
      settings: { backoffStrategy: (_attempts, _type, error) => (error instanceof Rest ? error.ms : FAULT_MS) },
    })
    worker.on('error', this.#report)
    worker.on('completed', ({ data }) => this.#track(this.#lookAgain(data.key)))
    this.#worker = worker
    this.#sweeper = setInterval(() => this.#track(this.#sweep()), SWEEP_EVERY_MS)
    this.#track(this.#sweep())
  }

  /** Let there be a job for this key. */
  wake(key: string): void {
    this.#track(this.#add([key]))
  }

  /** End the work: a job under way goes back when its present save has ended, or is found by another worker. */
  async close(): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#sweeper)
    await this.#worker?.pause(true)
    const isIdle = await inTime(Promise.all(this.#underWay), END_MS)
    const ended = Promise.allSettled([this.#endWorker(!isIdle), this.#queue.close()])
    await inTime(ended, END_MS)
    this.#client.disconnect()
  }

  get #isStopping(): boolean {
    return this.#stop.signal.aborted
  }

  async #endWorker(isForced: boolean): Promise<void> {
    await this.#worker?.close(isForced)
  }

  async #drain(key: string): Promise<void> {
    const draining = this.#drainOrRest(key)
    this.#track(draining)
    const ms = await draining
    if (ms !== undefined) throw new Rest(ms)
  }

  /** Drain, short pauses included. */
  async #drainOrRest(key: string): Promise<number | undefined> {
    for (;;) {
      const ms = await drainKey(key, this.#line)
      if (ms === undefined || ms >= LONG_MS || this.#isStopping) return ms
      await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
  }

  /** What was pushed when the job had seen that nothing waits, but had not ended, could not be given another one. */
  async #lookAgain(key: string): Promise<void> {
    if ((await this.#options.backlog.head(key)) !== undefined) await this.#add([key])
  }

  async #sweep(): Promise<void> {
    const found = await this.#options.backlog.waiting(this.#swept, SWEEP_EVERY_MS, SWEEP_SIZE)
    this.#swept = found.length < SWEEP_SIZE ? 0 : (found.at(-1)?.version ?? 0)
    if (found.length > 0) await this.#add(found.map(({ key }) => key))
  }

  async #add(keys: readonly string[]): Promise<void> {
    await this.#queue.addBulk(keys.map((key) => ({ name: 'drain', data: { key }, opts: { jobId: jobIdOf(key) } })))
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.catch(this.#report).finally(() => this.#underWay.delete(tracked))
    this.#underWay.add(tracked)
  }

  readonly #report = (cause: unknown): void => {
    if (!this.#isStopping) this.#options.events.emit('error', { where: 'writeBehind', cause })
  }
}

/** Of a key there is never more than one job. */
function jobIdOf(key: string): string {
  return `k${hash('sha256', key, 'base64url').slice(0, 22)}`
}

type Bullmq = Awaited<ReturnType<typeof importBullmq>>

function importBullmq() {
  return import('bullmq')
}

async function loadBullmq(): Promise<Bullmq> {
  return importBullmq().catch((cause: unknown) => {
    throw new CacheError('ERR_CACHE_MISSING_PEER', 'writeBehind with Redis needs bullmq ^6. Run: npm install bullmq', {
      cause,
    })
  })
}
