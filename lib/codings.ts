import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { Events } from './events.ts'
import { Gauge, type Limit } from './gauge.ts'
import { CODINGS, type CodedBody, type Coding, codedSize } from './http/content-coding.ts'
import { withCodings } from './http/stored-response.ts'
import type { ResponseEntry } from './responses.ts'
import type { Store } from './stores/store.ts'

/**
 * Bodies in codings that clients take, made behind their back: the hit that shows that somebody wants one is answered with what is
 * there, and zlib works in threads of its own.
 */

type Encode = (body: Buffer, done: (error: Error | null, coded: Buffer) => void) => void

/** Of node 22.15 and later; the types are of the oldest one that is supported. */
const { zstdCompress } = zlib as { zstdCompress?: Encode }

/** Good enough to beat gzip by far, at about its price: higher ones cost many times as much. */
const BROTLI_QUALITY = 5
const GZIP_LEVEL = 6

const ENCODERS: Readonly<Partial<Record<Coding, Encode>>> = {
  ...(zstdCompress === undefined ? {} : { zstd: zstdCompress }),
  br: (body, done) => {
    const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants
    const params = { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [BROTLI_PARAM_SIZE_HINT]: body.length }
    zlib.brotliCompress(body, { params }, done)
  },
  gzip: (body, done) => zlib.gzip(body, { level: GZIP_LEVEL }, done),
}

/** The codings that this node can make, the one that is liked best first. */
export const AVAILABLE_CODINGS: readonly Coding[] = CODINGS.filter((coding) => ENCODERS[coding] !== undefined)

/** How many bodies are coded at the same time, so that a processor is left for requests; how many at most wait or are under way. */
const MAX_RUNNING = Math.max(1, Math.min(2, availableParallelism() - 1))
const MAX_PENDING = 64
/** A coding that spares less is not worth its place. */
const MIN_GAIN = 0.05

/** A body to be coded: of which fill, so that nothing is put beside another one. */
interface Job {
  readonly key: string
  readonly coding: Coding
  readonly cachedAt: number
  readonly seq: number
  readonly fence: number
}

export interface CodingsOptions {
  readonly store: Store
  readonly events: Events
}

export class Codings {
  readonly #store: Store
  readonly #events: Events
  /** By coding and key. */
  readonly #pending = new Set<string>()
  readonly #waiting: Job[] = []
  readonly #room = new Gauge(MAX_PENDING)
  #running = 0

  constructor({ store, events }: CodingsOptions) {
    this.#store = store
    this.#events = events
  }

  /** A client that takes these codings, in this order, has asked for an entry: see to it that the first is at hand next time. */
  want(entry: ResponseEntry, codings: readonly Coding[]): void {
    const { coded } = entry.value
    for (const coding of codings) {
      const made = coded.find((one) => one.coding === coding)
      if (made === undefined) return this.#add(entry, coding)
      if (made.body !== undefined) return
    }
  }

  stats(): Limit {
    return this.#room.stats()
  }

  #add({ key, cachedAt, seq, fence }: ResponseEntry, coding: Coding): void {
    const job = { key, coding, cachedAt, seq, fence }
    // Without memory it would be made for each answer again.
    if (this.#pending.has(nameOf(job)) || this.#present(job) === undefined) return
    if (!this.#room.admits(1)) return
    this.#room.add(1)
    this.#pending.add(nameOf(job))
    this.#waiting.push(job)
    this.#next()
  }

  #next(): void {
    while (this.#running < MAX_RUNNING) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      this.#running++
      void this.#make(job).finally(() => {
        this.#running--
        this.#pending.delete(nameOf(job))
        this.#room.add(-1)
        this.#next()
      })
    }
  }

  async #make(job: Job): Promise<void> {
    const entry = this.#present(job)
    if (entry === undefined) return
    const body = await this.#encode(job.coding, entry.value.body)
    // Something else may have come in its place, or beside it.
    const present = this.#present(job)
    if (present === undefined || this.#store.enrich(enriched(present, { coding: job.coding, body }))) return
    // It does not fit, and would not the next time.
    this.#store.enrich(enriched(present, { coding: job.coding, body: undefined }))
  }

  async #encode(coding: Coding, body: Buffer): Promise<Buffer | undefined> {
    const encode = ENCODERS[coding]
    if (encode === undefined) return undefined
    try {
      const coded = await promisify(encode)(body)
      return coded.length <= body.length * (1 - MIN_GAIN) ? coded : undefined
    } catch (cause) {
      this.#events.emit('error', { where: 'coding', cause })
      return undefined
    }
  }

  /** The entry that a job is about, as it is now; undefined where memory has another one. */
  #present({ key, cachedAt, seq, fence }: Job): ResponseEntry | undefined {
    const entry = this.#store.peek(key)
    if (entry?.kind !== 'response' || entry.cachedAt !== cachedAt) return undefined
    if (entry.seq !== seq || entry.fence !== fence) return undefined
    return entry as ResponseEntry
  }
}

function nameOf({ coding, key }: Job): string {
  return `${coding} ${key}`
}

function enriched(entry: ResponseEntry, made: CodedBody): ResponseEntry {
  const value = withCodings(entry.value, [...entry.value.coded, made])
  return { ...entry, size: entry.size + codedSize(made), value }
}
