export interface HeartbeatOptions {
  /** Ms from beat to beat. */
  readonly everyMs: number
  readonly beat: () => void
}

/** It ends after this long without use of what it keeps alive (ms). */
const IDLE_MS = 10_000

/** Beats at once and then regularly, until what it keeps alive has not been used for 10 s. */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  #timer: NodeJS.Timeout | undefined
  #isUsed = false
  #isClosed = false

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  /** What it keeps alive was used. */
  use(): void {
    this.#isUsed = true
    if (this.#timer === undefined && !this.#isClosed) this.#start()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }

  #start(): void {
    const { beat, everyMs } = this.#options
    let idleMs = 0
    beat()
    this.#timer = setInterval(() => {
      idleMs = this.#isUsed ? 0 : idleMs + everyMs
      this.#isUsed = false
      if (idleMs < IDLE_MS) return beat()
      clearInterval(this.#timer)
      this.#timer = undefined
    }, everyMs).unref()
  }
}
