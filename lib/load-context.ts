import { type Duration, parseDuration } from './duration.ts'
import type { Events } from './events.ts'
import { checkTags } from './targets.ts'

/**
 * What a loader may say of the value that it makes, and what it is told: the words are those of `cachePolicy(res)`. Each call returns
 * the same object; what is said here goes before the options of `remember`.
 */
export interface LoadContext {
  /** How long the value is fresh; the last one given wins. @throws CacheError for what is no duration */
  ttl(lifetime: Duration): LoadContext
  /** How long after that it is served while it is loaded anew; holds for every caller. */
  staleWhileRevalidate(window: Duration): LoadContext
  /** How long after its lifetime it stands in for a loader that fails or is late; holds for every caller. */
  staleIfError(window: Duration): LoadContext
  /** Names for invalidation, added to those of the options; a write to one of them since the load began makes the value wrong. */
  tag(...tags: string[]): LoadContext
  /** Do not keep the value: those who wait for it get it, and the next caller loads again. The reason is the outcome's `detail`. */
  skip(reason?: string): LoadContext
  /** Aborted when nobody waits any more because `hardTimeoutMs` is over, and when the cache is closed. */
  readonly signal: AbortSignal
}

/** What a loader has said (ms). */
export interface Said {
  readonly ttl: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  /** Prefixed. */
  readonly tags: readonly string[]
  /** Why the value is not to be kept. */
  readonly skip: string | undefined
}

/** One run of a loader: what it says, and what it is told. */
export class LoadRun {
  readonly context: LoadContext = this.#context()
  readonly #events: Events
  #said: Said = { ttl: undefined, staleWhileRevalidate: undefined, staleIfError: undefined, tags: [], skip: undefined }
  #isOver = false
  /** Made for those only who ask. */
  #controller: AbortController | undefined
  #aborted: { readonly reason: unknown } | undefined

  constructor(events: Events) {
    this.#events = events
  }

  get said(): Said {
    return this.#said
  }

  /** Why it was aborted; undefined as long as it was not. */
  get aborted(): { readonly reason: unknown } | undefined {
    return this.#aborted
  }

  /** Tell the loader that nobody waits any more. */
  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return
    this.#aborted = { reason }
    this.#controller?.abort(reason)
  }

  /** What is said from now on comes too late. */
  end(): void {
    this.#isOver = true
  }

  get #signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  #context(): LoadContext {
    const signal = (): AbortSignal => this.#signal
    const say = (more: Partial<Said>): LoadContext => {
      if (this.#isOver) this.#warnTooLate()
      else this.#said = { ...this.#said, ...more }
      return context
    }
    const context: LoadContext = {
      ttl: (lifetime) => say({ ttl: parseDuration('load: ttl', lifetime) }),
      staleWhileRevalidate: (window) =>
        say({ staleWhileRevalidate: parseDuration('load: staleWhileRevalidate', window) }),
      staleIfError: (window) => say({ staleIfError: parseDuration('load: staleIfError', window) }),
      tag: (...tags) => say({ tags: [...this.#said.tags, ...checkTags('load: tag', tags)] }),
      skip: (reason = 'skip') => say({ skip: reason }),
      get signal() {
        return signal()
      },
    }
    return context
  }

  #warnTooLate(): void {
    this.#events.warnOnce(
      'load-late',
      'A loader said something of its value after it had brought it, which has no effect. Say it before the loader returns.',
    )
  }
}
