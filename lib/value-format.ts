import { bytesOf, fromBytes } from './byte-forms.ts'
import type { Entry } from './entry.ts'
import { CacheError, show } from './errors.ts'
import type { Events } from './events.ts'
import type { Limit } from './gauge.ts'
import { unsayable } from './json-form.ts'
import { type Data, dataOf, type Form, formOf, type StoredValue } from './stored-value.ts'

/** Writes values as text and reads them again; what it brings must be what it was given, a copy for each call. */
export interface Serializer {
  stringify(value: unknown): string
  parse(text: string): unknown
}

/** A value as it is kept. */
export interface Written {
  readonly data: Data
  readonly form: Form
}

export interface ValueFormatOptions {
  readonly serializer: Serializer | undefined
  /** Larger values are not kept. */
  readonly maxBytes: number
  readonly events: Events
}

/** How the values of one cache are written and read: bytes as they are, anything else by JSON or the serializer given. */
export class ValueFormat {
  readonly #serializer: Serializer | undefined
  readonly #maxBytes: number
  readonly #events: Events
  #lastBytes = 0
  #peakBytes = 0
  #refused = 0

  constructor({ serializer, maxBytes, events }: ValueFormatOptions) {
    this.#serializer = serializer
    this.#maxBytes = maxBytes
    this.#events = events
  }

  /** @throws CacheError naming the key, and the place inside the value, for what cannot be written */
  write(key: string, value: unknown): Written {
    const bytes = bytesOf(value)
    if (bytes !== undefined) return { data: bytes.bytes, form: bytes.form }
    if (value === undefined) throw unwritable(key, 'is undefined', 'Delete the key instead')
    return this.#serializer === undefined
      ? { data: jsonText(key, value), form: 'json' }
      : { data: serializedText(this.#serializer, key, value), form: 'serializer' }
  }

  /** Whether a value is small enough to be kept; warns of the first that is not. */
  fits(key: string, { data }: Written): boolean {
    const bytes = Buffer.byteLength(data)
    if (bytes <= this.#maxBytes) {
      this.#lastBytes = bytes
      this.#peakBytes = Math.max(this.#peakBytes, bytes)
      return true
    }
    this.#refused++
    this.#events.warnOnce(
      'maxValueSize',
      `The value of ${show(key)} is not kept: it has ${bytes} bytes, and maxValueSize is ${this.#maxBytes}. Keep less, or give ` +
        'createCache a larger maxValueSize.',
    )
    return false
  }

  /** Bytes of a value: of the last that was kept, the most so far, and how many were too large. */
  stats(): Limit {
    return { limit: this.#maxBytes, current: this.#lastBytes, peak: this.#peakBytes, refused: this.#refused }
  }

  /** The value of an entry, a copy for each who asks; undefined, with an `error` event, where it cannot be read. */
  read<T>(entry: Entry): T | undefined {
    try {
      return this.#readEntry(entry) as T
    } catch (cause) {
      this.#events.emit('error', { where: 'value', cause })
      return undefined
    }
  }

  /** What `write` has written. @throws what the serializer throws, and for what cannot be read */
  parse(key: string, { data, form }: Written): unknown {
    if (typeof data !== 'string') return fromBytes(form, data)
    return form === 'json' ? JSON.parse(data) : this.#parseText(key, data)
  }

  #readEntry(entry: Entry): unknown {
    // Most are.
    if (typeof entry.value === 'string') return JSON.parse(entry.value)
    const value = entry.value as StoredValue
    return this.parse(entry.name, { data: dataOf(value), form: formOf(value) })
  }

  #parseText(key: string, text: string): unknown {
    if (this.#serializer !== undefined) return this.#serializer.parse(text)
    throw new CacheError(
      'ERR_CACHE_BAD_OPTION',
      `createCache: the value of ${show(key)} was written by a serializer, and this cache has none. Give it the same serializer, ` +
        'or raise `version`.',
    )
  }
}

function jsonText(key: string, value: unknown): string {
  const loss = attempt(key, () => unsayable(value))
  if (loss !== undefined) {
    const { path, what } = loss
    throw unwritable(key, `has ${what} at ${path}, which has no JSON form`, JSON_FIX)
  }
  const text: unknown = attempt(key, () => JSON.stringify(value))
  if (typeof text === 'string') return text
  throw unwritable(key, `is ${show(value)}, whose JSON form is nothing`, JSON_FIX)
}

function attempt<T>(key: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw unwritable(key, `has no JSON form (${firstLine(cause)})`, JSON_FIX, cause)
  }
}

function serializedText(serializer: Serializer, key: string, value: unknown): string {
  let text: unknown
  try {
    text = serializer.stringify(value)
  } catch (cause) {
    // devalue says where.
    const path: unknown = cause instanceof Error ? Reflect.get(cause, 'path') : undefined
    const place = typeof path === 'string' ? ` at $${path}` : ''
    throw unwritable(key, `cannot be written by the serializer${place} (${firstLine(cause)})`, 'Keep other data', cause)
  }
  if (typeof text === 'string') return text
  throw unwritable(key, `became ${show(text)} by the serializer`, 'Its stringify() has to return a string')
}

const JSON_FIX = 'Keep plain data, or give createCache a serializer'

function unwritable(key: string, fault: string, fix: string, cause?: unknown): CacheError {
  return new CacheError('ERR_CACHE_BAD_OPTION', `set: the value of ${show(key)} ${fault}. ${fix}.`, { cause })
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? ''
}
