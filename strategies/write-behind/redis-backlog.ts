import { CacheError } from '../../lib/errors.ts'
import type { Annex } from '../../lib/stores/redis-annex.ts'
import type {
  Backlog,
  BacklogLimits,
  Buried,
  Failed,
  Failure,
  Head,
  Pushed,
  Queued,
  QueueStats,
  Replayed,
} from './backlog.ts'
import { BACKLOG_KEYS, BACKLOG_SCRIPTS, type BacklogScripts } from './backlog-scripts.ts'
import { queueFull } from './queue-full.ts'

export interface RedisBacklogOptions extends BacklogLimits {
  readonly name: string
  readonly annex: Annex
  /** How long an answer may take (ms). */
  readonly timeoutMs: number
}

/** A key whose head waits, and since which version. */
export interface Waiting {
  readonly key: string
  readonly version: number
}

/** Writes that wait in Redis, for all processes of a namespace. */
export class RedisBacklog implements Backlog {
  readonly #options: RedisBacklogOptions
  readonly #keys: readonly string[]

  constructor(options: RedisBacklogOptions) {
    this.#options = options
    this.#keys = BACKLOG_KEYS.map((name) => `${options.annex.slot}:${name}`)
  }

  async push(key: string, payload: string): Promise<Pushed> {
    const { name, maxQueued, maxQueuedSize } = this.#options
    const answer = await this.#runOn('push', key, [payload, String(maxQueued), String(maxQueuedSize)]).catch(
      (cause: unknown) => {
        throw unconfirmed(name, cause)
      },
    )
    const [result, version, length] = answer as [string, string | number, number]
    if (result === 'full') throw queueFull(name, Number(version), length)
    return { version: Number(version), isFirst: length === 1 }
  }

  async newest(key: string): Promise<Queued | undefined> {
    const write = (await this.#runOn('newest', key, [])) as string | null
    return write === null ? undefined : queuedOf(write)
  }

  async head(key: string): Promise<Head | undefined> {
    return headOf(await this.#runOn('head', key, []))
  }

  async settle(key: string, version: number): Promise<Head | undefined> {
    return headOf(await this.#runOn('settle', key, [String(version)]))
  }

  async fail(failure: Failure, version: number, attempts: number): Promise<Failed> {
    const args = [String(version), JSON.stringify(failure), String(attempts)]
    const [state, failures] = (await this.#runOn('fail', failure.key, args)) as [Failed['state'], number]
    return { state, failures }
  }

  async latest(): Promise<number> {
    return Number((await this.#progress(0))[0])
  }

  async isSettled(version: number): Promise<boolean> {
    return (await this.#progress(version))[1] === 0
  }

  async buried(after: number, limit: number): Promise<readonly Buried[]> {
    const letters = (await this.#run('buried', [String(after), String(limit)])) as readonly (string | null)[]
    return letters.flatMap((letter) => (letter === null ? [] : letterOf(letter)))
  }

  async replay(version: number): Promise<{ readonly key: string; readonly replayed: Replayed }> {
    const key = await this.#keyOf(version)
    if (key === undefined) return { key: '', replayed: 'unknown' }
    return { key, replayed: (await this.#runOn('replay', key, [String(version)])) as Replayed }
  }

  async discard(version: number): Promise<boolean> {
    const key = await this.#keyOf(version)
    return key !== undefined && (await this.#runOn('discard', key, [String(version)])) === 1
  }

  async stats(): Promise<QueueStats> {
    const found = (await this.#run('stats', [])) as readonly unknown[]
    const [current = 0, bytes = 0, peak = 0, refused = 0, deadLetters = 0] = found.map(Number)
    return { limit: this.#options.maxQueued, current, peak, refused, bytes, deadLetters }
  }

  /** Keys whose head came after this version and has waited at least so long (ms), the oldest first. */
  async waiting(after: number, forMs: number, limit: number): Promise<readonly Waiting[]> {
    const found = (await this.#run('waiting', [String(after), String(forMs), String(limit)])) as readonly string[]
    return found.flatMap((key, index) => (index % 2 === 0 ? { key, version: Number(found[index + 1]) } : []))
  }

  async #keyOf(version: number): Promise<string | undefined> {
    const letter = (await this.#run('letter', [String(version)])) as string | null
    return letter === null ? undefined : letterOf(letter).key
  }

  async #progress(version: number): Promise<readonly [latest: string, waiting: number]> {
    return (await this.#run('progress', [String(version)])) as [string, number]
  }

  #run(script: keyof BacklogScripts, args: readonly string[]): Promise<unknown> {
    const { annex, timeoutMs } = this.#options
    return annex.run(BACKLOG_SCRIPTS[script], this.#keys, args, timeoutMs)
  }

  /** The same where the script works on the list of one key. */
  #runOn(script: keyof BacklogScripts, key: string, args: readonly string[]): Promise<unknown> {
    const { annex, timeoutMs } = this.#options
    const keys = [...this.#keys, `${annex.slot}:list:${key}`]
    return annex.run(BACKLOG_SCRIPTS[script], keys, [key, ...args], timeoutMs)
  }
}

function queuedOf(write: string): Queued {
  const space = write.indexOf(' ')
  return { version: Number(write.slice(0, space)), payload: write.slice(space + 1) }
}

function headOf(answer: unknown): Head | undefined {
  if (answer === null) return undefined
  const [write, failures] = answer as [string, number]
  return { ...queuedOf(write), failures }
}

function letterOf(letter: string): Buried {
  const [space, end] = [letter.indexOf(' '), letter.indexOf('\n')]
  const failure = JSON.parse(letter.slice(space + 1, end)) as Failure
  return { ...queuedOf(letter.slice(end + 1)), ...failure, attempts: Number(letter.slice(0, space)) }
}

function unconfirmed(name: string, cause: unknown): CacheError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new CacheError(
    'ERR_CACHE_UNCONFIRMED',
    `writeBehind: a write of ${name} is not known to be queued (${why}). It may be saved all the same; write again to be sure.`,
    { cause },
  )
}
