import { compare, type Lane, ratio } from '../compare.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { learn } from '../learn.ts'
import type { Context } from '../part.ts'
import { ETAG, SIZES } from '../payload.ts'
import type { Section } from '../section.ts'
import { Servers } from '../server.ts'

const NAMES = ['withCache', 'cacheMiddleware'] as const
const UNCHANGED = { fields: { 'If-None-Match': ETAG } } as const

/** What telling a client that it has the answer already costs, beside sending it. */
export async function run(context: Context): Promise<Section> {
  // Both are asked of one process, so that one is enough.
  await using servers = new Servers()
  const rounds = await compare(await lanesOf(servers), context)
  return {
    title: 'Conditional hits',
    note: `\`If-None-Match\` with the entity tag of a body of 1 kB; the reference is the whole answer by the same server.`,
    columns: ['', ...COLUMNS, 'of the 200'],
    rows: [...rounds.keys()].map((name) => [
      name,
      ...cellsOf(rounds, name),
      ratioCell(rounds, name, name.endsWith('304') ? name.replace('304', '200') : undefined),
    ]),
    verdicts: NAMES.map((name) => ({
      what: `A 304 by ${name}, of the 200`,
      figure: ratio(rounds, `${name}, 304`, `${name}, 200`),
      bar: { atLeast: 0.97 },
    })),
  }
}

async function lanesOf(servers: Servers): Promise<readonly Lane[]> {
  const lanes: Lane[] = []
  for (const name of NAMES) {
    const server = await servers.contestant('ours.ts', { contestant: name, size: SIZES['1 kB'] })
    await learn(server)
    await learn(server, UNCHANGED, ({ status }) => status === 304)
    lanes.push({ name: `${name}, 200`, server, ask: {} }, { name: `${name}, 304`, server, ask: UNCHANGED })
  }
  return lanes
}
