import { compare, type Lane, median, ratio } from '../compare.ts'
import { COLUMNS, cellsOf } from '../figures.ts'
import { firstByteMs } from '../first-byte.ts'
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

/** What it costs to look, to record and to evict where nothing is ever asked for twice. */
export async function run(context: Context): Promise<Section> {
  await using servers = new Servers()
  const size = SIZES['20 kB']
  const uncached = await servers.contestant('limits.ts', { contestant: UNCACHED, size })
  const lanes: Lane[] = [{ name: UNCACHED, server: uncached, ask: NEW_EACH_TIME }]
  for (const name of MISSING) {
    const server = await servers.contestant('ours.ts', { contestant: name, size })
    lanes.push({ name, server, ask: NEW_EACH_TIME })
  }
  const rounds = await compare(lanes, context)
  const rows: (readonly string[])[] = [[UNCACHED, ...cellsOf(rounds, UNCACHED), '-', '-']]
  for (const { name, server } of lanes.slice(1)) {
    const firstByte = await firstByteRatio(server, uncached, context.short ? FEW_FIRST_BYTES : FIRST_BYTES)
    const overhead = ratio(rounds, UNCACHED, name)
    rows.push([name, ...cellsOf(rounds, name), overhead.toFixed(2), firstByte.toFixed(2)])
  }
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

async function firstByteRatio(own: Server, reference: Server, pairs: number): Promise<number> {
  const ratios: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const path = `/first-bytes/${pair}`
    const theirs = await firstByteMs(reference.port, path)
    ratios.push((await firstByteMs(own.port, path)) / theirs)
  }
  return median(ratios)
}
