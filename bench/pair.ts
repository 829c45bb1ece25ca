import type { Task } from './contestant.ts'
import { checkSame, isHit, learn, type Wanted } from './learn.ts'
import type { Ask } from './load.ts'
import type { Server, Servers } from './server.ts'

/** A contestant of ours, and what it is compared with in the same place. */
export interface Mounting {
  readonly name: string
  readonly limit: string
}

/** Both, the limit sending the very bytes of the answer that ours gives to `ask`. */
export async function startPair(
  servers: Servers,
  { name, limit }: Mounting,
  task: Omit<Task, 'contestant'>,
  ask: Ask = {},
  isWanted: Wanted = isHit,
): Promise<{ readonly own: Server; readonly reference: Server }> {
  const own = await servers.contestant('ours.ts', { ...task, contestant: name })
  const prepared = await learn(own, ask, isWanted)
  const reference = await servers.contestant('limits.ts', { ...task, contestant: limit, prepared })
  await checkSame(reference, prepared, ask)
  return { own, reference }
}
