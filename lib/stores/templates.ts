import type { Entry, EntryKind, VariantIndex } from '../entry.ts'
import { areNamed, isSameList } from '../http/fields.ts'
import { type CommonHead, type HeadPlan, headPlan, type StoredResponse } from '../http/stored-response.ts'

/**
 * What many entries have in common, kept once: all of a response's head but the values of its fields, what the index of a resource
 * says of `Vary`. A template goes with the last entry that uses it.
 */
export interface Template {
  readonly id: number
  /** What it counts for. */
  readonly bytes: number
  readonly kind: EntryKind
  readonly incarnation: string
  /** Of a response. */
  readonly response: ResponseTemplate | undefined
  /** Of an index. */
  readonly sets: VariantIndex['sets'] | undefined
}

interface ResponseTemplate extends CommonHead {
  readonly names: readonly string[]
  readonly plan: HeadPlan
}

interface Kept {
  readonly template: Template
  readonly signature: string
  uses: number
}

/** What a template counts for beside its signature (bytes), as measured on the heap. */
const TEMPLATE_BYTES = 2_000

export class Templates {
  readonly #bySignature = new Map<string, Kept>()
  readonly #byId = new Map<number, Kept>()
  readonly #freeIds: number[] = []
  /** That of the last entry: the next one is like it as a rule. */
  #last: Kept | undefined
  #bytes = 0

  /** Bytes of all templates. */
  get bytes(): number {
    return this.#bytes
  }

  /** The template of an entry, used once more. */
  use(entry: Entry): Template {
    if (this.#last === undefined || !describes(this.#last.template, entry)) this.#last = this.#find(entry)
    this.#last.uses++
    return this.#last.template
  }

  #find(entry: Entry): Kept {
    const signature = signatureOf(entry)
    const known = this.#bySignature.get(signature)
    if (known !== undefined) return known
    const template = templateOf(entry, this.#freeIds.pop() ?? this.#byId.size, signature)
    const kept = { template, signature, uses: 0 }
    this.#bySignature.set(signature, kept)
    this.#byId.set(template.id, kept)
    this.#bytes += template.bytes
    return kept
  }

  get(id: number): Template {
    return (this.#byId.get(id) as Kept).template
  }

  /** An entry that used it is gone. */
  release(id: number): void {
    const kept = this.#byId.get(id) as Kept
    if (--kept.uses > 0) return
    if (this.#last === kept) this.#last = undefined
    this.#byId.delete(id)
    this.#freeIds.push(id)
    this.#bySignature.delete(kept.signature)
    this.#bytes -= kept.template.bytes
  }
}

/** Whether this is the template of a response; that of anything else is found by its signature. */
function describes({ incarnation, response }: Template, entry: Entry): boolean {
  if (response === undefined || entry.kind !== 'response' || entry.incarnation !== incarnation) return false
  const other = entry.value as StoredResponse
  return (
    response.status === other.status &&
    response.reason === other.reason &&
    response.audience === other.audience &&
    response.alwaysValidate === other.alwaysValidate &&
    response.staleWhileRevalidate === other.staleWhileRevalidate &&
    response.staleIfError === other.staleIfError &&
    response.staleIfDisconnected === other.staleIfDisconnected &&
    response.mustRevalidate === other.mustRevalidate &&
    response.immutable === other.immutable &&
    isSameList(response.vary, other.vary) &&
    isSameList(response.withheld, other.withheld) &&
    areNamed(other.fields, response.names)
  )
}

function signatureOf({ kind, incarnation, value }: Entry): string {
  if (kind === 'value') return `${kind} ${incarnation}`
  if (kind === 'variants') return JSON.stringify([kind, incarnation, (value as VariantIndex).sets])
  const response = value as StoredResponse
  const { status, reason, vary, audience, withheld, alwaysValidate, fields } = response
  const { staleWhileRevalidate, staleIfError, staleIfDisconnected, mustRevalidate, immutable } = response
  const signature: unknown[] = [incarnation, status, reason, vary, audience, withheld, alwaysValidate]
  signature.push(staleWhileRevalidate, staleIfError, staleIfDisconnected, mustRevalidate, immutable)
  for (const field of fields) signature.push(field[0])
  return JSON.stringify(signature)
}

function templateOf({ kind, incarnation, value }: Entry, id: number, signature: string): Template {
  const bytes = TEMPLATE_BYTES + 2 * signature.length
  const response = kind === 'response' ? responseTemplate(value as StoredResponse) : undefined
  const sets = kind === 'variants' ? (value as VariantIndex).sets : undefined
  return { id, bytes, kind, incarnation, response, sets }
}

function responseTemplate(response: StoredResponse): ResponseTemplate {
  const { fields, withheld } = response
  return {
    names: fields.map(([name]) => name),
    plan: headPlan(fields, withheld),
    status: response.status,
    reason: response.reason,
    vary: response.vary,
    audience: response.audience,
    withheld,
    alwaysValidate: response.alwaysValidate,
    staleWhileRevalidate: response.staleWhileRevalidate,
    staleIfError: response.staleIfError,
    staleIfDisconnected: response.staleIfDisconnected,
    mustRevalidate: response.mustRevalidate,
    immutable: response.immutable,
  }
}
