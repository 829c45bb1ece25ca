import { CacheError } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import type { RedisClient } from '../../lib/redis.ts'
import type { Annex } from '../../lib/stores/redis-annex.ts'

export interface RedisTermsOptions {
  readonly annex: Annex
  readonly events: Events
  readonly timeoutMs: number
}

/** What a server says of itself; undefined for what it does not. */
interface Terms {
  readonly evictionPolicy: string | undefined
  readonly hasAppendOnlyFile: boolean | undefined
}

/**
 * Make sure that Redis keeps what a queue has acknowledged, and say where it might not.
 *
 * @throws CacheError `ERR_CACHE_EVICTION_POLICY` where any key may be evicted; GuardError where Redis does not answer
 */
export async function checkTerms({ annex, events, timeoutMs }: RedisTermsOptions): Promise<void> {
  const servers = await annex.askServers(termsOf, timeoutMs)
  const evicting = servers.find(({ evictionPolicy }) => evictionPolicy?.startsWith('allkeys-'))?.evictionPolicy
  if (evicting !== undefined) {
    throw new CacheError(
      'ERR_CACHE_EVICTION_POLICY',
      `writeBehind: Redis has maxmemory-policy ${evicting} and may evict writes that were acknowledged. Use volatile-lfu or ` +
        'volatile-lru, which evict cached entries only, or noeviction.',
    )
  }
  if (servers.some(({ evictionPolicy }) => evictionPolicy === undefined)) {
    events.warnOnce(
      'writeBehind policy',
      `writeBehind: user ${annex.user} of Redis may neither INFO nor CONFIG GET, so that its maxmemory-policy is not known. It ` +
        'must not be one of allkeys-*: acknowledged writes could be evicted.',
    )
  }
  if (servers.some(({ hasAppendOnlyFile }) => hasAppendOnlyFile === false)) {
    events.warnOnce(
      'writeBehind persistence',
      'writeBehind: Redis has no append-only file (appendonly no): if it is restarted, acknowledged writes since its last snapshot ' +
        'are lost. Use appendonly yes.',
    )
  }
}

async function termsOf(server: RedisClient): Promise<Terms> {
  const [memory, persistence] = await Promise.all([infoOf(server, 'memory'), infoOf(server, 'persistence')])
  const appendOnly = fieldOf(persistence, 'aof_enabled')
  return {
    evictionPolicy: fieldOf(memory, 'maxmemory_policy') ?? (await configOf(server, 'maxmemory-policy')),
    hasAppendOnlyFile: appendOnly === undefined ? undefined : appendOnly === '1',
  }
}

async function infoOf(server: RedisClient, section: string): Promise<string> {
  return unlessRefused(() => server.info(section), '')
}

async function configOf(server: RedisClient, name: string): Promise<string | undefined> {
  const answer = await unlessRefused(() => server.config('GET', name), [])
  // ioredis 6 on RESP3 answers with a record.
  const value: unknown = Array.isArray(answer) ? answer[1] : Reflect.get(Object(answer), name)
  return typeof value === 'string' ? value : undefined
}

/** A right that is missing is no fault; whatever else fails is. */
async function unlessRefused<T>(command: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await command()
  } catch (error) {
    if (error instanceof Error && /^(?:NOPERM|ERR unknown)/.test(error.message)) return otherwise
    throw error
  }
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
}
