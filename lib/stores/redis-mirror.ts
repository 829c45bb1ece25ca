import { hash, randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Entry } from '../entry.ts'
import { LOCK_WAIT_MS } from '../lease.ts'
import type { RedisClient } from '../redis.ts'
import { type LedgerChange, TagLedger, type Token } from '../tags.ts'
import { registeredLease, type ScriptRunner } from './redis-scripts.ts'
import type { Claim, ClaimResult, FillLease } from './store.ts'

/** Sends one command under the deadline; rejects when it cannot be sent, is late or fails. */
export type SendCommand = <T>(
  command: (client: RedisClient, scripts: ScriptRunner) => Promise<T>,
  deadlineMs?: number,
) => Promise<T>

/** What an invalidation has reached on the server, and whom it has yet to reach. */
export interface Reached {
  readonly token: Token
  /** Until when (monotonic ms) processes that the registry does not name may serve from memory without knowing. */
  readonly blindUntil: number
  /** Until when (monotonic ms) each other process may, by its name in the registry. */
  readonly processes: ReadonlyMap<string, number>
}

/** How an invalidation is announced. */
export interface Announcement {
  /** Random part of the token, made by `newNonce`: known before the server has answered. */
  readonly nonce: string
  readonly channel: string
}

export interface MirrorOptions {
  /** Its number among those of the namespace. */
  readonly partition: number
  /** The hash tag that puts all keys of the partition in one slot. */
  readonly slot: string
  readonly send: SendCommand
  readonly clock: Required<Clock>
  /** This process in the registry of leases. */
  readonly nodeId: string
  readonly leaseMs: number
  /** Told what Redis `TIME` (epoch ms) was between two monotonic instants. */
  readonly onTime: (theirs: number, sentAt: number, receivedAt: number) => void
}

/** What the store script makes of a frame. */
type StoreVerdict = 'stored' | 'invalidated' | 'fenced'

/** How long the server keeps a lease that nobody gives back (ms); whoever waits takes it over long before. */
const LEASE_KEPT_MS = 10 * LOCK_WAIT_MS
/** How many incarnations that have ended are remembered: one that comes back is a server that lost history. */
const MAX_PAST = 64
/** How many of the latest tokens are remembered, to tell what is behind from what was lost. */
const MAX_PASSED = 256
/** How often a sync starts again because the mirror moved meanwhile. */
const MAX_SYNCS = 5

/** What one process knows of the metadata of one partition, and the commands that keep it right. */
export class Mirror {
  readonly ledger: TagLedger = new TagLedger()
  readonly #options: MirrorOptions
  readonly #metadata: readonly [v: string, i: string, n: string, b: string, r: string]
  readonly #past = new Set<string>()
  /** Tokens of this incarnation that the mirror has stood at or passed: seq -> nonce, oldest first. */
  readonly #passed = new Map<number, string>()
  /** When a lease was last asked for (monotonic ms). */
  #leaseSentAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #next: { lease: boolean; rotate: boolean; promise: Promise<void> } | undefined

  constructor(options: MirrorOptions) {
    this.#options = options
    const { slot } = options
    this.#metadata = [`${slot}:v`, `${slot}:i`, `${slot}:n`, `${slot}:b`, `${slot}:r`]
    // The server's word is needed before anything in memory may be served.
    this.ledger.provenUntil = Number.NEGATIVE_INFINITY
  }

  /** Where the token is kept; read together with entries. */
  get tokenKey(): string {
    return this.#metadata[0]
  }

  /** Where the entry of a full key is kept. */
  entryKey(key: string): string {
    return `${this.#options.slot}:e:${hashedKey(key)}`
  }

  /** Where the right to fill a full key is kept. */
  leaseKey(key: string): string {
    return `${this.#options.slot}:l:${hashedKey(key)}`
  }

  /** Whether this mirror stands exactly where the server's token says. */
  isAt(token: string | undefined): boolean {
    const { incarnation, seq, nonce } = this.ledger.token
    return token?.startsWith(`${incarnation}:${seq}:${nonce}:`) === true
  }

