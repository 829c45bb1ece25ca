import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Cache } from '../../lib/cache.ts'
import type { Random } from '../fuzz/random.ts'
import type { Authority } from './authority.ts'
import { ITEM_SUBJECTS, lifetimeOf, type Subject } from './catalogue.ts'
import { instant } from './history.ts'
import type { Counts } from './messages.ts'
import type { Recorder } from './recorder.ts'

export type Tally = { -readonly [K in keyof Counts]: Counts[K] }

export interface ReaderOptions {
  readonly cache: Cache
  readonly authority: Authority
  readonly recorder: Recorder
  readonly random: Random
  readonly tally: Tally
}

/** Reads of one loop between two turns of the event loop. */
const READS_PER_TURN = 32
/** One of so many reads is followed by a longer life for what was read. */
const EXPIRE_ONE_IN = 200
/** A loader takes up to this (ms), so that writes come while it runs. */
const LOADER_MS = 30
/** One loader in so many takes much longer: than a deadline of Redis, and than a lease. */
const SLOW_ONE_IN = 50
const SLOW_MS = 600

/** Read items as fast as possible, until the process ends. */
export async function readItems(options: ReaderOptions): Promise<never> {
  const { cache, authority, recorder, random, tally } = options
  const items = ITEM_SUBJECTS.map((subject) => ({
    subject,
    policy: { ...lifetimeOf(subject), tags: subject.tags, source: true } as const,
    load: () => loadVersion(authority, random, subject),
  }))
  for (let count = 1; ; count++) {
    const { subject, policy, load } = random.pick(items)
    const at = instant()
    try {
      const found =
        count % 5 === 0
          ? await cache.get<number>(subject.name, { source: true })
          : await cache.remember(subject.name, policy, load)
      if (found !== undefined) {
        recorder.read(subject.number, found.value, at, found.source)
        tally[found.source]++
      }
      if (random.below(EXPIRE_ONE_IN) === 0) await cache.expire(subject.name, '1h')
    } catch {
      tally.failed++
    }
    if (count % READS_PER_TURN === 0) await turn()
  }
}

/** What a handler or a loader does: read what is committed, and take its time. */
export async function loadVersion(authority: Authority, random: Random, subject: Subject): Promise<number> {
  const version = await authority.read(subject)
  await sleep(random.below(random.below(SLOW_ONE_IN) === 0 ? SLOW_MS : LOADER_MS))
  return version
}
