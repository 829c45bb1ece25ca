import type { Entry, VariantIndex } from '../entry.ts'
import { CODINGS, type CodedBody, type Coding } from '../http/content-coding.ts'
import type { Fields } from '../http/fields.ts'
import { plannedResponse, type StoredResponse } from '../http/stored-response.ts'
import { type Data, dataOf, FORMS, type Form, formOf, marked, markOf, type StoredValue } from '../stored-value.ts'
import { type Chunk, type Place, RECORD_HEADER_BYTES } from './slabs.ts'
import type { Template } from './templates.ts'

/**
 * An entry as bytes, so that a million of them are few objects for the garbage collector. Words have 32 bits, numbers 64:
 *
 *     0   words    header of the record, template, flags, length of the key, number of names, number of values, bytes of text,
 *                  bytes of body
 *     40  numbers  cachedAt, staleAt, deleteAt, seq, fence, size; of a response initialAge, modifiedAt, generatedAt; of a value
 *                  its stale windows and which form it has
 *     112 words    of each name (tags, the entry's own): how much of it is in the text, and which part of the key follows;
 *                  of each value (of a field, or the key of a variant): its length;
 *                  of each coding of the body: which one, and one more than its length, 0 where it is not worth its place
 *         text     key, names and values, one after the other
 *         body     as it is, then in its codings
 *
 * Text is Latin-1, or UTF-16 where that will not do.
 */

const TEMPLATE = RECORD_HEADER_BYTES / 4
const FLAGS = TEMPLATE + 1
const KEY = TEMPLATE + 2
const NAMES = TEMPLATE + 3
const VALUES = TEMPLATE + 4
const TEXT = TEMPLATE + 5
const BODY = TEMPLATE + 6
const NUMBERS = 5
const FENCE = NUMBERS + 4
const SPANS_AT = 112
/** Of a name: its length in the text, and start and length of its part of the key. */
const NAME_SPANS = 3

const FLAG_WIDE_TEXT = 1
const FLAG_WIDE_BODY = 2
/** The body is text. */
const FLAG_TEXT = 4
const FLAG_CODABLE = 8
/** The number of codings stands above the flags. */
const CODINGS_SHIFT = 8
const CODING_SPANS = 2

const NOTHING = Buffer.alloc(0)
const BEYOND_LATIN1 = /[\u0100-\uffff]/

/** An entry on its way into a slab. */
export interface Draft {
  readonly entry: Entry
  readonly text: string
  readonly spans: readonly number[]
  readonly body: string | Uint8Array
  readonly coded: readonly Buffer[]
  readonly flags: number
  /** Bytes of the whole. */
  readonly length: number
}

/** The text of a draft, and what says which part of it is what. */
interface Spans {
  text: string
  readonly spans: number[]
}

/** @throws {TypeError} when the value of a service entry is neither text nor bytes. */
export function draftOf(entry: Entry): Draft {
  const written: Spans = { text: entry.key, spans: [] }
  // What stands behind `u:` and `p:` is part of the key as a rule.
  for (const tag of entry.tags) addName(written, entry.key, tag, 2)
  addName(written, entry.key, entry.name, 0)
  if (entry.kind === 'response') for (const field of responseOf(entry).fields) addValue(written, field[1])
  if (entry.kind === 'variants') for (const key of (entry.value as VariantIndex).variants) addValue(written, key)
  const { text, spans } = written
  const body = bodyOf(entry)
  const codings = entry.kind === 'response' ? responseOf(entry).coded : []
  const coded: Buffer[] = []
  for (const one of codings) {
    spans.push(CODINGS.indexOf(one.coding), one.body === undefined ? 0 : one.body.length + 1)
    if (one.body !== undefined) coded.push(one.body)
  }
  const isText = typeof body === 'string'
  const isWide = BEYOND_LATIN1.test(text)
  const isWideBody = isText && BEYOND_LATIN1.test(body)
  const isCodable = entry.kind === 'response' && responseOf(entry).codable
  const flags =
    (isWide ? FLAG_WIDE_TEXT : 0) |
    (isWideBody ? FLAG_WIDE_BODY : 0) |
    (isText ? FLAG_TEXT : 0) |
    (isCodable ? FLAG_CODABLE : 0) |
    (codings.length << CODINGS_SHIFT)
  let bodyBytes = isWideBody ? 2 * body.length : body.length
  for (const one of coded) bodyBytes += one.length
  const length = SPANS_AT + 4 * spans.length + (isWide ? 2 : 1) * text.length + bodyBytes
  return { entry, text, spans, body, coded, flags, length }
}

