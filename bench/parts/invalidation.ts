import { setTimeout as sleep } from 'node:timers/promises'
import { startCompanion } from '../../test/faults/outages/companion.ts'
import { hasRedisServer, type RedisServer, startRedis } from '../../test/support/redis-server.ts'
import type {
  Aftermath,
  Fill,
  Invalidation,
  InvalidationSubject,
  InvalidationsAnswers,
  InvalidationsOptions,
  What,
} from '../companions/invalidations.ts'
import type { Context } from '../part.ts'
import { installedValuePeers } from '../peer-values.ts'
import { counted, listenToRedis } from '../redis-usage.ts'
import type { Section } from '../section.ts'

const FEW = 10_000
const MANY = 100_000
/** None is waited for any longer to be filled (ms), nor to be done. */
const FILL_WITHIN_MS = 20_000
const PEER_FILL_WITHIN_MS = 5_000
const DONE_WITHIN_MS = 10_000

interface Line {
  readonly subject: InvalidationSubject
  readonly hasRedis: boolean
  readonly filled: number
  readonly what: What
  /** Undefined where it was not done in time. */
  readonly done: (Invalidation & Aftermath) | undefined
  readonly commands: readonly string[]
}

/** What an invalidation takes, by how much there is and how much of it is meant. */
export async function run({ short }: Context): Promise<Section> {
  const peers = short ? [] : (await installedValuePeers()).filter((name) => name !== 'cache-manager')
  const sizes = short ? [1_000] : [FEW, MANY]
  const lines = [...(await measure({ subject: 'cachewell' }, sizes))]
  // What takes seconds is told as well from one of two cores.
  const [values, requests] = await Promise.all([
    inTurn(peers, (subject) => measure({ subject }, sizes)),
    peers.length === 0 ? [] : measure({ subject: 'apicache' }, [FEW]),
  ])
  lines.push(...values, ...requests)
  if (!hasRedisServer()) return section(lines)
  const shared = await inTurn(['cachewell' as const, ...peers], async (subject) => {
    const redis = await startRedis()
    try {
      // Peers take longer to be filled than to be measured.
      return await measure({ subject, redis: redis.port }, subject === 'cachewell' ? sizes : [FEW], redis)
    } finally {
      await redis.stop()
    }
  })
  return section([...lines, ...shared])
}

async function inTurn(
  subjects: readonly InvalidationSubject[],
  lines: (subject: InvalidationSubject) => Promise<readonly Line[]>,
): Promise<readonly Line[]> {
  const all: Line[] = []
  for (const subject of subjects) all.push(...(await lines(subject)))
  return all
}

async function measure(
  options: InvalidationsOptions,
  sizes: readonly number[],
  redis?: RedisServer,
): Promise<readonly Line[]> {
  const { subject } = options
  process.stderr.write(`${subject}${redis === undefined ? '' : ' with Redis'}\n`)
  const file = new URL('../companions/invalidations.ts', import.meta.url)
  const withinMs = subject === 'cachewell' ? FILL_WITHIN_MS : PEER_FILL_WITHIN_MS
  const companion = await startCompanion<InvalidationsAnswers>(file, options)
  const lines: Line[] = []
  try {
    for (const entries of sizes) {
      const filled = await companion.ask('fill', { entries, withinMs } satisfies Fill)
      for (const what of await companion.ask('knows')) {
        await companion.ask('look', what)
        const listening = redis === undefined ? undefined : await listenToRedis(redis.port)
        const invalidation = await inTime(companion.ask('invalidate', what))
        const commands = listening?.end() ?? []
        const line = { subject, hasRedis: redis !== undefined, filled, what, commands }
        if (invalidation === undefined) return [...lines, { ...line, done: undefined }]
        lines.push({ ...line, done: { ...invalidation, ...(await companion.ask('lookAgain')) } })
      }
    }
  } finally {
    await companion.end()
  }
  return lines
}

async function inTime<T>(done: Promise<T>): Promise<T | undefined> {
  // What is given up ends with its process.
  done.catch(() => {})
  const timer = new AbortController()
  try {
    return await Promise.race([done, sleep(DONE_WITHIN_MS, undefined, { signal: timer.signal, ref: false })])
  } finally {
    timer.abort()
  }
}

function section(lines: readonly Line[]): Section {
  const ours = lines.filter(({ subject }) => subject === 'cachewell')
  const sum = (what: keyof Aftermath): number => ours.reduce((total, { done }) => total + (done?.[what] ?? 1), 0)
  return {
    title: 'Invalidation',
    note:
      `Entries of 1 kB; filling a peer ends after ${PEER_FILL_WITHIN_MS / 1_000} s, and an invalidation is given up after ` +
      `${DONE_WITHIN_MS / 1_000} s. Of 50 samples that were named, how many are still answered with; of 50 that ` +
      'were not, how many are gone. The stall is the longest time in ' +
      'which nothing else could run (timers of 1 ms). With Redis, an invalidation of ours is confirmed by all processes.',
    columns: ['', 'entries', 'what', 'ms', 'stall ms', 'Redis commands', 'stale of 50', 'lost of 50'],
    rows: lines.map(({ subject, hasRedis, filled, what, done, commands }) => [
      hasRedis ? `${subject}, Redis` : subject,
      filled.toLocaleString('en'),
      what,
      done === undefined ? `> ${DONE_WITHIN_MS.toLocaleString('en')}` : done.ms.toFixed(1),
      done?.stallMs.toFixed(1) ?? '',
      hasRedis ? counted(commands) : '',
      String(done?.stale ?? ''),
      what.includes('%') ? String(done?.lost ?? '') : '',
    ]),
    verdicts: [
      { what: 'Invalidated entries of ours that are still answered with', figure: sum('stale'), bar: { atMost: 0 } },
      { what: 'Entries of ours that were not named and are gone', figure: sum('lost'), bar: { atMost: 0 } },
    ],
  }
}
