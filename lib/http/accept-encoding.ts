import { CODINGS, type Coding } from './content-coding.ts'
import { type RequestHeaders, requestField, splitList, splitOutsideQuotes } from './fields.ts'

/** What a client likes, by coding; `*` stands for those that are not named (RFC 9110 s. 12.5.3). */
type Weights = ReadonlyMap<string, number>

/** All codings of ours that a client takes at all. */
export function acceptableCodings(headers: RequestHeaders): readonly Coding[] {
  const weights = weightsOf(requestField(headers, 'accept-encoding'))
  return CODINGS.filter((coding) => weightOf(weights, coding) > 0)
}

/**
 * Chooses among the codings on offer, in the order of our preference. Without an `Accept-Encoding`, or where that cannot be read,
 * there is nothing but the content as it is: that is what clients understand that say nothing.
 */
export class Negotiation {
  readonly #offered: readonly Coding[]
  // The same few browsers ask again and again.
  readonly #remembered = new Map<string, readonly Coding[]>()
  // Each hit asks twice.
  #lastValue: string | undefined
  #lastAccepted: readonly Coding[] = NONE

  constructor(offered: readonly Coding[]) {
    this.#offered = offered
  }

  /** The codings on offer that a client likes no less than the content as it is, the most welcome first. */
  accepted(headers: RequestHeaders): readonly Coding[] {
    const value = requestField(headers, 'accept-encoding')
    if (value === undefined || value.length > MAX_LENGTH) return NONE
    if (value !== this.#lastValue) {
      this.#lastAccepted = this.#acceptedBy(value)
      this.#lastValue = value
    }
    return this.#lastAccepted
  }

  #acceptedBy(value: string): readonly Coding[] {
    const known = this.#remembered.get(value)
    if (known !== undefined) return known
    const accepted = this.#rank(weightsOf(value))
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
    this.#remembered.set(value, accepted)
    return accepted
  }

  #rank(weights: Weights): readonly Coding[] {
    // Not named it is acceptable, but nobody has asked for it.
    const least = weights.get('identity') ?? 0
    const weighed = this.#offered.map((coding) => ({ coding, weight: weightOf(weights, coding) }))
    return weighed
      .filter(({ weight }) => weight > 0 && weight >= least)
      .sort((a, b) => b.weight - a.weight)
      .map(({ coding }) => coding)
  }
}

const NONE: readonly Coding[] = []
const MAX_REMEMBERED = 256
/** Longer fields (characters) are not read. */
const MAX_LENGTH = 1024

function weightOf(weights: Weights, coding: Coding): number {
  return weights.get(coding) ?? weights.get('*') ?? 0
}

/** Of several members of one name the first counts. */
function weightsOf(value: string | undefined): Weights {
  const weights = new Map<string, number>()
  if (value === undefined || value.length > MAX_LENGTH) return weights
  for (const member of splitList(value)) {
    const [coding = '', ...parameters] = splitOutsideQuotes(member, ';')
    const name = coding.toLowerCase()
    const known = name === 'x-gzip' ? 'gzip' : name
    if (!weights.has(known)) weights.set(known, weight(parameters))
  }
  return weights
}

/** Weights have three digits at most (RFC 9110 s. 12.4.2); what is none asks for nothing. */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

function weight(parameters: readonly string[]): number {
  if (parameters.length === 0) return 1
  const [, value] = WEIGHT.exec(parameters.at(-1) ?? '') ?? []
  return value === undefined ? 0 : Number(value)
}
