import type { Entry } from '../../lib/entry.ts'
import { type ResponseParts, type StoredResponse, storedResponse } from '../../lib/http/stored-response.ts'
import { keyPrefix, primaryKey, serviceKey, tagOf } from '../../lib/key.ts'
import type { Store } from '../../lib/stores/store.ts'

/** What a test wants different from the usual. */
export interface EntryWishes {
  readonly tags?: readonly string[]
  readonly ttlMs?: number
  readonly value?: string | Buffer
  readonly fence?: number
}

/** An entry of the service, filled as of now in this store. */
export function valueEntry(store: Store, now: number, key: string, wishes: EntryWishes = {}): Entry {
  const full = serviceKey(1, key)
  const { incarnation, seq } = store.ledger(full).token
  const deleteAt = now + (wishes.ttlMs ?? 60_000)
  const value = wishes.value ?? JSON.stringify(`value of ${key}`)
  return {
    kind: 'value',
    key: full,
    name: key,
    cachedAt: now,
    staleAt: deleteAt,
    deleteAt,
    tags: [...(wishes.tags ?? []).map(tagOf.tag), tagOf.key(key)],
    incarnation,
    seq,
    fence: wishes.fence ?? 0,
    size: 200 + value.length,
    value,
  }
}

/** A stored response, filled as of now in this store. */
export function responseEntry(
  store: Store,
  now: number,
  path: string,
  wishes: EntryWishes = {},
): Entry<StoredResponse> {
  const uri = `http://example.test${path}`
  const key = primaryKey(keyPrefix(1, 'app'), uri)
  const { incarnation, seq } = store.ledger(key).token
  const deleteAt = now + (wishes.ttlMs ?? 60_000)
  const body = Buffer.from(wishes.value ?? `body of ${path}`)
  return {
    kind: 'response',
    key,
    name: path,
    cachedAt: now,
    staleAt: deleteAt,
    deleteAt,
    tags: [...(wishes.tags ?? []).map(tagOf.tag), tagOf.uri(uri), tagOf.path(path)],
    incarnation,
    seq,
    fence: wishes.fence ?? 0,
    size: 400 + body.length,
    value: storedResponse(
      responseParts({
        fields: [
          ['Content-Type', 'text/plain'],
          ['X-Twice', 'a'],
          ['x-twice', 'b'],
        ],
        body,
        audience: 'anonymous',
      }),
    ),
  }
}

/** What a 200 for everyone with five bytes is made of, but for these parts. */
export function responseParts(parts: Partial<ResponseParts> = {}): ResponseParts {
  return {
    status: 200,
    reason: undefined,
    fields: [],
    body: Buffer.from('hello'),
    initialAge: 0,
    vary: [],
    audience: 'everyone',
    withheld: [],
    alwaysValidate: false,
    staleWhileRevalidate: 0,
    staleIfError: 0,
    staleIfDisconnected: false,
    mustRevalidate: false,
    immutable: false,
    ...parts,
  }
}
