import { randomBytes } from 'node:crypto'
import { Bus } from '../bus.ts'
import { type Clock, SystemClock, withMonotonic } from '../clock.ts'
import { type Entry, isFresh } from '../entry.ts'
import type { Events } from '../events.ts'
import { partitionOf } from '../key.ts'
import { channelPrefixOf, dropLinks, duplicateOf, type RedisClient, type RedisConnection } from '../redis.ts'
import type { TagLedger, Token } from '../tags.ts'
import { groupBy } from './group-by.ts'
import { GuardError } from './guarded.ts'
import { Annex } from './redis-annex.ts'
import { Heads } from './redis-heads.ts'
import { Heartbeat } from './redis-heartbeat.ts'
import { Invalidations } from './redis-invalidations.ts'
import { Keys } from './redis-keys.ts'
import { Leases } from './redis-leases.ts'
import { Link, type SendCommand } from './redis-link.ts'
import { Listing } from './redis-listing.ts'
import { isOutOfMemory, Mirror } from './redis-mirror.ts'
import { Pool } from './redis-pool.ts'
import { Reads, type SendRead } from './redis-reads.ts'
import type { Waited } from './redis-script-runner.ts'
import { RedisTurns } from './redis-turns.ts'
import { ReplicaWait, type WaitedInvalidation } from './redis-wait.ts'
import { Writes } from './redis-writes.ts'
import {
  ALONE,
  type Awaitable,
  type Claim,
  type ClaimResult,
  type EntryPage,
  type FillLease,
  type InvalidationOptions,
  type InvalidationReceipt,
  type InvalidationTargets,
  type ListOptions,
  type SetResult,
  type Store,
  type StoreStats,
} from './store.ts'
import type { TurnOptions, Turns } from './turns.ts'

export interface RedisStoreOptions {
  readonly connection: RedisConnection
  /** Start of all keys; processes of one namespace see each other's entries and invalidations. */
  readonly namespace: string
  /**
   * Into how many independent parts, each in one Cluster slot, keys are divided. Every process of a namespace must use the same.
   * @default 1, with a Cluster 16
   */
  readonly partitions?: number | undefined
  /** Over how many connections entries are read, the one of everything else included; in a Cluster always 1. @default 1 */
  readonly poolSize?: number | undefined
  /** How long a read or write may take (ms). */
  readonly deadlineMs: number
  /** How long memory may answer without hearing from Redis (ms); the same in every process of a namespace. */
  readonly leaseMs: number
  /** Bodies larger than this (bytes) are compressed; false never. */
  readonly compressAbove: number | false
  /** Whether memory in front keeps what is read. @default true */
  readonly isKept?: boolean
  readonly clock: Clock
  readonly events: Events
  /** This process in the registry of leases: up to 64 characters without spaces. @default random */
  readonly nodeId?: string
}

/** The clock follows Redis at least this often while entries are read (ms). */
const ALIGN_EVERY_MS = 10_000
/** Pause before a partition that has not answered is asked again (ms). */
const MEET_EVERY_MS = 100
/** Outages are warned about no more often than this (ms). */
const WARN_EVERY_MS = 10_000
/** What Redis cannot keep longer than this (ms) is kept this long: about 30 years. */
const MAX_LIFETIME_MS = 1e12
/** Whatever a namespace contains, the braces of the key decide its slot. */
const UNSAFE_IN_SLOT = /[{}%]/g

interface Partition {
  readonly keys: Keys
  readonly mirror: Mirror
  readonly leases: Leases
  readonly reads: Reads
  readonly writes: Writes
}

/**
 * Entries in Redis, shared by every process of a namespace (L2). What has been invalidated is decided by the metadata in Redis;
 * this process keeps a mirror of it, so that a hit costs one command. Whatever goes wrong is a miss and an event.
 */
export class RedisStore implements Store {
  readonly name = 'redis'
  readonly copies = false
  readonly #connection: RedisConnection
  readonly #clock: Required<Clock>
  readonly #alignable: SystemClock | undefined
  readonly #events: Events
  readonly #deadlineMs: number
  readonly #leaseMs: number
  readonly #compressAbove: number | false
  readonly #heads: Heads | undefined
  readonly #slotPrefix: string
  readonly #channelPrefix: string
  readonly #nodeId: string
  readonly #partitions: readonly Partition[]
  readonly #listing: Listing
  readonly #link: Link
  readonly #invalidations: Invalidations
  readonly #heartbeat: Heartbeat
  #bus: Bus | undefined
  #waiting: ReplicaWait | undefined
  #pool: Pool | undefined
  #alignedAt = Number.NEGATIVE_INFINITY
  #warnedAt = Number.NEGATIVE_INFINITY
  #fullSince: number | undefined
  #corrupt = 0
  #errors = 0
  #isClosed = false