  /** Bring the mirror to a token that was just read, or beyond. */
  async catchUp(token: string | undefined): Promise<void> {
    if (this.isAt(token)) return
    if (this.#running !== undefined) {
      await this.#running
      if (this.isAt(token)) return
    }
    await this.sync()
  }

  /** Take over what the server has; a call never gets the answer to a question asked before it. */
  sync({ lease = false, rotate = false }: { readonly lease?: boolean; readonly rotate?: boolean } = {}): Promise<void> {
    if (this.#running === undefined) return this.#start(lease, rotate)
    this.#next ??= { lease: false, rotate: false, promise: this.#running.catch(() => {}).then(() => this.#startNext()) }
    this.#next.lease ||= lease
    this.#next.rotate ||= rotate
    return this.#next.promise
  }

  /** Prove that the mirror is current and hold the lease; memory may be served until it ends. */
  confirm(): Promise<void> {
    return this.sync({ lease: true })
  }

  /**
   * Get to a token that was announced, or beyond; true when everything judged from now on knows of it. A process that holds no
   * lease does not try: nobody waits for it.
   */
  async reach(token: Token): Promise<boolean> {
    if (this.#knows(token)) return true
    const { clock, leaseMs } = this.#options
    if (clock.monotonic() - this.#leaseSentAt > 2 * leaseMs) return false
    await this.sync()
    return this.#knows(token)
  }

  /** Write to the metadata as a heartbeat would, without taking over anything: whoever answers this can be used. */
  probe(scripts: ScriptRunner): Promise<unknown> {
    return scripts.run('sync', this.#metadata, this.#syncArgs({ lease: true, rotate: false }))
  }

  /** Invalidate on the server and here, and announce it to the other processes. */
  async invalidate(change: LedgerChange, { nonce, channel }: Announcement, deadlineMs: number): Promise<Reached> {
    const { nodeId, leaseMs, partition, clock } = this.#options
    const args = [newIncarnation(), nonce, nodeId, String(leaseMs), change.all ? '1' : '0', channel, String(partition)]
    args.push(String(change.tags.length), ...change.tags, String(change.patterns.length), ...change.patterns)
    let reply: InvalidateReply
    try {
      const answer = this.#options.send((_, scripts) => scripts.run('invalidate', this.#metadata, args), deadlineMs)
      reply = (await answer) as InvalidateReply
    } catch (error) {
      if (!isOutOfMemory(error)) throw error
      return this.#forget(deadlineMs)
    }
    const answeredAt = clock.monotonic()
    await this.#apply(change, reply)
    const [incarnation, seq, , , , , , blindMs, others] = reply
    return {
      token: { incarnation, seq: Number(seq), nonce },
      blindUntil: answeredAt + Number(blindMs),
      processes: new Map(
        pairs(others === '' ? [] : others.split(' ')).map(({ name, seq: leftMs }) => [name, answeredAt + leftMs]),
      ),
    }
  }

  /** Keep a frame unless a write, or a newer fill, has overtaken its fill; the lease ends with it. */
  async store(entry: Entry, frame: Buffer, lifetimeMs: number, lease?: FillLease): Promise<StoreVerdict> {
    const [v, i, n, b] = this.#metadata
    const { seq, nonce } = this.ledger.token
    const args = [entry.incarnation, String(entry.seq), String(entry.fence), String(lifetimeMs), frame]
    args.push(entry.kind, entry.name, String(seq), nonce, lease?.token ?? '', String(entry.tags.length), ...entry.tags)
    const keys = [this.entryKey(entry.key), v, i, n, b, this.leaseKey(lease?.key ?? entry.key)]
    return (await this.#options.send((_, scripts) => scripts.run('store', keys, args))) as StoreVerdict
  }

  /** Ask for the right to fill. */
  async acquire({ key, incarnation, seq, seen }: Claim): Promise<ClaimResult> {
    const token = randomBytes(8).toString('hex')
    const [v, , n] = this.#metadata
    const keys = [this.leaseKey(key), n, this.entryKey(key), v]
    const args = [token, String(LOCK_WAIT_MS), String(LEASE_KEPT_MS), incarnation, String(seq), String(seen ?? -1)]
    const reply = await this.#options.send((_, scripts) => scripts.run('acquire', keys, args))
    const [kind, fenceText] = reply as readonly [ClaimResult['kind'], string]
    const fence = Number(fenceText)
    if (kind === 'mine') return { kind, lease: { key, token, fence } }
    return kind === 'filled' ? { kind, fence } : { kind }
  }

  /** Give the right to fill back; `unsharedMs`: how long nobody is to wait for this key. */
  async release({ key, token }: FillLease, unsharedMs: number): Promise<void> {
    await this.#options.send((_, scripts) => scripts.run('release', [this.leaseKey(key)], [token, String(unsharedMs)]))
  }

  /** Ask the server about an entry that this mirror cannot judge: the seq up to which it is right, undefined when it is not. */
  async check(entry: Entry, deadlineMs: number): Promise<number | undefined> {
    const args = [entry.incarnation, String(entry.seq), entry.kind === 'value' ? '1' : '0', entry.name]
    args.push(String(entry.tags.length), ...entry.tags)
    const keys = this.#metadata.slice(0, 4)
    const seq = Number(await this.#options.send((_, scripts) => scripts.run('check', keys, args), deadlineMs))
    return seq < 0 ? undefined : seq
  }

  #start(lease: boolean, rotate: boolean): Promise<void> {
    const run = this.#sync(lease, rotate).finally(() => {
      if (this.#running === run) this.#running = undefined
    })
    this.#running = run
    return run
  }

  #startNext(): Promise<void> {
    const { lease, rotate } = this.#next ?? { lease: false, rotate: false }
    this.#next = undefined
    return this.#start(lease, rotate)
  }

  async #sync(lease: boolean, rotate: boolean): Promise<void> {
    const { leaseMs, clock, send, onTime } = this.#options
    let rotating = rotate
    for (let attempt = 0; attempt < MAX_SYNCS; attempt++) {
      const known = this.ledger.token
      const args = this.#syncArgs({ lease, rotate: rotating })
      const sentAt = clock.monotonic()
      if (lease) this.#leaseSentAt = sentAt
      const reply = (await send((_, scripts) => scripts.run('sync', this.#metadata, args))) as SyncReply
      onTime(Number(reply[5]), sentAt, clock.monotonic())
      rotating = this.#past.has(reply[1])
      // An invalidation of ours was answered meanwhile, or a lost incarnation has come back: ask again.
      if (this.ledger.token !== known || rotating) continue
      this.#take(reply)
      if (lease) this.ledger.provenUntil = sentAt + leaseMs
      return
    }
    throw new Error('The metadata in Redis changes faster than it can be read')
  }

  #syncArgs({ lease, rotate }: { readonly lease: boolean; readonly rotate: boolean }): readonly string[] {
    const { nodeId, leaseMs } = this.#options
    const { incarnation, seq, nonce } = this.ledger.token
    const known = [incarnation, String(seq), nonce]
    return [newIncarnation(), newNonce(), ...known, nodeId, lease ? String(leaseMs) : '0', rotate ? '1' : '0']
  }

  #take(reply: SyncReply): void {
    const [status, incarnation, seq, nonce, floor, , tags, bans, nonces] = reply
    const token: Token = { incarnation, seq: Number(seq), nonce }
    if (status === 'reset') this.#reset(token, Number(floor))
    if (status === 'delta') {
      this.ledger.advance(
        token,
        pairs(tags).map(({ name, seq: at }) => ({ tag: name, seq: at })),
        pairs(bans).map(({ name, seq: at }) => ({ pattern: name, seq: at })),
        Number(floor),
      )
    }
    const passed = nonces.split(',')
    for (const [index, known] of passed.entries()) this.#pass(token.seq - passed.length + 1 + index, known)
  }

  async #apply(change: LedgerChange, reply: InvalidateReply): Promise<void> {
    const [incarnation, seqText, nonce, floor, prevIncarnation, prevSeq, prevNonce] = reply
    const seq = Number(seqText)
    const known = this.ledger.token
    if (known.incarnation === prevIncarnation && known.seq === Number(prevSeq) && known.nonce === prevNonce) {
      if (incarnation !== prevIncarnation) {
        this.#reset({ incarnation, seq, nonce }, Number(floor))
        return
      }
      const tags = change.tags.map((tag) => ({ tag, seq }))
      const bans = change.patterns.map((pattern) => ({ pattern, seq }))
      this.ledger.advance({ incarnation, seq, nonce }, tags, bans, Number(floor))
      this.#pass(seq, nonce)
      return
    }
    try {
      await this.sync()
    } catch {
      // Redis knows it, this mirror does not: nothing in memory is served before the mirror has caught up.
      this.ledger.provenUntil = Number.NEGATIVE_INFINITY
    }
  }

  /** A server that cannot even take an invalidation can still delete: without its token the partition is empty. */
  async #forget(deadlineMs: number): Promise<Reached> {
    const { send, clock, leaseMs } = this.#options
    await send((client) => client.unlink(this.tokenKey), deadlineMs)
    const blindUntil = clock.monotonic() + registeredLease(leaseMs)
    const token = { incarnation: newIncarnation(), seq: 0, nonce: newNonce() }
    this.#reset(token, 0)
    this.ledger.provenUntil = Number.NEGATIVE_INFINITY
    return { token, blindUntil, processes: new Map() }
  }

  #knows({ incarnation, seq, nonce }: Token): boolean {
    if (incarnation !== this.ledger.token.incarnation) return this.#past.has(incarnation)
    // A higher seq alone proves nothing: a server that lost history counts on from where it was.
    return this.#passed.get(seq) === nonce
  }

