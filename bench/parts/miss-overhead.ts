import { compare, type Lane, median, ratio } from '../compare.ts'
import { COLUMNS, cellsOf } from '../figures.ts'
import { firstByteMs } from '../first-byte.ts'
import type { Context } from '../part.ts'
import { SIZES } from '../payload.ts'
import type { Section } from '../section.ts'
import { type Server, Servers } from '../server.ts'

const UNCACHED = 'Express 5, uncached'
const MISSING = 'cacheMiddleware, never hit'
const NEW_EACH_TIME = { keys: Number.POSITIVE_INFINITY } as const
/** Pairs of requests, one after the other. */
const FIRST_BYTES = 400
const FEW_FIRST_BYTES = 10

/** What it costs to look, to record and to evict where nothing is ever asked for twice. */
export async function run(context: Context): Promise<Section> {
  await using servers = new Servers()
  const size = SIZES['20 kB']
  const uncached = await servers.contestant('limits.ts', { contestant: UNCACHED, size })
  const missing = await servers.contestant('ours.ts', { contestant: MISSING, size })
  const lanes: readonly Lane[] = [
    { name: UNCACHED, server: uncached, ask: NEW_EACH_TIME },
    { name: MISSING, server: missing, ask: NEW_EACH_TIME },
  ]
  const rounds = await compare(lanes, context)
  const overhead = ratio(rounds, UNCACHED, MISSING)
  const firstByte = await firstByteRatio(missing, uncached, context.short ? FEW_FIRST_BYTES : FIRST_BYTES)
  return {
    title: 'Misses',
    note:
      `\`res.json\` of 20 kB in Express 5, each URL asked for once, the memory so small that each store evicts. The time to ` +
      'the first byte is that of single requests in turn, the median of the pairs.',
    columns: ['', ...COLUMNS, 'CPU, times the uncached', 'first byte, times the uncached'],
    rows: [
      [UNCACHED, ...cellsOf(rounds, UNCACHED), '-', '-'],
      [MISSING, ...cellsOf(rounds, MISSING), overhead.toFixed(2), firstByte.toFixed(2)],
    ],
    verdicts: [
      { what: 'CPU of a miss of 20 kB, times the uncached response', figure: overhead, bar: { atMost: 1.08 } },
    ],
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
