import { compare, type Lane, type Rounds, ratio } from '../compare.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { checkBody } from '../learn.ts'
import { startPair } from '../pair.ts'
import type { Context } from '../part.ts'
import { SIZES, type SizeName } from '../payload.ts'
import { installedPeers } from '../peers.ts'
import { presentProxies } from '../proxies.ts'
import { TWO_FIELDS } from '../requests.ts'
import type { Section, Verdict } from '../section.ts'
import { Servers } from '../server.ts'

const NODE = { name: 'withCache', limit: 'node:http' } as const
const EXPRESS = { name: 'cacheMiddleware', limit: 'Express 5, first middleware' } as const

/** Fewer than where a bar is close: what differs here differs by far. */
const ROUNDS: Readonly<Record<SizeName, number>> = { '1 kB': 5, '20 kB': 3, '200 kB': 3 }

/** How often a hit of the best peer has to fit into one of `withCache`. */
const TIMES_THE_BEST = 4

/** What a hit in memory costs beside other caches for Express, and beside proxies. */
export async function run(context: Context): Promise<Section> {
  const peers = Object.keys(installedPeers())
  const rows: (readonly string[])[] = []
  const verdicts: Verdict[] = []
  for (const size of context.short ? (['1 kB'] as const) : (Object.keys(SIZES) as SizeName[])) {
    const { names, rounds } = await measure(size, peers, context)
    rows.push(
      ...names.map((name) => [
        name,
        size,
        ...cellsOf(rounds, name),
        ratioCell(rounds, name, NODE.limit),
        ratioCell(rounds, name, EXPRESS.limit),
      ]),
    )
    if (size === '1 kB' && peers.length > 0) verdicts.push(...verdictsOf(rounds, peers))
  }
  const missing = peers.length === 0 ? ' The peers are not installed here and left out.' : ''
  return {
    title: 'Hits in memory beside other caches',
    note:
      'All in Express 5, mounted as their own README says, answering the same JSON; a store that is no HTTP cache has the plain ' +
      `middleware around it that its users write. Requests have two fields.${missing}`,
    columns: ['', 'size', ...COLUMNS, `of ${NODE.limit}`, `of ${EXPRESS.limit}`],
    rows,
    verdicts,
  }
}

interface Measured {
  readonly names: readonly string[]
  readonly rounds: Rounds
}

async function measure(size: SizeName, peers: readonly string[], context: Context): Promise<Measured> {
  await using servers = new Servers()
  const task = { size: SIZES[size] }
  const lanes: Lane[] = []
  for (const mounting of [NODE, EXPRESS]) {
    const { own, reference } = await startPair(servers, mounting, task)
    lanes.push(
      { name: mounting.limit, server: reference, ask: TWO_FIELDS },
      { name: mounting.name, server: own, ask: TWO_FIELDS },
    )
  }
  const starting = peers.map(async (name) => {
    const server = await servers.contestant('peers.mjs', { ...task, contestant: name })
    return { name, server, ask: TWO_FIELDS }
  })
  lanes.push(...(await Promise.all(starting)))
  const origin = await servers.contestant('limits.ts', { ...task, contestant: 'node:http, origin' })
  for (const { name, start } of presentProxies()) {
    lanes.push({ name, server: await servers.add(start(origin.port)), ask: TWO_FIELDS })
  }
  for (const { server } of lanes) await checkBody(server, SIZES[size])
  const rounds = await compare(lanes, { ...context, rounds: Math.min(context.rounds, ROUNDS[size]) })
  return { names: lanes.map(({ name }) => name), rounds }
}

function verdictsOf(rounds: Rounds, peers: readonly string[]): readonly Verdict[] {
  const [best = ''] = peers.toSorted((a, b) => ratio(rounds, b, EXPRESS.limit) - ratio(rounds, a, EXPRESS.limit))
  return [
    {
      what: `A hit of 1 kB by withCache, of the best peer (${best})`,
      figure: ratio(rounds, NODE.name, best),
      bar: { atLeast: TIMES_THE_BEST },
    },
    {
      what: `A hit of 1 kB by cacheMiddleware, of the best peer (${best})`,
      figure: ratio(rounds, EXPRESS.name, best),
      bar: { atLeast: 1 },
    },
  ]
}
