import type { Lines } from './parse.ts'

/** Which rules the cache under test goes by. */
export type Profile = 'safe' | 'rfc'

/**
 * What happened, as seen from both sides of the cache. `at` is the clock of the cache (epoch ms); ticks count everything that
 * happens, so that before and after are known even where no time passes.
 */

/** A request of a client. */
export interface Sent {
  readonly id: number
  readonly method: string
  readonly uri: string
  readonly fields: Lines
  readonly at: number
  readonly tick: number
}

/** What the client got; without a status when the connection broke before there was one. */
export interface Got {
  readonly status: number | undefined
  readonly fields: Lines
  readonly body: string
  /** The message ended where its framing says. */
  readonly complete: boolean
  readonly at: number
  readonly tick: number
}

/** One run of the handler. */
export interface Run {
  readonly id: number
  readonly background: boolean
  readonly method: string
  readonly uri: string
  /** The request as the handler saw it. */
  readonly inner: Lines
  readonly startedAt: number
  readonly startedTick: number
  readonly respondedAt: number
  readonly headTick: number
  readonly status: number
  /** The head that the handler gave, without framing. */
  readonly fields: Lines
  /** All of the representation, also where the answer has no body or breaks off. */
  readonly body: string
  /** It told its length (`Content-Length`). */
  readonly declared: boolean
  /** The body broke off. */
  readonly broken: boolean
  /** It is an error page: the handler threw. */
  readonly thrown: boolean
}

/** A request, its answer and the runs it caused, in the order they ended. */
export interface Exchange {
  readonly sent: Sent
  readonly got: Got
  readonly runs: readonly Run[]
}
