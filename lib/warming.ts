import type { Engine } from './engine.ts'
import { type Entry, isFresh } from './entry.ts'
import type { Loader } from './loads.ts'
import { badOption, integer, readOptions, text, where } from './options.ts'
import type { Prefetch, Prefill, RememberOptions } from './values.ts'
import { skippedRun, type Warmed, type WarmReport, type WarmSource, warmAll } from './warm-run.ts'

/** An entry to warm: its key, how it is kept, and what makes it. */
export type WarmItem = { readonly key: string } & RememberOptions &
  (
    | { readonly load: Loader<unknown>; readonly value?: never }
    /** Read before its turn comes: where it was invalidated since the run began it is not kept. */
    | { readonly value: unknown; readonly load?: never }
  )

/** Options of `warm`; all are optional. */
export interface WarmOptions {
  /** What the run is called in events and statistics. @default none */
  readonly name?: string
  /** How many entries are loaded at the same time. @default 4 */
  readonly concurrency?: number
  /** Ends it. */
  readonly signal?: AbortSignal
}

/** Keeps values. */
export interface Shelf {
  prefetch(item: Prefetch): Promise<Warmed>
  prefill(item: Prefill): Promise<Warmed>
}

const WARM_OPTIONS = {
  name: text,
  concurrency: integer({ min: 1, max: 1_000 }),
  signal: where<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal),
} as const

const DEFAULT_CONCURRENCY = 4
/** How long a first connection to Redis is waited for (ms). */
const START_MS = 1_000

/** The warming of one cache. */
export class Warming {
  readonly #engine: Engine
  readonly #shelf: Shelf
  /** Ends what is under way. */
  readonly #closing = new AbortController()

  constructor(engine: Engine, shelf: Shelf) {
    this.#engine = engine
    this.#shelf = shelf
    engine.onClose(async () => this.#closing.abort())
  }

  /** Warm what a source names. Rejects for wrong options only. */
  async warm(source: WarmSource<WarmItem>, options: WarmOptions): Promise<WarmReport> {
    const { name, concurrency = DEFAULT_CONCURRENCY, signal } = readOptions('warm', options, WARM_OPTIONS)
    if (!Array.isArray(source) && typeof source !== 'function') {
      throw badOption('warm', source, 'a list of { key, load }, or a function that returns one')
    }
    const ended = new AbortController()
    const end = (): void => ended.abort()
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])]
    for (const one of signals) one.addEventListener('abort', end, { once: true })
    if (signals.some(({ aborted }) => aborted)) end()
    try {
      return await this.#run({
        name,
        source,
        concurrency,
        signal: ended.signal,
        isDue: (entry) => this.#isStale(entry),
      })
    } finally {
      for (const one of signals) one.removeEventListener('abort', end)
    }
  }

  async #run({ name, source, concurrency, signal, isDue }: Turn): Promise<WarmReport> {
    const { engine, shelf } = { engine: this.#engine, shelf: this.#shelf }
    // What is loaded while Redis is away can neither be shared nor proven to be right: the source is left alone.
    if (!signal.aborted && !(await this.#isLinked())) return skippedRun('away')
    const asOf = engine.store.asOf()
    return warmAll({
      source,
      concurrency,
      signal,
      isUsable: () => engine.reachable,
      warm: (item) => {
        const { key, load, value, ...options } = checked(item)
        return load === undefined
          ? shelf.prefill({ key, options, value, isDue, asOf })
          : shelf.prefetch({ key, options, loader: load, isDue })
      },
      onProgress: (progress) => engine.events.emit('warm', { name, ...progress }),
      monotonic: () => engine.clock.monotonic(),
    })
  }

  #isStale(entry: Entry): boolean {
    return !isFresh(entry, this.#engine.clock.now())
  }

  /** Whether Redis, where there is one, can be used; at the start it gets a moment to connect. */
  async #isLinked(): Promise<boolean> {
    const { redis } = this.#engine
    if (redis === undefined) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, START_MS).unref()
    })
    await Promise.race([redis.ready().catch(() => {}), late])
    clearTimeout(timer)
    return redis.reachable
  }
}

interface Turn extends Required<Omit<WarmOptions, 'name'>> {
  readonly name: string | undefined
  readonly source: WarmSource<WarmItem>
  readonly isDue: (entry: Entry) => boolean
}

/** @throws CacheError for what is no item; the rest is checked where it is used */
function checked(item: WarmItem): WarmItem {
  const isItem = typeof item === 'object' && item !== null && 'load' in item !== 'value' in item
  if (!isItem) throw badOption('warm', item, 'an object with a key, and with either load or value')
  return item
}