/** Write an entry where there is room for it. */
export function writeDraft({ chunk, at }: Place, draft: Draft, templateId: number): void {
  const { entry, text, spans, body, coded, flags } = draft
  const { bytes, words, numbers } = chunk
  const names = entry.tags.length + 1
  const textAt = at + SPANS_AT + 4 * spans.length
  const bodyAt = textAt + writeText(bytes, text, textAt, (flags & FLAG_WIDE_TEXT) !== 0)
  if (typeof body !== 'string') bytes.set(body, bodyAt)
  const isWideBody = (flags & FLAG_WIDE_BODY) !== 0
  const bodyBytes = typeof body === 'string' ? writeText(bytes, body, bodyAt, isWideBody) : body.length
  let codedAt = bodyAt + bodyBytes
  for (const one of coded) {
    bytes.set(one, codedAt)
    codedAt += one.length
  }
  const word = at / 4
  words[word + TEMPLATE] = templateId
  words[word + FLAGS] = flags
  words[word + KEY] = entry.key.length
  words[word + NAMES] = names
  words[word + VALUES] = spans.length - NAME_SPANS * names - CODING_SPANS * (flags >> CODINGS_SHIFT)
  words[word + TEXT] = bodyAt - textAt
  words[word + BODY] = bodyBytes
  words.set(spans, (at + SPANS_AT) / 4)
  const number = at / 8
  numbers[number + NUMBERS] = entry.cachedAt
  numbers[number + NUMBERS + 1] = entry.staleAt
  numbers[number + NUMBERS + 2] = entry.deleteAt
  numbers[number + NUMBERS + 3] = entry.seq
  numbers[number + FENCE] = entry.fence
  numbers[number + NUMBERS + 5] = entry.size
  if (entry.kind === 'value') return writeMark(numbers, number, entry.value as StoredValue)
  if (entry.kind !== 'response') return
  const { initialAge, modifiedAt, generatedAt } = responseOf(entry)
  numbers[number + NUMBERS + 6] = initialAge
  numbers[number + NUMBERS + 7] = modifiedAt ?? Number.NaN
  numbers[number + NUMBERS + 8] = generatedAt ?? Number.NaN
}

/** The entry that was written there, made anew. */
export function readEntry({ chunk, at }: Place, key: string, template: Template): Entry {
  const { bytes, words, numbers } = chunk
  const word = at / 4
  const flags = words[word + FLAGS] as number
  const nameCount = words[word + NAMES] as number
  const valueCount = words[word + VALUES] as number
  const codingCount = flags >> CODINGS_SHIFT
  const spans = (at + SPANS_AT) / 4
  const codingSpans = spans + NAME_SPANS * nameCount + valueCount
  const textAt = textStart(words, word)
  const bodyAt = textAt + (words[word + TEXT] as number)
  const bodyEnd = bodyAt + (words[word + BODY] as number)
  const isWide = (flags & FLAG_WIDE_TEXT) !== 0
  const text = readText(bytes, textAt + (isWide ? 2 : 1) * key.length, bodyAt, isWide)
  const { names, end } = readNames(words, spans, nameCount, text, key)
  const values = readValues(words, spans + NAME_SPANS * nameCount, valueCount, text, end)
  const number = at / 8
  let value: unknown
  if (template.response !== undefined) {
    value = plannedResponse({
      common: template.response,
      fields: fieldsOf(template.response.names, values),
      body: readBytes(chunk, bodyAt, bodyEnd),
      length: bodyEnd - bodyAt,
      initialAge: numbers[number + NUMBERS + 6] as number,
      plan: template.response.plan,
      codable: (flags & FLAG_CODABLE) !== 0,
      coded: readCodings(chunk, codingSpans, codingCount, bodyEnd),
      modifiedAt: given(numbers[number + NUMBERS + 7]),
      generatedAt: given(numbers[number + NUMBERS + 8]),
    })
  } else if (template.sets !== undefined) value = { sets: template.sets, variants: values }
  else if ((flags & FLAG_TEXT) === 0) value = readMark(numbers, number, readBytes(chunk, bodyAt, bodyEnd))
  else value = readMark(numbers, number, readText(bytes, bodyAt, bodyEnd, (flags & FLAG_WIDE_BODY) !== 0))
  const name = names.pop() as string
  return {
    kind: template.kind,
    key,
    name,
    cachedAt: numbers[number + NUMBERS] as number,
    staleAt: numbers[number + NUMBERS + 1] as number,
    deleteAt: numbers[number + NUMBERS + 2] as number,
    tags: names,
    incarnation: template.incarnation,
    seq: numbers[number + NUMBERS + 3] as number,
    fence: numbers[number + FENCE] as number,
    size: numbers[number + NUMBERS + 5] as number,
    value,
  }
}

/** Whether this is the key of the entry that was written there. */
export function hasKey({ chunk, at }: Place, key: string): boolean {
  const { bytes, words } = chunk
  const word = at / 4
  if (words[word + KEY] !== key.length) return false
  const textAt = textStart(words, word)
  if (((words[word + FLAGS] as number) & FLAG_WIDE_TEXT) === 0) {
    for (let index = 0; index < key.length; index++) {
      if (bytes[textAt + index] !== key.charCodeAt(index)) return false
    }
    return true
  }
  for (let index = 0; index < key.length; index++) {
    if (bytes.readUInt16LE(textAt + 2 * index) !== key.charCodeAt(index)) return false
  }
  return true
}

