import type { Entry } from './entry.ts'
import type { Gauge } from './gauge.ts'
import type { StoredResponse } from './http/stored-response.ts'
import type { Flight } from './lease.ts'

/** A body while it is made. */
export interface GrowingBody {
  /** What there is of it. */
  readonly chunks: readonly Buffer[]
  /** How long it will be. */
  readonly length: number
}

/** Somebody who has a response while it is made. */
export interface Follower {
  /** There is more to be had, or it is over. Never throws. */
  advance(): void
}

export interface LiveResponseOptions {
  /** The response without its body; undefined where its variant cannot be named. */
  readonly draft: () => Entry<StoredResponse> | undefined
  readonly body: GrowingBody
  readonly flight: Pick<Flight<unknown>, 'count'>
  /** Bytes of bodies that are shared while they are made. */
  readonly room: Gauge
}

/**
 * A response while it is made: its head is final, its body on the way. Whoever waits for it may begin with what is there and follow
 * at its own pace; the handler that makes it is never held up, nor are the others.
 */
export class LiveResponse {
  readonly kind = 'live'
  readonly body: GrowingBody
  readonly #options: LiveResponseOptions
  #entry: Entry<StoredResponse> | undefined
  #drafted = false
  readonly #followers = new Set<Follower>()
  /** Bytes that count as shared. */
  #held = 0
  #telling = false
  #over = false
  #whole: Buffer | undefined

  constructor(options: LiveResponseOptions) {
    this.#options = options
    this.body = options.body
  }

  /** The response without its body, put together when somebody first asks; undefined where its variant cannot be named. */
  get entry(): Entry<StoredResponse> | undefined {
    if (!this.#drafted) this.#entry = this.#options.draft()
    this.#drafted = true
    return this.#entry
  }

  /** Nothing more will come. */
  get isOver(): boolean {
    return this.#over
  }

  /** The body once it is over; undefined where that was no good end. */
  get whole(): Buffer | undefined {
    return this.#whole
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  /** Whether there is room to share it; what others share already needs none. */
  admits(): boolean {
    return this.#held > 0 || this.#options.room.admits(this.body.length)
  }

  follow(follower: Follower): void {
    if (this.#held === 0 && !this.#over) this.#hold(this.body.length)
    this.#followers.add(follower)
    this.#options.flight.count(1)
  }

  leave(follower: Follower): void {
    if (!this.#followers.delete(follower)) return
    this.#options.flight.count(-1)
    if (!this.isFollowed) this.#hold(0)
  }

  /** There is one more piece. */
  grow(): void {
    this.#tell()
  }

  /** It is over: the whole body, or undefined where it has failed. */
  end(whole: Buffer | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#whole = whole
    this.#hold(0)
    this.#tell()
  }

  #hold(bytes: number): void {
    this.#options.room.add(bytes - this.#held)
    this.#held = bytes
  }

  /** In a turn of its own: the handler waits for nobody, and what it writes in one turn is told once. */
  #tell(): void {
    if (this.#telling || !this.isFollowed) return
    this.#telling = true
    setImmediate(() => {
      this.#telling = false
      for (const follower of this.#followers) follower.advance()
    })
  }
}
