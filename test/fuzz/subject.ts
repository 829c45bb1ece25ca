import type { Fields } from '../../lib/http/fields.ts'

/** The texts a parser reads in one call, one for each of its slots; undefined where a field is absent. */
export type Texts = readonly (string | undefined)[]

/** One text that a parser reads. */
export interface Slot {
  readonly name: string
  /** Real values, from which others are made. */
  readonly seeds: readonly string[]
  /** It may be absent altogether. */
  readonly optional?: boolean
}

/** A parser, what it reads and what may come out of it. */
export interface Subject<Result = unknown> {
  readonly name: string
  readonly slots: readonly Slot[]
  run(texts: Texts): Result
  /** What is wrong with a result; undefined when it has the right shape. */
  problem(result: Result, texts: Texts): string | undefined
}

/** Field lines of one name: a line feed separates them, undefined is none. */
export function linesOf(name: string, text: string | undefined): Fields {
  return text === undefined ? [] : text.split('\n').map((value) => [name, value] as const)
}

/** Field lines from `Name: value`, one a line. */
export function headOf(text: string): Fields {
  return text.split('\n').map((line) => {
    const colon = line.indexOf(':', 1)
    return colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

/** The sentence for the first check that fails. */
export function firstOf(checks: Readonly<Record<string, boolean>>): string | undefined {
  for (const [sentence, holds] of Object.entries(checks)) if (!holds) return sentence
  return undefined
}

/** Finite and not negative. */
export function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** A token in lower case (RFC 9110 s. 5.6.2), written down a second time: the parsers' own test is not trusted. */
export function isLowerToken(value: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(value)
}

/** Without spaces and tabs at either end. */
export function isTight(value: string): boolean {
  return !/^[ \t]|[ \t]$/.test(value)
}

/** The entity tag that is all of a value but white space (RFC 9110 s. 8.8.3), written down a second time as well. */
export function entityTagIn(value: string): string | undefined {
  return /^[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*$/.exec(value)?.[1]
}
