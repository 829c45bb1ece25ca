import { keyPrefixOf, type RedisClient } from '../redis.ts'
import { groupBy } from './group-by.ts'
import { within } from './guarded.ts'
import { ScriptRunner, type Waited } from './redis-script-runner.ts'
import { slotOf } from './redis-slot.ts'

export interface ReplicaWaitOptions {
  /** Makes the connection, not connected yet. */
  readonly duplicate: () => RedisClient
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
  /** How much longer than asked for the answer may take (ms). */
  readonly deadlineMs: number
}

export interface WaitedInvalidation {
  readonly keys: readonly string[]
  readonly args: readonly string[]
  /** How many replicas are to have it. */
  readonly replicas: number
  /** When the caller's patience ends (monotonic ms). */
  readonly until: number
}

interface Connection {
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  readonly first: Promise<unknown>
}

interface Pending {
  readonly invalidation: WaitedInvalidation
  readonly resolve: (waited: Waited) => void
  readonly reject: (cause: unknown) => void
}

/**
 * Invalidations that wait for replicas. `WAIT` blocks its connection, so they have one of their own, made when first needed; those of
 * one tick that go to the same server share one wait, behind all of them.
 */
export class ReplicaWait {
  readonly #options: ReplicaWaitOptions
  #connection: Connection | undefined
  #batch: Pending[] = []

  constructor(options: ReplicaWaitOptions) {
    this.#options = options
  }

  /**
   * Invalidate, then wait for the replicas or until the time is up.
   *
   * @throws {GuardError} when the server does not answer.
   */
  invalidate(invalidation: WaitedInvalidation): Promise<Waited> {
    return within(
      () =>
        new Promise<Waited>((resolve, reject) => {
          if (this.#batch.length === 0) queueMicrotask(() => void this.#flush())
          this.#batch.push({ invalidation, resolve, reject })
        }),
      this.#left(invalidation) + this.#options.deadlineMs,
    )
  }

  /** End the connection; the next invalidation makes a new one. */
  close(): void {
    this.#connection?.client.disconnect()
    this.#connection = undefined
  }

  async #flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    try {
      const { client, scripts, first } = (this.#connection ??= this.#connect())
      await first
      if (client.status !== 'ready') throw new Error('The connection that waits for replicas is not connected')
      const groups = groupBy(batch, ({ invalidation }) => groupOf(client, invalidation))
      for (const group of groups.values()) void this.#send(scripts, group)
    } catch (cause) {
      for (const { reject } of batch) reject(cause)
    }
  }

  async #send(scripts: ScriptRunner, group: readonly Pending[]): Promise<void> {
    const calls = group.map(({ invalidation }) => invalidation)
    try {
      const [{ replicas }] = calls as [WaitedInvalidation]
      const timeoutMs = this.#left(calls[0] as WaitedInvalidation)
      const all = await scripts.runAndWait('invalidate', calls, { replicas, timeoutMs })
      for (const [index, { resolve }] of group.entries()) resolve(all[index] as Waited)
    } catch (cause) {
      for (const { reject } of group) reject(cause)
    }
  }

  #left({ until }: WaitedInvalidation): number {
    return Math.max(1, Math.ceil(until - this.#options.monotonic()))
  }

  #connect(): Connection {
    const client = this.#options.duplicate()
    const first = client.connect()
    // Tried again by itself; whoever waits for it hears of it.
    first.catch(() => {})
    return { client, scripts: new ScriptRunner(client), first }
  }
}

/** What may share a wait: the same server, number and patience. */
function groupOf(client: RedisClient, { keys, replicas, until }: WaitedInvalidation): string {
  return `${serverOf(client, keys[0] ?? '')} ${replicas} ${until}`
}

/** The master of a key, as the client knows it. */
function serverOf(client: RedisClient, key: string): string {
  if (client.isCluster !== true) return ''
  const slot = slotOf(keyPrefixOf(client) + key)
  const slots: unknown = Reflect.get(client, 'slots')
  const nodes: unknown = Array.isArray(slots) ? slots[slot] : undefined
  return Array.isArray(nodes) ? String(nodes[0]) : `slot ${slot}`
}
