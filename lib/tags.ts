import { randomBytes } from 'node:crypto'
import type { Entry } from './entry.ts'
import { matchesGlob } from './glob.ts'
import { isKeyTag } from './key.ts'

/**
 * The ledger of one partition: which tags were invalidated, and when, counted by a sequence number. An entry remembers the
 * number that was current when its fill started; it is right if and only if none of its tags was invalidated at a later one.
 *
 * In a process without Redis the ledger is the authority. With Redis it is a mirror of the server's: it knows every
 * invalidation after `base`, as of the token it was last synchronised to.
 */

/** How many tag records a ledger keeps; beyond, the oldest tenth is dropped, and what they could have judged counts as wrong. */
export const MAX_TAG_RECORDS = 100_000
/** How many pattern records (bans) a ledger keeps. */
export const MAX_BANS = 256
/** How many times are kept of what was softly invalidated again and again. */
export const MAX_SOFT_TIMES = 8
/** The name under which a soft invalidation of everything is recorded; that of a pattern starts with `~`. */
const EVERYTHING = '*'

/** The state a ledger is in: life of the metadata, counter, and a random part so that a rolled-back counter is seen. */
export interface Token {
  readonly incarnation: string
  readonly seq: number
  readonly nonce: string
}

export interface Ban {
  readonly pattern: string
  readonly seq: number
}

export interface TagSeq {
  readonly tag: string
  readonly seq: number
}

/** When something was softly invalidated: at this seq, at this instant (epoch ms). */
export interface SoftTime {
  readonly seq: number
  readonly at: number
}

/** When a tag, a pattern (`~<pattern>`) or everything (`*`) was softly invalidated, the first time first. */
export interface SoftRecord {
  readonly name: string
  readonly times: readonly SoftTime[]
}

/** A write that is under way: while it is marked, what it names is neither served nor kept. */
export interface MarkStep {
  readonly id: string
  /** For how long at most from now (ms); 0 ends it. */
  readonly lifeMs: number
  /** At its end: is to be told whether it was alone. */
  readonly copy?: WriteCopy
}

/** What a write leaves in the cache, if nothing has made any of it wrong since the write began. */
export interface WriteCopy {
  readonly tags: readonly string[]
  /** Where the ledger stood when the write was marked. */
  readonly since: Token
}

/** What an invalidation changes. */
export interface LedgerChange {
  readonly tags: readonly string[]
  readonly patterns: readonly string[]
  readonly all: boolean
  /** What is named becomes stale instead of wrong. */
  readonly soft?: boolean
  /** The write that it belongs to begins, goes on or ends with it. */
  readonly mark?: MarkStep
}

/** What of an entry decides whether it is still right. */
export type Judged = Pick<Entry, 'kind' | 'name' | 'tags' | 'incarnation' | 'seq'>

export type Validity = 'valid' | 'invalid' | 'unknown'

export class TagLedger {
  #token: Token
  /** Invalidations at or before this are not recorded here: older entries cannot be judged. */
  #base: number
  /** Entries older than this are wrong: records that would have judged them were dropped. */
  #floor = 0
  /** Fills that began before this are refused, for the same reason; what is kept already was judged in time. */
  #fillFloor = 0
  readonly #areKeysDropped: boolean
  readonly #tags = new Map<string, number>()
  #bans: readonly Ban[] = []
  /** When what was made stale, by name; the latest last. */
  readonly #softs = new Map<string, readonly SoftTime[]>()
  #softPatterns: readonly string[] = []
  /** The latest seq in them: an entry of this seq or a later one is not concerned. */
  #softSeq = 0
  /** Invalidations announced but not yet confirmed: what they name is wrong whatever its seq. */
  readonly #held = new Set<LedgerChange>()
  /** The same for soft ones, and since when (epoch ms) what they name is stale. */
  readonly #softHeld = new Map<LedgerChange, number>()
  /** Ends the hold on what a write under way names, by its id. */
  readonly #marks = new Map<string, () => void>()
  #stamp: object = {}
  /** When somebody last asked and got no answer (monotonic ms). */
  #doubtedAt = Number.NEGATIVE_INFINITY
  /** L1 entries may be served until here (monotonic ms); always, where this ledger is the authority. */
  provenUntil: number = Number.POSITIVE_INFINITY

  /**
   * `areKeysDropped`: whoever keeps the entries drops that of an invalidated service key at once, so that the record of it only
   * concerns fills in flight. Else 100,000 keys that are set would make everything wrong that was set before them.
   */
  constructor(
    token: Token = { incarnation: randomBytes(8).toString('hex'), seq: 0, nonce: randomBytes(4).toString('hex') },
    { areKeysDropped = false }: { readonly areKeysDropped?: boolean } = {},
  ) {
    this.#token = token
    this.#base = token.seq
    this.#areKeysDropped = areKeysDropped
  }

  get token(): Token {
    return this.#token
  }

  /** Changes identity whenever something was invalidated: an entry judged under the same stamp needs no second look. */
  get stamp(): object {
    return this.#stamp
  }

  get records(): number {
    return this.#tags.size + this.#bans.length + this.#softs.size
  }

