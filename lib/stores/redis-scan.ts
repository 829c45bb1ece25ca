import { keyPrefixOf, nodesOf, type RedisClient } from '../redis.ts'

export interface ScanOptions {
  readonly client: RedisClient
  /** Runs one command under the deadline. */
  readonly send: <T>(command: () => Promise<T>) => Promise<T>
  /** Glob of the keys wanted, without the client's own prefix; literal parts are escaped by `escapeGlob`. */
  readonly pattern: string
  /** Where an earlier page ended; anything else begins at the beginning. */
  readonly cursor: string | undefined
  readonly limit: number
}

export interface KeyPage {
  /** At most `limit`, and possibly none before the end, as with `SCAN`. */
  readonly keys: readonly string[]
  readonly cursor: string | undefined
}

/** How many empty steps one page may take: a large keyspace of others is not walked in one go. */
const MAX_STEPS = 20
const STEP_SIZE = 100

/** A page of the keys of all masters that match; never blocks the server for longer than a step. */
export async function scanPage({ client, send, pattern, cursor, limit }: ScanOptions): Promise<KeyPage> {
  const nodes = nodesOf(client)
  const prefix = keyPrefixOf(client)
  const keys: string[] = []
  let at: Position | undefined = parsePosition(cursor)
  for (let step = 0; step < MAX_STEPS && at !== undefined && keys.length < limit; step++) {
    const { node, inner, skip }: Position = at
    const server = nodes[node]
    if (server === undefined) return { keys, cursor: undefined }
    const [next, found] = await send(() =>
      server.scan(inner, 'MATCH', escapeGlob(prefix) + pattern, 'COUNT', STEP_SIZE),
    )
    const wanted = found.slice(skip, skip + limit - keys.length)
    keys.push(...wanted.map((key) => key.slice(prefix.length)))
    if (skip + wanted.length < found.length) at = { node, inner, skip: skip + wanted.length }
    else if (next !== '0') at = { node, inner: next, skip: 0 }
    else at = node + 1 < nodes.length ? { node: node + 1, inner: '0', skip: 0 } : undefined
  }
  return { keys, cursor: at === undefined ? undefined : `${at.node}.${at.inner}.${at.skip}` }
}

/** Make every character of a glob of Redis literal. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^]/g, '\\$&')
}

interface Position {
  readonly node: number
  /** The cursor of `SCAN` on that node. */
  readonly inner: string
  /** How many keys of this step were on earlier pages: the same cursor gives the same keys again. */
  readonly skip: number
}

function parsePosition(text: string | undefined): Position {
  const [, node = '0', inner = '0', skip = '0'] = /^(\d{1,4})\.(\d{1,20})\.(\d{1,6})$/.exec(text ?? '') ?? []
  return { node: Number(node), inner, skip: Number(skip) }
}
