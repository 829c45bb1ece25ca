import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRaw } from 'node:zlib'
import type { Entry, VariantIndex } from './entry.ts'
import { codedSize, isCompressedType } from './http/content-coding.ts'
import type { Fields } from './http/fields.ts'
import { DeflatedGzip } from './http/gzip.ts'
import {
  assembledResponse,
  type ResponseHead,
  type ResponseParts,
  type StoredResponse,
  withBody,
} from './http/stored-response.ts'
import { dataOf, FORMS, isTextForm, type Mark, type MarkedValue, markOf } from './stored-value.ts'
import type { Awaitable } from './stores/store.ts'

/**
 * The bytes of an entry in Redis: a fixed header that scripts and readers can judge without parsing, a JSON description, and
 * the body as it is. What is read back is untrusted: a frame is an entry of ours in every detail, or it is nothing.
 *
 *     0  'CW', version, flags        16  crc32 of all other bytes
 *     4  length of the description   20  incarnation, 16 hex digits
 *     8  length of the body here     36  seq
 *     12 length of the body plain    44  fence
 *     52 description, body
 */

export interface EncodeOptions {
  /** Bodies larger than this (bytes) are compressed where that makes them smaller; false never. */
  readonly compressAbove: number | false
}

/** What of a frame decides whether it can be right at all. */
interface FrameCoherence {
  readonly incarnation: string
  readonly seq: number
  readonly fence: number
}

/** 'CW' */
const MAGIC = 0x4357
const VERSION = 1
const HEADER_BYTES = 52
const CRC_AT = 16
const INCARNATION_AT = 20
const INCARNATION_BYTES = 16
const SEQ_AT = 36
const FENCE_AT = 44
const FLAG_DEFLATED = 1
const FLAG_TEXT = 2
/** No body is inflated beyond this, whatever its frame claims. */
const MAX_BODY_BYTES = 256 * 1024 * 1024

