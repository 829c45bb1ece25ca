import { setTimeout as sleep } from 'node:timers/promises'
import type { Cache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import type { Targets } from '../../lib/targets.ts'
import type { Random } from '../fuzz/random.ts'
import type { Authority } from './authority.ts'
import { companionsOf, groupOf, mayBeStale, SUBJECTS, type Subject, THROUGH_SUBJECTS } from './catalogue.ts'
import { instant } from './history.ts'
import type { Recorder } from './recorder.ts'

export interface WriterOptions {
  readonly cache: Cache
  readonly authority: Authority
  readonly recorder: Recorder
  readonly random: Random
  /** Pause between two writes, on average (ms). */
  readonly everyMs: number
  /** Whether everything at once may be invalidated, too. */
  readonly mayClear: boolean
  /** Which of the subjects it alone writes: those whose number is `share` modulo `shares`. */
  readonly share: number
  readonly shares: number
  /** Told when an invalidation was not acknowledged. */
  readonly onRejected: () => void
}

/** A write as an application does it: commit and tell the cache. Resolves with whether the cache has acknowledged it. */
interface Write {
  readonly subjects: readonly Subject[]
  readonly run: (commit: () => Promise<readonly number[]>) => Promise<boolean>
}

/** Everything is cleared in one of so many writes. */
const CLEAR_ONE_IN = 150
/** One of so many writes goes through the cache. */
const THROUGH_ONE_IN = 4
/** A write takes up to this before its commit, and after it (ms). */
const COMMIT_MS = 30

/** Raises versions and invalidates, each time in another way. */
export class Writer {
  readonly #options: WriterOptions
  readonly #own: readonly Subject[]

  constructor(options: WriterOptions) {
    this.#options = options
    this.#own = SUBJECTS.filter(({ number }) => number % options.shares === options.share)
  }

  /** Write until the process ends. */
  async run(): Promise<never> {
    const { random, everyMs } = this.#options
    for (;;) {
      await this.#write()
      await sleep(random.below(2 * everyMs))
    }
  }

  async #write(): Promise<void> {
    const { authority, recorder, onRejected } = this.#options
    const { subjects, run } = this.#choose()
    let versions: readonly number[] = []
    const isAcknowledged = await run(async () => {
      versions = await authority.raise(subjects)
      return versions
    })
    if (!isAcknowledged) {
      onRejected()
      return
    }
    const at = instant()
    for (const [index, { number }] of subjects.entries()) recorder.acknowledge(number, versions[index] as number, at)
  }

  #choose(): Write {
    const { random, mayClear } = this.#options
    if (random.below(THROUGH_ONE_IN) === 0) return this.#writeThrough(random.pick(THROUGH_SUBJECTS))
    const subject = random.pick(this.#own)
    if (isSet(subject)) return this.#set(subject)
    if (mayClear && random.below(CLEAR_ONE_IN) === 0) return this.#invalidate([subject], { all: true })
    const targets = random.pick(targetsOf(subject))
    const way = random.below(10)
    if (way === 0) {
      const companions = companionsOf(subject).filter((companion) => !isSet(companion))
      return this.#invalidate(companions, { tags: [groupOf(subject.number)] })
    }
    if (way === 1) return this.#change(subject, targets)
    // What may be served stale would be.
    return this.#invalidate([subject], targets, way === 2 && !mayBeStale(subject))
  }

  #invalidate(subjects: readonly Subject[], targets: Targets, soft: boolean = false): Write {
    return {
      subjects,
      run: async (commit) => {
        await commit()
        try {
          await this.#options.cache.invalidate(targets, { soft })
          return true
        } catch (error) {
          if (error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED') return false
          throw error
        }
      },
    }
  }

  /** It resolves all the same where it was not acknowledged, with an event, which may be that of another write: then it does not count. */
  #change(subject: Subject, targets: Targets): Write {
    const { cache, random } = this.#options
    return {
      subjects: [subject],
      run: async (commit) => {
        let isAcknowledged = true
        const forget = cache.on('unconfirmed', () => {
          isAcknowledged = false
        })
        await cache.change(targets, async () => {
          await sleep(random.below(COMMIT_MS))
          await commit()
          await sleep(random.below(COMMIT_MS))
        })
        forget()
        return isAcknowledged
      },
    }
  }

  /** Where it is alone its version stays in the cache: of several processes at the same time nobody may leave the older one. */
  #writeThrough(subject: Subject): Write {
    const { cache, random } = this.#options
    return {
      subjects: [subject],
      run: (commit) =>
        cache.write(subject.name, { ttl: '1h', tags: subject.tags }, async () => {
          await sleep(random.below(COMMIT_MS))
          const [version] = await commit()
          await sleep(random.below(COMMIT_MS))
          return version
        }),
    }
  }

  #set(subject: Subject): Write {
    const { cache, random } = this.#options
    const subjects = random.below(4) === 0 ? this.#own.filter(isSet) : [subject]
    return {
      subjects,
      run: async (commit) => {
        const versions = await commit()
        const items = subjects.map(({ name, tags }, at) => ({ key: name, value: versions[at], tags }))
        if (subjects.length > 1) return cache.setMany(items, { ttl: '1h' })
        if (random.below(3) === 0) return cache.delete(subject.name)
        return cache.set(subject.name, versions[0], { ttl: '1h', tags: subject.tags })
      },
    }
  }
}

/** Two writers that set one key would overwrite each other in any cache: these are set, and written in no other way. */
function isSet({ kind, number }: Subject): boolean {
  return kind === 'item' && number % 10 === 3
}

/** The ways to name a subject, and perhaps others with it. */
function targetsOf({ kind, name, tags }: Subject): readonly Targets[] {
  const [own = ''] = tags
  const common: Targets[] = [{ tags: [own] }, { tags: [own, 'unused'] }, { pattern: `${name}*` }, { pattern: name }]
  return kind === 'item'
    ? [...common, { keys: [name] }, { tags: [own], keys: ['unused'] }]
    : [...common, { urls: [name] }, { urls: [`http://${PAGES_HOST}${name}`] }]
}

/** Where pages are asked for. */
export const PAGES_HOST = 'pages.test'
