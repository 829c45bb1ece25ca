import { decodeEntry } from '../codec.ts'
import { type Entry, isDead } from '../entry.ts'
import { keyPrefixOf, nodesOf, type RedisClient } from '../redis.ts'
import { groupBy } from './group-by.ts'
import type { Keys } from './redis-keys.ts'
import type { SendCommand } from './redis-link.ts'
import type { Mirror } from './redis-mirror.ts'
import type { EntryPage, ListOptions } from './store.ts'

/** What of a partition tells which entries are ours and right. */
interface ListedPartition {
  readonly keys: Keys
  readonly mirror: Mirror
}

export interface ListingOptions {
  /** What the names of all keys begin with, up to the number of their partition. */
  readonly slotPrefix: string
  readonly partitions: readonly ListedPartition[]
  /** The partition of a full key. */
  readonly partition: (key: string) => ListedPartition
  readonly send: SendCommand
  /** Epoch ms. */
  readonly now: () => number
}

/** How many empty steps one page may take: a large keyspace of others is not walked in one go. */
const MAX_STEPS = 20
const STEP_SIZE = 100

/** What a namespace keeps in Redis, a page at a time; the server is never blocked for longer than a step. */
export class Listing {
  readonly #options: ListingOptions

  constructor(options: ListingOptions) {
    this.#options = options
  }

  /**
   * At most `limit` entries, and possibly none before the end, as with `SCAN`.
   *
   * @throws {GuardError} when Redis does not answer.
   */
  async page(client: RedisClient, options: ListOptions): Promise<EntryPage> {
    const { keys, cursor } = await this.#scan(client, options)
    return { entries: await this.#open(keys), cursor }
  }

  async #scan(client: RedisClient, { cursor, limit }: ListOptions): Promise<KeyPage> {
    const { slotPrefix, send } = this.#options
    const nodes = nodesOf(client)
    const prefix = keyPrefixOf(client)
    const pattern = `${escapeGlob(prefix + slotPrefix)}*}:e:*`
    const keys: string[] = []
    let at: Position | undefined = parsePosition(cursor)
    for (let step = 0; step < MAX_STEPS && at !== undefined && keys.length < limit; step++) {
      const { node, inner, skip }: Position = at
      const server = nodes[node]
      if (server === undefined) return { keys, cursor: undefined }
      const [next, found] = await send(() => server.scan(inner, 'MATCH', pattern, 'COUNT', STEP_SIZE))
      const wanted = found.slice(skip, skip + limit - keys.length)
      keys.push(...wanted.map((key) => key.slice(prefix.length)))
      if (skip + wanted.length < found.length) at = { node, inner, skip: skip + wanted.length }
      else if (next !== '0') at = { node, inner: next, skip: 0 }
      else at = node + 1 < nodes.length ? { node: node + 1, inner: '0', skip: 0 } : undefined
    }
    return { keys, cursor: at === undefined ? undefined : `${at.node}.${at.inner}.${at.skip}` }
  }

  /** The entries under these keys of Redis, those left out that are not ours, wrong or dead. */
  async #open(redisKeys: readonly string[]): Promise<Entry[]> {
    const { send, now } = this.#options
    const found = await Promise.all(
      [...groupBy(redisKeys, (key) => this.#partitionOf(key))].map(async ([partition, keys]) => {
        if (partition === undefined) return []
        const frames = await send((client) => client.mgetBuffer(...keys))
        return Promise.all(frames.map(async (frame) => (frame === null ? undefined : decodeEntry(frame, undefined))))
      }),
    )
    const names = new Set(redisKeys)
    return found.flat().flatMap((entry) => {
      if (entry === undefined) return []
      const { mirror, keys } = this.#options.partition(entry.key)
      const validity = mirror.ledger.judge(entry)
      if (validity === 'invalid' || !names.has(keys.entry(entry.key))) return []
      const shown = validity === 'valid' ? mirror.ledger.soften(entry) : entry
      return isDead(shown, now()) ? [] : [shown]
    })
  }

  /** The number of the partition of a key of Redis; no command touches two of them. */
  #partitionOf(redisKey: string): number | undefined {
    const { slotPrefix, partitions } = this.#options
    const rest = redisKey.slice(slotPrefix.length)
    const digits = rest.slice(0, rest.indexOf('}'))
    const partition = Number(digits)
    return /^\d+$/.test(digits) && partition < partitions.length ? partition : undefined
  }
}

interface KeyPage {
  readonly keys: readonly string[]
  readonly cursor: string | undefined
}

/** Make every character of a glob of Redis literal. */
function escapeGlob(text: string): string {
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
