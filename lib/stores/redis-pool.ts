import type { RedisClient } from '../redis.ts'
import { Guard } from './guarded.ts'
import type { Read } from './redis-reads.ts'

export interface PoolOptions {
  /** How many connections, the shared one included. */
  readonly size: number
  /** The connection that everything but reads goes over. */
  readonly shared: RedisClient
  /** Makes another one like it, not connected yet. */
  readonly duplicate: () => RedisClient
  /** Drops the link of a connection, so that it makes a new one. */
  readonly reset: (client: RedisClient) => void
  /** How long one read may take (ms). */
  readonly deadlineMs: number
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
}

/**
 * Connections that share the reads with the one that is there anyway. They are used only while they lead to the very server that
 * the shared one leads to, told by its run id: what was written over one connection of a server is seen over all of them, so that it
 * makes no difference which one is read by. One that is down, or elsewhere after a fail-over, is left out.
 */
export class Pool {
  readonly #place: Place
  readonly #readers: readonly Reader[]
  #sharedReads = 0

  constructor(options: PoolOptions) {
    const { size, shared } = options
    this.#place = new Place(shared, () => this.#open())
    this.#readers = Array.from({ length: size - 1 }, () => new Reader(options, this.#place))
  }

  /** Read by the connection with the fewest reads under way; `byShared` reads by the shared one. */
  async run<T>(read: Read<T>, byShared: () => Promise<T>): Promise<T> {
    const reader = this.#idlest()
    if (reader !== undefined) return reader.run(read)
    this.#sharedReads++
    try {
      return await byShared()
    } finally {
      this.#sharedReads--
    }
  }

  /** End the connections made here; they come back when the shared one does. */
  suspend(): void {
    for (const reader of this.#readers) reader.disconnect()
  }

  /** End them for good. */
  close(): void {
    this.#place.close()
    for (const reader of this.#readers) reader.close()
  }

  #open(): void {
    // A server that does not say which one it is has no others like it.
    if (this.#place.runId !== undefined) for (const reader of this.#readers) reader.open()
  }

  /** Undefined: the shared one. */
  #idlest(): Reader | undefined {
    let best: Reader | undefined
    let fewest = this.#sharedReads
    for (const reader of this.#readers) {
      if (fewest === 0) return best
      if (reader.reads < fewest && reader.isUsable()) {
        best = reader
        fewest = reader.reads
      }
    }
    return best
  }
}

/** Which server a client is connected to. */
class Place {
  /** Its run id; undefined while it is not known. */
  runId: string | undefined
  readonly #client: RedisClient
  readonly #onReady: () => void
  #connections = 0

  constructor(client: RedisClient, onReady: () => void) {
    this.#client = client
    this.#onReady = onReady
    client.on('ready', this.#arrived)
    client.on('close', this.#left)
    if (client.status === 'ready') this.#arrived()
  }

  /** Find out where the client is. Never rejects. */
  async ask(): Promise<void> {
    const connection = this.#connections
    const info = await this.#client.info('server').catch(() => '')
    if (connection === this.#connections) this.runId = /run_id:(\w+)/.exec(info)?.[1]
  }

  close(): void {
    this.#client.off('ready', this.#arrived)
    this.#client.off('close', this.#left)
    // An answer that is still due opens nothing.
    this.#left()
  }

  readonly #arrived = (): void => {
    this.#left()
    void this.ask().then(this.#onReady)
  }

  readonly #left = (): void => {
    this.#connections++
    this.runId = undefined
  }
}

/** A connection for reads, with a breaker of its own in front of it. */
class Reader {
  /** Under way. */
  reads = 0
  readonly #client: RedisClient
  readonly #place: Place
  readonly #shared: Place
  readonly #guard: Guard
  readonly #reset: () => void

  constructor({ duplicate, reset, deadlineMs, monotonic }: PoolOptions, shared: Place) {
    const client = duplicate()
    this.#client = client
    this.#shared = shared
    this.#reset = () => reset(client)
    this.#guard = new Guard({
      deadlineMs,
      monotonic,
      probe: () => this.#probe(),
      onDegraded: () => {},
      onRecovered: () => {},
      onStuck: this.#reset,
    })
    this.#place = new Place(client, () => this.#guard.probe())
    this.#guard.trip('not connected')
  }

  isUsable(): boolean {
    if (!this.#isThere()) this.#guard.trip('not connected to the server of the shared connection')
    return !this.#guard.open
  }

  async run<T>(read: Read<T>): Promise<T> {
    this.reads++
    try {
      return await this.#guard.run(() => read(this.#client))
    } finally {
      this.reads--
    }
  }

  open(): void {
    const { status } = this.#client
    // Tried again by itself.
    if (status === 'wait' || status === 'end') this.#client.connect().catch(() => {})
    else this.#guard.probe()
  }

  disconnect(): void {
    this.#client.disconnect()
  }

  close(): void {
    this.#guard.close()
    this.#place.close()
    this.disconnect()
  }

  #isThere(): boolean {
    return this.#place.runId !== undefined && this.#place.runId === this.#shared.runId
  }

  async #probe(): Promise<void> {
    if (this.#client.status !== 'ready') throw new Error('not connected')
    if (this.#place.runId === undefined) await this.#place.ask()
    if (this.#isThere()) return
    // After a fail-over it may have stayed behind, where nothing is written any more.
    if (this.#place.runId !== undefined && this.#shared.runId !== undefined) this.#reset()
    throw new Error('connected to another server')
  }
}
