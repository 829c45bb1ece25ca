import type { RequestListener } from 'node:http'
import { answerParent, companionOptions } from '../../test/faults/outages/companion.ts'
import { createCache, withCache } from '../built.ts'
import { Filling } from '../filling.ts'
import { askLocally } from '../local-request.ts'

/** A cache with so many entries, and what an operation on it costs. */
export interface GrowthOptions {
  readonly entries: number
  /** Divides the operations of a slice. @default 1 */
  readonly haste?: number
}

/** Operations per slice, by what they do. */
const SLICES = {
  /** A request that is answered from memory. */
  'request, hit': 2_000,
  /** The first look at an entry after something else was invalidated: it is judged anew. */
  'request, first hit after an invalidation': 500,
  /** A request that runs the handler and is stored. */
  'request, miss and store': 1_000,
  /** Of a tag that a thousandth of all entries carry. */
  'invalidation of a tag': 300,
} as const

type Operation = keyof typeof SLICES

/** Tags as they are invalidated for the first time. */
export interface FirstInvalidation {
  /** Entries under each. */
  readonly under: number
  /** How long each invalidation took (us). */
  readonly times: readonly number[]
  /** CPU microseconds of the next request for an entry that was under it: it runs the handler. */
  readonly nextRequest: number
  /** Of those requests, how many did not. */
  readonly stale: number
}

export interface GrowthAnswers {
  /** Filled, as far as there was time. */
  readonly fill: number
  /** What `slice` can be asked to do. */
  readonly operations: readonly string[]
  /** CPU microseconds per operation. */
  readonly slice: number
  readonly firstInvalidations: readonly FirstInvalidation[]
}

const BODY = Buffer.alloc(1_000, 'x')
const MODULUS = 1_000
/** Of the tags by remainder those that are divisible by this are invalidated; what carries them is not asked for. */
const INVALIDATED_EVERY = 10
/** How many invalidated entries are asked for. */
const NEXT_REQUESTS = 1_000
const FILL_STEP = 10_000
const FILL_WITHIN_MS = 40_000
const WARM_UP = 200

const { entries, haste = 1 } = companionOptions() as GrowthOptions
const cache = createCache({ memory: { maxSize: '16gb' } })
let runs = 0
const listener: RequestListener = withCache(
  (_req, res) => {
    runs++
    res.end(BODY)
  },
  { cache, ttl: '1h', headers: 'standard', tags: (req) => tagsOf(Number(req.url?.slice('/items/'.length))) },
)
let filled = 0
let created = 0
let turn = 0

function pathOf(id: number): string {
  return `/items/${id}`
}

/** By remainder; and, where there are entries enough, alone, with a thousand and with a hundred thousand others. */
function tagsOf(id: number): readonly string[] {
  const byRemainder = `remainder-${id % MODULUS}`
  if (id < 1_000) return [byRemainder, `1-${id}`]
  if (id >= 50_000 && id < 100_000) return [byRemainder, `1000-${Math.floor(id / 1_000) - 50}`]
  if (id >= 500_000 && id < 1_000_000) return [byRemainder, `100000-${Math.floor(id / 100_000) - 5}`]
  return [byRemainder]
}

async function fill(): Promise<number> {
  const filling = await Filling.start({ cache, listener })
  const until = performance.now() + FILL_WITHIN_MS
  while (filled < entries && performance.now() < until) {
    const next = Math.min(entries, filled + FILL_STEP)
    await filling.fill(filled, next, (id) => ({ path: pathOf(id), body: Buffer.from(BODY), tags: tagsOf(id) }))
    filled = next
  }
  await filling.check(pathOf, filled)
  return filled
}

/** Some entry that is not invalidated, scattered over all. */
function someId(): number {
  for (;;) {
    const id = Math.floor(Math.random() * filled)
    if (id % INVALIDATED_EVERY > 0) return id
  }
}

const DO: Readonly<Record<Operation, () => Promise<unknown>>> = {
  'request, hit': () => askLocally(listener, { path: pathOf(someId()) }),
  'request, first hit after an invalidation': () => {
    // Each of them once per slice, far from one another.
    turn = (turn + 7_919) % filled
    const id = turn % INVALIDATED_EVERY === 0 ? turn + 1 : turn
    return askLocally(listener, { path: pathOf(id) })
  },
  'request, miss and store': () => askLocally(listener, { path: pathOf(1_000_000 + created++) }),
  'invalidation of a tag': () => {
    turn = (turn + INVALIDATED_EVERY) % MODULUS
    return cache.invalidate({ tags: [`remainder-${turn - (turn % INVALIDATED_EVERY)}`] })
  },
}

async function slice(operation: Operation): Promise<number> {
  const count = SLICES[operation] / haste
  if (operation.includes('after an invalidation')) await cache.invalidate({ tags: ['of nothing'] })
  const before = runs
  const cost = await costOf(count, DO[operation])
  const expected = operation.includes('miss') ? count : 0
  if (runs - before !== expected) throw new Error(`${operation}: the handler ran ${runs - before} times`)
  return cost
}

/** CPU microseconds per operation: garbage collection is in it, what others do on the machine is not. */
async function costOf(count: number, operate: (index: number) => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  for (let index = 0; index < count; index++) await operate(index)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

/** Tags with 1, 1,000 and 100,000 entries: each for its first time, and the next requests for what carried it. */
async function firstInvalidations(): Promise<readonly FirstInvalidation[]> {
  return [
    await invalidateAll(1, 1_000, (tag) => tag),
    await invalidateAll(1_000, 50, (tag, index) => 50_000 + tag * 1_000 + index),
    await invalidateAll(100_000, 5, (tag, index) => 500_000 + tag * 100_000 + index),
  ]
}

async function invalidateAll(
  under: number,
  tags: number,
  idOf: (tag: number, index: number) => number,
): Promise<FirstInvalidation> {
  const times: number[] = []
  // A handful of the largest is not to be the one that finds everything cold.
  await costOf(WARM_UP, () => cache.invalidate({ tags: ['of nothing'] }))
  for (let tag = 0; tag < tags; tag++) {
    const startedAt = performance.now()
    await cache.invalidate({ tags: [`${under}-${tag}`] })
    times.push((performance.now() - startedAt) * 1_000)
  }
  const before = runs
  const count = Math.min(NEXT_REQUESTS, tags * under)
  const step = Math.floor((tags * under) / count)
  const nextRequest = await costOf(count, (index) => {
    const place = index * step
    return askLocally(listener, { path: pathOf(idOf(Math.floor(place / under), place % under)) })
  })
  return { under, times, nextRequest, stale: count - (runs - before) }
}

answerParent({ fill, operations: () => Object.keys(SLICES), slice, firstInvalidations })
