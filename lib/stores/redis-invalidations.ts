import type { Bus } from '../bus.ts'
import { CacheError } from '../errors.ts'
import { partitionOf } from '../key.ts'
import type { LedgerChange, TagLedger, Token } from '../tags.ts'
import { Journal } from './redis-journal.ts'
import { type Announcement, type Mirror, newNonce, type RunInvalidate } from './redis-mirror.ts'
import type { Waited } from './redis-script-runner.ts'
import type { WaitedInvalidation } from './redis-wait.ts'
import type { InvalidationOptions, InvalidationReceipt, InvalidationTargets } from './store.ts'

export interface InvalidationsOptions {
  /** Of each partition, by its number. */
  readonly mirrors: readonly Mirror[]
  /** How long a repeated invalidation may take (ms). */
  readonly deadlineMs: number
  /** Ms from an arbitrary start. */
  readonly monotonic: () => number
  /** Undefined as long as there is no client. */
  readonly bus: () => Bus | undefined
  /** Sends an invalidation and waits for replicas. */
  readonly viaReplicas: (invalidation: WaitedInvalidation) => Promise<Waited>
  /** One has not reached all that it was to reach. */
  readonly onUnconfirmed: (cause: unknown) => void
}

/** What is to happen in one partition. */
interface Step extends Pick<InvalidationOptions, 'ack' | 'timeoutMs' | 'wait'> {
  readonly partition: number
  readonly change: LedgerChange
  /** When the caller's patience ends (monotonic ms). */
  readonly until: number
}

/** How far an invalidation of one partition has got. */
interface Extent {
  /** No process serves older data any more, or the caller did not ask for that. */
  readonly everywhere: boolean
  /** How many replicas have it, of those that the caller asked for. */
  readonly replicas: number
  readonly ledger: TagLedger
  /** Where the ledger stood when it was done. */
  readonly token: Token
  readonly wasAlone: boolean
}

/** Brings invalidations to Redis and to every process, and repeats what Redis did not confirm. */
export class Invalidations {
  readonly #options: InvalidationsOptions
  readonly #journal: Journal
  #isClosed = false

