import { Buffer } from 'node:buffer'
import { CacheError, show } from '../../lib/errors.ts'
import { type Form, isTextForm } from '../../lib/stored-value.ts'
import type { ValueFormat, Written } from '../../lib/value-format.ts'

/** What one write says, as it waits: the value as the cache would write it. */
export interface Payload<A, T> {
  readonly args: A
  readonly value: T
}

/** A value that is not JSON: the text of a serializer, or bytes in base64. */
interface OtherForm<A> {
  readonly args: A
  readonly form: Form
  readonly data: string
}

/** @throws CacheError `ERR_CACHE_BAD_OPTION`, naming the key, for what cannot be written */
export function encodePayload(format: ValueFormat, key: string, { args, value }: Payload<unknown, unknown>): string {
  const { data, form } = format.write(key, value)
  const json = argumentsOf(key, args)
  if (form === 'json') return `{"args":${json},"value":${String(data)}}`
  const text = typeof data === 'string' ? data : Buffer.from(data).toString('base64')
  return `{"args":${json},"form":"${form}","data":${JSON.stringify(text)}}`
}

/** @throws for what cannot be read */
export function decodePayload<A, T>(format: ValueFormat, key: string, payload: string): Payload<A, T> {
  const read = JSON.parse(payload) as Payload<A, T> | OtherForm<A>
  if (!('form' in read)) return read
  return { args: read.args, value: format.parse(key, writtenOf(read)) as T }
}

function writtenOf({ form, data }: OtherForm<unknown>): Written {
  return { form, data: isTextForm(form) ? data : Buffer.from(data, 'base64') }
}

function argumentsOf(key: string, args: unknown): string {
  let json: string | undefined
  let cause: unknown
  try {
    json = JSON.stringify(args)
  } catch (error) {
    cause = error
  }
  if (json !== undefined) return json
  throw new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `writeBehind: the arguments of a write of ${show(key)} are ${show(args)}, which has no JSON form. Write data.`,
    { cause },
  )
}
