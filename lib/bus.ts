import type { RedisClient } from './redis.ts'
import type { Token } from './tags.ts'

/**
 * Tells other processes that something was invalidated, never what, and tells whoever invalidated that they have heard of it.
 * Only an accelerator: messages may be lost, late, out of order, doubled or never sent at all. Whoever waits for a receipt waits
 * no longer than for the lease of the process that owes it, and a receipt is sent only by a process that has caught up.
 *
 *     <prefix>bus           partition inc:seq:nonce origin      by the script that invalidates
 *     <prefix>ack:<origin>  partition inc:seq:nonce process     by each process that has caught up
 */
export interface BusOptions {
  /** Start of the names of the channels, the same in every process of a namespace. */
  readonly prefix: string
  /** This process in the registry of leases. */
  readonly nodeId: string
  /** Makes the connection for subscriptions, which the bus connects and ends. When it throws, there is no bus. */
  readonly subscriber: () => RedisClient
  /** Drops the links of the connection, so that it makes new ones. */
  readonly reset: (subscriber: RedisClient) => void
  /** Sends a message; nobody is told whether it went out. */
  readonly publish: (channel: string, message: string) => void
  /** Resolves with true once nothing is served here that was made wrong at or before this token. */
  readonly catchUp: (partition: number, token: Token) => Promise<boolean>
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
}

/** Whom an invalidation has yet to reach. */
export interface Unreached {
  readonly token: Token
  /** Until when (monotonic ms) is waited whatever receipts come. */
  readonly blindUntil: number
  /** Until when (monotonic ms) each process is waited for. */
  readonly processes: ReadonlyMap<string, number>
}

/** What ended a wait: everybody has sent a receipt; the leases of those who have not are over; neither came in time. */
export type Waited = 'receipts' | 'leases' | 'late'

/** The receipts for one invalidation, collected since before it was sent. */
export interface Receipts {
  /** Resolves once every process has sent a receipt or its lease is over; at `until` (monotonic ms) it is late. */
  wait(unreached: Unreached, until: number): Promise<Waited>
  /** Collect no more; call it when all is done, or has failed. */
  end(): void
}

/** Receipts kept for one invalidation before it is known whom to wait for. */
const MAX_EARLY = 1_024
const MESSAGE = /^(\d{1,4}) ([0-9a-f]{16}):(\d{1,15}):([0-9a-f]{8}) (\S{1,64})$/

export class Bus {
  /** Where invalidations are announced. */
  readonly channel: string
  readonly #options: BusOptions
  /** By partition and nonce: as many as there are invalidations under way. */
  readonly #collections = new Map<string, Collection>()
  #subscriber: RedisClient | undefined
  #isSubscribed = false
  #isOver = false

  constructor(options: BusOptions) {
    this.#options = options
    this.channel = `${options.prefix}bus`
  }

