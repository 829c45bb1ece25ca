import { answerParent, companionOptions } from '../../test/faults/outages/companion.ts'
import { createCache, withCache } from '../built.ts'
import { Filling } from '../filling.ts'
import { openValues, type PeerName } from '../peer-values.ts'

/** What entries take of the memory of a process; each figure in a process of its own, because memory is hardly ever given back. */
export interface FootprintOptions {
  readonly subject: 'cachewell' | PeerName
  readonly entries: number
  /** Bound of the cache. */
  readonly maxSize?: string
  /** No new entry is stored after this. */
  readonly withinMs: number
}

export interface Footprint {
  readonly kept: number
  /** Bytes of heap and buffers per entry, beyond body, field lines and key. */
  readonly overhead: number
  /** Bytes that the process has grown by per entry, resident. */
  readonly resident: number
  /** The same for all entries, divided by what the cache says it uses; undefined where it does not say. */
  readonly ratio: number | undefined
  /** The most of that while entries were stored, from the first quarter on, without what making their bodies alone takes. */
  readonly ratioPeak: number | undefined
}

export interface FootprintAnswers {
  readonly measure: Footprint
}

const BODY_BYTES = 1_000
const WARM_UP = 30_000
/** Stores in one turn of the event loop. */
const TURN = 500
const CHECKED = 20

const { subject, entries, maxSize = '16gb', withinMs } = companionOptions() as FootprintOptions

interface Subject {
  /** Keep a body under a number. */
  store(id: number, body: Buffer): unknown
  /** Bytes of field lines and key. */
  headOf(id: number): number
  /** How many of those stored are there; what it answers at a number is asked for. */
  kept(stored: number): Promise<number>
  accounted(): number | undefined
}

async function openOurs(bound: string): Promise<Subject> {
  const cache = createCache({ memory: { maxSize: bound } })
  const listener = withCache((_req, res) => res.end('model'), { cache, ttl: '1h', headers: 'standard' })
  const filling = await Filling.start({ cache, listener })
  return {
    store: (id, body) => filling.keep({ path: pathOf(id), body, tags: ['all'] }),
    headOf: (id) => filling.headBytes(pathOf(id)) + filling.keyOf(pathOf(id)).length,
    kept: async (stored) => {
      const { keyCount } = cache.stats().stats
      // The last ones stored.
      await filling.check((id) => pathOf(stored - 1 - id), Math.min(keyCount, CHECKED))
      return keyCount
    },
    accounted: () => cache.stats().stats.memoryUsed,
  }
}

async function openPeer(name: PeerName): Promise<Subject> {
  const values = await openValues(name, { maxItems: entries })
  return {
    store: (id, body) => values.set(pathOf(id), body.toString('latin1'), ['all']),
    headOf: (id) => pathOf(id).length,
    kept: async (stored) => {
      for (let sample = 0; sample < CHECKED; sample++) {
        const path = pathOf(Math.floor((sample * stored) / CHECKED))
        if ((await values.get(path)) === undefined) throw new Error(`${name} has lost ${path}`)
      }
      return stored
    },
    accounted: () => undefined,
  }
}

function open(bound: string): Promise<Subject> {
  return subject === 'cachewell' ? openOurs(bound) : openPeer(subject)
}

function pathOf(id: number): string {
  return `/items/${id}`
}

/** In memory of its own, as a response is recorded. */
function bodyOf(id: number): Buffer {
  const body = Buffer.allocUnsafeSlow(BODY_BYTES).fill('x')
  body.write(String(id))
  return body
}

async function measure(): Promise<Footprint> {
  // What is compiled, and the young generation of the heap, belong to the process.
  const warm = await open('1mb')
  for (let id = 0; id < WARM_UP; id++) await warm.store(id, bodyOf(id))
  const measured = await open(maxSize)
  const before = await settled()
  const grown = (): number => process.memoryUsage.rss() - before.rss
  let making = 0
  for (let made = 0; made < WARM_UP; made++) {
    bodyOf(made)
    if (made % TURN === 0) making = Math.max(making, await nextTurn().then(grown))
  }
  let [stored, content, peak] = [0, 0, 0]
  for (const until = performance.now() + withinMs; stored < entries && performance.now() < until; ) {
    for (let at = 0; at < TURN; at++) {
      const result = measured.store(stored, bodyOf(stored))
      if (result instanceof Promise) await result
      content += BODY_BYTES + measured.headOf(stored++)
    }
    await nextTurn()
    if (stored >= entries / 4) peak = Math.max(peak, (grown() - making) / (measured.accounted() ?? Number.NaN))
  }
  const after = await settled()
  const kept = await measured.kept(stored)
  const used = after.heapUsed + after.external - before.heapUsed - before.external
  const accounted = measured.accounted()
  return {
    kept,
    overhead: used / kept - content / stored,
    resident: (after.rss - before.rss) / kept,
    ratio: accounted === undefined ? undefined : (after.rss - before.rss) / accounted,
    ratioPeak: accounted === undefined ? undefined : peak,
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function settled(): Promise<NodeJS.MemoryUsage> {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage()
}

answerParent({ measure })
