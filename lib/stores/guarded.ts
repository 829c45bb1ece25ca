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

const FAILURES_TO_OPEN = 3
const PROBE_EVERY_MS = 250
const STUCK_MS = 1_000
/** A time-out that comes after so many times its deadline is not counted. */
const BUSY_FACTOR = 2

/**
 * Deadline and breaker in front of Redis: nobody waits longer than the deadline, and after three failures in a row nobody waits
 * at all until a probe, sent every 250 ms, has succeeded.
 */
export class Guard {
  readonly #options: GuardOptions
  #failures = 0
  #openedAt: number | undefined
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
    if (this.open) throw new GuardError('open', 'Redis is not used at the moment')
    if (this.#options.isReady?.() === false) {
      this.trip('not connected')
      throw new GuardError('open', 'Redis is not connected')
    }
    const sentAt = this.#options.monotonic()
    try {
      const result = await within(command, deadlineMs)
      this.#failures = 0
      return result
    } catch (error) {
      // A timer that is this late says that the process was busy, and nothing of the other side.
      const isOurs = isTimeout(error) && this.#options.monotonic() - sentAt > BUSY_FACTOR * deadlineMs
      if (!isOurs) this.#count(error)
      throw error
    }
  }

  /** Open the breaker now. */
  trip(reason: string): void {
    if (this.open) return
    this.#openedAt = this.#options.monotonic()
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
export function within<T>(command: () => Promise<T>, deadlineMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      // After a long pause of this process timers fire before sockets are read: let what has arrived be read first.
      setImmediate(() => reject(new GuardError('timeout', `Redis did not answer within ${Math.round(deadlineMs)} ms`)))
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
  return isTimeout(error) ? 'no answer in time' : messageOf(error)
}
