import type { Outcome } from './outcome.ts'

/** Where warnings go: `console` and pino both fit. */
export interface Logger {
  info(message: string): void
  warn(message: string): void
}

/** What a cache tells its listeners. */
export interface CacheEvents {
  /** What was done with one request, or one `remember`. */
  outcome: { readonly key: string | undefined; readonly outcome: Outcome }
  /** Something was invalidated from this process. */
  invalidate: { readonly tags: readonly string[]; readonly patterns: readonly string[]; readonly all: boolean }
  /** An invalidation or write was not confirmed in time and is retried. */
  unconfirmed: { readonly cause: unknown }
  /** A run-time fault that was turned into a miss. */
  error: { readonly where: string; readonly cause: unknown }
  /** Redis cannot be used; requests go on without it. */
  degraded: { readonly reason: string }
  /** How far a warming is, several times a second, and its end. */
  warm: WarmProgress
  /** Redis can be used again. */
  recovered: { readonly afterMs: number }
}

/** How far a warming is. */
export interface WarmProgress {
  readonly name: string | undefined
  /** Entries that are dealt with. */
  readonly done: number
  /** How many entries the source names, where that is known. */
  readonly total: number | undefined
  /** Of those dealt with: loaded and kept, there already, loaded in vain, failed. */
  readonly warmed: number
  readonly fresh: number
  readonly unkept: number
  readonly failures: number
  readonly elapsedMs: number
  /** The last one of its run. */
  readonly ended: boolean
}

export type Listener<E extends keyof CacheEvents> = (event: CacheEvents[E]) => void

/** How many different warnings are remembered as already given. */
const MAX_WARNINGS = 1_000

/** The events and the warnings of one cache. A listener that throws harms nobody; without listeners nothing happens. */
export class Events {
  readonly #listeners = new Map<keyof CacheEvents, Set<Listener<keyof CacheEvents>>>()
  readonly #warned = new Set<string>()
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Call `listener` for each event of this name; returns a function that ends it. */
  on<E extends keyof CacheEvents>(event: E, listener: Listener<E>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners)
    const stored = listener as Listener<keyof CacheEvents>
    listeners.add(stored)
    return () => {
      listeners.delete(stored)
    }
  }

  /** Whether anybody listens; ask before making an event on a hot path. */
  has(event: keyof CacheEvents): boolean {
    const listeners = this.#listeners.get(event)
    return listeners !== undefined && listeners.size > 0
  }

  emit<E extends keyof CacheEvents>(event: E, value: CacheEvents[E]): void {
    const listeners = this.#listeners.get(event)
    if (listeners === undefined) return
    for (const listener of listeners) {
      const fail = (cause: unknown): void =>
        this.warnOnce(`listener:${event}`, `A listener for "${event}" threw: ${String(cause)}`)
      try {
        // An async function is a listener, too: its rejection must not end the process.
        const result: unknown = listener(value)
        if (result instanceof Promise) result.catch(fail)
      } catch (cause) {
        fail(cause)
      }
    }
  }

  info(message: string): void {
    this.#log('info', message)
  }

  warn(message: string): void {
    this.#log('warn', message)
  }

  #log(level: 'info' | 'warn', message: string): void {
    try {
      this.#logger[level](`[cache] ${message}`)
    } catch {
      // There is nobody left to tell, and a request is not to fail for it.
    }
  }

  /** Warn the first time only; `topic` names the cause. */
  warnOnce(topic: string, message: string): void {
    if (this.#warned.has(topic) || this.#warned.size >= MAX_WARNINGS) return
    this.#warned.add(topic)
    this.warn(message)
  }
}
