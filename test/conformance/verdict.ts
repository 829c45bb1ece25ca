import { type Behaviour, type Kind, needsOf } from './behaviour.ts'
import type { Judgement } from './judge.ts'

/**
 * What a run says of one behaviour. `blocked`: what it hangs on does not hold. `unclear`: a check that failed before the step
 * with its question.
 */
export interface Verdict {
  readonly behaviour: Behaviour
  readonly result: 'pass' | 'fail' | 'yes' | 'no' | 'blocked' | 'unclear'
  /** The result is the one we want. */
  readonly isWanted: boolean
  /** What was seen instead, or what is missing; empty where all is as expected. */
  readonly seen: string
}

/** How many behaviours of a kind there are, and how many are as wanted. */
export interface Tally {
  readonly wanted: number
  readonly total: number
}

/** Turn judgements into verdicts; a behaviour counts only if everything it hangs on holds. */
export function verdictsOf(judgements: ReadonlyMap<Behaviour, Judgement>): readonly Verdict[] {
  const byId = new Map([...judgements].map(([behaviour, judgement]) => [behaviour.id, { behaviour, judgement }]))
  const missing = (id: string, known: Set<string>): string | undefined => {
    if (known.has(id)) return undefined
    known.add(id)
    const found = byId.get(id)
    if (found?.judgement.holds !== true) return id
    return needsOf(found.behaviour).reduce<string | undefined>(
      (first, need) => first ?? missing(need, known),
      undefined,
    )
  }
  return [...judgements].map(([behaviour, judgement]) => {
    const known = new Set([behaviour.id])
    const need = needsOf(behaviour).reduce<string | undefined>((first, id) => first ?? missing(id, known), undefined)
    return verdictOf(behaviour, judgement, need)
  })
}

function verdictOf(behaviour: Behaviour, judgement: Judgement, need: string | undefined): Verdict {
  if (need !== undefined) return { behaviour, result: 'blocked', isWanted: false, seen: `${need} does not hold` }
  const seen = judgement.holds ? '' : `step ${judgement.step}: ${judgement.seen}`
  if (behaviour.kind !== 'check') {
    return { behaviour, result: judgement.holds ? 'pass' : 'fail', isWanted: judgement.holds, seen }
  }
  if (!judgement.holds && !judgement.atLast) return { behaviour, result: 'unclear', isWanted: false, seen }
  const result = judgement.holds ? 'yes' : 'no'
  const { wanted = 'free' } = behaviour
  return { behaviour, result, isWanted: wanted === 'free' || wanted === result, seen }
}

/** Count the verdicts of one kind. */
export function tallyOf(verdicts: readonly Verdict[], kind: Kind): Tally {
  const ofKind = verdicts.filter(({ behaviour }) => behaviour.kind === kind)
  return { wanted: ofKind.filter(({ isWanted }) => isWanted).length, total: ofKind.length }
}