  constructor(options: InvalidationsOptions) {
    const { mirrors, deadlineMs, monotonic } = options
    this.#options = options
    const mirrorOf = (partition: number): Mirror => mirrors[partition] as Mirror
    this.#journal = new Journal({
      monotonic,
      attempt: async (partition, change) => {
        await mirrorOf(partition).invalidate(change, this.announcement(), { deadlineMs })
      },
      rotate: (partition) => mirrorOf(partition).sync({ rotate: true }),
      ledger: (partition) => mirrorOf(partition).ledger,
    })
  }

  /**
   * Make everything named wrong, in as many partitions as it may be in.
   *
   * @throws {CacheError} `ERR_CACHE_UNCONFIRMED` (`pending: true`) when it is not certain in time to have got as far as was asked for.
   */
  async run(targets: InvalidationTargets, options: InvalidationOptions): Promise<InvalidationReceipt> {
    const { ack, timeoutMs, wait = 0 } = options
    const until = this.#options.monotonic() + timeoutMs
    const changes = this.#changes(targets, options)
    const done = Promise.allSettled(
      changes.map(([partition, change]) => this.#step({ partition, change, ack, timeoutMs, wait, until })),
    )
    const partitions = changes.length
    if (ack === 'memory') return { ack, partitions, tokens: new Map(), wasAlone: false }
    const extents: Extent[] = []
    for (const outcome of await done) {
      if (outcome.status === 'rejected') throw unconfirmed(outcome.reason)
      extents.push(outcome.value)
    }
    const replicas = Math.min(wait, ...extents.map((extent) => extent.replicas))
    if (replicas < wait)
      throw this.#incomplete(`${replicas} of ${wait} replicas have confirmed an invalidation that Redis has`)
    if (!extents.every(({ everywhere }) => everywhere))
      throw this.#incomplete('Other processes may still answer from memory')
    const tokens = new Map(extents.map(({ ledger, token }) => [ledger, token]))
    // Only one of the partitions holds what a write leaves.
    return { ack, partitions, tokens, wasAlone: extents.some((extent) => extent.wasAlone) }
  }

  /** Repeat now what was not confirmed. */
  async retry(): Promise<void> {
    await this.#journal.retry()
  }

  /** Repeat nothing any more. */
  close(): void {
    this.#isClosed = true
    this.#journal.close()
  }

  /** How the next invalidation is announced. */
  announcement(): Announcement {
    return { nonce: newNonce(), channel: this.#options.bus()?.channel ?? '' }
  }

  /** What each partition concerned is to forget. */
  #changes(
    targets: InvalidationTargets,
    { soft = false, mark }: InvalidationOptions,
  ): readonly (readonly [partition: number, change: LedgerChange])[] {
    const step = mark === undefined ? { soft } : { soft, mark }
    const count = this.#options.mirrors.length
    const [patterns, all] = [targets.patterns, targets.all]
    const tags: string[][] = Array.from({ length: count }, () => [])
    for (const tag of targets.tags) {
      // The text of a key or URI tag is what its partition is made from; any other may be on entries anywhere.
      if (tag.startsWith('k:') || tag.startsWith('u:')) tags[partitionOf(`V 0 ${tag.slice(2)}`, count)]?.push(tag)
      else for (const list of tags) list.push(tag)
    }
    const changes = tags.map((list, partition) => [partition, { tags: list, patterns, all, ...step }] as const)
    return changes.filter(([, change]) => all || patterns.length > 0 || change.tags.length > 0)
  }

  async #step({ partition, change, ack, timeoutMs, wait = 0, until }: Step): Promise<Extent> {
    const { mirrors, bus, viaReplicas, onUnconfirmed } = this.#options
    const mirror = mirrors[partition] as Mirror
    const announcement = this.announcement()
    // Before it is sent: a receipt may come before the answer.
    const receipts = ack === 'all' ? bus()?.collect(partition, announcement.nonce) : undefined
    const [release, releaseOlder] = [mirror.hold(change), this.#journal.take(partition, change)]
    let replicas = wait
    const run: RunInvalidate = async (keys, args) => {
      const waited = await viaReplicas({ keys, args, replicas: wait, until })
      replicas = waited.replicas
      return waited.reply
    }
    const way = wait === 0 ? {} : { run }
    try {
      for (;;) {
        const reached = await mirror.invalidate(change, announcement, { deadlineMs: timeoutMs, ...way })
        release()
        releaseOlder()
        const { token, wasAlone } = reached
        const waited = receipts === undefined ? 'receipts' : await receipts.wait(reached, until)
        const extent = { replicas, ledger: mirror.ledger, token, wasAlone }
        if (waited === 'late') return { ...extent, everywhere: false }
        // Whoever has sent a receipt would notice that Redis has lost it meanwhile; who was waited out would not.
        if (waited === 'receipts' || (await mirror.stillHas(token))) return { ...extent, everywhere: true }
      }
    } catch (cause) {
      // A write that could not be marked is told of at its end: brought back after that, its mark would stay.
      if (change.mark !== undefined && change.mark.lifeMs > 0) release()
      else if (!this.#isClosed) this.#journal.add(partition, change, release)
      releaseOlder()
      onUnconfirmed(cause)
      throw cause
    } finally {
      receipts?.end()
    }
  }

  /** Redis has it, but that was not all that was asked for. */
  #incomplete(what: string): CacheError {
    const error = new CacheError('ERR_CACHE_UNCONFIRMED', `${what}, in the time that was given`, { pending: true })
    this.#options.onUnconfirmed(error)
    return error
  }
}

function unconfirmed(cause: unknown): CacheError {
  const what = 'Redis did not confirm an invalidation in time; it is retried in the background'
  return new CacheError('ERR_CACHE_UNCONFIRMED', what, { cause, pending: true })
}
