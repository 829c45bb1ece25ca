import { statSync } from 'node:fs'
import { type Child, startChild } from '../traffic/child.ts'
import { Client } from '../traffic/client.ts'
import { type LogLine, parseLogLine, readLines } from './access-log.ts'
import { type ReplayFigures, type ReplayOrder, SIZE_FIELD, STATUS_FIELD, TIME_FIELD } from './server.ts'

export interface ReplayOptions {
  readonly file: string
  /** One run for each. @default 60s, 5m and 1h */
  readonly ttls?: readonly string[]
  readonly onProgress?: (done: number, total: number, note: string) => void
  readonly signal?: AbortSignal
}

export interface StatusRow {
  /** As logged. */
  readonly status: number
  readonly requests: number
  readonly hits: number
  readonly bytes: number
  readonly bytesSaved: number
}

export interface ReplayRun {
  readonly ttl: string
  readonly requests: number
  readonly hits: number
  /** Percent of all requests. */
  readonly hitRate: number
  readonly bytes: number
  readonly bytesSaved: number
  readonly handlerCalls: number
  readonly handlerCallsSaved: number
  /** Of the process that held the cache and the origin. */
  readonly peakRssBytes: number
  /** Of what the cache keeps in memory, at its largest. */
  readonly peakMemoryUsed: number
  readonly entries: number
  /** Requests that failed on the way. */
  readonly errors: number
  readonly statuses: readonly StatusRow[]
}

export interface ReplayReport {
  readonly file: string
  readonly lines: number
  /** Lines that could not be parsed or sent, and the first few of them. */
  readonly skipped: number
  readonly skippedSamples: readonly string[]
  readonly urls: number
  readonly runs: readonly ReplayRun[]
}

const TTLS: readonly string[] = ['60s', '5m', '1h']
const MAX_SAMPLES = 3
const SAMPLE_LENGTH = 120
/** For how many URLs the size of the last 200 is remembered; the oldest are forgotten first. */
const MAX_SIZES = 200_000

/**
 * Replay an access log through a cache, once for each lifetime, with the cache's clock following the log.
 * @throws when the file cannot be read, with one line that says why
 */
export async function replayLog(options: ReplayOptions): Promise<ReplayReport> {
  const { file, ttls = TTLS } = options
  const total = readableSize(file)
  const runs: ReplayRun[] = []
  let reading: Reading = { lines: 0, skipped: 0, skippedSamples: [], urls: 0 }
  for (const [index, ttl] of ttls.entries()) {
    const order: ReplayOrder = { ttl }
    const child = await startChild<{ port: number }>(new URL('./server.ts', import.meta.url), order)
    const client = new Client({ port: child.reply.port, connections: 1 })
    try {
      const run = new Run(ttl, client)
      reading = await readThrough({
        file,
        take: (line) => run.take(line),
        onRead: (bytesRead) => {
          options.signal?.throwIfAborted()
          options.onProgress?.(
            index * total + bytesRead,
            ttls.length * total,
            `ttl ${ttl}, hit rate ${run.hitRate.toFixed(1)} %`,
          )
        },
      })
      runs.push(run.report(await askFigures(child)))
    } finally {
      client.close()
      await child.stop()
    }
  }
  return { file, ...reading, runs }
}

function readableSize(file: string): number {
  try {
    const stats = statSync(file)
    if (stats.isDirectory()) throw new Error('it is a directory')
    return stats.size
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new Error(`Cannot read the log ${file}: ${code === 'ENOENT' ? 'no such file' : message}.`)
  }
}

type Reading = Pick<ReplayReport, 'lines' | 'skipped' | 'skippedSamples' | 'urls'>