const deflate = promisify(deflateRaw)
const inflate = promisify(inflateRaw) as (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

const NOTHING = Buffer.alloc(0)

/** All of a frame but the body: read, checked and ready for the body. */
export interface FrameHead {
  /** The bytes that it was read from, a character each. */
  readonly text: string
  /** Of these bytes, without itself. */
  readonly crc: number
  readonly flags: number
  /** Of the body as it is in the frame, and plain (bytes). */
  readonly bodyBytes: number
  readonly plainBytes: number
  /** Without its body; a value only where the description has all of it, the mark of one of the service. */
  readonly entry: Entry
}

/** Heads of frames that were read before, by full key. */
export interface KnownHeads {
  get(key: string): FrameHead | undefined
  set(key: string, head: FrameHead): void
  /** The same fields, in as little memory as can be. */
  shared(fields: Fields): Fields
}

/** What the description says of every entry. */
interface EntryMeta extends Omit<Entry, 'value' | 'incarnation' | 'seq' | 'fence'> {
  readonly response?: ResponseHead
  readonly variants?: VariantIndex
  /** Of a value of which there is something to say. */
  readonly mark?: Mark
}

/**
 * Make the frame of an entry. A promise only where the body is compressed, which happens off the main thread.
 *
 * @throws {TypeError} when the value of a service entry is neither text nor bytes.
 */
export function encodeEntry(entry: Entry, { compressAbove }: EncodeOptions): Awaitable<Buffer> {
  const { body, flags, compressible } = bodyOf(entry)
  if (compressAbove === false || !compressible || body.length <= compressAbove)
    return frameOf(entry, body, body.length, flags)
  return deflate(body).then((small) =>
    small.length < body.length
      ? frameOf(entry, small, body.length, flags | FLAG_DEFLATED)
      : frameOf(entry, body, body.length, flags),
  )
}

/**
 * Read the entry in a frame; undefined when these bytes are no entry of ours, are damaged, were written by another version of
 * the format, or are the entry of another key. Never throws and never rejects. An uncompressed body is a slice of the frame.
 *
 * @param expectedKey undefined accepts any key; the caller compares.
 * @param known where a head that comes again, byte for byte, is not read again.
 */
export function decodeEntry(
  frame: Buffer,
  expectedKey: string | undefined,
  known?: KnownHeads,
): Awaitable<Entry | undefined> {
  const seen = expectedKey === undefined ? undefined : known?.get(expectedKey)
  const isSeen = seen !== undefined && seen.text === frame.toString('latin1', 0, seen.text.length)
  const head = isSeen ? seen : readHead(frame, expectedKey, known)
  if (head === undefined) return undefined
  const { text, crc, flags, bodyBytes, plainBytes, entry } = head
  const stored = frame.subarray(text.length)
  if (stored.length !== bodyBytes || crc32(stored, crc) !== frame.readUInt32BE(CRC_AT)) return undefined
  if (!isSeen) known?.set(entry.key, head)
  const isText = (flags & FLAG_TEXT) !== 0
  if ((flags & FLAG_DEFLATED) === 0)
    return stored.length === plainBytes ? entryOf(entry, valueOf(entry, stored, isText)) : undefined
  return inflate(stored, { maxOutputLength: Math.max(1, plainBytes) }).then(
    (body) => (body.length === plainBytes ? deflatedEntryOf(entry, { stored, body, isText }) : undefined),
    () => undefined,
  )
}

/** All of a frame but the body; the sum that says whether it is what was written contains the body, too. */
function readHead(
  frame: Buffer,
  expectedKey: string | undefined,
  known: KnownHeads | undefined,
): FrameHead | undefined {
  const coherence = frameCoherence(frame)
  if (coherence === undefined) return undefined
  const flags = frame.readUInt8(3)
  const end = HEADER_BYTES + frame.readUInt32BE(4)
  const bodyBytes = frame.readUInt32BE(8)
  const plainBytes = frame.readUInt32BE(12)
  if (end + bodyBytes !== frame.length || plainBytes > MAX_BODY_BYTES) return undefined
  if (flags > (FLAG_DEFLATED | FLAG_TEXT)) return undefined
  const meta = readMeta(frame.toString('utf8', HEADER_BYTES, end))
  const form = meta?.mark?.form
  if (form !== undefined && isTextForm(form) !== ((flags & FLAG_TEXT) !== 0)) return undefined
  if (meta === undefined || (expectedKey !== undefined && meta.key !== expectedKey)) return undefined
  return {
    text: frame.toString('latin1', 0, end),
    crc: checksum(frame.subarray(0, end)),
    flags,
    bodyBytes,
    plainBytes,
    entry: bodilessEntry(meta, coherence, { length: plainBytes, known }),
  }
}

/** The coherence fields of a frame, from its fixed header alone; undefined when it is no frame of this version. */
function frameCoherence(frame: Buffer): FrameCoherence | undefined {
  if (frame.length < HEADER_BYTES || frame.readUInt16BE(0) !== MAGIC || frame.readUInt8(2) !== VERSION) return undefined
  const incarnation = frame.toString('latin1', INCARNATION_AT, INCARNATION_AT + INCARNATION_BYTES)
  if (!/^[0-9a-f]{16}$/.test(incarnation)) return undefined
  const seq = readCount(frame, SEQ_AT)
  const fence = readCount(frame, FENCE_AT)
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(fence)) return undefined
  return { incarnation, seq, fence }
}

/** Eight bytes, the highest first; beyond the safe integers it is not exact, and refused. */
function readCount(frame: Buffer, at: number): number {
  return frame.readUInt32BE(at) * 2 ** 32 + frame.readUInt32BE(at + 4)
}

function frameOf(entry: Entry, body: Buffer, plainBytes: number, flags: number): Buffer {
  const meta = Buffer.from(JSON.stringify(metaOf(entry)))
  const frame = Buffer.allocUnsafe(HEADER_BYTES + meta.length + body.length)
  frame.writeUInt16BE(MAGIC, 0)
  frame.writeUInt8(VERSION, 2)
  frame.writeUInt8(flags, 3)
  frame.writeUInt32BE(meta.length, 4)
  frame.writeUInt32BE(body.length, 8)
  frame.writeUInt32BE(plainBytes, 12)
  frame.fill(0, INCARNATION_AT, SEQ_AT)
  frame.write(entry.incarnation, INCARNATION_AT, INCARNATION_BYTES, 'latin1')
  frame.writeBigUInt64BE(BigInt(entry.seq), SEQ_AT)
  frame.writeBigUInt64BE(BigInt(entry.fence), FENCE_AT)
  meta.copy(frame, HEADER_BYTES)
  body.copy(frame, HEADER_BYTES + meta.length)
  frame.writeUInt32BE(checksum(frame), CRC_AT)
  return frame
}

