import { CacheError, show } from '../../lib/errors.ts'

/** What one write says, as it waits. */
export interface Payload<A, T> {
  readonly args: A
  readonly value: T
}

/** @throws CacheError `ERR_CACHE_BAD_OPTION`, naming the key, for what has no JSON form */
export function encodePayload(key: string, { args, value }: Payload<unknown, unknown>): string {
  return `{"args":${jsonOf(key, 'arguments', args)},"value":${jsonOf(key, 'value', value)}}`
}

export function decodePayload<A, T>(payload: string): Payload<A, T> {
  return JSON.parse(payload) as Payload<A, T>
}

function jsonOf(key: string, what: string, data: unknown): string {
  let json: string | undefined
  let cause: unknown
  try {
    json = JSON.stringify(data)
  } catch (error) {
    cause = error
  }
  if (json !== undefined) return json
  throw new CacheError(
    'ERR_CACHE_BAD_OPTION',
    `writeBehind: the ${what} of a write of ${show(key)} is ${show(data)}, which has no JSON form. Write data.`,
    { cause },
  )
}
