import { compareCasts } from '../casts.ts'
import { compare, type Lane, type Rounds, ratio } from '../compare.ts'
import type { Prepared } from '../contestant.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { checkBody, checkSame, learn } from '../learn.ts'
import type { Ask } from '../load.ts'
import type { Context } from '../part.ts'
import { SIZES, type SizeName } from '../payload.ts'
import { installedPeers } from '../peers.ts'
import { presentProxies } from '../proxies.ts'
import type { Section, Verdict } from '../section.ts'
import { type Server, Servers } from '../server.ts'

const NODE = { name: 'withCache', limit: 'node:http' } as const
const EXPRESS = { name: 'cacheMiddleware', limit: 'Express 5, first middleware' } as const

/** What other peers keep their values in: installed for them. */
const STORES: ReadonlySet<string> = new Set(['keyv', '@keyv/redis'])

/** For sizes without a bar: what differs there differs by far. */
const ROUNDS = 3

/** The size of which there is a bar. */
const JUDGED = '1 kB'
const SIZE_NAMES = Object.keys(SIZES) as SizeName[]

/** How often a hit of the best peer has to fit into one of `withCache`. */
const TIMES_THE_BEST = 4

/** What a hit in memory costs beside other caches for Express, and beside proxies. */
export async function run(context: Context): Promise<Section> {
  const peers = Object.keys(installedPeers()).filter((name) => !STORES.has(name))
  const judged = await compareCasts((servers) => lanesOf(servers, peers, [JUDGED]), context)
  const rounds = context.short ? judged : new Map([...judged, ...(await compareOthers(peers, context))])
  const missing = peers.length === 0 ? ' The peers are not installed here and left out.' : ''
  return {
    title: 'Hits in memory beside other caches',
    note:
      'All in Express 5, mounted as their own README says, answering the same JSON; a store that is no HTTP cache has the plain ' +
      `middleware around it that its users write. Requests have two fields; one process of each answers all sizes but ${JUDGED}.${missing}`,
    columns: ['', 'size', ...COLUMNS, `of ${NODE.limit}`, `of ${EXPRESS.limit}`],
    rows: SIZE_NAMES.flatMap((size) =>
      namesOf(rounds, size).map((name) => [
        name,
        size,
        ...cellsOf(rounds, laneName(name, size)),
        ...[NODE, EXPRESS].map(({ limit }) => ratioCell(rounds, laneName(name, size), laneName(limit, size))),
      ]),
    ),
    verdicts: peers.length === 0 ? [] : verdictsOf(rounds, peers),
  }
}

/** The sizes without a bar. */
async function compareOthers(peers: readonly string[], context: Context): Promise<Rounds> {
  await using servers = new Servers()
  const lanes = await lanesOf(
    servers,
    peers,
    SIZE_NAMES.filter((size) => size !== JUDGED),
  )
  return await compare(lanes, { ...context, rounds: Math.min(context.rounds, ROUNDS) })
}

async function lanesOf(
  servers: Servers,
  peers: readonly string[],
  sizes: readonly SizeName[],
): Promise<readonly Lane[]> {
  return [...(await ownLanes(servers, sizes)), ...(await otherLanes(servers, peers, sizes))]
}

async function ownLanes(servers: Servers, sizes: readonly SizeName[]): Promise<readonly Lane[]> {
  const lanes: Lane[] = []
  for (const { name, limit } of [NODE, EXPRESS]) {
    const own = await servers.contestant('ours.ts', { contestant: name, size: SIZES['1 kB'] })
    const answers: Record<string, Prepared> = {}
    for (const size of sizes) answers[pathOf(size)] = await learn(own, askFor(size))
    const reference = await servers.contestant('limits.ts', { contestant: limit, size: SIZES['1 kB'], answers })
    for (const [path, prepared] of Object.entries(answers)) await checkSame(reference, prepared, { path })
    lanes.push(...sizes.flatMap((size) => [laneOf(limit, reference, size), laneOf(name, own, size)]))
  }
  return lanes
}

async function otherLanes(
  servers: Servers,
  peers: readonly string[],
  sizes: readonly SizeName[],
): Promise<readonly Lane[]> {
  const task = { size: SIZES['1 kB'] }
  const origin = await servers.contestant('limits.ts', { ...task, contestant: 'node:http, origin' })
  const started: { readonly name: string; readonly server: Server }[] = []
  // One after the other: where one fails, those that were started are known, and ended.
  for (const name of peers)
    started.push({ name, server: await servers.contestant('peers.mjs', { ...task, contestant: name }) })
  for (const { name, start } of presentProxies()) started.push({ name, server: await servers.add(start(origin.port)) })
  for (const { server } of started) for (const size of sizes) await checkBody(server, SIZES[size])
  return started.flatMap(({ name, server }) => sizes.map((size) => laneOf(name, server, size)))
}

function askFor(size: SizeName): Ask {
  return { path: pathOf(size) }
}

function pathOf(size: SizeName): string {
  return `/${SIZES[size]}`
}

function laneOf(name: string, server: Server, size: SizeName): Lane {
  return { name: laneName(name, size), server, ask: askFor(size) }
}

function laneName(name: string, size: SizeName): string {
  return `${name}, ${size}`
}

function namesOf(rounds: Rounds, size: SizeName): readonly string[] {
  const end = laneName('', size)
  return [...rounds.keys()].filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length))
}

function verdictsOf(rounds: Rounds, peers: readonly string[]): readonly Verdict[] {
  const of = (name: string, reference: string): number =>
    ratio(rounds, laneName(name, JUDGED), laneName(reference, JUDGED))
  const [best = ''] = peers.toSorted((a, b) => of(b, EXPRESS.limit) - of(a, EXPRESS.limit))
  const limit = of(NODE.limit, best).toFixed(1)
  return [
    {
      what: `A hit of ${JUDGED} by withCache, of the best peer (${best}), of which ${NODE.limit} alone is ${limit}`,
      figure: of(NODE.name, best),
      bar: { atLeast: TIMES_THE_BEST },
    },
    {
      what: `A hit of ${JUDGED} by cacheMiddleware, of the best peer (${best})`,
      figure: of(EXPRESS.name, best),
      bar: { atLeast: 1 },
    },
  ]
}
