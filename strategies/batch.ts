import { CacheError } from '../lib/errors.ts'
import type { LoadContext } from '../lib/load-context.ts'
import type { Loader } from '../lib/loads.ts'
import { badOption } from '../lib/options.ts'

/**
 * Loads of calls that began in one turn of the event loop become one call of `loadMany`: it is made when each of them has found its
 * value or asked for it.
 */

/** What brings several values: an Error at a position is the failure of that one. */
export type LoadMany<A, T> = (list: readonly A[]) => Promise<readonly (T | Error)[]> | readonly (T | Error)[]

export interface Loads<A, T> {
  /** Named in messages. */
  readonly place: string
  readonly loadMany: LoadMany<A, T>
  /** For a single value, where there is a loader for one. */
  readonly load: ((args: A, context: LoadContext) => Promise<T> | T) | undefined
}

/**
 * One may be held up, such as by the load of another process: the others wait until for so long none of them has come further (ms),
 * and not longer than that in all (ms).
 */
const QUIET_MS = 10
const PATIENCE_MS = 50

export class Batches<A, T> {
  readonly #loads: Loads<A, T>
  #turn: Batch<A, T> | undefined

  constructor(loads: Loads<A, T>) {
    this.#loads = loads
  }

  /** Make a call for this key; `call` is given what loads, and may do without. */
  async run(key: string, args: A, call: (load: Loader<T>) => Promise<T>): Promise<T> {
    const batch = this.#current()
    batch.expect(key)
    try {
      return await call((context) => batch.ask(key, args, context))
    } finally {
      batch.settle(key)
    }
  }

  /** What loads this in the background, where no call waits for it. */
  asking(key: string, args: A): Loader<T> {
    return (context) => this.#current().ask(key, args, context)
  }

  #current(): Batch<A, T> {
    if (this.#turn !== undefined) return this.#turn
    const turn = new Batch(this.#loads)
    this.#turn = turn
    setImmediate(() => {
      this.#turn = undefined
    })
    return turn
  }
}

interface Asked<A, T> {
  readonly args: A
  readonly context: LoadContext
  resolve(value: T | PromiseLike<T>): void
  reject(error: unknown): void
}

/** The calls of one turn. */
class Batch<A, T> {
  readonly #loads: Loads<A, T>
  /** Keys of calls that may still ask. */
  readonly #undecided = new Set<string>()
  #asked: Asked<A, T>[] = []
  #isDue = false
  #timers: readonly NodeJS.Timeout[] = []

  constructor(loads: Loads<A, T>) {
    this.#loads = loads
  }

  expect(key: string): void {
    this.#undecided.add(key)
  }

  settle(key: string): void {
    if (this.#undecided.delete(key)) this.#look()
  }

  ask(key: string, args: A, context: LoadContext): Promise<T> {
    this.#undecided.delete(key)
    return new Promise((resolve, reject) => {
      this.#asked.push({ args, context, resolve, reject })
      this.#look()
    })
  }

  #look(): void {
    if (this.#asked.length === 0 || this.#isDue) return
    if (this.#undecided.size > 0) return this.#wait()
    this.#isDue = true
    // Refreshes in the background ask one after the other in the same turn.
    setImmediate(() => this.#send())
  }

  #wait(): void {
    this.#timers[0]?.refresh()
    if (this.#timers.length > 0) return
    this.#timers = [QUIET_MS, PATIENCE_MS].map((ms) => setTimeout(() => this.#send(), ms))
  }

  #send(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = []
    this.#isDue = false
    const asked = this.#asked
    this.#asked = []
    const [only] = asked
    if (only === undefined) return
    const { load } = this.#loads
    if (asked.length === 1 && load !== undefined) {
      void settleAll(asked, async () => [await load(only.args, only.context)])
    } else void settleAll(asked, () => this.#loadMany(asked.map(({ args }) => args)))
  }

  async #loadMany(list: readonly A[]): Promise<readonly (T | Error)[]> {
    const { loadMany, place } = this.#loads
    const values = await loadMany(list)
    if (!Array.isArray(values))
      throw badOption(`${place}: what loadMany brought`, values, 'a list, one value for each argument')
    if (values.length !== list.length) {
      throw new CacheError(
        'ERR_CACHE_BAD_OPTION',
        `${place}: loadMany brought ${values.length} values for ${list.length} arguments, so that nothing says which is whose. ` +
          'Bring one for each, in the same order, and undefined where there is none.',
      )
    }
    return values
  }
}

/** Never rejects: each one that asked has the outcome. */
async function settleAll<A, T>(
  asked: readonly Asked<A, T>[],
  bring: () => Promise<readonly (T | Error)[]>,
): Promise<void> {
  try {
    const values = await bring()
    for (const [index, { resolve, reject }] of asked.entries()) {
      const value = values[index]
      if (value instanceof Error) reject(value)
      else resolve(value as T)
    }
  } catch (error) {
    for (const { reject } of asked) reject(error)
  }
}
