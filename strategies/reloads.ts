import type { Engine } from '../lib/engine.ts'

/**
 * Loads again, in the background, what an event has made wrong: one load at a time for each key, and another one where it has
 * become wrong meanwhile, however many events there were.
 */
export class Reloads {
  readonly #engine: Engine
  /** By key of a load under way: is it already wrong again? */
  readonly #isWrong = new Map<string, boolean>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  run(key: string, load: () => Promise<unknown>): void {
    const isUnderWay = this.#isWrong.has(key)
    this.#isWrong.set(key, isUnderWay)
    if (isUnderWay) return
    const isBegun = this.#engine.refresh(async () => {
      try {
        do {
          this.#isWrong.set(key, false)
          await load()
        } while (this.#isWrong.get(key) === true)
      } finally {
        this.#isWrong.delete(key)
      }
    })
    if (!isBegun) this.#isWrong.delete(key)
  }
}
