import { randomBytes } from 'node:crypto'
import { type Clock, SystemClock } from '../clock.ts'
import { decodeEntry, encodeEntry, frameCoherence } from '../codec.ts'
import { type Entry, isDead } from '../entry.ts'
import { CacheError } from '../errors.ts'
import type { Events } from '../events.ts'
import { partitionOf } from '../key.ts'
import type { RedisClient, RedisConnection } from '../redis.ts'
import type { LedgerChange, TagLedger } from '../tags.ts'
import { Guard, GuardError, within } from './guarded.ts'
import { Journal } from './redis-journal.ts'
import { Mirror } from './redis-mirror.ts'
import { escapeGlob, scanPage } from './redis-scan.ts'
import { ScriptRunner } from './redis-scripts.ts'
import type {
  Ack,
  Awaitable,
  EntryPage,
  InvalidationReceipt,
  InvalidationTargets,
  ListOptions,
  SetResult,
  Store,
  StoreStats,
} from './store.ts'

export interface RedisStoreOptions {
  readonly connection: RedisConnection
  /** Start of all keys; processes of one namespace see each other's entries and invalidations. */
  readonly namespace: string
  /**
   * Into how many independent parts, each in one Cluster slot, keys are divided. Every process of a namespace must use the same.
   * @default 1, with a Cluster 16
   */
  readonly partitions?: number | undefined
  /** How long a read or write may take (ms). */
  readonly deadlineMs: number
  /** How long memory may answer without hearing from Redis (ms); the same in every process of a namespace. */
  readonly leaseMs: number
  /** Bodies larger than this (bytes) are compressed; false never. */
  readonly compressAbove: number | false
  readonly clock: Clock
  readonly events: Events
  /** This process in the registry of leases. @default random */
  readonly nodeId?: string
}

/** Reads of one tick that share a command, at most. */
const MAX_BATCH = 128
/** The heartbeat ends after this long without use of the memory in front (ms). */
const IDLE_MS = 10_000
/** The clock follows Redis at least this often while entries are read (ms). */
const ALIGN_EVERY_MS = 10_000
/** A first connection that takes longer than this is an outage (ms). */
const START_MS = 1_000
/** Outages are warned about no more often than this (ms). */
const WARN_EVERY_MS = 10_000
/** What Redis cannot keep longer than this (ms) is kept this long: about 30 years. */
const MAX_LIFETIME_MS = 1e12
/** Answers that mean that this server cannot be used: what it says may be old, or it is not ready to say anything. */
const NOT_THE_MASTER = /(?:^|-)(?:LOADING|MASTERDOWN|CLUSTERDOWN|READONLY|NOAUTH|WRONGPASS)\b/
/** Answers that mean so when they come again and again; any other refusal is about one command. */
const TROUBLE = /(?:^|-)(?:NOPERM|BUSY|TRYAGAIN)\b/
/** Whatever a namespace contains, the braces of the key decide its slot. */
const UNSAFE_IN_SLOT = /[{}%]/g

interface Read {
  readonly promise: Promise<Entry | undefined>
  readonly resolve: (entry: Entry | undefined) => void
}

interface Partition {
  readonly mirror: Mirror
  /** Reads to be sent at the end of this tick, by full key. */
  batch: Map<string, Read>
}

/**
 * Entries in Redis, shared by every process of a namespace (L2). What has been invalidated is decided by the metadata in Redis;
 * this process keeps a mirror of it, so that a hit costs one command. Whatever goes wrong is a miss and an event.
 */
export class RedisStore implements Store {
  readonly name = 'redis'
  readonly #connection: RedisConnection
  readonly #clock: Required<Clock>
  readonly #alignable: SystemClock | undefined
  readonly #events: Events
  readonly #deadlineMs: number
  readonly #leaseMs: number
  readonly #compressAbove: number | false
  readonly #slotPrefix: string
  readonly #partitions: readonly Partition[]
  readonly #guard: Guard
  readonly #journal: Journal
  readonly #first: Promise<void>
  #answered: () => void = () => {}
  #failed: (error: unknown) => void = () => {}
  #client: RedisClient | undefined
  #scripts: ScriptRunner | undefined
  #detach: () => void = () => {}
  /** Until the first connection has come about or failed: no outage yet, and no use either. */
  #starting: NodeJS.Timeout | undefined
  #alignedAt = Number.NEGATIVE_INFINITY
  #warnedAt = Number.NEGATIVE_INFINITY
  #heartbeat: NodeJS.Timeout | undefined
  #used = false
  #corrupt = 0
  #errors = 0
  #isClosed = false

