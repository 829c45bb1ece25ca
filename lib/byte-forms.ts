import type { Form } from './stored-value.ts'

/** Bytes that are a value by themselves: which kind they are, and how they are made again. Numbers are as this machine writes them. */

/** The bytes of a value, a copy, and what they are; undefined for any other value. */
export function bytesOf(value: unknown): { readonly bytes: Buffer; readonly form: Form } | undefined {
  if (Buffer.isBuffer(value)) return { bytes: Buffer.from(value), form: 'Buffer' }
  const form = tagOf(value)
  if (!Object.hasOwn(MADE, form)) return undefined
  const { buffer, byteOffset, byteLength } = value instanceof ArrayBuffer ? viewOf(value) : (value as ArrayBufferView)
  return { bytes: Buffer.from(Buffer.from(buffer, byteOffset, byteLength)), form: form as Form }
}

/**
 * The value that these bytes were, with memory of its own.
 * @throws {RangeError} where so many bytes cannot be of this form
 */
export function fromBytes(form: Form, bytes: Uint8Array): unknown {
  if (form === 'Buffer') return Buffer.from(bytes)
  const memory = new Uint8Array(bytes).buffer
  return MADE[form as keyof typeof MADE](memory)
}

const MADE = {
  ArrayBuffer: (memory: ArrayBuffer) => memory,
  DataView: (memory: ArrayBuffer) => new DataView(memory),
  Int8Array: (memory: ArrayBuffer) => new Int8Array(memory),
  Uint8Array: (memory: ArrayBuffer) => new Uint8Array(memory),
  Uint8ClampedArray: (memory: ArrayBuffer) => new Uint8ClampedArray(memory),
  Int16Array: (memory: ArrayBuffer) => new Int16Array(memory),
  Uint16Array: (memory: ArrayBuffer) => new Uint16Array(memory),
  Int32Array: (memory: ArrayBuffer) => new Int32Array(memory),
  Uint32Array: (memory: ArrayBuffer) => new Uint32Array(memory),
  Float32Array: (memory: ArrayBuffer) => new Float32Array(memory),
  Float64Array: (memory: ArrayBuffer) => new Float64Array(memory),
  BigInt64Array: (memory: ArrayBuffer) => new BigInt64Array(memory),
  BigUint64Array: (memory: ArrayBuffer) => new BigUint64Array(memory),
} satisfies Partial<Record<Form, (memory: ArrayBuffer) => unknown>>

/** `Float32Array` and the like, whatever realm it comes from. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

function viewOf(memory: ArrayBuffer): ArrayBufferView {
  return new Uint8Array(memory)
}
