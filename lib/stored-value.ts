import type { Entry } from './entry.ts'
import { tagOf } from './key.ts'

/**
 * A value of the service as it is kept: text or bytes, so that nobody can change what others will read, and a value is the same
 * whether it comes from memory or from Redis.
 */

/** What text or bytes are: JSON, text of the application's serializer, or the bytes of one of these. In memory by index: add at the end. */
export const FORMS = [
  'json',
  'serializer',
  'Buffer',
  'ArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const

export type Form = (typeof FORMS)[number]

/** What there is to say of text or bytes; what is absent goes without saying. */
export interface Mark {
  /** @default 'json' for text, 'Buffer' for bytes */
  readonly form?: Form
  /** How long the value may be used beyond its lifetime (ms), where its loader has said so itself. */
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
}

export type Data = string | Uint8Array

/** Data of which there is something to say. */
export interface MarkedValue {
  readonly data: Data
  readonly mark: Mark
}

/** The value of an entry of the service. */
export type StoredValue = Data | MarkedValue

export function isTextForm(form: Form): boolean {
  return form === 'json' || form === 'serializer'
}

/** @throws {TypeError} for what is no value of an entry */
export function dataOf(value: unknown): Data {
  const data = isMarked(value) ? value.data : value
  if (typeof data === 'string' || data instanceof Uint8Array) return data
  throw new TypeError(`A value of type ${typeof data} cannot be kept: it is neither text nor bytes`)
}

export function markOf(value: unknown): Mark | undefined {
  return isMarked(value) ? value.mark : undefined
}

export function formOf(value: StoredValue): Form {
  return markOf(value)?.form ?? plainForm(dataOf(value))
}

/** What may be to say of data. */
interface Remarks {
  readonly form: Form | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
}

/** Data and what there is to say of it, in the shortest way. */
export function marked(data: Data, { form, staleWhileRevalidate, staleIfError }: Remarks): StoredValue {
  const isPlain = form === undefined || form === plainForm(data)
  if (isPlain && staleWhileRevalidate === undefined && staleIfError === undefined) return data
  const mark = {
    ...(isPlain ? {} : { form }),
    ...(staleWhileRevalidate === undefined ? {} : { staleWhileRevalidate }),
    ...(staleIfError === undefined ? {} : { staleIfError }),
  }
  return { data, mark }
}

export interface ValueDraft {
  /** The full key, and the service key in it. */
  readonly full: string
  readonly key: string
  readonly value: StoredValue
  /** Prefixed. */
  readonly tags: readonly string[]
  readonly now: number
  readonly staleAt: number
  readonly deleteAt: number
  /** The state of the ledger as of which it was made. */
  readonly at: { readonly incarnation: string; readonly seq: number }
  readonly fence: number
}

export function valueEntry({ full, key, value, tags, now, staleAt, deleteAt, at, fence }: ValueDraft): Entry {
  let size = full.length + dataOf(value).length
  for (const tag of tags) size += tag.length
  return {
    kind: 'value',
    key: full,
    name: key,
    cachedAt: now,
    staleAt,
    deleteAt,
    tags: [...tags, tagOf.key(key)],
    incarnation: at.incarnation,
    seq: at.seq,
    fence,
    size,
    value,
  }
}

function isMarked(value: unknown): value is MarkedValue {
  return typeof value === 'object' && value !== null && 'mark' in value
}

function plainForm(data: Data): Form {
  return typeof data === 'string' ? 'json' : 'Buffer'
}
