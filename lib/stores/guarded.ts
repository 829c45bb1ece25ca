/** Why a guarded command gave nothing. */
export type GuardFault = 'open' | 'timeout' | 'failed'

/** A command that was not sent, not answered in time, or refused. */
export class GuardError extends Error {
  override readonly name = 'GuardError'
  readonly fault: GuardFault

  constructor(fault: GuardFault, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.fault = fault
  }
}

export interface GuardOptions {
  /** The other side, in messages. @default 'Redis' */
  readonly peer?: string
  /** How long one command may take (ms). */
  readonly deadlineMs: number
  /** Ms from an arbitrary start, never stepped. */
  readonly monotonic: () => number
  /** A command that proves that the other side works again. */
  readonly probe: () => Promise<unknown>
  /** Whether commands can be sent at all; when not, the breaker opens at once. @default always */
  readonly isReady?: () => boolean
  /** Whether this failure says that the other side is of no use, or is just its answer. @default always */
  readonly isOutage?: (cause: unknown) => boolean
  /** Whether one such failure is enough. @default never */
  readonly isFatal?: (cause: unknown) => boolean
  /** The breaker opened; called once per outage. */
  readonly onDegraded: (reason: string) => void
  /** The breaker closed; called once per outage. */
  readonly onRecovered: (afterMs: number) => void
  /** A probe got no answer for a second: the link is dead though it looks alive. */
  readonly onStuck?: () => void
}

const REDIS = 'Redis'
const NO_ANSWER = 'no answer in time'
const FAILURES_TO_OPEN = 3
const PROBE_EVERY_MS = 250
const STUCK_MS = 1_000
/** A time-out that comes after so many times its deadline is not counted. */
const BUSY_FACTOR = 2

/**
 * Deadline and breaker in front of Redis, or of a store of the application: nobody waits longer than the deadline, and after three failures in a row nobody waits
 * at all until a probe, sent every 250 ms, has succeeded. Nor does anybody wait where another has just waited in vain: a request
 * of several commands takes no longer than one of them.
 */
export class Guard {
  readonly #options: GuardOptions
  #failures = 0
  #openedAt: number | undefined
  #reason = 'it is closed'
  /** When a command was last answered in time (monotonic ms). */
  #answeredAt = Number.NEGATIVE_INFINITY
  /** A command has waited in vain, and nothing has been answered since. */
  #isSilent = false
  #timer: NodeJS.Timeout | undefined
  #probeSentAt: number | undefined
  /** Tells the answer of a probe that was given up from that of the present one. */
  #probes = 0
  #closed = false

  constructor(options: GuardOptions) {
    this.#options = options
  }

  /** Whether commands are refused without being sent. */
  get open(): boolean {
    return this.#openedAt !== undefined || this.#closed
  }

  /** When the breaker opened (monotonic ms). */
  get degradedSince(): number | undefined {
    return this.#openedAt
  }