  #pass(seq: number, nonce: string): void {
    if (nonce === '') return
    this.#passed.set(seq, nonce)
    const [oldest] = this.#passed.keys()
    if (oldest !== undefined && this.#passed.size > MAX_PASSED) this.#passed.delete(oldest)
  }

  #reset(token: Token, floor: number): void {
    const ended = this.ledger.token.incarnation
    this.ledger.reset(token, floor)
    this.#passed.clear()
    this.#pass(token.seq, token.nonce)
    if (ended === token.incarnation) return
    this.#past.add(ended)
    const [oldest] = this.#past
    if (oldest !== undefined && this.#past.size > MAX_PAST) this.#past.delete(oldest)
  }
}

/** What the script answers; tags and bans are members and scores by turns, the nonces those up to the seq. */
type SyncReply = readonly [
  status: 'same' | 'delta' | 'reset',
  incarnation: string,
  seq: string,
  nonce: string,
  floor: string,
  timeMs: string,
  tags: readonly string[],
  bans: readonly string[],
  nonces: string,
]

/** The token after and before, and who may not know of it: for how long (ms) unnamed processes, then names and ms by turns. */
type InvalidateReply = readonly [
  incarnation: string,
  seq: string,
  nonce: string,
  floor: string,
  prevIncarnation: string,
  prevSeq: string,
  prevNonce: string,
  blindMs: string,
  others: string,
]

function pairs(flat: readonly string[]): readonly { readonly name: string; readonly seq: number }[] {
  const list: { name: string; seq: number }[] = []
  for (let at = 0; at < flat.length; at += 2) list.push({ name: flat[at] as string, seq: Number(flat[at + 1]) })
  return list
}

/** 128 bits of the full key: short keys in Redis, whatever the length of a URL. */
export function hashedKey(key: string): string {
  return hash('sha256', key, 'buffer').subarray(0, 16).toString('base64url')
}

function newIncarnation(): string {
  return randomBytes(8).toString('hex')
}

/** The random part of a token. */
export function newNonce(): string {
  return randomBytes(4).toString('hex')
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message)
}
