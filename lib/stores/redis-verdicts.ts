import type { Entry } from '../entry.ts'
import { recent } from '../recent.ts'
import type { Checked } from './redis-mirror.ts'

/** Of how many entries it is remembered. */
const MAX_VERDICTS = 10_000

interface Verdict extends Checked {
  readonly entry: Pick<Entry, 'kind' | 'incarnation' | 'seq' | 'tags'>
}

/**
 * What the server has said of entries that are older than the mirror, so that it is asked once for each: a process that came late
 * would otherwise ask at every hit. It holds for the entry that was asked about, and for what was invalidated up to then.
 */
export class Verdicts {
  readonly #verdicts = recent<Verdict>(MAX_VERDICTS)

  /** Undefined where it was not asked about this very entry. */
  of({ key, kind, incarnation, seq, tags }: Entry): Checked | undefined {
    const verdict = this.#verdicts.get(key)
    if (verdict === undefined) return undefined
    const { entry } = verdict
    const isSame = entry.kind === kind && entry.incarnation === incarnation && entry.seq === seq
    return isSame && isEqual(entry.tags, tags) ? verdict : undefined
  }

  keep({ key, kind, incarnation, seq, tags }: Entry, checked: Checked): void {
    this.#verdicts.set(key, { entry: { kind, incarnation, seq, tags }, ...checked })
  }
}

function isEqual(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((tag, index) => tag === others[index])
}