  /** Subscribe, if not yet done. Never throws; without a subscription every receipt is just missing. */
  open(): void {
    if (this.#subscriber !== undefined || this.#isOver) return
    try {
      this.#subscriber = this.#options.subscriber()
      this.#listen(this.#subscriber)
    } catch {
      this.close()
    }
  }

  /** Collect receipts for an invalidation that is about to be sent with this nonce. */
  collect(partition: number, nonce: string): Receipts {
    const { nodeId, publish, monotonic } = this.#options
    const name = `${partition} ${nonce}`
    const collection = new Collection({
      partition,
      nodeId,
      monotonic,
      isHeard: this.#isSubscribed,
      ask: (message) => {
        if (this.#isSubscribed) publish(this.channel, message)
      },
      onEnd: () => {
        this.#collections.delete(name)
      },
    })
    this.#collections.set(name, collection)
    return collection
  }

  /** Take the connection for dead and make it anew. */
  reset(): void {
    if (this.#subscriber !== undefined) this.#options.reset(this.#subscriber)
  }

  /** End the connection; `open` makes a new one. */
  suspend(): void {
    this.#subscriber?.disconnect()
    this.#subscriber = undefined
    this.#isSubscribed = false
  }

  /** End the connection for good. Who is waiting for receipts waits for the leases. */
  close(): void {
    this.#isOver = true
    this.suspend()
  }

  #listen(subscriber: RedisClient): void {
    const { prefix, nodeId } = this.#options
    const acks = `${prefix}ack:${nodeId}`
    subscriber.on('message', (channel, message) => {
      const parsed = parse(message)
      if (parsed === undefined) return
      if (channel === acks) this.#collections.get(`${parsed.partition} ${parsed.token.nonce}`)?.add(parsed)
      else if (parsed.process !== nodeId) this.#answer(parsed).catch(() => {})
    })
    subscriber.on('close', () => {
      if (subscriber === this.#subscriber) this.#isSubscribed = false
    })
    subscriber.on('ready', () => {
      subscriber.subscribe(this.channel, acks).then(
        () => this.#subscribed(subscriber),
        (error: unknown) => this.#refused(error),
      )
    })
    // Tried again by itself.
    subscriber.connect().catch(() => {})
  }

  #subscribed(subscriber: RedisClient): void {
    if (subscriber !== this.#subscriber) return
    this.#isSubscribed = true
    for (const collection of this.#collections.values()) collection.askAgain()
  }

  /** Rights do not come back; links do. */
  #refused(error: unknown): void {
    if (error instanceof Error && error.name === 'ReplyError') this.close()
  }

  async #answer({ partition, token, process }: Message): Promise<void> {
    const { prefix, nodeId, catchUp, publish } = this.#options
    if (!(await catchUp(partition, token))) return
    publish(`${prefix}ack:${process}`, format({ partition, token, process: nodeId }))
  }
}

interface CollectionOptions {
  readonly partition: number
  readonly nodeId: string
  readonly monotonic: () => number
  /** Whether receipts can be heard from the beginning. */
  readonly isHeard: boolean
  /** Publishes the announcement once more. */
  readonly ask: (message: string) => void
  readonly onEnd: () => void
}

class Collection implements Receipts {
  readonly #options: CollectionOptions
  /** Receipts that came before the answer to the invalidation. */
  readonly #early = new Set<string>()
  #mayHaveMissed: boolean
  #token: Token | undefined
  #onReceipt: ((receipt: string) => void) | undefined

  constructor(options: CollectionOptions) {
    this.#options = options
    this.#mayHaveMissed = !options.isHeard
  }

  add(message: Message): void {
    if (this.#onReceipt !== undefined) this.#onReceipt(format(message))
    else if (this.#early.size < MAX_EARLY) this.#early.add(format(message))
  }

  /** Receipts may have gone out unheard. Whoever has caught up repeats its own when it is announced again. */
  askAgain(): void {
    const { partition, nodeId, ask } = this.#options
    if (this.#token === undefined) this.#mayHaveMissed = true
    else ask(format({ partition, token: this.#token, process: nodeId }))
  }

  end(): void {
    this.#options.onEnd()
  }

  wait({ token, blindUntil, processes }: Unreached, until: number): Promise<Waited> {
    const { partition, monotonic } = this.#options
    const owed = new Map(
      [...processes].map(([process, ends]) => [format({ partition, token, process }), ends] as const),
    )
    for (const receipt of this.#early) owed.delete(receipt)
    this.#early.clear()
    this.#token = token
    if (this.#mayHaveMissed && owed.size > 0) this.askAgain()
    const isBlind = blindUntil > monotonic()
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const wait = (): void => {
        clearTimeout(timer)
        const now = monotonic()
        const ends = Math.max(blindUntil, ...owed.values())
        if (ends <= now) {
          resolve(owed.size > 0 || isBlind ? 'leases' : 'receipts')
          return
        }
        // A timer may fire a little early.
        const leftMs = Math.max(0, Math.ceil(Math.min(ends, until) - now) + 1)
        timer = setTimeout(resolve, leftMs, ends <= until ? 'leases' : 'late')
      }
      this.#onReceipt = (receipt) => {
        if (owed.delete(receipt)) wait()
      }
      wait()
    })
  }
}

interface Message {
  readonly partition: number
  readonly token: Token
  /** Who sent it, or who invalidated. */
  readonly process: string
}

function format({ partition, token: { incarnation, seq, nonce }, process }: Message): string {
  return `${partition} ${incarnation}:${seq}:${nonce} ${process}`
}

/** A message of ours; undefined for anything else that was published there. */
function parse(text: unknown): Message | undefined {
  const [, partition, incarnation, seq, nonce, process] = (typeof text === 'string' && MESSAGE.exec(text)) || []
  if (incarnation === undefined || nonce === undefined || process === undefined) return undefined
  return { partition: Number(partition), token: { incarnation, seq: Number(seq), nonce }, process }
}
