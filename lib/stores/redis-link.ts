import { CacheError } from '../errors.ts'
import { type RedisClient, type RedisConnection, userOf } from '../redis.ts'
import { Guard, GuardError } from './guarded.ts'
import { explainRefusal } from './redis-permissions.ts'
import { ScriptRunner } from './redis-script-runner.ts'

/** Sends one command under the deadline; rejects when it cannot be sent, is late or fails. */
export type SendCommand = <T>(
  command: (client: RedisClient, scripts: ScriptRunner) => Promise<T>,
  deadlineMs?: number,
) => Promise<T>

export interface LinkOptions {
  readonly connection: RedisConnection
  /** How long one command may take (ms). */
  readonly deadlineMs: number
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
  /** A write that proves that the server can be used: a replica that only reads does not pass for working. */
  readonly probe: (scripts: ScriptRunner) => Promise<unknown>
  /** The client is there, though perhaps not connected. */
  readonly onClient: (client: RedisClient) => void
  /** Connected outside of an outage: for the first time, or again so soon that nothing had failed. */
  readonly onReady: () => void
  /** The client has ended and does not connect by itself any more. */
  readonly onEnd: () => void
  /** A probe got no answer: links that look alive may be dead. */
  readonly onStuck: () => void
  readonly onDegraded: (reason: string) => void
  readonly onRecovered: (afterMs: number) => void
}

/** A first connection that takes longer than this is an outage (ms). */
const START_MS = 1_000
/** Answers that mean that this server cannot be used: what it says may be old, or it is not ready to say anything. */
const NOT_THE_MASTER = /(?:^|-)(?:LOADING|MASTERDOWN|CLUSTERDOWN|READONLY|NOAUTH|WRONGPASS)\b/
/** Answers that mean so when they come again and again; any other refusal is about one command. */
const TROUBLE = /(?:^|-)(?:BUSY|TRYAGAIN)\b/
/** After a right was refused a probe waits so long (ms): it may pass although what was refused is still refused. */
const REFUSED_MS = 2_000