  constructor(options: RedisStoreOptions) {
    const { connection, namespace, clock, events, deadlineMs, leaseMs } = options
    this.#connection = connection
    this.#clock = withMonotonic(clock)
    this.#alignable = clock instanceof SystemClock ? clock : undefined
    this.#events = events
    this.#deadlineMs = deadlineMs
    this.#leaseMs = leaseMs
    this.#compressAbove = options.compressAbove
    this.#heads = options.isKept === false ? new Heads() : undefined
    const name = namespace.replace(UNSAFE_IN_SLOT, encodeURIComponent)
    this.#slotPrefix = `{${name}:`
    this.#channelPrefix = `{${name}}:`
    this.#nodeId = options.nodeId ?? randomBytes(8).toString('hex')
    const count = options.partitions ?? (connection.isCluster ? 16 : 1)
    this.#partitions = Array.from({ length: count }, (_, partition) => this.#newPartition(partition))
    this.#listing = new Listing({
      slotPrefix: this.#slotPrefix,
      partitions: this.#partitions,
      partition: (key) => this.#partition(key),
      send: this.#send,
      now: () => this.#clock.now(),
    })
    const monotonic = (): number => this.#clock.monotonic()
    this.#invalidations = new Invalidations({
      mirrors: this.#partitions.map(({ mirror }) => mirror),
      deadlineMs,
      monotonic,
      bus: () => this.#bus,
      viaReplicas: (invalidation) => this.#viaReplicas(invalidation),
      onUnconfirmed: (cause) => events.emit('unconfirmed', { cause }),
    })
    this.#heartbeat = new Heartbeat({ everyMs: Math.max(1, leaseMs / 4), beat: () => this.#beat() })
    this.#link = new Link({
      connection,
      deadlineMs,
      monotonic,
      probe: (scripts) => this.#mirror(0).probe(scripts),
      onClient: (client) => {
        this.#bus = this.#newBus(client)
        this.#waiting = new ReplicaWait({ duplicate: () => duplicateOf(client), monotonic, deadlineMs })
        this.#pool = this.#newPool(client, options.poolSize ?? 1)
      },
      onReady: () => this.#onReady(),
      // A client handed in that was ended is to end the process, too.
      onEnd: () => {
        this.#bus?.suspend()
        this.#waiting?.close()
        this.#pool?.suspend()
      },
      onStuck: () => this.#bus?.reset(),
      onDegraded: (reason) => this.#onDegraded(reason),
      onRecovered: (afterMs) => this.#onRecovered(afterMs),
    })
  }

  /** Whether Redis is connected and answering. */
  get reachable(): boolean {
    return this.#link.reachable
  }

  /** Since when Redis has not been usable (epoch ms). */
  get degradedSince(): number | undefined {
    return this.#instant(this.#link.degradedSince)
  }

  /** Since when Redis has had no room for new entries (epoch ms). */
  get fullSince(): number | undefined {
    return this.#instant(this.#fullSince)
  }

  /**
   * Resolves when Redis has answered for the first time.
   *
   * @throws {CacheError} `ERR_CACHE_MISSING_PEER` when ioredis is not installed, `ERR_CACHE_CLOSED` when closed before.
   */
  ready(): Promise<void> {
    return this.#link.ready()
  }

  ledger(key: string): TagLedger {
    return this.#partition(key).mirror.ledger
  }

  asOf(): (key: string) => Token {
    const tokens = this.#partitions.map(({ mirror }) => mirror.ledger.token)
    return (key) => tokens[partitionOf(key, tokens.length)] as Token
  }

  get(key: string): Awaitable<Entry | undefined> {
    return this.reachable ? this.#partition(key).reads.get(key) : undefined
  }

  peek(_key: string): undefined {
    return undefined
  }

  reread(key: string): Awaitable<Entry | undefined> {
    return this.reachable ? this.#partition(key).reads.reread(key) : undefined
  }

  async judge(entry: Entry): Promise<Entry | undefined> {
    if (!this.reachable) return undefined
    const { mirror, reads } = this.#partition(entry.key)
    try {
      // What was acknowledged until now has to be known before it is judged.
      if (this.#clock.monotonic() >= mirror.ledger.provenUntil) await mirror.sync()
    } catch (cause) {
      this.#report('redis judge', cause)
      return undefined
    }
    return reads.judge(entry, () => this.#deadlineMs)
  }

  async set(entry: Entry, lease?: FillLease): Promise<SetResult> {
    const { mirror, reads, writes } = this.#partition(entry.key)
    const lifetimeMs = Math.min(Math.ceil(entry.deleteAt - this.#clock.now()), MAX_LIFETIME_MS)
    const isWrong = mirror.ledger.judge(entry) === 'invalid'
    let result: SetResult = isWrong ? 'invalidated' : 'unavailable'
    const isSent = !isWrong && this.reachable && lifetimeMs > 0
    if (isSent) result = await writes.set(entry, lifetimeMs, lease)
    reads.written(entry.key)
    // Where the script has run it has ended the lease.
    if (lease !== undefined && (!isSent || result === 'unavailable')) this.release(lease, 0)
    return result
  }

  acquire(claim: Claim): Awaitable<ClaimResult> {
    if (!this.reachable) return ALONE
    return this.#partition(claim.key)
      .leases.acquire(claim)
      .catch((cause: unknown) => {
        this.#report('redis acquire', cause)
        return ALONE
      })
  }

  release(lease: FillLease, unsharedMs: number): void {
    if (!this.reachable) return
    this.#partition(lease.key)
      .leases.release(lease, unsharedMs)
      .catch((cause: unknown) => this.#report('redis release', cause))
  }

  /** What others read has to be small: each makes its own. */
  enrich(): boolean {
    return false
  }

  async touch(key: string, staleAt: number, deleteAt: number): Promise<boolean> {
    const entry = await this.reread(key)
    if (entry === undefined || !isFresh(entry, this.#clock.now())) return false
    return (await this.set({ ...entry, staleAt, deleteAt })) === 'stored'
  }

  async evict(keys: readonly string[]): Promise<void> {
    const byPartition = groupBy(keys, (key) => this.#partition(key))
    await Promise.all([...byPartition].map(([{ keys }, group]) => this.#unlink(group.map((key) => keys.entry(key)))))
  }

  /**
   * Prove that what memory holds of this key's partition is current, so that it may be served for a lease. Concurrent callers
   * share one command; false when Redis does not answer in time.
   */
  async confirm(key: string): Promise<boolean> {
    if (!this.reachable) return false
    return this.#confirm(this.#partition(key).mirror)
  }

  /** Whose turn it is, among all processes of this namespace, to do what has this name. */
  turns(name: string, options: TurnOptions): Turns {
    const onError = (cause: unknown): void => this.#report('redis turn', cause)
    const [{ keys }] = this.#partitions as readonly [Partition]
    return new RedisTurns({ ...options, name, keys, send: this.#send, onError })
  }

  /** Memory in front of this store was used: keep its proof alive by a heartbeat, until 10 s after the last use. */
  keepAlive(): void {
    this.#heartbeat.use()
  }

  /**
   * Make everything named wrong in Redis, and void the fills in flight of every process. With `ack: 'all'` it resolves when no
   * process serves older data any more.
   *
   * @throws {CacheError} `ERR_CACHE_UNCONFIRMED` (`pending: true`) when that is not certain in time: this process serves nothing
   *   it names, and it is retried.
   */
  async invalidate(targets: InvalidationTargets, options: InvalidationOptions): Promise<InvalidationReceipt> {
    const { ack, mark } = options
    if (ack === 'all') this.#openBus()
    // A server that forgets a write under way is noticed by the heartbeat.
    if (mark !== undefined && mark.lifeMs > 0) this.keepAlive()
    return this.#invalidations.run(targets, options)
  }

  async list({ cursor, limit }: ListOptions): Promise<EntryPage> {
    const { client } = this.#link
    const nothing = { entries: [], cursor: undefined }
    if (client === undefined || !this.reachable) return nothing
    try {
      return await this.#listing.page(client, { cursor, limit })
    } catch (cause) {
      this.#report('redis list', cause)
      return nothing
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

  /** A place beside the entries for what is built on them; `name` is its own among those of the namespace. */
  annex(name: string): Annex {
    return new Annex({
      link: this.#link,
      slot: `${this.#slotPrefix}${name.replace(UNSAFE_IN_SLOT, encodeURIComponent)}}`,
    })
  }

  /** Stop all timers and end the client if it was made here; one that was handed in stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#invalidations.close()
    this.#heartbeat.close()
    this.#bus?.close()
    this.#waiting?.close()
    this.#pool?.close()
    for (const { mirror, reads } of this.#partitions) {
      mirror.close()
      reads.close()
    }
    await this.#link.close()
  }

  /** Not before Redis answers, and not after: a connection of its own would keep the process alive for nothing. */
  #openBus(): void {
    if (this.reachable) this.#bus?.open()
  }

  #newPartition(partition: number): Partition {
    const [clock, leaseMs, nodeId, deadlineMs] = [this.#clock, this.#leaseMs, this.#nodeId, this.#deadlineMs]
    const [keys, send] = [new Keys(`${this.#slotPrefix}${partition}}`), this.#send]
    const mirror = new Mirror({
      partition,
      keys,
      send,
      clock,
      nodeId,
      leaseMs,
      relinkedAt: () => this.#link.relinkedAt,
      onTime: (theirs, sentAt, receivedAt) => this.#align(partition, theirs, sentAt, receivedAt),
      announcement: () => this.#invalidations.announcement(),
    })
    const reads = new Reads({
      mirror,
      keys,
      heads: this.#heads,
      send: this.#sendRead,
      clock,
      deadlineMs,
      onRead: () => this.#followTime(mirror),
      onCorrupt: (redisKey) => {
        this.#corrupt++
        void this.#unlink([redisKey])
      },
      onError: (cause) => this.#report('redis get', cause),
    })
    const writes = new Writes({
      mirror,
      keys,
      send,
      compressAbove: this.#compressAbove,
      onWritten: () => {
        this.#fullSince = undefined
      },
      onError: (cause) => {
        if (isOutOfMemory(cause)) this.#fullSince ??= this.#clock.monotonic()
        this.#report('redis set', cause)
      },
    })
    return { keys, mirror, leases: new Leases({ keys, send }), reads, writes }
  }

  #newBus(client: RedisClient): Bus {
    return new Bus({
      prefix: `${channelPrefixOf(client)}${this.#channelPrefix}`,
      nodeId: this.#nodeId,
      subscriber: () => duplicateOf(client),
      reset: dropLinks,
      // Past the breaker: a refusal says nothing about the commands that entries depend on.
      publish: (channel, message) => {
        if (this.reachable) client.publish(channel, message).catch(() => {})
      },
      catchUp: async (partition, token) => (await this.#partitions[partition]?.mirror.reach(token)) === true,
      monotonic: () => this.#clock.monotonic(),
    })
  }

  #newPool(shared: RedisClient, size: number): Pool | undefined {
    if (size === 1) return undefined
    if (shared.isCluster === true) {
      this.#events.warn('poolSize has no effect in a Cluster: its client has a connection to each node.')
      return undefined
    }
    const duplicate = (): RedisClient => duplicateOf(shared)
    const monotonic = (): number => this.#clock.monotonic()
    return new Pool({ size, shared, duplicate, reset: dropLinks, deadlineMs: this.#deadlineMs, monotonic })
  }

  /** Epoch ms of a monotonic instant. */
  #instant(at: number | undefined): number | undefined {
    return at === undefined ? undefined : this.#clock.now() - (this.#clock.monotonic() - at)
  }

  #partition(key: string): Partition {
    return this.#partitions[partitionOf(key, this.#partitions.length)] as Partition
  }

  #mirror(partition: number): Mirror {
    return (this.#partitions[partition] as Partition).mirror
  }

  readonly #send: SendCommand = (command, deadlineMs) => this.#link.send(command, deadlineMs)

  readonly #sendRead: SendRead = (read) => {
    const byShared = (): ReturnType<typeof read> => this.#link.send(read)
    return this.#pool === undefined || !this.reachable ? byShared() : this.#pool.run(read, byShared)
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

  #beat(): void {
    if (!this.reachable) return
    this.#openBus()
    for (const { mirror } of this.#partitions) void this.#confirm(mirror)
  }

  #viaReplicas(invalidation: WaitedInvalidation): Promise<Waited> {
    if (this.#waiting !== undefined && this.reachable) return this.#waiting.invalidate(invalidation)
    return Promise.reject(new GuardError('open', 'Redis is not used at the moment'))
  }

  #onReady(): void {
    for (const { mirror } of this.#partitions) this.#meet(mirror)
  }

  /** Again and again until it is answered: before the first answer nobody else asks. */
  #meet(mirror: Mirror): void {
    mirror.sync().catch((cause: unknown) => {
      this.#report('redis connect', cause)
      if (this.reachable && !this.#isClosed) setTimeout(() => this.#meet(mirror), MEET_EVERY_MS).unref()
    })
  }

  #align(partition: number, theirs: number, sentAt: number, receivedAt: number): void {
    this.#link.answered()
    const first = this.#alignedAt === Number.NEGATIVE_INFINITY
    // In a Cluster each master has its own clock: one of them is followed.
    if (!first && partition !== 0) return
    this.#alignedAt = receivedAt
    // A slow answer says little about when it was given.
    if (first || receivedAt - sentAt <= this.#deadlineMs / 2) this.#alignable?.align(theirs, sentAt, receivedAt)
  }

  /** Without a heartbeat nothing else tells the time. */
  #followTime(mirror: Mirror): void {
    const isOld = this.#clock.monotonic() - this.#alignedAt > ALIGN_EVERY_MS
    if (isOld && Number.isFinite(this.#alignedAt)) mirror.sync().catch(() => {})
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
    this.#onReady()
    void this.#invalidations.retry()
  }

  #report(where: string, cause: unknown): void {
    if (this.#isClosed || (cause instanceof GuardError && cause.fault === 'open')) return
    this.#errors++
    this.#events.emit('error', { where, cause })
  }
}
