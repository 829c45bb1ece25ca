import { randomBytes } from 'node:crypto'
import type { Entry } from './entry.ts'
import { matchesGlob } from './glob.ts'

/**
 * The ledger of one partition: which tags were invalidated, and when, counted by a sequence number. An entry remembers the
 * number that was current when its fill started; it is right if and only if none of its tags was invalidated at a later one.
 *
 * In a process without Redis the ledger is the authority. With Redis it is a mirror of the server's: it knows every
 * invalidation after `base`, as of the token it was last synchronised to.
 */

/** How many tag records a ledger keeps; beyond, the oldest tenth is dropped and `floor` rises. */
export const MAX_TAG_RECORDS = 100_000
/** How many pattern records (bans) a ledger keeps. */
export const MAX_BANS = 256

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

/** What an invalidation changes. */
export interface LedgerChange {
  readonly tags: readonly string[]
  readonly patterns: readonly string[]
  readonly all: boolean
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
  readonly #tags = new Map<string, number>()
  #bans: readonly Ban[] = []
  /** Invalidations announced but not yet confirmed: what they name is wrong whatever its seq. */
  readonly #held = new Set<LedgerChange>()
  #stamp: object = {}
  /** L1 entries may be served until here (monotonic ms); always, where this ledger is the authority. */
  provenUntil: number = Number.POSITIVE_INFINITY

  constructor(
    token: Token = { incarnation: randomBytes(8).toString('hex'), seq: 0, nonce: randomBytes(4).toString('hex') },
  ) {
    this.#token = token
    this.#base = token.seq
  }

  get token(): Token {
    return this.#token
  }

  /** Changes identity whenever something was invalidated: an entry judged under the same stamp needs no second look. */
  get stamp(): object {
    return this.#stamp
  }

  get records(): number {
    return this.#tags.size + this.#bans.length
  }

  /** Is an entry still right? `unknown` where the answer lies before what this ledger has seen, or after. */
  judge(entry: Judged): Validity {
    if (entry.incarnation !== this.#token.incarnation || entry.seq < this.#floor) return 'invalid'
    for (const change of this.#held) if (names(change, entry)) return 'invalid'
    if (entry.seq === this.#token.seq) return 'valid'
    if (entry.seq > this.#token.seq || entry.seq < this.#base) return 'unknown'
    for (const tag of entry.tags) {
      const seq = this.#tags.get(tag)
      if (seq !== undefined && seq > entry.seq) return 'invalid'
    }
    for (const ban of this.#bans) if (ban.seq > entry.seq && matches(ban.pattern, entry)) return 'invalid'
    return 'valid'
  }

  /** Invalidate as the authority: the counter moves, and everything named is wrong from now on. */
  invalidate(change: LedgerChange): void {
    const nonce = randomBytes(4).toString('hex')
    if (change.all) {
      this.reset({ incarnation: randomBytes(8).toString('hex'), seq: 0, nonce })
      return
    }
    const seq = this.#token.seq + 1
    this.advance(
      { incarnation: this.#token.incarnation, seq, nonce },
      change.tags.map((tag) => ({ tag, seq })),
      change.patterns.map((pattern) => ({ pattern, seq })),
      this.#floor,
    )
  }

  /** Take over what was invalidated between the present token and `token`. */
  advance(token: Token, tags: readonly TagSeq[], bans: readonly Ban[], floor: number): void {
    this.#token = token
    this.#floor = Math.max(this.#floor, floor)
    for (const { tag, seq } of tags) {
      this.#tags.delete(tag)
      this.#tags.set(tag, seq)
    }
    if (bans.length > 0) this.#bans = [...this.#bans, ...bans]
    this.#trim()
    this.#stamp = {}
  }

  /** Start over at `token`: nothing before it is known here. */
  reset(token: Token, floor = 0): void {
    this.#token = token
    this.#base = token.seq
    this.#floor = floor
    this.#tags.clear()
    this.#bans = []
    this.#stamp = {}
  }

  /** Treat everything named as wrong until released; fills that end meanwhile are refused. */
  hold(change: LedgerChange): () => void {
    this.#held.add(change)
    this.#stamp = {}
    return () => {
      this.#held.delete(change)
    }
  }

  #trim(): void {
    if (this.#tags.size > MAX_TAG_RECORDS) {
      let surplus = this.#tags.size - Math.floor(MAX_TAG_RECORDS * 0.9)
      for (const [tag, seq] of this.#tags) {
        if (surplus-- <= 0) break
        this.#tags.delete(tag)
        this.#floor = Math.max(this.#floor, seq)
      }
    }
    const surplus = this.#bans.length - MAX_BANS
    if (surplus > 0) {
      for (const ban of this.#bans.slice(0, surplus)) this.#floor = Math.max(this.#floor, ban.seq)
      this.#bans = this.#bans.slice(surplus)
    }
  }
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
