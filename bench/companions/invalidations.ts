import type { IncomingMessage, RequestListener } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerParent, companionOptions } from '../../test/faults/outages/companion.ts'
import { createCache, withCache } from '../built.ts'
import { Filling } from '../filling.ts'
import { askLocally } from '../local-request.ts'
import { openValues, type PeerName } from '../peer-values.ts'

/** A cache with many entries of which some, or all, are invalidated. */
export interface InvalidationsOptions {
  readonly subject: InvalidationSubject
  /** Port of a Redis on this machine; without it there is memory alone. */
  readonly redis?: number
}

export type InvalidationSubject = 'cachewell' | 'apicache' | PeerName

/** In this order. */
export type What = 'a tag of 1 %' | 'a pattern of 10 %' | 'a tag of all' | 'everything'

export interface Invalidation {
  readonly ms: number
  /** Longest time in which nothing else could run (ms). */
  readonly stallMs: number
}

/** What became of samples. */
export interface Aftermath {
  /** Of those that were named, how many are still answered with. */
  readonly stale: number
  /** Of those that were not named, how many are gone. */
  readonly lost: number
}

export interface InvalidationsAnswers {
  /** How many entries there are in the end. */
  readonly fill: number
  /** What it knows how to invalidate. */
  readonly knows: readonly What[]
  /** Look at samples before. */
  readonly look: undefined
  readonly invalidate: Invalidation
  /** Look at them again. */
  readonly lookAgain: Aftermath
}

export interface Fill {
  readonly entries: number
  /** None is added after this. */
  readonly withinMs: number
}

const BODY = 'x'.repeat(1_000)
const SAMPLES = 50
const STEP = 1_000
const RESOLUTION_MS = 1

/** Numbers of the sampled entries: the first that is named, and how far the next is. */
const NAMED: Readonly<Record<What, number>> = {
  'a tag of 1 %': 7,
  'a pattern of 10 %': 3,
  'a tag of all': 1,
  everything: 2,
}
const SAMPLE_STEP = 100
/** Not named by the first two. */
const OTHERS = 5

const { subject, redis } = companionOptions() as InvalidationsOptions

interface Subject {
  fill(from: number, to: number): Promise<unknown>
  /** Ask for an entry; true when it was there. */
  has(id: number): Promise<boolean>
  readonly invalidations: Partial<Readonly<Record<What, () => Promise<unknown>>>>
}

function pathOf(id: number): string {
  return `/items/${id}`
}

function tagsOf(id: number): readonly string[] {
  return ['all', `hundredth-${id % 100}`]
}

function idOf({ url = '' }: IncomingMessage): number {
  return Number(url.slice('/items/'.length))
}

async function openOurs(): Promise<Subject> {
  const url = redis === undefined ? false : `redis://127.0.0.1:${redis}`
  const cache = createCache({ redis: url, memory: { maxSize: '4gb' }, namespace: 'invalidations', deadlineMs: '5s' })
  await cache.ready()
  let runs = 0
  const handler: RequestListener = (_req, res) => {
    runs++
    res.end(BODY)
  }
  const tags = (req: IncomingMessage): readonly string[] => tagsOf(idOf(req))
  const listener = withCache(handler, { cache, ttl: '1h', headers: 'standard', tags })
  const filling = await Filling.start({ cache, listener })
  return {
    fill: (from, to) =>
      filling.fill(from, to, (id) => ({ path: pathOf(id), body: Buffer.from(BODY), tags: tagsOf(id) })),
    has: async (id) => {
      const before = runs
      await askLocally(listener, { path: pathOf(id) })
      return runs === before
    },
    invalidations: {
      'a tag of 1 %': () => cache.invalidate({ tags: ['hundredth-7'] }),
      'a pattern of 10 %': () => cache.invalidate({ pattern: '/items/*3' }),
      'a tag of all': () => cache.invalidate({ tags: ['all'] }),
      everything: () => cache.invalidate({ all: true }),
    },
  }
}

