import type { Fields } from '../lib/http/fields.ts'
import { initialAge } from '../lib/http/freshness.ts'
import { storedResponse } from '../lib/http/stored-response.ts'
import { isForUs } from '../lib/http/targeted.ts'
import { freshenedFields } from '../lib/http/validation.ts'
import type { FillTarget, ResponseEntry } from '../lib/responses.ts'
import type { Deposit } from './deposit.ts'
import type { Keeper, Kept, NotKept } from './keeper.ts'
import type { OuterFields } from './outer-fields.ts'

/** A stored response and an answer that confirms it. */
export interface Confirmation {
  readonly entry: ResponseEntry
  /** The fields of the 304 or HEAD. */
  readonly fields: Fields
  readonly method: string
  /** When they came (epoch ms). */
  readonly now: number
  readonly target: FillTarget
  readonly keeper: Keeper
  readonly deposit: Deposit
  readonly outer: OuterFields
  /** The targeted fields that are obeyed, lower-case. */
  readonly targets: readonly string[]
}

/** A stored response with the news of its confirmation, and whether it is kept on. */
export interface Freshened {
  readonly entry: ResponseEntry
  readonly decision: Kept | NotKept
}

/**
 * Take over what a 304 or HEAD says of a stored response (RFC 9111 s. 3.2, 4.3.4): age, freshness and all else are judged anew,
 * and what may not be kept any more goes, though it still answers this one request (HDR-25).
 */
export function freshen(confirmation: Confirmation): Freshened {
  const { entry: from, fields, method, now, target, keeper, deposit, outer, targets } = confirmation
  const { status, reason, body, coded } = from.value
  const merged = freshenedFields(from.value.fields, fields, now)
  const tags = from.tags.filter((tag) => !tag.startsWith('u:') && !tag.startsWith('p:'))
  const head = { method, status, reason, fields: merged, length: body.length, respondedAt: now, tags }
  const decision = keeper.decide(head, target)
  const entry = 'refused' in decision ? undefined : deposit.confirm(from, { ...decision, body, coded })
  if (entry === undefined) {
    deposit.drop(true)
    deposit.forgetSpare()
    // TGT-12
    const withheld = targets.filter(isForUs)
    const age = initialAge({ fields: merged, requestedAt: now, respondedAt: now })
    const own = outer.remove(merged).filter(([name]) => name.toLowerCase() !== 'age')
    const value = storedResponse({ ...from.value, fields: own, initialAge: age, withheld }, { coded })
    return { entry: { ...from, cachedAt: now, value }, decision }
  }
  // HDR-6: what may only be sent after validation is sent where the validation brought it.
  const news = new Set(fields.map(([name]) => name.toLowerCase()).filter((name) => !targets.includes(name)))
  const { withheld } = entry.value
  if (!withheld.some((name) => news.has(name))) return { entry, decision }
  const value = storedResponse(
    { ...entry.value, withheld: withheld.filter((name) => !news.has(name)) },
    { coded: entry.value.coded },
  )
  return { entry: { ...entry, value }, decision }
}