/** The client of a store from its first connection to its end, with deadline and breaker in front of each command. */
export class Link {
  readonly #options: LinkOptions
  readonly #guard: Guard
  readonly #first: Promise<void>
  #answered: () => void = () => {}
  #failed: (error: unknown) => void = () => {}
  #client: RedisClient | undefined
  #scripts: ScriptRunner | undefined
  #detach: () => void = () => {}
  /** Until the first connection has come about or failed: no outage yet, and no use either. */
  #starting: NodeJS.Timeout | undefined
  /** The latest right that was refused, and until when (monotonic ms) it is not asked for again. */
  #refusal: { readonly error: Error; readonly until: number } | undefined
  #hasBeenReady = false
  #relinkedAt = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: LinkOptions) {
    const { connection, deadlineMs, monotonic, onStuck, onDegraded, onRecovered } = options
    this.#options = options
    this.#guard = new Guard({
      deadlineMs,
      monotonic,
      isReady: () => isReady(this.#client),
      isOutage: (cause) => this.#isOutage(cause),
      isFatal: (cause) => this.#isFatal(cause),
      probe: () => this.#probe(),
      onDegraded: (fault) => onDegraded(this.#explain(fault) ?? fault),
      onRecovered,
      onStuck: () => {
        connection.reset()
        onStuck()
      },
    })
    this.#first = new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
    })
    this.#first.catch(() => {})
    this.#starting = setTimeout(() => this.#started(false), START_MS).unref()
    connection.client.then(
      (client) => this.#attach(client),
      (error: unknown) => this.#refuse(error),
    )
  }

  get client(): RedisClient | undefined {
    return this.#client
  }

  get scripts(): ScriptRunner | undefined {
    return this.#scripts
  }

  /** Whether Redis is connected and answering. */
  get reachable(): boolean {
    return this.#starting === undefined && !this.#guard.open && isReady(this.#client)
  }

  /** When a connection last took the place of an earlier one (monotonic ms): the server may be another one since then. */
  get relinkedAt(): number {
    return this.#relinkedAt
  }

  /** Since when Redis has not been usable (monotonic ms). */
  get degradedSince(): number | undefined {
    return this.#guard.degradedSince
  }

  /**
   * Resolves when Redis has answered for the first time.
   *
   * @throws {CacheError} `ERR_CACHE_MISSING_PEER` when ioredis is not installed, `ERR_CACHE_CLOSED` when closed before.
   */
  ready(): Promise<void> {
    return this.#first
  }

  /** An answer has arrived that shows that the server works. */
  answered(): void {
    this.#answered()
  }

  /**
   * Send one command under the deadline.
   *
   * @throws {GuardError} when it cannot be sent, is late or fails.
   */
  send<T>(command: (client: RedisClient, scripts: ScriptRunner) => Promise<T>, deadlineMs?: number): Promise<T> {
    const [client, scripts] = [this.#client, this.#scripts]
    if (client === undefined || scripts === undefined || this.#starting !== undefined) {
      return Promise.reject(new GuardError('open', 'Redis is not connected yet'))
    }
    return this.#guard.run(() => command(client, scripts), deadlineMs)
  }

  /** Stop all timers and end the client if it was made for this; one that was handed in stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#guard.close()
    clearTimeout(this.#starting)
    this.#detach()
    this.#failed(new CacheError('ERR_CACHE_CLOSED', 'The cache was closed before Redis had answered'))
    await this.#options.connection.close()
  }

  #attach(client: RedisClient): void {
    if (this.#isClosed) return
    this.#client = client
    this.#scripts = new ScriptRunner(client)
    this.#options.onClient(client)
    const onReady = (): void => this.#started(true)
    const onLost = (): void => this.#started(false)
    const onEnd = (): void => {
      onLost()
      this.#options.onEnd()
    }
    client.on('ready', onReady)
    client.on('close', onLost)
    client.on('end', onEnd)
    this.#detach = () => {
      client.off('ready', onReady)
      client.off('close', onLost)
      client.off('end', onEnd)
    }
    if (isReady(client)) onReady()
    // A lazy client connects at its first command, which would never be sent to a client that is not connected.
    else if (client.status === 'wait') client.connect().catch(() => {})
  }

  #started(connected: boolean): void {
    clearTimeout(this.#starting)
    this.#starting = undefined
    if (connected) this.#linked()
    if (!connected) this.#guard.trip(this.#options.connection.fault ?? 'not connected')
    else if (this.#guard.open) this.#guard.probe()
    else this.#options.onReady()
  }

  /** Connected, for the first time or again. */
  #linked(): void {
    this.#relinkedAt = this.#hasBeenReady ? this.#options.monotonic() : Number.NEGATIVE_INFINITY
    this.#hasBeenReady = true
  }

  #refuse(error: unknown): void {
    clearTimeout(this.#starting)
    this.#starting = undefined
    this.#failed(error)
    this.#guard.trip(error instanceof Error ? error.message : String(error))
  }

  async #probe(): Promise<unknown> {
    const [client, scripts] = [this.#client, this.#scripts]
    if (client === undefined || scripts === undefined) throw new Error('not connected')
    if (!isReady(client)) return connected(client)
    if (this.#refusal !== undefined && this.#options.monotonic() < this.#refusal.until) throw this.#refusal.error
    return this.#options.probe(scripts)
  }

  /** Not a reply: the connection. A reply: only those that speak of the whole server. */
  #isOutage(cause: unknown): boolean {
    return !isReply(cause) || TROUBLE.test(cause.message) || this.#isFatal(cause)
  }

  #isFatal(cause: unknown): boolean {
    if (!isReply(cause)) return false
    if (this.#explain(cause.message) === undefined) return NOT_THE_MASTER.test(cause.message)
    const now = this.#options.monotonic()
    if (this.#refusal === undefined || now >= this.#refusal.until)
      this.#refusal = { error: cause, until: now + REFUSED_MS }
    return true
  }

  #explain(answer: string): string | undefined {
    return explainRefusal(answer, this.#client === undefined ? 'default' : userOf(this.#client))
  }
}

function isReady(client: RedisClient | undefined): boolean {
  return client !== undefined && (client.status === undefined || client.status === 'ready')
}

/** Pending while a link is up on which the handshake is not answered, so that it is noticed as stuck. */
async function connected(client: RedisClient): Promise<void> {
  if (client.status !== 'connect') throw new Error('not connected')
  await new Promise<void>((_, reject) => {
    const give = (): void => {
      client.off('ready', give)
      client.off('close', give)
      reject(new Error('connecting'))
    }
    client.on('ready', give)
    client.on('close', give)
  })
}

function isReply(cause: unknown): cause is Error {
  return cause instanceof Error && cause.name === 'ReplyError'
}
