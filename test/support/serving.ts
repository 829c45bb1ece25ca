import { setTimeout as sleep } from 'node:timers/promises'
import { CacheError } from '../../lib/errors.ts'
import type { Database, Node } from './sharing.ts'

/** What happened to the requests of readers while something else happened. */
export interface Served {
  readonly reads: number
  /** Invalidations that were confirmed. */
  readonly acknowledged: number
  /** Requests without an answer, or with one that says that something failed. */
  readonly failed: readonly string[]
  /** Answers older than what was acknowledged before the request. */
  readonly stale: readonly string[]
}

const PATHS = Array.from({ length: 40 }, (_, index) => `/row${index}`)
const READERS_OF_A_NODE = 2

/** Read rows from all nodes without a pause, write and invalidate them by turns, until `during` has ended, which sees the figures. */
export async function whileServing(
  database: Database,
  nodes: readonly Node[],
  during: (soFar: Served) => Promise<void>,
): Promise<Served> {
  const promised = new Map<string, number>()
  const served = { reads: 0, acknowledged: 0, failed: [] as string[], stale: [] as string[] }
  let isOver = false
  const read = async (node: Node, first: number): Promise<void> => {
    for (let turn = first; !isOver; turn++) {
      const path = PATHS[turn % PATHS.length] as string
      const atLeast = promised.get(path) ?? 0
      served.reads++
      const answer = await node.get(path).catch(String)
      if (typeof answer === 'string') served.failed.push(`${path}: ${answer}`)
      else if (answer.status !== 200) served.failed.push(`${path}: ${answer.status}`)
      else if (Number(answer.text) < atLeast) served.stale.push(`${path}: ${answer.text} after ${atLeast}`)
    }
  }
  const write = async (): Promise<void> => {
    for (let turn = 0; !isOver; turn++) {
      const path = PATHS[(7 * turn) % PATHS.length] as string
      const value = (database.get(path) ?? 0) + 1
      database.set(path, value)
      const { cache } = nodes[turn % nodes.length] as Node
      if (await isConfirmed(cache.invalidate({ tags: [path.slice(1)] }))) {
        promised.set(path, value)
        served.acknowledged++
      }
      await sleep(5)
    }
  }
  const readers = nodes.flatMap((node, index) =>
    Array.from({ length: READERS_OF_A_NODE }, (_, reader) => read(node, 11 * (index + 2 * reader))),
  )
  const work = Promise.all([write(), ...readers])
  try {
    await during(served)
  } finally {
    isOver = true
    await work
  }
  return served
}

async function isConfirmed(invalidation: Promise<unknown>): Promise<boolean> {
  try {
    await invalidation
    return true
  } catch (error) {
    if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return false
    throw error
  }
}
