import { compare, type Lane, type Rounds, type Slice } from './compare.ts'
import type { Context } from './part.ts'
import { Servers } from './server.ts'

/**
 * How many processes each contestant has, one after the other: V8 settles differently in each, so that the same server may take
 * twice as much in the next.
 */
const CASTS = 3

/** The rounds, shared out among casts; `start` makes the processes of one. */
export async function compareCasts(
  start: (servers: Servers) => Promise<readonly Lane[]>,
  context: Context,
): Promise<Rounds> {
  const slices = new Map<string, readonly Slice[]>()
  for (const rounds of shares(context.rounds)) {
    await using servers = new Servers()
    const played = await compare(await start(servers), { ...context, rounds })
    for (const [name, own] of played) slices.set(name, [...(slices.get(name) ?? []), ...own])
  }
  return slices
}

/** As equal as whole rounds can be; no cast without a round. */
function shares(rounds: number): readonly number[] {
  const casts = Math.min(CASTS, rounds)
  return Array.from({ length: casts }, (_, cast) => Math.floor((rounds + cast) / casts))
}