/** Of everything but itself: a flipped bit in a length or a counter must show as well. */
function checksum(frame: Buffer): number {
  return crc32(frame.subarray(INCARNATION_AT), crc32(frame.subarray(0, CRC_AT)))
}

interface PlainBody {
  readonly body: Buffer
  readonly flags: number
  readonly compressible: boolean
}

function bodyOf(entry: Entry): PlainBody {
  switch (entry.kind) {
    case 'response': {
      const { body, fields } = entry.value as ResponseParts
      return { body, flags: 0, compressible: isCompressible(fields) }
    }
    case 'variants':
      return { body: Buffer.alloc(0), flags: 0, compressible: false }
    default:
      return valueBody(entry.value)
  }
}

function valueBody(value: unknown): PlainBody {
  const data = dataOf(value)
  if (typeof data === 'string') return { body: Buffer.from(data), flags: FLAG_TEXT, compressible: true }
  return { body: Buffer.from(data.buffer, data.byteOffset, data.byteLength), flags: 0, compressible: true }
}

function isCompressible(fields: ResponseParts['fields']): boolean {
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    if (lower === 'content-encoding') return false
    if (lower === 'content-type' && isCompressedType(value)) return false
  }
  return true
}

function metaOf(entry: Entry): EntryMeta {
  const { kind, key, name, cachedAt, staleAt, deleteAt, tags, size } = entry
  const common = { kind, key, name, cachedAt, staleAt, deleteAt, tags, size }
  if (kind === 'variants') return { ...common, variants: entry.value as VariantIndex }
  if (kind === 'value') return withMark(common, markOf(entry.value))
  const parts = entry.value as StoredResponse
  // Named one by one: what a StoredResponse computes is computed again by the reader.
  const {
    status,
    reason,
    fields,
    initialAge,
    vary,
    audience,
    withheld,
    alwaysValidate,
    staleWhileRevalidate,
    staleIfError,
    staleIfDisconnected,
    mustRevalidate,
    immutable,
  } = parts
  return {
    ...common,
    // Codings are no part of the frame: each process has its own.
    size: parts.coded.reduce((left, one) => left - codedSize(one), size),
    response: {
      status,
      reason,
      fields,
      initialAge,
      vary,
      audience,
      withheld,
      alwaysValidate,
      staleWhileRevalidate,
      staleIfError,
      staleIfDisconnected,
      mustRevalidate,
      immutable,
    },
  }
}

function withMark(meta: EntryMeta, mark: Mark | undefined): EntryMeta {
  return mark === undefined ? meta : { ...meta, mark }
}

interface DeflatedBody {
  readonly stored: Buffer
  readonly body: Buffer
  readonly isText: boolean
}

/** Clients that take gzip get what Redis keeps, so that nothing is compressed again. */
function deflatedEntryOf(entry: Entry, { stored, body, isText }: DeflatedBody): Entry {
  if (entry.kind !== 'response') return entryOf(entry, valueOf(entry, body, isText))
  const value = withBody(entry.value as StoredResponse, body, [new DeflatedGzip(stored, body, crc32)])
  return entryOf(entry, value, value.codable ? stored.length : 0)
}

// Member by member: `...` takes several times as long, on each hit in Redis.
function entryOf(entry: Entry, value: unknown, moreBytes = 0): Entry {
  return {
    kind: entry.kind,
    key: entry.key,
    name: entry.name,
    cachedAt: entry.cachedAt,
    staleAt: entry.staleAt,
    deleteAt: entry.deleteAt,
    tags: entry.tags,
    size: entry.size + moreBytes,
    incarnation: entry.incarnation,
    seq: entry.seq,
    fence: entry.fence,
    value,
  }
}

function valueOf({ kind, value }: Entry, body: Buffer, isText: boolean): unknown {
  switch (kind) {
    case 'response':
      return withBody(value as StoredResponse, body)
    case 'variants':
      return value
    case 'value': {
      const data = isText ? body.toString() : body
      return value === undefined ? data : ({ data, mark: value as Mark } satisfies MarkedValue)
    }
  }
}

interface BodilessOptions {
  /** Of the body. */
  readonly length: number
  readonly known: KnownHeads | undefined
}

