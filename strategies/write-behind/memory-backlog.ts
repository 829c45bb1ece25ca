import { Buffer } from 'node:buffer'
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
import { queueFull } from './queue-full.ts'

export interface MemoryBacklogOptions extends BacklogLimits {
  readonly name: string
  /** Epoch ms. */
  readonly now: () => number
}

/** Writes that wait in this process, and end with it. */
export class MemoryBacklog implements Backlog {
  readonly #options: MemoryBacklogOptions
  readonly #lists = new Map<string, Queued[]>()
  readonly #failures = new Map<string, number>()
  readonly #dead = new Map<number, Buried>()
  /** Of each key with dead letters: its latest write. */
  readonly #latestOf = new Map<string, number>()
  #latest = 0
  #size = 0
  #bytes = 0
  #peak = 0
  #refused = 0

  constructor(options: MemoryBacklogOptions) {
    this.#options = options
  }

  async push(key: string, payload: string): Promise<Pushed> {
    const { name, maxQueued, maxQueuedSize, now } = this.#options
    const bytes = Buffer.byteLength(payload)
    if (this.#size >= maxQueued || this.#bytes + bytes > maxQueuedSize) {
      this.#refused++
      throw queueFull(name, this.#size, this.#bytes)
    }
    this.#latest = Math.max(this.#latest + 1, Math.round(now() * 1_000))
    this.#size++
    this.#bytes += bytes
    this.#peak = Math.max(this.#peak, this.#size)
    if (this.#latestOf.has(key)) this.#latestOf.set(key, this.#latest)
    return { version: this.#latest, isFirst: this.#append(key, { version: this.#latest, payload }) }
  }

  async newest(key: string): Promise<Queued | undefined> {
    return this.#lists.get(key)?.at(-1)
  }

  async head(key: string): Promise<Head | undefined> {
    const first = this.#lists.get(key)?.[0]
    return first === undefined ? undefined : { ...first, failures: this.#failures.get(key) ?? 0 }
  }

  async settle(key: string, version: number): Promise<Head | undefined> {
    const first = this.#take(key, version)
    if (first !== undefined) this.#leave(first)
    return this.head(key)
  }

  async fail(failure: Failure, version: number, attempts: number): Promise<Failed> {
    const { key } = failure
    if (this.#lists.get(key)?.[0]?.version !== version) return { state: 'gone', failures: 0 }
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    if (failures < attempts) return { state: 'again', failures }
    const given = this.#take(key, version) as Queued
    this.#dead.set(version, { ...given, ...failure, attempts: failures })
    this.#latestOf.set(key, this.#lists.get(key)?.at(-1)?.version ?? version)
    return { state: 'dead', failures }
  }

  async latest(): Promise<number> {
    return this.#latest
  }

  async isSettled(version: number): Promise<boolean> {
    for (const [first] of this.#lists.values()) if (first !== undefined && first.version <= version) return false
    return true
  }

  async buried(after: number, limit: number): Promise<readonly Buried[]> {
    const later = [...this.#dead.values()].filter(({ version }) => version > after)
    return later.toSorted((a, b) => a.version - b.version).slice(0, limit)
  }

  async replay(version: number): Promise<{ readonly key: string; readonly replayed: Replayed }> {
    const letter = this.#dead.get(version)
    if (letter === undefined) return { key: '', replayed: 'unknown' }
    const { key, payload } = letter
    if ((this.#latestOf.get(key) ?? version) > version) return { key, replayed: 'overtaken' }
    this.#dig(letter)
    this.#append(key, { version, payload })
    return { key, replayed: 'queued' }
  }

  async discard(version: number): Promise<boolean> {
    const letter = this.#dead.get(version)
    if (letter === undefined) return false
    this.#dig(letter)
    this.#leave(letter)
    return true
  }

  async stats(): Promise<QueueStats> {
    return {
      limit: this.#options.maxQueued,
      current: this.#size,
      peak: this.#peak,
      refused: this.#refused,
      bytes: this.#bytes,
      deadLetters: this.#dead.size,
    }
  }

  /** Whether it is the first of its key. */
  #append(key: string, queued: Queued): boolean {
    const list = this.#lists.get(key)
    if (list === undefined) this.#lists.set(key, [queued])
    else list.push(queued)
    return list === undefined
  }

  /** The head, if it has this version, which it is not any more. */
  #take(key: string, version: number): Queued | undefined {
    const list = this.#lists.get(key)
    if (list?.[0]?.version !== version) return undefined
    const first = list.shift()
    if (list.length === 0) this.#lists.delete(key)
    this.#failures.delete(key)
    return first
  }

  #dig({ key, version }: Buried): void {
    this.#dead.delete(version)
    for (const other of this.#dead.values()) if (other.key === key) return
    this.#latestOf.delete(key)
  }

  #leave({ payload }: Queued): void {
    this.#size--
    this.#bytes -= Buffer.byteLength(payload)
  }
}
