import type { LedgerChange, TagLedger } from '../tags.ts'

/** A write under way, as the server tells of it. */
export interface MarkedWrite {
  readonly id: string
  /** How long it may still be under way without being renewed (ms). */
  readonly leftMs: number
  readonly change: LedgerChange
}

export interface MarksOptions {
  readonly ledger: TagLedger
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
  /** The time of a write is over: ask the server, which ends it. */
  readonly onDue: () => Promise<unknown>
  /** The server does not know a write that is under way: tell it again, or, with nothing left, that it has ended. */
  readonly restore: (write: MarkedWrite) => Promise<unknown>
}

interface Known {
  readonly change: LedgerChange
  /** Monotonic ms. */
  readonly endsAt: number
  /** The incarnation in which the server knew it. */
  readonly seenIn: string | undefined
}

/** A write is asked about so long (ms) after its time is over, and again after pauses no shorter than this. */
const LATE_MS = 10
const PAUSE_MS = 50

/**
 * The writes under way in one partition, its own and those of other processes: the ledger finds wrong what they name. As long as one
 * process knows of a write, a server that forgets it is told again.
 */
export class Marks {
  readonly #options: MarksOptions
  readonly #known = new Map<string, Known>()
  /** Those about which a command is on its way. */
  readonly #sending = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: MarksOptions) {
    this.#options = options
  }

  /** A write begins or goes on; the server is about to be told. */
  begin(id: string, change: LedgerChange, lifeMs: number): void {
    this.#sending.add(id)
    this.#know(id, { change, endsAt: this.#options.monotonic() + lifeMs, seenIn: this.#known.get(id)?.seenIn })
    this.#arm()
  }

  /** The server was told, in this incarnation; undefined when it is not sure to have heard. */
  told(id: string, incarnation: string | undefined): void {
    this.#sending.delete(id)
    const known = this.#known.get(id)
    if (known !== undefined && incarnation !== undefined) this.#known.set(id, { ...known, seenIn: incarnation })
  }

  /** A write is over. */
  end(id: string): void {
    this.#known.delete(id)
    this.#options.ledger.unmark(id)
    this.#arm()
  }

  /** Take over what the server knows; what it knew in one of these incarnations, and does not any more, has ended. */
  take(writes: readonly MarkedWrite[], incarnation: string, past: readonly string[]): void {
    const now = this.#options.monotonic()
    const present = new Set(writes.map(({ id }) => id))
    for (const [id, { seenIn }] of this.#known) {
      if (seenIn !== undefined && past.includes(seenIn) && !present.has(id)) this.end(id)
    }
    for (const { id, change, leftMs } of writes) this.#know(id, { change, endsAt: now + leftMs, seenIn: incarnation })
    this.#arm()
  }

  /** An incarnation was ended on purpose, here: what was known in it is known in the one that follows. */
  carry(from: string, to: string): void {
    for (const [id, known] of this.#known) if (known.seenIn === from) this.#known.set(id, { ...known, seenIn: to })
  }

  /** Tell the server of what it has forgotten, if anything. */
  restore(incarnation: string): void {
    const now = this.#options.monotonic()
    for (const [id, { change, endsAt, seenIn }] of this.#known) {
      if (seenIn === incarnation || this.#sending.has(id)) continue
      this.#options.restore({ id, change, leftMs: Math.max(0, Math.ceil(endsAt - now)) }).catch(() => {})
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #know(id: string, write: Known): void {
    this.#known.set(id, write)
    this.#options.ledger.mark(id, write.change)
  }

  #arm(): void {
    clearTimeout(this.#timer)
    if (this.#known.size === 0 || this.#isClosed) return
    const endsAt = Math.min(...[...this.#known.values()].map((write) => write.endsAt))
    const delay = Math.max(PAUSE_MS, endsAt + LATE_MS - this.#options.monotonic())
    this.#timer = setTimeout(() => {
      void this.#options
        .onDue()
        .catch(() => {})
        .then(() => this.#arm())
    }, delay).unref()
  }
}