/** The key of the entry that was written there. */
export function readKey({ chunk, at }: Place): string {
  const { bytes, words } = chunk
  const word = at / 4
  const isWide = ((words[word + FLAGS] as number) & FLAG_WIDE_TEXT) !== 0
  const textAt = textStart(words, word)
  return readText(bytes, textAt, textAt + (isWide ? 2 : 1) * (words[word + KEY] as number), isWide)
}

/** The fence of the entry that was written there. */
export function readFence({ chunk, at }: Place): number {
  return chunk.numbers[at / 8 + FENCE] as number
}

/** The id of its template. */
export function readTemplateId({ chunk, at }: Place): number {
  return chunk.words[at / 4 + TEMPLATE] as number
}

/** How much of it (bytes) is copied when it is read. */
export function readCopiedBytes({ chunk, at }: Place): number {
  const { words, isShared } = chunk
  const word = at / 4
  if (isShared) return words[word] as number
  const isText = ((words[word + FLAGS] as number) & FLAG_TEXT) !== 0
  return (words[word + TEXT] as number) + (isText ? (words[word + BODY] as number) : 0)
}

/** Where the text of the record at this word begins (bytes). */
function textStart(words: Uint32Array, word: number): number {
  const codings = (words[word + FLAGS] as number) >> CODINGS_SHIFT
  const spans = NAME_SPANS * (words[word + NAMES] as number) + (words[word + VALUES] as number) + CODING_SPANS * codings
  return 4 * (word + spans) + SPANS_AT
}

function responseOf(entry: Entry): StoredResponse {
  return entry.value as StoredResponse
}

function bodyOf({ kind, value }: Entry): string | Uint8Array {
  if (kind === 'response') return (value as StoredResponse).body
  if (kind === 'variants') return NOTHING
  return dataOf(value)
}

function writeMark(numbers: Float64Array, number: number, value: StoredValue): void {
  const mark = markOf(value)
  numbers[number + NUMBERS + 6] = mark?.staleWhileRevalidate ?? Number.NaN
  numbers[number + NUMBERS + 7] = mark?.staleIfError ?? Number.NaN
  numbers[number + NUMBERS + 8] = FORMS.indexOf(formOf(value))
}

function readMark(numbers: Float64Array, number: number, data: Data): StoredValue {
  const staleWhileRevalidate = given(numbers[number + NUMBERS + 6])
  const staleIfError = given(numbers[number + NUMBERS + 7])
  const form = FORMS[numbers[number + NUMBERS + 8] as number] as Form
  return marked(data, { form, staleWhileRevalidate, staleIfError })
}

function addName(written: Spans, key: string, name: string, prefix: number): void {
  const start = key.indexOf(name.slice(prefix))
  const own = start === -1 ? name : name.slice(0, prefix)
  written.text += own
  written.spans.push(own.length, Math.max(0, start), name.length - own.length)
}

function addValue(written: Spans, value: string): void {
  written.text += value
  written.spans.push(value.length)
}

function readNames(words: Uint32Array, spans: number, count: number, text: string, key: string): Names {
  const names: string[] = []
  let end = 0
  for (let span = spans; names.length < count; span += NAME_SPANS) {
    const [from, start] = [end, words[span + 1] as number]
    end += words[span] as number
    names.push(text.slice(from, end) + key.slice(start, start + (words[span + 2] as number)))
  }
  return { names, end }
}

interface Names {
  readonly names: string[]
  /** Where in the text they end. */
  readonly end: number
}

function readValues(words: Uint32Array, spans: number, count: number, text: string, from: number): string[] {
  const values: string[] = []
  let end = from
  for (let span = spans; values.length < count; span++) {
    const start = end
    end += words[span] as number
    values.push(text.slice(start, end))
  }
  return values
}

function readCodings(chunk: Chunk, spans: number, count: number, from: number): readonly CodedBody[] {
  const coded: CodedBody[] = []
  let end = from
  for (let span = spans; coded.length < count; span += CODING_SPANS) {
    const coding = CODINGS[chunk.words[span] as number] as Coding
    const length = chunk.words[span + 1] as number
    const start = end
    end += Math.max(0, length - 1)
    coded.push({ coding, body: length === 0 ? undefined : readBytes(chunk, start, end) })
  }
  return coded
}

function fieldsOf(names: readonly string[], values: readonly string[]): Fields {
  const fields: [string, string][] = []
  for (let index = 0; index < names.length; index++) fields.push([names[index] as string, values[index] as string])
  return fields
}

function given(number: number | undefined): number | undefined {
  return Number.isNaN(number) ? undefined : number
}

function writeText(bytes: Buffer, text: string, at: number, isWide: boolean): number {
  return bytes.write(text, at, isWide ? 'utf16le' : 'latin1')
}

function readText(bytes: Buffer, from: number, to: number, isWide: boolean): string {
  return bytes.toString(isWide ? 'utf16le' : 'latin1', from, to)
}

/** A copy of what may be overwritten, else the bytes themselves, which nobody overwrites then. */
function readBytes(chunk: Chunk, from: number, to: number): Buffer {
  const view = chunk.bytes.subarray(from, to)
  if (chunk.isShared) return Buffer.from(view)
  chunk.isLent = true
  return view
}
