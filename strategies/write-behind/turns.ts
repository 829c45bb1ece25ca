/** Lets what is asked for under one key run one after the other, in the order of asking. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  async take<T>(key: string, run: () => Promise<T>): Promise<T> {
    const turn = this.#after(this.#last.get(key), run)
    const ended = turn.then(
      () => {},
      () => {},
    )
    this.#last.set(key, ended)
    try {
      return await turn
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key)
    }
  }

  async #after<T>(before: Promise<void> | undefined, run: () => Promise<T>): Promise<T> {
    await before
    return run()
  }
}
