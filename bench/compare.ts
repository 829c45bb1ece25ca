import { availableParallelism } from 'node:os'
import { type Ask, type Load, load } from './load.ts'
import type { Context } from './part.ts'
import type { Server } from './server.ts'

/** One line of a table: a server, and what it is asked for. */
export interface Lane {
  readonly name: string
  readonly server: Server
  readonly ask: Ask
}

export interface Slice extends Load {
  /** CPU time of the server per request (us). */
  readonly cost: number
  /** The part of the time in which the server ran: other programs kept it from more. */
  readonly busy: number
}

/** A figure per lane and round, by the lane's name. */
export type Rounds = ReadonlyMap<string, readonly Slice[]>

/** CPU time of a server until its compiler has seen enough (us); on a busy machine that takes longer. */
const WARM_UP_US = 2_000_000
const WARM_UP_SLICE_MS = 300
const MAX_WARM_UP_SLICES = 60

/** Long enough for some thousand requests; many short ones tell more than a few long ones. */
const SLICE_MS = 200

/** Short slices of all lanes in turn, so that a slow minute of the machine is everybody's. */
export async function compare(lanes: readonly Lane[], { rounds, short }: Context): Promise<Rounds> {
  if (!short) await warmUpAll(lanes)
  const slices = new Map(lanes.map(({ name }): [string, Slice[]] => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    const order = round % 2 === 1 ? lanes : lanes.toReversed()
    for (const lane of order) slices.get(lane.name)?.push(await slice(lane, SLICE_MS))
    process.stderr.write(`\rround ${round} of ${rounds} `)
  }
  process.stderr.write('\n')
  return slices
}

/** As many servers at once as there are processors: nothing is measured yet. */
async function warmUpAll(lanes: readonly Lane[]): Promise<void> {
  const waiting = [...new Set(lanes.map(({ server }) => server))]
  const next = async (): Promise<void> => {
    for (let server = waiting.pop(); server !== undefined; server = waiting.pop()) {
      const own = lanes.filter((lane) => lane.server === server)
      for (const lane of own) await warmUp(lane, WARM_UP_US / own.length)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, next))
}

async function warmUp({ server, ask }: Lane, us: number): Promise<void> {
  const enough = (await server.cpu()) + us
  for (let count = 0; count < MAX_WARM_UP_SLICES && (await server.cpu()) < enough; count++)
    await load(server.port, ask, WARM_UP_SLICE_MS)
}

async function slice({ server, ask }: Lane, ms: number): Promise<Slice> {
  const before = await server.cpu()
  const seen = await load(server.port, ask, ms)
  const used = (await server.cpu()) - before
  return { ...seen, cost: used / seen.requests, busy: used / 1e6 / seen.seconds }
}

/**
 * What a lane could answer per second of CPU time, as a part of what its reference could: the median of the ratios of each round,
 * since two slices side by side have the same machine.
 */
export function ratio(rounds: Rounds, name: string, reference: string): number {
  const theirs = slicesOf(rounds, reference)
  return median(slicesOf(rounds, name).map(({ cost }, round) => (theirs[round]?.cost ?? Number.NaN) / cost))
}

/** CPU time per request (us). */
export function cost(rounds: Rounds, name: string): number {
  return median(slicesOf(rounds, name).map((one) => one.cost))
}

/** Throughput and latency, of the half of the slices in which the server ran the most. */
export function quiet(
  rounds: Rounds,
  name: string,
): { readonly throughput: number; readonly p50: number; readonly p99: number } {
  const slices = slicesOf(rounds, name).toSorted((a, b) => b.busy - a.busy)
  const half = slices.slice(0, Math.ceil(slices.length / 2))
  return {
    throughput: median(half.map(({ requests, seconds }) => requests / seconds)),
    p50: median(half.map(({ p50 }) => p50)),
    p99: median(half.map(({ p99 }) => p99)),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [upper = Number.NaN, lower = upper] = [sorted[middle], sorted[middle - 1]]
  return sorted.length % 2 === 1 ? upper : (lower + upper) / 2
}

function slicesOf(rounds: Rounds, name: string): readonly Slice[] {
  const slices = rounds.get(name)
  if (slices === undefined) throw new Error(`"${name}" was not measured`)
  return slices
}
