import { isCodable } from '../lib/http/content-coding.ts'
import type { Fields, RequestHeaders } from '../lib/http/fields.ts'
import { parseVary } from '../lib/http/vary.ts'
import type { ResponseEntry } from '../lib/responses.ts'
import type { Kept, NotKept } from './keeper.ts'
import type { Settings } from './settings.ts'

/** See to it that the next client like this one gets a stored response in a coding. */
export function codeLater({ engine, encodings }: Settings, entry: ResponseEntry, headers: RequestHeaders): void {
  if (encodings !== undefined) engine.codings.want(entry, encodings.accepted(headers))
}

/** The head of a handler's answer, as far as is known. */
export interface AnsweredHead {
  readonly status: number
  readonly fields: Fields
  readonly length: number | undefined
  /** What is kept of it. */
  readonly decision: Kept | NotKept
}

/** Will those who ask for this later get it in the coding that they like? HEAD says what GET would. */
export function isNegotiated({ encodings }: Settings, { status, fields, length, decision }: AnsweredHead): boolean {
  if (encodings === undefined) return false
  if (!('refused' in decision)) return isCodable(decision, length)
  const vary = parseVary(fields)
  return decision.refused === 'head' && vary !== '*' && isCodable({ status, fields, vary }, length)
}
