import { compareCasts } from '../casts.ts'
import { type Lane, ratio } from '../compare.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { isHit, NeverAnswered, type Wanted } from '../learn.ts'
import type { Ask } from '../load.ts'
import { startPair } from '../pair.ts'
import type { Context } from '../part.ts'
import { SIZES, type SizeName } from '../payload.ts'
import type { Section, Verdict } from '../section.ts'
import type { Servers } from '../server.ts'

const MOUNTING = { name: 'withCache', limit: 'node:http' } as const
const AT_LEAST = 0.85

const CASES: readonly Case[] = [
  { size: '20 kB', coding: 'gzip' },
  { size: '200 kB', coding: 'br' },
]

/** What a compressed hit costs beside the same compressed bytes written by bare `node:http`. */
export async function run(context: Context): Promise<Section> {
  const measured: Measured[] = []
  for (const one of context.short ? CASES.slice(0, 1) : CASES) measured.push(await measure(one, context))
  return {
    title: 'Compressed hits',
    note:
      'The client takes one coding; the body is compressed once, and asked for until it comes compressed. The reference is bare ' +
      '`node:http` writing the same compressed bytes.',
    columns: ['', 'size', 'coding', ...COLUMNS, 'of its reference'],
    rows: measured.flatMap(({ rows }) => rows),
    verdicts: measured.map(({ verdict }) => verdict),
  }
}

interface Case {
  readonly size: SizeName
  readonly coding: string
}

interface Measured {
  readonly rows: Section['rows']
  readonly verdict: Verdict
}

async function measure({ size, coding }: Case, context: Context): Promise<Measured> {
  const { name, limit } = MOUNTING
  const ask: Ask = { fields: { 'Accept-Encoding': coding } }
  const verdict = (figure: number): Verdict => {
    return { what: `A hit of ${size} in ${coding} by ${name}, of ${limit}`, figure, bar: { atLeast: AT_LEAST } }
  }
  const isCoded: Wanted = (answer) => isHit(answer) && answer.header('Content-Encoding') === coding
  const lanesOf = async (servers: Servers): Promise<readonly Lane[]> => {
    const { own, reference } = await startPair(servers, MOUNTING, { size: SIZES[size] }, ask, isCoded)
    return [
      { name: limit, server: reference, ask },
      { name, server: own, ask },
    ]
  }
  const rounds = await compareCasts(lanesOf, context).catch(orNothing)
  if (rounds === undefined)
    return { rows: [[name, size, coding, 'not coded', '', '', '', '']], verdict: verdict(Number.NaN) }
  const row = (lane: string, of?: string) => [lane, size, coding, ...cellsOf(rounds, lane), ratioCell(rounds, lane, of)]
  return { rows: [row(limit), row(name, limit)], verdict: verdict(ratio(rounds, name, limit)) }
}

function orNothing(error: unknown): undefined {
  if (!(error instanceof NeverAnswered)) throw error
}
