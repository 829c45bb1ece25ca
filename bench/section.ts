/** One table of the results, and what it shows. */
export interface Section {
  readonly title: string
  /** How it was measured, and what is honest to add: a sentence or two. */
  readonly note: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly verdicts: readonly Verdict[]
}

/** A figure that has to be within a bar. */
export interface Verdict {
  /** What is claimed, so that it can be read without its table. */
  readonly what: string
  readonly figure: number
  readonly bar: { readonly atLeast: number } | { readonly atMost: number }
}

export function isMet({ figure, bar }: Verdict): boolean {
  return 'atLeast' in bar ? figure >= bar.atLeast : figure <= bar.atMost
}