function bodilessEntry(meta: EntryMeta, coherence: FrameCoherence, options: BodilessOptions): Entry {
  const { kind, key, name, cachedAt, staleAt, deleteAt, tags, size, response, variants, mark } = meta
  const { incarnation, seq, fence } = coherence
  const value = response === undefined ? (variants ?? mark) : bodilessResponse(response, options)
  // All entries have one shape: what reads them on each hit is fast only where they are alike.
  return { kind, key, name, cachedAt, staleAt, deleteAt, tags, size, incarnation, seq, fence, value }
}

function bodilessResponse(head: ResponseHead, { length, known }: BodilessOptions): StoredResponse {
  const parts = known === undefined ? head : { ...head, fields: known.shared(head.fields) }
  return assembledResponse(parts, NOTHING, { bodyLength: length })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The description when every member is of the right type. It may have others: an entry is made of those named here only. */
function readMeta(text: string): EntryMeta | undefined {
  const raw = parseJson(text)
  return isRecord(raw) && isMeta(raw) ? raw : undefined
}

function isMeta(raw: Record<string, unknown>): raw is Record<string, unknown> & EntryMeta {
  if (!isString(raw.key) || !isString(raw.name) || !isStrings(raw.tags)) return false
  if (!isNumber(raw.cachedAt) || !isNumber(raw.staleAt) || !isNumber(raw.deleteAt) || !isCount(raw.size)) return false
  switch (raw.kind) {
    case 'response':
      return isResponseHead(raw.response) && raw.variants === undefined
    case 'variants':
      return isVariantIndex(raw.variants) && raw.response === undefined
    default:
      return raw.kind === 'value' && raw.response === undefined && raw.variants === undefined && isMark(raw.mark)
  }
}

/** A form of a later release is none that could be read here. */
function isMark(raw: unknown): raw is Mark | undefined {
  if (raw === undefined) return true
  if (!isRecord(raw)) return false
  const { form, staleWhileRevalidate, staleIfError } = raw
  if (form !== undefined && !FORMS.some((known) => known === form)) return false
  return [staleWhileRevalidate, staleIfError].every((window) => window === undefined || isCount(window))
}

function isResponseHead(raw: unknown): raw is ResponseHead {
  if (!isRecord(raw)) return false
  const { status, reason, audience } = raw
  if (!isCount(status) || status < 200 || status > 599) return false
  if (reason !== undefined && !(isString(reason) && isFieldValue(reason))) return false
  if (!isFields(raw.fields) || !isStrings(raw.vary) || !isStrings(raw.withheld)) return false
  if (!isNumber(raw.initialAge) || !isNumber(raw.staleWhileRevalidate) || !isNumber(raw.staleIfError)) return false
  if (!isFlag(raw.staleIfDisconnected) || !isFlag(raw.mustRevalidate)) return false
  if (!isFlag(raw.immutable) || !isFlag(raw.alwaysValidate)) return false
  return audience === 'everyone' || audience === 'anonymous'
}

function isVariantIndex(raw: unknown): raw is VariantIndex {
  return isRecord(raw) && Array.isArray(raw.sets) && raw.sets.every(isStrings) && isStrings(raw.variants)
}

/** Fields that frame a message or speak of one connection: the recorder keeps none, so their presence is forgery. */
const FRAMING = /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade)$/i

function isFields(raw: unknown): raw is ResponseParts['fields'] {
  return Array.isArray(raw) && raw.every(isField)
}

function isField(raw: unknown): raw is readonly [string, string] {
  if (!Array.isArray(raw) || raw.length !== 2) return false
  // By index: taking a list apart costs as much as all the rest, on each field of each hit in Redis.
  const name: unknown = raw[0]
  const value: unknown = raw[1]
  return isString(name) && isString(value) && isFieldName(name) && isFieldValue(value) && !FRAMING.test(name)
}

// What `validateHeaderName` of Node takes, without the error that it makes of anything else.
function isFieldName(name: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name)
}

// PAR-12: a stored value never brings CR, LF or NUL back; what Node would refuse to send is a corrupt entry.
function isFieldValue(value: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(value)
}

function isRecord(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}

function isString(raw: unknown): raw is string {
  return typeof raw === 'string'
}

function isStrings(raw: unknown): raw is readonly string[] {
  return Array.isArray(raw) && raw.every(isString)
}

function isFlag(raw: unknown): raw is boolean {
  return typeof raw === 'boolean'
}

function isNumber(raw: unknown): raw is number {
  return typeof raw === 'number' && Number.isFinite(raw)
}

function isCount(raw: unknown): raw is number {
  return isNumber(raw) && Number.isInteger(raw) && raw >= 0
}
