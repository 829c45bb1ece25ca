import { compareCasts } from '../casts.ts'
import { type Lane, type Rounds, ratio } from '../compare.ts'
import { COLUMNS, cellsOf, ratioCell } from '../figures.ts'
import { startPair } from '../pair.ts'
import type { Context } from '../part.ts'
import { SIZES, type SizeName } from '../payload.ts'
import { presentProxies } from '../proxies.ts'
import { TWELVE_FIELDS, TWO_FIELDS } from '../requests.ts'
import type { Section, Verdict } from '../section.ts'
import type { Server, Servers } from '../server.ts'

const MOUNTINGS = [
  { name: 'withCache', limit: 'node:http', atLeast: 0.85 },
  { name: 'cacheMiddleware', limit: 'Express 5, first middleware', atLeast: 0.93 },
] as const

const VARNISH = 'Varnish, 2 fields'

const ASKS = { '2 fields': TWO_FIELDS, '12 fields': TWELVE_FIELDS } as const

/** What a hit in memory costs beside the same bytes written by what it is mounted in, and beside Varnish. */
export async function run(context: Context): Promise<Section> {
  const tables = [await table('1 kB', context), ...(context.short ? [] : [await table('20 kB', context)])]
  return {
    title: 'Hits in memory',
    note:
      'The reference writes the same bytes, the fields in the same order: bare `node:http` for `withCache`, the first middleware of ' +
      `Express 5 for \`cacheMiddleware\`. Requests have two fields, or twelve as a browser's.`,
    columns: ['', 'size', ...COLUMNS, 'of its reference'],
    rows: tables.flatMap(({ rows }) => rows),
    verdicts: tables.flatMap(({ verdicts }) => verdicts),
  }
}

async function table(size: SizeName, context: Context): Promise<Pick<Section, 'rows' | 'verdicts'>> {
  const rounds = await compareCasts(async (servers) => {
    return [...(await mountingLanes(servers, size)), ...(await varnishLanes(servers, size))]
  }, context)
  const rows = [...rounds.keys()].map((name) => [
    name,
    size,
    ...cellsOf(rounds, name),
    ratioCell(rounds, name, limitOf(name)),
  ])
  return { rows, verdicts: verdictsOf(rounds, size) }
}

async function mountingLanes(servers: Servers, size: SizeName): Promise<readonly Lane[]> {
  const lanes: Lane[] = []
  for (const mounting of MOUNTINGS) {
    const { own, reference } = await startPair(servers, mounting, { size: SIZES[size] })
    lanes.push(...lanesOf(mounting.limit, reference), ...lanesOf(mounting.name, own))
  }
  return lanes
}

function lanesOf(name: string, server: Server): readonly Lane[] {
  return Object.entries(ASKS).map(([fields, ask]) => ({ name: `${name}, ${fields}`, server, ask }))
}

async function varnishLanes(servers: Servers, size: SizeName): Promise<readonly Lane[]> {
  const varnish = presentProxies().find(({ name }) => name === 'Varnish')
  if (varnish === undefined) return []
  const origin = await servers.contestant('limits.ts', { contestant: 'node:http, origin', size: SIZES[size] })
  return [{ name: VARNISH, server: await servers.add(varnish.start(origin.port)), ask: TWO_FIELDS }]
}

function limitOf(lane: string): string | undefined {
  const mounting = MOUNTINGS.find(({ name }) => lane.startsWith(name))
  return mounting && lane.replace(mounting.name, mounting.limit)
}

function verdictsOf(rounds: Rounds, size: SizeName): readonly Verdict[] {
  const ofLimits = MOUNTINGS.flatMap(({ name, limit, atLeast }) =>
    Object.keys(ASKS).map((fields) => ({
      what: `A hit of ${size} by ${name} with ${fields}, of ${limit}`,
      figure: ratio(rounds, `${name}, ${fields}`, `${limit}, ${fields}`),
      bar: { atLeast },
    })),
  )
  if (!rounds.has(VARNISH)) return ofLimits
  const figure = ratio(rounds, 'withCache, 2 fields', VARNISH)
  const limit = ratio(rounds, 'node:http, 2 fields', VARNISH).toFixed(2)
  const what = `A hit of ${size} by withCache, of Varnish, of which node:http alone is ${limit}`
  return [...ofLimits, { what, figure, bar: { atLeast: 1 } }]
}
