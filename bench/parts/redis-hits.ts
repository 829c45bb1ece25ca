import { hasRedisServer, startRedis } from '../../test/support/redis-server.ts'
import { compareCasts } from '../casts.ts'
import { type Lane, ratio } from '../compare.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { type Ask, load } from '../load.ts'
import { startPair } from '../pair.ts'
import type { Context } from '../part.ts'
import { SIZES } from '../payload.ts'
import type { Section } from '../section.ts'
import type { Server, Servers } from '../server.ts'

const MOUNTINGS = [
  { name: 'withCache, Redis only', limit: 'node:http, getBuffer by hand' },
  { name: 'cacheMiddleware, Redis only', limit: 'Express 5, getBuffer by hand' },
] as const

const KEYS = 10_000
const FEW_KEYS = 100
const FILL_MS = 500

const TITLE = 'Hits in Redis'
const TABLE = { title: TITLE, columns: ['', ...COLUMNS, 'of its reference'] } as const

/** What a hit in Redis costs beside what is written by hand: a key per URL, the body as it is, no invalidation. */
export async function run(context: Context): Promise<Section> {
  if (!hasRedisServer()) return { ...TABLE, note: 'No redis-server found: left out.', rows: [], verdicts: [] }
  const redis = await startRedis()
  try {
    return await measure(redis.url, context)
  } finally {
    await redis.stop()
  }
}

async function measure(redis: string, context: Context): Promise<Section> {
  const keys = context.short ? FEW_KEYS : KEYS
  const rounds = await compareCasts((servers) => lanesOf(servers, redis, keys), context)
  return {
    ...TABLE,
    note:
      `A body of 1 kB under ${keys} URLs in turn, memory off. The reference is \`ioredis.getBuffer\` by hand in the same place: a key ` +
      `per URL, the body as it is, no invalidation. The CPU time is the application's, without that of Redis.`,
    rows: [...rounds.keys()].map((name) => [
      name,
      ...cellsOf(rounds, name),
      ratioCell(rounds, name, MOUNTINGS.find((mounting) => mounting.name === name)?.limit),
    ]),
    verdicts: MOUNTINGS.map(({ name, limit }) => ({
      what: `A hit by ${name}, of ${limit}`,
      figure: ratio(rounds, name, limit),
      bar: { atLeast: 0.9 },
    })),
  }
}

async function lanesOf(servers: Servers, redis: string, keys: number): Promise<readonly Lane[]> {
  const lanes: Lane[] = []
  for (const mounting of MOUNTINGS) {
    const { own, reference } = await startPair(servers, mounting, { size: SIZES['1 kB'], redis }, { keys })
    for (const server of [own, reference]) await fill(server, { keys })
    lanes.push(
      { name: mounting.limit, server: reference, ask: { keys } },
      { name: mounting.name, server: own, ask: { keys } },
    )
  }
  return lanes
}

/** Ask until each key has been asked for. */
async function fill({ port }: Server, ask: Ask & { readonly keys: number }): Promise<void> {
  for (let left = ask.keys; left > 0; ) left -= (await load(port, ask, FILL_MS)).requests
}