  /** Is an entry still right? `unknown` where the answer lies before what this ledger has seen, or after. */
  judge(entry: Judged): Validity {
    if (entry.incarnation !== this.#token.incarnation || entry.seq < this.#floor) return 'invalid'
    if (this.isHeld(entry)) return 'invalid'
    if (entry.seq === this.#token.seq) return 'valid'
    if (entry.seq > this.#token.seq || entry.seq < this.#base) return 'unknown'
    for (const tag of entry.tags) {
      const seq = this.#tags.get(tag)
      if (seq !== undefined && seq > entry.seq) return 'invalid'
    }
    for (const ban of this.#bans) if (ban.seq > entry.seq && matches(ban.pattern, entry)) return 'invalid'
    return 'valid'
  }

  /** The same for what a fill brings, which nobody has judged before. */
  judgeFill(entry: Judged): Validity {
    return entry.seq < this.#fillFloor ? 'invalid' : this.judge(entry)
  }

  /** Has nothing that a write leaves been made wrong since it began? Patterns, and what is soft, count whatever they name. */
  isUntouched({ tags, since: { incarnation, seq } }: WriteCopy): boolean {
    if (incarnation !== this.#token.incarnation || seq < Math.max(this.#base, this.#floor, this.#fillFloor))
      return false
    if (this.#softSeq > seq || this.#bans.some((ban) => ban.seq > seq)) return false
    return tags.every((tag) => (this.#tags.get(tag) ?? 0) <= seq)
  }

  /** Is an entry wrong whatever its seq: because a write that names it is under way, or its invalidation not confirmed? */
  isHeld(entry: Judged): boolean {
    for (const change of this.#held) if (names(change, entry)) return true
    return false
  }

  /** A right entry as it may be used: itself, or a copy that went stale when what it carries was softly invalidated. */
  soften(entry: Entry): Entry {
    const isConcerned = entry.seq < this.#softSeq || this.#softHeld.size > 0
    // An index is never served; what it leads to is judged by itself.
    if (!isConcerned || entry.kind === 'variants') return entry
    return staleSince(entry, this.#staleSince(entry))
  }

  /**
   * Invalidate as the authority: the counter moves, and everything named is wrong from now on, or stale since `now` (epoch ms).
   */
  invalidate(change: LedgerChange, now: number = 0): void {
    const { mark } = change
    if (mark !== undefined && mark.lifeMs > 0) this.mark(mark.id, change)
    const nonce = randomBytes(4).toString('hex')
    if (change.all && change.soft !== true) {
      this.reset({ incarnation: randomBytes(8).toString('hex'), seq: 0, nonce })
    } else {
      this.apply(change, { incarnation: this.#token.incarnation, seq: this.#token.seq + 1, nonce }, this.#floor, now)
    }
    if (mark?.lifeMs === 0) this.unmark(mark.id)
  }

  /** Take over the one invalidation between the present token and `token`; a soft one was at `now` (epoch ms). */
  apply(change: LedgerChange, token: Token, floor: number, now: number): void {
    const { seq } = token
    if (change.soft === true) {
      const times = [{ seq, at: now }]
      this.advance(
        token,
        [],
        [],
        floor,
        softNames(change).map((name) => ({ name, times })),
      )
      return
    }
    this.advance(
      token,
      change.tags.map((tag) => ({ tag, seq })),
      change.patterns.map((pattern) => ({ pattern, seq })),
      floor,
    )
  }

  /** Take over what was invalidated between the present token and `token`. */
  advance(
    token: Token,
    tags: readonly TagSeq[],
    bans: readonly Ban[],
    floor: number,
    softs: readonly SoftRecord[] = [],
  ): void {
    this.#token = token
    this.#floor = Math.max(this.#floor, floor)
    for (const { tag, seq } of tags) {
      this.#tags.delete(tag)
      this.#tags.set(tag, seq)
    }
    if (bans.length > 0) this.#bans = [...this.#bans, ...bans]
    for (const record of softs) this.#addSoft(record)
    if (softs.some(({ name }) => name.startsWith('~')))
      this.#softPatterns = [...this.#softs.keys()].filter((name) => name.startsWith('~'))
    this.#trim()
    this.#stamp = {}
  }

  /** Start over at `token`: nothing before it is known here. */
  reset(token: Token, floor = 0): void {
    this.#token = token
    this.#base = token.seq
    this.#floor = floor
    this.#fillFloor = 0
    this.#tags.clear()
    this.#bans = []
    this.#softs.clear()
    this.#softPatterns = []
    this.#softSeq = 0
    this.#stamp = {}
  }

  /**
   * Treat everything named as wrong until released, or as stale since `now` (epoch ms) where it is soft; fills that end meanwhile
   * are refused, or stale.
   */
  hold(change: LedgerChange, now: number = 0): () => void {
    // Each hold is one of its own, also where the same is held twice.
    const held = { ...change }
    if (change.soft === true) this.#softHeld.set(held, now)
    else this.#held.add(held)
    this.#stamp = {}
    return () => {
      this.#held.delete(held)
      this.#softHeld.delete(held)
    }
  }

  /** Treat everything named as wrong as long as this write is under way. */
  mark(id: string, change: LedgerChange): void {
    const release = this.#marks.get(id)
    this.#marks.set(id, this.hold({ tags: change.tags, patterns: change.patterns, all: change.all }))
    release?.()
  }

  /** This write is over. */
  unmark(id: string): void {
    this.#marks.get(id)?.()
    this.#marks.delete(id)
  }

  #staleSince(entry: Entry): number {
    let since = Number.POSITIVE_INFINITY
    const consider = (name: string): void => {
      const time = this.#softs.get(name)?.find(({ seq }) => seq > entry.seq)
      if (time !== undefined) since = Math.min(since, time.at)
    }
    consider(EVERYTHING)
    for (const tag of entry.tags) consider(tag)
    for (const name of this.#softPatterns) if (matches(name.slice(1), entry)) consider(name)
    for (const [change, at] of this.#softHeld) if (names(change, entry)) since = Math.min(since, at)
    return since
  }

  #addSoft({ name, times }: SoftRecord): void {
    const known = this.#softs.get(name) ?? []
    const last = known.at(-1)?.seq ?? 0
    this.#softs.delete(name)
    this.#softs.set(name, times.filter(({ seq }) => seq > last).reduce(withSoftTime, known))
    this.#softSeq = Math.max(this.#softSeq, times.at(-1)?.seq ?? 0)
  }

  /** Somebody who asked has got no answer at `at` (monotonic ms): nothing says what had been invalidated until then. */
  doubt(at: number): void {
    this.#doubtedAt = at
  }

  /** Whether a flight that began at `at` (monotonic ms) is known to be right as far as this ledger says so: nothing is in doubt since. */
  isCertainSince(at: number): boolean {
    return at >= this.#doubtedAt
  }

  #trim(): void {
    if (this.#tags.size > MAX_TAG_RECORDS) {
      let surplus = this.#tags.size - Math.floor(MAX_TAG_RECORDS * 0.9)
      for (const [tag, seq] of this.#tags) {
        if (surplus-- <= 0) break
        this.#tags.delete(tag)
        if (this.#areKeysDropped && isKeyTag(tag)) this.#fillFloor = Math.max(this.#fillFloor, seq)
        else this.#floor = Math.max(this.#floor, seq)
      }
    }
    if (this.#softs.size - this.#softPatterns.length > MAX_TAG_RECORDS) {
      const names = [...this.#softs.keys()].filter((name) => !name.startsWith('~'))
      this.#dropSofts(names.slice(0, names.length - Math.floor(MAX_TAG_RECORDS * 0.9)))
    }
    if (this.#softPatterns.length > MAX_BANS) {
      this.#dropSofts(this.#softPatterns.slice(0, -MAX_BANS))
      this.#softPatterns = this.#softPatterns.slice(-MAX_BANS)
    }
    const surplus = this.#bans.length - MAX_BANS
    if (surplus > 0) {
      for (const ban of this.#bans.slice(0, surplus)) this.#floor = Math.max(this.#floor, ban.seq)
      this.#bans = this.#bans.slice(surplus)
    }
  }

  #dropSofts(names: readonly string[]): void {
    for (const name of names) {
      this.#floor = Math.max(this.#floor, this.#softs.get(name)?.at(-1)?.seq ?? 0)
      this.#softs.delete(name)
    }
  }
}

/** A copy of an entry that is stale since then (epoch ms), its windows as long as before; the entry itself if it was stale already. */
export function staleSince(entry: Entry, since: number): Entry {
  if (since >= entry.staleAt) return entry
  return { ...entry, staleAt: since, deleteAt: Math.min(entry.deleteAt, since + entry.deleteAt - entry.staleAt) }
}

/**
 * Times with one more. Of too many the two that lie closest for their age become one, with the seq of the later and the time of
 * the earlier: no entry is taken for less stale than it is.
 */
export function withSoftTime(times: readonly SoftTime[], time: SoftTime): readonly SoftTime[] {
  const all = [...times, time]
  if (all.length <= MAX_SOFT_TIMES) return all
  const shares = times.map(({ at }, index) => ((all[index + 1]?.at ?? at) - at) / (time.at - at + 1))
  const closest = shares.indexOf(Math.min(...shares))
  const merged = { seq: all[closest + 1]?.seq ?? time.seq, at: all[closest]?.at ?? time.at }
  return [...all.slice(0, closest), merged, ...all.slice(closest + 2)]
}

function softNames({ tags, patterns, all }: LedgerChange): readonly string[] {
  return [...tags, ...patterns.map((pattern) => `~${pattern}`), ...(all ? [EVERYTHING] : [])]
}

function names(change: LedgerChange, entry: Judged): boolean {
  if (change.all) return true
  for (const tag of entry.tags) if (change.tags.includes(tag)) return true
  for (const pattern of change.patterns) if (matches(pattern, entry)) return true
  return false
}

/** A pattern that starts with `/` speaks of path and query of responses, any other of service keys. */
function matches(pattern: string, entry: Judged): boolean {
  return pattern.startsWith('/') === (entry.kind !== 'value') && matchesGlob(pattern, entry.name)
}
