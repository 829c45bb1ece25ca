import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { answerParent, companionOptions } from '../../test/faults/outages/companion.ts'
import { ageRegistry } from '../../test/support/redis-registry.ts'
import { createCache, withCache } from '../built.ts'
import { askLocally } from '../local-request.ts'
import { openValues, type PeerName } from '../peer-values.ts'

/** One cache on a Redis, which does what it is told, one thing after the other. */
export interface UsageOptions {
  readonly name: UsageName
  readonly redis: number
}

export type UsageName = 'cachewell' | 'cachewell, Redis only' | 'ioredis by hand' | PeerName

export interface UsageAnswers {
  /** Whether it knows how. */
  readonly knows: boolean
  /** Done so often, and everything that follows from it. */
  readonly repeat: undefined
}

export type UsageOperation = 'hit' | 'miss' | 'invalidation'

export interface Repetition {
  readonly operation: UsageOperation
  readonly count: number
}

const BODY = 'x'.repeat(1_000)
const TAG = 'items'
const HOT = '/items/hot'
const LIFE_SECONDS = 3_600
/** Until what is done in the background is done (ms). */
const SETTLE_MS = 150

const { name, redis } = companionOptions() as UsageOptions

type Operations = Readonly<Record<'hit' | 'miss', (path: string) => Promise<unknown>>> & {
  readonly invalidation: (() => Promise<unknown>) | undefined
}

async function open(): Promise<Operations> {
  if (name === 'cachewell' || name === 'cachewell, Redis only') return openOurs(name !== 'cachewell')
  return name === 'ioredis by hand' ? openByHand() : openPeer(name)
}

async function openOurs(isBare: boolean): Promise<Operations> {
  const url = `redis://127.0.0.1:${redis}`
  // A lease so long that no heartbeat comes in between, and patience with a busy machine: commands are counted, not timed.
  const patience = { leaseMs: '10m', deadlineMs: '5s' }
  const cache = createCache({ redis: url, namespace: 'usage', ...patience, ...(isBare ? { memory: false } : {}) })
  await cache.ready()
  const client = new Redis(redis, '127.0.0.1')
  // A young one would be waited for, a lease long.
  await ageRegistry(client, '{usage:0}:r')
  client.disconnect()
  const listener = withCache((_req, res) => res.end(BODY), { cache, ttl: '1h', headers: 'standard', tags: () => [TAG] })
  const ask = (path: string): Promise<void> => askLocally(listener, { path })
  return { hit: ask, miss: ask, invalidation: () => cache.invalidate({ tags: [TAG] }) }
}

function openByHand(): Operations {
  const client = new Redis(redis, '127.0.0.1')
  const ask = async (path: string): Promise<void> => {
    const found = await client.get(path)
    if (found === null) await client.set(path, BODY, 'EX', LIFE_SECONDS)
  }
  return { hit: ask, miss: ask, invalidation: () => client.del(HOT) }
}

async function openPeer(peer: PeerName): Promise<Operations> {
  const values = await openValues(peer, { redis: { host: '127.0.0.1', port: redis } })
  const { invalidateTag } = values
  const miss = async (path: string): Promise<void> => {
    if (peer === 'async-cache-dedupe') await values.set(path, BODY, [TAG])
    else if ((await values.get(path)) === undefined) await values.set(path, BODY, [TAG])
  }
  return {
    hit: (path) => values.get(path),
    miss,
    invalidation: invalidateTag === undefined ? undefined : () => invalidateTag(TAG),
  }
}

const operations = await open()
let created = 0

async function repeat({ operation, count }: Repetition): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    if (operation === 'invalidation') await operations.invalidation?.()
    else await operations[operation](operation === 'hit' ? HOT : `/items/${created++}`)
  }
  await sleep(SETTLE_MS)
}

// What is done once per connection or script is over then.
await repeat({ operation: 'invalidation', count: 1 })
await operations.miss(HOT)
await repeat({ operation: 'hit', count: 2 })
await repeat({ operation: 'miss', count: 2 })
answerParent({ knows: (operation: UsageOperation) => operations[operation] !== undefined, repeat })