async function openPeer(name: PeerName): Promise<Subject> {
  const address = redis === undefined ? {} : { redis: { host: '127.0.0.1', port: redis } }
  const values = await openValues(name, { ...address, maxItems: 200_000 })
  const { invalidateTag } = values
  return {
    fill: (from, to) =>
      Promise.all(
        Array.from({ length: to - from }, (_, index) => values.set(pathOf(from + index), BODY, tagsOf(from + index))),
      ),
    has: async (id) => (await values.get(pathOf(id))) !== undefined,
    invalidations: {
      ...(invalidateTag === undefined
        ? {}
        : {
            'a tag of 1 %': () => invalidateTag('hundredth-7'),
            'a tag of all': () => invalidateTag('all'),
          }),
      everything: () => values.clear(),
    },
  }
}

interface Apicache {
  middleware(duration: string): (req: IncomingMessage, res: unknown, next: () => void) => void
  clear(group?: string): unknown
}

/** It has one group per entry, and nothing but requests to fill it. */
async function openApicache(): Promise<Subject> {
  // The compiler is not to look for it.
  const name: string = 'apicache'
  const apicache = ((await import(name)) as { default: Apicache }).default
  const middleware = apicache.middleware('1 hour')
  let runs = 0
  const listener: RequestListener = (req, res) => {
    middleware(req, res, () => {
      runs++
      Object.assign(req, { apicacheGroup: 'all' })
      res.end(BODY)
    })
  }
  const ask = (id: number): Promise<void> => askLocally(listener, { path: pathOf(id) })
  return {
    fill: async (from, to) => {
      for (let id = from; id < to; id++) await ask(id)
    },
    has: async (id) => {
      const before = runs
      await ask(id)
      return runs === before
    },
    invalidations: { 'a tag of all': async () => apicache.clear('all') },
  }
}

async function open(): Promise<Subject> {
  if (subject === 'cachewell') return openOurs()
  return subject === 'apicache' ? openApicache() : openPeer(subject)
}

const opened = await open()
let filled = 0

async function fill({ entries, withinMs }: Fill): Promise<number> {
  const until = performance.now() + withinMs
  for (filled = 0; filled < entries && performance.now() < until; filled += STEP)
    await opened.fill(filled, filled + STEP)
  return filled
}

/** What is looked at before and after. */
let samples: { readonly named: readonly number[]; readonly others: ReadonlySet<number> } = {
  named: [],
  others: new Set(),
}

async function look(what: What): Promise<void> {
  const named = sampleOf(NAMED[what])
  await presentOf(named)
  samples = { named, others: what.includes('%') ? await presentOf(sampleOf(OTHERS)) : new Set() }
}

async function lookAgain(): Promise<Aftermath> {
  const [stale, others] = [await presentOf(samples.named), await presentOf([...samples.others])]
  return { stale: stale.size, lost: samples.others.size - others.size }
}

async function invalidate(what: What): Promise<Invalidation> {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  // What it has not begun to watch it does not see.
  await sleep(5)
  const startedAt = performance.now()
  await opened.invalidations[what]?.()
  const ms = performance.now() - startedAt
  await sleep(5)
  delays.disable()
  return { ms, stallMs: delays.max / 1e6 }
}

function sampleOf(first: number): readonly number[] {
  const step = SAMPLE_STEP * Math.max(1, Math.floor(filled / SAMPLE_STEP / SAMPLES))
  return Array.from({ length: SAMPLES }, (_, index) => first + index * step).filter((id) => id < filled)
}

async function presentOf(ids: readonly number[]): Promise<ReadonlySet<number>> {
  const present = new Set<number>()
  for (const id of ids) if (await opened.has(id)) present.add(id)
  return present
}

answerParent({ fill, knows: () => Object.keys(opened.invalidations), look, invalidate, lookAgain })
