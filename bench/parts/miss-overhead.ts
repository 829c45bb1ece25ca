import { compareCasts } from '../casts.ts'
import { type Lane, median, ratio } from '../compare.ts'
import { COLUMNS, cellsOf } from '../figures.ts'
import { firstByteMs } from '../first-byte.ts'
import { load } from '../load.ts'
import type { Context } from '../part.ts'
import { SIZES } from '../payload.ts'
import type { Section } from '../section.ts'
import { type Server, Servers } from '../server.ts'

const UNCACHED = 'Express 5, uncached'
const MISSING = ['cacheMiddleware, never hit', 'withCache, never hit'] as const
const NEW_EACH_TIME = { keys: Number.POSITIVE_INFINITY } as const
/** Pairs of requests, one after the other. */
const FIRST_BYTES = 400
const FEW_FIRST_BYTES = 10
/** The load before. */
const WARM_UP_MS = 1_500
const FEW_WARM_UP_MS = 200

/** What it costs to look, to record and to evict where nothing is ever asked for twice. */
export async function run(context: Context): Promise<Section> {
  const rounds = await compareCasts(lanesOf, context)
  const firstBytes = await firstByteRatios(context)
  const rows = [
    [UNCACHED, ...cellsOf(rounds, UNCACHED), '-', '-'],
    ...MISSING.map((name) => {
      const overhead = ratio(rounds, UNCACHED, name).toFixed(2)
      return [name, ...cellsOf(rounds, name), overhead, firstBytes.get(name)?.toFixed(2) ?? '']
    }),
  ]
  return {
    title: 'Misses',
    note:
      `\`res.json\` of 20 kB in Express 5, each URL asked for once, the memory so small that each store evicts. The time to ` +
      'the first byte is that of single requests in turn, the median of the pairs.',
    columns: ['', ...COLUMNS, 'CPU, times the uncached', 'first byte, times the uncached'],
    rows,
    verdicts: MISSING.map((name) => ({
      what: `CPU of a miss of 20 kB by ${name.replace(', never hit', '')}, times the uncached response`,
      figure: ratio(rounds, UNCACHED, name),
      bar: { atMost: 1.08 },
    })),
  }
}

async function lanesOf(servers: Servers): Promise<readonly Lane[]> {
  const size = SIZES['20 kB']
  const uncached = await servers.contestant('limits.ts', { contestant: UNCACHED, size })
  const lanes: Lane[] = [{ name: UNCACHED, server: uncached, ask: NEW_EACH_TIME }]
  for (const name of MISSING) {
    lanes.push({ name, server: await servers.contestant('ours.ts', { contestant: name, size }), ask: NEW_EACH_TIME })
  }
  return lanes
}

/** By name, of the uncached. */
async function firstByteRatios({ short }: Context): Promise<ReadonlyMap<string, number>> {
  await using servers = new Servers()
  const lanes = await lanesOf(servers)
  for (const { server, ask } of lanes) await load(server.port, ask, short ? FEW_WARM_UP_MS : WARM_UP_MS)
  const [uncached, ...missing] = lanes
  const pairs = short ? FEW_FIRST_BYTES : FIRST_BYTES
  const ratios = new Map<string, number>()
  if (uncached === undefined) return ratios
  for (const { name, server } of missing) ratios.set(name, await firstByteRatio(server, uncached.server, pairs))
  return ratios
}

async function firstByteRatio(own: Server, reference: Server, pairs: number): Promise<number> {
  const ratios: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const path = `/first-bytes/${pair}`
    const theirs = await firstByteMs(reference.port, path)
    ratios.push((await firstByteMs(own.port, path)) / theirs)
  }
  return median(ratios)
}