async function readThrough(options: {
  readonly file: string
  readonly take: (line: LogLine) => Promise<void>
  readonly onRead: (bytesRead: number) => void
}): Promise<Reading> {
  let lines = 0
  let skipped = 0
  const skippedSamples: string[] = []
  const urls = new Set<string>()
  for await (const { text, bytesRead } of readLines(options.file)) {
    if (text.trim() === '') continue
    lines += 1
    const line = parseLogLine(text)
    if (line === undefined) {
      skipped += 1
      if (skippedSamples.length < MAX_SAMPLES) skippedSamples.push(text.slice(0, SAMPLE_LENGTH))
      continue
    }
    if (urls.size < MAX_SIZES) urls.add(line.target)
    await options.take(line)
    if (lines % 100 === 0) options.onRead(bytesRead)
  }
  return { lines, skipped, skippedSamples, urls: urls.size }
}

async function askFigures(child: Child<object>): Promise<ReplayFigures> {
  const figures = child.nextMessage()
  child.send({})
  return (await figures) as ReplayFigures
}

interface Tally {
  requests: number
  hits: number
  bytes: number
  bytesSaved: number
}

class Run {
  readonly #ttl: string
  readonly #client: Client
  readonly #sizes = new Map<string, number>()
  readonly #statuses = new Map<number, Tally>()
  readonly #all: Tally = { requests: 0, hits: 0, bytes: 0, bytesSaved: 0 }
  #errors = 0

  constructor(ttl: string, client: Client) {
    this.#ttl = ttl
    this.#client = client
  }

  get hitRate(): number {
    const { hits, requests } = this.#all
    return requests === 0 ? 0 : Math.round((hits * 10_000) / requests) / 100
  }

  async take(line: LogLine): Promise<void> {
    const { status, size, range } = this.#requestFor(line)
    try {
      const response = await this.#client.send({
        method: line.method,
        path: line.target,
        keepBody: false,
        headers: {
          [TIME_FIELD]: String(line.at),
          [STATUS_FIELD]: String(status),
          [SIZE_FIELD]: String(size),
          ...(range !== undefined && { Range: range }),
        },
      })
      this.#count(line.status, response.hit, response.bytes)
    } catch {
      this.#errors += 1
    }
  }

  report(figures: ReplayFigures): ReplayRun {
    const { requests, hits, bytes, bytesSaved } = this.#all
    return {
      ttl: this.#ttl,
      requests,
      hits,
      hitRate: this.hitRate,
      bytes,
      bytesSaved,
      handlerCalls: figures.handlerCalls,
      handlerCallsSaved: requests - figures.handlerCalls,
      peakRssBytes: figures.peakRssBytes,
      peakMemoryUsed: figures.peakMemoryUsed,
      entries: figures.keyCount,
      errors: this.#errors,
      statuses: Array.from(this.#statuses, ([status, tally]) => ({ status, ...tally })).sort(
        (a, b) => a.status - b.status,
      ),
    }
  }

  /** What to ask of the origin so that the line comes about, as told in the help. */
  #requestFor({ target, status, size }: LogLine): { status: number; size: number; range?: string } {
    const known = this.#sizes.get(target) ?? 0
    switch (status) {
      case 200:
        this.#remember(target, size)
        return { status, size }
      case 206:
        if (size === 0) return { status: 200, size: known }
        return { status: 200, size: Math.max(known, size), range: `bytes=0-${size - 1}` }
      case 304:
        return { status: 200, size: known }
      case 416:
        return { status: 200, size: known, range: `bytes=${known}-` }
      default:
        return { status, size }
    }
  }

  #remember(target: string, size: number): void {
    this.#sizes.delete(target)
    this.#sizes.set(target, size)
    if (this.#sizes.size <= MAX_SIZES) return
    for (const oldest of this.#sizes.keys()) {
      this.#sizes.delete(oldest)
      return
    }
  }

  #count(status: number, hit: boolean, bytes: number): void {
    const row = this.#statuses.get(status) ?? { requests: 0, hits: 0, bytes: 0, bytesSaved: 0 }
    this.#statuses.set(status, row)
    for (const tally of [row, this.#all]) {
      tally.requests += 1
      tally.bytes += bytes
      if (hit) {
        tally.hits += 1
        tally.bytesSaved += bytes
      }
    }
  }
}
