import { compare, type Lane, ratio } from '../compare.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { firstWanted, isHit, type Wanted } from '../learn.ts'
import type { Ask } from '../load.ts'
import { startPair } from '../pair.ts'
import type { Context } from '../part.ts'
import { SIZES, type SizeName } from '../payload.ts'
import type { Section } from '../section.ts'
import { Servers } from '../server.ts'

const MOUNTING = { name: 'withCache', limit: 'node:http' } as const
const AT_LEAST = 0.85

const CASES: readonly { readonly size: SizeName; readonly coding: string }[] = [
  { size: '20 kB', coding: 'gzip' },
  { size: '20 kB', coding: 'br' },
  { size: '200 kB', coding: 'gzip' },
  { size: '200 kB', coding: 'br' },
]

/** What a compressed hit costs beside the same compressed bytes written by bare `node:http`. */
export async function run(context: Context): Promise<Section> {
  const measured = []
  for (const one of CASES) measured.push(await measure(one.size, one.coding, context))
  return {
    title: 'Compressed hits',
    note:
      'The client takes one coding; the body is compressed once, and asked for until it comes compressed. The reference is bare ' +
      `\`node:http\` writing the same compressed bytes.`,
    columns: ['', 'size', 'coding', ...COLUMNS, 'of its reference'],
    rows: measured.flatMap(({ rows }) => rows),
    verdicts: measured.map(({ what, figure }) => ({ what, figure, bar: { atLeast: AT_LEAST } })),
  }
}

interface Measured {
  readonly rows: Section['rows']
  readonly what: string
  /** NaN when nothing was compressed. */
  readonly figure: number
}

async function measure(size: SizeName, coding: string, context: Context): Promise<Measured> {
  await using servers = new Servers()
  const { name, limit } = MOUNTING
  const what = `A hit of ${size} in ${coding} by ${name}, of ${limit}`
  const ask: Ask = { fields: { 'Accept-Encoding': coding } }
  const isCoded: Wanted = (answer) => isHit(answer) && answer.header('Content-Encoding') === coding
  const probe = await servers.contestant('ours.ts', { contestant: name, size: SIZES[size] })
  if ((await firstWanted(probe, ask, isCoded)) === undefined)
    return { rows: [[name, size, coding, 'not coded', '', '', '', '']], what, figure: Number.NaN }
  const { own, reference } = await startPair(servers, MOUNTING, { size: SIZES[size] }, ask, isCoded)
  const lanes: readonly Lane[] = [
    { name: limit, server: reference, ask },
    { name, server: own, ask },
  ]
  const rounds = await compare(lanes, context)
  const row = (lane: string, of?: string) => [lane, size, coding, ...cellsOf(rounds, lane), ratioCell(rounds, lane, of)]
  return { rows: [row(limit), row(name, limit)], what, figure: ratio(rounds, name, limit) }
}
