import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Entry } from '../entry.ts'
import { type LedgerChange, type SoftRecord, TagLedger, type Token } from '../tags.ts'
import type { Keys } from './redis-keys.ts'
import { registeredLease } from './redis-ledger-scripts.ts'
import type { SendCommand } from './redis-link.ts'
import { type MarkedWrite, Marks } from './redis-marks.ts'
import type { ScriptRunner } from './redis-script-runner.ts'

/** What an invalidation has reached on the server, and whom it has yet to reach. */
export interface Reached {
  readonly token: Token
  /** Until when (monotonic ms) processes that the registry does not name may serve from memory without knowing. */
  readonly blindUntil: number
  /** Until when (monotonic ms) each other process may, by its name in the registry. */
  readonly processes: ReadonlyMap<string, number>
  /** The write that ended with it was alone. */
  readonly wasAlone: boolean
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
  readonly keys: Keys
  readonly send: SendCommand
  readonly clock: Required<Clock>
  /** This process in the registry of leases. */
  readonly nodeId: string
  readonly leaseMs: number
  /** When a connection last took the place of an earlier one (monotonic ms). */
  readonly relinkedAt: () => number
  /** Told what Redis `TIME` (epoch ms) was between two monotonic instants. */
  readonly onTime: (theirs: number, sentAt: number, receivedAt: number) => void
  /** For what the mirror tells the other processes of its own accord. */
  readonly announcement: () => Announcement
}

/** Runs the script that invalidates, with these keys and arguments. */
export type RunInvalidate = (keys: readonly string[], args: readonly string[]) => Promise<unknown>

/** What the server says of an entry that is right: up to which seq, and since when (epoch ms) it is stale by a soft invalidation. */
export interface Checked {
  readonly seq: number
  readonly staleSince: number | undefined
}

