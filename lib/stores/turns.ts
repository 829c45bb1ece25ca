/** Whose turn it is to do what one process of all that share a store does now and then. */

/** What somebody who wants to begin is told. */
export type Turn =
  | { readonly kind: 'mine' }
  /** Another process is at it; if it says nothing more its turn ends after so long. */
  | { readonly kind: 'theirs'; readonly leftMs: number }
  /** It has been done, and is due after so long. */
  | { readonly kind: 'done'; readonly leftMs: number }
  /** Nobody can say. */
  | { readonly kind: 'away' }

export interface TurnOptions {
  /** How often it is to be done (ms). */
  readonly everyMs: number
  /** After so long (ms) without a word the turn of a process has ended. */
  readonly claimMs: number
}

/** The turns of one process at one thing; the calls never reject. */
export interface Turns {
  /** Begin, where it is due, or (`isDue: false`) whether it is due or not. */
  take(options: { readonly isDue: boolean }): Promise<Turn>
  /** Say that it goes on; false where it is another process's turn by now. */
  keep(): Promise<boolean>
  /** Let go; what is done counts from when this turn began. */
  end(isDone: boolean): Promise<void>
}

/** Without others to share with. */
export class OwnTurns implements Turns {
  readonly #everyMs: number
  readonly #monotonic: () => number
  #beganAt = Number.NEGATIVE_INFINITY
  #doneAt = Number.NEGATIVE_INFINITY

  constructor({ everyMs, monotonic }: Pick<TurnOptions, 'everyMs'> & { readonly monotonic: () => number }) {
    this.#everyMs = everyMs
    this.#monotonic = monotonic
  }

  async take({ isDue }: { readonly isDue: boolean }): Promise<Turn> {
    const now = this.#monotonic()
    const leftMs = this.#doneAt + this.#everyMs - now
    if (isDue && leftMs > 0) return { kind: 'done', leftMs }
    this.#beganAt = now
    return { kind: 'mine' }
  }

  async keep(): Promise<boolean> {
    return true
  }

  async end(isDone: boolean): Promise<void> {
    if (isDone) this.#doneAt = this.#beganAt
  }
}
