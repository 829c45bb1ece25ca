/** Part of the suite's table, as in the reference. */
export type Kind = 'required' | 'optimal' | 'check'

/** A date, in seconds from the moment the message is made, in one of the three forms of RFC 9110, section 5.6.7. */
export interface Moment {
  readonly inSeconds: number
  readonly form?: 'imf' | 'rfc850' | 'asctime'
}

/** `{path}` stands for the behaviour's own path, `{host}` for the authority that the cache is asked for. */
export type FieldValue = string | Moment

/** Field lines in order; a list is one line each, null takes away a line that the suite adds by itself. */
export type Fields = Readonly<Record<string, FieldValue | readonly FieldValue[] | null>>

/** What the client sends. */
export interface Asked {
  /** GET unless given. */
  readonly method?: string
  /** Appended to the behaviour's own path. */
  readonly at?: string
  readonly fields?: Fields
  readonly body?: string
  /** The client goes away in the middle of the body. */
  readonly leaves?: true
}

/** What the origin answers; a 304, 206 or 416 only to a request that asks for one. */
export interface OriginAnswer {
  /** 200 unless given. */
  readonly status?: number
  readonly reason?: string
  /** `Date`, `Content-Length` and `Answer-Id` are added. */
  readonly fields?: Fields
  /** A text that no other answer has unless given. */
  readonly body?: string
  readonly interim?: readonly { readonly status: number; readonly fields?: Fields }[]
  /** Seconds from the request to the head. */
  readonly delay?: number
  /** Seconds between the halves of the body. */
  readonly pause?: number
  readonly chunked?: true
  /** The connection ends in the middle of the body. */
  readonly cut?: true
  /** The connection ends without an answer. */
  readonly closes?: true
  /** A 304, 206 or 416 even to a request that does not ask for it. */
  readonly always?: true
  /** Sent to a request that asks for no 304, 206 or 416: the last full answer again unless given. */
  readonly otherwise?: OriginAnswer
}

/** What a field of an answer has to be: the combined value, its lines, or the same as in the answer of a step (from 1). */
export type FieldWanted =
  | string
  | RegExp
  | readonly string[]
  | { readonly sameAs: number }
  | { readonly atLeast: number; readonly atMost?: number }
  | { readonly not: string }

/** What is expected of a step. */
export interface Expectation {
  /**
   * `origin`: this step's request reached the origin, and its answer came back. `cache`: neither. `validated`: the origin was
   * asked, on a condition.
   */
  readonly from?: 'origin' | 'cache' | 'validated'
  /** The origin may be asked although the answer comes from the cache. */
  readonly behind?: true
  readonly status?: number | readonly number[]
  /** The text, or the number of the step (from 1) whose origin's body it is. */
  readonly body?: string | number | RegExp
  /** The body is not the one that the origin sent in this step (from 1). */
  readonly bodyIsNot?: number
  readonly fields?: Readonly<Record<string, FieldWanted>>
  readonly absent?: readonly string[]
  /** Names that come in this order and case. */
  readonly names?: readonly string[]
  /** The interim answers that came, without 100. */
  readonly interim?: readonly number[]
  /** What the origin saw in this step. */
  readonly origin?: {
    readonly requests?: number
    readonly method?: string
    readonly body?: string
    readonly fields?: Readonly<Record<string, FieldWanted>>
    readonly absent?: readonly string[]
  }
}

/** A request, what the origin would answer, and what has to come of it. */
export interface Step {
  /** Seconds before the request. */
  readonly wait?: number
  /** Sent while the origin is busy with the step before. */
  readonly meanwhile?: true
  readonly request?: Asked
  /** What the origin answered last unless given. */
  readonly answer?: OriginAnswer
  /** The first step's answer comes from the origin unless said otherwise; `{}`: nothing, not even an answer. */
  readonly expect?: Expectation
}

/** One behaviour of a cache, seen from outside. */
export interface Behaviour {
  /** Lower case and hyphens; also its path. */
  readonly id: string
  readonly kind: Kind
  /** One sentence and where it is written. */
  readonly says: string
  /** For a check: the answer we want. */
  readonly wanted?: 'yes' | 'no' | 'free'
  /** What has to hold for this one to mean anything. */
  readonly needs?: readonly string[]
  readonly steps: readonly Step[]
}

/** Behaviours on one subject. */
export interface Group {
  readonly name: string
  readonly behaviours: readonly Behaviour[]
}

/** The two that show whether there is a cache at all, and whether it reuses what it must not. */
export const CONTROLS = { reuses: 'fresh-max-age', forgets: 'fresh-none' } as const

/**
 * Everything that a behaviour hangs on directly. Reuse means nothing where everything is reused, and its absence nothing where
 * nothing ever is, so each one hangs on the control of the other direction.
 */
export function needsOf(behaviour: Behaviour): readonly string[] {
  const own = behaviour.needs ?? []
  const control = behaviour.steps.some(({ expect }) => expect?.from === 'cache') ? CONTROLS.forgets : CONTROLS.reuses
  return own.includes(control) || behaviour.id === control ? own : [control, ...own]
}