/** The clock follows Redis in steps back no greater than this (ms): what was made stale must not become fresh by one. */
const CLOCK_STEP_MS = 100
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
  readonly #marks: Marks
  readonly #past = new Set<string>()
  /** Tokens of this incarnation that the mirror has stood at or passed: seq -> nonce, oldest first. */
  readonly #passed = new Map<number, string>()
  /** When a lease was last asked for (monotonic ms). */
  #leaseSentAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #next: { lease: boolean; rotate: boolean; promise: Promise<void> } | undefined

  constructor(options: MirrorOptions) {
    this.#options = options
    this.#marks = new Marks({
      ledger: this.ledger,
      monotonic: () => options.clock.monotonic(),
      onDue: () => this.sync(),
      restore: ({ id, change, leftMs }) =>
        this.invalidate({ ...change, mark: { id, lifeMs: leftMs } }, options.announcement()),
    })
    // The server's word is needed before anything in memory may be served.
    this.ledger.provenUntil = Number.NEGATIVE_INFINITY
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

  /** Whether the server still has the history that this token is part of; what it has lost is healed. */
  async stillHas({ incarnation }: Token): Promise<boolean> {
    await this.sync()
    return incarnation === this.ledger.token.incarnation
  }

  /** Write to the metadata as a heartbeat would, without taking over anything: whoever answers this can be used. */
  probe(scripts: ScriptRunner): Promise<unknown> {
    return scripts.run('sync', this.#options.keys.metadata, this.#syncArgs({ lease: true, rotate: false }))
  }

  /** Invalidate on the server and here, and announce it to the other processes. `run`: by another way than the client's. */
  async invalidate(
    change: LedgerChange,
    announcement: Announcement,
    {
      deadlineMs,
      run = this.#runInvalidate(deadlineMs),
    }: { readonly deadlineMs?: number; readonly run?: RunInvalidate } = {},
  ): Promise<Reached> {
    const { mark } = change
    if (mark === undefined) return this.#invalidate(change, announcement, deadlineMs, run)
    if (mark.lifeMs > 0) this.#marks.begin(mark.id, change, mark.lifeMs)
    else this.#marks.end(mark.id)
    let incarnation: string | undefined
    try {
      const reached = await this.#invalidate(change, announcement, deadlineMs, run)
      incarnation = reached.token.incarnation
      // A heartbeat that was answered meanwhile has told of it once more.
      if (mark.lifeMs === 0) this.#marks.end(mark.id)
      return reached
    } finally {
      this.#marks.told(mark.id, incarnation)
    }
  }

  async #invalidate(
    change: LedgerChange,
    { nonce, channel }: Announcement,
    deadlineMs: number | undefined,
    run: RunInvalidate,
  ): Promise<Reached> {
    const { keys, nodeId, leaseMs, partition, clock } = this.#options
    const { tags, patterns, all, soft, mark } = change
    const args = [newIncarnation(), nonce, nodeId, String(leaseMs), bit(all), channel, String(partition), bit(soft)]
    const marked = mark === undefined ? '' : `${mark.id} ${JSON.stringify({ tags, patterns, all })}`
    args.push(marked, String(mark?.lifeMs ?? 0))
    args.push(String(tags.length), ...tags, String(patterns.length), ...patterns)
    if (mark?.copy !== undefined) {
      const { tags: left, since } = mark.copy
      args.push(since.incarnation, String(since.seq), since.nonce, String(left.length), ...left)
    }
    const sentAt = clock.now()
    let reply: InvalidateReply
    try {
      reply = (await run(keys.metadata, args)) as InvalidateReply
    } catch (error) {
      // A server that cannot keep a mark must not be taken for one that does.
      if (!isOutOfMemory(error) || (mark !== undefined && mark.lifeMs > 0)) throw error
      return this.#forget(deadlineMs)
    }
    const answeredAt = clock.monotonic()
    await this.#apply(change, reply, sentAt)
    const [incarnation, seq, , , , , , blindMs, others, alone] = reply
    return {
      token: { incarnation, seq: Number(seq), nonce },
      // A server that is another one than before may not have heard of the latest leases.
      blindUntil: Math.max(answeredAt + Number(blindMs), this.#options.relinkedAt() + registeredLease(leaseMs)),
      processes: new Map(
        pairs(others === '' ? [] : others.split(' ')).map(({ name, seq: leftMs }) => [name, answeredAt + leftMs]),
      ),
      wasAlone: alone === '1',
    }
  }

  /** Ask the server about an entry that this mirror cannot judge; undefined when it is not right. */
  async check(entry: Entry, deadlineMs: number): Promise<Checked | undefined> {
    const { keys, send, clock } = this.#options
    const args = [entry.incarnation, String(entry.seq), entry.kind === 'value' ? '1' : '0', entry.name]
    args.push(String(entry.tags.length), ...entry.tags)
    const sentAt = clock.now()
    const reply = await send((_, scripts) => scripts.run('check', keys.judging, args), deadlineMs)
    if (!Array.isArray(reply)) return undefined
    const [seq, staleMs] = reply.map(Number) as [number, number]
    return { seq, staleSince: staleMs < 0 ? undefined : sentAt - staleMs - CLOCK_STEP_MS }
  }

  /** Treat everything named as wrong, or stale, until released. */
  hold(change: LedgerChange): () => void {
    return this.ledger.hold(change, this.#options.clock.now() - CLOCK_STEP_MS)
  }

  /** Stop the timer. */
  close(): void {
    this.#marks.close()
  }

  #runInvalidate(deadlineMs: number | undefined): RunInvalidate {
    return (keys, args) => this.#options.send((_, scripts) => scripts.run('invalidate', keys, args), deadlineMs)
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
    const { keys, leaseMs, clock, send, onTime } = this.#options
    let rotating = rotate
    for (let attempt = 0; attempt < MAX_SYNCS; attempt++) {
      const known = this.ledger.token
      const args = this.#syncArgs({ lease, rotate: rotating })
      const sentAt = clock.monotonic()
      if (lease) this.#leaseSentAt = sentAt
      const reply = (await send((_, scripts) => scripts.run('sync', keys.metadata, args))) as SyncReply
      onTime(Number(reply[5]), sentAt, clock.monotonic())
      rotating = this.#past.has(reply[1])
      // An invalidation of ours was answered meanwhile, or a lost incarnation has come back: ask again.
      if (this.ledger.token !== known || rotating) continue
      // What the clock showed when it was asked, after what it has just been told.
      this.#take(reply, clock.now() - (clock.monotonic() - sentAt))
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

  /** `sentAt`: when it was asked for (epoch ms). */
  #take(reply: SyncReply, sentAt: number): void {
    const [status, incarnation, seq, nonce, floor, timeMs, tags, bans, nonces, softs, writes, markers] = reply
    const token: Token = { incarnation, seq: Number(seq), nonce }
    if (status === 'reset') this.#reset(token, Number(floor))
    if (status === 'delta') {
      this.ledger.advance(
        token,
        pairs(tags).map(({ name, seq: at }) => ({ tag: name, seq: at })),
        pairs(bans).map(({ name, seq: at }) => ({ pattern: name, seq: at })),
        Number(floor),
        softRecords(softs, token, Number(timeMs) - sentAt + CLOCK_STEP_MS),
      )
    }
    const past = markers.map((marker) => marker.slice(1))
    if (status !== 'same') this.#marks.take(markedWrites(writes), incarnation, past)
    this.#marks.restore(incarnation)
    const passed = nonces.split(',')
    for (const [index, known] of passed.entries()) this.#pass(token.seq - passed.length + 1 + index, known)
  }

  async #apply(change: LedgerChange, reply: InvalidateReply, sentAt: number): Promise<void> {
    const [incarnation, seqText, nonce, floor, prevIncarnation, prevSeq, prevNonce] = reply
    const seq = Number(seqText)
    const known = this.ledger.token
    if (known.incarnation === prevIncarnation && known.seq === Number(prevSeq) && known.nonce === prevNonce) {
      if (incarnation !== prevIncarnation) {
        this.#reset({ incarnation, seq, nonce }, Number(floor))
        this.#marks.carry(prevIncarnation, incarnation)
        return
      }
      this.ledger.apply(change, { incarnation, seq, nonce }, Number(floor), sentAt - CLOCK_STEP_MS)
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
  async #forget(deadlineMs: number | undefined): Promise<Reached> {
    const { keys, send, clock, leaseMs } = this.#options
    await send((client) => client.unlink(keys.token), deadlineMs)
    const blindUntil = clock.monotonic() + registeredLease(leaseMs)
    const token = { incarnation: newIncarnation(), seq: 0, nonce: newNonce() }
    this.#reset(token, 0)
    this.ledger.provenUntil = Number.NEGATIVE_INFINITY
    return { token, blindUntil, processes: new Map(), wasAlone: false }
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

/**
 * What the script answers; tags and bans are members and scores by turns, the nonces those up to the seq, softs are names and
 * "seq:time seq:time", writes are "<id> <what they change>" and ms left, markers
 * "@<incarnation>" of those in which these writes were known.
 */
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
  softs: readonly string[],
  writes: readonly string[],
  markers: readonly string[],
]

/**
 * The token after and before; who may not know of it: for how long (ms) unnamed processes, then names and ms by turns; whether the
 * write that ended was alone.
 */
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
  alone: string,
]

function pairs(flat: readonly string[]): readonly { readonly name: string; readonly seq: number }[] {
  const list: { name: string; seq: number }[] = []
  for (let at = 0; at < flat.length; at += 2) list.push({ name: flat[at] as string, seq: Number(flat[at + 1]) })
  return list
}

/** `ahead`: by how much the times of the server are ahead of this process's (ms). */
function softRecords(flat: readonly string[], token: Token, ahead: number): readonly SoftRecord[] {
  return chunks(flat, 2).map(([name = '', text = '']) => {
    const times = text
      .split(' ')
      .filter((part) => part !== '')
      .map((part) => {
        const [seq, at] = part.split(':')
        return { seq: Number(seq), at: Number(at) - ahead }
      })
    // A time that was lost was long ago.
    return { name, times: times.length === 0 ? [{ seq: token.seq, at: 0 }] : times }
  })
}

function markedWrites(flat: readonly string[]): readonly MarkedWrite[] {
  return chunks(flat, 2).map(([mark = '', leftMs]) => {
    const space = mark.indexOf(' ')
    return { id: mark.slice(0, space), leftMs: Number(leftMs), change: changeOf(mark.slice(space + 1)) }
  })
}

/** What cannot be read names everything. */
function changeOf(json: string): LedgerChange {
  try {
    const { tags, patterns, all } = JSON.parse(json) as Partial<LedgerChange>
    if (Array.isArray(tags) && Array.isArray(patterns)) return { tags, patterns, all: all === true }
  } catch {
    // Written by somebody else.
  }
  return { tags: [], patterns: [], all: true }
}

function chunks(flat: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: Math.floor(flat.length / size) }, (_, at) => flat.slice(at * size, (at + 1) * size))
}

function bit(flag: boolean | undefined): string {
  return flag === true ? '1' : '0'
}

function newIncarnation(): string {
  return randomBytes(8).toString('hex')
}

/** The random part of a token. */
export function newNonce(): string {
  return randomBytes(4).toString('hex')
}

/** Does this answer say that the server has no room? */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message)
}