  constructor(options: RedisStoreOptions) {
    const { connection, namespace, clock, events, leaseMs } = options
    this.#connection = connection
    this.#clock = withMonotonic(clock)
    this.#alignable = clock instanceof SystemClock ? clock : undefined
    this.#events = events
    this.#deadlineMs = options.deadlineMs
    this.#leaseMs = leaseMs
    this.#compressAbove = options.compressAbove
    this.#slotPrefix = `{${namespace.replace(UNSAFE_IN_SLOT, encodeURIComponent)}:`
    const count = options.partitions ?? (connection.isCluster ? 16 : 1)
    const nodeId = options.nodeId ?? randomBytes(8).toString('hex')
    this.#partitions = Array.from({ length: count }, (_, partition) => ({
      batch: new Map(),
      mirror: new Mirror({
        slot: `${this.#slotPrefix}${partition}}`,
        send: (command, deadlineMs) => this.#send(command, deadlineMs),
        clock: this.#clock,
        nodeId,
        leaseMs,
        onTime: (theirs, sentAt, receivedAt) => this.#align(partition, theirs, sentAt, receivedAt),
      }),
    }))
    const monotonic = (): number => this.#clock.monotonic()
    this.#guard = new Guard({
      deadlineMs: options.deadlineMs,
      monotonic,
      isReady: () => isReady(this.#client),
      isOutage,
      isFatal: (cause) => isReply(cause) && NOT_THE_MASTER.test(cause.message),
      probe: () => this.#probe(),
      onDegraded: (reason) => this.#onDegraded(reason),
      onRecovered: (afterMs) => this.#onRecovered(afterMs),
      onStuck: () => connection.reset(),
    })
    this.#journal = new Journal({
      monotonic,
      attempt: async (partition, change) => {
        await this.#mirror(partition).invalidate(change, this.#deadlineMs)
      },
      rotate: (partition) => this.#mirror(partition).sync({ rotate: true }),
      ledger: (partition) => this.#mirror(partition).ledger,
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

  /** Whether Redis is connected and answering. */
  get reachable(): boolean {
    return this.#starting === undefined && !this.#guard.open && isReady(this.#client)
  }

  /** Since when Redis has not been usable (epoch ms). */
  get degradedSince(): number | undefined {
    const since = this.#guard.degradedSince
    return since === undefined ? undefined : this.#clock.now() - (this.#clock.monotonic() - since)
  }

  /**
   * Resolves when Redis has answered for the first time.
   *
   * @throws {CacheError} `ERR_CACHE_MISSING_PEER` when ioredis is not installed, `ERR_CACHE_CLOSED` when closed before.
   */
  ready(): Promise<void> {
    return this.#first
  }

  ledger(key: string): TagLedger {
    return this.#partition(key).mirror.ledger
  }

  get(key: string): Awaitable<Entry | undefined> {
    if (!this.reachable) return undefined
    const partition = this.#partition(key)
    const pending = partition.batch.get(key)
    if (pending !== undefined) return pending.promise
    // After the sockets of this tick have been read: requests that arrive together share one command.
    if (partition.batch.size === 0) setImmediate(() => this.#flush(partition))
    const read = newRead()
    partition.batch.set(key, read)
    if (partition.batch.size === MAX_BATCH) this.#flush(partition)
    return read.promise
  }

  async set(entry: Entry): Promise<SetResult> {
    const { mirror } = this.#partition(entry.key)
    if (mirror.ledger.judge(entry) === 'invalid') return 'invalidated'
    const lifetimeMs = Math.min(Math.ceil(entry.deleteAt - this.#clock.now()), MAX_LIFETIME_MS)
    if (!this.reachable || !(lifetimeMs > 0)) return 'unavailable'
    try {
      return await mirror.store(entry, await encodeEntry(entry, { compressAbove: this.#compressAbove }), lifetimeMs)
    } catch (cause) {
      this.#report('redis set', cause)
      return 'unavailable'
    }
  }

  async touch(key: string, staleAt: number, deleteAt: number): Promise<boolean> {
    const entry = await this.get(key)
    return entry !== undefined && (await this.set({ ...entry, staleAt, deleteAt })) === 'stored'
  }

  async evict(keys: readonly string[]): Promise<void> {
    const byPartition = groupBy(keys, (key) => this.#partition(key))
    await Promise.all(
      [...byPartition].map(([{ mirror }, group]) => this.#unlink(group.map((key) => mirror.entryKey(key)))),
    )
  }

  /**
   * Prove that what memory holds of this key's partition is current, so that it may be served for a lease. Concurrent callers
   * share one command; false when Redis does not answer in time.
   */
  async confirm(key: string): Promise<boolean> {
    if (!this.reachable) return false
    return this.#confirm(this.#partition(key).mirror)
  }

  /** Memory in front of this store was used: keep its proof alive by a heartbeat, until 10 s after the last use. */
  keepAlive(): void {
    this.#used = true
    if (this.#heartbeat === undefined && !this.#isClosed) this.#startHeartbeat()
  }

  /**
   * Make everything named wrong in Redis, and void the fills in flight of every process. With `ack: 'all'` it resolves when no
   * process serves older data any more.
   *
   * @throws {CacheError} `ERR_CACHE_UNCONFIRMED` (`pending: true`) when that is not certain in time: this process serves nothing
   *   it names, and it is retried.
   */
  async invalidate(
    targets: InvalidationTargets,
    { ack, timeoutMs }: { readonly ack: Ack; readonly timeoutMs: number },
  ): Promise<InvalidationReceipt> {
    const changes = this.#changes(targets)
    const startedAt = this.#clock.monotonic()
    const done = Promise.allSettled(
      changes.map(([partition, change]) => this.#invalidate(partition, change, timeoutMs)),
    )
    if (ack === 'memory') return { ack, partitions: changes.length }
    let waitMs = 0
    for (const outcome of await done) {
      if (outcome.status === 'rejected') throw unconfirmed('Redis did not confirm an invalidation', outcome.reason)
      waitMs = Math.max(waitMs, outcome.value)
    }
    if (ack === 'all') await this.#waitForLeases(waitMs, startedAt + timeoutMs)
    return { ack, partitions: changes.length }
  }

  async list({ cursor, limit }: ListOptions): Promise<EntryPage> {
    const client = this.#client
    if (client === undefined || !this.reachable) return { entries: [], cursor: undefined }
    const send = <T>(command: () => Promise<T>): Promise<T> => this.#send(command)
    const pattern = `${escapeGlob(this.#slotPrefix)}*}:e:*`
    try {
      const page = await scanPage({ client, send, pattern, cursor, limit })
      return { entries: await this.#peek(page.keys), cursor: page.cursor }
    } catch (cause) {
      this.#report('redis list', cause)
      return { entries: [], cursor: undefined }
    }
  }

  stats(): StoreStats {
    return {
      name: this.name,
      entries: 0,
      bytes: 0,
      peakBytes: 0,
      maxBytes: 0,
      evicted: 0,
      refused: 0,
      corrupt: this.#corrupt,
      errors: this.#errors,
    }
  }

  /**
   * How long Redis takes to answer (ms).
   *
   * @throws {GuardError} when it does not.
   */
  async ping(): Promise<number> {
    const sentAt = this.#clock.monotonic()
    await this.#send((client) => client.ping())
    return this.#clock.monotonic() - sentAt
  }

  /** Stop all timers and end the client if it was made here; one that was handed in stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#guard.close()
    this.#journal.close()
    clearInterval(this.#heartbeat)
    clearTimeout(this.#starting)
    this.#detach()
    this.#failed(new CacheError('ERR_CACHE_CLOSED', 'The cache was closed before Redis had answered'))
    for (const { batch } of this.#partitions) for (const { resolve } of batch.values()) resolve(undefined)
    await this.#connection.close()
  }

  #partition(key: string): Partition {
    return this.#partitions[partitionOf(key, this.#partitions.length)] as Partition
  }

  #mirror(partition: number): Mirror {
    return (this.#partitions[partition] as Partition).mirror
  }

  #send<T>(command: (client: RedisClient, scripts: ScriptRunner) => Promise<T>, deadlineMs?: number): Promise<T> {
    const [client, scripts] = [this.#client, this.#scripts]
    if (client === undefined || scripts === undefined || this.#starting !== undefined) {
      return Promise.reject(new GuardError('open', 'Redis is not connected yet'))
    }
    return this.#guard.run(() => command(client, scripts), deadlineMs)
  }

  #flush(partition: Partition): void {
    const { batch } = partition
    if (batch.size === 0) return
    partition.batch = new Map()
    this.#read(partition.mirror, batch).catch((cause: unknown) => {
      this.#report('redis get', cause)
      for (const { resolve } of batch.values()) resolve(undefined)
    })
  }

  async #read(mirror: Mirror, batch: ReadonlyMap<string, Read>): Promise<void> {
    const startedAt = this.#clock.monotonic()
    const left = (): number => Math.max(1, this.#deadlineMs - (this.#clock.monotonic() - startedAt))
    if (Number.isFinite(this.#alignedAt) && startedAt - this.#alignedAt > ALIGN_EVERY_MS) mirror.sync().catch(() => {})
    const keys = [...batch.keys()].map((key) => mirror.entryKey(key))
    const replies = await this.#send((client) => client.mgetBuffer(...keys, mirror.tokenKey))
    // The token was read with the entries: what it does not show had not happened when they were read.
    const token = replies.at(-1)?.toString('latin1')
    if (!mirror.isAt(token)) await within(() => mirror.catchUp(token), left())
    const frames = replies.slice(0, -1)
    await Promise.all(
      [...batch].map(async ([key, { resolve }], index) => {
        const frame = token === undefined ? null : (frames[index] ?? null)
        resolve(frame === null ? undefined : await this.#open(mirror, key, frame, left))
      }),
    )
  }

  /** The entry in a frame, if it is one of ours, right and alive. */
  async #open(mirror: Mirror, key: string, frame: Buffer, left: () => number): Promise<Entry | undefined> {
    const coherence = frameCoherence(frame)
    if (coherence !== undefined && coherence.incarnation !== mirror.ledger.token.incarnation) return undefined
    const entry = coherence && (await decodeEntry(ownBytes(frame), key))
    if (entry === undefined) {
      this.#corrupt++
      void this.#unlink([mirror.entryKey(key)])
      return undefined
    }
    if (isDead(entry, this.#clock.now())) return undefined
    switch (mirror.ledger.judge(entry)) {
      case 'valid':
        return entry
      case 'invalid':
        return undefined
      default:
        return this.#check(mirror, entry, left())
    }
  }

  async #check(mirror: Mirror, entry: Entry, deadlineMs: number): Promise<Entry | undefined> {
    try {
      const seq = await mirror.check(entry, deadlineMs)
      const { token } = mirror.ledger
      if (seq === undefined || token.incarnation !== entry.incarnation) return undefined
      // Nothing it carries was invalidated up to there: it is as good as filled then, and the mirror can judge it from now on.
      const checked = { ...entry, seq: Math.max(entry.seq, Math.min(seq, token.seq)) }
      return mirror.ledger.judge(checked) === 'valid' ? checked : undefined
    } catch (cause) {
      this.#report('redis get', cause)
      return undefined
    }
  }

  async #unlink(keys: readonly string[]): Promise<void> {
    if (keys.length === 0 || !this.reachable) return
    try {
      await this.#send((client) => client.unlink(...keys))
    } catch (cause) {
      this.#report('redis evict', cause)
    }
  }

  async #confirm(mirror: Mirror): Promise<boolean> {
    try {
      await mirror.confirm()
      return true
    } catch (cause) {
      this.#report('redis confirm', cause)
      return false
    }
  }

  #startHeartbeat(): void {
    const everyMs = Math.max(1, this.#leaseMs / 4)
    let idleMs = 0
    this.#heartbeat = setInterval(() => {
      idleMs = this.#used ? 0 : idleMs + everyMs
      this.#used = false
      if (idleMs >= IDLE_MS) {
        clearInterval(this.#heartbeat)
        this.#heartbeat = undefined
      } else if (this.reachable) {
        for (const { mirror } of this.#partitions) void this.#confirm(mirror)
      }
    }, everyMs).unref()
  }

  /** What each partition concerned is to forget. */
  #changes(targets: InvalidationTargets): readonly (readonly [partition: number, change: LedgerChange])[] {
    const count = this.#partitions.length
    const [patterns, all] = [targets.patterns, targets.all]
    const tags: string[][] = Array.from({ length: count }, () => [])
    for (const tag of targets.tags) {
      // The text of a key or URI tag is what its partition is made from; any other may be on entries anywhere.
      if (tag.startsWith('k:') || tag.startsWith('u:')) tags[partitionOf(`V 0 ${tag.slice(2)}`, count)]?.push(tag)
      else for (const list of tags) list.push(tag)
    }
    const changes = tags.map((list, partition) => [partition, { tags: list, patterns, all }] as const)
    return changes.filter(([, change]) => all || patterns.length > 0 || change.tags.length > 0)
  }

  async #invalidate(partition: number, change: LedgerChange, timeoutMs: number): Promise<number> {
    const mirror = this.#mirror(partition)
    const release = mirror.ledger.hold(change)
    try {
      const waitMs = await mirror.invalidate(change, timeoutMs)
      release()
      return waitMs
    } catch (cause) {
      if (!this.#isClosed) this.#journal.add(partition, change, release)
      this.#events.emit('unconfirmed', { cause })
      throw cause
    }
  }

  /** Other processes have heard of it, or have lost their lease, after `waitMs`. */
  async #waitForLeases(waitMs: number, until: number): Promise<void> {
    if (waitMs <= 0) return
    const leftMs = until - this.#clock.monotonic()
    await new Promise((resolve) => setTimeout(resolve, Math.min(Math.ceil(waitMs) + 1, Math.max(0, leftMs))))
    if (waitMs > leftMs) throw unconfirmed('Other processes may still answer from memory', undefined)
  }

  /** The entries under these keys of Redis, those left out that are not ours, wrong or dead. */
  async #peek(redisKeys: readonly string[]): Promise<Entry[]> {
    const found = await Promise.all(
      [...groupBy(redisKeys, (key) => this.#partitionOfRedisKey(key))].map(async ([partition, keys]) => {
        if (partition === undefined) return []
        const frames = await this.#send((client) => client.mgetBuffer(...keys))
        return Promise.all(
          frames.map(async (frame) => (frame === null ? undefined : decodeEntry(ownBytes(frame), undefined))),
        )
      }),
    )
    const now = this.#clock.now()
    const names = new Set(redisKeys)
    return found.flat().filter((entry) => {
      if (entry === undefined || isDead(entry, now)) return false
      const { mirror } = this.#partition(entry.key)
      return names.has(mirror.entryKey(entry.key)) && mirror.ledger.judge(entry) !== 'invalid'
    }) as Entry[]
  }

  #partitionOfRedisKey(key: string): number | undefined {
    const rest = key.slice(this.#slotPrefix.length)
    const digits = rest.slice(0, rest.indexOf('}'))
    const partition = Number(digits)
    return /^\d+$/.test(digits) && partition < this.#partitions.length ? partition : undefined
  }

  #attach(client: RedisClient): void {
    if (this.#isClosed) return
    this.#client = client
    this.#scripts = new ScriptRunner(client)
    const onReady = (): void => this.#started(true)
    const onLost = (): void => this.#started(false)
    client.on('ready', onReady)
    client.on('close', onLost)
    client.on('end', onLost)
    this.#detach = () => {
      client.off('ready', onReady)
      client.off('close', onLost)
      client.off('end', onLost)
    }
    if (isReady(client)) onReady()
    // A lazy client connects at its first command, which would never be sent to a client that is not connected.
    else if (client.status === 'wait') client.connect().catch(() => {})
  }

  #started(connected: boolean): void {
    clearTimeout(this.#starting)
    this.#starting = undefined
    if (!connected) {
      this.#guard.trip(this.#connection.fault ?? 'not connected')
      return
    }
    if (this.#guard.open) {
      this.#guard.probe()
      return
    }
    for (const { mirror } of this.#partitions)
      mirror.sync().catch((cause: unknown) => this.#report('redis connect', cause))
  }

  #refuse(error: unknown): void {
    clearTimeout(this.#starting)
    this.#starting = undefined
    this.#failed(error)
    this.#guard.trip(error instanceof Error ? error.message : String(error))
  }

  /** A write, so that a replica that only reads does not pass for working. */
  async #probe(): Promise<unknown> {
    const [client, scripts] = [this.#client, this.#scripts]
    if (client === undefined || scripts === undefined) throw new Error('not connected')
    if (!isReady(client)) return connected(client)
    return this.#mirror(0).probe(scripts)
  }

  #align(partition: number, theirs: number, sentAt: number, receivedAt: number): void {
    this.#answered()
    const first = this.#alignedAt === Number.NEGATIVE_INFINITY
    // In a Cluster each master has its own clock: one of them is followed.
    if (!first && partition !== 0) return
    this.#alignedAt = receivedAt
    // A slow answer says little about when it was given.
    if (first || receivedAt - sentAt <= this.#deadlineMs / 2) this.#alignable?.align(theirs, sentAt, receivedAt)
  }

  #onDegraded(reason: string): void {
    this.#events.emit('degraded', { reason })
    const now = this.#clock.monotonic()
    if (now - this.#warnedAt < WARN_EVERY_MS) return
    this.#warnedAt = now
    this.#events.warn(`Redis (${this.#connection.label}) cannot be used: ${reason}. Requests go on without it.`)
  }

  #onRecovered(afterMs: number): void {
    this.#events.emit('recovered', { afterMs })
    for (const { mirror } of this.#partitions) mirror.sync().catch(() => {})
    void this.#journal.retry()
  }

  #report(where: string, cause: unknown): void {
    if (this.#isClosed || (cause instanceof GuardError && cause.fault === 'open')) return
    this.#errors++
    this.#events.emit('error', { where, cause })
  }
}

function groupBy<T, G>(items: readonly T[], groupOf: (item: T) => G): Map<G, T[]> {
  const groups = new Map<G, T[]>()
  for (const item of items) {
    const group = groups.get(groupOf(item))
    if (group === undefined) groups.set(groupOf(item), [item])
    else group.push(item)
  }
  return groups
}

function newRead(): Read {
  let resolve: Read['resolve'] = () => {}
  const promise = new Promise<Entry | undefined>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** A small answer is a slice of a large chunk from the socket, which it would keep alive as long as the entry. */
function ownBytes(frame: Buffer): Buffer {
  if (frame.buffer.byteLength <= 2 * frame.length) return frame
  const copy = Buffer.allocUnsafeSlow(frame.length)
  frame.copy(copy)
  return copy
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

/** Not a reply: the connection. A reply: only those that speak of the whole server. */
function isOutage(cause: unknown): boolean {
  return !isReply(cause) || NOT_THE_MASTER.test(cause.message) || TROUBLE.test(cause.message)
}

function isReply(cause: unknown): cause is Error {
  return cause instanceof Error && cause.name === 'ReplyError'
}

function unconfirmed(what: string, cause: unknown): CacheError {
  return new CacheError('ERR_CACHE_UNCONFIRMED', `${what} in time; it is retried in the background`, {
    cause,
    pending: true,
  })
}

function withMonotonic(clock: Clock): Required<Clock> {
  if (clock.monotonic !== undefined) return clock as Required<Clock>
  const system = new SystemClock()
  return { now: () => clock.now(), monotonic: () => system.monotonic() }
}