  /**
   * Run a command under the deadline.
   *
   * @throws {GuardError} when the breaker is open, the deadline has passed or the command failed; never waits longer.
   */
  async run<T>(command: () => Promise<T>, deadlineMs: number = this.#options.deadlineMs): Promise<T> {
    if (!this.open && this.#options.isReady?.() === false) this.trip('not connected')
    if (this.open) throw new GuardError('open', `${this.#peer} is not used at the moment: ${this.#reason}`)
    // Whoever has more patience than a read may still be answered.
    if (this.#isSilent && deadlineMs <= this.#options.deadlineMs) {
      const refusal = new GuardError('open', NO_ANSWER)
      this.#count(refusal)
      throw refusal
    }
    const sentAt = this.#options.monotonic()
    let answer: Promise<T> | undefined
    try {
      const result = await within(() => (answer = command()), deadlineMs, this.#peer)
      this.#failures = 0
      this.#answeredAt = this.#options.monotonic()
      this.#isSilent = false
      return result
    } catch (error) {
      const now = this.#options.monotonic()
      // A timer that is this late says that the process was busy, and nothing of the other side.
      if (isTimeout(error) && now - sentAt > BUSY_FACTOR * deadlineMs) throw error
      this.#count(error)
      if (isTimeout(error) && this.#isSilence(now, deadlineMs)) this.#listen(answer)
      throw error
    }
  }

  /** Open the breaker now. */
  trip(reason: string): void {
    if (this.open) return
    this.#openedAt = this.#options.monotonic()
    this.#reason = reason
    this.#isSilent = false
    this.#timer = setInterval(() => this.#tick(), PROBE_EVERY_MS)
    this.#timer.unref()
    this.#options.onDegraded(reason)
  }

  /** Probe now instead of at the next interval; does nothing while the breaker is closed. */
  probe(): void {
    if (this.#openedAt !== undefined && this.#probeSentAt === undefined) void this.#probe()
  }

  /** Refuse everything from now on and stop the timer. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
  }

  get #peer(): string {
    return this.#options.peer ?? REDIS
  }

  /** Whether a command has waited long enough in vain, and lately nothing else was answered either. */
  #isSilence(now: number, waitedMs: number): boolean {
    const { deadlineMs } = this.#options
    return !this.open && waitedMs >= deadlineMs && now - this.#answeredAt >= deadlineMs / 2
  }

  /** Send nothing more until there is an answer, be it a late one to this command. */
  #listen(answer: Promise<unknown> | undefined): void {
    this.#isSilent = true
    const end = (): void => {
      this.#isSilent = false
    }
    answer?.then(end, (cause: unknown) => {
      if (!this.#isOutage(cause)) end()
    })
  }

  #count(error: unknown): void {
    const outage = !(error instanceof GuardError && error.fault === 'failed') || this.#isOutage(error.cause)
    this.#failures = outage ? this.#failures + 1 : 0
    const isFatal = error instanceof GuardError && this.#options.isFatal?.(error.cause) === true
    if (isFatal || this.#failures >= FAILURES_TO_OPEN) this.trip(reasonOf(error))
  }

  #isOutage(cause: unknown): boolean {
    return this.#options.isOutage?.(cause) ?? true
  }

  #tick(): void {
    if (this.#probeSentAt === undefined) {
      void this.#probe()
    } else if (this.#options.monotonic() - this.#probeSentAt >= STUCK_MS) {
      this.#probeSentAt = undefined
      this.#options.onStuck?.()
    }
  }

  async #probe(): Promise<void> {
    const probe = ++this.#probes
    this.#probeSentAt = this.#options.monotonic()
    let alive = true
    try {
      await this.#options.probe()
    } catch (error) {
      alive = !this.#isOutage(error)
    }
    if (probe !== this.#probes) return
    this.#probeSentAt = undefined
    if (alive) this.#recover()
  }

  #recover(): void {
    if (this.#openedAt === undefined || this.#closed) return
    const afterMs = this.#options.monotonic() - this.#openedAt
    clearInterval(this.#timer)
    this.#openedAt = undefined
    this.#failures = 0
    this.#options.onRecovered(afterMs)
  }
}

/** Run a command; rejects with a `GuardError` when it fails or its answer is late. The timer never outlives the call. */
export function within<T>(command: () => Promise<T>, deadlineMs: number, peer: string = REDIS): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      // After a long pause of this process timers fire before sockets are read: let what has arrived be read first.
      setImmediate(() =>
        reject(new GuardError('timeout', `${peer} did not answer within ${Math.round(deadlineMs)} ms`)),
      )
    }, deadlineMs)
    const fail = (cause: unknown): void => {
      clearTimeout(timer)
      reject(new GuardError('failed', messageOf(cause), { cause }))
    }
    try {
      command().then((value) => {
        clearTimeout(timer)
        resolve(value)
      }, fail)
    } catch (cause) {
      fail(cause)
    }
  })
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function isTimeout(error: unknown): boolean {
  return error instanceof GuardError && error.fault === 'timeout'
}

function reasonOf(error: unknown): string {
  return isTimeout(error) ? NO_ANSWER : messageOf(error)
}
