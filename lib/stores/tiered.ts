import type { Clock } from '../clock.ts'
import { type Entry, isFresh } from '../entry.ts'
import type { TagLedger, Token } from '../tags.ts'
import type { MemoryStore } from './memory.ts'
import type { RedisStore } from './redis.ts'
import type {
  Awaitable,
  Claim,
  ClaimResult,
  EntryPage,
  FillLease,
  InvalidationOptions,
  InvalidationReceipt,
  InvalidationTargets,
  ListOptions,
  SetResult,
  Store,
  StoreStats,
} from './store.ts'

export interface TieredStoreOptions {
  readonly memory: MemoryStore
  readonly redis: RedisStore
  readonly clock: Required<Clock>
  /** For how long (ms) memory may answer beyond its lease while Redis is away; weakens the promise by exactly that. */
  readonly staleIfRedisDown: number
}

/**
 * Memory in front of Redis. Memory answers without asking while this process can prove that its mirror of the ledger is
 * current (the L1 lease); otherwise the mirror is confirmed first, and with Redis away the handler answers.
 */
export class TieredStore implements Store {
  readonly name = 'tiered'
  readonly copies = false
  readonly #memory: MemoryStore
  readonly #redis: RedisStore
  readonly #clock: Required<Clock>
  readonly #grace: number

  constructor({ memory, redis, clock, staleIfRedisDown }: TieredStoreOptions) {
    this.#memory = memory
    this.#redis = redis
    this.#clock = clock
    this.#grace = staleIfRedisDown
  }

  ledger(key: string): TagLedger {
    return this.#redis.ledger(key)
  }

  asOf(): (key: string) => Token {
    return this.#redis.asOf()
  }

  get(key: string, now: number = this.#clock.now()): Awaitable<Entry | undefined> {
    const entry = this.peek(key, now)
    if (entry !== undefined && isFresh(entry, now)) return entry
    // What is stale here another process may have made anew.
    return this.#redis.reachable ? this.#read(key) : entry
  }

  peek(key: string, now?: number): Entry | undefined {
    const entry = this.#isProven(key) ? this.#memory.get(key, now) : undefined
    if (entry !== undefined) this.#redis.keepAlive()
    return entry
  }

  reread(key: string): Awaitable<Entry | undefined> {
    return this.#redis.reachable ? this.#fetch(key) : this.peek(key)
  }

  /** With Redis away the mirror is good enough for as long as memory may answer. */
  judge(entry: Entry): Awaitable<Entry | undefined> {
    if (this.#redis.reachable) return this.#redis.judge(entry)
    return this.#isProven(entry.key) ? this.#memory.judge(entry) : undefined
  }

  async #read(key: string): Promise<Entry | undefined> {
    const isKnown = this.#memory.has(key) && (this.#isProven(key) || (await this.#redis.confirm(key)))
    const entry = isKnown ? this.#memory.get(key) : undefined
    if (entry !== undefined && isFresh(entry, this.#clock.now())) return entry
    return (await this.#fetch(key)) ?? (this.#isProven(key) ? this.#memory.get(key) : undefined)
  }

  async #fetch(key: string): Promise<Entry | undefined> {
    const entry = await this.#redis.get(key)
    if (entry !== undefined) this.#keep(entry)
    return entry
  }

  set(entry: Entry, lease?: FillLease): Awaitable<SetResult> {
    // Sound before Redis has answered: memory serves it only under a proven mirror, and an invalidation elsewhere is
    // acknowledged only when that proof has ended.
    this.#keep(entry)
    return this.#write(entry, lease)
  }

  async #write(entry: Entry, lease: FillLease | undefined): Promise<SetResult> {
    const result = await this.#redis.set(entry, lease)
    if (result === 'invalidated' || result === 'fenced') this.#memory.evict([entry.key])
    return result
  }

  enrich(entry: Entry): boolean {
    return this.#memory.enrich(entry)
  }

  acquire(claim: Claim): Awaitable<ClaimResult> {
    return this.#redis.acquire(claim)
  }

  release(lease: FillLease, unsharedMs: number): void {
    this.#redis.release(lease, unsharedMs)
  }

  async touch(key: string, staleAt: number, deleteAt: number): Promise<boolean> {
    this.#memory.evict([key])
    const touched = await this.#redis.touch(key, staleAt, deleteAt)
    // A read in between may have brought the entry back with its old end.
    this.#memory.evict([key])
    return touched
  }

  async evict(keys: readonly string[]): Promise<void> {
    this.#memory.evict(keys)
    await this.#redis.evict(keys)
  }

  invalidate(targets: InvalidationTargets, options: InvalidationOptions): Awaitable<InvalidationReceipt> {
    if (targets.all && options.soft !== true) this.#memory.clear()
    return this.#redis.invalidate(targets, options)
  }

  list(options: ListOptions): Awaitable<EntryPage> {
    return this.#redis.reachable ? this.#redis.list(options) : this.#memory.list(options)
  }

  /** The figures of memory: its bytes are this process's to bound. */
  stats(): StoreStats {
    return this.#memory.stats()
  }

  async close(): Promise<void> {
    this.#memory.close()
    await this.#redis.close()
  }

  #keep(entry: Entry): void {
    if (this.#memory.set(entry) === 'stored') this.#redis.keepAlive()
  }

  #isProven(key: string): boolean {
    const grace = this.#grace > 0 && !this.#redis.reachable ? this.#grace : 0
    return this.#clock.monotonic() < this.#redis.ledger(key).provenUntil + grace
  }
}
